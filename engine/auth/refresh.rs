//! One refresh of one connection: from "is it still needed?" to "it is stored".
//!
//! The order is what keeps refresh tokens: lease (a write, so that a store that cannot be written
//! is met before the token is spent), ask once, store, and only then show the new token to anybody.

use std::{sync::Arc, time::Duration};

use crate::{
    auth::{
        answer::TokenAnswer,
        grant::{self, TokenGrant},
        lease::{Lease, Leased, Need, World, lease, read},
        permission::{LONGEST_PAUSE, may_refresh, paused, unauthorized},
        send::{TokenOutcome, TokenRequest},
    },
    model::{
        account::{AccountStatus, Connection, Secrets as Opened},
        blueprint::Integration,
        failure::{Code, Failure},
        schema::Schema,
        secret::Secret,
        time::Timestamp,
    },
    store::{self, Basis, NewTokens, Verdict},
    wire::Wire,
};

/// The pause after a first failed refresh; doubled with each further one, up to
/// [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(30);
/// How often a write whose fate is unknown is tried.
const WRITES: u32 = 3;

/// The token set that was found wanting.
#[derive(Debug, Clone)]
pub struct Stale {
    /// Which set, of which account: one of the same id that was made later has other tokens.
    pub basis: Basis,
    /// Asked for by a person: a pause does not count.
    pub forced: bool,
}

/// How a refresh ended.
pub enum RefreshOutcome {
    /// What the store holds now, good to use.
    Stored(Box<Connection>),
    /// New tokens that could not be stored; the reason. They must not be lost.
    Unsaved(Box<Unsaved>, store::Error),
    /// It cannot be used, or not now.
    Failed(Failure),
}

/// New tokens that no store holds yet.
pub struct Unsaved {
    /// With them.
    pub connection: Connection,
    /// To be stored.
    pub tokens: NewTokens,
    /// Kept meanwhile: what the store holds is spent, and nobody else may send it. Storing the
    /// tokens ends it.
    pub leased: Arc<Leased>,
}

/// Refreshes unless `stale` is no longer what the store holds.
pub async fn once(world: &World, integration: &Integration, stale: &Stale) -> RefreshOutcome {
    let need = |connection: &Connection| {
        if is_newer(connection, &stale.basis) {
            return Ok(Need::Nothing);
        }
        may_refresh(integration, connection)?;
        match paused(connection, world.clock.now()).filter(|_| !stale.forced) {
            Some(failure) => Err(failure),
            None => Ok(Need::Lease),
        }
    };
    match lease(world, &stale.basis, need).await {
        Ok(Lease::Granted(connection, leased)) => {
            let outcome = leased.during(renew(world, integration, &connection, &leased)).await;
            match outcome {
                // Without the new tokens a waiter would spend the old ones again.
                RefreshOutcome::Unsaved(..) => outcome,
                RefreshOutcome::Failed(_) => {
                    leased.release().await;
                    outcome
                }
                RefreshOutcome::Stored(renewed) => {
                    leased.release().await;
                    RefreshOutcome::Stored(Box::new(dated(world, integration, *renewed).await))
                }
            }
        }
        Ok(Lease::NotNeeded(connection)) => RefreshOutcome::Stored(connection),
        Err(failure) => RefreshOutcome::Failed(failure),
    }
}

/// Learns when tokens end whose answer did not say. They are stored already: whatever becomes of
/// this question, they are not lost.
async fn dated(world: &World, integration: &Integration, mut renewed: Connection) -> Connection {
    let now = world.clock.now();
    let (wire, connection) = (&*world.wire, &renewed);
    let with = TokenRequest { wire, integration, connection, now, secrets: &[] };
    let Some(ends) = grant::introspect(with).await else { return renewed };
    match world.secrets.set_expiry(Basis::of(&renewed), ends).await {
        // Overtaken: the newer set has an end of its own.
        Ok(false) => {}
        Ok(true) => {
            renewed.secrets.credentials.expires_at = Some(ends);
            renewed.account.expires_at = Some(ends);
        }
        Err(error) => {
            let id = renewed.account.id.as_str();
            tracing::warn!(%error, connection = id, "the end of a token could not be stored");
        }
    }
    renewed
}

/// The part under the lease.
async fn renew(
    world: &World,
    integration: &Integration,
    connection: &Connection,
    leased: &Arc<Leased>,
) -> RefreshOutcome {
    let ask = || {
        let now = world.clock.now();
        let wire: &dyn Wire = &**leased;
        let with = TokenRequest { wire, integration, connection, now, secrets: &[] };
        grant::ask(with, TokenGrant::Stored)
    };
    let mut outcome = ask().await;
    if let TokenOutcome::NotNow { lost: true, wait: None, reason } = &outcome {
        // The answer may be lost after the endpoint rotated: one careful repeat, which endpoints
        // with a grace period accept.
        let id = connection.account.id.as_str();
        tracing::warn!(connection = id, reason, "the token answer was lost; asking once more");
        outcome = ask().await;
    }
    let failed = |reason: &str| {
        Failure::new(Code::ProviderError, format!("the token could not be refreshed: {reason}"))
    };
    match outcome {
        TokenOutcome::Tokens(tokens) => {
            let schema = &integration.blueprint.connection_schema;
            keep(world, connection, leased, TakenOver::new(connection, schema, tokens)).await
        }
        TokenOutcome::NotNow { reason, wait, .. } => {
            pause(world, connection, failed(&reason), wait).await
        }
        TokenOutcome::Refused { reason } => {
            let failure = Failure { code: Code::Unauthorized, ..failed(&reason) }
                .with_hint("the endpoint refuses the client: look at `oauth_client_id` and `oauth_client_secret` of the integration; the connection itself is kept");
            pause(world, connection, failure, None).await
        }
        // Nobody can sign in again: the operator puts it right, and then it goes on.
        TokenOutcome::Dead { reason } if !integration.blueprint.auth.mode.has_owner() => {
            let failure = Failure { code: Code::Unauthorized, ..failed(&reason) }
                .with_hint("the endpoint refuses the app's credentials: look at those of the integration; the connection itself is kept");
            pause(world, connection, failure, None).await
        }
        TokenOutcome::Dead { reason } => end(world, connection, reason).await,
        TokenOutcome::Rotated { refresh_token, reason, wait } => {
            let new = Rotated { refresh_token, failure: failed(&reason), wait };
            rotate(world, connection, leased, new).await
        }
        TokenOutcome::Pending(_) => pause(world, connection, failed("not yet"), None).await,
        TokenOutcome::Impossible { reason } => RefreshOutcome::Failed(Failure::new(
            Code::Template,
            format!("the token cannot be refreshed: {reason}"),
        )),
    }
}

/// Stores new tokens. If a sibling has stored newer ones, theirs are used; an account that is gone
/// stays gone.
async fn keep(
    world: &World,
    connection: &Connection,
    leased: &Arc<Leased>,
    TakenOver { mut renewed, new }: TakenOver,
) -> RefreshOutcome {
    let kept = store_tokens(world, &new).await;
    let now = world.clock.now();
    renewed.secrets.generation += 1;
    let account = &mut renewed.account;
    account.status = AccountStatus::Active;
    account.status_reason = None;
    account.failures = 0;
    account.refresh_failure = None;
    account.refresh_retry_at = None;
    account.updated_at = now;
    account.last_refreshed_at = Some(now);
    match kept {
        Ok(true) => RefreshOutcome::Stored(Box::new(renewed)),
        Ok(false) => overtaken(world, connection, None).await,
        Err(error) => {
            let leased = Arc::clone(leased);
            let unsaved = Unsaved { connection: renewed, tokens: new, leased };
            RefreshOutcome::Unsaved(Box::new(unsaved), error)
        }
    }
}

async fn store_tokens(world: &World, new: &NewTokens) -> Result<bool, store::Error> {
    let mut tries = 1;
    loop {
        match world.secrets.keep(new.clone()).await {
            // Whether it was written is not known: if it was, the repeat finds our own tokens.
            Err(_) if tries < WRITES => tries += 1,
            other => return other,
        }
    }
}

/// A refresh token that came without an access token.
struct Rotated {
    refresh_token: Secret,
    failure: Failure,
    wait: Option<Duration>,
}

/// Stores it: the one before it is spent. What access token there is counts as over.
async fn rotate(
    world: &World,
    connection: &Connection,
    leased: &Arc<Leased>,
    Rotated { refresh_token, failure, wait }: Rotated,
) -> RefreshOutcome {
    let mut renewed = connection.clone();
    let credentials = &mut renewed.secrets.credentials;
    credentials.fields.insert("refresh_token".to_owned(), refresh_token);
    credentials.expires_at = Some(world.clock.now());
    let new = NewTokens {
        basis: Basis::of(connection),
        credentials: credentials.clone(),
        scopes: None,
        saved: serde_json::Map::new(),
    };
    let kept = store_tokens(world, &new).await;
    renewed.secrets.generation += 1;
    match kept {
        Ok(true) => {
            let (failure, retry_at) = paused_until(world, connection, failure, wait);
            let reason = failure.message.clone();
            // The lease has ended with the write.
            let verdict = Verdict { basis: Basis::of(&renewed), holder: None, reason, retry_at };
            conclude(world, &renewed, verdict, failure).await
        }
        Ok(false) => overtaken(world, connection, Some(failure)).await,
        Err(error) => {
            let leased = Arc::clone(leased);
            let unsaved = Unsaved { connection: renewed, tokens: new, leased };
            RefreshOutcome::Unsaved(Box::new(unsaved), error)
        }
    }
}

/// A connection with new tokens, and what of them is to be stored.
struct TakenOver {
    renewed: Connection,
    new: NewTokens,
}

impl TakenOver {
    fn new(old: &Connection, schema: &Schema, tokens: Box<TokenAnswer>) -> Self {
        let mut renewed = old.clone();
        take_over(&mut renewed, schema, &tokens);
        let TokenAnswer { scopes, mut saved, .. } = *tokens;
        // They are among the credentials now.
        for name in schema.write_only() {
            saved.shift_remove(name);
        }
        let credentials = renewed.secrets.credentials.clone();
        Self { renewed, new: NewTokens { basis: Basis::of(old), credentials, scopes, saved } }
    }
}

/// Puts tokens into a connection, and the values that came with them as `schema` says; without a new
/// refresh token the old one stays.
pub fn take_over(connection: &mut Connection, schema: &Schema, tokens: &TokenAnswer) {
    connection.take_values(schema, tokens.saved.clone());
    let Connection { account, secrets: Opened { credentials, .. } } = connection;
    credentials.fields.insert("access_token".to_owned(), tokens.access_token.clone());
    if let Some(token) = &tokens.refresh_token {
        credentials.fields.insert("refresh_token".to_owned(), token.clone());
    }
    for (name, secret) in &tokens.further {
        credentials.fields.insert(name.clone(), secret.clone());
    }
    credentials.expires_at = tokens.expires_at;
    credentials.raw = Some(tokens.raw.clone());
    account.expires_at = tokens.expires_at;
    account.credential_names = credentials.names();
    if let Some(scopes) = &tokens.scopes {
        account.scopes = Some(scopes.clone());
    }
}

/// Remembers a failed refresh for all processes: no request before the pause is over.
async fn pause(
    world: &World,
    connection: &Connection,
    failure: Failure,
    wait: Option<Duration>,
) -> RefreshOutcome {
    let (failure, retry_at) = paused_until(world, connection, failure, wait);
    let verdict = verdict(world, connection, failure.message.clone(), retry_at);
    conclude(world, connection, verdict, failure).await
}

/// The failure, with the time before which nobody asks again.
fn paused_until(
    world: &World,
    connection: &Connection,
    mut failure: Failure,
    wait: Option<Duration>,
) -> (Failure, Option<Timestamp>) {
    let doubled = PAUSE.saturating_mul(1 << connection.account.failures.min(5));
    let span = wait.unwrap_or_default().max(doubled).min(LONGEST_PAUSE);
    failure.retry_at = Some(world.clock.now().plus(span));
    let retry_at = failure.retry_at;
    (failure, retry_at)
}

/// What we say of a connection while we hold its lease.
fn verdict(
    world: &World,
    connection: &Connection,
    reason: String,
    retry_at: Option<Timestamp>,
) -> Verdict {
    let holder = Some(world.holder.clone());
    Verdict { basis: Basis::of(connection), holder, reason, retry_at }
}

/// Stores what a failed refresh means.
async fn conclude(
    world: &World,
    connection: &Connection,
    verdict: Verdict,
    failure: Failure,
) -> RefreshOutcome {
    match world.secrets.verdict(verdict).await {
        Ok(true) => RefreshOutcome::Failed(failure),
        Ok(false) => overtaken(world, connection, Some(failure)).await,
        Err(error) => {
            let id = connection.account.id.as_str();
            tracing::warn!(%error, connection = id, "the failed refresh could not be noted");
            RefreshOutcome::Failed(failure)
        }
    }
}

/// The endpoint says that the grant is gone.
async fn end(world: &World, connection: &Connection, reason: String) -> RefreshOutcome {
    let failure = unauthorized(connection, &reason);
    let verdict = verdict(world, connection, reason, None);
    conclude(world, connection, verdict, failure).await
}

/// The row is not what we began from: what is there counts, if it is newer than that.
async fn overtaken(
    world: &World,
    connection: &Connection,
    otherwise: Option<Failure>,
) -> RefreshOutcome {
    let basis = Basis::of(connection);
    match read(world, &basis).await {
        Ok(found) if is_newer(&found, &basis) => RefreshOutcome::Stored(Box::new(found)),
        Ok(found) => RefreshOutcome::Failed(otherwise.unwrap_or_else(|| {
            let reason =
                found.account.status_reason.as_deref().unwrap_or("it was changed meanwhile");
            unauthorized(&found, reason)
        })),
        Err(failure) => RefreshOutcome::Failed(failure),
    }
}

/// Whether the stored token set is newer than the one that was found wanting.
fn is_newer(connection: &Connection, than: &Basis) -> bool {
    connection.secrets.generation > than.generation
        && connection.account.status == AccountStatus::Active
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use futures_util::FutureExt;
    use serde_json::json;

    use crate::{
        auth::{
            refresh::RefreshOutcome,
            scene::{Scene, failed, tokens},
            stored::StoredAccount,
        },
        clock::Clock,
        model::{account::AccountStatus, failure::Code, time::Timestamp},
        store::{
            Basis, LeaseAnswer, LeaseAsk, Secrets, Verdict,
            suite::{self, Still},
        },
        wire,
    };

    #[tokio::test]
    async fn an_old_token_set_is_not_refreshed_again() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let old = scene.connect().await;
        assert!(matches!(scene.refresh(&old, true).await, RefreshOutcome::Stored(_)));
        let RefreshOutcome::Stored(found) = scene.refresh(&old, true).await else { panic!() };
        assert!(suite::is(&found, "access-2"));
        assert_eq!(scene.asked(), 1);
    }

    #[tokio::test]
    async fn a_dead_grant_is_marked_and_not_asked_about_again() {
        let scene = Scene::new(|_| Ok((400, json!({"error": "invalid_grant"}))));
        let connection = scene.connect().await;
        let failure = failed(scene.refresh(&connection, false).await);
        assert_eq!(failure.code, Code::Unauthorized);
        assert_eq!(scene.stored().await.account.status, AccountStatus::NeedsAuthorization);
        failed(scene.refresh(&connection, true).await);
        assert_eq!(scene.asked(), 1);
        assert!(
            StoredAccount::new(&scene.keeper, &scene.integration, &scene.stored().await).is_err()
        );
    }

    #[tokio::test]
    async fn a_pause_holds_for_all_but_those_who_insist_and_never_for_long() {
        let scene = Scene::new(|_| Ok((503, json!({}))));
        let connection = scene.connect().await;
        let first = failed(scene.refresh(&connection, false).await).retry_at.unwrap();
        assert_eq!(first, scene.subject.clock.now().plus(Duration::from_secs(30)));
        let second = failed(scene.refresh(&connection, false).await);
        assert_eq!((second.retry_at, scene.asked()), (Some(first), 2), "each try is repeated once");
        let doubled = failed(scene.refresh(&connection, true).await).retry_at.unwrap();
        let minute = scene.subject.clock.now().plus(Duration::from_mins(1));
        assert_eq!((doubled, scene.asked()), (minute, 4));
        scene.subject.clock.pass(Duration::from_mins(2));
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 6, "it is over");
        // Written by a clock that was years ahead.
        let basis = Basis::of(&scene.stored().await);
        let retry_at = Some(Timestamp(scene.subject.clock.now().0 * 2));
        let verdict = Verdict { basis, holder: None, reason: "x".to_owned(), retry_at };
        assert!(scene.subject.store.secrets.verdict(verdict).await.unwrap());
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 8);
    }

    #[tokio::test]
    async fn a_holder_that_was_stopped_too_long_loses_no_token_and_sends_none() {
        // The vendor rotates, and the answer takes longer than the lease.
        let clock = Arc::new(Mutex::new(None::<Arc<Still>>));
        let stops = Arc::clone(&clock);
        let scene = Scene::new(move |number| {
            stops.lock().unwrap().as_ref().unwrap().pass(Duration::from_mins(5));
            Ok(tokens(number))
        });
        *clock.lock().unwrap() = Some(Arc::clone(&scene.subject.clock));
        let connection = scene.connect().await;
        let RefreshOutcome::Stored(found) = scene.refresh(&connection, false).await else {
            panic!()
        };
        assert!(suite::is(&found, "access-2"));

        // The answer is lost, and meanwhile another takes the lease: no second request.
        let hands = Arc::new(Mutex::new(None::<(Arc<Still>, Arc<dyn Secrets>, LeaseAsk)>));
        let taken = Arc::clone(&hands);
        let scene = Scene::new(move |_| {
            let hands = taken.lock().unwrap();
            let (clock, secrets, ask) = hands.as_ref().unwrap();
            clock.pass(Duration::from_mins(5));
            let lease = secrets.lease(ask.clone()).now_or_never();
            assert!(matches!(lease, Some(Ok(LeaseAnswer::Granted(_)))));
            let (host, reason) = ("x".to_owned(), "cut".to_owned());
            Err(wire::Error::Broken { host, reason })
        });
        let connection = scene.connect().await;
        let ask = LeaseAsk {
            key: connection.account.key(),
            incarnation: connection.account.incarnation.clone(),
            generation: connection.secrets.generation,
            holder: "other".to_owned(),
            term: Duration::from_mins(2),
        };
        let secrets = Arc::clone(&scene.subject.store.secrets);
        *hands.lock().unwrap() = Some((Arc::clone(&scene.subject.clock), secrets, ask));
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 1);
        let stored = scene.stored().await.account;
        assert_eq!(
            (stored.status, stored.failures),
            (AccountStatus::Active, 0),
            "not its to judge"
        );
    }

    #[tokio::test]
    async fn an_answer_without_tokens_is_not_asked_for_again() {
        for (status, asked) in [(200, 1), (503, 2)] {
            let scene = Scene::new(move |_| Ok((status, json!({"hello": 1}))));
            let connection = scene.connect().await;
            failed(scene.refresh(&connection, false).await);
            assert_eq!(scene.asked(), asked, "{status}");
        }
    }

    #[tokio::test]
    async fn a_refresh_token_that_comes_alone_is_kept_and_is_the_next_one_that_is_sent() {
        let scene = Scene::new(|number| match number {
            1 => Ok((200, json!({"refresh_token": "refresh-2"}))),
            _ => Ok(tokens(number)),
        });
        let connection = scene.connect().await;
        let failure = failed(scene.refresh(&connection, false).await);
        assert_eq!((failure.code, scene.asked()), (Code::ProviderError, 1));
        let stored = scene.stored().await;
        assert_eq!(stored.account.status, AccountStatus::Active);
        assert_eq!(stored.account.refresh_retry_at, failure.retry_at, "with a pause for all");
        let RefreshOutcome::Stored(renewed) = scene.refresh(&stored, true).await else { panic!() };
        assert!(suite::is(&renewed, "access-3"));
        assert!(scene.last().contains("refresh_token=refresh-2"), "{}", scene.last());
    }

    #[tokio::test]
    async fn an_exchange_is_made_after_a_refresh_too_and_loses_no_refresh_token() {
        let mut scene = Scene::new(|number| match number {
            // Refreshed, and exchanged.
            1 | 3 | 5 => Ok(tokens(number)),
            2 => Ok((200, json!({"access_token": "session-1"}))),
            // Refreshed, and the exchange fails.
            4 => Err(wire::Error::Broken { host: "x".to_owned(), reason: "cut".to_owned() }),
            _ => Ok((200, json!({"access_token": "session-2"}))),
        });
        scene.change(|oauth| oauth.exchange.clone_from(&oauth.revoke));
        let connection = scene.connect().await;
        let RefreshOutcome::Stored(found) = scene.refresh(&connection, true).await else {
            panic!()
        };
        assert!(suite::is(&found, "session-1"));
        let failure = failed(scene.refresh(&found, true).await);
        assert!(failure.message.contains("could not be refreshed"), "{}", failure.message);
        assert_eq!(scene.asked(), 4, "the good answer is not asked for again");
        let stored = scene.stored().await;
        scene.change(|oauth| oauth.exchange_once = true);
        let RefreshOutcome::Stored(found) = scene.refresh(&stored, true).await else { panic!() };
        assert!(scene.last().contains("refresh_token=refresh-4"), "{}", scene.last());
        assert!(suite::is(&found, "access-6"), "once means at the sign-in");
        assert_eq!(scene.asked(), 5);
    }

    #[tokio::test]
    async fn an_account_of_the_same_name_is_left_alone() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let key = connection.account.key();
        scene.subject.store.accounts.retire(&key, false).await.unwrap();
        let mut other = suite::new("hubspot", "default", "theirs");
        other.connection.account.incarnation = "another".to_owned();
        suite::add(&scene.subject.store, other).await;
        let failure = failed(scene.refresh(&connection, true).await);
        assert!(failure.message.contains("does not exist any more"), "{}", failure.message);
        assert_eq!(scene.asked(), 0);
    }

    #[tokio::test]
    async fn tokens_are_stored_before_their_end_is_asked_about() {
        type Hands = Arc<Mutex<Option<Arc<dyn Secrets>>>>;
        let hands = Hands::default();
        let stored = Arc::clone(&hands);
        let mut scene = Scene::new(move |number| match number {
            1 => Ok((200, json!({"access_token": "access-2", "refresh_token": "refresh-2"}))),
            2 => {
                let secrets = stored.lock().unwrap().clone().unwrap();
                let key = suite::key("hubspot", "default");
                let found = secrets.open(&key).now_or_never().unwrap().unwrap().unwrap();
                assert!(suite::is(&found, "access-2"), "it is stored by now");
                assert_eq!(found.secrets.credentials.expires_at, None);
                Ok((200, json!({"active": true, "exp": 1_700_003_600})))
            }
            3 => Ok((200, json!({"access_token": "access-3"}))),
            _ => Err(wire::Error::Broken { host: "x".to_owned(), reason: "cut".to_owned() }),
        });
        *hands.lock().unwrap() = Some(Arc::clone(&scene.subject.store.secrets));
        scene.change(|oauth| oauth.introspect.clone_from(&oauth.revoke));
        let connection = scene.connect().await;
        assert!(matches!(scene.refresh(&connection, true).await, RefreshOutcome::Stored(_)));
        let found = scene.stored().await;
        assert_eq!(found.account.expires_at, Some(Timestamp(1_700_003_600_000)));
        assert_eq!(found.account.last_fetched_at, Some(scene.subject.clock.now()));
        // Whatever becomes of the question: the tokens are there.
        assert!(matches!(scene.refresh(&found, true).await, RefreshOutcome::Stored(_)));
        let found = scene.stored().await;
        assert!(suite::is(&found, "access-3") && found.account.expires_at.is_none());
        assert_eq!(scene.asked(), 4);
    }
}
