//! `kind: range`: the `Range` header with a unit other than bytes (RFC 9110, section 14), as
//! `PostgREST` and others count rows: `Range: items=0-24`, `Content-Range: items 0-24/120`.

use serde_json::Value;

use crate::model::{
    http::Fields,
    pagination::{Asked, Change, Page, Paging, Stuck, Target, Told, Window},
};

/// Rows from one to another, by header fields.
#[derive(Debug)]
pub struct Range {
    /// The range unit; empty writes the bare `0-24` of `PostgREST`.
    pub unit: String,
    /// How many rows are asked for at a time.
    pub rows: u32,
}

impl Range {
    fn place() -> Target {
        Target::Header(http::header::RANGE)
    }

    fn from(&self, row: u64) -> Vec<Change<String>> {
        let last = row.saturating_add(u64::from(self.rows)).saturating_sub(1);
        let range = if self.unit.is_empty() {
            format!("{row}-{last}")
        } else {
            format!("{}={row}-{last}", self.unit)
        };
        vec![Change::Set(Self::place(), range.into())]
    }
}

/// `0-24` of `items=0-24`, and of `items 0-24/120`.
fn bounds(text: &str) -> Option<(u64, u64)> {
    let range = text.rsplit(['=', ' ']).next()?.split('/').next()?;
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

impl Paging for Range {
    fn first(&self) -> Vec<Change<String>> {
        self.from(0)
    }

    /// The end is where `Content-Range` says so; without a total, a page that is not full.
    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        if page.items == 0 {
            return Ok(None);
        }
        let sent = page.sent(&Self::place()).and_then(Value::as_str).and_then(bounds);
        let next = sent.map_or(0, |(first, _)| first).saturating_add(page.items as u64);
        let told = page.headers.text("content-range");
        let told = told.as_deref().and_then(|field| field.rsplit_once('/'));
        let ends = match told.and_then(|(_, total)| total.trim().parse::<u64>().ok()) {
            Some(total) => next >= total,
            None => (page.items as u64) < u64::from(self.rows) && !page.more,
        };
        Ok((!ends).then(|| self.from(next)))
    }

    fn asked_rows(&self, request: &dyn Asked) -> Option<usize> {
        let (first, last) = bounds(&request.at(&Self::place())?)?;
        usize::try_from(last.checked_sub(first)?.saturating_add(1)).ok()
    }

    fn counts(&self) -> bool {
        true
    }

    fn asked_start(&self, request: &dyn Asked, _: &[Value], _: usize) -> Option<usize> {
        let (first, _) = bounds(&request.at(&Self::place())?)?;
        usize::try_from(first).ok()
    }

    fn tell(&self, window: &Window) -> Option<Told> {
        let space = if self.unit.is_empty() { "" } else { " " };
        let last = window.end.checked_sub(1).filter(|_| window.end > window.start);
        let range = last.map_or_else(|| "*".to_owned(), |last| format!("{}-{last}", window.start));
        let field = format!("{}{space}{range}/{}", self.unit, window.total);
        Some(Told::Header("content-range", field, Some(206)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_from_both_fields() {
        for (text, expected) in [
            ("items=0-24", Some((0, 24))),
            ("0-24", Some((0, 24))),
            ("items 25-49/120", Some((25, 49))),
            ("25-49/*", Some((25, 49))),
            ("items */120", None),
            ("items=-5", None),
            ("", None),
        ] {
            assert_eq!(bounds(text), expected, "{text}");
        }
    }
}
