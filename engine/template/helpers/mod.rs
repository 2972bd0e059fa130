//! The helpers: pure, bounded, without the environment. `functions.rs` lists them.

pub mod args;
mod logic;
mod collect;
mod encode;
mod time;
mod mime;

pub use args::{Args, Complaint};

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

/// Calls a helper by name; `None` is absent.
pub fn call(args: Args<'_>) -> Result<Option<Cow<'_, Value>>, Complaint> {
    let made: Value = match args.helper {
        "opt" | "first" | "default" => return Ok(logic::first(args)),
        "find" => return collect::find(args),
        "get" => return collect::get(args),
        "object" => collect::object(args),
        "exists" => logic::exists(&args).into(),
        "eq" => logic::eq(&args).into(),
        "ne" => (!logic::eq(&args)).into(),
        "lt" => logic::compare(&args, Ordering::is_lt)?.into(),
        "lte" => logic::compare(&args, Ordering::is_le)?.into(),
        "gt" => logic::compare(&args, Ordering::is_gt)?.into(),
        "gte" => logic::compare(&args, Ordering::is_ge)?.into(),
        "and" => logic::flags(&args)?.into_iter().all(|flag| flag).into(),
        "or" => logic::flags(&args)?.into_iter().any(|flag| flag).into(),
        "not" => (!logic::flags(&args)?.into_iter().any(|flag| flag)).into(),
        "join" => collect::join(&args)?,
        "split" => {
            let (text, separator) = (args.text(0)?, args.text(1)?);
            if separator.is_empty() {
                return Err("the separator is empty".to_owned());
            }
            text.split(&*separator).map(Value::from).collect()
        }
        "lower" => args.text(0)?.to_lowercase().into(),
        "upper" => args.text(0)?.to_uppercase().into(),
        "trim" => args.text(0)?.trim().into(),
        "replace" => replace(&args)?,
        "starts_with" => args.text(0)?.starts_with(&*args.text(1)?).into(),
        "length" => collect::length(&args)?,
        "flatten" => collect::flatten(&args)?,
        "unique" => collect::unique(&args)?,
        "pluck" => collect::pluck(&args)?,
        "sort" => collect::sort(&args)?,
        "merge" => collect::merge(&args)?,
        "pick" => collect::select(&args, true)?,
        "omit" => collect::select(&args, false)?,
        "json" => args.at(0).map(Value::to_string).unwrap_or_default().into(),
        "parse_json" => encode::parse_json(&args)?,
        "number" => encode::number(&args)?,
        "string" => args.text(0)?.into_owned().into(),
        "base64" => encode::base64(&args)?,
        "base64url" => encode::base64url(&args)?,
        "hex" => encode::hex(&args)?,
        "sha256" => encode::sha256(&args)?,
        "hmac_sha256" => encode::hmac_sha256(&args)?,
        "mime" => mime::mime(&args)?,
        "url_encode" => encode::url(&args)?,
        "now" => time::now(&args),
        "date" => time::date(&args)?,
        "date_add" => time::add(&args)?,
        "epoch" => time::epoch(&args)?,
        other => return Err(format!("there is no helper `{other}`")),
    };
    Ok(Some(Cow::Owned(made)))
}

fn replace(args: &Args<'_>) -> Result<Value, Complaint> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() {
        return Err("what to replace is empty".to_owned());
    }
    // Bounded before it is made: a replacement can multiply the text.
    let grown = text.matches(&*from).count().saturating_mul(to.len());
    if grown > 1 << 20 {
        return Err("the result would be longer than 1 MB".to_owned());
    }
    Ok(text.replace(&*from, &to).into())
}
