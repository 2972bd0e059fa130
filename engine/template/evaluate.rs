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
        number,
        scope::{Fault, Scope},
    },
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
        let found = self.scope.get(&path.root).and_then(|root| walk(root, &path.segments));
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
                let same = matches!((a, b), (Some(a), Some(b)) if number::equal(&a, &b));
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

/// The value at a path below `root`; there is nothing below null and scalars.
fn walk<'a>(root: &'a Value, segments: &[String]) -> Option<&'a Value> {
    segments.iter().try_fold(root, |value, segment| match value {
        Value::Object(members) => members.get(segment),
        Value::Array(list) if segment.bytes().all(|b| b.is_ascii_digit()) => {
            list.get(segment.parse::<usize>().ok()?)
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            None
        }
    })
}
