//! The modes, a line for each, and what all of them have in common.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                basic::{API_KEY, BASIC, NONE},
                client_credentials::OAUTH2_CC,
                jwt::JWT,
                mode::Mode,
                oauth1::OAUTH1,
                oauth2::OAUTH2,
                session::{APP, TWO_STEP},
                signature::SIGNATURE,
                sigv4::AWS_SIGV4,
            },
            document::SCHEMA,
            symbols::Names,
        },
        tree::Node,
    },
    model::{
        auth::{Auth, AuthMode},
        schema::Schema,
    },
};

/// `auth_mode`
static MODES: Choices<&Mode> = Choices {
    name: "Mode",
    doc: "Ways to sign in.",
    rows: &[
        row("OAUTH2", &OAUTH2, "OAuth 2, authorization code."),
        row("OAUTH2_CC", &OAUTH2_CC, "OAuth 2, client credentials."),
        row("OAUTH1", &OAUTH1, "OAuth 1."),
        row("API_KEY", &API_KEY, "A key, placed by `requests.headers` or `requests.params`."),
        row("BASIC", &BASIC, "HTTP Basic."),
        row("USERNAME_PASSWORD", &BASIC, "The same as `BASIC`."),
        row("TWO_STEP", &TWO_STEP, "One or several requests that yield a session."),
        row("JWT", &JWT, "A token that we sign."),
        row("APP", &APP, "A signed app that gets installation tokens."),
        row("AWS_SIGV4", &AWS_SIGV4, "AWS Signature Version 4."),
        row("SIGNATURE", &SIGNATURE, "A signature over the request."),
        row("NONE", &NONE, "Nothing."),
    ],
};

/// What the requests of a blueprint have to know of `auth`.
#[derive(Debug)]
pub struct Signed {
    /// What templates may name, credentials included.
    pub names: Names,
    /// Whether requests carry the access token by themselves.
    pub bears_token: bool,
    /// Whether requests are signed, so that they may name `signature`.
    pub signs: bool,
}

/// `auth`; `names` without credentials.
pub fn auth(o: &mut Object<'_>, names: &Names) -> (Auth, Signed) {
    let chosen = o.chosen(key("auth_mode", "The mode.").inherited(), &MODES);
    let entered = "JSON Schema of what the user enters; `writeOnly` is secret.";
    let credentials = o.optional(key("credentials", entered), SCHEMA);
    let mode = chosen.map(|row| row.value);
    let usual = || mode.map_or_else(|| true.into(), |mode| (mode.credentials)());
    let credentials = credentials.unwrap_or_else(|| Schema::new(usual()));
    let further = o.raw("token_response").and_then(|map| map.get("tokens"));
    let further = further.into_iter().flat_map(|node| node.entries());
    let further = further.map(|(key, _)| key.name.to_string());
    let holds = mode.map(|mode| mode.holds).unwrap_or_default();
    let holds: Vec<String> = holds.iter().map(|name| (*name).to_owned()).chain(further).collect();
    let names = names.clone().with_credentials(&credentials.document, &holds);
    let outside = names.clone().outside_runs();
    let read = o.by("auth_mode", &MODES, chosen, |o, mode| (mode.read)(o, &outside));
    let auth = Auth { mode: read.unwrap_or(AuthMode::None), credentials };
    let signed = Signed {
        names,
        bears_token: mode.is_some_and(|mode| mode.bears_token),
        signs: matches!(auth.mode, AuthMode::Signature(_)),
    };
    (auth, signed)
}

/// Names that `auth.save` and `connect.save` of a blueprint put on the connection.
pub fn saved(tree: &Node) -> impl Iterator<Item = &str> {
    let parts = ["auth", "connect"].into_iter().filter_map(|key| tree.get(key)?.get("save"));
    parts.flat_map(|node| node.entries()).map(|(key, _)| &*key.name)
}

/// Which keys belong to which mode.
pub static OWNED: Owned = Owned::new("auth_mode", || {
    let names = Names::default();
    describe(object("Auth", "", |o| auth(o, &names)))
});
