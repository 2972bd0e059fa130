//! Requests of a blueprint's own within signing in.

use crate::{
    catalog::{
        decode::{Located, Raw},
        resolve::{
            auth::{
                answer::answer,
                parts::{Within, needs, node_of, url},
                sign::assertion,
            },
            shape::{headers, pairs, shape, template},
            symbols::member,
        },
        spec::auth::{AuthAcceptSpec, AuthRequestSpec, AuthSpec, ClientAuthSpec},
    },
    diagnostic::Diagnostics,
    model::{
        action::Body,
        auth::{AuthAccept, AuthRequest, ClientAuth, Session},
        http::Method,
        name,
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// The step of a request that has no `id`.
const NAMELESS: &str = "request";

/// `exchange`, `revoke`: one request, without a name of its own.
pub fn alone(
    spec: Option<&Located<AuthRequestSpec>>,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<AuthRequest> {
    request(spec?, &within.names.secret(), within, diagnostics)
}

/// `TWO_STEP`, `APP`.
pub fn session(
    spec: &AuthSpec,
    app: bool,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Session> {
    if spec.steps.is_empty() {
        needs("steps", within, diagnostics);
        return None;
    }
    let mut members = Vec::new();
    let mut resolved = |all: &[Located<AuthRequestSpec>], diagnostics: &mut Diagnostics| {
        members.clear();
        let mut requests = Vec::new();
        for spec in all {
            let known = Knowledge::Record { members: members.clone(), open: false };
            let symbols = within.names.secret().with("steps", known, Presence::Always);
            let id = spec.value.id.as_ref().map_or(NAMELESS, |id| &id.value);
            requests.push(request(spec, &symbols, within, diagnostics));
            members.push(member(id, Knowledge::Open));
        }
        requests.into_iter().collect::<Option<Vec<_>>>()
    };
    let refresh_steps = resolved(&spec.refresh_steps, diagnostics);
    let steps = resolved(&spec.steps, diagnostics);
    // Answers of either list are read alike, so that steps are known by any name here.
    let seen = within.names.base().with("steps", Knowledge::Open, Presence::Always);
    let assertion = assertion(spec.assertion.as_ref(), within, diagnostics);
    let answer = answer(spec, &seen, diagnostics);
    let revoke = alone(spec.revoke.as_ref(), within, diagnostics);
    Some(Session { app, steps: steps?, refresh_steps: refresh_steps?, assertion, answer, revoke })
}

fn request(
    Located { value: spec, node }: &Located<AuthRequestSpec>,
    symbols: &Symbols,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<AuthRequest> {
    let all = [
        (Method::Get, &spec.get),
        (Method::Post, &spec.post),
        (Method::Put, &spec.put),
        (Method::Delete, &spec.delete),
    ];
    let mut given = all.into_iter().filter_map(|(method, raw)| Some((method, raw.as_ref()?)));
    let (Some((method, Raw(target))), None) = (given.next(), given.next()) else {
        let message = "this request needs exactly one of `get`, `post`, `put`, `delete`";
        diagnostics.error("file.missing-key", message, Some(node.place.clone()));
        return None;
    };
    if let Some(id) = spec.id.as_ref().filter(|id| !name::is_identifier(&id.value)) {
        let message = format!("`{}` cannot name a step", id.value);
        diagnostics.error("file.bad-name", message, Some(id.node.place.clone()));
    }
    let url = url(target, symbols, within.names, diagnostics);
    let query = pairs(node_of(spec.query.as_ref()), symbols, diagnostics);
    let headers = headers(node_of(spec.headers.as_ref()), symbols, diagnostics);
    let body = body(spec, symbols, diagnostics);
    Some(AuthRequest {
        id: spec.id.as_ref().map_or(NAMELESS, |id| &id.value).to_owned(),
        method,
        url: url?,
        query,
        headers,
        body,
        accept: match spec.accept {
            None | Some(AuthAcceptSpec::Json | AuthAcceptSpec::Form) => AuthAccept::Auto,
            Some(AuthAcceptSpec::Xml) => AuthAccept::Xml,
            Some(AuthAcceptSpec::Text) => AuthAccept::Text,
        },
        client_auth: spec.client_auth.as_ref().map(|given| client_auth(given.value)),
    })
}

fn body(spec: &AuthRequestSpec, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Body {
    let made = match (&spec.json, &spec.form, &spec.text) {
        (Some(Raw(node)), ..) => shape(node, symbols, diagnostics).map(Body::Json),
        (None, Some(Raw(node)), _) => shape(node, symbols, diagnostics).map(Body::Form),
        (None, None, Some(Raw(node))) => {
            template(node, symbols, Use::Text, diagnostics).map(Body::Text)
        }
        (None, None, None) => None,
    };
    made.unwrap_or(Body::Empty)
}

/// How the client shows who it is.
pub fn client_auth(spec: ClientAuthSpec) -> ClientAuth {
    match spec {
        ClientAuthSpec::Body => ClientAuth::Body,
        ClientAuthSpec::Header | ClientAuthSpec::Basic => ClientAuth::Basic,
        ClientAuthSpec::BasicRaw => ClientAuth::BasicRaw,
        ClientAuthSpec::None => ClientAuth::None,
        ClientAuthSpec::PrivateKeyJwt => ClientAuth::PrivateKeyJwt,
    }
}
