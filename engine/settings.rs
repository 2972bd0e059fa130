//! Settings, fully resolved: nothing is optional that isn't.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;

use crate::model::name::EnvironmentName;
pub use crate::{
    model::proxy::Proxy,
    vault::KeySource,
    wire::{Exception, ProxySettings, Resolve},
};

/// How long runs are kept unless said otherwise.
pub const KEEP_RUNS: Duration = Duration::from_hours(30 * 24);

/// What the engine needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder with `integrations.yaml`; `None`: the built-in catalog alone.
    pub project: Option<PathBuf>,
    /// The database file.
    pub store: PathBuf,
    /// Where its key comes from.
    pub key: KeySource,
    /// The name of the environment that it holds.
    pub environment: EnvironmentName,
    /// Closed address ranges that may be called.
    pub allow_net: Vec<IpNet>,
    /// PEM file of further certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// Which requests take a tunnel through a proxy.
    pub proxy: ProxySettings,
    /// Finished runs older than this are removed.
    pub keep_runs: Duration,
}
