//! Answers that are JSON.

use http::header::CACHE_CONTROL;
use serde::Serialize;

use crate::{
    http::{Reply, reply},
    model::http::{CONTENT_TYPE, HeaderMap, HeaderValue},
};

/// A value, with a status. Nobody keeps a copy of it.
pub fn json(status: u16, value: &impl Serialize) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Text, numbers and JSON: nothing that is shown can fail to serialise.
    reply(status, headers, serde_json::to_vec(value).unwrap_or_default())
}
