//! The words about the server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Of `engine serve`.
pub const SERVE_EXAMPLES: &str = "\
Examples:
  engine serve                              on this machine
  engine serve --listen 0.0.0.0:3003        for others too
  engine serve --base-path /engine          below a path, behind another server

Ctrl-C and SIGTERM let requests under way come to their end; a second one does not wait.";

/// `engine serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; port 0 picks a free one (repeatable)
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "ENGINE_LISTEN",
        default_value = "127.0.0.1:3003",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,
    /// All paths stand below this one
    #[arg(long, value_name = "/PATH", env = "ENGINE_BASE_PATH", default_value = "")]
    pub base_path: String,
    /// The largest body of a request, in bytes, or as 512KB, 75MB
    #[arg(long, value_name = "SIZE", default_value = "75MB")]
    pub max_body: String,
    /// Until the head of a request is there
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub header_timeout: String,
    /// How long a connection without requests is kept
    #[arg(long, value_name = "SPAN", default_value = "75s")]
    pub idle_timeout: String,
    /// Connections at once; more are told 503
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub max_connections: u32,
    /// Requests at once; more are told 503
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_requests: u32,
    /// How long requests under way may take to end
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    pub shutdown_timeout: String,
    /// Where the first key of a store is written, which is made new; else it is shown on a terminal
    #[arg(long, value_name = "FILE", env = "ENGINE_INITIAL_KEY_FILE")]
    pub initial_key_file: Option<PathBuf>,
}

/// `engine keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key; it is shown once
    #[command(after_help = KEYS_EXAMPLES)]
    Create(NewKey),
    /// List keys, revoked and expired ones too
    List,
    /// Revoke a key; servers refuse it within two seconds
    Revoke {
        /// Its id
        id: String,
    },
}

const KEYS_EXAMPLES: &str = "\
Examples:
  engine keys create                                       may do everything
  engine keys create --name ci --expires 90d
  engine keys create --scope environment:actions:execute --integration 'slack-*' --read-only
  engine keys create --scope 'environment:connections:*' --end-user 4711";

/// `engine keys create`
#[derive(Debug, Args)]
pub struct NewKey {
    /// For people
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// What it may do, such as `environment:proxy` or `environment:connections:*`; else everything (repeatable)
    #[arg(long, value_name = "SCOPE")]
    pub scope: Vec<String>,
    /// Only these integrations; `*` stands for any characters (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub integration: Vec<String>,
    /// Only these actions (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub action: Vec<String>,
    /// Only what changes nothing
    #[arg(long)]
    pub read_only: bool,
    /// Only connections of this end user
    #[arg(long, value_name = "ID")]
    pub end_user: Option<String>,
    /// How long it is good: 90d
    #[arg(long, value_name = "SPAN")]
    pub expires: Option<String>,
    /// So many requests in a span: 600/1m
    #[arg(long, value_name = "N/SPAN")]
    pub rate: Option<String>,
    /// So many requests at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,
}

/// `engine audit`
#[derive(Debug, Args)]
pub struct Audit {
    /// Only entries before this number
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<i64>,
    /// At most so many, newest first
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}
