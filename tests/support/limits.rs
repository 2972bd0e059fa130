//! An API with limits that several processes share, and what arrives at it.

use std::{
    process::Child,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer},
    project::Project,
};

/// When requests arrived, and at which path.
#[derive(Default)]
pub struct Arrivals {
    all: Mutex<Vec<(Instant, String)>>,
    more: Condvar,
    /// Whether requests are turned away, for two seconds.
    pub throttle: AtomicBool,
}

impl Arrivals {
    /// A peer that notes them.
    pub fn peer(self: &Arc<Self>) -> Peer {
        let arrivals = Arc::clone(self);
        Peer::start(move |seen| {
            let path = seen.target.trim_start_matches('/').to_owned();
            arrivals.all.lock().unwrap().push((Instant::now(), path));
            arrivals.more.notify_all();
            if arrivals.throttle.load(Ordering::SeqCst) {
                return Answer::Send(429, vec![("retry-after", "2".into())], "{}".into());
            }
            Answer::json(json!({}))
        })
    }

    /// Those at a path, in order.
    pub fn at(&self, path: &str) -> Vec<Instant> {
        let all = self.all.lock().unwrap();
        let mut at: Vec<_> = all.iter().filter(|(_, p)| p == path).map(|(at, _)| *at).collect();
        at.sort();
        at
    }

    /// Waits until so many have arrived at a path.
    pub fn wait(&self, path: &str, count: usize) {
        let all = self.all.lock().unwrap();
        let few = |all: &mut Vec<(Instant, String)>| {
            all.iter().filter(|(_, p)| p == path).count() < count
        };
        let (all, over) = self.more.wait_timeout_while(all, Duration::from_mins(2), few).unwrap();
        drop(all);
        assert!(!over.timed_out(), "{path}: fewer than {count} arrived");
    }

    /// The first of those at a path that came earlier than so many starts in each window since
    /// `begin` allow: its number and when it came. Requests arrive late on a busy machine, and
    /// bunch; they never arrive before they start, so that this holds whatever the load.
    pub fn too_early(
        &self,
        path: &str,
        begin: Instant,
        rate: usize,
        window: Duration,
    ) -> Option<(usize, Duration)> {
        let since = |at: Instant| at.saturating_duration_since(begin);
        let windows = |number: usize| window * u32::try_from(number / rate).unwrap();
        let mut arrived = self.at(path).into_iter().map(since).enumerate();
        arrived.find(|(number, at)| *at < windows(*number))
    }
}

/// A project over that API, with a connection. `GET /<limit>` counts for the limit of that name.
pub fn project(peer: &Peer, limits: &[(&str, &str)]) -> Project {
    let limits: Vec<String> = limits
        .iter()
        .map(|(name, rate)| {
            format!("{{name: {name}, per: [connection], when: {{path: /{name}}}, rate: {rate}}}")
        })
        .collect();
    let limits = limits.join(", ");
    let project = Project::new(&[
        (
            "integrations.yaml",
            &format!(
                "integrations:\n  acme: {{extends_blueprint: acme:v0, requests: {{base_url: '{}'}}}}\n",
                peer.url()
            ),
        ),
        (
            "blueprints/acme/v0.yaml",
            &format!(
                "blueprint: acme:v0\ntitle: Acme\nauth: {{auth_mode: NONE}}\nrequests: {{base_url: 'https://acme.test'}}\nlimits: [{limits}]\n"
            ),
        ),
        (
            "actions/acme/get.yaml",
            "action: get\nblueprint: acme:v0\ndescription: Asks so many times.\neffect: read\ninput: {type: object, required: [path, times], properties: {path: {type: string}, times: {type: array}}}\nsteps:\n  - {id: got, each: '{{input.times}}', concurrency: 20, get: '/{{input.path}}'}\noutput: '{{length steps.got.outputs}}'\n",
        ),
    ]);
    project.engine(&["connections", "add", "acme", "--quiet"]).ends(0);
    project
}

/// A process that asks so many times.
pub fn start(project: &Project, path: &str, times: usize) -> Child {
    let times: Vec<usize> = (0..times).collect();
    let times = format!("times:={}", json!(times));
    let path = format!("path={path}");
    let wait = ["--wait", "10m", "--output", "json", "--quiet", "--allow-net", "127.0.0.0/8"];
    let mut command = project.command(&["run", "acme", "get", &path, &times]);
    command.args(wait).spawn().unwrap()
}

/// Sends a signal to a process.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
}
