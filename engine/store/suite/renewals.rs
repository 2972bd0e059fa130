//! Who may renew tokens, and what of it counts.

use std::time::Duration;

use serde_json::json;

use crate::{
    model::{
        account::{Account, AccountStatus, Connection, Credentials, Secrets},
        time::Timestamp,
    },
    store::{
        handle::Store,
        ports::{
            accounts::NewAccount,
            secrets::{Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Retraction, Verdict},
        },
        suite::subject::{Subject, add, credentials, is, key, new, open},
    },
};

cases! { renewals:
    a_lease_has_one_holder_and_its_fence_grows
    a_late_success_wins_over_a_verdict
    of_two_successes_of_one_parent_the_later_fence_wins
    a_sign_in_during_a_refresh_is_not_touched
    the_end_of_a_token_can_be_learned_after_it_was_stored
    a_revocation_counts_for_what_was_taken_back
    an_account_of_the_same_name_is_another_one
    a_success_whose_answer_was_lost_may_be_repeated
}

async fn lease(store: &Store, of: &Connection, holder: &str) -> LeaseAnswer {
    let ask = LeaseAsk {
        key: of.account.key(),
        incarnation: of.account.incarnation.clone(),
        generation: of.secrets.generation,
        holder: holder.to_owned(),
        term: Duration::from_mins(2),
    };
    store.secrets.lease(ask).await.unwrap()
}

async fn leased(store: &Store, of: &Connection, holder: &str) -> Connection {
    let answer = lease(store, of, holder).await;
    let LeaseAnswer::Granted(connection) = answer else { panic!("{answer:?}") };
    *connection
}

fn tokens(of: &Connection, token: &str) -> NewTokens {
    NewTokens {
        basis: Basis::of(of),
        credentials: credentials(token),
        scopes: Some(vec!["a".to_owned()]),
        saved: serde_json::Map::from_iter([("shop".to_owned(), json!("s"))]),
    }
}

/// By `holder`; by nobody if that is empty.
fn verdict(of: &Connection, holder: &str, retry_at: Option<Timestamp>) -> Verdict {
    let holder = Some(holder.to_owned()).filter(|holder| !holder.is_empty());
    Verdict { basis: Basis::of(of), holder, reason: "gone".to_owned(), retry_at }
}

/// A case.
pub async fn a_lease_has_one_holder_and_its_fence_grows(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let seen = open(store, &key("slack", "a")).await;
    let first = leased(store, &seen, "one").await;
    assert!(matches!(lease(store, &seen, "two").await, LeaseAnswer::Taken));
    let held = |of: &Connection, holder: &str| LeaseHeld {
        key: of.account.key(),
        holder: holder.to_owned(),
        fence: of.secrets.fence,
    };
    let term = Duration::from_mins(2);
    subject.clock.pass(Duration::from_secs(100));
    assert!(store.secrets.renew(&held(&first, "one"), term).await.unwrap());
    subject.clock.pass(Duration::from_secs(100));
    assert!(matches!(lease(store, &seen, "two").await, LeaseAnswer::Taken), "prolonged");
    // Where it is seen that the holder runs, it has one further term.
    subject.clock.pass(Duration::from_secs(20) + term);
    let second = leased(store, &seen, "two").await;
    assert!(second.secrets.fence > first.secrets.fence);
    // Each guarded write of the stale holder.
    assert!(!store.secrets.renew(&held(&first, "one"), term).await.unwrap());
    store.secrets.release(&held(&first, "one")).await.unwrap();
    assert!(!store.secrets.verdict(verdict(&first, "one", None)).await.unwrap());
    assert!(matches!(lease(store, &seen, "three").await, LeaseAnswer::Taken), "not its to release");
    for holder in ["", "one"] {
        let refused = verdict(&second, holder, None);
        assert!(!store.secrets.verdict(refused).await.unwrap(), "under the lease of another");
    }
    store.secrets.release(&held(&second, "two")).await.unwrap();
    leased(store, &seen, "three").await;
    let pause = Timestamp(1_700_000_900_000);
    assert!(!store.secrets.verdict(verdict(&second, "two", Some(pause))).await.unwrap());
    assert!(matches!(
        lease(store, &Connection { secrets: Secrets::default(), ..seen }, "four").await,
        LeaseAnswer::Overtaken
    ));
}

/// A case.
pub async fn a_late_success_wins_over_a_verdict(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let at = key("slack", "a");
    let seen = open(store, &at).await;
    let slow = leased(store, &seen, "slow").await;
    subject.clock.pass(Duration::from_mins(5));
    let fast = leased(store, &seen, "fast").await;
    assert!(store.secrets.verdict(verdict(&fast, "fast", None)).await.unwrap());
    let shown = store.accounts.get(&at).await.unwrap().unwrap();
    assert_eq!(shown.status, AccountStatus::NeedsAuthorization);
    assert_eq!((shown.failures, shown.status_reason.as_deref()), (1, Some("gone")));
    // Its tokens are the only valid ones.
    assert!(store.secrets.keep(tokens(&slow, "t2")).await.unwrap());
    let found = open(store, &at).await;
    assert!(is(&found, "t2"));
    assert_eq!((found.account.status, found.account.failures), (AccountStatus::Active, 0));
    assert_eq!(found.secrets.generation, 2);
    assert_eq!(found.account.connection_config, json!({"shop": "s"}));
    assert!(!store.secrets.verdict(verdict(&fast, "fast", None)).await.unwrap(), "of an older set");
}

/// A case.
pub async fn of_two_successes_of_one_parent_the_later_fence_wins(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let at = key("slack", "a");
    let seen = open(store, &at).await;
    let slow = leased(store, &seen, "slow").await;
    subject.clock.pass(Duration::from_mins(5));
    let fast = leased(store, &seen, "fast").await;
    assert!(store.secrets.keep(tokens(&slow, "slow")).await.unwrap());
    assert!(is(&open(store, &at).await, "slow"));
    assert!(store.secrets.keep(tokens(&fast, "fast")).await.unwrap());
    assert!(!store.secrets.keep(tokens(&slow, "slow")).await.unwrap());
    let found = open(store, &at).await;
    assert!(is(&found, "fast"));
    assert_eq!(found.secrets.generation, 2);
}

/// A case.
pub async fn a_sign_in_during_a_refresh_is_not_touched(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let at = key("slack", "a");
    let seen = open(store, &at).await;
    let under_way = leased(store, &seen, "one").await;
    add(store, NewAccount { replace: true, ..new("slack", "a", "signed-in") }).await;
    assert!(!store.secrets.keep(tokens(&under_way, "t2")).await.unwrap());
    assert!(!store.secrets.verdict(verdict(&under_way, "one", None)).await.unwrap());
    let found = open(store, &at).await;
    assert!(is(&found, "signed-in"));
    leased(store, &found, "two").await;
    assert!(matches!(lease(store, &seen, "three").await, LeaseAnswer::Overtaken));
}

/// A case.
pub async fn the_end_of_a_token_can_be_learned_after_it_was_stored(subject: Subject) {
    let store = &subject.store;
    let at = key("slack", "a");
    add(store, new("slack", "a", "t1")).await;
    let held = leased(store, &open(store, &at).await, "one").await;
    assert!(store.secrets.keep(tokens(&held, "t2")).await.unwrap());
    let kept = open(store, &at).await;
    assert!(store.secrets.set_expiry(Basis::of(&kept), Timestamp(77)).await.unwrap());
    let found = open(store, &at).await;
    assert!(is(&found, "t2"));
    assert_eq!(found.secrets.credentials.expires_at, Some(Timestamp(77)));
    assert_eq!(found.account.expires_at, Some(Timestamp(77)));
    assert_eq!(found.secrets.generation, kept.secrets.generation, "the same set");
    // It is not the end of another set, nor of another account's.
    let held = leased(store, &found, "two").await;
    assert!(store.secrets.set_expiry(Basis::of(&held), Timestamp(78)).await.unwrap(), "leased");
    assert!(store.secrets.keep(tokens(&held, "t3")).await.unwrap());
    assert!(!store.secrets.set_expiry(Basis::of(&held), Timestamp(79)).await.unwrap());
    let other = Basis { incarnation: "other".to_owned(), ..Basis::of(&open(store, &at).await) };
    assert!(!store.secrets.set_expiry(other, Timestamp(79)).await.unwrap());
    let none = Basis { key: key("slack", "b"), ..Basis::of(&held) };
    assert!(!store.secrets.set_expiry(none, Timestamp(79)).await.unwrap());
    assert_eq!(open(store, &at).await.secrets.credentials.expires_at, Some(Timestamp(9)));
}

/// A case.
pub async fn a_revocation_counts_for_what_was_taken_back(subject: Subject) {
    let store = &subject.store;
    let at = key("slack", "a");
    add(store, new("slack", "a", "t1")).await;
    let retraction = |of: &Connection| Retraction {
        basis: Basis::of(of),
        credentials: Credentials::default(),
        reason: "taken back".to_owned(),
    };
    let slow = leased(store, &open(store, &at).await, "slow").await;
    subject.clock.pass(Duration::from_mins(5));
    let held = leased(store, &open(store, &at).await, "one").await;
    assert!(!store.secrets.retract(retraction(&slow)).await.unwrap(), "a stale fence");
    let other = Basis { incarnation: "other".to_owned(), ..Basis::of(&held) };
    let other = Retraction { basis: other, ..retraction(&held) };
    assert!(!store.secrets.retract(other).await.unwrap(), "another account");
    let edited = store.accounts.get(&at).await.unwrap().unwrap();
    let edited = Account { metadata: json!({"n": 1}), ..edited };
    store.accounts.change(edited).await.unwrap();
    assert!(store.secrets.retract(retraction(&held)).await.unwrap());
    let found = open(store, &at).await;
    assert_eq!(found.account.status, AccountStatus::Revoked);
    assert_eq!(found.account.status_reason.as_deref(), Some("taken back"));
    assert_eq!(found.account.metadata, json!({"n": 1}), "what was changed meanwhile stays");
    assert!(found.secrets.credentials.fields.is_empty());
    // What a person wanted gone does not come back with a late answer.
    assert!(!store.secrets.keep(tokens(&slow, "late")).await.unwrap());
    assert!(!store.secrets.keep(tokens(&held, "late")).await.unwrap());
    // A sign-in wins over a revocation that began before.
    let held = leased(store, &found, "two").await;
    add(store, NewAccount { replace: true, ..new("slack", "a", "signed-in") }).await;
    assert!(!store.secrets.retract(retraction(&held)).await.unwrap());
    assert!(is(&open(store, &at).await, "signed-in"));
}

/// A case.
pub async fn an_account_of_the_same_name_is_another_one(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let at = key("slack", "a");
    let seen = open(store, &at).await;
    let under_way = leased(store, &seen, "one").await;
    store.accounts.retire(&at, false).await.unwrap();
    assert!(!store.secrets.keep(tokens(&under_way, "t2")).await.unwrap());
    add(store, new("slack", "a", "other")).await;
    assert!(matches!(lease(store, &seen, "two").await, LeaseAnswer::Overtaken));
    let other = leased(store, &open(store, &at).await, "three").await;
    let same = |of: &Connection| (of.secrets.generation, of.secrets.fence);
    assert_eq!(same(&other), same(&under_way), "nothing but the incarnation tells them apart");
    assert!(!store.secrets.keep(tokens(&under_way, "t2")).await.unwrap());
    assert!(!store.secrets.verdict(verdict(&under_way, "one", None)).await.unwrap());
    assert!(is(&open(store, &at).await, "other"));
}

/// A case.
pub async fn a_success_whose_answer_was_lost_may_be_repeated(subject: Subject) {
    let store = &subject.store;
    add(store, new("slack", "a", "t1")).await;
    let seen = open(store, &key("slack", "a")).await;
    let held = leased(store, &seen, "one").await;
    assert!(store.secrets.keep(tokens(&held, "t2")).await.unwrap());
    assert!(!store.secrets.keep(tokens(&held, "t2")).await.unwrap(), "it is there already");
    let found = open(store, &key("slack", "a")).await;
    assert!(is(&found, "t2"));
    assert_eq!(found.secrets.generation, held.secrets.generation + 1);
    leased(store, &found, "two").await;
}
