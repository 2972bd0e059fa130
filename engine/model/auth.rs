//! How an API is signed in to.

use std::time::Duration;

use crate::model::{
    action::Body,
    http::{HeaderName, Method},
    rule::Rule,
    schema::Schema,
    sign::{Assertion, AwsSigv4, Signature, SignatureMethod},
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
    /// `OAUTH2_CC`
    ClientCredentials(Box<ClientCredentials>),
    /// `OAUTH1`
    OAuth1(Box<OAuth1>),
    /// `TWO_STEP`, `APP`: requests of the blueprint's own that yield a token.
    Session(Box<Session>),
    /// `JWT`: a token that we sign.
    Jwt(Box<Assertion>),
    /// `AWS_SIGV4`
    AwsSigv4(Box<AwsSigv4>),
    /// `SIGNATURE`
    Signature(Box<Signature>),
}

impl AuthMode {
    /// As it stands in files: `OAUTH2`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ApiKey => "API_KEY",
            Self::Basic { .. } => "BASIC",
            Self::OAuth2(_) => "OAUTH2",
            Self::ClientCredentials(_) => "OAUTH2_CC",
            Self::OAuth1(_) => "OAUTH1",
            Self::Session(session) if session.app => "APP",
            Self::Session(_) => "TWO_STEP",
            Self::Jwt(_) => "JWT",
            Self::AwsSigv4(_) => "AWS_SIGV4",
            Self::Signature(_) => "SIGNATURE",
        }
    }

    /// Whether a fresh token can be had without a person; for `OAUTH2`, as long as the connection
    /// holds a refresh token.
    pub fn can_refresh(&self) -> bool {
        matches!(
            self,
            Self::OAuth2(_) | Self::ClientCredentials(_) | Self::Session(_) | Self::Jwt(_)
        )
    }

    /// Whether the vendor issues a token to it, which another of its servers may not know yet.
    pub fn issues_tokens(&self) -> bool {
        matches!(
            self,
            Self::OAuth2(_) | Self::ClientCredentials(_) | Self::Session(_) | Self::OAuth1(_)
        )
    }

    /// Whether what the user enters is enough to get the first token, without a browser.
    pub fn obtains_by_itself(&self) -> bool {
        matches!(self, Self::ClientCredentials(_) | Self::Session(_) | Self::Jwt(_))
    }

    /// Whether a person signs in at the vendor's page.
    pub fn has_consent(&self) -> bool {
        matches!(self, Self::OAuth2(_) | Self::OAuth1(_))
    }

    /// Whether what tokens are got with is a person's, who can sign in or enter it again.
    pub fn has_owner(&self) -> bool {
        self.has_consent() || matches!(self, Self::Session(session) if !session.app)
    }

    /// Asked for when neither the integration nor the caller names any.
    pub fn default_scopes(&self) -> &[String] {
        match self {
            Self::OAuth2(oauth) => &oauth.default_scopes,
            Self::ClientCredentials(cc) => &cc.default_scopes,
            Self::None
            | Self::ApiKey
            | Self::Basic { .. }
            | Self::OAuth1(_)
            | Self::Session(_)
            | Self::Jwt(_)
            | Self::AwsSigv4(_)
            | Self::Signature(_) => &[],
        }
    }

    /// How answers of the token endpoint are read, where there is one.
    pub fn answer(&self) -> Option<&AnswerMap> {
        match self {
            Self::OAuth2(oauth) => Some(&oauth.token.answer),
            Self::ClientCredentials(cc) => Some(&cc.token.answer),
            Self::Session(session) => Some(&session.answer),
            Self::None
            | Self::ApiKey
            | Self::Basic { .. }
            | Self::OAuth1(_)
            | Self::Jwt(_)
            | Self::AwsSigv4(_)
            | Self::Signature(_) => None,
        }
    }

    /// What the token answer leaves on the connection.
    pub fn save(&self) -> &[(String, Shape)] {
        match self {
            Self::OAuth2(oauth) => &oauth.token.answer.save,
            Self::ClientCredentials(cc) => &cc.token.answer.save,
            Self::OAuth1(oauth) => &oauth.save,
            Self::Session(session) => &session.answer.save,
            Self::None
            | Self::ApiKey
            | Self::Basic { .. }
            | Self::Jwt(_)
            | Self::AwsSigv4(_)
            | Self::Signature(_) => &[],
        }
    }
}

/// What OAuth 2 needs to know of an API (RFC 6749, section 4.1).
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// Where the browser goes; templates over `integration`, `connection`.
    pub authorization_url: Template,
    /// Further parameters of that URL.
    pub authorization_params: Vec<(String, Shape)>,
    /// Other names for parameters of that URL.
    pub authorization_rename: Vec<(String, String)>,
    /// The callback's parameter with the code; `code`.
    pub code_param: String,
    /// Where devices ask for a code (RFC 8628, section 3.1).
    pub device_authorization_url: Option<Template>,
    /// Asked for when the integration names none.
    pub default_scopes: Vec<String>,
    /// Between scopes; a space by default.
    pub scope_separator: String,
    /// PKCE with S256 (RFC 7636); on by default.
    pub pkce: bool,
    /// `iss` of callbacks (RFC 9207), where the vendor announces it.
    pub issuer: Option<Template>,
    /// Whether callbacks must carry it.
    pub issuer_required: bool,
    /// Where codes become tokens.
    pub token: TokenEndpoint,
    /// Where refresh tokens become tokens; the token endpoint by default.
    pub refresh_url: Option<Template>,
    /// Further parameters of refresh requests; those of the token endpoint by default.
    pub refresh_params: Option<Vec<(String, Shape)>>,
    /// A request that trades the first token for the lasting one.
    pub exchange: Option<AuthRequest>,
    /// Whether that is made at the sign-in alone, and not after a refresh as well.
    pub exchange_once: bool,
    /// A request that says when a token ends whose answer did not (RFC 7662).
    pub introspect: Option<AuthRequest>,
    /// A request that takes the tokens back.
    pub revoke: Option<AuthRequest>,
}

/// What `OAUTH2_CC` needs to know of an API (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Where tokens come from.
    pub token: TokenEndpoint,
    /// Asked for when the integration names none.
    pub default_scopes: Vec<String>,
    /// Between scopes; a space by default.
    pub scope_separator: String,
    /// A request that takes the token back.
    pub revoke: Option<AuthRequest>,
}

/// Where grants become tokens, and how it is asked.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    /// Template over `integration`, `connection`, `credentials`.
    pub url: Template,
    /// `POST`
    pub method: Method,
    /// Further parameters.
    pub params: Vec<(String, Shape)>,
    /// Further headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// How the client shows who it is.
    pub client_auth: ClientAuth,
    /// How parameters are written.
    pub format: TokenFormat,
    /// Other names for parameters.
    pub rename: Vec<(String, String)>,
    /// What signs for `private_key_jwt`, and `credentials.assertion`.
    pub assertion: Option<Assertion>,
    /// Types of tokens that are taken, beside `Bearer`.
    pub token_types: Vec<String>,
    /// How answers are read.
    pub answer: AnswerMap,
}

/// How a token answer is read.
#[derive(Debug, Clone, Default)]
pub struct AnswerMap {
    /// `{{body.access_token}}` by default.
    pub access_token: Option<Template>,
    /// `{{body.refresh_token}}` by default.
    pub refresh_token: Option<Template>,
    /// `{{body.scope}}` by default; a text or a list.
    pub scope: Option<Shape>,
    /// When the token ends; `{{body.expires_in}}` in seconds by default.
    pub expiry: Option<(Template, ExpiryUnit)>,
    /// Further tokens, `credentials.<name>`.
    pub tokens: Vec<(String, Template)>,
    /// Lifetime of a token whose answer does not say.
    pub expires_in: Option<Duration>,
    /// Rules of the endpoint; first match wins, before the built-in ones.
    pub responses: Vec<Rule>,
    /// Values of the answer to keep on the connection.
    pub save: Vec<(String, Shape)>,
}

/// How the end of a token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryUnit {
    /// Seconds from now, as number or text; or a span such as `2h`.
    Seconds,
    /// Milliseconds from now.
    Millis,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// ISO 8601.
    Iso,
    /// The three dates of HTTP.
    HttpDate,
    /// `D:HH:MM`, from now.
    Clock,
    /// A JSON Web Token with `exp`.
    Jwt,
}

/// A request of the blueprint's own within signing in: a step of `TWO_STEP`, `exchange`, `revoke`.
#[derive(Debug, Clone)]
pub struct AuthRequest {
    /// `steps.<id>` afterwards.
    pub id: String,
    /// The method.
    pub method: Method,
    /// A whole URL.
    pub url: Template,
    /// Parameters.
    pub query: Vec<(String, Shape)>,
    /// Fields.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: Body,
    /// How the answer is read.
    pub accept: AuthAccept,
    /// How the client shows who it is; `None` leaves it to the templates.
    pub client_auth: Option<ClientAuth>,
}

/// `accept` of an [`AuthRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthAccept {
    /// JSON, or form fields where it looks like those.
    #[default]
    Auto,
    /// XML: elements become members.
    Xml,
    /// The body is one text.
    Text,
}

/// `TWO_STEP`, `APP`.
#[derive(Debug, Clone)]
pub struct Session {
    /// `APP` rather than `TWO_STEP`.
    pub app: bool,
    /// In order; each may read the answers of those before it.
    pub steps: Vec<AuthRequest>,
    /// Instead of `steps`, once a refresh token is held.
    pub refresh_steps: Vec<AuthRequest>,
    /// Read as `credentials.assertion`.
    pub assertion: Option<Assertion>,
    /// How the answers are read: over `steps`, and `body` of the last one.
    pub answer: AnswerMap,
    /// A request that ends the session.
    pub revoke: Option<AuthRequest>,
}

/// What OAuth 1 needs to know of an API (RFC 5849, section 2).
#[derive(Debug, Clone)]
pub struct OAuth1 {
    /// Where temporary credentials come from.
    pub request_url: Template,
    /// Where the browser goes.
    pub authorization_url: Template,
    /// Further parameters of that URL.
    pub authorization_params: Vec<(String, Shape)>,
    /// Where the verifier becomes the token.
    pub token_url: Template,
    /// How requests are signed.
    pub signature_method: SignatureMethod,
    /// `realm` of the header.
    pub realm: Option<Template>,
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
    /// A signed assertion (RFC 7523, section 2.2).
    PrivateKeyJwt,
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
