//! Settings with their origins.

use serde::Serialize;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub setting: &'static str,
    /// Its value; never a secret.
    pub value: String,
    /// `--store`, `ENGINE_STORE`, `default` …
    pub from: &'static str,
}
