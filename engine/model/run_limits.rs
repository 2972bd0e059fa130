//! Bounds of a whole run.

use std::time::Duration;

use crate::model::time::parse_span;

/// How far one run may go; `None` says nothing. They hold for all of its steps, elements and pages
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunLimits {
    /// Requests that are sent, tries included.
    pub requests: Option<u64>,
    /// Rows that are read from pages.
    pub items: Option<u64>,
    /// Bytes of decoded answers that are held at one time.
    pub bytes: Option<u64>,
    /// From its beginning, waits included.
    pub timeout: Option<Duration>,
}

impl RunLimits {
    /// What holds where nobody says anything.
    pub const USUAL: Self = Self {
        requests: Some(10_000),
        items: Some(1_000_000),
        bytes: Some(256_000_000),
        timeout: None,
    };

    /// These; where they say nothing, those that stand farther from the call.
    #[must_use]
    pub fn over(self, farther: Self) -> Self {
        Self {
            requests: self.requests.or(farther.requests),
            items: self.items.or(farther.items),
            bytes: self.bytes.or(farther.bytes),
            timeout: self.timeout.or(farther.timeout),
        }
    }

    /// Sets one by its name, from a text such as `500`, `64MB`, `5m`. What should stand there
    /// instead, if it cannot be read.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), &'static str> {
        const COUNT: &str = "a whole number";
        match name {
            "requests" => self.requests = Some(text.parse().map_err(|_| COUNT)?),
            "items" => self.items = Some(text.parse().map_err(|_| COUNT)?),
            "bytes" => {
                self.bytes = Some(parse_size(text).ok_or("a size such as `500KB`, `64MB`, `1GB`")?);
            }
            "timeout" => {
                self.timeout =
                    Some(parse_span(text).ok_or("a span of time such as `30s`, `5m`, `1h`")?);
            }
            _ => return Err("one of `requests`, `items`, `bytes`, `timeout`"),
        }
        Ok(())
    }
}

/// Reads a size: `1000`, `500KB`, `64MB`, `5GB`, in units of 1,000.
pub fn parse_size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim_start() {
        "" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The shortest spelling that [`parse_size`] reads back.
pub fn format_size(size: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = units.into_iter().find(|(factor, _)| size > 0 && size.is_multiple_of(*factor));
    unit.map_or_else(|| size.to_string(), |(factor, unit)| format!("{}{unit}", size / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, size) in
            [("0", 0), ("999", 999), ("5KB", 5_000), ("256MB", 256_000_000), ("5GB", 5_000_000_000)]
        {
            assert_eq!(parse_size(text), Some(size));
            assert_eq!(format_size(size), text);
        }
        for bad in ["", "KB", "-1", "1.5MB", "1kb", "1MiB", "99999999999999999999", "99999999999GB"]
        {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_wins_one_by_one() {
        let mut call = RunLimits::default();
        call.set("requests", "5").unwrap();
        call.set("timeout", "2m").unwrap();
        let entry = RunLimits { requests: Some(7), items: Some(8), ..RunLimits::default() };
        let all = call.over(entry).over(RunLimits::USUAL);
        assert_eq!((all.requests, all.items, all.bytes), (Some(5), Some(8), Some(256_000_000)));
        assert_eq!(all.timeout, Some(Duration::from_mins(2)));
        for (name, text) in [("requests", "x"), ("bytes", "1 mb"), ("timeout", "5"), ("files", "1")]
        {
            assert!(call.set(name, text).is_err(), "{name}={text}");
        }
    }
}
