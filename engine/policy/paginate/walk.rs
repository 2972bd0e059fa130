//! Page after page: what changes from one request to the next, and when it ends.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    model::{
        http::HeaderMap,
        pagination::{Change, Cut, Page, Pagination, Stuck},
    },
    template::{self, Fault, Scope},
};

/// What is known of a page.
pub struct PageFacts<'a> {
    /// How many rows it has.
    pub items: usize,
    /// Whether they are those of the page before it.
    pub repeated: bool,
    /// The header of the answer.
    pub headers: &'a HeaderMap,
    /// `body`, `headers`, `status`, `items`, `last` and the roots of blueprints.
    pub scope: &'a Scope<'a>,
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance {
    /// Another page, if the API has one. URLs are as the answer gave them, not checked yet.
    pub next: Option<Vec<Change<String>>>,
    /// Why the list ends here, although it is not known to be whole.
    pub cut: Option<Cut>,
}

/// Where a walk begins that goes on with an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    /// What the first request has.
    pub changes: Vec<Change>,
    /// How many rows were read before.
    pub rows: u64,
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
    /// Those of an earlier walk that this one goes on with.
    before: u64,
    rows: u64,
    /// Tokens and links that were met; at most `max_pages` of them.
    seen: HashSet<String>,
}

impl Walk {
    /// Begins at the beginning, or where an opened page token says.
    pub fn start(pagination: &Pagination, from: Option<Resume>) -> Self {
        let (first, before) = match from {
            Some(resume) => (resume.changes, resume.rows),
            None => (values(&pagination.kind.first()).collect(), 0),
        };
        let sent = values(&first).collect();
        Self { sent, first, pages: 0, before, rows: 0, seen: HashSet::new() }
    }

    /// How many rows were read, those of earlier calls included.
    pub fn rows(&self) -> u64 {
        self.before.saturating_add(self.rows)
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
        if page.repeated {
            return Ok(Advance { next: None, cut: Some(Cut::Repeated) });
        }
        self.pages += 1;
        let next = self.next(pagination, page)?;
        self.rows += page.items as u64;
        let reached = |most: u64| self.rows > most || (self.rows == most && next.is_some());
        let cut = if pagination.max_items.is_some_and(reached) {
            Some(Cut::MaxItems)
        } else {
            let last = self.pages >= pagination.max_pages && next.is_some();
            last.then_some(Cut::MaxPages)
        };
        if let Some(next) = &next {
            if !self.seen.insert(format!("{next:?}")) {
                return Err(Stuck::Repeats.into());
            }
            self.sent = values(next).collect();
        }
        Ok(Advance { next, cut })
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
            before: self.rows(),
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
