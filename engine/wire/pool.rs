//! Connections for requests that must not be lost: nothing is written to one that may be dead.
//!
//! A server may close a connection that it kept at any moment and without a word (RFC 9112,
//! section 9.5). A write that meets this is lost, or worse, its fate is unknown; and unlike a read
//! it must not be repeated. So a kept connection is written to only if, right before:
//!
//! - it has rested: another one was asked and has answered since, or [`REST`] is over. A server that
//!   closes after each answer does so right behind it, and while the connection rests its close
//!   arrives. A row of writes takes turns on two connections;
//! - its socket says that nothing came in meanwhile, neither an end nor anything unasked;
//! - the time for which the server keeps it, by its own word or [`KEPT`], is not over.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::header::CONNECTION;
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    client::conn::{http1, http2},
};
use tokio::time::timeout;

use crate::{
    clock::{Clock, SystemClock},
    model::http::{Fields, HeaderMap},
    wire::{
        dial::{Origin, Probe},
        outgoing::Outgoing,
    },
};

/// By then a close that follows an answer is here.
const REST: Duration = Duration::from_millis(10);
/// Shorter than the idle times of common servers (5 s at Node.js, Apache and uvicorn).
const KEPT: Duration = Duration::from_secs(4);
/// A server is taken at its word for so long at most.
const LONGEST: Duration = Duration::from_mins(1);
/// So much earlier its time is over, seen from here.
const MARGIN: Duration = Duration::from_secs(1);
/// Between looks at all of them for those whose time is over.
const SWEEP: Duration = Duration::from_secs(1);
/// Connections that are kept to one origin.
const MOST: usize = 64;
/// Origins to which connections are kept.
const MOST_ORIGINS: usize = 1000;
/// How often what came in may be read by the connection itself: HTTP/2 speaks unasked.
const LOOKS: usize = 4;

/// Puts requests on a connection.
pub enum Sender {
    /// HTTP/1.1: one at a time.
    One(http1::SendRequest<Outgoing>),
    /// HTTP/2: many at once.
    Many(http2::SendRequest<Outgoing>),
}

impl Sender {
    fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Many(sender) => sender.is_closed(),
        }
    }
}

/// A connection in use. Dropped, it is closed; [`Lease::back`] keeps it for the next request.
pub struct Lease {
    /// Its way in.
    pub sender: Sender,
    probe: Probe,
    origin: Origin,
    pool: Pool,
    taken: Duration,
}

/// A connection at rest.
struct Parked {
    sender: Sender,
    probe: Probe,
    /// When its latest request was given to it.
    taken: Duration,
    since: Duration,
    until: Duration,
}

/// All connections at rest. Their times are those of the boot clock: while the machine sleeps, the
/// server's time goes on.
#[derive(Clone)]
pub struct Pool {
    resting: Arc<Mutex<Resting>>,
    clock: Arc<SystemClock>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { resting: Arc::default(), clock: Arc::new(SystemClock::new()) }
    }
}

#[derive(Default)]
struct Resting {
    by_origin: HashMap<Origin, VecDeque<Parked>>,
    /// Whether a task closes those whose time is over.
    swept: bool,
}

impl Resting {
    /// Closes those whose time is over, or whose server has ended them.
    fn sweep(&mut self, now: Duration) {
        self.by_origin.retain(|_, parked| {
            parked.retain(|parked| parked.until > now && !parked.sender.is_closed());
            !parked.is_empty()
        });
    }
}

impl Pool {
    /// A connection that is alive, as far as can be known here.
    pub async fn take(&self, origin: &Origin) -> Option<Lease> {
        loop {
            let mut lease = self.rested(origin)?;
            if lease.is_fit().await {
                return Some(lease);
            }
        }
    }

    /// A new connection.
    pub fn lease(&self, sender: Sender, probe: Probe, origin: Origin) -> Lease {
        let taken = self.clock.boot();
        if let Sender::Many(sender) = &sender {
            let sender = Sender::Many(sender.clone());
            let (probe, origin, pool) = (probe.clone(), origin.clone(), self.clone());
            self.park(Lease { sender, probe, origin, pool, taken }, LONGEST);
        }
        Lease { sender, probe, origin, pool: self.clone(), taken }
    }

    fn rested(&self, origin: &Origin) -> Option<Lease> {
        let now = self.clock.boot();
        let mut all = self.lock();
        let parked = all.by_origin.get_mut(origin)?;
        parked.retain(|parked| parked.until > now && !parked.sender.is_closed());
        let first = parked.front()?;
        let lease = |sender, probe| {
            let (origin, pool) = (origin.clone(), self.clone());
            Lease { sender, probe, origin, pool, taken: now }
        };
        if let Sender::Many(sender) = &first.sender {
            return Some(lease(Sender::Many(sender.clone()), first.probe.clone()));
        }
        let after = |other: &Parked| other.taken >= first.since;
        if first.since + REST > now && !parked.iter().any(after) {
            return None;
        }
        let found = parked.pop_front()?;
        Some(lease(found.sender, found.probe))
    }

    fn park(&self, lease: Lease, span: Duration) {
        let Lease { sender, probe, origin, taken, .. } = lease;
        let now = self.clock.boot();
        let mut all = self.lock();
        if all.by_origin.len() >= MOST_ORIGINS && !all.by_origin.contains_key(&origin) {
            return;
        }
        let parked = all.by_origin.entry(origin).or_default();
        parked.push_back(Parked { sender, probe, taken, since: now, until: now + span });
        if parked.len() > MOST {
            parked.pop_front();
        }
        if !std::mem::replace(&mut all.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.resting), Arc::clone(&self.clock)));
        }
    }

    fn forget(&self, origin: &Origin) {
        self.lock().by_origin.remove(origin);
    }

    fn lock(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sweeps as long as anything rests.
#[expect(clippy::disallowed_methods, reason = "connections rest in real time, whatever a test's")]
async fn sweep(pool: Weak<Mutex<Resting>>, clock: Arc<SystemClock>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut all = pool.lock().unwrap_or_else(PoisonError::into_inner);
        all.sweep(clock.boot());
        if all.by_origin.is_empty() {
            all.swept = false;
            return;
        }
    }
}

impl Lease {
    /// Whether a request may be written now.
    async fn is_fit(&mut self) -> bool {
        match &mut self.sender {
            Sender::One(sender) => {
                let ready = timeout(REST, sender.ready()).await;
                ready.is_ok_and(|ready| ready.is_ok()) && self.probe.is_quiet()
            }
            Sender::Many(_) => {
                for _ in 0..LOOKS {
                    if self.sender.is_closed() {
                        break;
                    }
                    if self.probe.is_quiet() {
                        return true;
                    }
                    tokio::task::yield_now().await;
                }
                self.pool.forget(&self.origin);
                false
            }
        }
    }

    /// Keeps the connection after an answer with these fields was read to its end.
    fn back(self, span: Duration) {
        if let Sender::One(_) = self.sender {
            let pool = self.pool.clone();
            pool.park(self, span);
        }
    }
}

/// For how long a connection may be kept after an answer; zero, if it is closed.
pub fn kept_for(headers: &HeaderMap) -> Duration {
    let closes = |field: &str| field.split(',').any(|t| t.trim().eq_ignore_ascii_case("close"));
    if headers.texts(CONNECTION).any(|field| closes(&field)) {
        return Duration::ZERO;
    }
    let stated = headers.text("keep-alive").and_then(|field| {
        let seconds = field.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
        seconds.trim().parse().ok().map(Duration::from_secs)
    });
    stated.map_or(KEPT, |stated| stated.saturating_sub(MARGIN).min(LONGEST))
}

/// The body of an answer, which gives its connection back when it has been read.
pub struct Leased {
    body: Incoming,
    lease: Option<(Lease, Duration)>,
}

impl Leased {
    /// `span`: for how long the connection may be kept then.
    pub fn new(body: Incoming, lease: Lease, span: Duration) -> Self {
        let lease = (span > Duration::ZERO).then_some((lease, span));
        let mut leased = Self { body, lease };
        leased.release();
        leased
    }

    fn release(&mut self) {
        if self.body.is_end_stream()
            && let Some((lease, span)) = self.lease.take()
        {
            lease.back(span);
        }
    }
}

impl hyper::body::Body for Leased {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.lease = None,
            Poll::Ready(None) => {
                if let Some((lease, span)) = self.lease.take() {
                    lease.back(span);
                }
            }
            Poll::Ready(Some(Ok(_))) => self.release(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
