//! `kind: none`: one page.

use crate::model::pagination::{Change, Page, Paging, Size, Stuck};

/// One page only.
#[derive(Debug)]
pub struct Once {
    /// The page size.
    pub size: Option<Size>,
}

impl Paging for Once {
    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, _: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        Ok(None)
    }
}
