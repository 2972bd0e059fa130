//! Templates × [`Scope`] → values: typed, without truthiness, with fuel. A path copies nothing.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    model::template::{Call, Expr, Part, Path, Template},
    template::{
        describe::{reads_input, shown, spelled, template_reads_input},
        functions::{
            self, Code, Form,
            args::{Args, MAX_TEXT, kind, text_of},
        },
        scope::{Fault, Scope},
    },
    value::{self, path},
};

/// Expressions that one template may evaluate.
const MAX_STEPS: usize = 10_000;

/// A value that is borrowed from the scope where possible; `None` is absent.
pub type Found<'a> = Option<Cow<'a, Value>>;

/// The JSON value of a template; `None` is absent. Borrowed from the scope where possible.
pub fn value<'a>(t: &'a Template, scope: &Scope<'a>) -> Result<Found<'a>, Fault> {
    let mut run = Run { source: &t.source, scope, steps: 0, text: 0 };
    match t.parts.as_slice() {
        [Part::Expr(expr)] => run.expr(expr, scope.lenient),
        parts => Ok(Some(Cow::Owned(run.parts(parts)?.into()))),
    }
}

/// A condition: must be a boolean.
pub fn boolean(t: &Template, scope: &Scope<'_>) -> Result<bool, Fault> {
    let found = match value(t, scope)?.as_deref() {
        Some(Value::Bool(flag)) => return Ok(*flag),
        Some(other) => kind(other),
        None => "absent",
    };
    Err(Fault {
        message: format!("`{}` must be true or false, not {found}", shown(&t.source)),
        from_input: template_reads_input(t),
    })
}

/// Text: string, number or boolean; `None` is absent. An absent part of a longer text is a fault.
pub fn text(t: &Template, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    match t.parts.as_slice() {
        [Part::Expr(expr)] => {
            let mut run = Run { source: &t.source, scope, steps: 0, text: 0 };
            let Some(value) = run.expr(expr, scope.lenient)? else { return Ok(None) };
            match (text_of(&value), value.as_ref()) {
                (Some(text), _) => Ok(Some(text.into_owned())),
                (None, other) => Err(run.not_text(expr, Some(other))),
            }
        }
        parts => Run { source: &t.source, scope, steps: 0, text: 0 }.parts(parts).map(Some),
    }
}

/// The text of each expression of a template, between its text; for places that encode.
pub fn pieces(
    t: &Template,
    scope: &Scope<'_>,
    mut each: impl FnMut(Piece<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut run = Run { source: &t.source, scope, steps: 0, text: 0 };
    for part in &t.parts {
        match part {
            Part::Text(text) => each(Piece::Text(text))?,
            Part::Expr(expr) => {
                let value = run.expr(expr, scope.lenient)?;
                let text = value.as_deref().and_then(text_of);
                let text = text.ok_or_else(|| run.not_text(expr, value.as_deref()))?;
                run.spend(text.len())?;
                each(Piece::Value { text: &text, expr })?;
            }
        }
    }
    Ok(())
}

/// A part of a template, evaluated.
pub enum Piece<'p> {
    /// As it stands in the file.
    Text(&'p str),
    /// What an expression yielded.
    Value {
        /// As text.
        text: &'p str,
        /// The expression, for messages.
        expr: &'p Expr,
    },
}

/// One evaluation of one template.
struct Run<'s, 'a> {
    source: &'a str,
    scope: &'s Scope<'a>,
    steps: usize,
    text: usize,
}

impl<'a> Run<'_, 'a> {
    /// Text and expressions in turn, as one text.
    fn parts(&mut self, parts: &'a [Part]) -> Result<String, Fault> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Expr(expr) => {
                    let value = self.expr(expr, self.scope.lenient)?;
                    match value.as_deref().and_then(text_of) {
                        Some(piece) => {
                            self.spend(piece.len())?;
                            text.push_str(&piece);
                        }
                        None => return Err(self.not_text(expr, value.as_deref())),
                    }
                }
            }
        }
        Ok(text)
    }

    /// The value of an expression. `permit`: a path may be absent.
    fn expr(&mut self, expr: &'a Expr, permit: bool) -> Result<Found<'a>, Fault> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.fault("the template takes more than 10 000 steps", false));
        }
        match expr {
            Expr::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Expr::Path(path) => self.path(path, permit),
            Expr::Call(call) => match functions::find(call.helper).map(|function| function.code) {
                Some(Code::Form(form)) => self.form(form, call, permit),
                Some(Code::Plain(code)) => self.plain(code, call, permit),
                None => Err(self.fault(&format!("there is no helper `{}`", call.helper), false)),
            },
        }
    }

    fn path(&self, path: &Path, permit: bool) -> Result<Found<'a>, Fault> {
        let found = self.scope.get(&path.root).and_then(|root| path::get(root, &path.segments));
        if found.is_some() || permit || path.root == "input" {
            return Ok(found.map(Cow::Borrowed));
        }
        let message =
            format!("`{}` is not there; `opt`, `default` or `first` says what then", spelled(path));
        Err(Fault { message, from_input: false })
    }

    /// A function of arguments that are all there.
    fn plain(
        &mut self,
        code: fn(&mut Args<'_>) -> functions::args::Outcome,
        call: &'a Call,
        permit: bool,
    ) -> Result<Found<'a>, Fault> {
        let mut args = Args {
            values: Vec::with_capacity(call.args.len()),
            named: Vec::with_capacity(call.named.len()),
            now: self.scope.now,
        };
        for arg in &call.args {
            match self.expr(arg, permit)? {
                Some(value) => args.values.push(value),
                None => return Ok(None),
            }
        }
        for (name, arg) in &call.named {
            if let Some(value) = self.expr(arg, permit)? {
                args.named.push((name, value));
            }
        }
        match code(&mut args) {
            Ok(value) => {
                if let Some(Value::String(text)) = &value {
                    self.spend(text.len())?;
                }
                Ok(value.map(Cow::Owned))
            }
            Err(message) => Err(self.in_call(call, &message)),
        }
    }

    /// A function that looks at absence, or evaluates only some of its arguments.
    fn form(&mut self, form: Form, call: &'a Call, permit: bool) -> Result<Found<'a>, Fault> {
        let args = call.args.as_slice();
        let flag = |flag: bool| Ok(Some(Cow::Owned(Value::Bool(flag))));
        match (form, args) {
            (Form::Opt | Form::First, args) => {
                for arg in args {
                    if let Some(value) = self.present(arg)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
            (Form::Default, [arg, other]) => match self.present(arg)? {
                Some(value) => Ok(Some(value)),
                None => self.expr(other, permit),
            },
            (Form::Exists, [arg]) => flag(self.present(arg)?.is_some()),
            (Form::Eq | Form::Ne, [a, b]) => {
                let (a, b) = (self.expr(a, permit)?, self.expr(b, permit)?);
                let same = matches!((a, b), (Some(a), Some(b)) if value::equal(&a, &b));
                flag(same == (form == Form::Eq))
            }
            (Form::And | Form::Or, args) => {
                let last = form == Form::Or;
                for arg in args {
                    if self.condition(call, arg, permit)?.unwrap_or(false) == last {
                        return flag(last);
                    }
                }
                flag(!last)
            }
            (Form::Not, [arg]) => flag(!self.condition(call, arg, permit)?.unwrap_or(false)),
            (Form::If, [condition, then, rest @ ..]) => {
                match (self.condition(call, condition, permit)?, rest) {
                    (Some(true), _) => self.expr(then, permit),
                    (Some(false), [other, ..]) => self.expr(other, permit),
                    (Some(false), []) | (None, _) => Ok(None),
                }
            }
            (Form::Default | Form::Exists | Form::Eq | Form::Ne | Form::Not | Form::If, _) => {
                Err(self.in_call(call, "wrong number of arguments"))
            }
        }
    }

    /// A value that is neither absent nor null.
    fn present(&mut self, arg: &'a Expr) -> Result<Found<'a>, Fault> {
        Ok(self.expr(arg, true)?.filter(|value| !value.is_null()))
    }

    fn condition(
        &mut self,
        call: &Call,
        arg: &'a Expr,
        permit: bool,
    ) -> Result<Option<bool>, Fault> {
        match self.expr(arg, permit)?.as_deref() {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => {
                let message = format!("a condition must be true or false, not {}", kind(other));
                Err(self.in_call(call, &message))
            }
        }
    }

    /// Counts text against the limit.
    fn spend(&mut self, len: usize) -> Result<(), Fault> {
        self.text += len;
        if self.text > MAX_TEXT {
            return Err(self.fault("the template makes more than 1 MB of text", false));
        }
        Ok(())
    }

    fn not_text(&self, expr: &Expr, found: Option<&Value>) -> Fault {
        let what = match expr {
            Expr::Path(path) => spelled(path),
            Expr::Literal(value) => value.to_string(),
            Expr::Call(call) => call.helper.to_owned(),
        };
        let found = found.map_or("absent", kind);
        let message = format!("`{what}` is {found} where text is needed");
        self.fault(&message, reads_input(expr))
    }

    fn in_call(&self, call: &Call, message: &str) -> Fault {
        let from_input =
            call.args.iter().chain(call.named.iter().map(|(_, arg)| arg)).any(reads_input);
        self.fault(&format!("`{}`: {message}", call.helper), from_input)
    }

    fn fault(&self, message: &str, from_input: bool) -> Fault {
        Fault { message: format!("{message}, in `{}`", shown(self.source)), from_input }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{model::time::Timestamp, template::parse::parse};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn input() -> Value {
        json!({
            "name": "Ann", "count": 5, "yes": true, "no": false, "nothing": null, "empty": "",
            "tags": ["b", "a", "b"], "nested": [[1, 2], [], 3], "o": {"a": 1, "b": {"c": [10, 20]}},
            "rows": [{"id": 2, "n": "x"}, {"id": 1, "n": "y"}, {"n": "z"}], "braces": "{{input.name}}",
            "long": "x".repeat(600_000),
        })
    }

    fn body() -> Value {
        json!({"a": 1, "null": null, "@odata.nextLink": "n", "0": "zero", "list": [{"id": "7"}]})
    }

    /// The JSON text of the value, `absent`, or `! message`.
    fn run(text: &str, lenient: bool) -> String {
        let (input, body) = (input(), body());
        let mut scope = Scope::new(NOW).with("input", &input).with("body", &body);
        scope.lenient = lenient;
        let template = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let result = value(&template, &scope).map(|found| found.map(|value| value.to_string()));
        match result {
            Ok(found) => found.unwrap_or_else(|| "absent".to_owned()),
            Err(fault) => format!("! {}", fault.message),
        }
    }

    #[test]
    fn values_keep_their_type() {
        for (text, wanted) in [
            ("plain", "\"plain\""),
            ("{{input.count}}", "5"),
            (" {{input.count}}\n", "5"),
            ("{{input.count}}{{input.count}}", "\"55\""),
            ("n={{input.count}} {{input.yes}} {{input.name}}", "\"n=5 true Ann\""),
            ("{{input.nothing}}", "null"),
            ("{{input.o}}", "{\"a\":1,\"b\":{\"c\":[10,20]}}"),
            ("{{input.o.b.c.1}}", "20"),
            ("{{input.o.b.c.2}}", "absent"),
            ("{{input.o.b.c.-1}}", "absent"),
            ("{{input.none.below}}", "absent"),
            ("{{input.name.below}}", "absent"),
            ("{{input.nothing.below}}", "absent"),
            ("{{body.[@odata.nextLink]}}", "\"n\""),
            ("{{body.0}}", "\"zero\""),
            ("{{input.braces}}", "\"{{input.name}}\""),
            ("\\{{input.name}} is {{input.braces}}", "\"{{input.name}} is {{input.name}}\""),
            ("<{{input.name}}> & \"", "\"<Ann> & \\\"\""),
        ] {
            assert_eq!(run(text, false), wanted, "{text}");
        }
    }

    #[test]
    fn absence_needs_permission() {
        for (text, strict, lenient) in [
            ("{{body.x}}", "! `body.x` is not there", "absent"),
            ("{{other}}", "! `other` is not there", "absent"),
            ("{{opt body.x}}", "absent", "absent"),
            ("{{opt body.null}}", "absent", "absent"),
            ("{{opt body.null.x}}", "absent", "absent"),
            ("{{body.null}}", "null", "null"),
            ("{{default body.x 5}}", "5", "5"),
            ("{{default body.null 5}}", "5", "5"),
            ("{{default (lower body.x) 5}}", "5", "5"),
            ("{{default body.x body.y}}", "! `body.y` is not there", "absent"),
            ("{{first body.x body.null body.a}}", "1", "1"),
            ("{{first body.x body.y}}", "absent", "absent"),
            ("{{exists body.x}}", "false", "false"),
            ("{{exists body.null}}", "false", "false"),
            ("{{exists body.list}}", "true", "true"),
            ("{{not (exists input.o)}}", "false", "false"),
            ("{{lower body.x}}", "! `body.x` is not there", "absent"),
            ("{{lower input.x}}", "absent", "absent"),
            ("{{eq body.x 1}}", "! `body.x` is not there", "false"),
            ("{{eq input.x 1}}", "false", "false"),
            ("{{ne input.x 1}}", "true", "true"),
            ("{{eq input.x input.y}}", "false", "false"),
            ("{{not input.x}}", "true", "true"),
            ("{{and input.x input.yes}}", "false", "false"),
            ("{{or input.x input.yes}}", "true", "true"),
            ("{{if input.x 1 2}}", "absent", "absent"),
            ("{{if input.no 1}}", "absent", "absent"),
            ("{{if input.yes 1 body.x}}", "1", "1"),
            ("{{and input.no body.x}}", "false", "false"),
            ("{{object a=input.x b=1}}", "{\"b\":1}", "{\"b\":1}"),
            ("{{sort input.tags by=input.x}}", "[\"a\",\"b\",\"b\"]", "[\"a\",\"b\",\"b\"]"),
            ("a {{input.x}}", "! `input.x` is absent where text", "! `input.x` is absent"),
            ("a {{input.nothing}}", "! `input.nothing` is null where text", "!"),
            ("a {{input.o}}", "! `input.o` is an object where text", "!"),
            ("a {{input.tags}}", "! `input.tags` is a list where text", "!"),
            ("{{if 1 2 3}}", "! `if`: a condition must be true or false, not a number", "!"),
            ("{{and input.yes \"x\"}}", "! `and`: a condition", "!"),
        ] {
            assert!(run(text, false).starts_with(strict), "{text}: {}", run(text, false));
            assert!(run(text, true).starts_with(lenient), "{text}: {}", run(text, true));
        }
    }

    #[test]
    fn mail_is_written_by_its_rules() {
        let mail = |args: &str| {
            let text = run(&format!("{{{{mime {args}}}}}"), false);
            serde_json::from_str::<String>(&text).unwrap_or(text)
        };
        assert_eq!(
            mail("to=\"a@b.c\" subject=\"Hi\" text=\"Hello\""),
            "To: a@b.c\r\nSubject: Hi\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n"
        );
        let both = mail("to=\"a@b.c\" text=\"x\" html=\"<b>x</b>\"");
        assert!(both.contains("multipart/alternative") && both.contains("text/html"), "{both}");
        assert!(mail("subject=\"Grüße\"").contains("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
        assert!(
            mail("to=\"Jürgen <j@b.c>, x@y.z\"")
                .contains("To: =?UTF-8?B?SsO8cmdlbg==?= <j@b.c>,\r\n x@y.z\r\n")
        );
        assert!(mail("to=(split \"a@b.c d@e.f\" \" \")").contains("To: a@b.c,\r\n d@e.f\r\n"));
        assert!(mail("subject=\"a\\r\\nBcc: evil@x.y\"").contains("Subject: a Bcc: evil@x.y\r\n"));
        assert!(mail("subject=(object a=1)").starts_with("! `mime`: `subject` must be text"));
        for line in mail("subject=\"ääääääääääääääääääääääääääääääääääääääääääääää\"").lines()
        {
            assert!(line.len() <= 78, "{line}");
        }
    }

    #[test]
    fn work_is_bounded() {
        for text in [
            "{{input.long}}{{input.long}}",
            "{{replace input.long \"x\" \"yyyyyyyyyy\"}}",
            "{{json (object a=input.long b=input.long)}}",
            "{{base64 (base64 input.long)}}",
            "{{hex input.long}}",
            "{{first (lower input.long) (lower input.long) (lower input.long)}}{{lower input.long}}",
        ] {
            assert!(run(text, false).contains("1 MB"), "{text}");
        }
        assert_eq!(run("{{input.long}}", false).len(), 600_002);
        let many = format!("{{{{first {}}}}}", "input.x ".repeat(10_001));
        assert!(run(&many, false).contains("10 000 steps"));
    }

    #[test]
    fn a_path_copies_nothing() {
        let (input, template) = (input(), parse("{{first input.none input.o}}").unwrap());
        let scope = Scope::new(NOW).with("input", &input);
        assert!(matches!(value(&template, &scope), Ok(Some(Cow::Borrowed(_)))));
    }

    #[test]
    fn the_culprit_is_named_and_never_quoted() {
        let (input, credentials) =
            (json!({"x": {}}), json!({"key": {"a": "s3cret"}, "t": "s3cret"}));
        let scope = Scope::new(NOW).with("input", &input).with("credentials", &credentials);
        for (text, from_input) in [
            ("a {{input.x}}", true),
            ("a {{credentials.key}}", false),
            ("{{join credentials.t \",\"}}", false),
            ("{{number credentials.t}}", false),
            ("{{parse_json credentials.t}}", false),
            ("{{date credentials.t}}", false),
            ("{{date_add now credentials.t}}", false),
            ("{{sha256 \"\" encoding=credentials.t}}", false),
            ("{{get credentials.t 0}}", false),
            ("{{join input.x \",\"}}", true),
        ] {
            let template = parse(text).unwrap();
            let fault = value(&template, &scope).unwrap_err();
            assert_eq!(fault.from_input, from_input, "{text}: {fault}");
            assert!(!fault.message.contains("s3cret"), "{fault}");
        }
        let template = parse("{{input.x}}").unwrap();
        assert!(boolean(&template, &scope).unwrap_err().from_input);
        assert!(text(&template, &scope).unwrap_err().from_input);
    }

    #[test]
    fn conditions_are_booleans() {
        let input = input();
        let scope = Scope::new(NOW).with("input", &input);
        let ask = |text: &str| boolean(&parse(text).unwrap(), &scope);
        assert_eq!(ask("{{input.yes}}"), Ok(true));
        assert_eq!(ask("{{eq input.count 6}}"), Ok(false));
        for text in
            ["{{input.count}}", "{{input.o}}", "{{input.none}}", "true", "{{input.nothing}}"]
        {
            assert!(ask(text).unwrap_err().message.contains("must be true or false"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn mail_has_only_its_own_headers(to in ".*", subject in ".*", text in ".*") {
            let input = json!({"to": to, "subject": subject, "text": text});
            let scope = Scope::new(NOW).with("input", &input);
            let template =
                parse("{{mime to=input.to subject=input.subject text=input.text}}").unwrap();
            let mail = super::text(&template, &scope).unwrap().unwrap();
            let (head, body) = mail.split_once("\r\n\r\n").unwrap();
            for line in head.split("\r\n") {
                let known = ["To: ", "Subject: ", "MIME-Version: ", "Content-T", " "];
                prop_assert!(known.iter().any(|k| line.starts_with(k)), "{:?}", line);
                prop_assert!(!line.contains(['\r', '\n', '\0']), "{:?}", line);
            }
            let plain = body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=\r\n".contains(&b));
            prop_assert!(plain);
        }

        #[test]
        fn evaluation_ends_and_never_panics(
            noise in "[a-z(). \"0-9]{0,24}",
            helper in prop::sample::select(functions::ALL),
            args in prop::collection::vec(0usize..9, 0..4),
            text in ".{0,12}",
        ) {
            let input = json!({"a": text, "b": 1e15, "c": [1, "x", null, [2]], "d": {"a": 1}, "e": null});
            let scope = Scope::new(NOW).with("input", &input);
            let arg = ["input.a", "input.b", "input.c", "input.d", "input.e", "input.f", "\"a\"", "-1", "true"];
            let args: Vec<&str> = args.iter().map(|i| arg[*i]).collect();
            let call = format!("{{{{{} {}}}}}", helper.name, args.join(" "));
            for text in [call, format!("{{{{{noise}}}}}")] {
                if let Ok(template) = parse(&text) {
                    let _ = value(&template, &scope);
                }
            }
        }
    }
}
