//! Kills the process at random moments of a refresh, over and over: whatever was acknowledged is in
//! the store, and the store is sound. `cargo test --test kills -- --nocapture` reports.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "tests may")]
#![expect(clippy::disallowed_methods, reason = "it kills by the clock")]
#![expect(dead_code, reason = "support is shared")]

mod support;

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    peer::{Answer, Peer},
    project::Project,
};

const KILLS: u32 = 220;
const STOPS: u32 = 60;
/// Of a lease: `auth/leased.rs`.
const TERM: Duration = Duration::from_mins(2);
const MOST_ROUNDS: u32 = 2000;
const REFRESH: [&str; 6] =
    ["connections", "refresh", "acme-oauth", "--allow-net", "127.0.0.0/8", "--quiet"];

/// A vendor whose refresh tokens work once, and a project with one connection to it.
struct Scene {
    newest: Arc<AtomicU32>,
    /// Requests with a refresh token that was spent.
    refused: Arc<AtomicU32>,
    /// The newest when the scene began.
    given: u32,
    project: Project,
    /// How long an undisturbed refresh takes, so that what happens to others falls all over it.
    whole: Duration,
    _peer: Peer,
}

impl Scene {
    fn start() -> Self {
        // Every refresh token works once and yields the next one; a used one is dead.
        let newest = Arc::new(AtomicU32::new(0));
        let refused = Arc::new(AtomicU32::new(0));
        let (state, refusals) = (Arc::clone(&newest), Arc::clone(&refused));
        let peer = Peer::start(move |seen| {
            let given: u32 = seen
                .body
                .split("refresh_token=r")
                .nth(1)
                .unwrap()
                .split('&')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            std::thread::sleep(Duration::from_millis(5));
            match state.compare_exchange(given, given + 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => Answer::json(
                    json!({"access_token": format!("a{}", given + 1), "refresh_token": format!("r{}", given + 1), "expires_in": 3600}),
                ),
                Err(_) => {
                    refusals.fetch_add(1, Ordering::SeqCst);
                    Answer::status(400, json!({"error": "invalid_grant"}))
                }
            }
        });
        let project = Project::acme(&peer.url());
        let whole = Duration::ZERO;
        let mut scene = Self { newest, refused, given: 0, project, whole, _peer: peer };
        scene.give(0);
        let start = Instant::now();
        scene.project.engine(&REFRESH).ends(0);
        scene.whole = start.elapsed();
        scene.given = scene.newest.load(Ordering::SeqCst);
        scene
    }

    /// What a new sign-in would give.
    fn give(&self, number: u32) {
        let line = json!({"integration": "acme-oauth", "id": "default", "credentials": {
            "access_token": format!("a{number}"), "refresh_token": format!("r{number}")
        }});
        let import = ["connections", "import", "--replace"];
        self.project.engine_with(&import, &line.to_string()).ends(0);
    }

    fn stored(&self) -> u32 {
        let exported = self.project.engine(&["connections", "export", "--with-secrets"]).ends(0);
        let line: Value = serde_json::from_str(exported.stdout.trim()).unwrap();
        line["credentials"]["refresh_token"].as_str().unwrap()[1..].parse().unwrap()
    }
}

#[test]
fn what_was_acknowledged_is_never_lost() {
    let scene = Scene::start();
    let Scene { newest, project, whole, .. } = &scene;
    let (mut killed, mut finished, mut spent, mut acknowledged) = (0, 0, 0, scene.stored());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rounds = 0;
    while killed < KILLS && rounds < MOST_ROUNDS {
        rounds += 1;
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31) * 1.1);
        let mut child =
            project.command(&REFRESH).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        drop(child.kill());
        let status = child.wait().unwrap();
        let now = scene.stored();
        assert!(now >= acknowledged, "an acknowledged token was lost: {now} after {acknowledged}");
        if status.success() {
            finished += 1;
            assert_eq!(now, newest.load(Ordering::SeqCst), "a refresh that ended well is stored");
        } else {
            killed += 1;
        }
        acknowledged = now;
        // The server may go on answering for a moment after the kill.
        std::thread::sleep(Duration::from_millis(8));
        let honoured = newest.load(Ordering::SeqCst);
        if honoured != now {
            // The answer was on its way when the process died: nobody has that token. It shows as
            // one clear end, and a new sign-in mends it.
            spent += 1;
            let ended = project.engine(&REFRESH);
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(ended.stderr.contains("needs authorization"), "{}", ended.stderr);
            scene.give(honoured);
            acknowledged = honoured;
        }
    }
    println!(
        "{rounds} rounds: {killed} killed, {finished} finished before the kill, {spent} killed between the server's answer and ours; nothing that was acknowledged was lost"
    );
    assert_eq!(killed, KILLS, "the kills came too late");
}

/// Stops processes at random moments of a refresh for longer than a lease lasts, lets others come,
/// and lets the first ones go on. Each pair has a store of its own: one may be stopped while it
/// writes, and nobody else writes then. All stops are at once, so that the term is waited for once.
#[test]
fn a_process_that_stands_still_longer_than_its_lease_spends_nothing_twice() {
    let scenes: Vec<Scene> = (0..STOPS).map(|_| Scene::start()).collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let refresh = |scene: &Scene| {
        let mut command = scene.project.command(&REFRESH);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut stopped = Vec::new();
    for (round, scene) in scenes.iter().enumerate() {
        let mut child = refresh(scene);
        if round % 2 == 0 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(scene.whole.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31)));
        } else {
            // As soon as the API has taken the token, which is when most is at stake.
            while !scene.was_asked() && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
        }
        signal(&child, "-STOP");
        stopped.push(child);
    }
    // The boot clock decides: nothing but time ends the lease of a process that lives.
    std::thread::sleep(TERM + Duration::from_secs(2));
    let (mut takeovers, mut locked, mut late, mut gave_up) = (0, 0, 0, 0);
    for (round, (scene, mut first)) in scenes.iter().zip(stopped).enumerate() {
        let asked = scene.was_asked();
        let before = scene.lease();
        let second = refresh(scene).wait().unwrap();
        let after = scene.lease();
        signal(&first, "-CONT");
        // Its time limits are over as well: it may say that the API took too long.
        gave_up += u32::from(!first.wait().unwrap().success());
        let taken = before.held && after.fence > before.fence;
        takeovers += u32::from(taken);
        if !second.success() {
            // The first one had sent its request already and not heard the answer, or stood still
            // within a transaction.
            let unheard = taken && asked;
            assert!(unheard || before.locked, "round {round}: {before:?}");
            late += u32::from(unheard);
            locked += u32::from(before.locked);
        }
        let now = scene.newest.load(Ordering::SeqCst);
        assert!(now - scene.given <= 2, "round {round}");
        assert_eq!(scene.stored(), now, "round {round}: what the API gave last is stored");
        assert!(scene.refused.load(Ordering::SeqCst) <= u32::from(taken), "round {round}");
    }
    println!(
        "{STOPS} stops of {} seconds: {takeovers} leases taken over, {late} of them after the stopped process had sent its token, {gave_up} stopped processes gave up, {locked} stores were locked meanwhile; the last tokens are stored everywhere",
        TERM.as_secs()
    );
    assert!(takeovers > 0, "no lease was taken over: this shows nothing");
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().is_ok());
}

/// The lease of the only account of a store.
#[derive(Debug)]
struct Lease {
    fence: i64,
    held: bool,
    /// Whether somebody stands still with the right to write.
    locked: bool,
}

impl Scene {
    /// Whether the API has given new tokens since the scene began.
    fn was_asked(&self) -> bool {
        self.newest.load(Ordering::SeqCst) > self.given
    }

    /// A store that cannot be read, because somebody stands still with it, is locked.
    fn lease(&self) -> Lease {
        let db = rusqlite::Connection::open(self.project.path(".engine/engine.db")).unwrap();
        db.busy_timeout(Duration::from_secs(1)).unwrap();
        let sql = "SELECT fence, holder IS NOT NULL FROM secrets";
        let read = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        db.busy_timeout(Duration::ZERO).unwrap();
        let locked = read.is_err() || db.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err();
        let (fence, held) = read.unwrap_or_default();
        Lease { fence, held, locked }
    }
}
