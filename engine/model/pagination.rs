//! Pagination: how an API hands out long lists.

use serde_json::Value;

use crate::model::template::Template;

/// How to read page after page.
#[derive(Debug, Clone)]
pub struct Pagination {
    /// The kind and what it needs.
    pub style: Style,
    /// Where the rows are, over `body`; `None` means the body itself.
    pub items: Option<Template>,
    /// Boolean over the answer: whether there is more.
    pub more: Option<Template>,
    /// Where the page size goes, and the size.
    pub size: Option<(Target, Value)>,
    /// Stops here and says `truncated`.
    pub max_pages: u32,
    /// Stops here and says `truncated`.
    pub max_items: Option<u64>,
}

/// `kind` of `paginate`.
#[derive(Debug, Clone)]
pub enum Style {
    /// A token of the answer goes into the next request; it may be any JSON.
    Cursor {
        /// Where the token is, over `body`, `headers`, `items`, `last`.
        from: Template,
        /// Where it goes.
        to: Target,
    },
    /// The `Link` header (RFC 8288).
    Link {
        /// Usually `next`.
        rel: String,
    },
    /// A whole or relative URL in the answer.
    NextUrl {
        /// Where it is.
        next: Template,
    },
    /// Rows to skip.
    Offset {
        /// Where the number goes.
        to: Target,
    },
    /// Page numbers.
    Page {
        /// Where the number goes.
        to: Target,
        /// The first page's number.
        start: i64,
    },
    /// One page only.
    None,
}

/// Where in a request a value goes: `query.x`, `json.a.b`, `form.x`, `header.x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A query parameter.
    Query(String),
    /// A member of the JSON body, by path.
    Json(Vec<String>),
    /// A form field.
    Form(String),
    /// A header field, lower case.
    Header(String),
}
