//! A bucket of this process, its row in the store, and those who wait for a place in it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::{Mutex as Turn, MutexGuard as TurnGuard, Notify};

use crate::{
    clock::Clock,
    policy::limit::{Ask, Bucket, Place, Reading, SharedLimit, Take},
    sign::digest,
    store::{Error, Limits},
};

/// Tries to change a row that other processes change at the same time.
const TRIES: u32 = 12;
/// Calls for one place, before it is a wait.
const CALLS: u32 = 3;
/// That wait.
const PATIENCE: Duration = Duration::from_millis(100);

/// What buckets ask of the world.
pub struct Ports {
    /// The rows.
    pub limits: Arc<dyn Limits>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This process, in the rows.
    pub holder: String,
    /// Between 0 and 1.
    pub jitter: fn() -> f64,
}

/// See the module.
pub struct SharedBucket {
    key: String,
    row: OnceLock<String>,
    /// Locked for moments only.
    bucket: Mutex<Bucket>,
    /// Who waits for a place: the first one holds it, the others stand in line.
    turn: Turn<()>,
    /// One call at a time.
    calling: Turn<()>,
    waiting: AtomicU32,
    /// Told when a place is given back.
    freed: Notify,
}

/// One of those who want a place.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The turn to take a place.
pub struct Line<'a> {
    _waiting: Waiting<'a>,
    _turn: TurnGuard<'a, ()>,
}

impl SharedBucket {
    /// A bucket that nobody has used. Its key begins with lines that name blueprint and limit.
    pub fn new(key: String, bucket: Bucket) -> Self {
        Self {
            key,
            row: OnceLock::new(),
            bucket: Mutex::new(bucket),
            turn: Turn::new(()),
            calling: Turn::new(()),
            waiting: AtomicU32::new(0),
            freed: Notify::new(),
        }
    }

    /// The bucket itself.
    pub fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // Buckets are sound after every call: a lock whose holder panicked is still a lock.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of its row: readable, short, and without what requests hold.
    pub fn row(&self) -> &str {
        self.row.get_or_init(|| {
            let mut lines = self.key.splitn(3, '\n');
            let (blueprint, limit) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
            let digest = URL_SAFE_NO_PAD.encode(digest::sha256(self.key.as_bytes()));
            format!("{blueprint}/{limit}/{}", digest.get(..22).unwrap_or(&digest))
        })
    }

    /// Takes a place unless somebody waits for one already; `None` if there is none now.
    pub async fn try_take(&self, ports: &Ports) -> Result<Option<Place>, Error> {
        let Ok(turn) = self.turn.try_lock() else { return Ok(None) };
        let waiting = Waiting::new(&self.waiting);
        let take = self.take(ports).await?;
        drop((waiting, turn));
        let Take::Taken(place) = take else { return Ok(None) };
        Ok(Some(place))
    }

    /// Stands in line until it is the caller's turn to take a place. Those who came earlier get
    /// theirs first.
    pub async fn in_line(&self) -> Line<'_> {
        let waiting = Waiting::new(&self.waiting);
        Line { _waiting: waiting, _turn: self.turn.lock().await }
    }

    /// Resolves when a place is given back after this was called.
    pub fn freed(&self) -> impl Future<Output = ()> + '_ {
        self.freed.notified()
    }

    /// A request that started has ended.
    pub fn release(&self) {
        self.bucket().release();
        self.freed.notify_one();
    }

    /// Nothing was sent.
    pub fn untake(&self, place: Place) {
        self.bucket().untake(place);
        self.freed.notify_one();
    }

    /// A place, if it is the caller's turn. Never [`Take::Ask`].
    pub async fn take(&self, ports: &Ports) -> Result<Take, Error> {
        for _ in 0..CALLS {
            let take = self.bucket().take(ports.clock.boot());
            if take != Take::Ask {
                return Ok(take);
            }
            let calling = self.calling.lock().await;
            if let Err(error) = self.call(ports, &calling, false).await {
                let mut bucket = self.bucket();
                if bucket.shared_rate().is_some() {
                    return Err(error);
                }
                tracing::warn!(%error, "pauses of other processes are not known");
                bucket.go_on(ports.clock.boot());
            }
        }
        Ok(Take::Wait(PATIENCE))
    }

    /// Reads the row in passing where places run short, so that those who come later need not wait
    /// for it. One call at a time.
    pub async fn ask_ahead(&self, ports: &Ports) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if !self.bucket().is_low(waiting, ports.clock.boot()) {
            return;
        }
        let Ok(calling) = self.calling.try_lock() else { return };
        if let Err(error) = self.call(ports, &calling, false).await {
            tracing::debug!(%error, "the limit's row could not be read ahead");
        }
    }

    /// Tells the row what an answer said.
    pub async fn publish(&self, ports: &Ports) {
        let calling = self.calling.lock().await;
        if let Err(error) = self.call(ports, &calling, false).await {
            // It stays with the bucket, and goes with the next call.
            tracing::warn!(%error, "other processes do not know of the pause yet");
        }
    }

    /// Gives back what was not used, and says what was not said.
    pub async fn leave(&self, ports: &Ports) -> bool {
        if !self.bucket().owes() {
            return false;
        }
        let calling = self.calling.lock().await;
        if let Err(error) = self.call(ports, &calling, true).await {
            tracing::warn!(%error, "a limit's unused places could not be given back");
        }
        true
    }

    /// Reads the row, and stores the next one unless another process was faster; then again.
    async fn call(
        &self,
        ports: &Ports,
        _calling: &TurnGuard<'_, ()>,
        leaving: bool,
    ) -> Result<(), Error> {
        self.bucket().begin();
        for round in 0..TRIES {
            let before = ports.clock.boot();
            let row = ports.limits.read(self.row()).await?;
            let reading = Reading { now: row.now, before, after: ports.clock.boot() };
            let ask = Ask { waiting: self.waiting.load(Ordering::Relaxed), leaving };
            let call = self.bucket().call(&reading, &ports.holder, ask);
            let mut state = SharedLimit::parse(row.state.as_deref()).unwrap_or_else(|damaged| {
                tracing::warn!(row = self.row(), "{damaged}; it counts as used up");
                SharedLimit::used_up(call.rate, row.now)
            });
            let reply = state.next(&call);
            if !call.changes()
                || ports.limits.swap(self.row(), row.version, state.to_text()).await?
            {
                self.bucket().take_in(&call, &reply, &reading);
                return Ok(());
            }
            let most = f64::from(1_u32 << round.min(6));
            ports.clock.sleep(Duration::from_secs_f64((ports.jitter)() * most / 1000.0)).await;
        }
        tracing::debug!(row = self.row(), "too many processes change this limit at once");
        Ok(())
    }
}
