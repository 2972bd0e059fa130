//! What a store is opened with.

use std::{path::PathBuf, sync::Arc};

use crate::{
    clock::Clock,
    model::name::EnvironmentName,
    vault::{KeyFile, KeySource},
};

/// How a store is opened.
#[derive(Clone)]
pub struct Opening {
    /// The file; made, with its folder and its key, if it is not there.
    pub path: PathBuf,
    /// Where its key comes from.
    pub key: KeySource,
    /// The name of its environment.
    pub environment: EnvironmentName,
    /// The store's time.
    pub clock: Arc<dyn Clock>,
}

impl Opening {
    /// Where its keys come from.
    pub(super) fn origin(&self) -> KeyFile {
        KeyFile { source: self.key.clone(), beside: self.path.with_file_name("key") }
    }
}
