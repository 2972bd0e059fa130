//! The buckets that all runs of a process share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    clock::Clock,
    model::{limit::Limit, time::Timestamp},
    policy::limit::Bucket,
    run::{
        bucket::{Ports, SharedBucket},
        host::Hosts,
    },
    store::Limits,
    value::random,
};

/// Above this number, buckets that nobody uses are forgotten.
const MANY_BUCKETS: usize = 10_000;
/// Rows that nobody wrote for this long are removed. No vendor counts longer than a month.
const KEPT: Duration = Duration::from_hours(32 * 24);
/// One of so many processes that leave removes them.
const SWEEPERS: f64 = 64.0;

/// All buckets, by key.
pub struct Limiter {
    buckets: Mutex<Buckets>,
    ports: Ports,
    hosts: Hosts,
    /// No slack and no jitter: every wait is the longest one, as tests in files expect.
    exact: bool,
}

struct Buckets {
    by_key: HashMap<String, Arc<SharedBucket>>,
    /// So many are too many.
    most: usize,
}

impl Limiter {
    /// A limiter over the rows of a store. `holder` names this process, and no other.
    pub fn new(limits: Arc<dyn Limits>, clock: Arc<dyn Clock>, holder: String) -> Self {
        Self::over(Ports { limits, clock, holder, jitter })
    }

    /// A limiter for tests: waits are exact.
    pub fn exact(limits: Arc<dyn Limits>, clock: Arc<dyn Clock>) -> Self {
        let jitter = || 1.0;
        Self {
            exact: true,
            ..Self::over(Ports { limits, clock, holder: "test".to_owned(), jitter })
        }
    }

    fn over(ports: Ports) -> Self {
        let buckets = Buckets { by_key: HashMap::new(), most: MANY_BUCKETS };
        Self { buckets: Mutex::new(buckets), ports, hosts: Hosts::default(), exact: false }
    }

    /// The bucket of a limit; without one it can only be closed.
    pub fn bucket(&self, key: String, limit: Option<&Limit>) -> Arc<SharedBucket> {
        let mut buckets = self.buckets();
        if buckets.by_key.len() >= buckets.most {
            let now = self.ports.clock.boot();
            buckets
                .by_key
                .retain(|_, bucket| Arc::strong_count(bucket) > 1 || bucket.bucket().is_busy(now));
            buckets.most = MANY_BUCKETS.max(buckets.by_key.len() * 2);
        }
        let rate = limit.and_then(|limit| limit.rate);
        let concurrency = limit.and_then(|limit| limit.concurrency);
        if let Some(bucket) = buckets.by_key.get(&key)
            && bucket.bucket().keeps(rate, concurrency)
        {
            return Arc::clone(bucket);
        }
        let bucket = Bucket::new(rate, concurrency, self.exact, self.ports.clock.boot());
        let bucket = Arc::new(SharedBucket::new(key.clone(), bucket));
        buckets.by_key.insert(key, Arc::clone(&bucket));
        bucket
    }

    /// What its buckets ask of the world.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The hosts that are asked.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Between 0 and 1, for jitter.
    pub fn jitter(&self) -> f64 {
        (self.ports.jitter)()
    }

    /// The process ends: what it was given and did not use goes back to the others.
    pub async fn leave(&self) {
        let all: Vec<_> = self.buckets().by_key.values().cloned().collect();
        let left = join_all(all.iter().map(|bucket| bucket.leave(&self.ports))).await;
        if left.contains(&true) && self.jitter() * SWEEPERS < 1.0 {
            let ago = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
            let before = Timestamp(self.ports.clock.now().0.saturating_sub(ago));
            if let Err(error) = self.ports.limits.prune(before).await {
                tracing::debug!(%error, "old limits could not be removed");
            }
        }
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn jitter() -> f64 {
    // Without randomness every wait is the longest one: slower, never wrong.
    let Ok(bytes) = random::bytes() else { return 1.0 };
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Waker},
    };

    use super::*;
    use crate::{
        clock::SystemClock,
        model::limit::Rate,
        policy::limit::{Ask, Reading, SharedLimit, Take},
        store::{Error, LimitRow, Memory, StoreFuture},
    };

    /// Rows in memory that count their calls, can be away, and answer at the second look, so that
    /// a caller can be gone before a change and after it.
    struct Counted {
        rows: Memory,
        calls: AtomicUsize,
        away: AtomicUsize,
    }

    fn slowly<'a, T: Send + 'a>(call: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let answer = call.await;
            tokio::task::yield_now().await;
            answer
        })
    }

    impl Counted {
        fn new() -> Arc<Self> {
            let rows = Memory::new(Arc::new(SystemClock::new()));
            Arc::new(Self { rows, calls: AtomicUsize::new(0), away: AtomicUsize::new(0) })
        }

        fn calls(&self) -> usize {
            self.calls.swap(0, Ordering::SeqCst)
        }
    }

    impl Limits for Counted {
        fn read<'a>(&'a self, bucket: &'a str) -> StoreFuture<'a, LimitRow> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.away.load(Ordering::SeqCst) > 0 {
                let text = String::new;
                let error = Error::Unusable { path: text(), reason: text(), hint: text() };
                return Box::pin(std::future::ready(Err(error)));
            }
            slowly(self.rows.read(bucket))
        }

        fn swap<'a>(
            &'a self,
            bucket: &'a str,
            version: i64,
            state: String,
        ) -> StoreFuture<'a, bool> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            slowly(self.rows.swap(bucket, version, state))
        }

        fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
            self.rows.prune(before)
        }
    }

    fn limiter(rows: &Arc<Counted>, holder: &str) -> Limiter {
        let rows = Arc::clone(rows) as Arc<dyn Limits>;
        Limiter::new(rows, Arc::new(SystemClock::new()), holder.to_owned())
    }

    fn limit(count: u32, seconds: u64) -> Limit {
        Limit {
            name: "x".to_owned(),
            per: Vec::new(),
            methods: Vec::new(),
            path: None,
            rate: Some(Rate { count, window: Duration::from_secs(seconds) }),
            concurrency: None,
            observe: None,
        }
    }

    /// Starts requests until there is no place; how many.
    async fn starts(limiter: &Limiter, limit: Option<&Limit>, most: usize) -> usize {
        let ports = limiter.ports();
        let bucket = limiter.bucket("acme:v0\nx\nalice".to_owned(), limit);
        for count in 0..most {
            let Ok(Some(place)) = bucket.try_take(ports).await else { return count };
            assert!(bucket.bucket().start(place, ports.clock.boot()));
            bucket.ask_ahead(ports).await;
            bucket.release();
        }
        most
    }

    #[tokio::test]
    async fn requests_within_what_was_handed_out_ask_nobody() {
        let rows = Counted::new();
        let one = limiter(&rows, "one");
        assert_eq!(starts(&one, None, 1000).await, 1000);
        assert_eq!(rows.calls(), 1, "a pause is looked for once");
        assert_eq!(starts(&limiter(&rows, "two"), Some(&limit(1000, 60)), 1000).await, 1000);
        let calls = rows.calls();
        assert!(calls < 60, "{calls} calls for 1,000 requests");
    }

    #[tokio::test]
    async fn limiters_on_one_store_keep_one_limit_and_who_leaves_gives_back() {
        let rows = Counted::new();
        let (one, two) = (limiter(&rows, "one"), limiter(&rows, "two"));
        let limit = limit(100, 3600);
        assert_eq!(starts(&one, Some(&limit), 40).await, 40);
        one.leave().await;
        assert_eq!(starts(&two, Some(&limit), 100).await, 60);
        // Nothing is left to say.
        two.leave().await;
        rows.calls();
        two.leave().await;
        assert_eq!(rows.calls(), 0);
    }

    #[tokio::test]
    async fn a_call_whose_reply_was_lost_costs_nothing() {
        let rows = Counted::new();
        let one = limiter(&rows, "one");
        let limit = limit(10, 3600);
        let bucket = one.bucket("acme:v0\nx\nalice".to_owned(), Some(&limit));
        for _ in 0..3 {
            // Stored, and never heard of: as when a run is stopped in between.
            bucket.bucket().begin();
            let now = one.ports().clock.now();
            let boot = one.ports().clock.boot();
            let reading = Reading { now, before: boot, after: boot };
            let ask = Ask { waiting: 3, leaving: false };
            let call = bucket.bucket().call(&reading, "one", ask);
            let row = rows.rows.read(bucket.row()).await.unwrap();
            let mut state = SharedLimit::parse(row.state.as_deref()).unwrap();
            state.next(&call);
            assert!(rows.rows.swap(bucket.row(), row.version, state.to_text()).await.unwrap());
        }
        assert_eq!(starts(&one, Some(&limit), 20).await, 10);
    }

    #[tokio::test]
    async fn wherever_a_run_is_dropped_who_leaves_gives_back_all() {
        for polls in 0.. {
            let rows = Counted::new();
            let (one, two) = (limiter(&rows, "one"), limiter(&rows, "two"));
            let limit = limit(10, 3600);
            let bucket = one.bucket("acme:v0\nx\nalice".to_owned(), Some(&limit));
            let mut taking = Box::pin(bucket.try_take(one.ports()));
            let mut nobody = Context::from_waker(Waker::noop());
            let done = (0..polls).any(|_| taking.as_mut().poll(&mut nobody).is_ready());
            drop(taking);
            one.leave().await;
            assert_eq!(starts(&two, Some(&limit), 20).await, 10, "after {polls} polls");
            if done {
                assert!(polls > 4, "nothing was waited for");
                return;
            }
        }
    }

    #[tokio::test]
    async fn without_its_store_a_rate_stops_and_a_pause_does_not() {
        let rows = Counted::new();
        rows.away.store(1, Ordering::SeqCst);
        let one = limiter(&rows, "one");
        assert_eq!(starts(&one, None, 5).await, 5);
        let bucket = one.bucket("rated\nx\n".to_owned(), Some(&limit(5, 1)));
        assert!(bucket.try_take(one.ports()).await.is_err());
        rows.away.store(0, Ordering::SeqCst);
        assert!(bucket.try_take(one.ports()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn who_came_first_is_served_first() {
        let rows = Counted::new();
        let one = limiter(&rows, "one");
        let limit = Limit { concurrency: Some(1), rate: None, ..limit(1, 1) };
        let bucket = one.bucket("a\nb\n".to_owned(), Some(&limit));
        let place = bucket.try_take(one.ports()).await.unwrap().unwrap();
        let order = Mutex::new(Vec::new());
        let waiter = |number: u32| {
            let (bucket, order, ports) = (&bucket, &order, one.ports());
            async move {
                let line = bucket.in_line().await;
                loop {
                    let freed = bucket.freed();
                    match bucket.take(ports).await.unwrap() {
                        Take::Taken(place) => {
                            order.lock().unwrap().push(number);
                            drop(line);
                            return bucket.untake(place);
                        }
                        Take::Full | Take::Wait(_) | Take::Ask => freed.await,
                    }
                }
            }
        };
        let newcomer = async {
            tokio::task::yield_now().await;
            assert!(bucket.try_take(one.ports()).await.unwrap().is_none(), "others wait");
            bucket.untake(place);
        };
        tokio::join!(waiter(1), waiter(2), waiter(3), newcomer);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }
}
