//! What is signed on the way to a vendor: tokens of our own, requests, the steps of OAuth 1.

use serde_json::{Value, json};

use crate::support::{
    api::{NET, connect, form, project, request},
    browser::{Browser, after},
    peer::{Answer, Peer},
    signing::SigningIn,
};

/// A 2048-bit RSA key, made for these tests alone.
const KEY: &str = include_str!("support/rsa.pem");

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_service_account_trades_a_signed_assertion() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => {
            let assertion = form(seen, "assertion").unwrap();
            let said = claims(&assertion);
            assert_eq!(said["iss"], "robot@x.test");
            assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 3600);
            Answer::json(json!({"access_token": "at-robot", "expires_in": 3600}))
        }
        _ => Answer::json(json!({"bearer": seen.header("authorization")})),
    });
    let project = project(&peer, "auth:
  auth_mode: TWO_STEP
  credentials: {type: object, required: [email, key], properties: {email: {type: string, readOnly: false, writeOnly: false}, key: {type: string, writeOnly: true}}}
  assertion: {key: '{{credentials.key}}', claims: {iss: '{{credentials.email}}', aud: URL/token}, lifetime: 1h}
  steps: [{id: token, post: URL/token, form: {grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: '{{credentials.assertion}}'}}]
requests: {base_url: URL}
", "");
    connect(&project, &json!({"email": "robot@x.test", "key": KEY})).ends(0);
    assert_eq!(request(&project, "/echo").ends(0).json()["bearer"], "Bearer at-robot");
    // A key that is none is said before anybody is asked, and not quoted.
    let asked = peer.count("/token");
    let refused =
        connect(&project, &json!({"email": "robot@x.test", "key": "geheim-geheim"})).ends(1);
    assert!(
        refused.stderr.contains("PEM") && !refused.stderr.contains("geheim-geheim"),
        "{}",
        refused.stderr
    );
    assert_eq!(peer.count("/token"), asked);
}

#[test]
fn a_token_of_our_own_names_its_key() {
    let peer = Peer::start(|seen| {
        Answer::json(json!({"bearer": seen.header("authorization"), "kind": seen.header("x-kind")}))
    });
    let project = project(&peer, "connection: {type: object, required: [account], properties: {account: {type: string, pattern: '^[a-z]+$'}}}
auth:
  auth_mode: JWT
  credentials: {type: object, required: [key], properties: {key: {type: string, writeOnly: true}}}
  assertion: {algorithm: PS256, key: '{{credentials.key}}', key_id: k-7, claims: {iss: '{{upper connection.account}}.SHA256:{{key.fingerprint}}'}, lifetime: 10m}
requests: {base_url: URL, headers: {authorization: 'Bearer {{credentials.access_token}}', x-kind: JWT}}
", "");
    let printed = project.engine_with(
        &["connect", "api", "--config", "account=acme", "--credentials-stdin", NET[0], NET[1]],
        &json!({"key": KEY.replace('\n', "\\n")}).to_string(),
    );
    printed.ends(0);
    let echo = request(&project, "/echo").ends(0).json();
    let token = echo["bearer"].as_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let issuer = claims(&token)["iss"].as_str().unwrap().to_owned();
    assert!(
        issuer.starts_with("ACME.SHA256:") && issuer.len() == "ACME.SHA256:".len() + 44,
        "{issuer}"
    );
    let head = token.split('.').next().unwrap();
    let head =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    assert_eq!((head["alg"].as_str(), head["kid"].as_str()), (Some("PS256"), Some("k-7")));
}

#[test]
fn an_app_gets_the_token_of_an_installation() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/app/installations/42/access_tokens" => {
            let signed = seen.header("authorization").unwrap().trim_start_matches("Bearer ");
            assert_eq!(claims(signed)["iss"], "app-id");
            Answer::status(
                201,
                json!({"token": "ghs_installation", "expires_at": "2099-01-01T00:00:00Z"}),
            )
        }
        _ => Answer::json(json!({"bearer": seen.header("authorization")})),
    });
    let entry = "    oauth_client_id: app-id\n    app_api_key: ${APP_KEY}\n";
    let project = project(&peer, "connection: {type: object, required: [installation_id], properties: {installation_id: {type: integer}}}
auth:
  auth_mode: APP
  assertion: {key: '{{credentials.app_api_key}}', claims: {iss: '{{credentials.client_id}}'}, lifetime: 9m}
  steps: [{id: token, post: 'URL/app/installations/{{connection.installation_id}}/access_tokens', headers: {authorization: 'Bearer {{credentials.assertion}}'}}]
  token_response: {access_token: '{{steps.token.body.token}}', expires_at: {value: '{{steps.token.body.expires_at}}', as: iso}}
requests: {base_url: URL}
", entry);
    project.write(".env", &format!("APP_KEY={}\n", KEY.replace('\n', "\\n")));
    let connection = project
        .engine(&["connect", "api", "--config", "installation_id=42", NET[0], NET[1]])
        .ends(0)
        .json();
    assert_eq!(
        connection["credentials"]["expires_at"].as_str().map(|t| &t[..4]),
        Some("2036"),
        "ten years at most"
    );
    assert_eq!(request(&project, "/echo").ends(0).json()["bearer"], "Bearer ghs_installation");
}

#[test]
fn requests_are_signed_as_the_vendor_wants() {
    let peer = Peer::start(|seen| {
        Answer::json(json!({
            "sign": seen.header("x-sign"), "time": seen.header("x-time"), "auth": seen.header("authorization"),
            "date": seen.header("x-amz-date"), "token": seen.header("x-amz-security-token"),
        }))
    });
    let own = project(&peer, "auth:
  auth_mode: SIGNATURE
  credentials: {type: object, required: [secret], properties: {secret: {type: string, writeOnly: true}}}
  signature: {algorithm: hmac_sha256, key: '{{credentials.secret}}', key_encoding: base64, encoding: base64, message: '{{signature.timestamp}}{{request.method}}{{request.target}}{{request.body}}'}
requests: {base_url: URL, headers: {x-sign: '{{signature.value}}', x-time: '{{signature.timestamp}}'}}
", "");
    let secret = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        b"a secret of some bytes",
    );
    connect(&own, &json!({"secret": secret})).ends(0);
    let echo = request(&own, "/v1/me?a=b%20c").ends(0).json();
    let message = format!("{}GET/v1/me?a=b%20c", echo["time"].as_str().unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"a secret of some bytes");
    let wanted = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        aws_lc_rs::hmac::sign(&key, message.as_bytes()),
    );
    assert_eq!(echo["sign"], wanted.as_str());
    // A dry run and the records show no signature.
    let dry = own.engine(&["logs", "--output=json"]).ends(0);
    assert!(!dry.stdout.contains(&wanted) && !dry.stdout.contains(&secret));

    let aws = project(
        &peer,
        "auth: {auth_mode: AWS_SIGV4, service: dynamodb, region: eu-central-1}\nrequests: {base_url: URL}\n",
        "",
    );
    connect(&aws, &json!({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "geheim-geheim", "session_token": "temporary"})).ends(0);
    let echo = request(&aws, "/").ends(0).json();
    let field = echo["auth"].as_str().unwrap();
    assert!(
        field.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && field.contains("/eu-central-1/dynamodb/aws4_request"),
        "{field}"
    );
    assert!(field.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"), "{field}");
    assert_eq!(echo["token"], "temporary");
}

#[test]
fn oauth_1_from_temporary_credentials_to_signed_requests() {
    let peer = Peer::start(|seen| {
        let field = seen.header("authorization").unwrap_or_default().to_owned();
        let form = |text: &str| {
            Answer::Send(
                200,
                vec![("content-type", "application/x-www-form-urlencoded".into())],
                text.to_owned(),
            )
        };
        match seen.target.as_str() {
            "/request" => {
                assert!(field.contains("oauth_callback=\"http%3A%2F%2Flocalhost"), "{field}");
                form(
                    "oauth_token=temp&oauth_token_secret=temp-secret&oauth_callback_confirmed=true",
                )
            }
            "/access" => {
                assert!(
                    field.contains("oauth_verifier=\"v-1\"")
                        && field.contains("oauth_token=\"temp\""),
                    "{field}"
                );
                form("oauth_token=final-token&oauth_token_secret=final-secret&user=ann")
            }
            _ => Answer::json(json!({"auth": field})),
        }
    });
    let project = project(
        &peer,
        "auth:
  auth_mode: OAUTH1
  request_url: URL/request
  authorization_url: URL/authorize
  token_url: URL/access
  save: {user: '{{body.user}}'}
requests: {base_url: URL}
",
        "    oauth_client_id: consumer\n    oauth_client_secret: consumer-secret\n",
    );
    let mut signing =
        SigningIn::begin(&project, &["connect", "api", "--port", "0", NET[0], NET[1]]);
    let redirect = after(&signing.line("redirect URL"), "URL: ").to_owned();
    let url = signing.line("/authorize?");
    assert!(url.contains("oauth_token=temp"), "{url}");
    let mut browser = Browser::default();
    assert_eq!(
        browser.open(&format!("{redirect}?oauth_token=other&oauth_verifier=x"), |_| false).status,
        400
    );
    assert_eq!(
        browser.open(&format!("{redirect}?oauth_token=temp&oauth_verifier=v-1"), |_| false).status,
        200
    );
    assert_eq!(signing.end().ends(0).json()["connection_config"], json!({"user": "ann"}));
    let echo = request(&project, "/echo").ends(0).json();
    let field = echo["auth"].as_str().unwrap();
    assert!(
        field.contains("oauth_token=\"final-token\"") && field.contains("oauth_signature="),
        "{field}"
    );
    assert!(!field.contains("final-secret"));
}
