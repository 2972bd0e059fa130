//! The words about the server.

use clap::Args;

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
}
