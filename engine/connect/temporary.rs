//! OAuth 1: temporary credentials, the browser, the token (RFC 5849, section 2).

use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{Ground, Parties, Signed, signed, whole_url},
    model::{
        account::Connection,
        auth::OAuth1,
        failure::{Code, Failure},
        secret::Secret,
    },
    template::{self, Fault},
};

/// Between the two requests.
pub struct Temporary {
    /// Where the browser goes.
    pub url: Url,
    /// `oauth_token`: what the callback must name.
    pub token: String,
    secret: Secret,
}

/// Asks for temporary credentials (section 2.1).
pub async fn begin(
    parties: Parties<'_>,
    oauth: &OAuth1,
    redirect_uri: &str,
) -> Result<Temporary, Failure> {
    let ground = Ground::new(parties.integration, parties.connection, parties.now);
    let scope = ground.scope();
    let url = whole_url(&oauth.request_url, &scope).map_err(|f| impossible(&f))?;
    let answer = signed(
        parties,
        oauth,
        Signed { url, token: None, more: &[("oauth_callback", redirect_uri)] },
    )
    .await?;
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
    Ok(Temporary { url, token, secret })
}

/// Turns the verifier into the token (section 2.3), and puts it into the connection.
pub async fn finish(
    parties: Parties<'_>,
    oauth: &OAuth1,
    temporary: &Temporary,
    verifier: &str,
) -> Result<Connection, Failure> {
    let ground = Ground::new(parties.integration, parties.connection, parties.now);
    let scope = ground.scope();
    let url = whole_url(&oauth.token_url, &scope).map_err(|f| impossible(&f))?;
    let answer = signed(
        parties,
        oauth,
        Signed {
            url,
            token: Some((&temporary.token, &temporary.secret)),
            more: &[("oauth_verifier", verifier)],
        },
    )
    .await?;
    let (token, secret) = pair(&answer)?;
    let mut connection = parties.connection.clone();
    let fields = &mut connection.secrets.credentials.fields;
    fields.insert("oauth_token".to_owned(), Secret::new(token));
    fields.insert("oauth_token_secret".to_owned(), secret);
    let mut seen = ground.scope().with("body", &answer);
    seen.lenient = true;
    for (name, shape) in &oauth.save {
        let value = template::evaluate(shape, &seen).map_err(|f| impossible(&f))?;
        if let (Some(value), Some(map)) =
            (value, connection.account.connection_config.as_object_mut())
        {
            map.insert(name.clone(), value);
        }
    }
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
