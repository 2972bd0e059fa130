//! What a dry run found.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    model::http::{Body, Fields, Method, Request},
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

/// A request with `***` where credentials stand, and `${NAME}` where values of the environment do.
#[derive(Debug, Clone)]
pub struct PlannedRequest {
    /// The step.
    pub step: String,
    /// Its method.
    pub method: Method,
    /// Its URL, as it is written in a request.
    pub url: String,
    /// Name and value of each field, in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: PlannedBody,
    /// What else there is to know: that more pages follow, that it runs for each item.
    pub note: Option<String>,
}

/// The body of a planned request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedBody {
    /// None.
    Empty,
    /// Text.
    Text(String),
    /// What is not text, in words.
    Other(String),
}

impl PlannedRequest {
    /// What is shown of a request; `hide` takes out what must not be seen.
    pub fn new(step: &str, request: &Request, hide: impl Fn(&str) -> String) -> Self {
        let field = |(name, value): (&str, Cow<'_, str>)| (name.to_owned(), hide(&value));
        let body = match &request.body {
            Body::Empty => PlannedBody::Empty,
            Body::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => PlannedBody::Text(hide(text)),
                Err(_) => PlannedBody::Other(format!("({} bytes)", bytes.len())),
            },
            Body::Stream(_) => PlannedBody::Other("(a stream)".to_owned()),
        };
        Self {
            step: step.to_owned(),
            method: request.method.clone(),
            url: hide(request.url.as_str()),
            headers: request.headers.fields().map(field).collect(),
            body,
            note: None,
        }
    }

    /// The body as text; `(N bytes)` for what is not text.
    pub fn body(&self) -> Option<&str> {
        match &self.body {
            PlannedBody::Empty => None,
            PlannedBody::Text(text) | PlannedBody::Other(text) => Some(text),
        }
    }
}

impl Serialize for PlannedRequest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let fields = self.headers.iter().map(|(name, value)| (name.as_str(), Cow::from(value)));
        let mut shown = to.serialize_struct("PlannedRequest", 6)?;
        shown.serialize_field("step", &self.step)?;
        shown.serialize_field("method", self.method.as_str())?;
        shown.serialize_field("url", &self.url)?;
        shown.serialize_field("headers", &headers(fields))?;
        shown.serialize_field("body", &self.body())?;
        shown.serialize_field("note", &self.note)?;
        shown.end()
    }
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
            silence: None,
            max_response: 0,
            route: None,
        };
        let planned = PlannedRequest::new("post", &request, str::to_owned);
        let planned = Planned::Request(Box::new(planned));
        assert_eq!(
            serde_json::to_string(&planned).unwrap(),
            r#"{"step":"post","method":"POST","url":"https://api.test/x","headers":{"a":["1","3"],"b":"2"},"body":"(1 bytes)","note":null}"#
        );
        let unknown = Planned::Unknown { step: "s".into(), why: "y".into() };
        assert_eq!(serde_json::to_value(unknown).unwrap(), json!({"step": "s", "unknown": "y"}));
    }
}
