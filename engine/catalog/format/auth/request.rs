//! Requests of a blueprint's own within signing in.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            request::{URLS, body, target},
            symbols::Names,
            text::{as_text, headers, url},
        },
    },
    model::auth::{AuthAccept, AuthRequest, ClientAuth},
    template::knowledge::Symbols,
};

/// The step of a request that has no `id`.
const NAMELESS: &str = "request";

/// One request, without a name of its own.
pub fn alone(o: &mut Object<'_>, key: Key, names: &Names) -> Option<AuthRequest> {
    let secret = names.secret();
    o.optional(key, form(|o| request(o, secret, names)))
}

/// `revoke`, of every mode that gets tokens.
pub fn revoke(o: &mut Object<'_>, names: &Names) -> Option<AuthRequest> {
    let takes_back = "A request that takes a token back; RFC 7009 is one `post` with a form.";
    alone(o, key("revoke", takes_back), names)
}

/// A request, read by `read`.
pub fn form<V>(read: impl FnMut(&mut Object<'_>) -> V) -> impl Form<Value = V> {
    object("AuthRequest", "A request within signing in.", read)
}

/// A request whose templates see `symbols`.
pub fn request(o: &mut Object<'_>, symbols: &Symbols, names: &Names) -> AuthRequest {
    let (method, url) = target(o, "request", &URLS, &url(symbols, names));
    let shows = "How the client shows who it is; without it, templates do.";
    let reads = "How the answer is read; without it, as JSON, or form fields where it looks like \
                 those.";
    let query = key("query", "Query parameters; absent values are left out.");
    AuthRequest {
        id: o.or(key("id", "Its name under `steps`."), NAME, NAMELESS.to_owned()),
        method,
        url,
        query: o.or_empty(query, Map(as_text(symbols))),
        headers: o.or_empty(key("headers", "Header fields."), headers(symbols)),
        body: body(o, symbols, false),
        accept: o.or_empty(key("accept", reads), &ACCEPTS),
        client_auth: o.optional(key("client_auth", shows), &CLIENT_AUTHS),
    }
}

static ACCEPTS: Choices<AuthAccept> = Choices {
    name: "AuthAccept",
    doc: "How an answer within signing in is read.",
    rows: &[
        row("json", AuthAccept::Auto, "JSON, or form fields where it looks like those."),
        row("form", AuthAccept::Auto, "The same as `json`."),
        row(
            "xml",
            AuthAccept::Xml,
            "XML: elements become members, repeated ones lists, attributes `@name`.",
        ),
        row("text", AuthAccept::Text, "The body is one text."),
    ],
};

/// How the client shows who it is.
pub static CLIENT_AUTHS: Choices<ClientAuth> = Choices {
    name: "ClientAuth",
    doc: "Where a client shows who it is.",
    rows: &[
        row("body", ClientAuth::Body, "As parameters."),
        row(
            "header",
            ClientAuth::Basic,
            "As HTTP Basic, form-encoded first (RFC 6749, section 2.3.1).",
        ),
        row("basic", ClientAuth::Basic, "The same as `header`."),
        row("basic_raw", ClientAuth::BasicRaw, "As HTTP Basic, without that encoding."),
        row("none", ClientAuth::None, "The id alone."),
        row(
            "private_key_jwt",
            ClientAuth::PrivateKeyJwt,
            "As a signed assertion (RFC 7523), made by `assertion`.",
        ),
    ],
};
