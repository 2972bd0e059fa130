//! OAuth 1: temporary credentials, the browser, the token (RFC 5849, section 2).

use serde_json::{Map, Value};

use crate::{
    auth::{SignInScope, Signed, TokenRequest, send_signed, whole_url},
    connect::authorization::Begun,
    model::{
        account::Connection,
        auth::OAuth1,
        failure::{Code, Failure},
        secret::Secret,
    },
    template::{self, Fault},
};

/// Credentials between the two requests.
pub struct Temporary<'a> {
    /// `oauth_token`
    pub token: &'a str,
    /// `oauth_token_secret`
    pub secret: &'a Secret,
}

/// Asks for temporary credentials (section 2.1).
pub async fn begin(
    request: TokenRequest<'_>,
    oauth: &OAuth1,
    redirect_uri: &str,
) -> Result<Begun, Failure> {
    let roots = SignInScope::new(request.integration, request.connection, request.now);
    let scope = roots.scope();
    let url = whole_url(&oauth.request_url, &scope).map_err(|f| impossible(&f))?;
    let ask = Signed { url, token: None, more: &[("oauth_callback", redirect_uri)] };
    let answer = send_signed(request, oauth, ask).await?;
    let (token, secret) = pair(&answer)?;
    let mut url = whole_url(&oauth.authorization_url, &scope).map_err(|f| impossible(&f))?;
    let mut params = vec![("oauth_token".to_owned(), token.clone())];
    for (name, shape) in &oauth.authorization_params {
        match template::evaluate(shape, &scope).map_err(|f| impossible(&f))? {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => params.push((name.clone(), text)),
            Some(other) => params.push((name.clone(), other.to_string())),
        }
    }
    url.query_pairs_mut().extend_pairs(&params);
    Ok(Begun { url, state: token, verifier: None, token_secret: Some(secret), issuer: None })
}

/// Turns the verifier into the token (section 2.3), and puts it into the connection.
pub async fn finish(
    request: TokenRequest<'_>,
    oauth: &OAuth1,
    temporary: Temporary<'_>,
    verifier: &str,
) -> Result<Connection, Failure> {
    let roots = SignInScope::new(request.integration, request.connection, request.now);
    let url = whole_url(&oauth.token_url, &roots.scope()).map_err(|f| impossible(&f))?;
    let token = Some((temporary.token, temporary.secret));
    let ask = Signed { url, token, more: &[("oauth_verifier", verifier)] };
    let answer = send_signed(request, oauth, ask).await?;
    let (token, secret) = pair(&answer)?;
    let mut connection = request.connection.clone();
    let fields = &mut connection.secrets.credentials.fields;
    fields.insert("oauth_token".to_owned(), Secret::new(token));
    fields.insert("oauth_token_secret".to_owned(), secret);
    let mut seen = roots.scope().with("body", &answer);
    seen.lenient = true;
    let mut saved = Map::new();
    for (name, shape) in &oauth.save {
        if let Some(value) = template::evaluate(shape, &seen).map_err(|f| impossible(&f))? {
            saved.insert(name.clone(), value);
        }
    }
    connection.take_values(&request.integration.blueprint.connection_schema, saved);
    Ok(connection)
}

fn pair(answer: &Value) -> Result<(String, Secret), Failure> {
    let none = Map::new();
    let map = answer.as_object().unwrap_or(&none);
    let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("oauth_token"), text("oauth_token_secret")) {
        (Some(token), Some(secret)) if !token.contains(char::is_control) => {
            Ok((token.to_owned(), Secret::new(secret.to_owned())))
        }
        _ => Err(Failure::new(Code::ProviderError, "the answer holds no `oauth_token`")),
    }
}

fn impossible(fault: &Fault) -> Failure {
    Failure::new(Code::Template, fault.message.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pair_is_whole_and_fits_a_header() {
        let good = json!({"oauth_token": "t", "oauth_token_secret": "s"});
        assert_eq!(pair(&good).unwrap().0, "t");
        for bad in [
            json!({"oauth_token": "t"}),
            json!({"oauth_token": "", "oauth_token_secret": "s"}),
            json!({"oauth_token": "a\r\nb", "oauth_token_secret": "s"}),
            json!({"oauth_token": 1, "oauth_token_secret": "s"}),
            json!("t"),
        ] {
            assert!(pair(&bad).is_err(), "{bad}");
        }
    }
}
