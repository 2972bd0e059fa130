//! The fan-out action against a hand-written program: 50 teams × 4 pages of channels, 203 requests.
//!
//! `cargo bench --bench fan_out` runs both, in turn, as whole processes: one upstream process, one
//! measured process at a time. The engine's run includes its store and its records.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a program to be run by hand"
)]

mod support;

use std::{path::Path, process::Command, time::Duration};

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{
    measure::{self, Run, mean, median, ms},
    upstream::{self, TEAMS, Upstream, requests},
};

/// How often each program runs before it is another's turn.
const SERIES: u32 = 10;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("upstream") => upstream::serve(
            Duration::from_millis(args[2].parse().unwrap()),
            args[3].parse().unwrap(),
        ),
        Some("typed") => reference::<Team, Channel>(&args[2]),
        Some("values") => reference::<Value, Value>(&args[2]),
        _ => bench(),
    }
}

fn bench() {
    for (latency, rounds) in [(0, 20), (20, 2)] {
        let upstream = Upstream::start(Duration::from_millis(latency), TEAMS);
        let expected = requests(TEAMS);
        let folder = tempfile::tempdir().unwrap();
        project(folder.path(), &upstream.url);
        let me = std::env::current_exe().unwrap();
        let (mut typed, mut values, mut engine) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            upstream.count();
            for (command, runs) in [
                (Command::new(&me).args(["typed", &upstream.url]), &mut typed),
                (Command::new(&me).args(["values", &upstream.url]), &mut values),
                (&mut action(folder.path()), &mut engine),
            ] {
                let series = measure::series(command, SERIES);
                assert_eq!(upstream.count(), u64::from(SERIES + 1) * expected, "{command:?}");
                // The first round warms the caches.
                if round > 0 {
                    runs.extend(series);
                }
            }
        }
        println!(
            "latency {latency} ms, {expected} requests, {rounds} rounds of {SERIES} runs each"
        );
        println!("{:34} {:>9} {:>9} {:>9}", "", "wall ms", "cpu ms", "rss MB");
        for (name, runs) in [
            ("by hand, own types", &typed),
            ("by hand, JSON values", &values),
            ("engine run", &engine),
        ] {
            println!("{name:34} {:>9.1} {:>9.1} {:>9.1}", wall(runs), cpu(runs), rss(runs));
        }
        println!(
            "engine / own types: wall {:.2}, cpu {:.2}\n",
            wall(&engine) / wall(&typed),
            cpu(&engine) / cpu(&typed)
        );
    }
    linear();
    idle();
}

/// Processor time of larger runs.
fn linear() {
    for teams in [50, 100, 200, 400] {
        let upstream = Upstream::start(Duration::ZERO, teams);
        let folder = tempfile::tempdir().unwrap();
        project(folder.path(), &upstream.url);
        let runs = measure::series(&mut action(folder.path()), SERIES);
        let (cpu, rss) = (cpu(&runs), rss(&runs));
        println!(
            "{teams:4} teams: {cpu:6.1} ms cpu, {:.3} ms a team, {rss:.1} MB",
            cpu / teams as f64
        );
    }
}

fn wall(runs: &[Run]) -> f64 {
    median(runs, |run| ms(run.wall))
}

fn cpu(runs: &[Run]) -> f64 {
    mean(runs, |run| ms(run.cpu))
}

fn rss(runs: &[Run]) -> f64 {
    median(runs, |run| run.rss as f64 / 1024.0)
}

/// Memory of an engine that only waits: the sandbox without a guest.
fn idle() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["sandbox", "ms-teams", "--port", "0"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    println!("an idle engine (sandbox without a guest): {line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn project(folder: &Path, url: &str) {
    let text = format!(
        "integrations:\n  ms-teams:\n    extends_blueprint: ms-teams:v0\n    requests: {{base_url: '{url}/v1.0'}}\n"
    );
    std::fs::write(folder.join("integrations.yaml"), text).unwrap();
    let mut add = engine(folder);
    let mut child = add
        .args(["connections", "add", "ms-teams", "--token-stdin", "--no-verify", "--quiet"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"an-access-token").unwrap();
    assert!(child.wait().unwrap().success());
}

fn engine(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
    command.current_dir(folder).env_clear().env("HOME", folder);
    command
}

fn action(folder: &Path) -> Command {
    let mut command = engine(folder);
    command.args([
        "run",
        "ms-teams",
        "list-channels",
        "--allow-net",
        "127.0.0.0/8",
        "--output",
        "json",
    ]);
    command
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Team {
    id: String,
    display_name: String,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Channel {
    id: String,
    display_name: String,
    description: Option<String>,
    membership_type: Option<String>,
    created_date_time: Option<String>,
}

trait Row: for<'a> Deserialize<'a> {
    fn id(&self) -> &str;
    fn show(&self, channels: Option<Vec<Value>>) -> Value;
}

impl Row for Team {
    fn id(&self) -> &str {
        &self.id
    }
    fn show(&self, channels: Option<Vec<Value>>) -> Value {
        json!({"teamId": self.id, "teamDisplayName": self.display_name, "teamDescription": self.description, "teamChannels": channels})
    }
}

impl Row for Channel {
    fn id(&self) -> &str {
        &self.id
    }
    fn show(&self, _: Option<Vec<Value>>) -> Value {
        json!({"channelId": self.id, "channelDisplayName": self.display_name, "channelDescription": self.description, "channelType": self.membership_type, "channelCreationDate": self.created_date_time})
    }
}

impl Row for Value {
    fn id(&self) -> &str {
        self["id"].as_str().unwrap()
    }
    fn show(&self, channels: Option<Vec<Value>>) -> Value {
        match channels {
            Some(channels) => {
                json!({"teamId": self["id"], "teamDisplayName": self["displayName"], "teamDescription": self["description"], "teamChannels": channels})
            }
            None => {
                json!({"channelId": self["id"], "channelDisplayName": self["displayName"], "channelDescription": self["description"], "channelType": self["membershipType"], "channelCreationDate": self["createdDateTime"]})
            }
        }
    }
}

/// What one would write by hand for this one job: no store, no retries, no limits, no records.
fn reference<T: Row, C: Row>(url: &str) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().tls_backend_preconfigured(roots()).build().unwrap();
        let teams: Vec<T> = pages(&client, format!("{url}/v1.0/me/joinedTeams")).await;
        let client = &client;
        let all = stream::iter(&teams).map(|team| async move {
            let path = format!("{url}/v1.0/teams/{}/channels", team.id());
            let channels: Vec<C> = pages(client, path).await;
            team.show(Some(channels.iter().map(|channel| channel.show(None)).collect()))
        });
        let all: Vec<Value> = all.buffered(8).collect().await;
        println!("{}", serde_json::to_string_pretty(&all).unwrap());
    });
}

fn roots() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

async fn pages<T: for<'a> Deserialize<'a>>(client: &reqwest::Client, url: String) -> Vec<T> {
    let mut rows = Vec::new();
    let mut next = Some(url);
    while let Some(url) = next {
        let response = client.get(url).bearer_auth("an-access-token").send().await.unwrap();
        let bytes = response.error_for_status().unwrap().bytes().await.unwrap();
        let mut page: Page<T> = serde_json::from_slice(&bytes).unwrap();
        rows.append(&mut page.value);
        next = page.next;
    }
    rows
}
