//! Page after page: what changes from one request to the next, and when it ends.

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use crate::{
    model::{
        http::Headers,
        pagination::{Pagination, Style, Target},
    },
    policy::link,
    template::{self, Fault, Scope},
};

/// What the next request has that the step does not say.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<U = Url> {
    /// A value at a place.
    Set(Target, Value),
    /// Another URL, query included.
    Url(U),
}

/// What is known of a page.
pub struct PageFacts<'a> {
    /// How many rows it has.
    pub items: usize,
    /// For `Link`.
    pub headers: &'a Headers,
    /// `body`, `headers`, `status`, `items`, `last` and the roots of blueprints.
    pub scope: &'a Scope<'a>,
}

/// What comes after a page. URLs are as the answer gave them, not checked yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Advance {
    /// That was all, or a maximum was reached.
    End {
        /// There is more, and it was not read.
        truncated: bool,
    },
    /// Another page.
    Next(Vec<Change<String>>),
}

/// Why the next page cannot be found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stuck {
    /// The same token or link for the second time.
    #[error("pagination does not advance")]
    Repeats,
    /// A link that is no text.
    #[error("the next link of this answer is no text")]
    NoText,
    /// An expression of the pagination failed.
    #[error("{}", .0.message)]
    Fault(Fault),
}

/// One walk over the pages of a list.
#[derive(Debug)]
pub struct Walk {
    first: Vec<Change>,
    pages: u32,
    rows: u64,
    /// Of `offset`: rows so far. Of `page`: the current number.
    position: i64,
    /// Tokens that were met; at most `max_pages` of them.
    seen: HashSet<String>,
}

impl Walk {
    /// Begins at the beginning, or where an opened page token says.
    pub fn start(pagination: &Pagination, from: Option<Vec<Change>>) -> Self {
        let mut position = match &pagination.style {
            Style::Page { start, .. } => *start,
            Style::Offset { .. }
            | Style::Cursor { .. }
            | Style::Link { .. }
            | Style::NextUrl { .. }
            | Style::None => 0,
        };
        let first = match from {
            Some(changes) => {
                // Counting goes on where the earlier walk stopped.
                if let Style::Offset { to } | Style::Page { to, .. } = &pagination.style {
                    let found = changes.iter().find_map(|change| match change {
                        Change::Set(target, value) if target == to => value.as_i64(),
                        Change::Set(..) | Change::Url(_) => None,
                    });
                    position = found.unwrap_or(position);
                }
                changes
            }
            None => Self::fresh(pagination, position),
        };
        Self { first, pages: 0, rows: 0, position, seen: HashSet::new() }
    }

    fn fresh(pagination: &Pagination, position: i64) -> Vec<Change> {
        let mut first = Vec::new();
        if let Some((target, size)) = &pagination.size {
            first.push(Change::Set(target.clone(), size.clone()));
        }
        if let Style::Page { to, .. } = &pagination.style {
            first.push(Change::Set(to.clone(), position.into()));
        }
        first
    }

    /// What the first request has.
    pub fn first(&self) -> Vec<Change> {
        self.first.clone()
    }

    /// After a page.
    pub fn advance(
        &mut self,
        pagination: &Pagination,
        page: &PageFacts<'_>,
    ) -> Result<Advance, Stuck> {
        self.pages += 1;
        self.rows += page.items as u64;
        let Some(next) = self.next(pagination, page)? else {
            return Ok(Advance::End { truncated: false });
        };
        let full = pagination.max_items.is_some_and(|most| self.rows >= most);
        if full || self.pages >= pagination.max_pages {
            return Ok(Advance::End { truncated: true });
        }
        // Counters cannot repeat; tokens and links can.
        let key = match &next {
            Change::Set(_, value) => value.to_string(),
            Change::Url(url) => url.clone(),
        };
        if !self.seen.insert(key) {
            return Err(Stuck::Repeats);
        }
        let mut changes = Vec::new();
        if let (Change::Set(..), Some((target, size))) = (&next, &pagination.size) {
            changes.push(Change::Set(target.clone(), size.clone()));
        }
        changes.push(next);
        Ok(Advance::Next(changes))
    }

    fn next(
        &mut self,
        pagination: &Pagination,
        page: &PageFacts<'_>,
    ) -> Result<Option<Change<String>>, Stuck> {
        if let Some(more) = &pagination.more
            && !template::boolean(more, page.scope).map_err(Stuck::Fault)?
        {
            return Ok(None);
        }
        let short = pagination
            .size
            .as_ref()
            .and_then(|(_, size)| size.as_u64())
            .is_some_and(|size| (page.items as u64) < size);
        match &pagination.style {
            Style::None => Ok(None),
            Style::Cursor { from, to } => {
                let scope = forgiving(page.scope);
                let value = template::value(from, &scope).map_err(Stuck::Fault)?;
                let value = value.filter(|value| !is_end(value)).map(std::borrow::Cow::into_owned);
                Ok(value.map(|value| Change::Set(to.clone(), value)))
            }
            Style::Link { rel } => Ok(link::target(page.headers, rel).map(Change::Url)),
            Style::NextUrl { next } => {
                let scope = forgiving(page.scope);
                match template::value(next, &scope).map_err(Stuck::Fault)?.as_deref() {
                    None => Ok(None),
                    Some(value) if is_end(value) => Ok(None),
                    Some(Value::String(url)) => Ok(Some(Change::Url(url.clone()))),
                    Some(_) => Err(Stuck::NoText),
                }
            }
            Style::Offset { .. } | Style::Page { .. }
                if page.items == 0 || (short && pagination.more.is_none()) =>
            {
                Ok(None)
            }
            Style::Offset { to } => {
                self.position += i64::try_from(page.items).unwrap_or(i64::MAX);
                Ok(Some(Change::Set(to.clone(), self.position.into())))
            }
            Style::Page { to, .. } => {
                self.position += 1;
                Ok(Some(Change::Set(to.clone(), self.position.into())))
            }
        }
    }
}

/// The last page often lacks what the others have: absent is an answer here, as the check at load
/// takes it.
fn forgiving<'a>(scope: &Scope<'a>) -> Scope<'a> {
    let mut scope = scope.clone();
    scope.lenient = true;
    scope
}

/// Absent, null and the empty text all say: no more.
fn is_end(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}
