//! The authorization request (RFC 6749, section 4.1.1; RFC 7636).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::BasicClient,
};
use serde_json::Value;
use url::Url;

use crate::{
    auth::{SignInScope, TokenRequest, whole_url},
    model::{auth::OAuth2, secret::Secret},
    policy::query,
    template::{self, Fault},
    value::random,
};

/// Random bytes of a state and of a verifier (RFC 7636, section 4.1).
const RANDOM: usize = 32;

/// What a person is asked to allow, and where the browser comes back to.
#[derive(Debug, Clone, Copy)]
pub struct Authorization<'a> {
    /// As the vendor must know it.
    pub redirect_uri: &'a str,
    /// What is asked for.
    pub scopes: &'a [String],
}

/// A sign-in that has begun.
pub struct Begun {
    /// Where the browser goes.
    pub url: Url,
    /// What the callback must name: `state`, or the temporary `oauth_token` of OAuth 1.
    pub state: String,
    /// RFC 7636: goes to the token endpoint alone.
    pub verifier: Option<Secret>,
    /// Of the temporary token (RFC 5849, section 2.1).
    pub token_secret: Option<Secret>,
    /// Who must answer (RFC 9207).
    pub issuer: Option<String>,
}

/// Begins.
pub fn begin(
    request: TokenRequest<'_>,
    oauth: &OAuth2,
    wanted: Authorization<'_>,
) -> Result<Begun, Fault> {
    let roots = SignInScope::new(request.integration, request.connection, request.now);
    let scope = roots.scope();
    let mut url = whole_url(&oauth.authorization_url, &scope)?;
    let id = roots.credentials().client().0.to_owned();
    let redirect = RedirectUrl::new(wanted.redirect_uri.to_owned())
        .map_err(|_| Fault::new("the redirect URL is not a URL"))?;
    // Parameters of the vendor's own stay, unless ours have the same name.
    let mut bare = url.clone();
    bare.set_query(None);
    let client = BasicClient::new(ClientId::new(id)).set_auth_uri(AuthUrl::from_url(bare));
    // The crate's own randomness ends the process where the system has none.
    let state = unguessable()?;
    let mut asked = client
        .authorize_url(|| CsrfToken::new(state.clone()))
        .set_redirect_uri(Cow::Owned(redirect));
    if !wanted.scopes.is_empty() {
        // The crate would join them with spaces; some vendors want commas.
        asked = asked.add_scope(Scope::new(wanted.scopes.join(&oauth.scope_separator)));
    }
    let mut verifier = None;
    if oauth.pkce {
        let own = PkceCodeVerifier::new(unguessable()?);
        asked = asked.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&own));
        verifier = Some(Secret::new(own.into_secret()));
    }
    let (asked, _) = asked.url();
    // What the vendor does in its own way changes the usual parameters.
    let mut params: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    for (name, shape) in &oauth.authorization_params {
        params.retain(|(known, _)| known != name);
        match template::evaluate(shape, &scope)? {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => params.push((name.clone(), text)),
            Some(other) => params.push((name.clone(), other.to_string())),
        }
    }
    for (name, _) in &mut params {
        if let Some((_, to)) = oauth.authorization_rename.iter().find(|(from, _)| from == name) {
            name.clone_from(to);
        }
    }
    let mut added = url::form_urlencoded::Serializer::new(String::new());
    query::replace(&mut url, &added.extend_pairs(&params).finish());
    let issuer = match &oauth.issuer {
        Some(template) => template::text(template, &scope)?,
        None => None,
    };
    Ok(Begun { url, state, verifier, token_secret: None, issuer })
}

/// 43 characters of URL-safe base64.
fn unguessable() -> Result<String, Fault> {
    let bytes = random::bytes::<RANDOM>().map_err(|error| Fault::new(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{
        connect::scene::{Scene, literal},
        model::template::Template,
        sign::digest::sha256,
    };

    fn begun(change: impl FnOnce(&mut OAuth2)) -> (Begun, HashMap<String, String>) {
        let scene = Scene::new(change);
        let scopes = ["a".to_owned(), "b".to_owned()];
        let wanted = Authorization { redirect_uri: "http://localhost/cb", scopes: &scopes };
        let begun = begin(scene.request(), scene.oauth(), wanted).unwrap();
        let params = begun.url.query_pairs().into_owned().collect();
        (begun, params)
    }

    #[test]
    fn the_verifier_stays_here_and_its_challenge_goes() {
        let (begun, params) = begun(|oauth| oauth.pkce = true);
        let verifier = begun.verifier.unwrap();
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.expose().as_bytes()));
        assert_eq!((verifier.expose().len(), &params["code_challenge"]), (43, &challenge));
        assert_eq!(params["code_challenge_method"], "S256");
        assert_eq!((params["state"].as_str(), params["state"].len()), (begun.state.as_str(), 43));
        assert!(!begun.url.as_str().contains(verifier.expose()));
        let (other, _) = self::begun(|oauth| oauth.pkce = false);
        assert!(other.verifier.is_none() && other.state != begun.state);
    }

    #[test]
    fn the_query_of_the_endpoint_is_kept_and_a_parameter_stands_once() {
        let (begun, params) = begun(|oauth| {
            let url = "https://acme.test/authorize?resource=https%3A%2F%2Fapi.acme.test&scope=x";
            oauth.authorization_url = Template::text(url);
        });
        assert_eq!(params["resource"], "https://api.acme.test");
        assert_eq!(params["scope"], "a b");
        assert_eq!(begun.url.query_pairs().filter(|(name, _)| name == "scope").count(), 1);
    }

    #[test]
    fn vendors_ways_change_the_usual_parameters() {
        let (_, params) = begun(|oauth| {
            oauth.scope_separator = ",".to_owned();
            oauth.authorization_params =
                vec![literal("access_type", "offline"), literal("scope", "x,y")];
            oauth.authorization_rename = vec![("client_id".to_owned(), "app_id".to_owned())];
        });
        assert_eq!((params.get("client_id"), params["app_id"].as_str()), (None, "id"));
        assert_eq!(params["access_type"], "offline");
        assert_eq!(params["scope"], "x,y");
        assert_eq!(params["redirect_uri"], "http://localhost/cb");
    }
}
