//! Runs under an idempotency key of the caller: the same key twice is the same work once.

use std::{convert::Infallible, sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    clock::Clock,
    engine::{
        accept::Accepted,
        kept,
        parts::{Engine, KEEP_KEYS},
    },
    error::{CallCode, Error},
    policy::plan::PreparedAction,
    run::{Claim, Invocation, Observer, Repeat, RunResult, Task, Warning},
    sign::digest::sha256,
    store::{JobAsk, JobClaim, JobEnd, JobHeld, JobKey, Jobs},
    value::{self, hex},
};

/// A process that says for so long nothing of a run is taken for dead.
const TERM: Duration = Duration::from_mins(1);
/// So often it says that it is alive.
const BEAT: Duration = Duration::from_secs(15);
/// The longest key.
const LONGEST: usize = 255;

impl Engine {
    /// Runs an action, unless it was run under this key before.
    pub(super) async fn run_once(
        &self,
        mut accepted: Accepted,
        action: &PreparedAction,
        observer: &dyn Observer,
    ) -> Result<RunResult, Error> {
        let invocation = &mut accepted.invocation;
        let key = checked(invocation.key())?;
        let jobs = Arc::clone(&self.store().await?.jobs);
        let ask = JobAsk {
            key: JobKey { scope: scope(invocation), key: key.clone() },
            body_hash: body_hash(invocation, action),
            holder: invocation.id.to_string(),
            term: TERM,
            keep: KEEP_KEYS,
            repeatable: action.repeats_with_keys(&invocation.integration.blueprint),
        };
        let asked = self.clock().boot();
        let job = match jobs.claim(ask).await? {
            JobClaim::Granted(job) => job,
            JobClaim::Done(bytes) => return kept::open(&bytes, invocation, &action.action.name),
            JobClaim::Running(run) => return Err(running(&key, &run)),
            JobClaim::Interrupted(run) => return Err(interrupted(&key, &run)),
            JobClaim::Conflict => return Err(conflict(&key)),
        };
        let claim = Arc::new(Claim::new(asked + TERM));
        invocation.claim = Some(Arc::clone(&claim));
        let held = Holding { jobs: &*jobs, clock: &**self.clock(), job: &job, claim: &claim };
        let result = tokio::select! {
            biased;
            result = self.execute(accepted, Task::Action(action), observer) => result,
            never = held.on() => match never {},
        };
        let (end, result) = match result {
            Ok(result) => (end(&result), Ok(result)),
            Err(error) => (JobEnd::Free, Err(error)),
        };
        let settled = jobs.settle(job, end).await;
        let mut result = result?;
        if !matches!(settled, Ok(true)) {
            tracing::error!(run = result.record.id.as_str(), ?settled, "a result was not kept");
            result.warnings.push(Warning::NotKept);
        }
        Ok(result)
    }
}

/// A key as it may be.
fn checked(key: &str) -> Result<String, Error> {
    let plain = key.bytes().all(|b| (0x20..0x7f).contains(&b));
    if plain && !key.trim().is_empty() && key.len() <= LONGEST {
        return Ok(key.to_owned());
    }
    Err(Error::call(
        CallCode::BadArgument,
        format!("`{}` cannot be an idempotency key", key.escape_debug()),
        format!("write 1 to {LONGEST} printable characters of ASCII, such as a UUID"),
    ))
}

/// Keys of one connection are told apart from those of another. The first slash ends the name of
/// the integration, in which there is none.
fn scope(invocation: &Invocation) -> String {
    let sandbox = if invocation.base_url.is_some() { "/sandbox" } else { "" };
    format!("{}/{}{sandbox}", invocation.integration.name, invocation.connection)
}

/// Of what is asked: numbers by value, members in any order.
fn body_hash(invocation: &Invocation, action: &PreparedAction) -> String {
    let asked = json!([action.action.name, invocation.input]);
    hex::encode(&sha256(value::canonical(&asked).as_bytes()))
}

/// What a run leaves under its key.
fn end(result: &RunResult) -> JobEnd {
    match (&result.output, result.repeat) {
        (Err(_), Repeat::Free) => JobEnd::Free,
        (Err(_), Repeat::WithKey) => JobEnd::Again,
        (Ok(_), _) | (Err(_), Repeat::Never) => JobEnd::Done(kept::seal(result)),
    }
}

fn running(key: &str, run: &str) -> Error {
    Error::call(
        CallCode::IdempotencyRunning,
        format!("`{run}` still runs under the idempotency key `{key}`"),
        "try again when it has ended; the same key then gives its result",
    )
}

fn interrupted(key: &str, run: &str) -> Error {
    Error::call(
        CallCode::IdempotencyInterrupted,
        format!(
            "`{run}`, which ran under the idempotency key `{key}`, was cut off by the end of its \
             process, and may have taken effect"
        ),
        format!("see with `engine logs {run}` and at the API; to do it again, give another key"),
    )
}

fn conflict(key: &str) -> Error {
    Error::call(
        CallCode::IdempotencyConflict,
        format!("the idempotency key `{key}` was used with another action or input"),
        "give each call a key of its own, and the same key only to repeat it",
    )
}

/// A claim that is held on to while its work goes on.
struct Holding<'a> {
    jobs: &'a dyn Jobs,
    clock: &'a dyn Clock,
    job: &'a JobHeld,
    claim: &'a Claim,
}

impl Holding<'_> {
    /// Says again and again that its holder is alive; does not end. When the claim is lost, the run
    /// finds that it is over before it sends anything more.
    async fn on(&self) -> Infallible {
        loop {
            self.clock.sleep(BEAT).await;
            let asked = self.clock.boot();
            match self.jobs.beat(self.job.clone(), TERM).await {
                Ok(true) => self.claim.set(asked + TERM),
                Ok(false) => self.claim.set(Duration::ZERO),
                Err(error) => tracing::warn!(%error, "the claim of a key could not be prolonged"),
            }
        }
    }
}
