//! How a list ends.

use serde_json::Value;

use crate::model::{
    pagination::{Page, Size, Stuck},
    template::Template,
};

/// A token or link of an answer. Absent, null and the empty text all say: no more.
pub fn pointer(read: Option<&Option<Value>>) -> Option<&Value> {
    let is_end = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
    read?.as_ref().filter(|value| !is_end(value))
}

/// How a list of counted rows ends. Without any of it, at an empty page: a short one may be short
/// because the server has a maximum of its own, or filters after it has cut.
#[derive(Debug, Default)]
pub struct CountedEnd {
    /// How many rows the list has, over the answer; absent or null says nothing.
    pub total: Option<Template>,
    /// Whether a page with fewer rows than were asked for is the last one.
    pub short_page: bool,
}

impl CountedEnd {
    /// What the answer is asked for; [`Self::reached`] takes the first of what was read.
    pub fn reads(&self) -> &[Template] {
        self.total.as_slice()
    }

    /// Whether the page was the last one; so many rows of the list stand before it.
    pub fn reached(
        &self,
        page: &Page<'_>,
        before: u64,
        size: Option<&Size>,
    ) -> Result<bool, Stuck> {
        let total = match page.read.first().and_then(Option::as_ref) {
            Some(read) if !read.is_null() => Some(number(read).ok_or(Stuck::NoTotal)?),
            Some(_) | None => None,
        };
        if total.is_some_and(|total| before.saturating_add(page.items as u64) >= total) {
            return Ok(true);
        }
        Ok(!page.more && (page.items == 0 || (self.short_page && page.is_short(size))))
    }
}

/// A count, which some APIs write as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
