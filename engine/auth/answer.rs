//! Reads what a token endpoint answers (RFC 6749, section 5, and the ways vendors bend it).

use std::time::Duration;

use oauth2::DeviceCodeErrorResponse;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    model::{
        auth::{AnswerMap, ExpiryUnit},
        http::{Fields, Response},
        secret::Secret,
        template::{Shape, Template},
        time::{Timestamp, parse_span},
    },
    sign::jwt,
    template::{self, Scope},
};

/// No token lives longer; what claims to is taken to live that long.
const LONGEST: Duration = Duration::from_hours(87840);

/// Tokens, as the endpoint gave them.
pub struct TokenAnswer {
    /// The access token; has no control characters.
    pub access_token: Secret,
    /// A new refresh token, if one came; without one the old one stays.
    pub refresh_token: Option<Secret>,
    /// Further tokens by name.
    pub further: Vec<(String, Secret)>,
    /// When the access token ends, if the answer or the blueprint says.
    pub expires_at: Option<Timestamp>,
    /// What was granted, if the answer says.
    pub scopes: Option<Vec<String>>,
    /// Values to keep on the connection.
    pub saved: Map<String, Value>,
    /// The whole answer as received, JSON text.
    pub raw: Secret,
}

/// Why an answer yields no token that can be used.
#[derive(Debug)]
pub struct NoToken {
    /// A sentence that quotes nothing of it.
    pub reason: String,
    /// The new refresh token, if one came all the same.
    pub refresh_token: Option<Secret>,
}

impl From<String> for NoToken {
    fn from(reason: String) -> Self {
        Self { reason, refresh_token: None }
    }
}

/// An answer, and what else templates see beside it.
pub struct Seen<'a> {
    /// A token was spent for it: of a part that is no token and cannot be read, a warning is all
    /// that comes, or the new tokens would be lost with it.
    pub spent: bool,
    /// The body.
    pub body: &'a Value,
    /// The rest.
    pub scope: Scope<'a>,
}

/// The body of a token answer as JSON: JSON itself, or form fields as an object of texts (GitHub
/// without an Accept header). `None` for anything else, such as an HTML page.
pub fn body(response: &Response) -> Option<Value> {
    let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
    if let Ok(value @ Value::Object(_)) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let kind = response.headers.text("content-type").unwrap_or_default();
    let text = std::str::from_utf8(bytes).ok()?;
    let looks_like_form = kind.starts_with("application/x-www-form-urlencoded")
        || text.starts_with("access_token=")
        || text.starts_with("oauth_token=")
        || text.starts_with("error=");
    let form = || url::form_urlencoded::parse(text.trim().as_bytes());
    looks_like_form.then(|| {
        Value::Object(form().map(|(k, v)| (k.into_owned(), v.into_owned().into())).collect())
    })
}

/// Reads a successful answer: by the blueprint's map, else as RFC 6749 says.
pub fn tokens(map: &AnswerMap, seen: &Seen<'_>, now: Timestamp) -> Result<TokenAnswer, NoToken> {
    let scope = seen.scope.clone().with("body", seen.body);
    let mut scope = scope;
    scope.lenient = true;
    let usual = |name: &str| seen.body.get(name).cloned();
    let field = |template: Option<&Template>, name: &str| match template {
        Some(template) => value(template, &scope),
        None => Ok(usual(name)),
    };
    let refresh_token = field(map.refresh_token.as_ref(), "refresh_token").and_then(token);
    let access_token = field(map.access_token.as_ref(), "access_token").and_then(token);
    let access_token = access_token.and_then(|token| token.ok_or_else(no_token));
    let access_token = match access_token {
        Ok(access_token) => access_token,
        Err(reason) => {
            return Err(NoToken { reason, refresh_token: refresh_token.ok().flatten() });
        }
    };
    let refresh_token = refresh_token?;
    let part = |name: &str, found: Result<Option<Value>, String>| match found {
        Err(reason) if seen.spent => {
            tracing::warn!(part = name, reason, "a part of the token answer is left out");
            Ok(None)
        }
        found => found,
    };
    let shape = |shape: &Shape| template::evaluate(shape, &scope).map_err(|fault| fault.message);
    let mut further = Vec::new();
    for (name, template) in &map.tokens {
        let found = value(template, &scope).and_then(|value| match token(value.clone()) {
            Ok(_) => Ok(value),
            Err(reason) => Err(reason),
        });
        if let Some(secret) = token(part(name, found)?)? {
            further.push((name.clone(), secret));
        }
    }
    let stated = match &map.expiry {
        Some((template, unit)) => {
            part("expiry", value(template, &scope))?.and_then(|v| ends(&v, *unit, now))
        }
        None => usual("expires_in").and_then(|v| ends(&v, ExpiryUnit::Seconds, now)),
    };
    let fallback = || map.expires_in.map(|span| now.plus(span.min(LONGEST)));
    let granted = match &map.scope {
        Some(scopes) => part("scope", shape(scopes))?,
        None => usual("scope"),
    };
    let saved = map.save.iter().map(|(name, shown)| Ok((name.clone(), part(name, shape(shown))?)));
    let saved = saved.collect::<Result<Vec<_>, String>>()?;
    let saved = saved.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Ok(TokenAnswer {
        access_token,
        refresh_token,
        further,
        expires_at: stated.or_else(fallback),
        scopes: granted.as_ref().and_then(scopes),
        saved: saved.filter(|(_, value)| !value.is_null()).collect(),
        raw: Secret::new(seen.body.to_string()),
    })
}

fn no_token() -> String {
    "the answer holds no access token".to_owned()
}

fn value(template: &Template, scope: &Scope<'_>) -> Result<Option<Value>, String> {
    let found = template::value(template, scope).map_err(|fault| fault.message)?;
    Ok(found.map(std::borrow::Cow::into_owned))
}

/// A token field: absent, null and empty are the same; control characters are refused, because
/// they would end up in a header.
fn token(value: Option<Value>) -> Result<Option<Secret>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            Err("a token of the answer holds control characters".to_owned())
        }
        Some(Value::String(text)) => Ok(Some(Secret::new(text))),
        Some(_) => Err("a token of the answer is no text".to_owned()),
    }
}

/// Granted scopes: a list, or a text with spaces or commas between.
pub fn scopes(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            let parts = text.split([' ', ',']).filter(|part| !part.is_empty());
            Some(parts.map(str::to_owned).collect())
        }
        Value::Array(list) => {
            Some(list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// When a token ends. What says nothing, such as zero, negative or unreadable values, is `None`.
fn ends(value: &Value, unit: ExpiryUnit, now: Timestamp) -> Option<Timestamp> {
    let after = |span: Option<Duration>| span.map(|span| now.plus(span.min(LONGEST)));
    let at = |ms: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the filter")]
        let time = Timestamp(ms as i64);
        (ms.is_finite() && ms > 0.0 && ms < 9e15).then(|| time.min(now.plus(LONGEST)))
    };
    let text = value.as_str().map(str::trim);
    match unit {
        ExpiryUnit::Seconds => after(seconds(value, 1.0)),
        ExpiryUnit::Millis => after(seconds(value, 1000.0)),
        ExpiryUnit::EpochSeconds => number(value).and_then(|n| at(n * 1000.0)),
        ExpiryUnit::EpochMillis => number(value).and_then(at),
        ExpiryUnit::Iso => {
            let time = text?.parse::<jiff::Timestamp>().ok()?;
            Some(Timestamp(time.as_millisecond()).min(now.plus(LONGEST)))
        }
        ExpiryUnit::HttpDate => {
            let time = httpdate::parse_http_date(text?).ok()?;
            let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(Timestamp(i64::try_from(since.as_millis()).ok()?).min(now.plus(LONGEST)))
        }
        ExpiryUnit::Clock => after(clock(text?)),
        ExpiryUnit::Jwt => {
            jwt::claims(text?)?.get("exp").and_then(number).and_then(|n| at(n * 1000.0))
        }
    }
}

/// `D:HH:MM`, from now.
fn clock(text: &str) -> Option<Duration> {
    let mut parts = text.split(':').map(|part| part.trim().parse::<u64>().ok());
    let (days, hours, minutes) = (parts.next()??, parts.next()??, parts.next()??);
    let minutes =
        days.checked_mul(24)?.checked_add(hours)?.checked_mul(60)?.checked_add(minutes)?;
    Some(Duration::from_secs(minutes.checked_mul(60)?)).filter(|span| !span.is_zero())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number or its text, decimals allowed, or a span such as `2h`.
fn seconds(value: &Value, per_second: f64) -> Option<Duration> {
    let span = || value.as_str().and_then(|text| parse_span(text.trim())).map(|s| s.as_secs_f64());
    let number = number(value).map(|n| n / per_second).or_else(span);
    let number = number.filter(|n| n.is_finite() && *n >= 1.0)?;
    Some(Duration::try_from_secs_f64(number.floor()).unwrap_or(LONGEST).min(LONGEST))
}

/// The error of a token answer (RFC 6749, section 5.2; RFC 8628, section 3.5).
pub fn error(body: &Value) -> Option<DeviceCodeErrorResponse> {
    DeviceCodeErrorResponse::deserialize(body).ok()
}

/// What it says, in the endpoint's own words: `error: description`.
pub fn error_text(error: &DeviceCodeErrorResponse) -> String {
    let description = error.error_description().map(|text| format!(": {text}")).unwrap_or_default();
    format!("{}{description}", error.error())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::model::http::CONTENT_TYPE;

    fn response(kind: &str, text: &str) -> Response {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        Response { status: 200, headers, body: Bytes::from(text.to_owned()) }
    }

    fn read(body: &Value, map: &AnswerMap) -> Result<TokenAnswer, NoToken> {
        tokens(map, &Seen { spent: false, body, scope: Scope::new(Timestamp(0)) }, Timestamp(0))
    }

    #[test]
    fn nested_answers_are_read_by_their_map() {
        let template = |text: &str| template::parse(text).unwrap();
        let map = AnswerMap {
            access_token: Some(template("{{body.data.token}}")),
            tokens: vec![("user".to_owned(), template("{{body.authed_user.token}}"))],
            scope: Some(Shape::Template(template("{{body.data.scopes}}"))),
            expiry: Some((template("{{body.data.until}}"), ExpiryUnit::EpochSeconds)),
            save: vec![("site".to_owned(), Shape::Template(template("{{body.data.site}}")))],
            ..AnswerMap::default()
        };
        let body = json!({
            "data": {"token": "t", "scopes": ["a", "b"], "until": "1700000000", "site": "s"},
            "authed_user": {"token": "u"}
        });
        let found = read(&body, &map).unwrap();
        assert_eq!(found.access_token.expose(), "t");
        assert_eq!(
            found.further.first().map(|(n, s)| (n.as_str(), s.expose())),
            Some(("user", "u"))
        );
        assert_eq!(found.scopes, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(found.saved.get("site"), Some(&json!("s")));
        // Ten years are the most that anything is believed.
        assert_eq!(found.expires_at, Some(Timestamp(316_224_000_000)));
    }

    #[test]
    fn ends_of_tokens_are_written_in_many_ways() {
        let now = Timestamp(1_700_000_000_000);
        let token = "x.eyJleHAiOjE3MDAwMDM2MDB9.y";
        for (unit, value, after) in [
            (ExpiryUnit::Millis, json!(5000), 5_000),
            (ExpiryUnit::EpochMillis, json!(1_700_000_001_000_i64), 1_000),
            (ExpiryUnit::EpochSeconds, json!("1700000001"), 1_000),
            (ExpiryUnit::Iso, json!("2023-11-14T22:13:30Z"), 10_000),
            (ExpiryUnit::HttpDate, json!("Tue, 14 Nov 2023 22:13:30 GMT"), 10_000),
            (ExpiryUnit::Clock, json!("1:02:03"), (26 * 60 + 3) * 60_000),
            (ExpiryUnit::Jwt, json!(token), 3_600_000),
        ] {
            assert_eq!(ends(&value, unit, now), Some(Timestamp(now.0 + after)), "{unit:?} {value}");
            assert_eq!(ends(&json!({}), unit, now), None);
            assert_eq!(ends(&json!("soon"), unit, now), None);
        }
    }

    #[test]
    fn odd_lifetimes_are_read_or_ignored() {
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
            let found = read(&body, &AnswerMap::default()).ok();
            assert_eq!(found.and_then(|t| t.expires_at).map(|t| t.0), expected, "{value}");
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
            assert!(read(&bad, &AnswerMap::default()).is_err(), "{bad}");
        }
        let kept = read(&json!({"access_token": "a", "refresh_token": ""}), &AnswerMap::default());
        assert!(kept.is_ok_and(|t| t.refresh_token.is_none()));
    }

    #[test]
    fn tokens_that_were_paid_for_are_kept_whatever_else_is_wrong() {
        let broken = || template::parse("{{slice body.access_token 0}}").unwrap();
        let shape = || Shape::Template(broken());
        let map = AnswerMap {
            tokens: vec![("user".to_owned(), broken())],
            scope: Some(shape()),
            expiry: Some((broken(), ExpiryUnit::Seconds)),
            save: vec![("site".to_owned(), shape())],
            ..AnswerMap::default()
        };
        let body = json!({"access_token": "a", "refresh_token": "r"});
        assert!(read(&body, &map).is_err(), "at a sign-in it is an error");
        let scope = Scope::new(Timestamp(0));
        let seen = Seen { spent: true, body: &body, scope };
        let found = tokens(&map, &seen, Timestamp(0)).unwrap();
        assert_eq!(found.access_token.expose(), "a");
        assert_eq!(found.refresh_token.as_ref().map(Secret::expose), Some("r"));
        assert!(found.further.is_empty() && found.saved.is_empty() && found.scopes.is_none());
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
}
