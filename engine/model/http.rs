//! HTTP as values: what is sent and what comes back.

use std::{borrow::Cow, fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use serde_json::{Map, Value};
use url::Url;

use crate::model::proxy::Route;

pub use ::http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, AsHeaderName, CONTENT_TYPE, SET_COOKIE},
};

/// Fields that say where a message ends, or what becomes of its connection (RFC 9110, sections 7.2,
/// 7.6.1 and 8.6): whoever sends it writes them. A wrong one makes the rest of a body the next
/// request.
pub const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field belongs to the connection, and is not a caller's or a file's to write.
pub fn is_framing(name: &HeaderName) -> bool {
    FRAMING.contains(&name.as_str())
}

/// Name, safe, idempotent: IANA's registry of methods (RFC 9110, section 16.1) without CONNECT, PRI
/// and TRACE, which are no requests to an API. What is not registered is neither.
const REGISTERED: [(&str, bool, bool); 37] = [
    ("ACL", false, true),
    ("BASELINE-CONTROL", false, true),
    ("BIND", false, true),
    ("CHECKIN", false, true),
    ("CHECKOUT", false, true),
    ("COPY", false, true),
    ("DELETE", false, true),
    ("GET", true, true),
    ("HEAD", true, true),
    ("LABEL", false, true),
    ("LINK", false, true),
    ("LOCK", false, false),
    ("MERGE", false, true),
    ("MKACTIVITY", false, true),
    ("MKCALENDAR", false, true),
    ("MKCOL", false, true),
    ("MKREDIRECTREF", false, true),
    ("MKWORKSPACE", false, true),
    ("MOVE", false, true),
    ("OPTIONS", true, true),
    ("ORDERPATCH", false, true),
    ("PATCH", false, false),
    ("POST", false, false),
    ("PROPFIND", true, true),
    ("PROPPATCH", false, true),
    ("PUT", false, true),
    ("QUERY", true, true),
    ("REBIND", false, true),
    ("REPORT", true, true),
    ("SEARCH", true, true),
    ("UNBIND", false, true),
    ("UNCHECKOUT", false, true),
    ("UNLINK", false, true),
    ("UNLOCK", false, true),
    ("UPDATE", false, true),
    ("UPDATEREDIRECTREF", false, true),
    ("VERSION-CONTROL", false, true),
];

/// Reads the name of a method in any case; any token is one (RFC 9110, section 9.1).
pub fn method(text: &str) -> Option<Method> {
    Method::from_bytes(text.to_ascii_uppercase().as_bytes()).ok()
}

/// Whether it stands in IANA's registry, so that it is no slip of the pen.
pub fn is_registered(method: &Method) -> bool {
    entry(method).is_some()
}

/// Asks, and changes nothing (RFC 9110, section 9.2.1).
pub fn is_safe(method: &Method) -> bool {
    entry(method).is_some_and(|(safe, _)| safe)
}

/// Idempotent by definition (RFC 9110, section 9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    entry(method).is_some_and(|(_, idempotent)| idempotent)
}

fn entry(method: &Method) -> Option<(bool, bool)> {
    let found = REGISTERED.iter().find(|(name, ..)| *name == method.as_str());
    found.map(|(_, safe, idempotent)| (*safe, *idempotent))
}

/// Header fields as text: what rules, templates and people see of them. The map keeps the bytes.
pub trait Fields {
    /// The first value of a field.
    fn text(&self, name: impl AsHeaderName) -> Option<Cow<'_, str>>;
    /// All values of a field, in order.
    fn texts(&self, name: impl AsHeaderName) -> impl Iterator<Item = Cow<'_, str>>;
    /// Name and value of each field.
    fn fields(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)>;
    /// The root `headers` of templates: the first value of each field, names in lower case.
    fn root(&self) -> Value;
    /// `header_values`: all values of each field.
    fn all_values(&self) -> Value;
    /// A `Cookie` field of what `Set-Cookie` fields set: `name=value; …` (RFC 6265, section 4.2).
    fn cookies(&self) -> String;
}

impl Fields for HeaderMap {
    fn text(&self, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
        self.get(name).map(text)
    }

    fn texts(&self, name: impl AsHeaderName) -> impl Iterator<Item = Cow<'_, str>> {
        self.get_all(name).into_iter().map(text)
    }

    fn fields(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.iter().map(|(name, value)| (name.as_str(), text(value)))
    }

    fn root(&self) -> Value {
        let first = |name: &HeaderName| self.get(name).map(text).unwrap_or_default().into();
        let members: Map<String, Value> =
            self.keys().map(|name| (name.as_str().to_owned(), first(name))).collect();
        members.into()
    }

    fn all_values(&self) -> Value {
        let all = |name: &HeaderName| self.texts(name).map(Value::from).collect();
        let members: Map<String, Value> =
            self.keys().map(|name| (name.as_str().to_owned(), all(name))).collect();
        members.into()
    }

    fn cookies(&self) -> String {
        let pair = |field: Cow<'_, str>| Some(field.split(';').next()?.trim().to_owned());
        let pairs = self.texts(SET_COOKIE).filter_map(pair);
        pairs.filter(|pair| pair.contains('=')).collect::<Vec<_>>().join("; ")
    }
}

/// The text of a value: UTF-8, else ISO 8859-1 (RFC 9110, section 5.5).
pub fn text(value: &HeaderValue) -> Cow<'_, str> {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// The body of a request.
#[derive(Clone, Default)]
pub enum Body {
    /// There is none.
    #[default]
    Empty,
    /// All of it.
    Bytes(Bytes),
    /// Too large to be held: it is read while it is sent.
    Stream(Arc<dyn Stream>),
}

/// The frames of a streamed body: data, then trailers.
pub type Frames = BoxBody<Bytes, io::Error>;

/// What a body is streamed from.
pub trait Stream: Send + Sync {
    /// Reads it from its beginning, once for each try.
    fn open(&self) -> io::Result<Frames>;
    /// Whether it can be opened now: one that comes from somebody else is read once.
    fn can_open(&self) -> bool {
        true
    }
}

/// Why the body of a request ended too early.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request cannot be read: {0}")]
pub struct Unreadable(pub String);

impl Body {
    /// Whether it can be sent now.
    pub fn can_be_sent(&self) -> bool {
        match self {
            Self::Empty | Self::Bytes(_) => true,
            Self::Stream(stream) => stream.can_open(),
        }
    }

    /// The bytes of a body that is held; an absent one has none.
    pub fn held(&self) -> Option<Bytes> {
        match self {
            Self::Empty => Some(Bytes::new()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Stream(_) => None,
        }
    }
}

impl From<Option<Bytes>> for Body {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Empty, Self::Bytes)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A request without credentials: this is what records, dry runs and tests see.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL, host checked against the blueprint's.
    pub url: Url,
    /// The fields, `content-type` among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Whether the body of the answer is wanted as it was sent, in the coding that the request
    /// itself asks for; else it is decoded.
    pub coded: bool,
    /// For the whole exchange, body included; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// Until the answer, or the next piece of it or of the body, is there; `None` waits for ever.
    pub silence: Option<Duration>,
    /// Upper bound of the decoded answer, in bytes.
    pub max_response: u64,
    /// Its way, unless that of the settings is right.
    pub route: Option<Route>,
}

/// A request with credentials on it. Prints as method and host only, and only `wire` opens it.
#[derive(Clone)]
pub struct Authorized(Request);

impl Authorized {
    /// Closes the lid. Called by `auth` when the credentials are on the request.
    pub fn new(request: Request) -> Self {
        Self(request)
    }

    /// For `wire`, which sends it. Every call is held to its places by `tests/house.rs`.
    pub fn open(&self) -> &Request {
        &self.0
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorized({} {})", self.0.method, self.0.url.host_str().unwrap_or("-"))
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// Decoded (gzip, brotli, deflate), at most `max_response` bytes.
    pub body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_open_and_their_nature_is_registered() {
        for (name, safe, idempotent) in [
            ("get", true, true),
            ("Post", false, false),
            ("PATCH", false, false),
            ("DELETE", false, true),
            ("PROPFIND", true, true),
            ("report", true, true),
            ("QUERY", true, true),
            ("MKCOL", false, true),
            ("LOCK", false, false),
            ("LIST", false, false),
        ] {
            let method = method(name).unwrap();
            assert_eq!((is_safe(&method), is_idempotent(&method)), (safe, idempotent), "{name}");
        }
        assert!(is_registered(&Method::OPTIONS) && !is_registered(&method("LIST").unwrap()));
        assert!(method("GET /").is_none() && method("").is_none());
    }

    #[test]
    fn values_are_text_without_losing_their_bytes() {
        let mut headers = HeaderMap::new();
        for value in [&b"caf\xc3\xa9"[..], b"caf\xe9", b""] {
            headers.append("x-odd", HeaderValue::from_bytes(value).unwrap());
        }
        let texts: Vec<_> = headers.texts("X-Odd").collect();
        assert_eq!(texts, ["caf\u{e9}", "caf\u{e9}", ""]);
        assert_eq!(headers.root(), serde_json::json!({"x-odd": "caf\u{e9}"}));
        assert_eq!(
            headers.all_values(),
            serde_json::json!({"x-odd": ["caf\u{e9}", "caf\u{e9}", ""]})
        );
        headers.append(SET_COOKIE, HeaderValue::from_static("a=1%3d; path=/; HttpOnly"));
        headers.append(SET_COOKIE, HeaderValue::from_static("broken"));
        headers.append(SET_COOKIE, HeaderValue::from_static(" b = 2"));
        assert_eq!(headers.cookies(), "a=1%3d; b = 2");
        let bytes: Vec<_> = headers.get_all("x-odd").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(bytes, [&b"caf\xc3\xa9"[..], b"caf\xe9", b""]);
    }
}
