//! `kind: offset`: rows to skip.

use serde_json::Value;

use crate::{
    model::{
        pagination::{Asked, Change, Page, Paging, Size, Stuck, Target},
        template::Template,
    },
    policy::paginate::end::CountedEnd,
};

/// Rows to skip.
#[derive(Debug)]
pub struct Offset {
    /// Where the number goes.
    pub to: Target,
    /// The page size.
    pub size: Option<Size>,
    /// When the list ends.
    pub end: CountedEnd,
}

impl Paging for Offset {
    fn reads(&self) -> &[Template] {
        self.end.reads()
    }

    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        let skipped = page.sent(&self.to).and_then(Value::as_u64).unwrap_or(0);
        if self.end.reached(page, skipped, self.size())? {
            return Ok(None);
        }
        // An empty page that is not the last one was filtered: the next rows are a page further.
        let asked = self.size().and_then(|size| size.value.as_u64());
        let rows = if page.items == 0 { asked.unwrap_or(0) } else { page.items as u64 };
        let skip = skipped.saturating_add(rows);
        Ok(Some(Size::and(self.size(), Change::Set(self.to.clone(), skip.into()))))
    }

    fn counts(&self) -> bool {
        true
    }

    fn asked_start(&self, request: &dyn Asked, _: &[Value], _: usize) -> Option<usize> {
        request.at(&self.to)?.parse().ok()
    }
}
