//! Each way to sign in, as it arrives at a vendor: what is sent, and what comes of odd answers.

use serde_json::{Value, json};

use crate::support::{
    api::{NET, connect, form, project, request},
    browser::Browser,
    peer::{Answer, Peer},
    signing::SigningIn,
};

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
    assert_eq!(connection["connection_config"], json!({"shop": "acme"}));
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
    assert_eq!(connection["connection_config"], json!({"region": "north"}));
    let echo = request(&project, "/echo").ends(0).json();
    assert_eq!(echo["session"], "session-token-2");
    assert_eq!(peer.count("/login"), 1, "a session is kept until it ends");
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
