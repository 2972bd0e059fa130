//! `engine connect`: browser, device, form; and everything that can go wrong on the way (threats
//! T19–T27), against the sandbox and against a scripted vendor.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use engine::{
    clock::SystemClock,
    connect::CallbackParams,
    engine::{Engine, Finished, SignInCallback},
    model::name::EnvironmentName,
    settings::{KEEP_RUNS, KeySource, ProxySettings, Settings},
};
use serde_json::json;

use crate::support::{
    api::{NET, vendor},
    browser::Browser,
    peer::{Answer, Peer, Seen},
    project::Project,
    signing::SigningIn,
};

/// Every test has a port of its own for the way back.
fn port() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below 32768: from there on the system takes ports for clients, and one may be taken already.
    let base = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    (base + NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

fn tokens(seen: &Seen) -> Answer {
    match seen.target.as_str() {
        "/token" => Answer::json(
            json!({"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 3600, "scope": "a b"}),
        ),
        "/me" if seen.header("authorization") == Some("Bearer at-1") => {
            Answer::json(json!({"id": 7, "name": "<Ann>"}))
        }
        _ => Answer::status(401, json!({"error": "no"})),
    }
}

/// What the URL of the authorization request says.
fn asked(line: &str, name: &str) -> String {
    let url = url::Url::parse(line).unwrap();
    url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap_or_default()
}

fn back(port: &str, query: &str) -> String {
    format!("http://localhost:{port}/oauth/callback?{query}")
}

#[test]
fn the_whole_dance_in_the_sandbox() {
    let (project, port) = (Project::new(&[]), port());
    let mut signing =
        SigningIn::begin(&project, &["connect", "ms-teams", "--sandbox", "--port", &port]);
    let url = signing.line("/authorize?");
    let mut browser = Browser::default();
    let page = browser.open(&url, |_| false);
    assert!(
        page.page.contains("Team.ReadBasic.All") && page.page.contains("Allow"),
        "{}",
        page.page
    );
    let shown = browser.post(&url, "decision=allow");
    assert!(shown.page.contains("signed in as Adele Vance"), "{}", shown.page);
    assert!(shown.url.starts_with(&format!("http://localhost:{port}/oauth/callback?")));
    let connected = signing.end().ends(0).json();
    assert_eq!(
        (connected["sandbox"].as_bool(), connected["account_name"].as_str()),
        (Some(true), Some("Adele Vance"))
    );
    // The connection remembers where it was made: no flag is needed.
    let teams = project.engine(&["run", "ms-teams", "list-channels"]).ends(0).json();
    assert!(teams.as_array().is_some_and(|teams| teams.len() > 1));
    project.engine(&["connections", "test", "ms-teams"]).ends(0);
}

/// A server on the same store, say: it takes the callback, and the command that began learns of it.
#[test]
fn another_process_takes_the_callback() {
    let (project, port) = (Project::new(&[("integrations.yaml", "")]), port());
    let mut signing =
        SigningIn::begin(&project, &["connect", "ms-teams", "--sandbox", "--port", &port]);
    let url = signing.line("/authorize?");
    let mut browser = Browser::default();
    let back = browser.post_until(&url, "decision=allow", |url| url.contains("/oauth/callback?"));
    let settings = Settings {
        project: Some(project.root().to_owned()),
        store: project.path(".engine/engine.db"),
        key: KeySource::Beside,
        environment: EnvironmentName::usual(),
        allow_net: Vec::new(),
        ca_file: None,
        proxy: ProxySettings::default(),
        keep_runs: KEEP_RUNS,
    };
    let here = Engine::open(settings, BTreeMap::new(), Arc::new(SystemClock::new()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let query = url::Url::parse(&back.url).unwrap().query().unwrap().to_owned();
    let callback = SignInCallback { params: CallbackParams::of_query(&query), cookie: None };
    let finished = runtime.block_on(here.finish_sign_in(callback.clone())).unwrap();
    let Finished::Ended { result, .. } = finished else { panic!("{finished:?}") };
    assert_eq!(result.unwrap().account_name.as_deref(), Some("Adele Vance"));
    let connected = signing.end().ends(0).json();
    assert_eq!(connected["account_name"], "Adele Vance");
    let again = runtime.block_on(here.finish_sign_in(callback)).unwrap();
    assert!(matches!(again, Finished::Refused(text) if text.contains("used already")));
}

#[test]
fn a_device_signs_in_by_its_code() {
    let project = Project::new(&[]);
    let mut signing = SigningIn::begin(&project, &["connect", "ms-teams", "--sandbox", "--device"]);
    let url = signing.line("or open ").split(' ').next_back().unwrap().to_owned();
    let code = url.rsplit('=').next().unwrap().to_owned();
    let shown = Browser::default().post(&url, &format!("user_code={code}&decision=allow"));
    assert_eq!(shown.status, 200);
    signing.end().ends(0);
    let mut signing = SigningIn::begin(&project, &["connect", "ms-teams", "--sandbox", "--device"]);
    let url = signing.line("or open ").split(' ').next_back().unwrap().to_owned();
    let code = url.rsplit('=').next().unwrap().to_owned();
    Browser::default().post(&url, &format!("user_code={code}&decision=deny"));
    let refused = signing.end().ends(1);
    assert!(refused.stderr.contains("you said no"), "{}", refused.stderr);
}

#[test]
fn a_code_becomes_a_connection() {
    let peer = Peer::start(tokens);
    let (project, port) = (vendor(&peer), port());
    let args =
        ["connect", "acme", "--port", &port, "--metadata", r#"{"plan": "x"}"#, NET[0], NET[1]];
    let mut signing = SigningIn::begin(&project, &args);
    assert!(
        signing.line("redirect URL").contains(&format!("http://localhost:{port}/oauth/callback"))
    );
    let url = signing.line("/authorize?");
    assert_eq!(asked(&url, "code_challenge_method"), "S256");
    assert!(asked(&url, "state").len() >= 43);
    let state = asked(&url, "state");
    let mut browser = Browser::default();
    // Another's answer is shown the door, however often, and the sign-in goes on (T19).
    for _ in 0..25 {
        let wrong = browser.open(&back(&port, "code=evil&state=wrong"), |_| false);
        assert!(wrong.status == 400 && wrong.page.contains("another attempt"), "{}", wrong.page);
    }
    let none = browser.open(&back(&port, "code=evil"), |_| false);
    assert_eq!(none.status, 400);
    assert_eq!(browser.open(&format!("http://localhost:{port}/other"), |_| false).status, 404);
    let query = format!("code=c-1&state={state}&iss=https%3A%2F%2Facme.test&site=north");
    // What nobody looks at spends nothing.
    for (method, field) in [("HEAD", ""), ("GET", "sec-purpose: prefetch;prerender\r\n")] {
        let status = knock(&port, method, &query, field);
        assert!(status.contains(" 404 ") || status.contains(" 503 "), "{status}");
    }
    let shown = browser.open(&back(&port, &query), |_| false);
    // What the vendor calls the account is text, not markup (T23).
    assert!(shown.status == 200 && shown.page.contains("&lt;Ann&gt;"), "{}", shown.page);
    let connection = signing.end().ends(0).json();
    assert_eq!(connection["connection_config"], json!({"site": "north"}));
    assert_eq!(connection["account_id"], "7");
    assert_eq!(connection["scopes"], json!(["a", "b"]));
    let token = peer.seen().into_iter().find(|seen| seen.target == "/token").unwrap();
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(token.body.as_bytes()).into_owned().collect();
    let get = |name: &str| {
        form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    assert_eq!(get("code"), "c-1");
    assert_eq!(get("redirect_uri"), format!("http://localhost:{port}/oauth/callback"));
    assert_eq!(get("client_secret"), "geheim");
    assert!(get("code_verifier").len() >= 43);
    // A second callback finds nobody.
    assert!(std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).is_err());
    // Signing in again keeps id and metadata.
    let mut again =
        SigningIn::begin(&project, &["connect", "acme", "--port", &port, NET[0], NET[1]]);
    let state = asked(&again.line("/authorize?"), "state");
    let query = format!("code=c-2&state={state}&iss=https%3A%2F%2Facme.test&site=south");
    Browser::default().open(&back(&port, &query), |_| false);
    let again = again.end().ends(0).json();
    assert_eq!(again["metadata"], json!({"plan": "x"}));
    assert_eq!(again["created_at"], connection["created_at"]);
    assert_eq!(again["connection_config"], json!({"site": "south"}));
}

/// The status line of a callback that no person sent.
fn knock(port: &str, method: &str, query: &str, field: &str) -> String {
    use std::io::{Read, Write};
    let mut stream =
        std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
    let request = format!(
        "{method} /oauth/callback?{query} HTTP/1.1\r\nhost: localhost:{port}\r\n{field}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_goes_wrong_is_said_and_nothing_is_stored() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" if seen.body.contains("code=html") => {
            Answer::Send(200, vec![("content-type", "text/html".into())], "<html>hi</html>".into())
        }
        "/token" if seen.body.contains("code=bad") => Answer::status(
            400,
            json!({"error": "invalid_grant", "error_description": "no such code"}),
        ),
        "/token" if seen.body.contains("code=secret") => {
            Answer::status(401, json!({"error": "invalid_client"}))
        }
        "/token" if seen.body.contains("code=mac") => {
            Answer::json(json!({"access_token": "at-other", "token_type": "mac"}))
        }
        "/token" if seen.body.contains("code=echoed") => Answer::status(
            400,
            json!({"error": "invalid_grant", "error_description": "echoed-code-1"}),
        ),
        "/token" => Answer::json(json!({"access_token": "at-other"})),
        _ => Answer::status(401, json!({"message": "who are you?"})),
    });
    let project = vendor(&peer);
    for (query, said) in [
        ("error=access_denied&error_description=<b>no</b>", "access_denied: <b>no</b>"),
        ("code=x&iss=https%3A%2F%2Fevil.test", "another server"),
        ("code=x", "which server"),
        ("code=mac&iss=https%3A%2F%2Facme.test", "another type than `Bearer`"),
        ("code=echoed-code-1&iss=https%3A%2F%2Facme.test", "invalid_grant: ***"),
        ("code=html&iss=https%3A%2F%2Facme.test", "not a token answer"),
        ("code=bad&iss=https%3A%2F%2Facme.test", "no such code"),
        ("code=secret&iss=https%3A%2F%2Facme.test", "oauth_client_secret"),
        ("code=fine&iss=https%3A%2F%2Facme.test", "the API refuses these credentials"),
        ("iss=https%3A%2F%2Facme.test", "carries no `code`"),
    ] {
        let port = port();
        let mut signing =
            SigningIn::begin(&project, &["connect", "acme", "--port", &port, NET[0], NET[1]]);
        let state = asked(&signing.line("/authorize?"), "state");
        let shown =
            Browser::default().open(&back(&port, &format!("{query}&state={state}")), |_| false);
        assert_eq!(shown.status, 400, "{query}");
        assert!(!shown.page.contains("<b>no"), "{}", shown.page);
        let ended = signing.end().ends(1);
        assert!(ended.stderr.contains(said), "{query}: {}", ended.stderr);
        assert!(!ended.stderr.contains("geheim"));
        assert_eq!(project.engine(&["connections", "list"]).ends(0).json(), json!([]));
    }
}

#[test]
fn a_code_that_goes_by_another_name_is_not_said_back() {
    let peer =
        Peer::start(|seen| match seen.body.split('&').find(|part| part.starts_with("ticket=")) {
            Some(ticket) => {
                let words = format!("no {}", ticket.trim_start_matches("ticket="));
                Answer::status(400, json!({"error": "invalid_grant", "error_description": words}))
            }
            None => Answer::status(500, json!({})),
        });
    let (project, port) = (vendor(&peer), port());
    project.write(
        "blueprints/acme/v0.yaml",
        "blueprint: acme:v0\ntitle: Acme\nauth:\n  auth_mode: OAUTH2\n  authorization_url: https://acme.test/authorize\n  token_url: https://acme.test/token\n  token_request: {rename: {code: ticket}}\nrequests: {base_url: 'https://acme.test'}\n",
    );
    let mut signing =
        SigningIn::begin(&project, &["connect", "acme", "--port", &port, NET[0], NET[1]]);
    let state = asked(&signing.line("/authorize?"), "state");
    Browser::default().open(&back(&port, &format!("code=code-0815&state={state}")), |_| false);
    let ended = signing.end().ends(1);
    assert!(ended.stderr.contains("invalid_grant: no ***"), "{}", ended.stderr);
}

#[test]
fn what_a_sign_in_needs_beside_the_browser_is_asked_for_and_kept() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => Answer::json(json!({"access_token": "at-1"})),
        _ => Answer::json(json!({"developer": seen.header("developer-token").unwrap_or_default()})),
    });
    let (project, port) = (vendor(&peer), port());
    project.write(
        "blueprints/acme/v0.yaml",
        "blueprint: acme:v0\ntitle: Acme\nauth:\n  auth_mode: OAUTH2\n  authorization_url: https://acme.test/authorize\n  token_url: https://acme.test/token\n  credentials: {type: object, required: [developer_token], properties: {developer_token: {type: string, writeOnly: true}}}\nrequests: {base_url: 'https://acme.test', headers: {authorization: 'Bearer {{credentials.access_token}}', developer-token: '{{credentials.developer_token}}'}}\n",
    );
    let args = ["connect", "acme", "--port", &port, NET[0], NET[1]];
    let asked = project.engine(&args).ends(2);
    assert!(asked.stderr.contains("`developer_token`"), "{}", asked.stderr);
    let mut command = project.command(&[&args[..], &["--credentials-stdin"]].concat());
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(
        &mut child.stdin.take().unwrap(),
        json!({"developer_token": "dev-token-1"}).to_string().as_bytes(),
    )
    .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let url = lines.by_ref().map(Result::unwrap).find(|line| line.contains("/authorize?")).unwrap();
    let state = crate::signing_in::asked(url.trim(), "state");
    Browser::default().open(&back(&port, &format!("code=c&state={state}")), |_| false);
    assert!(child.wait().unwrap().success());
    let sent = project.engine(&["request", "acme", "GET", "/me", NET[0], NET[1]]).ends(0);
    assert_eq!(sent.json()["developer"], "dev-token-1");
}

#[test]
fn a_pasted_url_is_as_good_as_a_browser() {
    let peer = Peer::start(tokens);
    let (project, port) = (vendor(&peer), port());
    let mut command =
        project.command(&["connect", "acme", "--port", &port, "--no-browser", NET[0], NET[1]]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let url = lines.by_ref().map(Result::unwrap).find(|line| line.contains("/authorize?")).unwrap();
    let state = asked(url.trim(), "state");
    let mut stdin = child.stdin.take().unwrap();
    let paste = format!(
        "https://elsewhere.test/?code=x\n{}\n",
        back(&port, &format!("code=c&state={state}&iss=https%3A%2F%2Facme.test"))
    );
    std::io::Write::write_all(&mut stdin, paste.as_bytes()).unwrap();
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(said.iter().any(|line| line.contains("not a URL that begins with")), "{said:?}");
    assert!(child.wait().unwrap().success(), "{said:?}");
}

#[test]
fn a_port_in_use_is_said_before_anybody_signs_in() {
    let peer = Peer::start(tokens);
    let project = vendor(&peer);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = project.engine(&["connect", "acme", "--port", &port, NET[0], NET[1]]).ends(1);
    assert!(
        refused.stderr.contains("cannot be used") && refused.stderr.contains("--no-browser"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_operator_who_has_not_set_it_up_is_told() {
    let project = Project::new(&[(
        "integrations.yaml",
        "integrations:\n  ms-teams: {extends_blueprint: ms-teams:v0}\n  two: {extends_blueprint: ms-teams:v0, oauth_client_id: '${NO_SUCH}'}\n",
    )]);
    let refused = project.engine(&["connect", "ms-teams"]).ends(2);
    assert!(
        refused.stderr.contains("oauth_client_id") && refused.stderr.contains("--sandbox"),
        "{}",
        refused.stderr
    );
    let refused = project.engine(&["connect", "two"]).ends(2);
    assert!(refused.stderr.contains("NO_SUCH"), "{}", refused.stderr);
}
