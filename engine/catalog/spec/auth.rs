//! `auth` of a blueprint.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::{
        common::{RuleSpec, SchemaForm},
        sign::{AssertionSpec, SignatureMethodSpec, SignatureSpec},
    },
};

/// How one signs in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Where the values of a token answer stand.
    pub token_response: Option<TokenResponseSpec>,
    /// OAUTH2: a request that trades the first token for the lasting one.
    pub exchange: Option<Located<AuthRequestSpec>>,
    /// OAUTH2: other names for parameters of the authorization URL.
    pub authorization_rename: Option<BTreeMap<String, String>>,
    /// OAUTH2: the callback's parameter with the code; `code`.
    pub code_param: Option<String>,
    /// OAUTH2: where devices ask for a code (RFC 8628).
    #[schemars(with = "Option<String>")]
    pub device_authorization_url: Option<Raw>,
    /// OAUTH2: `iss` that callbacks carry (RFC 9207); what carries another one is refused.
    #[schemars(with = "Option<String>")]
    pub issuer: Option<Raw>,
    /// OAUTH2: a request that says when a token ends whose answer did not (RFC 7662).
    pub introspect: Option<Located<AuthRequestSpec>>,
    /// A request that takes a token back; RFC 7009 is one `post` with a form.
    pub revoke: Option<Located<AuthRequestSpec>>,
    /// A JSON Web Token that we sign: of `JWT` the token itself, elsewhere `credentials.assertion`.
    pub assertion: Option<Located<AssertionSpec>>,
    /// `TWO_STEP`, `APP`: the requests that yield the token.
    #[serde(default)]
    pub steps: Vec<Located<AuthRequestSpec>>,
    /// `TWO_STEP`, `APP`: instead of `steps`, once there is a refresh token.
    #[serde(default)]
    pub refresh_steps: Vec<Located<AuthRequestSpec>>,
    /// OAUTH1: where temporary credentials come from.
    #[schemars(with = "Option<String>")]
    pub request_url: Option<Raw>,
    /// OAUTH1: `HMAC-SHA1` by default.
    pub signature_method: Option<SignatureMethodSpec>,
    /// OAUTH1: `realm` of the header.
    #[schemars(with = "Option<String>")]
    pub realm: Option<Raw>,
    /// `AWS_SIGV4`: the service's name.
    #[schemars(with = "Option<String>")]
    pub service: Option<Raw>,
    /// `AWS_SIGV4`: the region.
    #[schemars(with = "Option<String>")]
    pub region: Option<Raw>,
    /// SIGNATURE: what is signed, and how.
    pub signature: Option<Located<SignatureSpec>>,
}

/// A request within signing in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthRequestSpec {
    /// Its name under `steps`.
    pub id: Option<Located<String>>,
    /// GET this URL.
    #[schemars(with = "Option<String>")]
    pub get: Option<Raw>,
    /// POST to this URL.
    #[schemars(with = "Option<String>")]
    pub post: Option<Raw>,
    /// PUT to this URL.
    #[schemars(with = "Option<String>")]
    pub put: Option<Raw>,
    /// DELETE this URL.
    #[schemars(with = "Option<String>")]
    pub delete: Option<Raw>,
    /// Query parameters; absent values are left out.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub query: Option<Raw>,
    /// Header fields.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub headers: Option<Raw>,
    /// A JSON body.
    pub json: Option<Raw>,
    /// A form body.
    pub form: Option<Raw>,
    /// A text body, such as XML.
    #[schemars(with = "Option<String>")]
    pub text: Option<Raw>,
    /// How the answer is read; JSON, or form fields where it looks like those.
    pub accept: Option<AuthAcceptSpec>,
    /// How the client shows who it is; templates do, by default.
    pub client_auth: Option<Located<ClientAuthSpec>>,
}

/// How an answer within signing in is read.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthAcceptSpec {
    /// JSON, or form fields where it looks like those.
    Json,
    /// The same as `json`.
    Form,
    /// XML: elements become members, repeated ones lists, attributes `@name`.
    Xml,
    /// The body is one text.
    Text,
}

/// Where the values of a token answer stand: templates over `body`, `headers`, `status`, and in
/// sessions `steps`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenResponseSpec {
    /// `{{body.access_token}}`
    #[schemars(with = "Option<String>")]
    pub access_token: Option<Raw>,
    /// `{{body.refresh_token}}`
    #[schemars(with = "Option<String>")]
    pub refresh_token: Option<Raw>,
    /// `{{body.scope}}`
    #[schemars(with = "Option<String>")]
    pub scope: Option<Raw>,
    /// How long the token lives; `{{body.expires_in}}` in seconds.
    pub expires_in: Option<ExpirySpec>,
    /// When the token ends.
    pub expires_at: Option<ExpirySpec>,
    /// Further tokens by name, read as `credentials.<name>`.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub tokens: Option<Raw>,
}

/// A time of a token answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpirySpec {
    /// Where it stands.
    #[schemars(with = "String")]
    pub value: Raw,
    /// How it is written.
    #[serde(rename = "as")]
    pub unit: ExpiryUnitSpec,
}

/// How the end of a token is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryUnitSpec {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Ms,
    /// A span such as `2h`.
    Duration,
    /// `D:HH:MM`, from now.
    Clock,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// ISO 8601.
    Iso,
    /// A date of HTTP.
    HttpDate,
    /// A JSON Web Token with `exp`.
    Jwt,
}

/// How token requests are made.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequestSpec {
    /// `POST`, or `GET`.
    pub method: Option<Located<String>>,
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
    /// Other names for parameters.
    pub rename: Option<BTreeMap<String, String>>,
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
    /// As a signed assertion (RFC 7523), made by `assertion`.
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
