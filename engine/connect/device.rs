//! The device grant (RFC 8628): a code here, a person elsewhere.

use std::time::Duration;

use serde_json::Value;

use crate::{
    auth::{Ask, Granted, Parties, ask},
    clock::Clock,
    model::{
        action::Body,
        auth::{AuthAccept, AuthRequest, ClientAuth, OAuth2},
        failure::{Code, Failure},
        http::Method,
        template::Shape,
    },
};

/// Between two questions, unless the vendor says otherwise (section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// No code lives longer.
const LONGEST: Duration = Duration::from_mins(30);

/// What a person needs to confirm.
pub struct Device {
    /// To be typed.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    code: String,
    interval: Duration,
    lifetime: Duration,
}

/// Asks for a code.
pub async fn begin(
    parties: Parties<'_>,
    oauth: &OAuth2,
    scopes: &[String],
) -> Result<Device, Failure> {
    let Some(url) = &oauth.device_authorization_url else {
        return Err(Failure::new(
            Code::InvalidInput,
            "this API knows no sign-in by a device's code (`device_authorization_url`)",
        ));
    };
    let id = parties.integration.oauth_client_id.clone().unwrap_or_default();
    let mut form = vec![("client_id".to_owned(), Shape::Literal(id.into()))];
    if !scopes.is_empty() {
        let scope = scopes.join(&oauth.scope_separator);
        form.push(("scope".to_owned(), Shape::Literal(scope.into())));
    }
    let request = AuthRequest {
        id: "device".to_owned(),
        method: Method::Post,
        url: url.clone(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Form(Shape::Object(form)),
        accept: AuthAccept::Auto,
        // Public clients have nothing to show; others show it as at the token endpoint.
        client_auth: Some(oauth.token.client_auth).filter(|how| {
            let shows = matches!(how, ClientAuth::Basic | ClientAuth::BasicRaw);
            shows && parties.integration.oauth_client_secret.is_some()
        }),
    };
    let body = crate::auth::own(parties, &request).await?;
    read(&body).ok_or_else(|| {
        Failure::new(Code::ProviderError, "the answer of the device endpoint lacks a code")
    })
}

fn read(body: &Value) -> Option<Device> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let span = |name: &str| {
        let number = body.get(name)?.as_f64().filter(|n| n.is_finite() && *n >= 0.0)?;
        Duration::try_from_secs_f64(number).ok()
    };
    Some(Device {
        code: text("device_code")?,
        user_code: text("user_code")?,
        verification_uri: text("verification_uri").or_else(|| text("verification_url"))?,
        verification_uri_complete: text("verification_uri_complete"),
        interval: span("interval").unwrap_or(INTERVAL).max(Duration::from_secs(1)),
        lifetime: span("expires_in").unwrap_or(LONGEST).min(LONGEST),
    })
}

/// Asks again and again until the person has confirmed, refused, or let the code end (section 3.5).
pub async fn confirmed(
    parties: Parties<'_>,
    device: &Device,
    clock: &dyn Clock,
) -> Result<Granted, Failure> {
    let end = clock.elapsed() + device.lifetime;
    let mut interval = device.interval;
    loop {
        clock.sleep(interval).await;
        if clock.elapsed() > end {
            return Err(Failure::new(Code::Timeout, "the code ended before it was confirmed")
                .with_hint("begin again"));
        }
        let parties = Parties { now: clock.now(), ..parties };
        let granted = ask(parties, Ask::Device(&device.code)).await;
        match granted {
            Granted::Pending(false) => {}
            Granted::Pending(true) => interval += INTERVAL,
            // The network's bad moments are waited out like a person's.
            Granted::NotNow { ref reason, .. } => {
                tracing::warn!(reason, "the device's code is asked about again");
                interval += INTERVAL;
            }
            Granted::Tokens(_)
            | Granted::Dead { .. }
            | Granted::Refused { .. }
            | Granted::Impossible { .. } => return Ok(granted),
        }
    }
}
