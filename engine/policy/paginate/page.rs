//! `kind: page`: page numbers.

use serde_json::Value;

use crate::{
    model::{
        pagination::{Asked, Change, Page, Paging, Size, Stuck, Target},
        template::Template,
    },
    policy::paginate::end::CountedEnd,
};

/// Page numbers.
#[derive(Debug)]
pub struct PageNumber {
    /// Where the number goes.
    pub to: Target,
    /// The first page's number.
    pub start: i64,
    /// The page size.
    pub size: Option<Size>,
    /// When the list ends.
    pub end: CountedEnd,
}

impl PageNumber {
    fn numbered(&self, number: i64) -> Vec<Change<String>> {
        Size::and(self.size(), Change::Set(self.to.clone(), number.into()))
    }
}

impl Paging for PageNumber {
    fn reads(&self) -> &[Template] {
        self.end.reads()
    }

    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn first(&self) -> Vec<Change<String>> {
        self.numbered(self.start)
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        // Rows are counted, not pages times their size: a server may have a maximum of its own.
        if self.end.reached(page, page.before, self.size())? {
            return Ok(None);
        }
        let number = page.sent(&self.to).and_then(Value::as_i64).unwrap_or(self.start);
        Ok(Some(self.numbered(number.saturating_add(1))))
    }

    fn counts(&self) -> bool {
        true
    }

    fn asked_start(&self, request: &dyn Asked, _: &[Value], rows: usize) -> Option<usize> {
        let number: usize = request.at(&self.to)?.parse().ok()?;
        let first = usize::try_from(self.start).unwrap_or(1);
        Some(number.saturating_sub(first).saturating_mul(rows))
    }
}
