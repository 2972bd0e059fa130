//! `paginate`: a row for each kind of it. What a kind does stands in `policy::paginate`.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            symbols::{Names, with_items},
            text::{condition, text, value},
        },
        merge::merge,
        tree::{Kind, Node},
    },
    diagnostic::Diagnostics,
    model::{
        action::StepPagination,
        pagination::{Pagination, Paging, Size, Target},
    },
    policy::paginate::{cursor, end::CountedEnd, link, next_url, offset, once, page, range},
    template::knowledge::Symbols,
};

/// Reads the keys of one kind; expressions see the symbols.
type Kinds = fn(&mut Object<'_>, &Symbols) -> Arc<dyn Paging>;

/// `kind`
pub static KINDS: Choices<Kinds> = Choices {
    name: "PaginationKind",
    doc: "Kinds of pagination.",
    rows: &[
        row("cursor", cursor, "A token of the answer goes into the next request."),
        row("link", link, "The `Link` header."),
        row("next_url", next_url, "A URL in the answer."),
        row("offset", offset, "Rows to skip."),
        row("page", page, "Page numbers."),
        row("range", range, "The `Range` header, counted in rows (RFC 9110, section 14)."),
        row("none", once, "One page."),
    ],
};

fn cursor(o: &mut Object<'_>, symbols: &Symbols) -> Arc<dyn Paging> {
    let cursor = object("Cursor", "A cursor: from where to where.", |o| {
        let from = "An expression over `body`, `headers`, `items`, `last`.";
        let from = o.needed(key("from", from), value(symbols));
        (from, o.needed(key("to", "Where it goes."), TARGET))
    });
    let (from, to) = o.needed(key("cursor", "Where the token is, and where it goes."), cursor);
    Arc::new(cursor::Cursor { from, to, size: size(o) })
}

fn link(o: &mut Object<'_>, _: &Symbols) -> Arc<dyn Paging> {
    let rel = o.or(key("rel", "The relation."), TEXT, "next".to_owned());
    Arc::new(link::Link { rel, size: size(o) })
}

fn next_url(o: &mut Object<'_>, symbols: &Symbols) -> Arc<dyn Paging> {
    let next = o.needed(key("next", "Where the link is."), value(symbols));
    Arc::new(next_url::NextUrl { next, size: size(o) })
}

fn offset(o: &mut Object<'_>, symbols: &Symbols) -> Arc<dyn Paging> {
    let to = o.needed(NUMBER_TO, TARGET);
    Arc::new(offset::Offset { to, size: size(o), end: counted_end(o, symbols) })
}

fn page(o: &mut Object<'_>, symbols: &Symbols) -> Arc<dyn Paging> {
    let to = o.needed(NUMBER_TO, TARGET);
    let start = o.or(key("start", "The first page's number."), INTEGER, 1);
    Arc::new(page::PageNumber { to, start, size: size(o), end: counted_end(o, symbols) })
}

/// `total`, `short_page`
fn counted_end(o: &mut Object<'_>, symbols: &Symbols) -> CountedEnd {
    let total =
        "How many rows the list has; it ends when so many were read. Absent or null: unknown.";
    let short = "What a page means that has fewer rows than were asked for.";
    CountedEnd {
        total: o.optional(key("total", total), value(symbols)),
        short_page: o.or(key("short_page", short), &SHORT_PAGE, false),
    }
}

static SHORT_PAGE: Choices<bool> = Choices {
    name: "ShortPage",
    doc: "What a page means that has fewer rows than were asked for.",
    rows: &[
        row("continues", false, "Nothing: the list goes on until a page is empty."),
        row("ends", true, "It is the last one; say so where the vendor does."),
    ],
};

fn range(o: &mut Object<'_>, _: &Symbols) -> Arc<dyn Paging> {
    let unit = "The range unit; `''` writes `0-24` without one.";
    let unit = o.or(key("unit", unit), TEXT, "items".to_owned());
    Arc::new(range::Range { unit, rows: o.needed(key("rows", "How many rows to ask for."), COUNT) })
}

fn once(o: &mut Object<'_>, _: &Symbols) -> Arc<dyn Paging> {
    Arc::new(once::Once { size: size(o) })
}

/// Of the kinds that count.
const NUMBER_TO: Key = key("to", "Where the number goes.");

fn size(o: &mut Object<'_>) -> Option<Size> {
    let size = object("PageSize", "A page size.", |o| Size {
        to: o.needed(key("to", "Where it goes."), TARGET),
        value: o.needed(key("value", "How many rows."), ROWS),
    });
    o.optional(key("size", "The page size, and where it goes."), size)
}

/// `query.x`, `json.a.b`, `form.x`, `header.x`
const TARGET: Scalar<Target> = Scalar {
    kind: Described::Text(Some("query.page")),
    expected: "a text",
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a place in a request",
            hint: "write `query.x`, `json.x`, `form.x` or `header.x`",
        };
        spelled(node, Target::parse, refusal)
    },
    blank: || Target::Query(String::new()),
    spelled: |target| format!("{target:?}"),
};

/// Rows of a page: sent as written, because no value is known yet where pages are planned.
const ROWS: Scalar<Value> = Scalar {
    kind: Described::Rows,
    expected: "a number of rows",
    read: |node| match &node.kind {
        Kind::Number(_) => Ok(node.to_json()),
        Kind::String(text) if !text.contains("{{") => Ok(node.to_json()),
        Kind::String(_) => Err(Wrong::Value(Refusal {
            code: "file.wrong-type",
            expected: "a number of rows",
            hint: "to let a caller choose, give the step the parameter itself: `query: {limit: …}`",
        })),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => Err(Wrong::Type),
    },
    blank: || Value::Null,
    spelled: Value::to_string,
};

/// `paginate` of a blueprint.
pub fn paginate(o: &mut Object<'_>, names: &Names) -> Pagination {
    for key in ["pages", "from"] {
        o.elsewhere(key, "`paginate` of a step");
    }
    common(o, names)
}

fn common(o: &mut Object<'_>, names: &Names) -> Pagination {
    let symbols = with_items(names.base().clone());
    let lenient = symbols.clone().lenient();
    let kind = o.chosen(key("kind", "Which way.").inherited(), &KINDS);
    let paging = o.by("kind", &KINDS, kind, |o, read| read(o, &lenient));
    let items = "Where the rows are; without it, the body itself.";
    Pagination {
        kind: paging.unwrap_or_else(|| Arc::new(once::Once { size: None })),
        items: o.optional(key("items", items), value(&names.answer())),
        more: o.optional(key("more", "Whether there is more."), condition(&symbols)),
        max_pages: o.or(key("max_pages", "Stops after so many pages."), COUNT, 1000),
        max_items: o.optional(key("max_items", "Stops after so many rows."), WHOLE),
    }
}

/// What `paginate` of a step stands in.
#[derive(Clone, Copy)]
pub struct InStep<'a> {
    /// The schemas of the blueprint.
    pub names: &'a Names,
    /// What the templates of the step see.
    pub symbols: &'a Symbols,
    /// The blueprint's `paginate`, as a tree.
    pub paginate: Option<&'a Arc<Node>>,
}

impl InStep<'_> {
    fn parts(&self) -> impl Form<Value = StepPagination> {
        object("StepPaginate", "`paginate` of a step, over what the blueprint says.", |o| {
            let pages = "`one` reads a single page, and `steps.x.next` is an opaque token.";
            let from = "Such a token of an earlier call.";
            StepPagination {
                one: o.or(key("pages", pages), &PAGES, false),
                from: o.optional(key("from", from), text(self.symbols)),
                pagination: common(o, self.names),
            }
        })
    }
}

static PAGES: Choices<bool> = Choices {
    name: "Pages",
    doc: "How many pages a step reads.",
    rows: &[row("all", false, "All of them."), row("one", true, "One.")],
};

/// `true`, `false`, or an object over the blueprint's.
impl Form for InStep<'_> {
    type Value = Option<StepPagination>;

    fn kind(&mut self, all: &mut Description) -> Described {
        Described::Either(vec![Described::Bool, self.parts().kind(all)])
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        let tree = match (&node.kind, self.paginate) {
            (Kind::Bool(false), _) => return Some(None),
            (Kind::Bool(true), Some(tree)) => Arc::clone(tree),
            (Kind::Bool(true), None) => {
                found
                    .error("file.missing-key", "the blueprint does not say how this API pages")
                    .at(&node.place)
                    .hint("give it a `paginate:`, or write the pagination here");
                return None;
            }
            (_, Some(tree)) => merge(&OWNED.inherited(tree, node), node),
            (_, None) => Arc::clone(node),
        };
        self.parts().read(&tree, found).map(Some)
    }
}

/// Which keys belong to which kind.
pub static OWNED: Owned = Owned::new("kind", || {
    let names = Names::default();
    describe(object("Paginate", "", |o| paginate(o, &names)))
});
