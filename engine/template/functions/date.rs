//! Points in time: `now date date_add epoch`. All in UTC.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    fmt::strtime,
    tz::TimeZone,
};
use serde_json::Value;

use crate::{
    model::time,
    template::functions::args::{Args, Outcome, bounded, wrong},
};

/// The time of the run.
#[expect(clippy::unnecessary_wraps, reason = "the signature is the table's")]
pub fn now(args: &mut Args<'_>) -> Outcome {
    Ok(Some(args.now.to_string().into()))
}

/// A point in time as RFC 3339, or in a format of `strftime`.
pub fn date(args: &mut Args<'_>) -> Outcome {
    let time = point(args)?;
    if args.count() < 2 {
        return Ok(Some(written(time)));
    }
    let format = args.text(1)?;
    if format.len() > 256 {
        return Err("the format is longer than 256 bytes".to_owned());
    }
    let text = strtime::format(format.as_ref(), &time.to_zoned(TimeZone::UTC));
    let text = text.map_err(|_| "argument 2 is not a `strftime` format".to_owned())?;
    bounded(text.len())?;
    Ok(Some(text.into()))
}

/// A point in time, moved by a span: `7d`, `-30m`.
pub fn date_add(args: &mut Args<'_>) -> Outcome {
    let time = point(args)?;
    let span = args.text(1)?;
    let (back, span) = match span.strip_prefix('-') {
        Some(span) => (true, span),
        None => (false, span.as_ref()),
    };
    let span = time::parse_span(span).and_then(|span| SignedDuration::try_from(span).ok());
    let span = span.ok_or("argument 2 must be a span such as `30s`, `2h` or `-7d`")?;
    let moved = if back { time.checked_sub(span) } else { time.checked_add(span) };
    moved.map(|time| Some(written(time))).map_err(|_| out_of_range())
}

/// Seconds or milliseconds since 1970.
pub fn epoch(args: &mut Args<'_>) -> Outcome {
    let value = args.value(0);
    let time = parse(value.as_str().ok_or_else(|| wrong(0, "a date as a string", value))?)?;
    let count = match args.choice("unit", &["s", "ms"])? {
        "ms" => time.as_millisecond(),
        _ => time.as_second(),
    };
    Ok(Some(count.into()))
}

/// RFC 3339 in UTC with milliseconds, as all times of the engine.
fn written(time: Timestamp) -> Value {
    time::Timestamp(time.as_millisecond()).to_string().into()
}

/// The first argument: a date, a time in RFC 3339, or a number of seconds or milliseconds.
fn point(args: &Args<'_>) -> Result<Timestamp, String> {
    match args.value(0) {
        Value::String(text) => parse(text),
        Value::Number(number) => {
            let factor = match args.choice("unit", &["s", "ms"])? {
                "ms" => 1.0,
                _ => 1000.0,
            };
            let millis = number.as_f64().map(|count| (count * factor).round());
            // Beyond 2^53 lies no date that jiff knows.
            #[expect(clippy::cast_possible_truncation, reason = "checked against the range")]
            let millis = millis.filter(|ms| ms.abs() < 9e15).map(|ms| ms as i64);
            millis
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .ok_or_else(out_of_range)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(wrong(0, "a date as a string or a number", other))
        }
    }
}

/// `2026-11-23T14:05:09+01:00`, `2026-11-23T14:05:09` (UTC) or `2026-11-23` (midnight, UTC).
fn parse(text: &str) -> Result<Timestamp, String> {
    let utc = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)).and_then(utc))
        .ok_or_else(|| "the text is not a date or time of RFC 3339".to_owned())
}

fn out_of_range() -> String {
    "the time is out of range".to_owned()
}
