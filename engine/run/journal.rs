//! What happened, kept. Dropped before [`Journal::finish`], a run is recorded as cancelled.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;

use crate::{
    clock::Clock,
    model::{
        failure::{Code, Failure},
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    run::writes::{Writes, Written},
    store::{self, Store},
};

/// So many attempts are kept in memory before they are written.
const BATCH: usize = 128;

/// The record of one run, while it goes on.
pub struct Journal {
    store: Option<Store>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    record: RunRecord,
    pending: Vec<AttemptRecord>,
    finished: bool,
    writes: Writes,
    /// The step that is executed.
    step: Option<String>,
}

impl Journal {
    /// Records that the run began; if that is impossible, it does not begin.
    pub async fn begin(
        store: Option<Store>,
        clock: Arc<dyn Clock>,
        record: RunRecord,
    ) -> Result<Self, store::Error> {
        if let Some(store) = &store {
            store.runs.begin(record.clone()).await?;
        }
        let state = State {
            record,
            pending: Vec::new(),
            finished: false,
            writes: Writes::default(),
            step: None,
        };
        Ok(Self { store, clock, state: Mutex::new(state) })
    }

    /// Notes one attempt.
    pub fn attempt(&self, attempt: AttemptRecord) {
        let mut state = self.lock();
        state.record.attempts += 1;
        state.pending.push(attempt);
        if state.pending.len() >= BATCH {
            let batch = std::mem::take(&mut state.pending);
            let record = state.record.clone();
            drop(state);
            if let Some(store) = &self.store {
                store.runs.note(record, batch);
            }
        }
    }

    /// Counts an attempt that is not kept.
    pub fn count(&self) {
        self.lock().record.attempts += 1;
    }

    /// Notes a wait, for a limit or between tries.
    pub fn waited(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.record.waited_ms = state.record.waited_ms.saturating_add(ms);
    }

    /// Notes what has become of a write.
    pub fn writes<T>(&self, note: impl FnOnce(&mut Writes) -> T) -> T {
        note(&mut self.lock().writes)
    }

    /// Notes which step is executed from here on.
    pub fn step(&self, step: &str) {
        self.lock().step = Some(step.to_owned());
    }

    /// The step that is executed.
    pub fn current_step(&self) -> Option<String> {
        self.lock().step.clone()
    }

    /// What has become of them so far.
    pub fn written(&self) -> Written {
        self.lock().writes.written()
    }

    /// When the run began.
    pub fn started(&self) -> Timestamp {
        self.lock().record.started_at
    }

    /// Says in the failure of the run what it has written.
    pub fn describe(&self, failure: &mut Failure) {
        self.lock().writes.describe(failure);
    }

    /// Records the end, and returns the record.
    pub async fn finish(&self, result: &Result<Value, Failure>) -> RunRecord {
        let (status, failure) = match result {
            Ok(_) => (RunStatus::Succeeded, None),
            Err(failure) if failure.code == Code::Cancelled => {
                (RunStatus::Cancelled, Some(failure.clone()))
            }
            Err(failure) => (RunStatus::Failed, Some(failure.clone())),
        };
        let (record, pending) = self.end(status, failure);
        if let Some(store) = &self.store
            && let Err(error) = store.runs.finish(record.clone(), pending).await
        {
            // Its effects are what matters.
            tracing::error!(%error, run = record.id.as_str(), "the run could not be recorded");
        }
        record
    }

    fn end(&self, status: RunStatus, failure: Option<Failure>) -> (RunRecord, Vec<AttemptRecord>) {
        let mut state = self.lock();
        state.finished = true;
        state.record.status = status;
        state.record.failure = failure;
        state.record.finished_at = Some(self.clock.now());
        let pending = std::mem::take(&mut state.pending);
        (state.record.clone(), pending)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.lock().finished {
            return;
        }
        let mut failure = Failure::new(Code::Cancelled, "stopped before its end");
        self.describe(&mut failure);
        let (record, pending) = self.end(RunStatus::Cancelled, Some(failure));
        if let Some(store) = &self.store {
            store.runs.note(record, pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::http::Method, store::Memory, suite::VirtualClock};

    fn attempt(page: u32) -> AttemptRecord {
        AttemptRecord {
            step: "a".to_owned(),
            item: None,
            page,
            attempt: 1,
            started_at: Timestamp(1),
            duration_ms: 1,
            waited_ms: 0,
            method: Method::GET,
            url: "https://acme.test/".to_owned(),
            status: Some(200),
            outcome: "ok",
            message: None,
            detail: None,
        }
    }

    fn record() -> RunRecord {
        RunRecord {
            id: "run_1".parse().unwrap(),
            integration: "acme".parse().unwrap(),
            action: "act".parse().unwrap(),
            connection: "default".parse().unwrap(),
            sandbox: false,
            status: RunStatus::Running,
            failure: None,
            started_at: Timestamp(1),
            finished_at: None,
            attempts: 0,
            waited_ms: 0,
        }
    }

    #[test]
    fn attempts_are_written_as_they_gather_and_a_run_that_is_dropped_was_cancelled() {
        let virtual_clock = VirtualClock::default();
        let clock: Arc<dyn Clock> = Arc::new(virtual_clock.clone());
        let store = Memory::new(Arc::clone(&clock)).into_store().unwrap();
        let begin = Journal::begin(Some(store.clone()), clock, record());
        let journal = virtual_clock.drive(begin).unwrap().unwrap();
        let written = || virtual_clock.drive(store.runs.attempts("run_1")).unwrap().unwrap().len();
        let most = u32::try_from(BATCH).unwrap();
        for page in 1..most {
            journal.attempt(attempt(page));
        }
        assert_eq!(written(), 0);
        journal.attempt(attempt(most));
        assert_eq!(written(), BATCH);
        journal.attempt(attempt(most + 1));
        journal.waited(Duration::from_millis(7));
        drop(journal);
        assert_eq!(written(), BATCH + 1);
        let kept = virtual_clock.drive(store.runs.get("run_1")).unwrap().unwrap().unwrap();
        assert_eq!(
            (kept.status, kept.attempts, kept.waited_ms),
            (RunStatus::Cancelled, u64::from(most) + 1, 7)
        );
        assert!(kept.finished_at.is_some());
    }
}
