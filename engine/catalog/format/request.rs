//! A request in a file: its method with a path or URL, and its body.

use crate::{
    catalog::{
        form::prelude::*,
        format::text::{as_text, json, text},
    },
    model::{action::Body, http::Method},
    template::knowledge::Symbols,
};

/// A method, and the key that stands for it.
#[derive(Debug)]
pub struct Verb {
    method: Method,
    key: Key,
}

const fn path(method: Method, name: &'static str, doc: &'static str) -> Verb {
    Verb { method, key: key(name, doc).like("/teams") }
}

const fn url(method: Method, name: &'static str, doc: &'static str) -> Verb {
    Verb { method, key: key(name, doc).like("https://api.example.com/token") }
}

/// With a path below `base_url`.
pub const PATHS: [Verb; 6] = [
    path(Method::GET, "get", "GET this path, relative to `base_url`."),
    path(Method::POST, "post", "POST to this path."),
    path(Method::PUT, "put", "PUT to this path."),
    path(Method::PATCH, "patch", "PATCH this path."),
    path(Method::DELETE, "delete", "DELETE this path."),
    path(Method::HEAD, "head", "HEAD of this path."),
];

/// With a whole URL.
pub const URLS: [Verb; 4] = [
    url(Method::GET, "get", "GET this URL."),
    url(Method::POST, "post", "POST to this URL."),
    url(Method::PUT, "put", "PUT to this URL."),
    url(Method::DELETE, "delete", "DELETE this URL."),
];

/// The one method that is given, and what stands there; `what` is it that sends or awaits it.
pub fn target<F: Blank + Clone>(
    o: &mut Object<'_>,
    what: &str,
    verbs: &[Verb],
    form: &F,
) -> (Method, F::Value) {
    let mut first = None;
    for verb in verbs {
        let value = o.optional(verb.key, form.clone());
        first = first.or(value.map(|value| (verb.method.clone(), value)));
    }
    let given: Vec<_> = verbs.iter().filter(|verb| o.raw(verb.key.name).is_some()).collect();
    match given.as_slice() {
        [] => {
            let names: Vec<String> = verbs.iter().map(|v| format!("`{}`", v.key.name)).collect();
            o.error("file.missing-key", format!("this {what} has no request"))
                .hint(format!("write one of {}", names.join(", ")));
        }
        [one, other, ..] => {
            let message =
                format!("this {what} has two methods, {} and {}", one.method, other.method);
            o.error_at(other.key.name, "file.bad-value", message);
        }
        [_] => {}
    }
    first.unwrap_or_else(|| (Method::GET, form.clone().blank()))
}

/// The body of a request, at most one; `bytes` where those can be sent.
pub fn body(o: &mut Object<'_>, symbols: &Symbols, bytes: bool) -> Body {
    o.at_most_one("body", &["json", "form", "text", "bytes"]);
    let json_body = o.optional(key("json", "A JSON body."), json(symbols)).map(Body::Json);
    let form = o.optional(key("form", "A form body."), as_text(symbols)).map(Body::Form);
    let words = o.optional(key("text", "A text body."), text(symbols)).map(Body::Text);
    let bytes = if bytes {
        o.optional(key("bytes", "A body of bytes, given as base64."), text(symbols))
    } else {
        None
    };
    let body = json_body.or(form).or(words).or(bytes.map(Body::Bytes));
    body.unwrap_or(Body::Empty)
}
