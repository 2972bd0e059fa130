//! An OAuth server to practise with: codes with PKCE, refresh tokens that rotate and notice reuse,
//! devices, client credentials, revocation, and the three steps of OAuth 1. Pure: a request, the
//! time and some randomness in, an answer out.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header::LOCATION;
use serde_json::{Value, json};

use crate::{
    model::{
        http::{CONTENT_TYPE, Fields, HeaderMap, HeaderValue},
        time::Timestamp,
    },
    sandbox::{
        consent,
        exchange::{Incoming, Outgoing},
    },
    sign::digest::sha256,
};

/// Where the browser goes.
pub const AUTHORIZE: &str = "/sandbox/oauth/authorize";
/// Where grants become tokens.
pub const TOKEN: &str = "/sandbox/oauth/token";
/// Where devices ask for a code.
pub const DEVICE: &str = "/sandbox/oauth/device";
/// Where a device's code is typed.
pub const VERIFY: &str = "/sandbox/oauth/verify";
/// Where tokens are taken back (RFC 7009).
pub const REVOKE: &str = "/sandbox/oauth/revoke";
/// Where temporary credentials of OAuth 1 come from.
pub const TEMPORARY: &str = "/sandbox/oauth/request_token";

/// A code is good for so long.
const CODE_LIFE: Duration = Duration::from_mins(1);
/// Codes and tokens that are remembered.
const MOST: usize = 10_000;

/// What was promised to whom.
pub struct Oauth {
    /// Our own origin.
    base: String,
    /// What all access tokens begin with.
    token: String,
    lifetime: Duration,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    refresh: HashMap<String, Refresh>,
    access: HashMap<String, Timestamp>,
    revoked: Vec<u64>,
    temporary: HashMap<String, String>,
    count: u64,
}

struct Code {
    challenge: Option<String>,
    redirect_uri: String,
    scope: String,
    until: Timestamp,
}

struct Device {
    user_code: String,
    scope: String,
    allowed: Option<bool>,
}

struct Refresh {
    family: u64,
    scope: String,
    used: bool,
}

impl Oauth {
    /// Promises nothing yet. `base`: our own origin. Access tokens begin with `token` and live for
    /// `lifetime`.
    pub fn new(base: String, token: String, lifetime: Duration) -> Self {
        Self {
            base,
            token,
            lifetime,
            codes: HashMap::new(),
            devices: HashMap::new(),
            refresh: HashMap::new(),
            access: HashMap::new(),
            revoked: Vec::new(),
            temporary: HashMap::new(),
            count: 0,
        }
    }

    /// Whether an access token that we issued is still good; `None`: it is none of ours.
    pub fn is_good(&self, token: &str, now: Timestamp) -> Option<bool> {
        self.access.get(token).map(|end| now < *end)
    }

    /// Answers, if the path is one of ours. `secret`: fresh randomness.
    pub fn answer(
        &mut self,
        incoming: &Incoming,
        secret: &str,
        now: Timestamp,
    ) -> Option<Outgoing> {
        self.count += 1;
        let fresh = format!("{secret}{}", self.count);
        Some(match (incoming.method.as_str(), incoming.path.as_str()) {
            ("GET", AUTHORIZE | VERIFY) => consent::page(incoming),
            ("POST", AUTHORIZE) => self.decided(incoming, &fresh, now),
            ("POST", VERIFY) => self.verified(incoming),
            ("POST", TOKEN) if is_oauth1(incoming) => oauth1_pair(&self.token, &fresh),
            ("POST", TOKEN) => self.token(incoming, &fresh, now),
            ("POST", DEVICE) => self.device(incoming, &fresh),
            ("POST", REVOKE) => self.revoke(incoming),
            ("POST", TEMPORARY) => self.temporary(incoming, &fresh),
            _ => return None,
        })
    }

    /// The person has decided at our page.
    fn decided(&mut self, incoming: &Incoming, fresh: &str, now: Timestamp) -> Outgoing {
        let allowed = field(&fields(incoming), "decision") == Some("allow");
        let query = &incoming.query;
        if let Some(token) = field(query, "oauth_token") {
            let Some(callback) = self.temporary.remove(token) else {
                return error(400, "invalid_request", "nobody asked for this token");
            };
            let pair = if allowed {
                vec![("oauth_token", token), ("oauth_verifier", fresh)]
            } else {
                vec![("denied", token)]
            };
            return redirect(&callback, &pair);
        }
        let Some(redirect_uri) = field(query, "redirect_uri") else {
            return error(400, "invalid_request", "`redirect_uri` is missing");
        };
        let mut pairs = vec![("iss", self.base.as_str())];
        pairs.extend(field(query, "state").map(|state| ("state", state)));
        if !allowed {
            pairs.push(("error", "access_denied"));
            pairs.push(("error_description", "you said no"));
            return redirect(redirect_uri, &pairs);
        }
        if field(query, "code_challenge").is_some()
            && field(query, "code_challenge_method") != Some("S256")
        {
            return error(400, "invalid_request", "only S256 is taken");
        }
        let code = Code {
            challenge: field(query, "code_challenge").map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            scope: field(query, "scope").unwrap_or_default().to_owned(),
            until: now.plus(CODE_LIFE),
        };
        bounded(&mut self.codes);
        self.codes.insert(fresh.to_owned(), code);
        pairs.push(("code", fresh));
        redirect(redirect_uri, &pairs)
    }

    fn token(&mut self, incoming: &Incoming, fresh: &str, now: Timestamp) -> Outgoing {
        let mut form = fields(incoming);
        form.extend(incoming.query.iter().cloned());
        let get = |name: &str| field(&form, name);
        match get("grant_type") {
            Some("authorization_code") => {
                let Some(code) = get("code").and_then(|code| self.codes.remove(code)) else {
                    return error(400, "invalid_grant", "the code is unknown or was used already");
                };
                if now > code.until || get("redirect_uri") != Some(&code.redirect_uri) {
                    return error(
                        400,
                        "invalid_grant",
                        "the code has ended, or is for another redirect",
                    );
                }
                let hash = |text: &str| URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()));
                if code.challenge.is_some() && get("code_verifier").map(hash) != code.challenge {
                    return error(400, "invalid_grant", "the code verifier does not fit");
                }
                let family = self.count;
                self.issue(&code.scope, Some(family), fresh, now)
            }
            Some("refresh_token") => self.renew(get("refresh_token").unwrap_or(""), fresh, now),
            Some("client_credentials") => {
                self.issue(get("scope").unwrap_or_default(), None, fresh, now)
            }
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                let code = get("device_code").unwrap_or_default();
                match self.devices.get(code).map(|device| device.allowed) {
                    Some(None) => error(400, "authorization_pending", ""),
                    Some(Some(false)) => error(400, "access_denied", "you said no"),
                    Some(Some(true)) => {
                        let device = self.devices.remove(code);
                        let scope = device.map(|device| device.scope).unwrap_or_default();
                        let family = self.count;
                        self.issue(&scope, Some(family), fresh, now)
                    }
                    None => error(400, "expired_token", ""),
                }
            }
            _ => error(400, "unsupported_grant_type", ""),
        }
    }

    /// Each refresh token works once; a second time, all that came of it ends (RFC 9700, 4.14.2).
    fn renew(&mut self, token: &str, fresh: &str, now: Timestamp) -> Outgoing {
        let Some(known) = self.refresh.get_mut(token) else {
            return error(400, "invalid_grant", "the refresh token is unknown");
        };
        let (family, scope, reused) = (known.family, known.scope.clone(), known.used);
        known.used = true;
        if reused {
            self.revoked.push(family);
            return error(
                400,
                "invalid_grant",
                "the refresh token was used before; its family is revoked",
            );
        }
        if self.revoked.contains(&family) {
            return error(400, "invalid_grant", "the family of the refresh token is revoked");
        }
        self.issue(&scope, Some(family), fresh, now)
    }

    fn issue(&mut self, scope: &str, family: Option<u64>, fresh: &str, now: Timestamp) -> Outgoing {
        bounded(&mut self.access);
        bounded(&mut self.refresh);
        let access = format!("{}.{fresh}", self.token);
        self.access.insert(access.clone(), now.plus(self.lifetime));
        let mut body = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "scope": scope,
        });
        if let (Some(family), Some(map)) = (family, body.as_object_mut()) {
            let token = format!("refresh_{fresh}");
            map.insert("refresh_token".to_owned(), token.as_str().into());
            self.refresh.insert(token, Refresh { family, scope: scope.to_owned(), used: false });
        }
        plain(&body)
    }

    fn device(&mut self, incoming: &Incoming, fresh: &str) -> Outgoing {
        let base = &self.base;
        let form = fields(incoming);
        let short: String = fresh.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        let user_code = short.to_ascii_uppercase();
        let scope = field(&form, "scope").unwrap_or_default().to_owned();
        bounded(&mut self.devices);
        self.devices.insert(
            fresh.to_owned(),
            Device { user_code: user_code.clone(), scope, allowed: None },
        );
        plain(&json!({
            "device_code": fresh,
            "user_code": user_code,
            "verification_uri": format!("{base}{VERIFY}"),
            "verification_uri_complete": format!("{base}{VERIFY}?user_code={user_code}"),
            "expires_in": 600,
            "interval": 1,
        }))
    }

    fn verified(&mut self, incoming: &Incoming) -> Outgoing {
        let mut form = fields(incoming);
        form.extend(incoming.query.iter().cloned());
        let code = field(&form, "user_code").unwrap_or_default().trim().to_ascii_uppercase();
        let allowed = field(&form, "decision") == Some("allow");
        match self.devices.values_mut().find(|device| device.user_code == code) {
            Some(device) => {
                device.allowed = Some(allowed);
                consent::text("Thank you. You can go back to the terminal.")
            }
            None => error(404, "invalid_request", "no device waits for this code"),
        }
    }

    /// RFC 7009: unknown tokens are as good as revoked.
    fn revoke(&mut self, incoming: &Incoming) -> Outgoing {
        let form = fields(incoming);
        let token = field(&form, "token").unwrap_or_default();
        if let Some(refresh) = self.refresh.get(token) {
            self.revoked.push(refresh.family);
        }
        self.access.remove(token);
        Outgoing { status: 200, headers: HeaderMap::new(), body: Vec::new() }
    }

    fn temporary(&mut self, incoming: &Incoming, fresh: &str) -> Outgoing {
        let header = incoming.headers.text("authorization").unwrap_or_default();
        let callback =
            header.split("oauth_callback=\"").nth(1).and_then(|rest| rest.split('"').next());
        let callback = percent_encoding::percent_decode_str(callback.unwrap_or_default());
        bounded(&mut self.temporary);
        self.temporary.insert(fresh.to_owned(), callback.decode_utf8_lossy().into_owned());
        form(&[
            ("oauth_token", fresh),
            ("oauth_token_secret", "s"),
            ("oauth_callback_confirmed", "true"),
        ])
    }
}

fn bounded<V>(map: &mut HashMap<String, V>) {
    if map.len() >= MOST {
        map.clear();
    }
}

fn is_oauth1(incoming: &Incoming) -> bool {
    incoming.headers.text("authorization").is_some_and(|field| field.starts_with("OAuth "))
}

fn oauth1_pair(token: &str, fresh: &str) -> Outgoing {
    form(&[("oauth_token", &format!("{token}.{fresh}")), ("oauth_token_secret", "sandbox-secret")])
}

fn fields(incoming: &Incoming) -> Vec<(String, String)> {
    match serde_json::from_slice::<Value>(&incoming.body) {
        Ok(Value::Object(map)) => map
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect(),
        _ => url::form_urlencoded::parse(&incoming.body).into_owned().collect(),
    }
}

fn field<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn plain(body: &Value) -> Outgoing {
    let mut outgoing = Outgoing::json(200, body);
    outgoing.headers.insert("cache-control", HeaderValue::from_static("no-store"));
    outgoing
}

fn error(status: u16, code: &str, description: &str) -> Outgoing {
    let mut body = json!({"error": code});
    if let (false, Some(map)) = (description.is_empty(), body.as_object_mut()) {
        map.insert("error_description".to_owned(), description.into());
    }
    Outgoing::json(status, &body)
}

fn form(pairs: &[(&str, &str)]) -> Outgoing {
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = [(CONTENT_TYPE, kind)].into_iter().collect();
    Outgoing { status: 200, headers, body: text.into_bytes() }
}

/// 303, so that what was posted is not posted again (RFC 9700, section 4.12).
fn redirect(to: &str, pairs: &[(&str, &str)]) -> Outgoing {
    let Ok(mut url) = url::Url::parse(to) else {
        return error(400, "invalid_request", "the redirect is no URL");
    };
    url.query_pairs_mut().extend_pairs(pairs);
    let Ok(location) = HeaderValue::from_str(url.as_str()) else {
        return error(400, "invalid_request", "the redirect cannot stand in a header");
    };
    let headers = [(LOCATION, location)].into_iter().collect();
    Outgoing { status: 303, headers, body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const CALLBACK: &str = "http://127.0.0.1:9/callback";

    fn oauth() -> Oauth {
        let base = "http://127.0.0.1:1".to_owned();
        Oauth::new(base, "sandbox_x".to_owned(), Duration::from_hours(1))
    }

    fn post(oauth: &mut Oauth, target: &str, form: &[(&str, &str)], now: Timestamp) -> Outgoing {
        let url = url::Url::parse("http://127.0.0.1:1").unwrap().join(target).unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let incoming = Incoming {
            method: "POST".to_owned(),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            headers: HeaderMap::new(),
            body: body.into_bytes(),
        };
        oauth.answer(&incoming, "random", now).unwrap()
    }

    fn token(oauth: &mut Oauth, form: &[(&str, &str)], now: Timestamp) -> (u16, Value) {
        let answer = post(oauth, TOKEN, form, now);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn code(oauth: &mut Oauth, verifier: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
        let target = format!(
            "{AUTHORIZE}?redirect_uri={CALLBACK}&state=s&scope=read&code_challenge={challenge}&code_challenge_method=S256"
        );
        let answer = post(oauth, &target, &[("decision", "allow")], NOW);
        assert_eq!(answer.status, 303);
        let location = answer.headers.text(LOCATION).unwrap().into_owned();
        let location = url::Url::parse(&location).unwrap();
        let pairs: HashMap<_, _> = location.query_pairs().into_owned().collect();
        assert_eq!((&*pairs["state"], &*pairs["iss"]), ("s", "http://127.0.0.1:1"));
        pairs["code"].clone()
    }

    fn trade(oauth: &mut Oauth, code: &str, verifier: &str, now: Timestamp) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        token(oauth, &form, now)
    }

    #[test]
    fn a_code_works_once_in_time_and_with_its_verifier() {
        let mut oauth = oauth();
        let good = code(&mut oauth, "v");
        let (status, tokens) = trade(&mut oauth, &good, "v", NOW);
        assert_eq!((status, &tokens["scope"]), (200, &json!("read")));
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(oauth.is_good(access, NOW), Some(true));
        assert_eq!(oauth.is_good(access, NOW.plus(Duration::from_hours(1))), Some(false));
        assert_eq!(oauth.is_good("another", NOW), None);
        for (verifier, late) in [("w", 0), ("v", 61)] {
            let code = code(&mut oauth, "v");
            let now = NOW.plus(Duration::from_secs(late));
            let (status, error) = trade(&mut oauth, &code, verifier, now);
            assert_eq!(
                (status, &error["error"]),
                (400, &json!("invalid_grant")),
                "{verifier} {late}"
            );
        }
        assert_eq!(trade(&mut oauth, &good, "v", NOW).0, 400, "a second time");
    }

    #[test]
    fn a_refresh_token_works_once_and_its_reuse_ends_all_that_came_of_it() {
        let mut oauth = oauth();
        let code = code(&mut oauth, "v");
        let first = trade(&mut oauth, &code, "v", NOW).1["refresh_token"].clone();
        let mut renew = |refresh: &Value| {
            let form =
                [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str().unwrap())];
            token(&mut oauth, &form, NOW)
        };
        let (status, tokens) = renew(&first);
        let second = tokens["refresh_token"].clone();
        assert!(status == 200 && second != first);
        assert_eq!(renew(&first).0, 400);
        assert_eq!(renew(&second).0, 400, "its family is revoked");
    }

    #[test]
    fn a_device_waits_until_a_person_has_decided() {
        for (decision, outcome) in [("allow", None), ("deny", Some("access_denied"))] {
            let mut oauth = oauth();
            let answer = post(&mut oauth, DEVICE, &[("scope", "read")], NOW);
            let device: Value = serde_json::from_slice(&answer.body).unwrap();
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            let form =
                [("grant_type", grant), ("device_code", device["device_code"].as_str().unwrap())];
            assert_eq!(token(&mut oauth, &form, NOW).1["error"], "authorization_pending");
            let target = format!("{VERIFY}?user_code={}", device["user_code"].as_str().unwrap());
            assert_eq!(post(&mut oauth, &target, &[("decision", decision)], NOW).status, 200);
            let (status, answer) = token(&mut oauth, &form, NOW);
            match outcome {
                None => assert_eq!((status, &answer["scope"]), (200, &json!("read"))),
                Some(error) => assert_eq!((status, &answer["error"]), (400, &json!(error))),
            }
        }
    }
}
