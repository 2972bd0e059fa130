//! Each way to sign in, as it arrives at a vendor: what is sent, and what comes of odd answers.

use serde_json::{Value, json};

use crate::support::{
    browser::{Browser, after},
    peer::{Answer, Peer, Seen},
    project::{Printed, Project},
    signing::SigningIn,
};

const NET: [&str; 2] = ["--allow-net", "127.0.0.0/8"];

/// A blueprint at a peer; `URL` in it is the peer's.
fn project(peer: &Peer, blueprint: &str, entry: &str) -> Project {
    let url = peer.url();
    let project = Project::new(&[(
        "integrations.yaml",
        &format!(
            "integrations:\n  api:\n    extends_blueprint: api:v0\n{}",
            entry.replace("URL", &url)
        ),
    )]);
    let text = format!("blueprint: api:v0\ntitle: API\n{}", blueprint.replace("URL", &url));
    project.write("blueprints/api/v0.yaml", &text);
    project
}

fn connect(project: &Project, credentials: &Value) -> Printed {
    project.engine_with(
        &["connect", "api", "--credentials-stdin", NET[0], NET[1]],
        &credentials.to_string(),
    )
}

fn request(project: &Project, path: &str) -> Printed {
    project.engine(&["request", "api", "GET", path, NET[0], NET[1]])
}

fn form(seen: &Seen, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(seen.body.as_bytes());
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// A 2048-bit RSA key, made for these tests alone.
const KEY: &str = include_str!("support/rsa.pem");

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_vendor_that_bends_oauth_is_data() {
    let peer = Peer::start(|seen| match seen.target.split('?').next().unwrap() {
        "/token" => {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            assert_eq!(body["app_key"], "the-id");
            assert_eq!(body["app_secret"], "geheim-geheim");
            assert!(body.get("client_id").is_none());
            assert_eq!(seen.header("x-api-version"), Some("3"));
            Answer::status(
                201,
                json!({"code": 0, "data": {
                    "token": "short-lived", "expire_time": "2099-01-01T00:00:00Z", "scopes": ["a", "b"],
                    "user": {"token": "user-token-1"}, "shop": "acme"
                }}),
            )
        }
        "/long" => {
            assert!(seen.target.contains("token=short-lived"), "{}", seen.target);
            Answer::Send(
                200,
                vec![("content-type", "application/x-www-form-urlencoded".into())],
                "access_token=long-lived&expires_in=5184000".into(),
            )
        }
        _ => Answer::json(json!({
            "bearer": seen.header("authorization"), "user": seen.header("x-user"), "target": seen.target
        })),
    });
    let project = project(&peer, "connection: {type: object, properties: {shop: {type: string, readOnly: true, pattern: '^[a-z]+$'}}}
auth:
  auth_mode: OAUTH2
  authorization_url: URL/authorize
  authorization_rename: {client_id: app_key}
  authorization_params: {response_type: null, display: '{{integration.look}}'}
  scope_separator: ','
  default_scopes: [a, b]
  code_param: auth_code
  token_url: URL/token
  token_request:
    format: json
    rename: {client_id: app_key, client_secret: app_secret}
    headers: {x-api-version: '3'}
  token_response:
    access_token: '{{first body.data.token body.access_token}}'
    expires_at: {value: '{{opt body.data.expire_time}}', as: iso}
    scope: '{{body.data.scopes}}'
    tokens: {user_token: '{{body.data.user.token}}'}
  token_responses:
    - {when: {body: {code: {$gte: 1}}}, is: error, code: provider_error, message: '{{body.message}}'}
  expires_in: 60d
  save: {shop: '{{body.data.shop}}'}
  exchange: {get: URL/long, query: {token: '{{credentials.access_token}}', secret: '{{credentials.client_secret}}'}}
integration: {type: object, properties: {look: {type: string, default: popup}}}
requests: {base_url: URL, headers: {authorization: 'Bearer {{credentials.access_token}}', x-user: '{{opt credentials.user_token}}'}}
", "    oauth_client_id: the-id\n    oauth_client_secret: geheim-geheim\n");
    let mut signing =
        SigningIn::begin(&project, &["connect", "api", "--port", "0", NET[0], NET[1]]);
    let url = signing.line("/authorize?");
    let asked: Vec<(String, String)> =
        url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
    let get = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    assert_eq!(get("app_key").as_deref(), Some("the-id"));
    assert_eq!(get("scope").as_deref(), Some("a,b"));
    assert_eq!((get("client_id"), get("response_type")), (None, None));
    assert_eq!(get("display").as_deref(), Some("popup"));
    let back =
        format!("{}?auth_code=c&state={}", get("redirect_uri").unwrap(), get("state").unwrap());
    assert_eq!(Browser::default().open(&back, |_| false).status, 200);
    let connection = signing.end().ends(0).json();
    assert_eq!(connection["values"], json!({"shop": "acme"}));
    assert_eq!(connection["scopes"], json!(["a", "b"]));
    assert_eq!(connection["credentials"]["user_token"], Value::Null, "the last answer names none");
    let echo = request(&project, "/echo").ends(0).json();
    assert_eq!(echo["bearer"], "Bearer long-lived");
}

#[test]
fn two_hundred_with_an_error_is_an_error() {
    let peer = Peer::start(|_| Answer::json(json!({"code": 40_102, "message": "bad app"})));
    let project = project(&peer, "auth:
  auth_mode: OAUTH2_CC
  token_url: URL/token
  token_responses: [{when: {body: {code: {$exists: true}}}, is: error, code: provider_error, message: '{{body.message}}'}]
requests: {base_url: URL}
", "    oauth_client_id: a\n    oauth_client_secret: b\n");
    let refused = project.engine(&["connect", "api", NET[0], NET[1]]).ends(1);
    assert!(refused.stderr.contains("bad app"), "{}", refused.stderr);
}

#[test]
fn a_session_of_two_steps_in_xml_with_cookies() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/login" => {
            assert!(
                seen.body.contains("<user>ann &amp; bob</user>") || seen.body.contains("<user>ann"),
                "{}",
                seen.body
            );
            Answer::Send(200, vec![("content-type", "text/xml".into()), ("set-cookie", "sid=abc123; Path=/".into()), ("set-cookie", "lb=7".into())],
                "<response><api><endpoint>north</endpoint><session id='s-1'>first-token</session></api></response>".into())
        }
        "/open?from=first-token" => {
            assert_eq!(seen.header("cookie"), Some("sid=abc123; lb=7"));
            Answer::Send(
                200,
                vec![("content-type", "text/plain".into())],
                " session-token-2 \n".into(),
            )
        }
        _ => Answer::json(json!({"session": seen.header("x-session"), "target": seen.target})),
    });
    let project = project(&peer, "connection: {type: object, properties: {region: {type: string, readOnly: true, pattern: '^[a-z]+$'}}}
auth:
  auth_mode: TWO_STEP
  credentials: {type: object, required: [user, password], properties: {user: {type: string, readOnly: false, writeOnly: false}, password: {type: string, writeOnly: true}}}
  steps:
    - {id: login, post: URL/login, text: '<login><user>{{credentials.user}}</user><pass>{{credentials.password}}</pass></login>', accept: xml}
    - {id: open, get: URL/open, query: {from: '{{get steps.login.body.response.api.session \"#text\"}}'}, headers: {cookie: '{{steps.login.cookies}}'}, accept: text}
  token_response: {access_token: '{{body}}'}
  expires_in: 30m
  save: {region: '{{steps.login.body.response.api.endpoint}}'}
requests: {base_url: URL, headers: {x-session: '{{credentials.access_token}}'}}
verify: {get: /ping}
", "");
    let connection =
        connect(&project, &json!({"user": "ann", "password": "geheim-geheim"})).ends(0).json();
    assert_eq!(connection["values"], json!({"region": "north"}));
    let echo = request(&project, "/echo").ends(0).json();
    assert_eq!(echo["session"], "session-token-2");
    assert_eq!(peer.count("/login"), 1, "a session is kept until it ends");
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
    assert_eq!(signing.end().ends(0).json()["values"], json!({"user": "ann"}));
    let echo = request(&project, "/echo").ends(0).json();
    let field = echo["auth"].as_str().unwrap();
    assert!(
        field.contains("oauth_token=\"final-token\"") && field.contains("oauth_signature="),
        "{field}"
    );
    assert!(!field.contains("final-secret"));
}

#[test]
fn a_key_goes_where_the_blueprint_says() {
    let peer = Peer::start(|seen| {
        Answer::json(
            json!({"target": seen.target, "cookie": seen.header("cookie"), "body": seen.body}),
        )
    });
    for (requests, wanted) in [
        ("{base_url: URL, params: {key: '{{credentials.api_key}}'}}", "/x?key=k%20e%2Fy-1_long"),
        ("{base_url: 'URL/bot{{credentials.api_key}}'}", "/botk%20e%2Fy-1_long/x"),
        ("{base_url: URL, headers: {cookie: 's={{credentials.api_key}}'}}", "s=k e/y-1_long"),
        (
            "{base_url: URL, json: {key: '{{credentials.api_key}}'}}",
            "\\\"key\\\":\\\"k e/y-1_long\\\"",
        ),
    ] {
        let project =
            project(&peer, &format!("auth: {{auth_mode: API_KEY}}\nrequests: {requests}\n"), "");
        connect(&project, &json!({"api_key": "k e/y-1_long"})).ends(0);
        let sent = project.engine(&["request", "api", "POST", "/x", "a=b", NET[0], NET[1]]).ends(0);
        assert!(sent.stdout.contains(wanted), "{requests}: {}", sent.stdout);
        // What is kept of it shows the key nowhere.
        let logs = project.engine(&["logs", "--output=json"]).ends(0);
        let run = logs.json()["runs"][0]["id"].as_str().unwrap().to_owned();
        let attempts = project.engine(&["logs", &run, "--output=json"]).ends(0);
        assert!(
            !attempts.stdout.contains("k%20e%2Fy-1_long")
                && !attempts.stdout.contains("k e/y-1_long"),
            "{}",
            attempts.stdout
        );
    }
}

#[test]
fn an_endpoint_may_be_asked_when_a_token_ends_and_says_no_secret_back() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" if form(seen, "refresh_token").as_deref() == Some("rt-1-long-enough") => {
            Answer::json(json!({"access_token": "at-2", "refresh_token": "rt-2-long-enough"}))
        }
        "/introspect" => {
            assert_eq!(form(seen, "token").as_deref(), Some("at-2"));
            Answer::json(json!({"active": true, "exp": 2_000_000_000}))
        }
        _ => Answer::status(
            400,
            json!({"error": "odd", "error_description": format!("you sent {}", seen.body)}),
        ),
    });
    let project = project(&peer, "auth:
  auth_mode: OAUTH2
  authorization_url: URL/authorize
  token_url: URL/token
  introspect: {post: URL/introspect, form: {token: '{{credentials.access_token}}'}, client_auth: basic}
requests: {base_url: URL}
", "    oauth_client_id: the-id\n    oauth_client_secret: geheim-geheim\n");
    let add = |token: &str| {
        let credentials = json!({"access_token": "at-1", "refresh_token": token});
        let args = ["connections", "add", "api", "--credentials-stdin", "--replace"];
        project.engine_with(&args, &credentials.to_string()).ends(0);
    };
    add("rt-1-long-enough");
    let fresh = project.engine(&["connections", "refresh", "api", NET[0], NET[1]]).ends(0).json();
    assert_eq!(fresh["credentials"]["expires_at"], "2033-05-18T03:33:20.000Z");
    add("rt-0-long-enough");
    let refused = project.engine(&["connections", "refresh", "api", NET[0], NET[1]]).ends(1);
    assert!(refused.stderr.contains("you sent"), "{}", refused.stderr);
    for secret in ["rt-0-long-enough", "geheim-geheim"] {
        assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
    }
    let shown = project.engine(&["connections", "show", "api"]).ends(0);
    assert!(!shown.stdout.contains("rt-0-long-enough"), "{}", shown.stdout);
}
