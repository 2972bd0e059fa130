//! The device grant (RFC 8628): a code here, a person elsewhere.

use std::time::Duration;

use oauth2::{DeviceCode, StandardDeviceAuthorizationResponse};
use serde_json::Value;

use crate::{
    auth::{TokenGrant, TokenOutcome, TokenRequest, ask},
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
    code: DeviceCode,
    interval: Duration,
    lifetime: Duration,
}

/// Asks for a code.
pub async fn begin(
    request: TokenRequest<'_>,
    oauth: &OAuth2,
    scopes: &[String],
) -> Result<Device, Failure> {
    let Some(url) = &oauth.device_authorization_url else {
        return Err(Failure::new(
            Code::InvalidInput,
            "this API knows no sign-in by a device's code (`device_authorization_url`)",
        ));
    };
    let id = request.integration.oauth_client_id.clone().unwrap_or_default();
    let mut form = vec![("client_id".to_owned(), Shape::Literal(id.into()))];
    if !scopes.is_empty() {
        let scope = scopes.join(&oauth.scope_separator);
        form.push(("scope".to_owned(), Shape::Literal(scope.into())));
    }
    let asked = AuthRequest {
        id: "device".to_owned(),
        method: Method::POST,
        url: url.clone(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Form(Shape::Object(form)),
        accept: AuthAccept::Auto,
        // Public clients have nothing to show; others show it as at the token endpoint.
        client_auth: Some(oauth.token.client_auth).filter(|how| {
            let shows = matches!(how, ClientAuth::Basic | ClientAuth::BasicRaw);
            shows && request.integration.oauth_client_secret.is_some()
        }),
    };
    let body = crate::auth::send_plain(request, &asked).await?;
    read(body).ok_or_else(|| {
        let message = "the answer of the device endpoint lacks a code, or a URL to confirm it at";
        Failure::new(Code::ProviderError, message)
    })
}

/// Reads the answer of section 3.2, and what vendors make of it: a lifetime that is missing, spans
/// with a fraction, and `verification_url`, its name in a draft, instead of or beside the other.
fn read(mut body: Value) -> Option<Device> {
    let members = body.as_object_mut()?;
    if members.contains_key("verification_uri") {
        members.remove("verification_url");
    }
    for (name, usual) in [("interval", INTERVAL), ("expires_in", LONGEST)] {
        let given = members.get(name).and_then(Value::as_f64).filter(|n| *n >= 0.0);
        let given = given.and_then(|n| Duration::try_from_secs_f64(n).ok()).unwrap_or(usual);
        members.insert(name.to_owned(), given.as_secs().into());
    }
    let answer: StandardDeviceAuthorizationResponse = serde_json::from_value(body).ok()?;
    Some(Device {
        user_code: answer.user_code().secret().clone(),
        verification_uri: answer.verification_uri().to_string(),
        verification_uri_complete: answer.verification_uri_complete().map(|u| u.secret().clone()),
        code: answer.device_code().clone(),
        interval: answer.interval().max(Duration::from_secs(1)),
        lifetime: answer.expires_in().min(LONGEST),
    })
}

/// Asks again and again until the person has confirmed, refused, or let the code end (section 3.5).
pub async fn confirmed(
    request: TokenRequest<'_>,
    device: &Device,
    clock: &dyn Clock,
) -> Result<TokenOutcome, Failure> {
    let end = clock.elapsed() + device.lifetime;
    let mut interval = device.interval;
    loop {
        clock.sleep(interval).await;
        if clock.elapsed() > end {
            return Err(Failure::new(Code::Timeout, "the code ended before it was confirmed")
                .with_hint("begin again"));
        }
        let request = TokenRequest { now: clock.now(), ..request };
        let granted = ask(request, TokenGrant::Device(device.code.secret())).await;
        match granted {
            TokenOutcome::Pending(false) => {}
            TokenOutcome::Pending(true) => interval += INTERVAL,
            // The network's bad moments are waited out like a person's.
            TokenOutcome::NotNow { ref reason, .. } => {
                tracing::warn!(reason, "the device's code is asked about again");
                interval += INTERVAL;
            }
            TokenOutcome::Tokens(_)
            | TokenOutcome::Rotated { .. }
            | TokenOutcome::Dead { .. }
            | TokenOutcome::Refused { .. }
            | TokenOutcome::Impossible { .. } => return Ok(granted),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_read_as_vendors_write_them() {
        let standard = json!({
            "device_code": "d", "user_code": "ABCD", "verification_uri": "https://v.test/device",
            "verification_uri_complete": "https://v.test/device?c=ABCD", "expires_in": 900, "interval": 2,
        });
        let with = |changes: Value| {
            let mut body = standard.clone();
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            read(body).map(|device| (device.interval.as_secs(), device.lifetime.as_secs()))
        };
        for (changes, expected) in [
            (json!({}), Some((2, 900))),
            (json!({"expires_in": null, "interval": null}), Some((5, 1800))),
            (json!({"expires_in": 1.5, "interval": 0.2}), Some((1, 1))),
            (json!({"expires_in": -1, "interval": "x"}), Some((5, 1800))),
            (json!({"expires_in": 1e18, "extra": 1.5}), Some((2, 1800))),
            (json!({"verification_url": "https://old.test"}), Some((2, 900))),
            (
                json!({"verification_url": "https://old.test", "verification_uri": null}),
                Some((2, 900)),
            ),
            (json!({"verification_uri": null}), None),
            (json!({"device_code": null}), None),
            (json!({"user_code": 5}), None),
        ] {
            assert_eq!(with(changes.clone()), expected, "{changes}");
        }
        let device = read(standard).unwrap();
        assert_eq!(device.user_code, "ABCD");
        assert_eq!(device.verification_uri, "https://v.test/device");
        assert_eq!(
            device.verification_uri_complete.as_deref(),
            Some("https://v.test/device?c=ABCD")
        );
    }
}
