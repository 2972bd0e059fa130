//! `auth` of a blueprint.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::common::{RuleSpec, SchemaForm},
};

/// How one signs in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what only signing in and unsupported modes need is read already")]
pub struct AuthSpec {
    /// The mode; of the parent, if it is left out.
    #[schemars(with = "Option<ModeSpec>")]
    pub auth_mode: Located<ModeSpec>,
    /// JSON Schema of what the user enters; `writeOnly` is secret.
    #[schemars(with = "Option<SchemaForm>")]
    pub credentials: Option<Raw>,
    /// BASIC: `{{credentials.username}}` by default.
    #[schemars(with = "Option<String>")]
    pub username: Option<Raw>,
    /// BASIC: `{{credentials.password}}` by default.
    #[schemars(with = "Option<String>")]
    pub password: Option<Raw>,
    /// OAUTH2: where the browser goes.
    #[schemars(with = "Option<String>")]
    pub authorization_url: Option<Raw>,
    /// OAUTH2: further parameters of that URL.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub authorization_params: Option<Raw>,
    /// OAUTH2: where codes become tokens.
    #[schemars(with = "Option<String>")]
    pub token_url: Option<Raw>,
    /// OAUTH2: further parameters of token requests.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub token_params: Option<Raw>,
    /// OAUTH2: further headers of token requests.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub token_headers: Option<Raw>,
    /// OAUTH2: where refresh tokens become tokens; `token_url` by default.
    #[schemars(with = "Option<String>")]
    pub refresh_url: Option<Raw>,
    /// OAUTH2: further parameters of refresh requests; `token_params` by default.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub refresh_params: Option<Raw>,
    /// OAUTH2: asked for when the integration names none.
    #[serde(default)]
    pub default_scopes: Vec<String>,
    /// OAUTH2: between scopes; a space.
    pub scope_separator: Option<String>,
    /// OAUTH2: PKCE with S256; on by default.
    pub pkce: Option<bool>,
    /// OAUTH2: where the client shows who it is; `body`.
    pub authorization_method: Option<Located<ClientAuthSpec>>,
    /// OAUTH2: how token requests are written; `form`.
    pub body_format: Option<FormatSpec>,
    /// OAUTH2: lifetime of tokens whose answer does not say.
    pub expires_in: Option<Located<String>>,
    /// OAUTH2: rules of the token endpoint.
    #[serde(default)]
    pub token_responses: Vec<RuleSpec>,
    /// OAUTH2: values of the token answer to keep on the connection.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub save: Option<Raw>,
    /// OAUTH2: how token requests are made, in full; `token_headers`, `token_params`,
    /// `authorization_method` and `body_format` are its short forms.
    pub token_request: Option<TokenRequestSpec>,
    /// OAUTH2: where the values of a token answer stand; not supported yet.
    pub token_response: Option<Raw>,
    /// OAUTH2: a request that trades the first token for the lasting one; not supported yet.
    pub exchange: Option<Raw>,
    /// OAUTH2: other names for parameters of the authorization URL.
    pub authorization_rename: Option<BTreeMap<String, String>>,
    /// OAUTH2: the callback's parameter with the code; `code`.
    pub code_param: Option<String>,
    /// OAUTH2: where devices ask for a code (RFC 8628).
    #[schemars(with = "Option<String>")]
    pub device_authorization_url: Option<Raw>,
    /// A request that takes a token back.
    pub revoke: Option<Raw>,
    /// A request that asks whether a token is good.
    pub introspect: Option<Raw>,
    /// `AWS_SIGV4`: the service's name.
    pub service: Option<Raw>,
    /// `AWS_SIGV4`: the region.
    pub region: Option<Raw>,
}

/// How token requests are made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequestSpec {
    /// `POST`.
    pub method: Option<Raw>,
    /// Further headers.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub headers: Option<Raw>,
    /// Further parameters.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub params: Option<Raw>,
    /// How they are written; `form`.
    pub format: Option<FormatSpec>,
    /// How the client shows who it is; `body`.
    pub client_auth: Option<Located<ClientAuthSpec>>,
    /// Other names for parameters; not supported yet.
    pub rename: Option<Raw>,
}

/// Ways to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ModeSpec {
    /// OAuth 2, authorization code.
    #[serde(rename = "OAUTH2")]
    OAuth2,
    /// OAuth 2, client credentials.
    #[serde(rename = "OAUTH2_CC")]
    OAuth2Cc,
    /// OAuth 1.
    #[serde(rename = "OAUTH1")]
    OAuth1,
    /// A key, placed by `requests.headers` or `requests.params`.
    ApiKey,
    /// HTTP Basic.
    Basic,
    /// The same as `BASIC`.
    UsernamePassword,
    /// One or several requests that yield a session.
    TwoStep,
    /// A token that we sign.
    Jwt,
    /// A signed app that gets installation tokens.
    App,
    /// AWS Signature Version 4.
    #[serde(rename = "AWS_SIGV4")]
    AwsSigv4,
    /// A signature over the request.
    Signature,
    /// Nothing.
    None,
}

/// Where a client shows who it is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthSpec {
    /// As parameters.
    Body,
    /// As HTTP Basic, form-encoded first (RFC 6749, section 2.3.1).
    Header,
    /// The same as `header`.
    Basic,
    /// As HTTP Basic, without that encoding.
    BasicRaw,
    /// The id alone.
    None,
    /// As a signed assertion (RFC 7523); not supported yet.
    PrivateKeyJwt,
}

/// How token requests are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatSpec {
    /// As a form.
    Form,
    /// As JSON.
    Json,
    /// In the query.
    Query,
}
