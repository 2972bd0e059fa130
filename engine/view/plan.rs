//! What a dry run found.

use serde::{Serialize, Serializer};

use crate::{
    model::http::{Body, HeaderMap, Request},
    view::headers::headers,
};

/// A step of a dry run.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Planned {
    /// This would be sent.
    Request(Box<PlannedRequest>),
    /// What it would send depends on an answer.
    Unknown {
        /// The step.
        step: String,
        /// On what it depends.
        #[serde(rename = "unknown")]
        why: String,
    },
}

impl Planned {
    /// The step's id.
    pub fn step(&self) -> &str {
        match self {
            Self::Request(planned) => &planned.step,
            Self::Unknown { step, .. } => step,
        }
    }
}

/// A request with `***` where credentials stand.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedRequest {
    /// The step.
    pub step: String,
    /// What would be sent.
    #[serde(flatten, serialize_with = "request")]
    pub request: Request,
    /// What else there is to know: that more pages follow, that it runs for each item.
    pub note: Option<String>,
}

impl PlannedRequest {
    /// The body as text; `(N bytes)` for what is not text.
    pub fn body(&self) -> Option<String> {
        body(&self.request)
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    method: &'a str,
    url: &'a str,
    #[serde(serialize_with = "object")]
    headers: &'a HeaderMap,
    body: Option<String>,
}

fn request<S: Serializer>(request: &Request, to: S) -> Result<S::Ok, S::Error> {
    let Request { method, url, headers, .. } = request;
    let shown = Shown { method: method.as_str(), url: url.as_str(), headers, body: body(request) };
    shown.serialize(to)
}

fn object<S: Serializer>(fields: &HeaderMap, to: S) -> Result<S::Ok, S::Error> {
    headers(fields).serialize(to)
}

fn body(request: &Request) -> Option<String> {
    Some(match &request.body {
        Body::Empty => return None,
        Body::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("({} bytes)", bytes.len()),
        },
        Body::Stream(_) => "(a stream)".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::http::Method;

    #[test]
    fn a_request_stands_beside_its_step() {
        let request = Request {
            method: Method::POST,
            url: "https://api.test/x".parse().unwrap(),
            headers: [("a", "1"), ("b", "2"), ("a", "3")]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .into_iter()
                .collect(),
            body: Some(bytes::Bytes::from_static(b"\xff")).into(),
            coded: false,
            timeout: None,
            max_response: 0,
        };
        let planned =
            Planned::Request(Box::new(PlannedRequest { step: "post".into(), request, note: None }));
        assert_eq!(
            serde_json::to_string(&planned).unwrap(),
            r#"{"step":"post","method":"POST","url":"https://api.test/x","headers":{"a":["1","3"],"b":"2"},"body":"(1 bytes)","note":null}"#
        );
        let unknown = Planned::Unknown { step: "s".into(), why: "y".into() };
        assert_eq!(serde_json::to_value(unknown).unwrap(), json!({"step": "s", "unknown": "y"}));
    }
}
