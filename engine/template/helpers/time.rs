//! `now date date_add epoch`

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    model::time::{self, parse_span},
    template::helpers::args::{Args, Complaint},
};

/// `now`
pub fn now(args: &Args<'_>) -> Value {
    args.now.to_string().into()
}

/// A time in another form (strftime).
pub fn date(args: &Args<'_>) -> Result<Value, Complaint> {
    let time = read(args)?;
    if args.args.len() < 2 {
        return Ok(shown(time));
    }
    let form = args.text(1)?;
    jiff::fmt::strtime::format(&*form, &time.to_zoned(jiff::tz::TimeZone::UTC))
        .map(Value::from)
        .map_err(|_| "the form is no strftime form".to_owned())
}

/// A time moved by a span.
pub fn add(args: &Args<'_>) -> Result<Value, Complaint> {
    let (time, text) = (read(args)?, args.text(1)?);
    let (sign, text) = text.strip_prefix('-').map_or((1, &*text), |text| (-1, text));
    let span = parse_span(text).ok_or("the span must read like `7d`, `1h`, `-30m`")?;
    let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(time.as_millisecond().saturating_add(sign * ms))
        .map(shown)
        .map_err(|_| "the time leaves the calendar".to_owned())
}

/// Seconds or milliseconds since 1970.
pub fn epoch(args: &Args<'_>) -> Result<Value, Complaint> {
    let time = read(args)?;
    match args.option("unit")?.unwrap_or("s") {
        "s" => Ok(time.as_second().into()),
        "ms" => Ok(time.as_millisecond().into()),
        _ => Err("`unit=` must be s or ms".to_owned()),
    }
}

fn shown(time: Timestamp) -> Value {
    time::Timestamp(time.as_millisecond()).to_string().into()
}

/// RFC 3339 text, a date, or seconds since 1970.
fn read(args: &Args<'_>) -> Result<Timestamp, Complaint> {
    let complaint = || "needs a time: RFC 3339, a date, or seconds since 1970".to_owned();
    match args.at(0) {
        Some(Value::String(text)) => text
            .parse::<Timestamp>()
            .ok()
            .or_else(|| {
                let date: jiff::civil::Date = text.parse().ok()?;
                Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
            })
            .ok_or_else(complaint),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().filter(|n| n.abs() < 1e12).ok_or_else(complaint)?;
            #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
            let ms = (seconds * 1000.0) as i64;
            Timestamp::from_millisecond(ms).map_err(|_| complaint())
        }
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            Err(complaint())
        }
    }
}
