//! How long an answer asks us to wait. Units are named, never guessed.

use std::time::Duration;

use serde_json::Value;

use crate::{
    model::{
        http::{Fields, HeaderMap},
        rule::{Locator, Source, Unit, Wait},
        time::{Timestamp, parse_span},
    },
    template::{self, Scope},
};

/// What says more than a year says nothing: the unit is another, or the API is out of its mind.
pub const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The first wait that yields.
pub fn first(
    waits: &[Wait],
    headers: &HeaderMap,
    scope: &Scope<'_>,
    now: Timestamp,
) -> Option<Duration> {
    waits.iter().find_map(|wait| match wait {
        Wait::For(span) => Some(*span),
        Wait::At(locator) => span(locator, headers, scope, now),
    })
}

/// A located span of time. What cannot be read, is not in the future, or is more than a year away
/// yields nothing: a clock that is ahead must not make us ask again at once.
pub fn span(
    locator: &Locator,
    headers: &HeaderMap,
    scope: &Scope<'_>,
    now: Timestamp,
) -> Option<Duration> {
    let text = text(locator, headers, scope)?;
    read(&text, locator.unit, now)
}

/// A located count.
pub fn number(locator: &Locator, headers: &HeaderMap, scope: &Scope<'_>) -> Option<f64> {
    text(locator, headers, scope)?.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// The located text.
fn text(locator: &Locator, headers: &HeaderMap, scope: &Scope<'_>) -> Option<String> {
    let text = match &locator.from {
        Source::Header(name) => headers.text(name)?.into_owned(),
        Source::Body(template) => {
            let mut scope = scope.clone();
            scope.lenient = true;
            match template::value(template, &scope).ok()??.as_ref() {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            }
        }
    };
    match &locator.regex {
        None => Some(text),
        Some(regex) => {
            let groups = regex.captures(&text)?;
            Some(groups.get(1).or_else(|| groups.get(0))?.as_str().to_owned())
        }
    }
}

/// Reads a span of more than nothing and at most a year. `seconds` also takes an HTTP date, because a Retry-After may be either
/// (RFC 9110, section 10.2.3).
pub fn read(text: &str, unit: Unit, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let number = || text.parse::<f64>().ok().filter(|n| n.is_finite());
    let relative = |factor: f64| {
        number()
            .map(|n| Duration::try_from_secs_f64((n * factor).max(0.0)).unwrap_or(Duration::MAX))
    };
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
    let absolute =
        |factor: f64| number().map(|n| Timestamp((n * factor).clamp(0.0, 9e15) as i64).since(now));
    let span = match unit {
        Unit::Seconds => relative(1.0).or_else(|| http_date(text, now)),
        Unit::Ms => relative(0.001),
        Unit::EpochS => absolute(1000.0),
        Unit::EpochMs => absolute(1.0),
        Unit::HttpDate => http_date(text, now),
        Unit::Span => spans(text),
        Unit::Iso => {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp(time.as_millisecond()).since(now))
        }
        Unit::Number => None,
    };
    span.filter(|span| !span.is_zero() && *span <= LONGEST)
}

/// `1m30s`, `6m0s`, `20ms`: spans one after the other, as Go prints durations.
fn spans(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit = rest.get(digits..)?;
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (one, next) = rest.split_at_checked(digits + end)?;
        sum = sum.checked_add(parse_span(one)?)?;
        rest = next;
    }
    Some(sum)
}

/// The three forms of RFC 9110, section 5.6.7.
fn http_date(text: &str, now: Timestamp) -> Option<Duration> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(since.as_millis()).ok()?).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_all_its_forms() {
        let now = Timestamp(1_700_000_000_000);
        for (text, unit, expected) in [
            ("7", Unit::Seconds, Some(7_000)),
            ("2.0", Unit::Seconds, Some(2_000)),
            ("0", Unit::Seconds, None),
            ("-5", Unit::Seconds, None),
            ("31536000", Unit::Seconds, Some(31_536_000_000)),
            ("Tue, 14 Nov 2023 22:13:30 GMT", Unit::Seconds, Some(10_000)),
            ("Tuesday, 14-Nov-23 22:13:30 GMT", Unit::Seconds, Some(10_000)),
            ("Tue Nov 14 22:13:30 2023", Unit::HttpDate, Some(10_000)),
            ("Tue, 14 Nov 2023 22:13:10 GMT", Unit::Seconds, None),
            ("soon", Unit::Seconds, None),
            ("99999999999", Unit::Seconds, None),
            ("1e300", Unit::Seconds, None),
            ("1700000060000", Unit::EpochS, None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Unit::Seconds, None),
            ("", Unit::Seconds, None),
            ("NaN", Unit::Seconds, None),
            ("1700000060", Unit::EpochS, Some(60_000)),
            ("1600000000", Unit::EpochS, None),
            ("1700000000500", Unit::EpochMs, Some(500)),
            ("250", Unit::Ms, Some(250)),
            ("1m30s", Unit::Span, Some(90_000)),
            ("6m0s", Unit::Span, Some(360_000)),
            ("7.66s", Unit::Span, Some(7_660)),
            ("20ms", Unit::Span, Some(20)),
            ("0s", Unit::Span, None),
            ("1m 30s", Unit::Span, None),
            ("90", Unit::Span, None),
            ("m", Unit::Span, None),
            ("", Unit::Span, None),
            ("2023-11-14T22:13:25Z", Unit::Iso, Some(5_000)),
        ] {
            assert_eq!(read(text, unit, now), expected.map(Duration::from_millis), "{text}");
        }
    }
}
