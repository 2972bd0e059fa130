//! Scenarios: each states files, a scripted vendor, calls of the binary, and what must come.
//!
//! Every file of `scenarios/` is a list of them; `scenarios/project/` is the folder they begin
//! with. What a key means stands at the fields below.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde::Deserialize;
use serde_json::Value;

use crate::support::{
    peer::{Answer, Peer, Seen},
    project::{Project, files_below, finish, placed},
};

/// How many run at a time: most of a scenario is the start of processes.
const WORKERS: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows, as a sentence.
    name: String,
    /// Files beside those of `project/`, or instead of them. `VENDOR` is the vendor's URL here and
    /// in answers, `ELSEWHERE` another origin that leads to the same vendor.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Integration → credentials of its connection `default`.
    #[serde(default)]
    connections: BTreeMap<String, Value>,
    /// `METHOD /path?query` → answers in turn, of which the last one stays. What is not named here
    /// is answered with 404.
    #[serde(default)]
    vendor: BTreeMap<String, Vec<Reply>>,
    /// One after the other.
    calls: Vec<Call>,
    /// `METHOD /path?query` → how many requests the vendor must have seen; all others: none.
    seen: Option<BTreeMap<String, usize>>,
    /// What requests must have carried, in the order in which they came.
    #[serde(default)]
    requests: Vec<Sent>,
    /// Texts that nobody may have printed and no file of `.engine` may hold.
    #[serde(default)]
    nowhere: Vec<String>,
}

/// One answer of the vendor: `json`, `text`, `raw` or `hang_up`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Reply {
    /// 200 unless said.
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<Value>,
    text: Option<String>,
    /// The bytes of the whole answer; then the connection is closed.
    raw: Option<String>,
    /// The connection is closed without a word.
    #[serde(default)]
    hang_up: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// Arguments of `engine`.
    engine: Vec<String>,
    /// Standard input.
    stdin: Option<String>,
    /// The exit code; 0 unless said.
    #[serde(default)]
    exit: i32,
    /// Standard output as JSON, whole.
    json: Option<Value>,
    /// What standard output as JSON must hold; objects may have more members.
    contains: Option<Value>,
    /// Standard output as text, white space aside.
    text: Option<String>,
    /// Texts that standard error must hold.
    #[serde(default)]
    says: Vec<String>,
    /// Texts that neither output may hold.
    #[serde(default)]
    never: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// The body, whole.
    body: Option<String>,
}

#[test]
fn scenarios() {
    let mut all = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = files_below(&root).into_iter().filter(|path| path.parent() == Some(&root));
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let list: Vec<Scenario> = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        all.extend(list.into_iter().map(|scenario| (file.clone(), scenario)));
    }
    assert!(all.len() > 10, "the scenarios are gone");
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..WORKERS {
            threads.spawn(|| {
                while let Some((file, scenario)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for fault in play(scenario) {
                        let fault = format!("{file}: {}: {fault}", scenario.name);
                        faults.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Plays one; what did not come as stated.
fn play(scenario: &Scenario) -> Vec<String> {
    let vendor = vendor(&scenario.vendor);
    let project = project(scenario, &vendor.url());
    let mut faults = Vec::new();
    let mut printed = Vec::new();
    for call in &scenario.calls {
        let mut args: Vec<&str> = call.engine.iter().map(String::as_str).collect();
        if call.json.is_some() || call.contains.is_some() {
            args.push("--output=json");
        }
        let mut command = project.command(&args);
        command.env("ENGINE_ALLOW_NET", "127.0.0.0/8");
        let came = finish(command, call.stdin.as_deref().unwrap_or_default());
        let mut say = |fault: String| faults.push(format!("{:?}: {fault}\n{came:?}", call.engine));
        if came.code != call.exit {
            say(format!("exit {} instead of {}", came.code, call.exit));
        }
        let json = || serde_json::from_str::<Value>(&came.stdout).unwrap_or_default();
        if let Some(wanted) = &call.json
            && json() != *wanted
        {
            say(format!("not {wanted}"));
        }
        if let Some(wanted) = &call.contains
            && !holds(&json(), wanted)
        {
            say(format!("does not contain {wanted}"));
        }
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        if call.text.as_ref().is_some_and(|text| bare(text) != bare(&came.stdout)) {
            say("another text".to_owned());
        }
        for text in call.says.iter().filter(|text| !came.stderr.contains(*text)) {
            say(format!("does not say {text:?}"));
        }
        let both = format!("{}\n{}", came.stdout, came.stderr);
        for text in call.never.iter().filter(|text| both.contains(*text)) {
            say(format!("says {text:?}"));
        }
        printed.push(both);
    }
    faults.extend(asked(scenario, &vendor.seen()));
    if !scenario.nowhere.is_empty() {
        let stored = files_below(&project.path(".engine")).into_iter();
        let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        printed.extend(stored.map(text));
    }
    for text in &scenario.nowhere {
        if printed.iter().any(|printed| printed.contains(text)) {
            faults.push(format!("{text:?} was printed or lies in `.engine`"));
        }
    }
    faults
}

/// What the vendor was asked otherwise than stated.
fn asked(scenario: &Scenario, seen: &[Seen]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for seen in seen {
        *counts.entry(line(seen)).or_default() += 1;
    }
    if scenario.seen.as_ref().is_some_and(|wanted| *wanted != counts) {
        faults.push(format!("the vendor saw {counts:?}"));
    }
    let mut rest = seen.iter();
    for sent in &scenario.requests {
        let fits = |seen: &&Seen| {
            let header =
                |(name, value): (&String, &Option<String>)| seen.header(name) == value.as_deref();
            line(seen) == sent.request
                && sent.headers.iter().all(header)
                && sent.body.as_ref().is_none_or(|body| *body == seen.body)
        };
        if !rest.by_ref().any(|seen| fits(&seen)) {
            faults.push(format!("the vendor never saw {} as stated: {seen:#?}", sent.request));
        }
    }
    faults
}

fn line(seen: &Seen) -> String {
    format!("{} {}", seen.method, seen.target)
}

/// Whether `value` has all of `wanted`.
fn holds(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| value.get(name).is_some_and(|value| holds(value, wanted))),
        (Value::Array(value), Value::Array(wanted)) => {
            value.len() == wanted.len() && value.iter().zip(wanted).all(|(v, w)| holds(v, w))
        }
        _ => value == wanted,
    }
}

fn vendor(script: &BTreeMap<String, Vec<Reply>>) -> Peer {
    let script: BTreeMap<String, (Vec<Reply>, AtomicUsize)> = script
        .iter()
        .map(|(line, all)| (line.clone(), (all.clone(), AtomicUsize::new(0))))
        .collect();
    let script = Arc::new(script);
    let url = Arc::new(std::sync::OnceLock::<String>::new());
    let own = Arc::clone(&url);
    let peer = Peer::start(move |seen| {
        let Some((all, turn)) = script.get(&line(seen)) else {
            return Answer::status(404, serde_json::json!({"message": "not in the script"}));
        };
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        let reply = &all[turn.min(all.len() - 1)];
        let vendor = |text: &str| placed(text, own.get().map_or("", |url| url));
        if reply.hang_up {
            return Answer::HangUp;
        }
        if let Some(raw) = &reply.raw {
            return Answer::Raw(raw.clone().into_bytes());
        }
        // The peer takes names that are written in tests; these few live as long.
        let own = |(name, value): (&String, &String)| (&*name.clone().leak(), vendor(value));
        let mut headers: Vec<(&'static str, String)> = reply.headers.iter().map(own).collect();
        let body = match (&reply.json, &reply.text) {
            (Some(json), _) => {
                headers.push(("content-type", "application/json".to_owned()));
                vendor(&json.to_string())
            }
            (None, text) => vendor(text.as_deref().unwrap_or_default()),
        };
        Answer::Send(reply.status.unwrap_or(200), headers, body)
    });
    url.get_or_init(|| peer.url());
    peer
}

fn project(scenario: &Scenario, vendor: &str) -> Project {
    let project = Project::acme(vendor);
    for (name, text) in &scenario.files {
        project.write(name, &placed(text, vendor));
    }
    for (integration, credentials) in &scenario.connections {
        project.add(integration, credentials);
    }
    project
}
