//! A request and an answer, as the sandbox sees them.

use serde_json::Value;

use crate::model::http::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// A request, read.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// `GET`
    pub method: String,
    /// Encoded, with a leading slash.
    pub path: String,
    /// Decoded pairs, in order.
    pub query: Vec<(String, String)>,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Self {
        let headers =
            [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        Self { status, headers, body: value.to_string().into_bytes() }
    }
}
