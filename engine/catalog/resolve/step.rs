//! Steps of actions, `verify` and `discover`.

use std::sync::Arc;

use crate::{
    catalog::{
        decode::{Located, Raw, decode},
        merge::merge,
        resolve::{
            limit,
            rule::rules,
            shape::{headers, optional, pairs, shape, span, template},
            symbols::{Names, with_answer, with_items},
        },
        spec::{
            common::{PagesSpec, PaginateSpec},
            step::{AcceptSpec, OnErrorSpec, StepSpec},
        },
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Place, Severity},
    model::{
        action::{Accept, Body, Each, OnError, Step, StepPagination},
        http::Method,
        name,
        template::Template,
    },
    template::{
        check::{self, Use},
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// What a step stands in.
pub struct Around<'a> {
    /// The schemas of the blueprint.
    pub names: &'a Names,
    /// What its templates may see.
    pub symbols: &'a Symbols,
    /// The blueprint's `paginate`, as a tree.
    pub paginate: Option<&'a Arc<Node>>,
}

/// A step, checked.
pub fn step(
    spec: Located<StepSpec>,
    around: &Around<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Step> {
    let Located { value: spec, node } = spec;
    unsupported(&spec, &node, diagnostics);
    let id = id(&spec, &node, diagnostics);
    let condition = optional(spec.condition.as_ref(), |raw| {
        template(&raw.0, around.symbols, Use::Condition, diagnostics)
    });
    let (each, symbols) = each(&spec, &node, around, diagnostics);
    let request = request(&spec, (&node, &symbols), diagnostics);
    let query = pairs(spec.query.as_ref().map(|raw| &raw.0), &symbols, diagnostics);
    let headers = headers(spec.headers.as_ref().map(|raw| &raw.0), &symbols, diagnostics);
    let body = body(&spec, (&node, &symbols), diagnostics);
    let pages = spec.paginate.as_ref().map(|raw| &raw.0);
    let pages = pages.filter(|node| !matches!(node.kind, Kind::Bool(false)));
    let paginate = optional(pages, |node| paginate(node, (around, &symbols), diagnostics));
    let timeout = span(spec.timeout.as_ref(), diagnostics);
    let rules = rules(&spec.responses, &with_answer(around.names.base()), diagnostics);
    let result = if pages.is_some() { with_items(symbols) } else { with_answer(symbols) };
    let output = optional(spec.output.as_ref(), |raw| shape(&raw.0, &result, diagnostics));
    let (method, path) = request?;
    Some(Step {
        id: id?,
        condition: condition?,
        each,
        method,
        path,
        query,
        headers,
        body,
        accept: match spec.accept {
            None | Some(AcceptSpec::Json) => Accept::Json,
            Some(AcceptSpec::Text) => Accept::Text,
            Some(AcceptSpec::Bytes) => Accept::Bytes,
            Some(AcceptSpec::Xml) => Accept::Xml,
        },
        paginate: paginate?,
        idempotent: spec.idempotent,
        timeout,
        rules,
        output: output?,
    })
}

fn unsupported(spec: &StepSpec, node: &Node, diagnostics: &mut Diagnostics) {
    for (name, found) in [("poll", &spec.poll), ("multipart", &spec.multipart)] {
        if let Some(Raw(at)) = found {
            let message = format!("`{name}` is not supported by this version");
            diagnostics.error("file.unsupported", message, Some(key_place(node, name, at)));
        }
    }
}

/// The place of a key of an object, for messages about the key itself.
fn key_place(node: &Node, name: &str, value: &Node) -> Place {
    let key = node.entries().iter().find(|(key, _)| &*key.name == name);
    key.map_or_else(|| value.place.clone(), |(key, _)| key.place.clone())
}

fn id(spec: &StepSpec, node: &Node, diagnostics: &mut Diagnostics) -> Option<String> {
    let Some(id) = &spec.id else {
        let hint = "give it a name: `id: teams`".to_owned();
        let message = "this step has no `id`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.missing-key",
            message,
            Some(node.place.clone()),
            Some(hint),
        );
        return None;
    };
    if !name::is_identifier(&id.value) {
        let message = format!("`{}` cannot name a step", id.value);
        let hint = "use letters, digits and `_`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-name",
            message,
            Some(id.node.place.clone()),
            Some(hint),
        );
        return None;
    }
    Some(id.value.clone())
}

/// `each` with its companions, and what templates see inside of it.
fn each(
    spec: &StepSpec,
    node: &Node,
    around: &Around<'_>,
    diagnostics: &mut Diagnostics,
) -> (Option<Each>, Symbols) {
    let Some(Raw(list)) = &spec.each else {
        let alone = [
            ("as", spec.name.is_some()),
            ("concurrency", spec.concurrency.is_some()),
            ("batch", spec.batch.is_some()),
            ("on_error", spec.on_error.is_some()),
        ];
        for (name, _) in alone.iter().filter(|(_, given)| *given) {
            let place = key_place(node, name, node);
            diagnostics.error("file.bad-value", format!("`{name}` needs `each`"), Some(place));
        }
        return (None, around.symbols.clone());
    };
    let parsed = template(list, around.symbols, Use::Value, diagnostics);
    let name = spec.name.as_ref().map_or("item", |name| name.value.as_str());
    if let Some(given) = spec.name.as_ref().filter(|given| !name::is_identifier(&given.value)) {
        let message = format!("`{name}` cannot be a name in templates");
        diagnostics.error("file.bad-name", message, Some(given.node.place.clone()));
    }
    let element = match parsed.as_ref().map(|list| check::result(list, around.symbols)) {
        Some(Knowledge::List(element)) if spec.batch.is_none() => *element,
        Some(Knowledge::Leaf) => {
            let message = format!("`each` needs a list, found {}", list.describe());
            diagnostics.error("file.wrong-type", message, Some(list.place.clone()));
            Knowledge::Open
        }
        _ => Knowledge::Open,
    };
    let symbols = around.symbols.clone().with(name, element, Presence::Always).with(
        "index",
        Knowledge::Leaf,
        Presence::Always,
    );
    let positive = |number: Option<&Located<u32>>, diagnostics: &mut Diagnostics| {
        let number = number?;
        if number.value == 0 {
            diagnostics.error(
                "file.bad-value",
                "expected at least 1",
                Some(number.node.place.clone()),
            );
        }
        usize::try_from(number.value.max(1)).ok()
    };
    let each = Each {
        list: parsed.unwrap_or_else(|| Template::text("")),
        name: name.to_owned(),
        concurrency: positive(spec.concurrency.as_ref(), diagnostics).unwrap_or(4).min(256),
        batch: positive(spec.batch.as_ref(), diagnostics),
        on_error: match spec.on_error {
            None | Some(OnErrorSpec::Fail) => OnError::Fail,
            Some(OnErrorSpec::Collect) => OnError::Collect,
            Some(OnErrorSpec::Skip) => OnError::Skip,
        },
    };
    (Some(each), symbols)
}

/// Method and path: exactly one of the six keys.
#[expect(clippy::too_many_lines, reason = "one paragraph a key of the file")]
fn request(
    spec: &StepSpec,
    (node, symbols): (&Node, &Symbols),
    diagnostics: &mut Diagnostics,
) -> Option<(Method, Template)> {
    let all = [
        (Method::Get, &spec.get),
        (Method::Post, &spec.post),
        (Method::Put, &spec.put),
        (Method::Patch, &spec.patch),
        (Method::Delete, &spec.delete),
        (Method::Head, &spec.head),
    ];
    let mut given = all.into_iter().filter_map(|(method, raw)| Some((method, &raw.as_ref()?.0)));
    let Some((method, path)) = given.next() else {
        let hint =
            "write one of `get`, `post`, `put`, `patch`, `delete`, `head` with a path".to_owned();
        let message = "this step has no request".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.missing-key",
            message,
            Some(node.place.clone()),
            Some(hint),
        );
        return None;
    };
    if let Some((_, second)) = given.next() {
        let message = "a step sends one request".to_owned();
        let hint = "write a second step".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(second.place.clone()),
            Some(hint),
        );
    }
    let parsed = template(path, symbols, Use::Path, diagnostics)?;
    if !parsed.source.starts_with('/') {
        let message = "a path begins with `/`".to_owned();
        let hint = "it is joined with `base_url` as it stands".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(path.place.clone()),
            Some(hint),
        );
    }
    let text = |part: &crate::model::template::Part| match part {
        crate::model::template::Part::Text(text) => text.contains(['?', '#']),
        crate::model::template::Part::Expr(_) => false,
    };
    if parsed.parts.iter().any(text) {
        let message = "`?` and `#` do not belong into a path".to_owned();
        let hint = "write the parameters under `query`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(path.place.clone()),
            Some(hint),
        );
    }
    Some((method, parsed))
}

fn body(
    spec: &StepSpec,
    (node, symbols): (&Node, &Symbols),
    diagnostics: &mut Diagnostics,
) -> Body {
    let given =
        [("json", &spec.json), ("form", &spec.form), ("text", &spec.text), ("bytes", &spec.bytes)];
    let mut given = given.into_iter().filter_map(|(name, raw)| Some((name, &raw.as_ref()?.0)));
    let Some((name, value)) = given.next() else { return Body::Empty };
    if let Some((second, at)) = given.next() {
        let message = format!("a request has one body, and this one has `{name}` and `{second}`");
        diagnostics.error("file.bad-value", message, Some(key_place(node, second, at)));
    }
    let made = match name {
        "json" => shape(value, symbols, diagnostics).map(Body::Json),
        "form" => shape(value, symbols, diagnostics).map(Body::Form),
        "text" => template(value, symbols, Use::Text, diagnostics).map(Body::Text),
        _ => template(value, symbols, Use::Text, diagnostics).map(Body::Bytes),
    };
    made.unwrap_or(Body::Empty)
}

/// `paginate`, unless `false`: `true`, or an object over the blueprint's.
fn paginate(
    node: &Arc<Node>,
    (around, symbols): (&Around<'_>, &Symbols),
    diagnostics: &mut Diagnostics,
) -> Option<StepPagination> {
    let tree = match (&node.kind, around.paginate) {
        (Kind::Bool(true), Some(tree)) => Arc::clone(tree),
        (Kind::Bool(true), None) => {
            let message = "the blueprint does not say how this API pages".to_owned();
            let hint = "give it a `paginate:`, or write the pagination here".to_owned();
            diagnostics.push(
                Severity::Error,
                "file.missing-key",
                message,
                Some(node.place.clone()),
                Some(hint),
            );
            return None;
        }
        (_, Some(tree)) => merge(tree, node),
        (_, None) => Arc::clone(node),
    };
    let spec: PaginateSpec = decode(&tree, diagnostics)?;
    let pagination = limit::paginate(&spec, (node, around.names), diagnostics);
    let from =
        optional(spec.from.as_ref(), |raw| template(&raw.0, symbols, Use::Text, diagnostics));
    let one = spec.pages == Some(PagesSpec::One);
    Some(StepPagination { pagination: pagination?, one, from: from? })
}
