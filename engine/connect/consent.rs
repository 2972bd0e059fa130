//! A sign-in between its beginning and its callback, as the store keeps it, and what the callback
//! means (RFC 6749, section 4.1.2; RFC 9207; RFC 5849, section 2.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::TokenRequest,
    connect::{
        authorization::{self, Authorization, Begun},
        temporary,
    },
    model::{
        auth::AuthMode,
        failure::{Code, Failure},
    },
    sign::digest::sha256,
    store::Consent,
    value::hex,
};

/// How long a person may take at the vendor's page.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// Parameters that name a sign-in: of OAuth 2, of OAuth 1, and of OAuth 1 where it was refused.
const STATES: [&str; 3] = ["state", "oauth_token", "denied"];

/// What else a callback needs of a sign-in. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// What was asked for.
    pub scopes: Vec<String>,
    /// `connection.*`, as far as it is known before and not sealed.
    pub connection_config: Value,
    /// Free-form data; `{}` keeps what is there.
    pub metadata: Value,
    /// The URL of the sandbox that plays the vendor.
    pub sandbox: Option<String>,
}

impl Parameters {
    /// As the row keeps them.
    pub fn to_json(&self) -> Value {
        // Text and JSON: nothing in it can fail to serialise.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what [`Parameters::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

/// The parameters of a callback, decoded, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackParams(pub Vec<(String, String)>);

impl CallbackParams {
    /// Of a URL's query.
    pub fn of_query(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Of a URL that a person pasted; `None` if it is not the redirect.
    pub fn pasted(text: &str, redirect_uri: &str) -> Option<Self> {
        let (given, wanted) = (Url::parse(text.trim()).ok()?, Url::parse(redirect_uri).ok()?);
        let same = given.origin() == wanted.origin() && given.path() == wanted.path();
        same.then(|| Self::of_query(given.query().unwrap_or_default()))
    }

    /// A parameter. One that comes twice does not count (RFC 6749, section 3.1).
    fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter().filter(|(known, _)| known == name);
        let first = all.next().map(|(_, value)| value.as_str());
        first.filter(|_| all.next().is_none())
    }

    /// The hashes of the sign-ins that it may be the answer to.
    pub fn state_hashes(&self) -> Vec<String> {
        STATES.iter().filter_map(|name| self.get(name)).map(hash).collect()
    }
}

/// Of a state: a row is known by it, and nobody can turn it back.
pub fn hash(state: &str) -> String {
    hex::encode(&sha256(state.as_bytes()))
}

/// Begins a sign-in by browser.
pub async fn begin(request: TokenRequest<'_>, wanted: Authorization<'_>) -> Result<Begun, Failure> {
    match &request.integration.blueprint.auth.mode {
        AuthMode::OAuth2(oauth) => authorization::begin(request, oauth, wanted)
            .map_err(|fault| Failure::new(Code::Template, fault.message)),
        AuthMode::OAuth1(oauth) => temporary::begin(request, oauth, wanted.redirect_uri).await,
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::ClientCredentials(_)
        | AuthMode::Session(_)
        | AuthMode::Jwt(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => {
            Err(Failure::new(Code::InvalidInput, "this API has no page to sign in at"))
        }
    }
}

/// What a callback brought.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The code, or the verifier of OAuth 1.
    pub code: String,
    /// All other parameters, for `auth.save`.
    pub callback: Value,
}

/// Reads the callback of a sign-in. An error ends the sign-in.
pub fn answer(
    mode: &AuthMode,
    consent: &Consent,
    params: &CallbackParams,
) -> Result<Answer, Failure> {
    let (state_param, code_param, issuer_required) = match mode {
        AuthMode::OAuth2(oauth) => ("state", oauth.code_param.as_str(), oauth.issuer_required),
        AuthMode::OAuth1(_) => ("oauth_token", "oauth_verifier", false),
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::ClientCredentials(_)
        | AuthMode::Session(_)
        | AuthMode::Jwt(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => {
            return Err(refused("this API has no page to sign in at any more"));
        }
    };
    let ours = |state: &str| hash(state) == consent.state_hash;
    if state_param != "state" && params.get("denied").is_some_and(ours) {
        return Err(refused("the sign-in was refused"));
    }
    if !params.get(state_param).is_some_and(ours) {
        return Err(refused(&format!("the answer carries no `{state_param}`")));
    }
    // Said twice, it says nothing (RFC 6749, section 3.1).
    let said = params.0.iter().any(|(name, _)| name == "iss");
    let foreign = |wanted: &String| said && params.get("iss") != Some(wanted);
    if consent.issuer.as_ref().is_some_and(foreign) {
        let message = "the answer comes from another server than the one that was asked (`iss`)";
        return Err(refused(message));
    }
    if let Some(error) = params.get("error") {
        let words =
            params.get("error_description").map(|text| format!(": {text}")).unwrap_or_default();
        return Err(refused(&format!("the sign-in was refused: {error}{words}")));
    }
    if consent.issuer.is_some() && issuer_required && !said {
        let message = "the answer does not say which server it comes from (`iss`), so that it may be another's";
        return Err(refused(message).with_hint(
            "if the vendor sends no `iss`, its blueprint says `iss: optional` beside `issuer`",
        ));
    }
    let Some(code) = params.get(code_param).filter(|code| !code.is_empty()) else {
        return Err(refused(&format!("the answer carries no `{code_param}`")));
    };
    let others = params.0.iter().filter(|(name, _)| name != code_param && name != "state");
    let callback: Map<String, Value> =
        others.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    Ok(Answer { code: code.to_owned(), callback: Value::Object(callback) })
}

/// A sign-in that came to nothing.
pub fn refused(message: &str) -> Failure {
    Failure::new(Code::Unauthorized, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        connect::scene::Scene,
        model::{account::AccountKey, time::Timestamp},
    };

    fn consent(state: &str) -> Consent {
        Consent {
            state_hash: hash(state),
            account: AccountKey::parse("hubspot", "default").unwrap(),
            verifier: None,
            token_secret: None,
            credentials: std::collections::BTreeMap::new(),
            connection_config: std::collections::BTreeMap::new(),
            redirect_uri: "http://localhost/cb".to_owned(),
            issuer: Some("https://v.test".to_owned()),
            session: None,
            cookie_hash: None,
            socket_id: None,
            return_url: None,
            parameters: Value::Null,
            expires_at: Timestamp(0),
        }
    }

    #[test]
    fn answers_of_oauth_2_are_read_or_refused() {
        let scene = Scene::new(|oauth| oauth.issuer_required = false);
        let strict = Scene::new(|_| {});
        let missing = CallbackParams::of_query("code=c&state=s");
        let failure = answer(strict.mode(), &consent("s"), &missing).unwrap_err();
        assert!(failure.message.contains("which server"), "{}", failure.message);
        let silent = Consent { issuer: None, ..consent("s") };
        assert!(answer(strict.mode(), &silent, &missing).is_ok());
        for (query, expected) in [
            ("code=c&state=s", Ok("c")),
            ("code=c&state=s&iss=https%3A%2F%2Fv.test", Ok("c")),
            ("code=c&state=s&iss=https%3A%2F%2Fevil.test", Err("another server")),
            ("code=c&state=s&iss=https%3A%2F%2Fv.test&iss=x", Err("another server")),
            ("error=access_denied&error_description=no&state=s", Err("access_denied: no")),
            ("error=access_denied&code=c&state=s", Err("refused: access_denied")),
            ("state=s", Err("no `code`")),
            ("code=&state=s", Err("no `code`")),
            ("code=a&code=b&state=s", Err("no `code`")),
            ("code=c&state=other", Err("no `state`")),
            ("code=c&state=s&state=s", Err("no `state`")),
            ("code=c&oauth_token=s", Err("no `state`")),
            ("denied=s", Err("no `state`")),
        ] {
            let params = CallbackParams::of_query(query);
            match (answer(scene.mode(), &consent("s"), &params), expected) {
                (Ok(found), Ok(code)) => assert_eq!(found.code, code, "{query}"),
                (Err(failure), Err(said)) => {
                    assert!(failure.message.contains(said), "{query}: {}", failure.message);
                }
                (found, _) => panic!("{query}: {found:?}"),
            }
        }
        let params = CallbackParams::of_query("code=c&state=s&site=north");
        let found = answer(scene.mode(), &consent("s"), &params).unwrap();
        assert_eq!(found.callback, json!({"site": "north"}));
    }

    #[test]
    fn a_callback_names_its_sign_in_once() {
        let hashes = |query: &str| CallbackParams::of_query(query).state_hashes();
        assert_eq!(hashes("code=c&state=s"), [hash("s")]);
        assert_eq!(hashes("oauth_token=t&oauth_verifier=v"), [hash("t")]);
        assert_eq!(hashes("denied=t"), [hash("t")]);
        assert!(hashes("code=c&state=s&state=s").is_empty());
        assert!(hashes("code=c").is_empty());
    }

    #[test]
    fn a_pasted_url_is_the_redirect_or_nothing() {
        let read = |text: &str| CallbackParams::pasted(text, "http://localhost:1/cb");
        let found = CallbackParams::of_query("code=c&state=a b");
        assert_eq!(read(" http://localhost:1/cb?code=c&state=a%20b\n"), Some(found));
        for other in ["http://localhost:2/cb?code=c", "http://localhost:1/x?code=c", "code=c", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn parameters_come_back_as_they_went() {
        let parameters = Parameters {
            scopes: vec!["a".to_owned()],
            connection_config: json!({"site": 12_345_678_901_234_567_890_u64}),
            metadata: json!({}),
            sandbox: None,
        };
        let text = parameters.to_json().to_string();
        let read = serde_json::from_str(&text).unwrap();
        assert_eq!(Parameters::from_json(&read), Some(parameters));
        assert_eq!(Parameters::from_json(&json!({"scopes": 1})), None);
    }
}
