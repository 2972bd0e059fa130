//! `StoredAccount`: one connection of the store as a run uses it, refreshed ahead of time.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::{Map, Value};

use crate::{
    auth::{
        credentials::{CredentialSource, CredentialsFuture, Done, OpenCredentials},
        keeper::Keeper,
        permission,
        refresh::Stale,
        values,
    },
    model::{
        account::{Account, AccountStatus, Connection},
        auth::AuthMode,
        blueprint::Integration,
        failure::{Code, Failure},
        time::Timestamp,
    },
    store::{Basis, Verdict},
};

/// A token is refreshed this long before it ends, at most …
const MARGIN: Duration = Duration::from_mins(5);
/// … and never earlier than after four fifths of its life.
const MARGIN_SHARE: u32 = 5;

/// With less left of its life than this a token may end on its way: then newer ones are waited for.
const SOON: Duration = Duration::from_secs(20);

/// After a refresh ahead of time that failed.
const AHEAD_AGAIN: Duration = Duration::from_secs(30);

/// One connection of the store, as a run uses it.
pub struct StoredAccount {
    keeper: Arc<Keeper>,
    integration: Arc<Integration>,
    /// As it was when it was opened: what the run knows of it.
    account: Account,
    /// Its values, as templates see them.
    root: Value,
    now: Mutex<Current>,
    /// A refresh ahead of time that is under way while the old token serves.
    ahead: Mutex<Option<Ahead>>,
}

/// See [`StoredAccount::ahead`].
type Ahead = Pin<Box<dyn Future<Output = Result<Connection, Failure>> + Send>>;

struct Current {
    held: Arc<OpenCredentials>,
    /// Whether a newer token can be had without a person.
    renewable: bool,
    basis: Basis,
    /// When to refresh ahead of time.
    due: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl StoredAccount {
    /// Credentials of a connection as it was just read. Fails if a person has to mend it first.
    pub fn new(
        keeper: &Arc<Keeper>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Self, Failure> {
        let account = &connection.account;
        if account.status != AccountStatus::Active {
            let reason =
                account.status_reason.as_deref().unwrap_or_else(|| permission::why(account.status));
            return Err(permission::unauthorized(connection, reason));
        }
        Ok(Self {
            keeper: Arc::clone(keeper),
            integration: Arc::clone(integration),
            account: account.clone(),
            root: values::root(connection),
            now: Mutex::new(Current::new(connection, integration)),
            ahead: Mutex::default(),
        })
    }

    /// The account whose credentials these are, read together with them.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The root `connection` of its templates.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// Whether newer tokens are those of the account that the run began with: its values may stand
    /// in the host that they would be sent to. Values that token answers bring may change.
    fn is_same(&self, newer: &Connection) -> bool {
        let saved = self.integration.blueprint.auth.mode.save();
        let kept = |root: &Value| -> Map<String, Value> {
            let values = root.as_object().into_iter().flatten();
            let is_kept = |name: &str| name != "metadata" && saved.iter().all(|(o, _)| o != name);
            let kept = values.filter(|(name, _)| is_kept(name));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let root = values::root(newer);
        self.account.account_id == newer.account.account_id && kept(&self.root) == kept(&root)
    }

    async fn newer(&self, stale: Basis) -> Result<Arc<OpenCredentials>, Failure> {
        let stale = Stale { basis: stale, forced: false };
        let connection = self.keeper.refresh(&self.integration, stale).await?;
        self.take(&connection)
    }

    /// Begins a refresh ahead of time, or looks what has become of it. Its own task goes on with it,
    /// so that nobody waits for an endpoint that is slow while the old token is good.
    fn refresh_ahead(&self, stale: Basis) -> Option<Result<Arc<OpenCredentials>, Failure>> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let refresh = ahead.get_or_insert_with(|| {
            let (keeper, integration) = (Arc::clone(&self.keeper), Arc::clone(&self.integration));
            let stale = Stale { basis: stale, forced: false };
            Box::pin(async move { keeper.refresh(&integration, stale).await })
        });
        let ended = refresh.as_mut().now_or_never()?;
        *ahead = None;
        if ended.is_err() {
            // It is asked about again after a while, not before each request.
            self.now().due = Some(self.keeper.world().clock.now().plus(AHEAD_AGAIN));
        }
        Some(ended.and_then(|connection| self.take(&connection)))
    }

    /// Goes on with newer tokens, if they are of the same account.
    fn take(&self, connection: &Connection) -> Result<Arc<OpenCredentials>, Failure> {
        if !self.is_same(connection) {
            let message =
                format!("{} was signed in as another account meanwhile", connection.account.key());
            return Err(Failure::new(Code::Conflict, message).with_hint("run it again"));
        }
        let current = Current::newer(connection, &self.integration);
        let held = Arc::clone(&current.held);
        *self.now() = current;
        Ok(held)
    }

    /// Replaced whole, always: a lock whose holder panicked is still a lock.
    fn now(&self) -> MutexGuard<'_, Current> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn can_refresh(&self) -> bool {
        self.integration.blueprint.auth.mode.can_refresh()
    }
}

impl Current {
    /// As a run begins with it.
    fn new(connection: &Connection, integration: &Integration) -> Self {
        Self::of(connection, integration, OpenCredentials::of(connection, integration))
    }

    /// As a refresh left it: what it changed of the connection reaches the requests to come.
    fn newer(connection: &Connection, integration: &Integration) -> Self {
        let held = OpenCredentials::of(connection, integration);
        let held = held.with_connection(values::root(connection));
        Self::of(connection, integration, held)
    }

    fn of(connection: &Connection, integration: &Integration, held: OpenCredentials) -> Self {
        let Connection { account, secrets } = connection;
        let has = |name: &str| connection.credential(name).is_some_and(|t| !t.is_empty());
        let issued = account.last_refreshed_at.unwrap_or(account.created_at);
        let mode = &integration.blueprint.auth.mode;
        // What the user entered yields the first token too.
        let first =
            (mode.obtains_by_itself() && !has("access_token")).then_some(Timestamp(i64::MIN));
        let expires_at = secrets.credentials.expires_at;
        let ahead = expires_at.map(|end| {
            let margin = MARGIN.min(end.since(issued) / MARGIN_SHARE);
            Timestamp(end.0 - i64::try_from(margin.as_millis()).unwrap_or(0))
        });
        Self {
            held: Arc::new(held),
            renewable: mode.can_refresh()
                && (!matches!(mode, AuthMode::OAuth2(_)) || has("refresh_token")),
            basis: Basis::of(connection),
            due: first.or(ahead),
            expires_at,
        }
    }
}

impl CredentialSource for StoredAccount {
    fn current(&self) -> CredentialsFuture<'_> {
        let time = self.keeper.world().clock.now();
        let now = self.now();
        let held = Arc::clone(&now.held);
        if !self.can_refresh() || now.due.is_none_or(|due| time < due) {
            return Box::pin(std::future::ready(Ok(held)));
        }
        let stale = now.basis.clone();
        let left = now.expires_at.map(|end| end.since(time)).unwrap_or_default();
        drop(now);
        if left > SOON {
            // Ahead of time only: whatever comes of it, the old token serves until it ends.
            let newer = self.refresh_ahead(stale).and_then(|ended| match ended {
                Err(failure) if failure.code == Code::Conflict => Some(Err(failure)),
                ended => ended.ok().map(Ok),
            });
            return Box::pin(std::future::ready(newer.unwrap_or(Ok(held))));
        }
        Box::pin(async move {
            match self.newer(stale).await {
                Ok(held) => Ok(held),
                Err(_) if !left.is_zero() => Ok(held),
                Err(failure) => Err(failure),
            }
        })
    }

    fn renew<'a>(&'a self, stale: &'a OpenCredentials) -> CredentialsFuture<'a> {
        Box::pin(async move {
            let (held, basis) = {
                let now = self.now();
                (Arc::clone(&now.held), now.basis.clone())
            };
            // A sibling request of this run has renewed it already.
            if held.generation != stale.generation {
                return Ok(held);
            }
            if !self.can_renew() {
                return Err(Failure::new(Code::Unauthorized, "the API refuses these credentials"));
            }
            self.newer(basis).await
        })
    }

    fn can_renew(&self) -> bool {
        self.now().renewable
    }

    fn has_person(&self) -> bool {
        self.integration.blueprint.auth.mode.has_consent()
    }

    fn reject<'a>(&'a self, reason: &'a str) -> Done<'a> {
        Box::pin(async move {
            if !self.has_person() {
                return;
            }
            // A refresh that is under way, or was since, knows better.
            let basis = self.now().basis.clone();
            let id = basis.key.id.clone();
            let verdict =
                Verdict { basis, holder: None, reason: reason.to_owned(), retry_at: None };
            if let Err(error) = self.keeper.world().secrets.verdict(verdict).await {
                tracing::warn!(%error, connection = id.as_str(), "the connection could not be marked");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use futures_util::FutureExt;
    use serde_json::json;

    use crate::{
        auth::{
            credentials::CredentialSource,
            refresh::RefreshOutcome,
            scene::{Scene, tokens},
            stored::StoredAccount,
        },
        clock::Clock,
        model::{
            account::{Account, AccountStatus},
            failure::Code,
            time::Timestamp,
        },
        store::{NewAccount, suite},
    };

    #[tokio::test]
    async fn a_refusal_counts_only_for_the_tokens_that_were_refused() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let account = StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap();
        assert!(matches!(scene.refresh(&connection, true).await, RefreshOutcome::Stored(_)));
        account.reject("no").await;
        assert_eq!(scene.stored().await.account.status, AccountStatus::Active);
        let newer =
            StoredAccount::new(&scene.keeper, &scene.integration, &scene.stored().await).unwrap();
        newer.reject("no").await;
        assert_eq!(scene.stored().await.account.status, AccountStatus::NeedsAuthorization);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_refresh_ahead_of_time() {
        let scene = Scene::new(|number| match number {
            1 | 2 => Ok((503, json!({}))),
            _ => Ok(tokens(number)),
        });
        let mut connection = scene.connect().await;
        let ends = |seconds| Some(scene.subject.clock.now().plus(Duration::from_secs(seconds)));
        connection.account.last_refreshed_at = Some(Timestamp(0));
        connection.secrets.credentials.expires_at = ends(290);
        let run = StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap();
        let token = async || run.current().await.unwrap().root()["access_token"].clone();
        assert!(run.current().now_or_never().is_some(), "at once");
        scene.keeper.drain().await;
        assert_eq!((token().await, scene.asked()), ("access-1".into(), 2), "it failed");
        // Not before every request: after a while.
        token().await;
        scene.keeper.drain().await;
        assert_eq!(scene.asked(), 2);
        scene.subject.clock.pass(Duration::from_secs(31));
        assert_eq!(token().await, "access-1");
        scene.keeper.drain().await;
        assert_eq!(
            (token().await, scene.asked()),
            ("access-4".into(), 3),
            "and is used when it came"
        );
    }

    #[tokio::test]
    async fn a_run_goes_on_with_the_tokens_of_its_own_account_alone() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let old = scene.connect().await;
        let sign_in = async |change: fn(&mut Account)| {
            let mut new = suite::new("hubspot", "default", "signed-in");
            change(&mut new.connection.account);
            suite::add(&scene.subject.store, NewAccount { replace: true, ..new }).await;
        };
        for change in [
            (|account| account.account_id = Some("other".to_owned())) as fn(&mut Account),
            |account| account.connection_config = json!({"host": "other.test"}),
        ] {
            let run = StoredAccount::new(&scene.keeper, &scene.integration, &old).unwrap();
            let held = Arc::clone(&run.now().held);
            sign_in(change).await;
            let failure = run.renew(&held).await.err().unwrap();
            assert_eq!(failure.code, Code::Conflict);
            assert!(failure.message.contains("another account"), "{}", failure.message);
        }
        // Signed in again as the same one, its new tokens are used.
        let run = StoredAccount::new(&scene.keeper, &scene.integration, &old).unwrap();
        let held = Arc::clone(&run.now().held);
        sign_in(|_| {}).await;
        assert_eq!(run.renew(&held).await.unwrap().root()["access_token"], "signed-in");
        assert_eq!(scene.asked(), 0);
    }
}
