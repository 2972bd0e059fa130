//! `Keeper`: hands out fresh credentials, and refreshes once even when ten runs ask.
//!
//! A refresh runs in a task of its own, owned by the process: a caller that goes away does not
//! take the new refresh token with it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Gate, task::JoinHandle};

use crate::{
    auth::{
        flight::{self, Landing, World},
        held::{Account, Held, Holding},
    },
    model::{
        blueprint::Integration,
        connection::{Connection, ConnectionStatus},
        failure::{Code, Failure},
        secret::Secret,
        time::Timestamp,
    },
    store,
};

/// A token is refreshed this long before it ends, at most …
const MARGIN: Duration = Duration::from_mins(5);
/// … and never earlier than after four fifths of its life.
const MARGIN_SHARE: u32 = 5;
/// The pause after a first failed refresh; doubled with each further one, up to …
const COOL_DOWN: Duration = Duration::from_secs(30);
/// … this.
const LONGEST_COOL_DOWN: Duration = Duration::from_mins(10);
/// Between tries to store tokens that the disk would not take.
const SAVE_AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// One per process.
pub struct Keeper {
    world: World,
    flights: Mutex<HashMap<(String, String), Arc<Flight>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the process knows of one connection's refreshes.
#[derive(Default)]
struct Flight {
    gate: Gate<()>,
    state: Mutex<FlightState>,
}

#[derive(Default)]
struct FlightState {
    /// No token request before this point of the monotonic clock, and why.
    pause: Option<(Duration, Failure)>,
    failures: u32,
    /// Tokens that are not in the store yet.
    unsaved: Option<Connection>,
}

impl Keeper {
    /// A keeper over this world.
    pub fn new(world: World) -> Self {
        Self { world, flights: Mutex::default(), tasks: Mutex::default() }
    }

    /// Waits for the refreshes under way.
    pub async fn drain(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a refresh ended abnormally");
            }
        }
    }

    /// A fresh token because somebody asked for it.
    pub async fn renew(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Connection, Failure> {
        let held = connection.credentials.fields.get("access_token").cloned();
        let stale = held.unwrap_or_else(|| Secret::new(String::new()));
        self.refresh(integration, &connection.id, stale, true).await
    }

    fn flight(&self, integration: &str, id: &str) -> Arc<Flight> {
        let mut flights = lock(&self.flights);
        // Bounded: what nobody uses and has nothing to tell is forgotten.
        if flights.len() > 4096 {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1 || flight.remembers());
        }
        Arc::clone(flights.entry((integration.to_owned(), id.to_owned())).or_default())
    }

    /// Refreshes `stale` in a task of its own and waits for it.
    async fn refresh(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        id: &str,
        stale: Secret,
        forced: bool,
    ) -> Result<Connection, Failure> {
        let (answer, receive) = tokio::sync::oneshot::channel();
        let (keeper, integration, id) = (Arc::clone(self), Arc::clone(integration), id.to_owned());
        let task = tokio::spawn(async move {
            let flight = keeper.flight(&integration.name, &id);
            let _turn = flight.gate.lock().await;
            let result = keeper.land(&flight, &integration, (&id, &stale), forced).await;
            let unsaved = lock(&flight.state).unsaved.is_some();
            // The caller may be gone; the tokens are where they belong all the same.
            drop(answer.send(result));
            if unsaved {
                keeper.save_again(&flight).await;
            }
        });
        {
            let mut tasks = lock(&self.tasks);
            tasks.retain(|task| !task.is_finished());
            tasks.push(task);
        }
        let lost = || Failure::new(Code::Internal, "the refresh ended abnormally");
        receive.await.unwrap_or_else(|_| Err(lost()))
    }

    /// One turn at the gate.
    async fn land(
        &self,
        flight: &Flight,
        integration: &Integration,
        (id, stale): (&str, &Secret),
        forced: bool,
    ) -> Result<Connection, Failure> {
        if let Some(connection) = self.unsaved(flight, stale) {
            return Ok(connection);
        }
        let pause = lock(&flight.state).pause.clone();
        if let Some((until, failure)) = pause
            && self.world.clock.elapsed() < until
            && !forced
            && !self.changed(integration, id, stale)
        {
            return Err(failure);
        }
        match flight::fly(&self.world, integration, (id, stale), forced).await {
            Landing::Stored(connection) => {
                *lock(&flight.state) = FlightState::default();
                Ok(*connection)
            }
            Landing::Unsaved(connection, error) => {
                tracing::error!(%error, connection = id, "the new token could not be stored; it is kept in memory and tried again");
                lock(&flight.state).unsaved = Some((*connection).clone());
                Ok(*connection)
            }
            Landing::Later(connection, failure, wait) => {
                Err(self.pause(flight, *connection, failure, wait))
            }
            Landing::Failed(failure) => Err(failure),
        }
    }

    /// Tokens that wait for the disk are used as they are, and offered to it again.
    fn unsaved(&self, flight: &Flight, stale: &Secret) -> Option<Connection> {
        let mut state = lock(&flight.state);
        let connection = state.unsaved.clone()?;
        if self.save(&connection) {
            state.unsaved = None;
        }
        drop(state);
        let newer = connection.credentials.fields.get("access_token") != Some(stale);
        newer.then_some(connection)
    }

    /// Whether the tokens are safe now, or not ours to keep any more.
    fn save(&self, connection: &Connection) -> bool {
        match self.world.store.update(connection) {
            Ok(_) | Err(store::Error::Changed { .. }) => true,
            Err(_) => false,
        }
    }

    async fn save_again(&self, flight: &Flight) {
        for span in SAVE_AGAIN {
            self.world.clock.sleep(span).await;
            let mut state = lock(&flight.state);
            match &state.unsaved {
                Some(connection) if self.save(connection) => state.unsaved = None,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Whether somebody else has stored another token meanwhile.
    fn changed(&self, integration: &Integration, id: &str, stale: &Secret) -> bool {
        let row = self.world.store.connection(&integration.name, id);
        row.is_ok_and(|row| {
            row.is_some_and(|row| row.credentials.fields.get("access_token") != Some(stale))
        })
    }

    /// Remembers a failed refresh for everybody: no request before the pause is over.
    fn pause(
        &self,
        flight: &Flight,
        mut connection: Connection,
        mut failure: Failure,
        wait: Option<Duration>,
    ) -> Failure {
        let mut state = lock(&flight.state);
        let doubled = COOL_DOWN.saturating_mul(1 << state.failures.min(5));
        state.failures += 1;
        let span = wait.unwrap_or_default().max(doubled.min(LONGEST_COOL_DOWN));
        failure.retry_at = Some(self.world.clock.now().plus(span));
        state.pause = Some((self.world.clock.elapsed() + span, failure.clone()));
        drop(state);
        connection.refresh_failure = Some(failure.message.clone());
        connection.refresh_retry_at = failure.retry_at;
        if let Err(error) = self.world.store.update(&connection) {
            tracing::warn!(%error, connection = connection.id, "the failed refresh could not be noted");
        }
        failure
    }
}

impl Flight {
    fn remembers(&self) -> bool {
        let state = lock(&self.state);
        state.unsaved.is_some() || state.pause.is_some()
    }
}

/// One connection of the store, as a run uses it.
pub struct Kept {
    keeper: Arc<Keeper>,
    integration: Arc<Integration>,
    id: String,
    now: Mutex<Current>,
}

struct Current {
    held: Arc<Held>,
    access_token: Secret,
    /// When to refresh ahead of time.
    due: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Kept {
    /// Credentials of a connection as it was just read. Fails if a person has to mend it first.
    pub fn new(
        keeper: &Arc<Keeper>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Self, Failure> {
        if connection.status != ConnectionStatus::Active {
            let reason = connection.status_reason.as_deref().unwrap_or("it was revoked");
            return Err(flight::unauthorized(connection, reason));
        }
        Ok(Self {
            keeper: Arc::clone(keeper),
            integration: Arc::clone(integration),
            id: connection.id.clone(),
            now: Mutex::new(Current::new(connection, integration)),
        })
    }

    async fn newer(&self, stale: Secret) -> Result<Arc<Held>, Failure> {
        let connection = self.keeper.refresh(&self.integration, &self.id, stale, false).await?;
        let current = Current::new(&connection, &self.integration);
        let held = Arc::clone(&current.held);
        *lock(&self.now) = current;
        Ok(held)
    }

    fn can_refresh(&self) -> bool {
        self.integration.blueprint.auth.mode.can_refresh()
    }
}

impl Current {
    fn new(connection: &Connection, integration: &Integration) -> Self {
        let credentials = &connection.credentials;
        let issued = connection.last_refreshed_at.unwrap_or(connection.created_at);
        let has_token =
            credentials.fields.get("access_token").is_some_and(|token| !token.is_empty());
        let mode = &integration.blueprint.auth.mode;
        // What the user entered yields the first token too.
        let first = (mode.obtains_by_itself() && !has_token).then_some(Timestamp(i64::MIN));
        let ahead = credentials.expires_at.map(|end| {
            let margin = MARGIN.min(end.since(issued) / MARGIN_SHARE);
            Timestamp(end.0 - i64::try_from(margin.as_millis()).unwrap_or(0))
        });
        let due = first.or(ahead);
        Self {
            held: Arc::new(Held::new(connection.version, credentials, integration)),
            access_token: credentials
                .fields
                .get("access_token")
                .cloned()
                .unwrap_or_else(|| Secret::new(String::new())),
            due,
            expires_at: credentials.expires_at,
        }
    }
}

impl Account for Kept {
    fn current(&self) -> Holding<'_> {
        let time = self.keeper.world.clock.now();
        let now = lock(&self.now);
        let held = Arc::clone(&now.held);
        if !self.can_refresh() || now.due.is_none_or(|due| time < due) {
            return Box::pin(std::future::ready(Ok(held)));
        }
        let stale = now.access_token.clone();
        let still_good = now.expires_at.is_some_and(|end| time < end);
        drop(now);
        Box::pin(async move {
            match self.newer(stale).await {
                Ok(held) => Ok(held),
                // Ahead of time only: the old token serves until it ends.
                Err(_) if still_good => Ok(held),
                Err(failure) => Err(failure),
            }
        })
    }

    fn renew<'a>(&'a self, stale: &'a Held) -> Holding<'a> {
        Box::pin(async move {
            let (held, token) = {
                let now = lock(&self.now);
                (Arc::clone(&now.held), now.access_token.clone())
            };
            // A sibling request of this run has renewed it already.
            if held.root().get("access_token") != stale.root().get("access_token") {
                return Ok(held);
            }
            if !self.can_refresh() {
                return Err(Failure::new(Code::Unauthorized, "the API refuses these credentials"));
            }
            self.newer(token).await
        })
    }

    fn reject(&self, reason: &str) {
        let store = &self.keeper.world.store;
        for _ in 0..3 {
            let Ok(Some(mut row)) = store.connection(&self.integration.name, &self.id) else {
                return;
            };
            let mine = lock(&self.now).access_token.clone();
            if row.credentials.fields.get("access_token").is_some_and(|token| *token != mine) {
                return;
            }
            row.status = ConnectionStatus::NeedsAuthorization;
            row.status_reason = Some(reason.to_owned());
            row.updated_at = self.keeper.world.clock.now();
            match store.update(&row) {
                Err(store::Error::Changed { .. }) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, connection = self.id, "the connection could not be marked");
                    return;
                }
            }
        }
    }
}

/// A lock whose holder panicked is still a lock: the data behind it is replaced whole, always.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
