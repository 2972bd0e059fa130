//! Runs, idempotency keys, sign-ins, limits, owners, revocations, acts.

use std::time::Duration;

use serde_json::{json, value::to_raw_value};

use crate::{
    clock::Clock,
    model::{
        api_key::{ApiKey, KeyRate, Narrowing},
        failure::{Code, Failure},
        http::Method,
        name::RunId,
        record::{AttemptRecord, RunRecord, RunStatus},
        secret::Secret,
        time::Timestamp,
    },
    store::{
        ports::{
            audit::AuditEntry,
            consents::{Consent, ConsentResult, ConsentTake},
            jobs::{JobAsk, JobClaim, JobEnd, JobHeld, JobKey},
            permits::PermitAsk,
            runs::RunFilter,
        },
        suite::subject::{Subject, add, is, key, new, open},
    },
};

cases! { records:
    runs_come_back_as_they_went
    runs_are_found_by_their_beginning_and_by_filters
    a_key_is_claimed_once_and_settled_once
    a_sign_in_is_taken_once_and_its_result_kept
    buckets_change_only_from_the_version_that_was_read
    places_are_shared_and_come_back
    single_owners_are_single
    tokens_of_deleted_accounts_are_kept_until_they_are_taken_back
    acts_are_written_down
    keys_are_made_found_and_revoked
}

/// A run under way.
pub fn run(id: &str, started_at: i64) -> RunRecord {
    RunRecord {
        id: id.parse().unwrap(),
        integration: "slack".parse().unwrap(),
        action: "list-channels".parse().unwrap(),
        connection: "default".parse().unwrap(),
        sandbox: false,
        status: RunStatus::Running,
        failure: None,
        started_at: Timestamp(started_at),
        finished_at: None,
        attempts: 0,
        waited_ms: 0,
    }
}

/// An attempt of it.
pub fn attempt(page: u32) -> AttemptRecord {
    AttemptRecord {
        step: "list".to_owned(),
        item: Some(7),
        page,
        attempt: 1,
        started_at: Timestamp(5),
        duration_ms: 20,
        waited_ms: 3,
        method: Method::GET,
        url: "https://slack.com/api/x".to_owned(),
        status: Some(200),
        outcome: "rate_limited",
        message: Some("slow down".to_owned()),
        detail: to_raw_value(&json!({"request": {"headers": {"z": "1", "a": "2"}}})).ok(),
    }
}

/// A case.
pub async fn runs_come_back_as_they_went(subject: Subject) {
    let runs = &subject.store.runs;
    let mut record = run("run_1", 10);
    runs.begin(record.clone()).await.unwrap();
    assert_eq!(runs.get("run_1").await.unwrap().unwrap().status, RunStatus::Running);
    runs.note(record.clone(), vec![attempt(1), attempt(2)]);
    let mut failure = Failure::new(Code::RateLimited, "slow").with_hint("wait");
    failure.detail = Some(json!({"z": 1, "a": [1.50]}));
    failure.status = Some(429);
    failure.retry_at = Some(Timestamp(1_700_000_000_123));
    failure.maybe_executed = true;
    record.status = RunStatus::Failed;
    record.failure = Some(failure);
    record.finished_at = Some(Timestamp(12));
    record.attempts = 3;
    record.waited_ms = u64::MAX / 4;
    runs.finish(record.clone(), vec![attempt(3)]).await.unwrap();
    let found = runs.get("run").await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{record:?}"));
    let attempts = runs.attempts("run_1").await.unwrap();
    let given = [attempt(1), attempt(2), attempt(3)];
    assert_eq!(format!("{attempts:?}"), format!("{given:?}"));
    assert!(runs.attempts("none").await.unwrap().is_empty());
}

/// A case.
pub async fn runs_are_found_by_their_beginning_and_by_filters(subject: Subject) {
    let runs = &subject.store.runs;
    for (id, started) in [("ab1", 1), ("ab2", 2), ("abc", 3), ("abcd", 4), ("a_c", 5)] {
        runs.begin(run(id, started)).await.unwrap();
    }
    let find = async |id: &str| runs.get(id).await.unwrap().map(|run| run.id);
    assert_eq!(find("ab1").await.as_deref(), Some("ab1"));
    assert_eq!(find("abc").await.as_deref(), Some("abc"), "itself, although another begins so");
    assert_eq!(find("a_").await.as_deref(), Some("a_c"));
    for none in ["ab", "x", "AB1", "%", "ab_"] {
        assert_eq!(find(none).await, None, "{none}");
    }
    for id in ["ab1", "abc"] {
        let done = RunRecord { status: RunStatus::Succeeded, ..run(id, 3) };
        runs.finish(
            RunRecord { started_at: Timestamp(if id == "abc" { 3 } else { 1 }), ..done },
            vec![],
        )
        .await
        .unwrap();
    }
    let list = async |filter: RunFilter| -> Vec<RunId> {
        runs.page(filter).await.unwrap().into_iter().map(|run| run.id).collect()
    };
    let all = RunFilter { limit: 3, ..RunFilter::default() };
    assert_eq!(list(all.clone()).await, ["a_c", "abcd", "abc"]);
    let one = RunFilter { status: Some(RunStatus::Succeeded), ..all.clone() };
    assert_eq!(list(one).await, ["abc", "ab1"]);
    let none = RunFilter { integration: Some("github".to_owned()), ..all };
    assert!(list(none).await.is_empty());
    assert_eq!(runs.prune(Timestamp(1), 9).await.unwrap(), 0);
    assert_eq!(runs.prune(Timestamp(100), 1).await.unwrap(), 1, "the oldest first");
    assert_eq!(runs.prune(Timestamp(100), 9).await.unwrap(), 1, "what still runs stays");
}

/// A case.
pub async fn a_key_is_claimed_once_and_settled_once(subject: Subject) {
    let (jobs, clock) = (&subject.store.jobs, &subject.clock);
    let (term, keep) = (Duration::from_secs(30), Duration::from_hours(24));
    let ask = |hash: &str, holder: &str| JobAsk {
        key: JobKey { scope: "slack/a".to_owned(), key: "k".to_owned() },
        body_hash: hash.to_owned(),
        holder: holder.to_owned(),
        term,
        keep,
        repeatable: true,
    };
    let granted = |claim: JobClaim| {
        let JobClaim::Granted(job) = claim else { panic!("{claim:?}") };
        job
    };
    let claim = async |hash: &str, holder: &str| jobs.claim(ask(hash, holder)).await.unwrap();
    let first = granted(claim("h", "one").await);
    assert_eq!(claim("h", "two").await, JobClaim::Running("one".to_owned()));
    assert_eq!(claim("other", "two").await, JobClaim::Conflict);
    // Who beats is not taken for dead; who does not is.
    clock.pass(Duration::from_secs(20));
    assert!(jobs.beat(first.clone(), term).await.unwrap());
    clock.pass(Duration::from_secs(20));
    assert_eq!(claim("h", "two").await, JobClaim::Running("one".to_owned()));
    clock.pass(Duration::from_secs(11));
    assert!(!jobs.beat(first.clone(), term).await.unwrap(), "its term is over");
    let careful = JobAsk { repeatable: false, ..ask("h", "two") };
    let interrupted = JobClaim::Interrupted("one".to_owned());
    assert_eq!(jobs.claim(careful).await.unwrap(), interrupted);
    let second = granted(claim("h", "two").await);
    let late = jobs.settle(first, JobEnd::Done(b"late".to_vec())).await.unwrap();
    assert!(!late, "its claim is over");
    let posing = JobHeld { holder: "one".to_owned(), ..second.clone() };
    assert!(!jobs.settle(posing, JobEnd::Free).await.unwrap(), "it is another's");
    // The same input may be worked on again, at once, and another may not.
    assert!(jobs.settle(second, JobEnd::Again).await.unwrap());
    assert_eq!(claim("other", "three").await, JobClaim::Conflict);
    let careful = JobAsk { repeatable: false, ..ask("h", "three") };
    let third = granted(jobs.claim(careful).await.unwrap());
    assert!(jobs.settle(third.clone(), JobEnd::Done(b"result".to_vec())).await.unwrap());
    assert!(!jobs.settle(third, JobEnd::Free).await.unwrap());
    assert_eq!(claim("h", "four").await, JobClaim::Done(b"result".to_vec()));
    assert_eq!(claim("other", "four").await, JobClaim::Conflict);
    // A key is known for a day, whether or not anything was removed meanwhile.
    clock.pass(keep);
    let fourth = granted(claim("other", "five").await);
    assert!(jobs.settle(fourth, JobEnd::Free).await.unwrap(), "nothing was done");
    let fifth = granted(claim("h", "six").await);
    assert!(jobs.settle(fifth, JobEnd::Done(Vec::new())).await.unwrap());
    let later = clock.now().plus(Duration::from_secs(1));
    assert_eq!(jobs.expire(later).await.unwrap(), 1);
    granted(claim("other", "seven").await);
}

/// A sign-in that has begun.
pub fn consent(state_hash: &str, expires_at: Timestamp) -> Consent {
    Consent {
        state_hash: state_hash.to_owned(),
        account: key("slack", "a"),
        verifier: Some(Secret::new("verifier".to_owned())),
        token_secret: None,
        credentials: [("key".to_owned(), Secret::new("k".to_owned()))].into(),
        connection_config: [("pin".to_owned(), Secret::new("\"1234\"".to_owned()))].into(),
        redirect_uri: "http://localhost/cb".to_owned(),
        issuer: Some("https://i.test".to_owned()),
        session: None,
        cookie_hash: Some("c".to_owned()),
        socket_id: None,
        return_url: None,
        parameters: json!({"scopes": ["a"]}),
        expires_at,
    }
}

/// A case.
pub async fn a_sign_in_is_taken_once_and_its_result_kept(subject: Subject) {
    let consents = &subject.store.consents;
    let soon = subject.clock.now().plus(Duration::from_mins(10));
    let consent = consent("hash", soon);
    consents.put(consent.clone()).await.unwrap();
    assert_eq!(consents.result("hash").await.unwrap(), ConsentResult::Pending);
    assert_eq!(consents.result("none").await.unwrap(), ConsentResult::Unknown);
    assert_eq!(consents.take("none").await.unwrap(), ConsentTake::Unknown);
    let taken = ConsentTake::Taken(Box::new(consent.clone()));
    assert_eq!(consents.take("hash").await.unwrap(), taken);
    assert_eq!(consents.take("hash").await.unwrap(), ConsentTake::Used, "once");
    consents.finish("hash", json!({"ok": true}), Some(new("slack", "a", "t"))).await.unwrap();
    assert_eq!(consents.result("hash").await.unwrap(), ConsentResult::Done(json!({"ok": true})));
    assert!(is(&open(&subject.store, &key("slack", "a")).await, "t"));
    let late = Consent { state_hash: "late".to_owned(), ..consent };
    consents.put(late).await.unwrap();
    subject.clock.pass(Duration::from_mins(11));
    assert_eq!(consents.take("late").await.unwrap(), ConsentTake::Expired);
    assert_eq!(consents.take("hash").await.unwrap(), ConsentTake::Used);
    assert_eq!(consents.prune(subject.clock.now()).await.unwrap(), 2);
}

/// A case.
pub async fn buckets_change_only_from_the_version_that_was_read(subject: Subject) {
    let limits = &subject.store.limits;
    let row = limits.read("b").await.unwrap();
    assert_eq!((row.version, row.state, row.now), (0, None, subject.clock.now()));
    assert!(!limits.swap("b", 1, "x".to_owned()).await.unwrap(), "there is none");
    assert!(limits.swap("b", 0, "one".to_owned()).await.unwrap());
    assert!(!limits.swap("b", 0, "two".to_owned()).await.unwrap(), "it is there");
    assert!(limits.swap("b", 1, "two".to_owned()).await.unwrap());
    let row = limits.read("b").await.unwrap();
    assert_eq!((row.version, row.state.as_deref()), (2, Some("two")));
    assert_eq!(limits.prune(subject.clock.now()).await.unwrap(), 0);
    let later = subject.clock.now().plus(Duration::from_secs(1));
    assert_eq!(limits.prune(later).await.unwrap(), 1);
    assert_eq!(limits.read("b").await.unwrap().version, 0);
}

/// A case.
pub async fn places_are_shared_and_come_back(subject: Subject) {
    let Subject { store, clock, .. } = &subject;
    let hold = async |holder: &str, wanted: u32| {
        let (bucket, holder) = ("slack".to_owned(), holder.to_owned());
        let term = Duration::from_mins(1);
        let ask = PermitAsk { bucket, holder, most: 5, wanted, term };
        store.permits.hold(ask).await.unwrap()
    };
    assert_eq!((hold("one", 3).await, hold("two", 3).await, hold("three", 1).await), (3, 2, 0));
    assert_eq!(hold("two", 4).await, 2, "no more than there are, and none is taken away");
    assert_eq!(hold("one", 1).await, 1);
    assert_eq!(hold("two", 4).await, 4);
    clock.pass(Duration::from_secs(40));
    assert_eq!(hold("two", 4).await, 4, "prolonged");
    clock.pass(Duration::from_secs(20));
    assert_eq!(hold("three", 5).await, 1, "the term of the first one is over");
    assert_eq!(hold("one", 1).await, 0);
    assert_eq!((hold("two", 0).await, hold("one", 5).await), (0, 4));
    let other = PermitAsk {
        bucket: "github".to_owned(),
        holder: "two".to_owned(),
        most: 1,
        wanted: 2,
        term: Duration::from_mins(1),
    };
    assert_eq!(store.permits.hold(other).await.unwrap(), 1, "each bucket by itself");
}

/// A case.
pub async fn single_owners_are_single(subject: Subject) {
    let leases = &subject.store.leases;
    let term = Duration::from_secs(10);
    assert_eq!(leases.take("prune", "one", term).await.unwrap(), Some(1));
    assert_eq!(leases.take("prune", "two", term).await.unwrap(), None);
    subject.clock.pass(Duration::from_secs(9));
    assert_eq!(leases.take("prune", "one", term).await.unwrap(), Some(1), "prolonged");
    subject.clock.pass(Duration::from_secs(9));
    assert_eq!(leases.take("prune", "two", term).await.unwrap(), None);
    subject.clock.pass(Duration::from_secs(1));
    assert_eq!(leases.take("prune", "two", term).await.unwrap(), Some(2), "over");
    leases.release("prune", "one").await.unwrap();
    assert_eq!(leases.take("prune", "one", term).await.unwrap(), None, "not its to release");
    leases.release("prune", "two").await.unwrap();
    assert_eq!(leases.take("prune", "one", term).await.unwrap(), Some(3));
    assert_eq!(leases.take("other", "two", term).await.unwrap(), Some(1));
}

/// A case.
pub async fn tokens_of_deleted_accounts_are_kept_until_they_are_taken_back(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    assert!(store.accounts.retire(&key("slack", "a"), true).await.unwrap());
    assert!(store.accounts.get(&key("slack", "a")).await.unwrap().is_none());
    let one = store.revocations.pending().await.unwrap().pop().unwrap();
    assert_eq!((one.account, one.attempts), (key("slack", "a"), 0));
    assert!(is(&store.revocations.open(one.number).await.unwrap().unwrap(), "t1"));
    store.revocations.settle(one.number, Some("no".to_owned())).await.unwrap();
    let again = store.revocations.pending().await.unwrap().pop().unwrap();
    assert_eq!((again.attempts, &*again.reason), (1, "no"));
    store.revocations.settle(one.number, None).await.unwrap();
    assert!(store.revocations.pending().await.unwrap().is_empty());
    assert!(store.revocations.open(one.number).await.unwrap().is_none());
}

/// A case.
pub async fn acts_are_written_down(subject: Subject) {
    let audit = &subject.store.audit;
    let entry = |id: &str| AuditEntry {
        who: "me".to_owned(),
        what: "credentials.revealed".to_owned(),
        account: Some(key("slack", id)),
        about: None,
        source: Some("127.0.0.1".to_owned()),
    };
    let other = AuditEntry { account: None, about: Some("key_1".to_owned()), ..entry("a") };
    audit.append(vec![entry("a"), entry("b"), other.clone()]).await.unwrap();
    let rows = audit.page(None, 9).await.unwrap();
    let entries: Vec<_> = rows.iter().map(|row| row.entry.clone()).collect();
    assert_eq!(entries, [other, entry("b"), entry("a")]);
    assert_eq!(audit.page(Some(rows[0].number), 9).await.unwrap(), rows[1..]);
    assert_eq!(audit.prune(subject.clock.now()).await.unwrap(), 0);
    let later = subject.clock.now().plus(Duration::from_secs(1));
    assert_eq!(audit.prune(later).await.unwrap(), 3);
}

/// A case.
pub async fn keys_are_made_found_and_revoked(subject: Subject) {
    let keys = &subject.store.keys;
    let made = |id: &str, hash: &str| ApiKey {
        id: id.to_owned(),
        hash: hash.to_owned(),
        name: Some("ci".to_owned()),
        scopes: vec!["environment:proxy".to_owned(), "environment:connections:*".to_owned()],
        narrowing: Narrowing {
            integrations: vec!["slack-*".to_owned()],
            actions: Vec::new(),
            read_only: true,
            end_user: Some("u".to_owned()),
        },
        rate: KeyRate::parse("600/1m"),
        concurrency: Some(20),
        created_at: Timestamp(1),
        expires_at: Some(Timestamp(i64::MAX)),
        revoked_at: None,
        last_used_at: None,
    };
    let empty = keys.revision().await.unwrap();
    let (one, two) = (made("key_1", "h1"), made("key_2", "h2"));
    keys.create(one.clone()).await.unwrap();
    let first = keys.revision().await.unwrap();
    keys.create(two.clone()).await.unwrap();
    let second = keys.revision().await.unwrap();
    assert!(empty < first && first < second);
    assert_eq!(keys.by_hash("h1").await.unwrap(), Some(one.clone()));
    assert_eq!(keys.by_hash("h").await.unwrap(), None);
    assert_eq!(keys.list().await.unwrap(), [two.clone(), one.clone()]);
    let now = subject.clock.now();
    let revoked = ApiKey { revoked_at: Some(now), ..one };
    assert_eq!(keys.revoke("key_1").await.unwrap(), Some(revoked.clone()));
    let third = keys.revision().await.unwrap();
    assert!(second < third);
    subject.clock.pass(Duration::from_secs(1));
    assert_eq!(keys.revoke("key_1").await.unwrap(), Some(revoked.clone()), "once");
    assert_eq!(keys.by_hash("h1").await.unwrap(), Some(revoked));
    assert_eq!(keys.revoke("key_3").await.unwrap(), None);
    assert_eq!(keys.revision().await.unwrap(), third, "nothing was changed");
    let now = subject.clock.now();
    keys.used("key_2".to_owned());
    // Writes are done in their order.
    keys.create(made("key_3", "h3")).await.unwrap();
    let used = ApiKey { last_used_at: Some(now), ..two };
    assert_eq!(keys.by_hash("h2").await.unwrap(), Some(used));
}
