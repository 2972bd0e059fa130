//! How an API is signed in to.

use std::time::Duration;

use crate::model::{
    rule::Rule,
    schema::Schema,
    template::{Shape, Template},
};

/// `auth:` of a blueprint.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The mode and what it needs.
    pub mode: AuthMode,
    /// `credentials`: what the user enters, as a JSON Schema. Given for every mode (token modes
    /// get one by default), so that `connections add` can always ask it.
    pub credentials: Schema,
}

/// `auth_mode`.
#[derive(Debug, Clone)]
pub enum AuthMode {
    /// `NONE`
    None,
    /// `API_KEY`: `requests.headers` or `params` say where it goes.
    ApiKey,
    /// `BASIC`: both are templates over `credentials`.
    Basic {
        /// Default `{{credentials.username}}`.
        username: Template,
        /// Default `{{credentials.password}}`.
        password: Template,
    },
    /// `OAUTH2`
    OAuth2(Box<OAuth2>),
}

impl AuthMode {
    /// As it stands in files: `OAUTH2`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ApiKey => "API_KEY",
            Self::Basic { .. } => "BASIC",
            Self::OAuth2(_) => "OAUTH2",
        }
    }

    /// Whether a fresh token can be had without a person.
    pub fn can_refresh(&self) -> bool {
        matches!(self, Self::OAuth2(_))
    }
}

/// What OAuth 2 needs to know of an API.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// Where the browser goes; templates over `integration`, `connection`.
    pub authorization_url: Template,
    /// Further parameters of that URL.
    pub authorization_params: Vec<(String, Shape)>,
    /// Where codes become tokens.
    pub token_url: Template,
    /// Further parameters of token requests.
    pub token_params: Vec<(String, Shape)>,
    /// Where refresh tokens become tokens; `token_url` by default.
    pub refresh_url: Option<Template>,
    /// Further parameters of refresh requests; `token_params` by default.
    pub refresh_params: Option<Vec<(String, Shape)>>,
    /// Headers of token requests.
    pub token_headers: Vec<(String, Template)>,
    /// Asked for when the integration names none.
    pub default_scopes: Vec<String>,
    /// Between scopes; a space by default.
    pub scope_separator: String,
    /// PKCE with S256; on by default.
    pub pkce: bool,
    /// How the client shows who it is.
    pub client_auth: ClientAuth,
    /// How parameters of token requests are written.
    pub body_format: TokenFormat,
    /// Lifetime of a token whose answer does not say.
    pub expires_in: Option<Duration>,
    /// Rules of the token endpoint; first match wins, before the built-in ones.
    pub token_responses: Vec<Rule>,
    /// Values of the token answer to keep on the connection.
    pub save: Vec<(String, Shape)>,
}

/// `authorization_method`, `token_request.client_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` as parameters.
    Body,
    /// RFC 6749 2.3.1: both form-encoded, then Basic.
    Basic,
    /// Basic without the encoding, for servers that do not decode.
    BasicRaw,
    /// The id alone.
    None,
}

/// `body_format`, `token_request.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`
    Json,
    /// In the query, no body.
    Query,
}
