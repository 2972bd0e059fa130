//! Reads what a token endpoint answers (RFC 6749, section 5, and the ways vendors bend it).

use std::time::Duration;

use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use serde_json::{Map, Value};

use crate::model::{
    http::Response,
    secret::Secret,
    time::{Timestamp, parse_span},
};

/// No token lives longer; what claims to is taken to live that long.
const LONGEST: Duration = Duration::from_hours(87840);

/// Tokens, as the endpoint gave them.
pub struct TokenAnswer {
    /// The access token; has no control characters.
    pub access_token: Secret,
    /// A new refresh token, if one came; without one the old one stays.
    pub refresh_token: Option<Secret>,
    /// When the access token ends, if the answer or the blueprint says.
    pub expires_at: Option<Timestamp>,
    /// The whole answer as received, JSON text.
    pub raw: Secret,
}

/// The body of a token answer as JSON: JSON itself, or form fields as an object of texts (GitHub
/// without an Accept header). `None` for anything else, such as an HTML page.
pub fn body(response: &Response) -> Option<Value> {
    let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
    if let Ok(value @ Value::Object(_)) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let kind = response.headers.get("content-type").unwrap_or_default();
    let text = std::str::from_utf8(bytes).ok()?;
    let looks_like_form = kind.starts_with("application/x-www-form-urlencoded")
        || text.starts_with("access_token=")
        || text.starts_with("error=");
    let form = || url::form_urlencoded::parse(text.trim().as_bytes());
    looks_like_form.then(|| {
        Value::Object(form().map(|(k, v)| (k.into_owned(), v.into_owned().into())).collect())
    })
}

/// Reads a successful answer. The error is a sentence that quotes nothing of it.
pub fn tokens(
    body: &Value,
    now: Timestamp,
    default_lifetime: Option<Duration>,
) -> Result<TokenAnswer, &'static str> {
    let empty = Map::new();
    let map = body.as_object().unwrap_or(&empty);
    let access_token = token(map, "access_token")?.ok_or("the answer holds no `access_token`")?;
    let refresh_token = token(map, "refresh_token")?;
    let lifetime = map.get("expires_in").and_then(seconds).or(default_lifetime);
    let raw = Secret::new(body.to_string());
    Ok(TokenAnswer {
        access_token,
        refresh_token,
        expires_at: lifetime.map(|span| now.plus(span.min(LONGEST))),
        raw,
    })
}

/// A token field: absent, null and empty are the same; control characters are refused, because
/// they would end up in a header.
fn token(map: &Map<String, Value>, name: &str) -> Result<Option<Secret>, &'static str> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            Err("a token of the answer holds control characters")
        }
        Some(Value::String(text)) => Ok(Some(Secret::new(text.clone()))),
        Some(_) => Err("a token of the answer is no text"),
    }
}

/// `expires_in`: a number or its text, decimals allowed, or a span such as `2h`. Zero, negative
/// and unreadable values say nothing.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => Some(number),
            Err(_) => parse_span(text.trim()).map(|span| span.as_secs_f64()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.filter(|n| n.is_finite() && *n >= 1.0)?;
    Some(Duration::try_from_secs_f64(number.floor()).unwrap_or(LONGEST).min(LONGEST))
}

/// What an error body says, in the endpoint's own words: `error: description`.
pub fn error_text(body: &Value) -> Option<String> {
    let error: BasicErrorResponse = serde_json::from_value(body.clone()).ok()?;
    let description = error.error_description().map(|text| format!(": {text}")).unwrap_or_default();
    Some(format!("{}{description}", error.error().as_ref()))
}

/// Whether an error body is one that no later try can mend (RFC 6749, section 5.2).
pub fn is_terminal(body: &Value) -> bool {
    let error: Option<BasicErrorResponse> = serde_json::from_value(body.clone()).ok();
    error.is_some_and(|error| {
        matches!(
            error.error(),
            BasicErrorResponseType::InvalidGrant
                | BasicErrorResponseType::InvalidClient
                | BasicErrorResponseType::UnauthorizedClient
        )
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn response(kind: &str, text: &str) -> Response {
        let headers = [("content-type", kind.to_owned())].into_iter().collect();
        Response { status: 200, headers, body: Bytes::from(text.to_owned()) }
    }

    #[test]
    fn odd_lifetimes_are_read_or_ignored() {
        let now = Timestamp(0);
        for (value, expected) in [
            (json!(3600), Some(3_600_000)),
            (json!("3600"), Some(3_600_000)),
            (json!(3.5), Some(3_000)),
            (json!("2h"), Some(7_200_000)),
            (json!(0), None),
            (json!(-5), None),
            (json!(null), None),
            (json!("soon"), None),
            (json!(1e18), Some(316_224_000_000)),
        ] {
            let body = json!({"access_token": "a", "expires_in": value});
            let found = tokens(&body, now, None).ok().and_then(|t| t.expires_at).map(|t| t.0);
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn tokens_that_would_break_a_header_are_refused() {
        for bad in [
            json!({"access_token": "a\r\nb"}),
            json!({"access_token": 5}),
            json!({}),
            json!({"access_token": ""}),
        ] {
            assert!(tokens(&bad, Timestamp(0), None).is_err(), "{bad}");
        }
        let kept = tokens(&json!({"access_token": "a", "refresh_token": ""}), Timestamp(0), None);
        assert!(kept.is_ok_and(|t| t.refresh_token.is_none()));
    }

    #[test]
    fn forms_are_read_and_pages_are_not() {
        let form = body(&response("application/x-www-form-urlencoded", "access_token=a&scope=b+c"));
        assert_eq!(form, Some(json!({"access_token": "a", "scope": "b c"})));
        assert_eq!(body(&response("text/html", "<html>access_token=</html>")), None);
        assert_eq!(
            body(&response("text/javascript", "{\"error\":\"x\"}")),
            Some(json!({"error": "x"}))
        );
    }

    #[test]
    fn only_three_errors_are_terminal() {
        for (error, terminal) in [
            ("invalid_grant", true),
            ("invalid_client", true),
            ("unauthorized_client", true),
            ("invalid_request", false),
            ("server_error", false),
        ] {
            assert_eq!(is_terminal(&json!({"error": error})), terminal, "{error}");
        }
    }
}
