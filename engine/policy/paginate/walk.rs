//! Page after page: what changes from one request to the next, and when it ends.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    model::{
        http::HeaderMap,
        pagination::{Change, Page, Pagination, Stuck},
    },
    template::{self, Fault, Scope},
};

/// What is known of a page.
pub struct PageFacts<'a> {
    /// How many rows it has.
    pub items: usize,
    /// The header of the answer.
    pub headers: &'a HeaderMap,
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

/// Why a walk cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WalkError {
    /// By its kind.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// An expression of the pagination failed.
    #[error("{}", .0.message)]
    Fault(Fault),
}

/// One walk over the pages of a list.
#[derive(Debug)]
pub struct Walk {
    first: Vec<Change>,
    /// What the request had whose page comes next.
    sent: Vec<Change<String>>,
    pages: u32,
    rows: u64,
    /// Tokens and links that were met; at most `max_pages` of them.
    seen: HashSet<String>,
}

impl Walk {
    /// Begins at the beginning, or where an opened page token says.
    pub fn start(pagination: &Pagination, from: Option<Vec<Change>>) -> Self {
        let first = from.unwrap_or_else(|| values(&pagination.kind.first()).collect());
        Self { sent: values(&first).collect(), first, pages: 0, rows: 0, seen: HashSet::new() }
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
    ) -> Result<Advance, WalkError> {
        self.pages += 1;
        self.rows += page.items as u64;
        let Some(next) = self.next(pagination, page)? else {
            return Ok(Advance::End { truncated: false });
        };
        let full = pagination.max_items.is_some_and(|most| self.rows >= most);
        if full || self.pages >= pagination.max_pages {
            return Ok(Advance::End { truncated: true });
        }
        if !self.seen.insert(format!("{next:?}")) {
            return Err(Stuck::Repeats.into());
        }
        self.sent = values(&next).collect();
        Ok(Advance::Next(next))
    }

    fn next(
        &self,
        pagination: &Pagination,
        page: &PageFacts<'_>,
    ) -> Result<Option<Vec<Change<String>>>, WalkError> {
        if let Some(more) = &pagination.more
            && !template::boolean(more, page.scope).map_err(WalkError::Fault)?
        {
            return Ok(None);
        }
        // The last page often lacks what the others have: absent is an answer here, as the check
        // at load takes it.
        let mut scope = page.scope.clone();
        scope.lenient = true;
        let read = pagination.kind.reads().iter().map(|template| {
            let value = template::value(template, &scope).map_err(WalkError::Fault)?;
            Ok(value.map(Cow::into_owned))
        });
        let page = Page {
            read: read.collect::<Result<_, WalkError>>()?,
            items: page.items,
            more: pagination.more.is_some(),
            headers: page.headers,
            sent: &self.sent,
        };
        Ok(pagination.kind.next(&page)?)
    }
}

/// The values among changes; a URL has nothing that a kind reads back.
fn values<U, V>(changes: &[Change<U>]) -> impl Iterator<Item = Change<V>> {
    changes.iter().filter_map(|change| match change {
        Change::Set(target, value) => Some(Change::Set(target.clone(), value.clone())),
        Change::Url(_) => None,
    })
}
