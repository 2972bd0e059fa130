//! One refresh of one connection: from "is it still needed?" to "it is stored".
//!
//! The order is what keeps refresh tokens: lease (a write, so that a store that cannot be written
//! is met before the token is spent), ask once, store, and only then show the new token to anybody.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{Either, select};

use crate::{
    auth::{
        answer::TokenAnswer,
        grant::{self, Ask},
        leased::{Leased, TERM},
        permission::{LONGEST_PAUSE, may_refresh, paused, unauthorized},
        send::{Granted, Parties},
    },
    clock::Clock,
    model::{
        account::{AccountKey, AccountStatus, Connection, Secrets as Opened},
        blueprint::Integration,
        failure::{Code, Failure},
    },
    store::{self, Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Secrets, Verdict},
    wire::Wire,
};

/// Between looks at a lease that another has: doubled from the first to the second.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// The pause after a first failed refresh; doubled with each further one, up to
/// [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(30);
/// How often a write whose fate is unknown is tried.
const WRITES: u32 = 3;

/// The world of a refresh.
pub struct World {
    /// Tokens, and who may renew them.
    pub secrets: Arc<dyn Secrets>,
    /// The token endpoint.
    pub wire: Arc<dyn Wire>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who holds our leases; unique to this process.
    pub holder: String,
}

/// The token set that was found wanting.
#[derive(Debug, Clone)]
pub struct Stale {
    /// Whose.
    pub key: AccountKey,
    /// An account of the same id that was made later has other tokens.
    pub incarnation: String,
    /// Which set.
    pub generation: i64,
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
    match lease(world, integration, stale).await {
        Ok(Leaseholder::Ours(connection, leased)) => {
            let work = renew(world, integration, &connection, &leased);
            let outcome = keep_leased(world, &leased, work).await;
            // Without the new tokens a waiter would spend the old ones again.
            if !matches!(outcome, RefreshOutcome::Unsaved(..)) {
                leased.release().await;
            }
            outcome
        }
        Ok(Leaseholder::Done(connection)) => RefreshOutcome::Stored(connection),
        Err(failure) => RefreshOutcome::Failed(failure),
    }
}

/// Who does the work.
enum Leaseholder {
    /// We do.
    Ours(Box<Connection>, Arc<Leased>),
    /// Another has done it.
    Done(Box<Connection>),
}

/// Waits for the right to ask, or for another to have asked.
async fn lease(
    world: &World,
    integration: &Integration,
    stale: &Stale,
) -> Result<Leaseholder, Failure> {
    let (mut look, mut waited) = (LOOKS[0], Duration::ZERO);
    loop {
        let connection = read(world, stale).await?;
        if is_newer(&connection, stale) {
            return Ok(Leaseholder::Done(Box::new(connection)));
        }
        may_refresh(integration, &connection)?;
        if let Some(failure) = paused(&connection, world.clock.now()).filter(|_| !stale.forced) {
            return Err(failure);
        }
        let generation = connection.secrets.generation;
        let holder = world.holder.clone();
        let ask = LeaseAsk { key: stale.key.clone(), generation, holder, term: TERM };
        // The term counts from before the call: we are through before the store is.
        let asked = world.clock.boot();
        match world.secrets.lease(ask).await.map_err(|error| broken(&error))? {
            LeaseAnswer::Granted(connection) => {
                let held = LeaseHeld {
                    key: stale.key.clone(),
                    holder: world.holder.clone(),
                    fence: connection.secrets.fence,
                };
                let leased = Arc::new(Leased {
                    secrets: Arc::clone(&world.secrets),
                    wire: Arc::clone(&world.wire),
                    clock: Arc::clone(&world.clock),
                    held,
                    end: Mutex::new(asked + TERM),
                });
                return Ok(Leaseholder::Ours(connection, leased));
            }
            LeaseAnswer::Overtaken => {}
            LeaseAnswer::Taken if waited > TERM + TERM / 2 => {
                return Err(Failure::new(
                    Code::Timeout,
                    "another process refreshes this connection and does not finish",
                ));
            }
            LeaseAnswer::Taken => {
                world.clock.sleep(look).await;
                waited += look;
                look = (look * 2).min(LOOKS[1]);
            }
        }
    }
}

/// Does the work, and prolongs the lease as long as it takes: a session may have many steps.
async fn keep_leased(
    world: &World,
    leased: &Leased,
    work: impl Future<Output = RefreshOutcome>,
) -> RefreshOutcome {
    let mut work = pin!(work);
    loop {
        match select(work, world.clock.sleep(TERM / 4)).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), rest)) => {
                work = rest;
                leased.renew().await;
            }
        }
    }
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
        grant::ask(Parties { wire: &**leased, integration, connection, now }, Ask::Held)
    };
    let mut outcome = ask().await;
    if let Granted::NotNow { lost: true, wait: None, reason } = &outcome {
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
        Granted::Tokens(tokens) => keep(world, connection, leased, &tokens).await,
        Granted::NotNow { reason, wait, .. } => {
            pause(world, connection, failed(&reason), wait).await
        }
        Granted::Refused { reason } => {
            let failure = Failure { code: Code::Unauthorized, ..failed(&reason) }
                .with_hint("the endpoint refuses the client: look at `oauth_client_id` and `oauth_client_secret` of the integration; the connection itself is kept");
            pause(world, connection, failure, None).await
        }
        Granted::Dead { reason } => end(world, connection, reason).await,
        Granted::Pending(_) => pause(world, connection, failed("not yet"), None).await,
        Granted::Impossible { reason } => RefreshOutcome::Failed(Failure::new(
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
    tokens: &TokenAnswer,
) -> RefreshOutcome {
    let mut renewed = connection.clone();
    take_over(&mut renewed, tokens);
    let new = NewTokens {
        basis: Basis::of(connection),
        credentials: renewed.secrets.credentials.clone(),
        scopes: tokens.scopes.clone(),
        saved: tokens.saved.clone(),
    };
    let mut tries = 1;
    let kept = loop {
        match world.secrets.keep(new.clone()).await {
            // Whether it was written is not known: if it was, the repeat finds our own tokens.
            Err(_) if tries < WRITES => tries += 1,
            other => break other,
        }
    };
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

/// Puts tokens into a connection; without a new refresh token the old one stays.
pub fn take_over(connection: &mut Connection, tokens: &TokenAnswer) {
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
    account.credential_names = credentials.fields.keys().cloned().collect();
    if let Some(values) = account.connection_config.as_object_mut() {
        values.extend(tokens.saved.clone());
    }
    if let Some(scopes) = &tokens.scopes {
        account.scopes = Some(scopes.clone());
    }
}

/// Remembers a failed refresh for all processes: no request before the pause is over.
async fn pause(
    world: &World,
    connection: &Connection,
    mut failure: Failure,
    wait: Option<Duration>,
) -> RefreshOutcome {
    let doubled = PAUSE.saturating_mul(1 << connection.account.failures.min(5));
    let span = wait.unwrap_or_default().max(doubled).min(LONGEST_PAUSE);
    failure.retry_at = Some(world.clock.now().plus(span));
    let reason = failure.message.clone();
    let verdict = Verdict { basis: Basis::of(connection), reason, retry_at: failure.retry_at };
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
    let verdict = Verdict { basis: Basis::of(connection), reason, retry_at: None };
    match world.secrets.verdict(verdict).await {
        Ok(true) => RefreshOutcome::Failed(failure),
        Ok(false) => overtaken(world, connection, Some(failure)).await,
        Err(error) => {
            let id = connection.account.id.as_str();
            tracing::warn!(%error, connection = id, "the connection could not be marked");
            RefreshOutcome::Failed(failure)
        }
    }
}

/// The row is not what we began from: what is there counts, if it is newer than that.
async fn overtaken(
    world: &World,
    connection: &Connection,
    otherwise: Option<Failure>,
) -> RefreshOutcome {
    let Basis { key, incarnation, generation, .. } = Basis::of(connection);
    let stale = Stale { key, incarnation, generation, forced: false };
    match read(world, &stale).await {
        Ok(found) if is_newer(&found, &stale) => RefreshOutcome::Stored(Box::new(found)),
        Ok(found) => RefreshOutcome::Failed(otherwise.unwrap_or_else(|| {
            let reason =
                found.account.status_reason.as_deref().unwrap_or("it was changed meanwhile");
            unauthorized(&found, reason)
        })),
        Err(failure) => RefreshOutcome::Failed(failure),
    }
}

/// The connection as stored, if it is still the same one.
async fn read(world: &World, stale: &Stale) -> Result<Connection, Failure> {
    match world.secrets.open(&stale.key).await {
        Ok(Some(found)) if found.account.incarnation == stale.incarnation => Ok(found),
        Ok(_) => {
            Err(Failure::new(Code::Unauthorized, format!("{} does not exist any more", stale.key)))
        }
        Err(error) => Err(broken(&error)),
    }
}

/// Whether the stored token set is newer than the one that was found wanting.
fn is_newer(connection: &Connection, stale: &Stale) -> bool {
    connection.secrets.generation > stale.generation
        && connection.account.status == AccountStatus::Active
}

fn broken(error: &store::Error) -> Failure {
    Failure::new(Code::Internal, error.to_string())
}
