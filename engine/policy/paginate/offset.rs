//! `kind: offset`: rows to skip.

use serde_json::Value;

use crate::model::pagination::{Asked, Change, Page, Paging, Size, Stuck, Target};

/// Rows to skip.
#[derive(Debug)]
pub struct Offset {
    /// Where the number goes.
    pub to: Target,
    /// The page size.
    pub size: Option<Size>,
}

impl Paging for Offset {
    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        if page.items == 0 || (page.is_short(self.size()) && !page.more) {
            return Ok(None);
        }
        let skipped = page.sent(&self.to).and_then(Value::as_u64).unwrap_or(0);
        let skip = skipped.saturating_add(page.items as u64);
        Ok(Some(Size::and(self.size(), Change::Set(self.to.clone(), skip.into()))))
    }

    fn asked_start(&self, request: &dyn Asked, _: &[Value], _: usize) -> Option<usize> {
        request.at(&self.to)?.parse().ok()
    }
}
