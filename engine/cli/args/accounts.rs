//! The words about accounts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Of `engine connect`.
pub const CONNECT_EXAMPLES: &str = "\
Register this redirect URL with the vendor: http://localhost:3003/oauth/callback
(--redirect-url names another one; the vendor compares it letter by letter)

Examples:
  engine connect ms-teams --sandbox               the whole sign-in, without an account
  engine connect ms-teams                         in the browser
  engine connect shopify --config shop=acme
  engine connect github --device                  type a code on another device
  engine connect google --no-browser              over SSH: paste the URL that you end up at
  engine connect stripe                           asks for the key, hidden
  engine connect stripe --credentials-stdin < key.json";

/// `engine connect`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line are bools")]
pub struct Connect {
    /// The integration: an entry of `integrations.yaml`, or a blueprint's name
    pub integration: String,
    /// The connection's id; one that exists is signed in again and keeps its metadata
    #[arg(long, value_name = "ID", default_value = "default")]
    pub connection: String,
    /// A value of the connection, by the blueprint's `connection` schema (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub config: Vec<String>,
    /// A scope to ask for, instead of the integration's (repeatable)
    #[arg(long, value_name = "SCOPE")]
    pub scope: Vec<String>,
    /// Do not open a browser: print the URL, and take the redirect URL as pasted text too
    #[arg(long)]
    pub no_browser: bool,
    /// Sign in on another device, by a code (where the API supports it)
    #[arg(long)]
    pub device: bool,
    /// Where the vendor sends the browser back to
    #[arg(
        long,
        value_name = "URL",
        env = "ENGINE_REDIRECT_URL",
        default_value = "http://localhost:3003/oauth/callback"
    )]
    pub redirect_url: String,
    /// Another port for it; 0 picks a free one, where the vendor allows any
    #[arg(long)]
    pub port: Option<u16>,
    /// Read the credentials of a form from standard input: JSON by the blueprint's schema
    #[arg(long, conflicts_with_all = ["device", "sandbox"])]
    pub credentials_stdin: bool,
    /// Free-form data to keep with it
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
    /// At the sandbox on this machine: no account is needed
    #[arg(long)]
    pub sandbox: bool,
}

/// `engine connections`
#[derive(Debug, Subcommand)]
pub enum Connections {
    /// Add a connection; secrets come from standard input, never from the command line
    #[command(after_help = "\
Examples:
  echo \"$TOKEN\" | engine connections add ms-teams --token-stdin
  engine connections add ms-teams --credentials-stdin <<'JSON'
  {\"access_token\": \"…\", \"refresh_token\": \"…\", \"expires_in\": 3600}
  JSON
  engine connections add ms-teams --sandbox")]
    Add(AddConnection),
    /// List connections
    List {
        /// Only of this integration
        integration: Option<String>,
    },
    /// Show a connection; of its secrets only the names
    Show(OneConnection),
    /// Get a fresh token now
    Refresh(OneConnection),
    /// Ask the API whether the credentials work
    Test(OneConnection),
    /// Revoke the tokens at the vendor; the connection stays, signed out
    Revoke(OneConnection),
    /// Delete a connection and its credentials, and revoke its tokens where the vendor can
    Delete(OneConnection),
    /// Read connections from standard input or a file: one JSON object a line, or an encrypted export
    Import {
        /// Replace those that exist
        #[arg(long)]
        replace: bool,
        /// The file; standard input if none is named
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The file with the passphrase of an encrypted export; asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Write connections, one JSON object a line
    #[command(after_help = "\
Moving to another machine:
  engine connections export --encrypt --to connections.sealed   asks for a passphrase
  engine connections import --from connections.sealed           on the other machine")]
    Export {
        /// Only of this integration
        integration: Option<String>,
        /// With credentials, in the clear: to a file, or to a pipe
        #[arg(long)]
        with_secrets: bool,
        /// With credentials, encrypted with a passphrase
        #[arg(long, conflicts_with = "with_secrets")]
        encrypt: bool,
        /// The file with the passphrase; asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The file; made new, readable only by you
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// `engine secrets`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Secrets {
    /// Which keys there are, and how many values each has sealed
    Status,
    /// Seal everything with a new key; can be interrupted and called again
    Rotate,
    /// Remove the keys from the key file with which nothing is sealed any more
    Forget,
}

/// `engine connections add`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line are bools")]
pub struct AddConnection {
    /// The integration
    pub integration: String,
    /// The connection's id
    #[arg(long, value_name = "ID", default_value = "default")]
    pub connection: String,
    /// Read credentials from standard input: JSON by the blueprint's `credentials` schema
    #[arg(long, conflicts_with_all = ["token_stdin", "sandbox"])]
    pub credentials_stdin: bool,
    /// Read one access token from standard input
    #[arg(long, conflicts_with = "sandbox")]
    pub token_stdin: bool,
    /// A value of the connection, by the blueprint's `connection` schema (repeatable)
    #[arg(long, visible_alias = "config", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Free-form data to keep with it
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
    /// For the sandbox: needs no credentials
    #[arg(long)]
    pub sandbox: bool,
    /// Give an existing one new credentials
    #[arg(long)]
    pub replace: bool,
    /// Store it without asking the API whether its credentials work
    #[arg(long)]
    pub no_verify: bool,
}

/// One connection.
#[derive(Debug, Args)]
pub struct OneConnection {
    /// The integration
    pub integration: String,
    /// The connection; else the only one, else `default`
    #[arg(long, value_name = "ID")]
    pub connection: Option<String>,
}
