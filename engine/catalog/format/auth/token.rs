//! Where grants become tokens: `token_url`, `token_request` and its short forms.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                answer::answer,
                mode::{needed_url, params},
                request::CLIENT_AUTHS,
                sign::assertion,
            },
            symbols::Names,
            text::headers,
        },
    },
    model::{
        auth::{ClientAuth, TokenEndpoint, TokenFormat},
        http::{self, HeaderName, Method},
        template::{Shape, Template},
    },
};

/// `token_request`, or its short forms.
#[derive(Default)]
struct Asks {
    method: Option<Method>,
    headers: Option<Vec<(HeaderName, Template)>>,
    params: Option<Vec<(String, Shape)>>,
    format: Option<TokenFormat>,
    client_auth: Option<ClientAuth>,
    rename: Vec<(String, String)>,
}

/// A token endpoint and how it is asked.
pub fn endpoint(o: &mut Object<'_>, names: &Names) -> TokenEndpoint {
    let url = needed_url(o, key("token_url", "Where grants become tokens."), names);
    let in_full = "How token requests are made, in full; `token_headers`, `token_params`, \
                   `authorization_method` and `body_format` are its short forms.";
    let types = "Types of tokens (`token_type`) that are taken beside `Bearer`.";
    let full = object("TokenRequest", "How token requests are made.", |o| full(o, names));
    let full = o.or_empty(key("token_request", in_full), full);
    let short = short(o, names);
    let assertion = assertion(o, names);
    let client_auth = full.client_auth.or(short.client_auth);
    if client_auth == Some(ClientAuth::PrivateKeyJwt) && o.raw("assertion").is_none() {
        let named = o.raw("token_request").and_then(|node| node.get("client_auth")).cloned();
        let place = named.as_ref().map(|node| &node.place);
        let message = "`private_key_jwt` needs `assertion`: what is signed, and with which key";
        let told = o.error_at("authorization_method", "file.missing-key", message);
        if place.is_some() {
            told.maybe_at(place);
        }
    }
    TokenEndpoint {
        url,
        method: full.method.unwrap_or(Method::POST),
        params: full.params.or(short.params).unwrap_or_default(),
        headers: full.headers.or(short.headers).unwrap_or_default(),
        client_auth: client_auth.unwrap_or(ClientAuth::Body),
        format: full.format.or(short.format).unwrap_or(TokenFormat::Form),
        rename: full.rename,
        assertion,
        token_types: o.list(key("token_types", types), TEXT),
        answer: answer(o, names.base()),
    }
}

fn full(o: &mut Object<'_>, names: &Names) -> Asks {
    Asks {
        method: o.optional(key("method", "`POST`, `GET` or `PUT`; without it, `POST`."), METHOD),
        headers: o.optional(key("headers", "Further headers."), headers(names.secret())),
        params: params(o, key("params", "Further parameters."), names),
        format: o.optional(key("format", "How they are written; without it, `form`."), &FORMATS),
        client_auth: o.optional(
            key("client_auth", "How the client shows who it is; without it, `body`."),
            &CLIENT_AUTHS,
        ),
        rename: o.map(key("rename", "Other names for parameters."), TEXT),
    }
}

fn short(o: &mut Object<'_>, names: &Names) -> Asks {
    let shows = "Where the client shows who it is; without it, `body`.";
    let written = "How token requests are written; without it, `form`.";
    let fields = key("token_headers", "Further headers of token requests.");
    Asks {
        headers: o.optional(fields, headers(names.secret())),
        params: params(o, key("token_params", "Further parameters of token requests."), names),
        format: o.optional(key("body_format", written), &FORMATS),
        client_auth: o.optional(key("authorization_method", shows), &CLIENT_AUTHS),
        ..Asks::default()
    }
}

/// `default_scopes` and `scope_separator`.
pub fn scopes(o: &mut Object<'_>) -> (Vec<String>, String) {
    let asked = "Asked for when the integration names none.";
    let scopes = o.list(key("default_scopes", asked), TEXT);
    (scopes, o.or(key("scope_separator", "Between scopes."), TEXT, " ".to_owned()))
}

/// A method of token requests.
const METHOD: Scalar<Method> = Scalar {
    kind: Described::Text(Some("POST")),
    expected: "a text",
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a method of token requests",
            hint: "write `POST`, `GET` or `PUT`",
        };
        let method = |text: &str| {
            let allowed = [Method::GET, Method::POST, Method::PUT];
            http::method(text).filter(|method| allowed.contains(method))
        };
        spelled(node, method, refusal)
    },
    blank: || Method::POST,
    spelled: Method::to_string,
};

static FORMATS: Choices<TokenFormat> = Choices {
    name: "TokenFormat",
    doc: "How token requests are written.",
    rows: &[
        row("form", TokenFormat::Form, "As a form."),
        row("json", TokenFormat::Json, "As JSON."),
        row("query", TokenFormat::Query, "In the query."),
    ],
};
