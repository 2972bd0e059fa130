//! The way out through a proxy.

use serde_json::json;

use crate::support::{
    api::{NET, project},
    peer::{Answer, Peer},
    project::Project,
    proxy::Proxy,
};

const OPEN: &str = "auth: {auth_mode: NONE}\nrequests: {base_url: URL}\nretry: {attempts: 1}\n";
/// `me:geheim`
const BASIC: &str = "Basic bWU6Z2VoZWlt";

fn open(peer: &Peer, entry: &str) -> Project {
    let project = project(peer, OPEN, entry);
    project.engine(&["connections", "add", "api"]).ends(0);
    project
}

fn peer() -> Peer {
    Peer::start(|seen| Answer::json(json!({"method": seen.method})))
}

#[test]
fn reads_and_writes_take_the_tunnel_and_its_password_is_nowhere() {
    let (peer, proxy) = (peer(), Proxy::start(200));
    let project = open(&peer, "");
    let through = format!("http://me:geheim@{}", proxy.address);
    for method in ["GET", "POST"] {
        let sent = project
            .engine(&["request", "api", method, "/x", NET[0], NET[1], "--proxy", &through, "-vvv"]);
        assert!(!sent.stderr.contains("geheim") && !sent.stderr.contains(BASIC), "{}", sent.stderr);
        assert_eq!(sent.ends(0).json(), json!({"method": method}));
    }
    let target = peer.address.to_string();
    let asked = (target, Some(BASIC.to_owned()));
    assert_eq!(proxy.seen(), [asked.clone(), asked]);
    let shown = project.engine(&["settings", "--proxy", &through]).ends(0).stdout;
    assert!(shown.contains(&proxy.address.to_string()) && !shown.contains("geheim"), "{shown}");
    assert_eq!(peer.seen().len(), 2);
    assert!(peer.seen().iter().all(|seen| seen.header("proxy-authorization").is_none()));
}

#[test]
fn the_outbound_policy_holds_in_front_of_it() {
    let (peer, proxy) = (peer(), Proxy::start(200));
    let project = open(&peer, "");
    let through = format!("http://{}", proxy.address);
    let refused = project.engine(&["request", "api", "GET", "/x", "--proxy", &through]).ends(1);
    assert!(refused.stderr.contains("outbound policy"), "{}", refused.stderr);
    assert!(proxy.seen().is_empty() && peer.seen().is_empty());
    let bad = project.engine(&["request", "api", "GET", "/x", "--proxy", "socks5://me:geheim@p:1"]);
    assert!(!bad.stderr.contains("geheim"), "{}", bad.stderr);
    bad.ends(2);
}

#[test]
fn exceptions_go_past_it_and_an_entry_has_a_way_of_its_own() {
    let (peer, proxy) = (peer(), Proxy::start(200));
    let through = format!("http://{}", proxy.address);
    let own = |more: &str| {
        let project = open(&peer, &format!("    requests: {{proxy: '{more}'}}\n"));
        project.engine(&["check"]).ends(0);
        project
    };
    let request = ["request", "api", "GET", "/x", NET[0], NET[1]];
    let past =
        [&request[..], &["--proxy", &through, "--no-proxy", "api.test, 127.0.0.0/8"]].concat();
    open(&peer, "").engine(&past).ends(0);
    own("none").engine(&[&request[..], &["--proxy", &through]].concat()).ends(0);
    assert!(proxy.seen().is_empty());
    let project = own(&through.replace("http://", "http://me:geheim@"));
    project.engine(&request).ends(0);
    assert_eq!(proxy.seen(), [(peer.address.to_string(), Some(BASIC.to_owned()))]);
    let shown = project.engine(&["show", "api"]).ends(0).stdout;
    assert!(!shown.contains("geheim"), "{shown}");
    // What a file names is where others may go, too.
    let closed = project.engine(&["request", "api", "GET", "/x", "--allow-net", "10.0.0.0/8"]);
    assert!(closed.ends(1).stderr.contains("outbound policy"));
    project.write("integrations.yaml", "integrations: {api: {extends_blueprint: api:v0, requests: {proxy: 'https://me:geheim@p'}}}\n");
    let faulty = project.engine(&["check", "--output", "json"]).ends(2);
    assert!(faulty.stdout.contains("the URL of a proxy"), "{}", faulty.stdout);
}

#[test]
fn what_the_proxy_refuses_was_not_sent_and_is_told_in_words() {
    let peer = peer();
    let project = open(&peer, "");
    for (status, words) in [(407, "wants a user and a password"), (403, "refuses the tunnel (403)")]
    {
        let proxy = Proxy::start(status);
        let through = format!("http://{}", proxy.address);
        let refused =
            project.engine(&["request", "api", "POST", "/x", NET[0], NET[1], "--proxy", &through]);
        let refused = refused.ends(1);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert!(!refused.stderr.contains("may have"), "{}", refused.stderr);
    }
    assert!(peer.seen().is_empty());
}

#[test]
fn names_that_the_proxy_resolves_are_reached_over_tls_only() {
    let (peer, proxy) = (peer(), Proxy::start(200));
    let project = open(&peer, "");
    let url = format!("http://localhost:{}", peer.address.port());
    project.write(
        "integrations.yaml",
        &format!("integrations: {{api: {{extends_blueprint: api:v0, requests: {{base_url: '{url}'}}}}}}\n"),
    );
    let through = format!("http://{}", proxy.address);
    let remote = ["--proxy", &through, "--proxy-resolve", "remote"];
    let request = ["request", "api", "GET", "/x", NET[0], NET[1]];
    let refused = project.engine(&[&request[..], &remote].concat()).ends(1);
    assert!(refused.stderr.contains("--proxy-resolve remote"), "{}", refused.stderr);
    assert!(proxy.seen().is_empty());
    let secure = url.replace("http:", "https:");
    project.write(
        "integrations.yaml",
        &format!("integrations: {{api: {{extends_blueprint: api:v0, requests: {{base_url: '{secure}'}}}}}}\n"),
    );
    // The server speaks no TLS: how far it gets shows in what the proxy was asked for.
    project.engine(&[&request[..], &remote].concat()).ends(1);
    assert_eq!(proxy.seen()[0].0, format!("localhost:{}", peer.address.port()));
}
