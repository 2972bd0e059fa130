//! The load-time check: does a template only read what can be there, and does it fit its place?

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    diagnostic::suggest,
    model::template::{Call, Expr, Part, Path, Template},
    template::{
        describe::spelled,
        functions::{self, Code, Form, Function, Gives},
        knowledge::{Knowledge, Member, Presence, Symbols},
        reader::extent,
        scope::Error,
    },
};

/// Where the value of a template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Anywhere a JSON value is wanted.
    Value,
    /// A header or a text body.
    Text,
    /// The path of a request.
    Path,
    /// `if`, `where`, `when`, `more`.
    Condition,
    /// `base_url` and other URLs of a blueprint.
    BaseUrl,
}

/// What is wrong with a template at its place; offsets are within `t.source`.
pub fn template(t: &Template, symbols: &Symbols, place: Use) -> Vec<Error> {
    let mut checker = Checker { source: &t.source, symbols, errors: Vec::new() };
    let alone = t.lone().is_some();
    for part in &t.parts {
        match part {
            Part::Text(text) => checker.plain(text, place),
            Part::Expr(expr) => {
                let seen = checker.expr(expr, symbols.is_lenient());
                checker.fits(expr, &seen, (place, alone));
            }
        }
    }
    if place == Use::Condition && !alone {
        checker.error(
            (0, t.source.len()),
            "a condition is exactly one expression",
            "write `{{…}}`, such as `{{eq input.x 1}}`",
        );
    }
    checker.errors
}

/// What is known of the template's value.
pub fn result(t: &Template, symbols: &Symbols) -> Knowledge {
    let mut checker = Checker { source: &t.source, symbols, errors: Vec::new() };
    match t.lone() {
        Some(expr) => checker.expr(expr, true).knowledge.into_owned(),
        None => Knowledge::Leaf,
    }
}

/// What is known of an expression.
struct Seen<'k> {
    knowledge: Cow<'k, Knowledge>,
    presence: Presence,
}

impl Seen<'_> {
    fn new(knowledge: Knowledge, presence: Presence) -> Self {
        Self { knowledge: Cow::Owned(knowledge), presence }
    }
}

struct Checker<'s> {
    source: &'s str,
    symbols: &'s Symbols,
    errors: Vec<Error>,
}

impl<'s> Checker<'s> {
    /// Text of the file, outside of expressions. (A `#` is reported by the reader of the path.)
    fn plain(&mut self, text: &str, place: Use) {
        if let (Use::Path | Use::BaseUrl, Some(at)) = (place, text.find('\\')) {
            let at = self.source.find(text).unwrap_or(0) + at;
            self.error((at, 1), "`\\` in a path", "URLs have `/` between their segments");
        }
    }

    /// Whether an expression fits its place.
    fn fits(&mut self, expr: &Expr, seen: &Seen<'_>, (place, alone): (Use, bool)) {
        let at = self.place_of(expr);
        let what = name_of(expr);
        let found = match seen.knowledge.as_ref() {
            Knowledge::Record { .. } => Some("an object"),
            Knowledge::List(_) => Some("a list"),
            Knowledge::Open | Knowledge::Leaf => gives(expr).compound(),
        };
        match (place, found) {
            (Use::Condition, Some(found)) if alone => {
                self.error(
                    at,
                    &format!("a condition must be true or false, not {found}"),
                    "compare it, such as `eq`, or ask `exists`",
                );
            }
            (Use::Condition, None) if alone && gives(expr) == Gives::Scalar => {
                self.error(
                    at,
                    &format!("a condition must be true or false, and `{what}` never is"),
                    "compare it, such as `eq`, or ask `exists`",
                );
            }
            (Use::Value | Use::Condition, _) if alone => {}
            (_, Some(found)) => {
                self.error(
                    at,
                    &format!("`{what}` is {found} where text is needed"),
                    "name one of its members, or use `join` or `json`",
                );
            }
            (_, None) => {}
        }
        if matches!(place, Use::Path | Use::BaseUrl) && seen.presence == Presence::Maybe {
            self.error(
                at,
                &format!("`{what}` may be absent, and a path needs it"),
                "make it required in its schema, or give a `default`",
            );
        }
    }

    fn expr(&mut self, expr: &Expr, permit: bool) -> Seen<'s> {
        match expr {
            Expr::Literal(Value::Array(_) | Value::Object(_)) => {
                Seen::new(Knowledge::Open, Presence::Always)
            }
            Expr::Literal(_) => Seen::new(Knowledge::Leaf, Presence::Always),
            Expr::Path(path) => self.path(path, permit),
            Expr::Call(call) => self.call(call, permit),
        }
    }

    fn path(&mut self, path: &Path, permit: bool) -> Seen<'s> {
        let at = (path.offset, extent(self.source, path.offset));
        let Some((mut knowledge, mut presence)) = self.symbols.get(&path.root) else {
            let hint = suggest(&path.root, self.symbols.names());
            self.errors.push(Error {
                message: format!("there is no `{}` here", path.root),
                offset: at.0,
                len: path.root.len().max(1),
                hint,
            });
            return Seen::new(Knowledge::Open, Presence::Always);
        };
        for (depth, segment) in path.segments.iter().enumerate() {
            match step(knowledge, segment) {
                Step::To(below, there) => {
                    knowledge = below;
                    presence = presence.max(there);
                }
                Step::Unknown => {
                    knowledge = &Knowledge::Open;
                    break;
                }
                Step::Never(why) => {
                    self.never(path, depth, why);
                    return Seen::new(Knowledge::Open, Presence::Always);
                }
            }
        }
        if presence == Presence::Maybe && !permit && path.root != "input" {
            let path = spelled(path);
            let hint =
                format!("write `opt {path}`, or `first` or `default` with what stands in for it");
            self.error(at, &format!("`{path}` may be absent"), &hint);
        }
        Seen { knowledge: Cow::Borrowed(knowledge), presence }
    }

    /// A member that cannot be there.
    fn never(&mut self, path: &Path, depth: usize, why: Never<'_>) {
        let end = path.segments.get(..depth).unwrap_or_default().to_vec();
        let parent = spelled(&Path { root: path.root.clone(), segments: end, offset: 0 });
        let segment = path.segments.get(depth).map_or("", String::as_str);
        let (message, hint) = match why {
            Never::Member(members) => {
                let names = members.iter().map(|member| member.name.as_str());
                let (message, hint) = if path.root == "steps" && depth == 0 {
                    let message = format!("there is no step `{segment}` before this place");
                    (message, "steps run in order; only earlier ones can be read")
                } else {
                    (format!("`{parent}` has no `{segment}`"), "declare it first, or leave it out")
                };
                (message, suggest(segment, names).unwrap_or_else(|| hint.to_owned()))
            }
            Never::List => (
                format!("`{parent}` is a list and has no `{segment}`"),
                "take an element by its index, `pluck` a member, or use `$map`".to_owned(),
            ),
            Never::Leaf => (
                format!("`{parent}` is a single value and has no `{segment}`"),
                format!("leave `.{segment}` out"),
            ),
        };
        self.error((path.offset, extent(self.source, path.offset)), &message, &hint);
    }

    fn call(&mut self, call: &Call, permit: bool) -> Seen<'s> {
        let Some(function) = functions::find(call.helper) else {
            return Seen::new(Knowledge::Open, Presence::Always);
        };
        let mut args = Vec::with_capacity(call.args.len());
        for (i, arg) in call.args.iter().enumerate() {
            args.push(self.expr(arg, permit || i < function.tolerates));
        }
        let mut named = Vec::with_capacity(call.named.len());
        for (name, arg) in &call.named {
            named.push((name.as_str(), self.expr(arg, permit)));
        }
        match function.code {
            Code::Form(form) => formed(form, args),
            Code::Plain(_) => plainly(function, call, &args, named),
        }
    }

    /// Where to point for an expression: its first path, or the whole.
    fn place_of(&self, expr: &Expr) -> (usize, usize) {
        match first_path(expr) {
            Some(path) => (path.offset, extent(self.source, path.offset)),
            None => (0, self.source.len()),
        }
    }

    fn error(&mut self, (offset, len): (usize, usize), message: &str, hint: &str) {
        let hint = Some(hint.to_owned());
        self.errors.push(Error { message: message.to_owned(), offset, len: len.max(1), hint });
    }
}

/// What lies below a name.
enum Step<'k> {
    To(&'k Knowledge, Presence),
    Unknown,
    Never(Never<'k>),
}

/// Why nothing can lie below a name.
#[derive(Clone, Copy)]
enum Never<'k> {
    Member(&'k [Member]),
    List,
    Leaf,
}

fn step<'k>(knowledge: &'k Knowledge, segment: &str) -> Step<'k> {
    match knowledge {
        Knowledge::Open => Step::Unknown,
        Knowledge::Leaf => Step::Never(Never::Leaf),
        Knowledge::List(element) if segment.bytes().all(|b| b.is_ascii_digit()) => {
            Step::To(element, Presence::Always)
        }
        Knowledge::List(_) => Step::Never(Never::List),
        Knowledge::Record { members, open } => {
            match members.iter().find(|member| member.name == segment) {
                Some(member) => Step::To(&member.knowledge, member.presence),
                None if *open => Step::Unknown,
                None => Step::Never(Never::Member(members)),
            }
        }
    }
}

/// What a function that looks at absence yields.
fn formed(form: Form, args: Vec<Seen<'_>>) -> Seen<'_> {
    let any = |args: &[Seen<'_>]| {
        let mut all = args.iter().map(|seen| seen.knowledge.as_ref());
        let first = all.next().cloned().unwrap_or(Knowledge::Open);
        all.fold(first, Knowledge::or)
    };
    let worst =
        |args: &[Seen<'_>]| args.iter().map(|seen| seen.presence).max().unwrap_or(Presence::Always);
    match (form, args.as_slice()) {
        (Form::Opt, [_]) => {
            let mut args = args;
            let seen = args.pop().unwrap_or_else(|| Seen::new(Knowledge::Open, Presence::Maybe));
            Seen { presence: Presence::Maybe, ..seen }
        }
        (Form::Default, [_, other]) => Seen::new(any(&args), other.presence),
        (Form::First, _) => {
            let best = args.iter().map(|seen| seen.presence).min().unwrap_or(Presence::Maybe);
            Seen::new(any(&args), best)
        }
        (Form::If, [_, branches @ ..]) => {
            let presence = if branches.len() < 2 { Presence::Maybe } else { worst(&args) };
            Seen::new(any(branches), presence)
        }
        (Form::Exists | Form::Eq | Form::Ne | Form::And | Form::Or | Form::Not, _) => {
            Seen::new(Knowledge::Leaf, Presence::Always)
        }
        (Form::Opt | Form::Default | Form::If, _) => Seen::new(Knowledge::Open, Presence::Maybe),
    }
}

/// What a function of present arguments yields: absent if one of them is.
fn plainly<'k>(
    function: &Function,
    call: &Call,
    args: &[Seen<'k>],
    named: Vec<(&str, Seen<'k>)>,
) -> Seen<'k> {
    let worst = args.iter().map(|seen| seen.presence).max().unwrap_or(Presence::Always);
    let presence = if function.partial { Presence::Maybe } else { worst };
    let list = |element: Knowledge| Knowledge::List(Box::new(element));
    let first = args.first().map(|seen| seen.knowledge.as_ref());
    let element = first.and_then(Knowledge::element).unwrap_or(Knowledge::Open);
    let knowledge = match function.gives {
        Gives::Boolean | Gives::Scalar => Knowledge::Leaf,
        Gives::List => list(Knowledge::Open),
        Gives::Object | Gives::Any => Knowledge::Open,
        Gives::Element => element,
        Gives::Elements => list(element),
        Gives::Flattened => match element {
            Knowledge::List(inner) => Knowledge::List(inner),
            other @ (Knowledge::Open | Knowledge::Record { .. } | Knowledge::Leaf) => list(other),
        },
        Gives::Members => match call.args.get(1) {
            Some(Expr::Literal(Value::String(key))) => match step(&element, key) {
                Step::To(below, _) => list(below.clone()),
                Step::Unknown | Step::Never(_) => list(Knowledge::Open),
            },
            _ => list(Knowledge::Open),
        },
        Gives::Named => Knowledge::Record {
            members: named
                .into_iter()
                .map(|(name, seen)| Member {
                    name: name.to_owned(),
                    knowledge: seen.knowledge.into_owned(),
                    presence: seen.presence,
                })
                .collect(),
            open: false,
        },
    };
    Seen::new(knowledge, presence)
}

/// What kind of value an expression yields, as far as it shows by itself.
fn gives(expr: &Expr) -> Gives {
    match expr {
        Expr::Path(_) | Expr::Literal(Value::Null) => Gives::Any,
        Expr::Literal(Value::Bool(_)) => Gives::Boolean,
        Expr::Literal(Value::Array(_)) => Gives::List,
        Expr::Literal(Value::Object(_)) => Gives::Object,
        Expr::Literal(Value::Number(_) | Value::String(_)) => Gives::Scalar,
        Expr::Call(call) => functions::find(call.helper).map_or(Gives::Any, |f| f.gives),
    }
}

fn first_path(expr: &Expr) -> Option<&Path> {
    match expr {
        Expr::Path(path) => Some(path),
        Expr::Literal(_) => None,
        Expr::Call(call) => {
            call.args.iter().chain(call.named.iter().map(|(_, arg)| arg)).find_map(first_path)
        }
    }
}

fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Path(path) => spelled(path),
        Expr::Literal(value) => value.to_string(),
        Expr::Call(call) => call.helper.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::{knowledge::of_schema, parse::parse};

    fn symbols() -> Symbols {
        let input = of_schema(&json!({
            "type": "object",
            "required": ["teamId"],
            "additionalProperties": false,
            "properties": {
                "teamId": {"type": "string"},
                "subject": {"type": "string"},
                "limit": {"type": "integer", "default": 50},
                "rows": {"type": "array", "items": {"type": "object", "additionalProperties": false,
                    "properties": {"id": {"type": "string"}}}},
                "fields": {"type": "object"},
            },
        }));
        let step = |name: &str, presence| Member {
            name: name.to_owned(),
            knowledge: Knowledge::Record {
                members: ["status", "body"]
                    .map(|name| Member {
                        name: name.to_owned(),
                        knowledge: Knowledge::Open,
                        presence,
                    })
                    .into(),
                open: false,
            },
            presence: Presence::Always,
        };
        let steps = vec![step("teams", Presence::Always), step("maybe", Presence::Maybe)];
        Symbols::new()
            .with("input", input, Presence::Always)
            .with("steps", Knowledge::Record { members: steps, open: false }, Presence::Always)
            .with("body", Knowledge::Open, Presence::Always)
    }

    /// `message @ underlined (hint)`
    fn told(text: &str, place: Use) -> Vec<String> {
        let t = parse(text).unwrap();
        let errors = template(&t, &symbols(), place);
        let line = |e: Error| {
            let under = t.source.get(e.offset..e.offset + e.len).unwrap_or("?");
            format!("{} @ {under} ({})", e.message, e.hint.unwrap_or_default())
        };
        errors.into_iter().map(line).collect()
    }

    #[test]
    fn what_can_be_there_is_accepted() {
        for (text, place) in [
            ("{{input.teamId}}", Use::Path),
            ("/teams/{{input.teamId}}/x", Use::Path),
            ("/teams/{{input.limit}}", Use::Path),
            ("/teams/{{default input.subject \"x\"}}", Use::Path),
            ("/x/{{first input.subject input.teamId}}", Use::Path),
            ("/x/{{if (exists input.subject) \"a\" \"b\"}}", Use::Path),
            ("/x/{{steps.teams.body.a.b.0}}", Use::Path),
            ("{{input.subject}}", Use::Value),
            ("{{input.rows}}", Use::Value),
            ("{{input.rows.0.id}}", Use::Value),
            ("{{input.fields.anything}}", Use::Value),
            ("{{opt steps.maybe.body.id}}", Use::Value),
            ("{{first steps.maybe.body.id steps.teams.body.id}}", Use::Value),
            ("{{exists steps.maybe.body}}", Use::Condition),
            ("{{body.has_more}}", Use::Condition),
            ("{{input.limit}} {{input.subject}}", Use::Text),
            ("https://{{input.teamId}}.example.com", Use::BaseUrl),
        ] {
            assert_eq!(told(text, place), [""; 0], "{text}");
        }
    }

    const TOLD: &[(&str, Use, &str)] = &[
        ("{{inptu.x}}", Use::Value, "there is no `inptu` here @ inptu (did you mean `input`?)"),
        ("a {{lower inptu}}", Use::Text, "there is no `inptu` here @ inptu"),
        (
            "{{input.teamid}}",
            Use::Value,
            "`input` has no `teamid` @ input.teamid (did you mean `teamId`?)",
        ),
        ("{{input.teamId.x}}", Use::Value, "`input.teamId` is a single value and has no `x`"),
        ("{{input.rows.id}}", Use::Value, "`input.rows` is a list and has no `id`"),
        ("{{input.rows.0.nam}}", Use::Value, "`input.rows.0` has no `nam`"),
        (
            "{{steps.teems.body}}",
            Use::Value,
            "there is no step `teems` before this place @ steps.teems.body (did you mean `teams`?)",
        ),
        ("{{steps.teams.bdy}}", Use::Value, "`steps.teams` has no `bdy`"),
        (
            "{{steps.maybe.body.id}}",
            Use::Value,
            "`steps.maybe.body.id` may be absent @ steps.maybe.body.id (write `opt steps.maybe.body.id`, or",
        ),
        (
            "{{default input.subject steps.maybe.body}}",
            Use::Value,
            "`steps.maybe.body` may be absent",
        ),
        ("{{eq steps.maybe.status 1}}", Use::Condition, "`steps.maybe.status` may be absent"),
        (
            "/x/{{input.subject}}",
            Use::Path,
            "`input.subject` may be absent, and a path needs it @ input.subject",
        ),
        (
            "/x/{{lower input.subject}}",
            Use::Path,
            "`lower` may be absent, and a path needs it @ input.subject",
        ),
        ("/x/{{opt body.id}}", Use::Path, "`opt` may be absent, and a path needs it"),
        ("/x/{{flatten body.rows}}", Use::Path, "`flatten` is a list where text is needed"),
        ("/x\\a/{{input.teamId}}", Use::Path, "`\\` in a path @ \\"),
        ("a {{input.fields}}", Use::Value, "`input.fields` is an object where text is needed"),
        ("{{merge input.fields}}", Use::Text, "`merge` is an object where text is needed"),
        ("{{input.rows}}", Use::Condition, "a condition must be true or false, not a list"),
        (
            "{{length input.rows}}",
            Use::Condition,
            "a condition must be true or false, and `length` never is",
        ),
        ("true", Use::Condition, "a condition is exactly one expression"),
        ("{{body.a}} ", Use::Condition, ""),
        ("x {{body.a}}", Use::Condition, "a condition is exactly one expression"),
    ];

    #[test]
    fn what_cannot_be_there_is_told() {
        for &(text, place, wanted) in TOLD {
            let told = told(text, place);
            assert_eq!(told.len(), usize::from(!wanted.is_empty()), "{text}: {told:?}");
            assert!(told.iter().all(|line| line.starts_with(wanted)), "{text}: {told:?}");
        }
    }

    #[test]
    fn leniency_allows_absence_and_nothing_else() {
        let t = |text: &str| template(&parse(text).unwrap(), &symbols().lenient(), Use::Value);
        assert_eq!(t("{{steps.maybe.body.id}}"), []);
        assert_eq!(t("{{steps.nobody.body.id}}").len(), 1);
    }

    #[test]
    fn results_are_known() {
        let of = |text: &str| result(&parse(text).unwrap(), &symbols());
        let element = |text: &str| of(text).element();
        assert_eq!(of("{{input.teamId}}"), Knowledge::Leaf);
        assert_eq!(of("a {{body.x}}"), Knowledge::Leaf);
        assert_eq!(of("{{body.x}}"), Knowledge::Open);
        assert!(matches!(element("{{input.rows}}"), Some(Knowledge::Record { .. })));
        assert!(matches!(
            element("{{sort (opt input.rows) by=\"id\"}}"),
            Some(Knowledge::Record { .. })
        ));
        assert!(matches!(of("{{find input.rows \"id\" 1}}"), Knowledge::Record { .. }));
        assert_eq!(element("{{pluck input.rows \"id\"}}"), Some(Knowledge::Leaf));
        assert_eq!(element("{{flatten steps.teams.body}}"), Some(Knowledge::Open));
        assert_eq!(element("{{input.teamId}}"), None);
        let Knowledge::Record { members, open: false } = of("{{object a=input.subject b=1}}")
        else {
            panic!()
        };
        assert_eq!(
            members.iter().map(|m| m.presence).collect::<Vec<_>>(),
            [Presence::Maybe, Presence::Always]
        );
    }
}
