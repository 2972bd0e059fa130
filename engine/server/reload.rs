//! Takes over what is edited while the server works.
//!
//! Events of the file system say that it is worth looking; whether anything was changed says the
//! fingerprint of the files, which is taken every two seconds in any case: for file systems without
//! events, and for links that are turned to other folders.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use serde::Serialize;
use tokio::{sync::Notify, time::timeout};

use crate::{
    engine::{Engine, Fingerprint},
    model::time::Timestamp,
};

/// Between two looks without an event.
const LOOK: Duration = Duration::from_secs(2);
/// The files have come to rest when they are the same twice, this far apart.
const REST: Duration = Duration::from_millis(100);
/// Rests that are waited for; then the files are taken as they are.
const RESTS: u32 = 7;
/// The same, for a file without a byte: whoever saves it has cut it, and writes it next.
const EMPTY_RESTS: u32 = 20;

/// What counts directly in the project's folder.
const OURS: [&str; 4] = ["integrations.yaml", ".env", "blueprints", "actions"];

/// How the configuration stands.
#[derive(Debug, Clone, Serialize)]
pub struct Configuration {
    /// `current`, or `stale`: the files are broken, and what they were before is in use.
    pub config: &'static str,
    /// When what is in use was read.
    pub loaded_at: Timestamp,
    /// What of the files cannot be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// See the module.
pub struct Reload {
    engine: Arc<Engine>,
    stands: Mutex<Configuration>,
}

impl Reload {
    /// Reads all files, for the first time: what is not read cannot be kept when it breaks.
    /// What they were before they were read: an edit that comes meanwhile is one more change.
    pub async fn begin(engine: Arc<Engine>) -> (Arc<Self>, Option<Fingerprint>) {
        let loaded_at = engine.clock().now();
        let stands = Configuration { config: "current", loaded_at, problems: Vec::new() };
        let reload = Arc::new(Self { engine, stands: Mutex::new(stands) });
        let taken = reload.fingerprint().await;
        reload.load().await;
        (reload, taken)
    }

    /// How the configuration stands.
    pub fn stands(&self) -> Configuration {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again and again whether the files are still what was taken.
    pub async fn watch(&self, taken: Option<Fingerprint>) {
        let Some(mut taken) = taken else { return };
        let touched = Arc::new(Notify::new());
        // Without events every change is found by looking.
        let _watcher = self.events(&touched);
        loop {
            let _event = timeout(LOOK, touched.notified()).await;
            match self.fingerprint().await {
                Some(now) if now != taken => {
                    taken = self.at_rest(now, taken.empty).await;
                    self.load().await;
                }
                Some(_) | None => {}
            }
            // However many events there are: looking is work.
            self.engine.clock().sleep(REST).await;
        }
    }

    /// The files when nobody writes them any more.
    async fn at_rest(&self, mut last: Fingerprint, empty: u32) -> Fingerprint {
        for rest in 0..EMPTY_RESTS {
            self.engine.clock().sleep(REST).await;
            let now = self.fingerprint().await.unwrap_or_default();
            let is_cut = now.empty > empty;
            if (now == last || rest >= RESTS) && !is_cut {
                return now;
            }
            last = now;
        }
        last
    }

    async fn fingerprint(&self) -> Option<Fingerprint> {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || engine.fingerprint()).await.ok().flatten()
    }

    async fn load(&self) {
        let engine = Arc::clone(&self.engine);
        let Ok(reloaded) = tokio::task::spawn_blocking(move || engine.reload()).await else {
            return;
        };
        let broken = reloaded.broken.iter();
        let problems: Vec<String> =
            broken.map(|broken| format!("{}: {}", broken.name, broken.error)).collect();
        for problem in &problems {
            tracing::warn!(problem, taken = reloaded.taken, "the files are not sound");
        }
        let mut stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner);
        if reloaded.taken {
            tracing::info!("the files were read");
            stands.loaded_at = self.engine.clock().now();
        }
        stands.config = if reloaded.taken { "current" } else { "stale" };
        stands.problems = problems;
    }

    /// Has somebody told whenever anything may have been changed.
    fn events(&self, touched: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let root = self.engine.project()?.to_owned();
        let tell = Arc::clone(touched);
        let within = root.clone();
        let on_event = move |event: notify::Result<notify::Event>| {
            // On Linux reading is reported as well, which is not a change.
            let is_change = |event: notify::Event| {
                !matches!(event.kind, EventKind::Access(_)) && is_ours(&event.paths, &within)
            };
            if event.is_ok_and(is_change) {
                tell.notify_one();
            }
        };
        let watched = recommended_watcher(on_event).and_then(|mut watcher| {
            watcher.watch(&root, RecursiveMode::NonRecursive)?;
            for folder in ["blueprints", "actions"].map(|name| root.join(name)) {
                if folder.is_dir() {
                    watcher.watch(&folder, RecursiveMode::Recursive)?;
                }
            }
            Ok(watcher)
        });
        watched
            .inspect_err(|error| tracing::warn!(%error, "files are looked at every two seconds"))
            .ok()
    }
}

/// Whether an event is about files that count. Others may stand beside them, such as a log that
/// grows with each request.
fn is_ours(paths: &[PathBuf], root: &Path) -> bool {
    let counts = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        path.parent() != Some(root) || name.is_none_or(|name| OURS.contains(&name))
    };
    paths.is_empty() || paths.iter().any(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_beside_the_files_is_no_change_of_them() {
        for (path, ours) in [
            ("/p/integrations.yaml", true),
            ("/p/.env", true),
            ("/p/actions", true),
            ("/p/actions/acme/read.yaml", true),
            ("/p/server.log", false),
            ("/p/.engine", false),
        ] {
            assert_eq!(is_ours(&[PathBuf::from(path)], Path::new("/p")), ours, "{path}");
        }
        assert!(is_ours(&[], Path::new("/p")), "some systems do not say");
    }
}
