//! The authorization request and what comes back from it (RFC 6749, section 4.1; RFC 7636;
//! RFC 9207). Pure but for the randomness of its beginning.

use std::borrow::Cow;

use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{Ground, whole_url},
    model::{
        account::Connection, auth::OAuth2, blueprint::Integration, failure::Code, failure::Failure,
        time::Timestamp,
    },
    template::{self, Fault},
};

/// Random bytes of a state and of a verifier (RFC 7636, section 4.1).
const RANDOM: u32 = 32;

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
    pub verifier: Option<PkceCodeVerifier>,
    state: CsrfToken,
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
        let id = integration.oauth_client_id.clone().unwrap_or_default();
        let redirect = RedirectUrl::new(redirect_uri.to_owned())
            .map_err(|_| Fault::new("the redirect URL is not a URL"))?;
        let client =
            BasicClient::new(ClientId::new(id)).set_auth_uri(AuthUrl::from_url(url.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(RANDOM))
            .set_redirect_uri(Cow::Owned(redirect));
        if !scopes.is_empty() {
            // The crate would join them with spaces; some vendors want commas.
            request = request.add_scope(Scope::new(scopes.join(&oauth.scope_separator)));
        }
        let mut verifier = None;
        if oauth.pkce {
            let (challenge, own) = PkceCodeChallenge::new_random_sha256_len(RANDOM);
            request = request.set_pkce_challenge(challenge);
            verifier = Some(own);
        }
        let (asked, state) = request.url();
        // What the vendor does in its own way changes the usual parameters, and none of its URL's.
        let usual = asked.query_pairs().into_owned().skip(url.query_pairs().count());
        let mut params: Vec<(String, String)> = usual.collect();
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
            state: CsrfToken::new(token.to_owned()),
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
        // `CsrfToken` compares in constant time.
        let ours = |state: &str| CsrfToken::new(state.to_owned()) == self.state;
        if get("denied").is_some_and(|token| self.state_param != "state" && ours(token)) {
            return Returned::Denied(refused("the sign-in was refused"));
        }
        match get(self.state_param) {
            Some(state) if ours(state) => {}
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

/// The parameters of a redirect URL that a person pasted; `None` if it is not one of ours.
pub fn pasted(text: &str, redirect_uri: &str) -> Option<Vec<(String, String)>> {
    let (given, wanted) = (Url::parse(text.trim()).ok()?, Url::parse(redirect_uri).ok()?);
    let same = given.origin() == wanted.origin() && given.path() == wanted.path();
    same.then(|| given.query_pairs().into_owned().collect())
}
