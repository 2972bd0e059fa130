//! Steps of actions, `verify` and `discover`: one HTTP request, possibly repeated.

use std::sync::Arc;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            paginate::InStep,
            request::{PATHS, body, target},
            rule::rule,
            symbols::{self, with_answer, with_items},
            text::{as_text, condition, headers, json, path, value},
        },
        tree::{Kind, Node},
    },
    diagnostic::Diagnostics,
    model::{
        action::{Accept, Each, OnError, Step},
        template::{Part, Template},
    },
    template::{
        check,
        knowledge::{Knowledge, Member, Presence, Symbols},
    },
};

/// The name of a step's object.
pub const STEP: &str = "Step";
/// What it is.
pub const STEP_DOC: &str = "One HTTP request, possibly repeated.";
/// Elements at a time, unless the file says otherwise.
const CONCURRENCY: u32 = 4;
/// More elements at a time are never of use.
const MOST_AT_ONCE: u32 = 256;

/// A step; `id` is its name if the file gives none.
pub fn step(o: &mut Object<'_>, around: InStep<'_>, id: Option<&str>) -> Step {
    for name in ["poll", "multipart"] {
        o.unsupported(name);
    }
    // `verify` has a name already.
    let name = key("id", "Its name under `steps`.").like("teams").inherited();
    let id = match id {
        Some(usual) => o.or(name, NAME, usual.to_owned()),
        None => o.needed(name, NAME),
    };
    let only = "Only if this is true; a skipped step is an empty object.";
    let condition = o.optional(key("if", only), condition(around.symbols));
    let (each, symbols) = each(o, around.symbols);
    let around = InStep { symbols: &symbols, ..around };
    let (method, path) = target(o, "step", &PATHS, &PathForm(path(&symbols)));
    let pages = "`true` for the blueprint's pagination, or an object that overrides parts of it.";
    let paginate = o.optional(key("paginate", pages), around).flatten();
    let answer = with_answer(around.names.base().clone());
    let result =
        if is_paged(o) { with_items(symbols.clone()) } else { with_answer(symbols.clone()) };
    let query = key("query", "Query parameters; absent values are left out.");
    Step {
        id,
        condition,
        each,
        method,
        path,
        query: o.or_empty(query, Map(as_text(&symbols))),
        headers: o.or_empty(key("headers", "Header fields."), headers(&symbols)),
        body: body(o, &symbols, true),
        accept: o.or(key("accept", "How the answer is read."), &ACCEPTS, Accept::Json),
        paginate,
        idempotent: o
            .optional(key("idempotent", "May be repeated, whatever its method says."), BOOL),
        timeout: o.optional(key("timeout", "Of one exchange."), SPAN),
        rules: o.list(key("responses", "Rules of this step, before all others."), rule(&answer)),
        output: o.optional(key("output", "The step's own result."), json(&result)),
    }
}

/// What later templates know of a step, by the keys that it has: a fault in one of them is no fault
/// of what reads the step later.
pub fn known(o: &Object<'_>, step: &Step) -> Member {
    let mut record = symbols::step_record(o.raw("each").is_some(), is_paged(o));
    // One that may be skipped holds nothing for sure.
    if let (Knowledge::Record { members, .. }, Some(_)) = (&mut record, o.raw("if")) {
        for member in members {
            member.presence = Presence::Maybe;
        }
    }
    symbols::member(&step.id, record)
}

/// Whether the file asks for pages, even if it does so with a fault.
fn is_paged(o: &Object<'_>) -> bool {
    o.raw("paginate").is_some_and(|node| !matches!(node.kind, Kind::Bool(false)))
}

/// A path, joined with `base_url` as it stands; a query behind it is sent as it is written.
#[derive(Clone, Copy)]
struct PathForm<F>(F);

impl<F: Blank<Value = Template>> Form for PathForm<F> {
    type Value = Template;

    fn kind(&mut self, all: &mut Description) -> Described {
        self.0.kind(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Template> {
        let path = self.0.read(node, found)?;
        if !path.source.starts_with('/') {
            found
                .error("file.bad-value", "a path begins with `/`")
                .at(&node.place)
                .hint("it is joined with `base_url` as it stands");
        }
        let odd = |part: &Part| matches!(part, Part::Text(text) if text.contains('#'));
        if path.parts.iter().any(odd) {
            found
                .error("file.bad-value", "`#` does not belong into a path")
                .at(&node.place)
                .hint("write `%23` if it is a part of the path");
        }
        Some(path)
    }
}

impl<F: Blank<Value = Template>> Blank for PathForm<F> {
    fn blank(&mut self) -> Template {
        self.0.blank()
    }
}

/// `each` with its companions, and what templates see inside of it.
fn each(o: &mut Object<'_>, outside: &Symbols) -> (Option<Each>, Symbols) {
    let list = o.optional(key("each", "Once for each element of this list."), value(outside));
    let name = o.or(key("as", "The name of the current element."), NAME, "item".to_owned());
    let at_once = "At most so many elements at a time.";
    let concurrency = o.or(key("concurrency", at_once), COUNT, CONCURRENCY).min(MOST_AT_ONCE);
    let batch = "The `as` name is then a list of up to so many.";
    let batch = o.optional(key("batch", batch), COUNT);
    let failed = "What a failed element does.";
    let on_error = o.or(key("on_error", failed), &ON_ERROR, OnError::Fail);
    let Some(node) = o.raw("each") else {
        for name in ["as", "concurrency", "batch", "on_error"] {
            if o.raw(name).is_some() {
                o.error_at(name, "file.bad-value", format!("`{name}` needs `each`"));
            }
        }
        return (None, outside.clone());
    };
    let element = match list.as_ref().map(|list| check::result(list, outside)) {
        Some(Knowledge::List(element)) if batch.is_none() => *element,
        Some(Knowledge::Leaf) => {
            let message = format!("`each` needs a list, found {}", node.describe());
            o.error_at("each", "file.bad-value", message);
            Knowledge::Open
        }
        Some(Knowledge::List(_) | Knowledge::Open | Knowledge::Record { .. }) | None => {
            Knowledge::Open
        }
    };
    let symbols = outside.clone().with(&name, element, Presence::Always).with(
        "index",
        Knowledge::Leaf,
        Presence::Always,
    );
    let each = Each {
        list: list.unwrap_or_else(|| Template::text("")),
        name,
        concurrency: concurrency as usize,
        batch: batch.map(|batch| batch as usize),
        on_error,
    };
    (Some(each), symbols)
}

static ON_ERROR: Choices<OnError> = Choices {
    name: "OnError",
    doc: "What a failed element of `each` does.",
    rows: &[
        row("fail", OnError::Fail, "The step fails."),
        row("collect", OnError::Collect, "It stands in `errors`."),
        row("skip", OnError::Skip, "It is left out."),
    ],
};

static ACCEPTS: Choices<Accept> = Choices {
    name: "Accept",
    doc: "How an answer is read.",
    rows: &[
        row("json", Accept::Json, "Parsed."),
        row("text", Accept::Text, "As text."),
        row("bytes", Accept::Bytes, "As base64."),
        row("xml", Accept::Xml, "As text."),
    ],
};
