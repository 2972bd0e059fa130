//! Pagination: how an API hands out long lists.

use std::{fmt::Debug, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::model::{
    http::{HeaderMap, HeaderName},
    template::Template,
};

/// How to read page after page.
#[derive(Debug, Clone)]
pub struct Pagination {
    /// The way from page to page.
    pub kind: Arc<dyn Paging>,
    /// Where the rows are, over `body`; `None` means the body itself.
    pub items: Option<Template>,
    /// Boolean over the answer: whether there is more.
    pub more: Option<Template>,
    /// Stops here and says `truncated`.
    pub max_pages: u32,
    /// Stops here and says `truncated`.
    pub max_items: Option<u64>,
}

/// Why a list was cut before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// A page came with the same rows as the page before it.
    Repeated,
    /// `max_items` was reached.
    MaxItems,
    /// `max_pages` was reached.
    MaxPages,
}

impl Cut {
    /// As `truncated_by` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
            Self::MaxItems => "max_items",
            Self::MaxPages => "max_pages",
        }
    }
}

/// One kind of pagination, in both directions: how a client walks, and how an API plays it.
/// Nothing is remembered from page to page but what the request had.
pub trait Paging: Debug + Send + Sync {
    /// Expressions over an answer (`body`, `headers`, `items`, `last`) that [`Self::next`] needs.
    fn reads(&self) -> &[Template] {
        &[]
    }

    /// The page size, where it is a value of its own.
    fn size(&self) -> Option<&Size> {
        None
    }

    /// What the first request has.
    fn first(&self) -> Vec<Change<String>> {
        Size::change(self.size())
    }

    /// What the next request has; `None` if this page was the last.
    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck>;

    /// Whether nothing in an answer names the next page, so that only the rows show whether an API
    /// has come to its last page and hands it out over and over.
    fn counts(&self) -> bool {
        false
    }

    /// How many rows a request asks for, where it says so.
    fn asked_rows(&self, request: &dyn Asked) -> Option<usize> {
        request.at(&self.size()?.to)?.parse().ok()
    }

    /// The first row that a request asks for, of all of the list; so many rows are on a page.
    fn asked_start(&self, request: &dyn Asked, _: &[Value], _: usize) -> Option<usize> {
        request.skip()
    }

    /// How an answer tells where the next page is, if it does.
    fn tell(&self, _: &Window) -> Option<Told> {
        None
    }
}

/// A page that was read.
#[derive(Debug)]
pub struct Page<'a> {
    /// The values of [`Paging::reads`], in their order; absent ones are `None`.
    pub read: Vec<Option<Value>>,
    /// How many rows it has.
    pub items: usize,
    /// How many rows the pages before it had, those of earlier calls included.
    pub before: u64,
    /// Whether `more` of the pagination has said that there is another.
    pub more: bool,
    /// The header of the answer.
    pub headers: &'a HeaderMap,
    /// What its request had.
    pub sent: &'a [Change<String>],
}

impl Page<'_> {
    /// What the request had at a place.
    pub fn sent(&self, place: &Target) -> Option<&Value> {
        self.sent.iter().find_map(|change| match change {
            Change::Set(target, value) if target == place => Some(value),
            Change::Set(..) | Change::Url(_) => None,
        })
    }

    /// Whether there are fewer rows than were asked for.
    pub fn is_short(&self, size: Option<&Size>) -> bool {
        let size = size.and_then(|size| size.value.as_u64());
        size.is_some_and(|size| (self.items as u64) < size)
    }
}

/// Why the next page cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// The same token or link for the second time.
    #[error("pagination does not advance")]
    Repeats,
    /// A link that is not a text.
    #[error("the next link of this answer is not a text")]
    NoText,
    /// A total that is not a number.
    #[error("the total of this answer is not a number")]
    NoTotal,
}

/// What a request has that the step does not say.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<U = Url> {
    /// A value at a place.
    Set(Target, Value),
    /// Another URL, query included.
    Url(U),
}

/// A page size, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// Where it goes.
    pub to: Target,
    /// As written.
    pub value: Value,
}

impl Size {
    /// What a request has for it.
    pub fn change(size: Option<&Self>) -> Vec<Change<String>> {
        size.iter().map(|size| Change::Set(size.to.clone(), size.value.clone())).collect()
    }

    /// The same, and something more.
    pub fn and(size: Option<&Self>, more: Change<String>) -> Vec<Change<String>> {
        let mut all = Self::change(size);
        all.push(more);
        all
    }
}

/// A request, as an API sees it.
pub trait Asked {
    /// The value at a place, as text.
    fn at(&self, place: &Target) -> Option<String>;

    /// What [`Window::url`] of the page before has said.
    fn skip(&self) -> Option<usize>;
}

/// A page as an API cut it out.
#[derive(Debug)]
pub struct Window {
    /// Its first row, of all.
    pub start: usize,
    /// The row after its last one.
    pub end: usize,
    /// How many there are in all.
    pub total: usize,
    /// Where the next page is, as a URL.
    pub url: String,
}

impl Window {
    /// Whether another page follows.
    pub fn has_more(&self) -> bool {
        self.end < self.total
    }
}

/// How an answer tells where the next page is.
#[derive(Debug)]
pub enum Told {
    /// Where an expression over the answer finds it.
    Body(Template, Value),
    /// In a header field, of an answer of this status.
    Header(&'static str, String, Option<u16>),
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
    /// A header field.
    Header(HeaderName),
}

impl Target {
    /// Reads `query.x`.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, name) = text.split_once('.').filter(|(_, name)| !name.is_empty())?;
        match place {
            "query" => Some(Self::Query(name.to_owned())),
            "form" => Some(Self::Form(name.to_owned())),
            "header" => name.parse().ok().map(Self::Header),
            "json" => Some(Self::Json(name.split('.').map(str::to_owned).collect())),
            _ => None,
        }
    }
}
