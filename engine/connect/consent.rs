//! The authorization request and what comes back from it (RFC 6749, section 4.1; RFC 7636;
//! RFC 9207). Pure but for the randomness of its beginning.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{Ground, whole_url},
    model::{
        auth::OAuth2, blueprint::Integration, connection::Connection, failure::Code,
        failure::Failure, time::Timestamp,
    },
    sign::digest::sha256,
    template::{self, Fault},
};

/// How long a person may take at the vendor's page.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);

/// One attempt to sign in: bound to its integration, connection, verifier and redirect, and good
/// for one answer, because [`Consent::check`] consumes what it accepts.
pub struct Consent {
    /// Where the browser goes.
    pub url: Option<Url>,
    /// Where it comes back to.
    pub redirect_uri: String,
    /// RFC 7636: never printed, never logged.
    pub verifier: Option<String>,
    state: String,
    state_param: &'static str,
    code_param: String,
    issuer: Option<String>,
    until: Timestamp,
}

/// What a callback means.
#[derive(Debug, PartialEq)]
pub enum Returned {
    /// A code, and all parameters for `auth.save`.
    Code(String, Value),
    /// The person or the vendor said no: the sign-in is over.
    Denied(Failure),
    /// It belongs to another attempt: this one goes on.
    Foreign(String),
}

impl Consent {
    /// Begins.
    pub fn begin(
        oauth: &OAuth2,
        (integration, connection): (&Integration, &Connection),
        (redirect_uri, scopes): (&str, &[String]),
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let ground = Ground::new(integration, connection, now);
        let scope = ground.scope();
        let mut url = whole_url(&oauth.authorization_url, &scope)?;
        let state = token()?;
        let verifier = oauth.pkce.then(token).transpose()?;
        let mut params: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: &str| params.push((name.to_owned(), value.to_owned()));
        put("response_type", "code");
        put("client_id", integration.oauth_client_id.as_deref().unwrap_or_default());
        put("redirect_uri", redirect_uri);
        if !scopes.is_empty() {
            put("scope", &scopes.join(&oauth.scope_separator));
        }
        put("state", &state);
        if let Some(verifier) = &verifier {
            put("code_challenge", &URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())));
            put("code_challenge_method", "S256");
        }
        for (name, shape) in &oauth.authorization_params {
            params.retain(|(known, _)| known != name);
            match template::evaluate(shape, &scope)? {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => params.push((name.clone(), text)),
                Some(other) => params.push((name.clone(), other.to_string())),
            }
        }
        for (name, _) in &mut params {
            if let Some((_, to)) = oauth.authorization_rename.iter().find(|(from, _)| from == name)
            {
                name.clone_from(to);
            }
        }
        url.query_pairs_mut().extend_pairs(&params);
        let issuer = match &oauth.issuer {
            Some(template) => template::text(template, &scope)?,
            None => None,
        };
        Ok(Self {
            url: Some(url),
            redirect_uri: redirect_uri.to_owned(),
            verifier,
            state,
            state_param: "state",
            code_param: oauth.code_param.clone(),
            issuer,
            until: now.plus(PATIENCE),
        })
    }

    /// For OAuth 1, whose callback names the temporary token and brings `oauth_verifier`.
    pub fn of_token(token: &str, redirect_uri: &str, now: Timestamp) -> Self {
        Self {
            url: None,
            redirect_uri: redirect_uri.to_owned(),
            verifier: None,
            state: token.to_owned(),
            state_param: "oauth_token",
            code_param: "oauth_verifier".to_owned(),
            issuer: None,
            until: now.plus(PATIENCE),
        }
    }

    /// Reads a callback.
    pub fn check(&self, params: &[(String, String)], now: Timestamp) -> Returned {
        let get = |name: &str| {
            let mut all = params.iter().filter(|(known, _)| known == name);
            let first = all.next().map(|(_, value)| value.as_str());
            // A parameter that comes twice is none (RFC 6749, section 3.1).
            first.filter(|_| all.next().is_none())
        };
        let foreign = |text: &str| Returned::Foreign(text.to_owned());
        if get("denied").is_some_and(|token| self.state_param != "state" && token == self.state) {
            return Returned::Denied(refused("the sign-in was refused"));
        }
        match get(self.state_param) {
            Some(state) if same(state, &self.state) => {}
            Some(_) => return foreign("this answer belongs to another attempt to sign in"),
            None => return foreign(&format!("this answer carries no `{}`", self.state_param)),
        }
        if now > self.until {
            return Returned::Denied(refused("the sign-in took longer than ten minutes"));
        }
        if let (Some(wanted), Some(found)) = (&self.issuer, get("iss"))
            && wanted != found
        {
            let message =
                "the answer comes from another server than the one that was asked (`iss`)";
            return Returned::Denied(refused(message));
        }
        if let Some(error) = get("error") {
            let words =
                get("error_description").map(|text| format!(": {text}")).unwrap_or_default();
            let message = format!("the sign-in was refused: {error}{words}");
            return Returned::Denied(refused(&message));
        }
        match get(&self.code_param) {
            Some(code) if !code.is_empty() => {
                let all: Map<String, Value> = params
                    .iter()
                    .filter(|(name, _)| *name != self.code_param && name != "state")
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect();
                Returned::Code(code.to_owned(), Value::Object(all))
            }
            Some(_) | None => {
                let message = format!("the answer carries no `{}`", self.code_param);
                Returned::Denied(refused(&message))
            }
        }
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(Code::Unauthorized, message)
}

/// 256 random bits as RFC 7636, section 4.1, wants them.
fn token() -> Result<String, Fault> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| Fault::new("the system has no randomness to give"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Compares without telling by its time where two texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

/// The parameters of a redirect URL that a person pasted; `None` if it is not one of ours.
pub fn pasted(text: &str, redirect_uri: &str) -> Option<Vec<(String, String)>> {
    let (given, wanted) = (Url::parse(text.trim()).ok()?, Url::parse(redirect_uri).ok()?);
    let same = given.origin() == wanted.origin() && given.path() == wanted.path();
    same.then(|| given.query_pairs().into_owned().collect())
}
