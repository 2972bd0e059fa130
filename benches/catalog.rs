//! Reading and checking 1,000 blueprints of a project, and listing 5,000 entries over six.
//!
//! `cargo bench --bench catalog`: the engine's `check` over a folder, against what serde reads of
//! the same files into JSON values, and against reading the bytes alone; then `engine list` as a
//! whole process, against the same with six entries.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program to be run by hand"
)]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use engine::catalog::Snapshot;

#[path = "support/measure.rs"]
mod measure;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BLUEPRINTS: usize = 1000;
const ROUNDS: usize = 7;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = project(folder.path());
    println!(
        "{BLUEPRINTS} blueprints, {:.1} KB each, {ROUNDS} rounds in turn, median",
        bytes as f64 / 1000.0
    );
    let (mut raw, mut values, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(time(|| files(folder.path(), |_| ())));
        values.push(time(|| {
            files(folder.path(), |text| {
                drop(serde_yaml::from_str::<serde_json::Value>(text).unwrap());
            })
        }));
        checked.push(time(|| {
            let files = Snapshot::open(Some(folder.path().to_owned()), &Default::default());
            let checked = files.check(&[]);
            assert!(!checked.diagnostics.has_errors());
        }));
    }
    for (name, mut all) in
        [("bytes alone", raw), ("serde_yaml into JSON values", values), ("engine check", checked)]
    {
        all.sort();
        println!("{name:30} {:7.1} ms", all[all.len() / 2].as_secs_f64() * 1000.0);
    }
    println!("\n`engine list`, whole processes, {LISTS} in a row, median and peak");
    for entries in [SHIPPED.len(), 5000] {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..entries).map(entry).collect();
        std::fs::write(folder.path().join("integrations.yaml"), format!("integrations:\n{text}"))
            .unwrap();
        let mut list = Command::new(env!("CARGO_BIN_EXE_engine"));
        list.arg("list").current_dir(folder.path()).env_clear();
        let runs = measure::series(&mut list, LISTS);
        let wall = measure::median(&runs, |run| measure::ms(run.wall));
        let (cpu, peak) = (measure::ms(runs[0].cpu), measure::mean(&runs, |run| run.rss as f64));
        println!("{entries:6} entries {wall:7.1} ms, {cpu:.1} ms of cpu, {:.1} MB", peak / 1000.0);
    }
}

const LISTS: u32 = 10;
const SHIPPED: [&str; 6] = ["ms-teams", "slack", "github", "stripe", "shopify", "hubspot"];

/// Most entries are a name and an app of one's own; some change how fast or how long they may ask.
fn entry(number: usize) -> String {
    let more = match number % 10 {
        7 => "    http_request_timeout_seconds: 20\n",
        8 => "    limits: [{name: own, rate: 5/1s}]\n",
        9 => "    retry: {attempts: 2}\n",
        _ => "",
    };
    let blueprint = SHIPPED[number % SHIPPED.len()];
    format!(
        "  entry-{number}:\n    extends_blueprint: {blueprint}:v0\n    oauth_client_id: app-{number}\n    oauth_client_secret: secret-{number}\n{more}"
    )
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn files(folder: &Path, each: impl Fn(&str)) {
    for number in 0..BLUEPRINTS {
        let path = folder.join(format!("blueprints/api-{number}/v0.yaml"));
        each(&std::fs::read_to_string(path).unwrap());
    }
}

/// An API of ordinary size, over and over, each under a name of its own.
fn project(folder: &Path) -> usize {
    std::fs::write(folder.join("integrations.yaml"), "integrations: {}\n").unwrap();
    for number in 0..BLUEPRINTS {
        let path = folder.join(format!("blueprints/api-{number}"));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("v0.yaml"), BLUEPRINT.replace("NUMBER", &number.to_string()))
            .unwrap();
    }
    BLUEPRINT.len()
}

const BLUEPRINT: &str = r"# yaml-language-server: $schema=../../docs/reference/blueprint.schema.json
blueprint: api-NUMBER:v0
title: API NUMBER
docs_url: https://docs.api-NUMBER.example
categories: [crm]
integration:
  type: object
  properties:
    tenant: {type: string, default: common, pattern: '^[A-Za-z0-9.-]+$'}
connection:
  type: object
  properties: {portal_id: {type: integer, readOnly: true}}
auth:
  auth_mode: OAUTH2
  authorization_url: https://login.api-NUMBER.example/{{integration.tenant}}/authorize
  token_url: https://login.api-NUMBER.example/{{integration.tenant}}/token
  default_scopes: [offline_access, contacts.read]
  token_responses:
    - {when: {body: {error: [invalid_grant, consent_required]}}, is: reauthorize}
requests:
  base_url: https://api-NUMBER.example/v1
  headers: {accept: application/json, x-api-version: '2022-11-28'}
connect:
  discover: [{id: me, get: /me}]
  save: {portal_id: '{{steps.me.body.portal}}'}
  account: {id: '{{steps.me.body.id}}', name: '{{steps.me.body.name}}'}
limits:
  - {name: burst, per: [integration, '{{connection.portal_id}}'], rate: 110/10s}
  - {name: search, per: [connection], when: {path: '/objects/*/search'}, rate: 4/1s}
responses:
  - {when: {status: [429, 503], header: {retry-after: {$exists: true}}}, is: rate_limited, wait: {header: retry-after, as: seconds}}
  - {when: {status: 429, body: {policy: DAILY}}, is: rate_limited, wait: 1h}
  - {when: {status: 401, body: {error: {code: expired}}}, is: refresh}
  - {when: {status: 403, body: {error: {code: [denied, forbidden]}}}, is: error, code: forbidden}
error: {message: '{{body.error.message}}', detail: {code: '{{opt body.error.code}}', id: '{{opt body.request_id}}'}}
paginate:
  kind: cursor
  items: '{{body.results}}'
  cursor: {from: '{{opt body.paging.next.after}}', to: query.after}
  size: {to: query.limit, value: 100}
tests:
  - {reply: {status: 429, headers: {retry-after: '7'}}, is: rate_limited, wait: 7s}
  - {reply: {status: 401, json: {error: {code: expired, message: expired}}}, is: refresh}
  - {reply: {status: 404, json: {error: {code: none, message: No team}}}, is: error, code: not_found, message: No team}
";
