//! The commands and their arguments. Doc comments here are the help texts.

mod accounts;
mod server;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::accounts::{
    AddConnection, CONNECT_EXAMPLES, Connect, Connections, OneConnection, Secrets,
};
pub use self::server::{Audit, Keys, NewKey, Serve};
pub use crate::cli::choice::{ColorWhen, Format, LogFormat};

const HEADING: &str = "Options of all commands";

const EXAMPLES: &str = "\
Examples:
  engine run ms-teams list-channels --sandbox      try an action, no account needed
  engine init my-integrations                      start a project
  engine check                                     every problem of every file
  engine list actions slack                        what can be done
  echo \"$TOKEN\" | engine connections add ms-teams --token-stdin
  engine request ms-teams GET /me                  any endpoint of an API
  engine logs                                      what was done

Exit codes: 0 done, 1 the action failed, 2 the call or the files are wrong, 3 the engine itself
cannot work (store, key, network), 4 the result is not whole (with --strict), 128 + N stopped by the signal N, such as 130 by Ctrl-C.";

/// A declarative integration engine: APIs as blueprints, calls as YAML actions, one executor.
#[derive(Debug, Parser)]
#[command(name = "engine", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, infer_subcommands = false)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Each can be given as `ENGINE_…` too; `engine settings` prints them with their origins.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = HEADING)]
pub struct Global {
    /// The project folder; else the nearest one above that has an `integrations.yaml`
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub project: Option<PathBuf>,
    /// How to print: table on a terminal, else json
    #[arg(long, value_enum, value_name = "FORMAT", global = true)]
    pub output: Option<Format>,
    /// The database file; else `.engine/engine.db` in the project folder
    #[arg(long, value_name = "FILE", global = true)]
    pub store: Option<PathBuf>,
    /// The environment that the store holds (default)
    #[arg(long, global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// The file with the store's key; else one beside the store
    #[arg(long, value_name = "FILE", global = true)]
    pub key_file: Option<PathBuf>,
    /// Private, loopback and link-local addresses that may be called (repeatable)
    #[arg(long, value_name = "CIDR", value_delimiter = ',', global = true)]
    pub allow_net: Vec<String>,
    /// PEM file of further certificate authorities
    #[arg(long, value_name = "FILE", global = true)]
    pub ca_file: Option<PathBuf>,
    /// A proxy that makes tunnels: `http://[user:password@]host:port`
    #[arg(long, value_name = "URL", global = true)]
    pub proxy: Option<String>,
    /// Hosts that are reached without it: names with all below them, address ranges, `*`
    #[arg(long, value_name = "HOST,…", global = true)]
    pub no_proxy: Option<String>,
    /// Who finds the addresses of names behind it: `local` (under the outbound policy) or `remote`
    #[arg(long, value_name = "WHO", global = true)]
    pub proxy_resolve: Option<String>,
    /// Remove runs older than this (30d)
    #[arg(long, value_name = "SPAN", global = true)]
    pub keep_runs: Option<String>,
    /// What to log: a level, or a filter such as `warn,engine::auth=debug`
    #[arg(long, value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How to log
    #[arg(long, value_enum, value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", global = true)]
    pub color: Option<ColorWhen>,
    /// Only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more: -v info, -vv debug, -vvv trace
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a starter project; existing files are kept
    Init {
        /// The folder
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Check the project's files: all problems at once, each with its place
    Check {
        /// Only these files and folders
        paths: Vec<PathBuf>,
        /// Repeat whenever a file changes
        #[arg(long)]
        watch: bool,
    },
    /// List integrations, actions and blueprints
    #[command(after_help = "\
Examples:
  engine list                     everything
  engine list actions             all actions
  engine list actions slack post  those with both words in name or description")]
    List(List),
    /// Show an integration with all that it inherits, secrets masked
    Show {
        /// The integration
        integration: String,
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Run an action
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Send one request to any endpoint of an API, with auth, limits and retries
    #[command(after_help = "\
Examples:
  engine request ms-teams GET /me
  engine request github GET '/user/repos?sort=updated' --paginate
  engine request slack POST /chat.postMessage channel=C024BE91L text='Hello'
  engine request stripe GET /charges limit==3")]
    Request(Request),
    /// Run the tests in blueprints and actions
    Test {
        /// Only these files and folders
        paths: Vec<PathBuf>,
        /// Repeat whenever a file changes
        #[arg(long)]
        watch: bool,
    },
    /// Sign in to an account: in the browser, by a device's code, or by typing keys
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(Connect),
    /// Accounts: list, show, add, refresh, test, revoke, delete, import, export
    #[command(subcommand)]
    Connections(Connections),
    /// The keys that seal the store: status, rotate, forget
    #[command(subcommand)]
    Secrets(Secrets),
    /// What was done: runs, or the attempts of one run
    Logs(Logs),
    /// Print the JSON Schemas of the files
    Schema {
        /// Which; else all of them
        which: Option<SchemaOf>,
        /// As a page of the reference
        #[arg(long)]
        markdown: bool,
    },
    /// Serve an API's sandbox on this machine
    Sandbox {
        /// The blueprint: `ms-teams` or `ms-teams:v0`
        blueprint: String,
        /// The port; 0 picks a free one
        #[arg(long, default_value_t = 4010)]
        port: u16,
        /// How long the access tokens that it issues are valid (1h)
        #[arg(long, value_name = "SPAN")]
        token_lifetime: Option<String>,
    },
    /// Serve the engine over HTTP
    #[command(after_help = server::SERVE_EXAMPLES)]
    Serve(Serve),
    /// The keys with which programs use the server: create, list, revoke
    #[command(subcommand)]
    Keys(Keys),
    /// Who revealed credentials, made and revoked keys
    Audit(Audit),
    /// Print every setting and where it came from
    Settings,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page (roff), of the engine or of one command
    Man {
        /// The command
        command: Option<String>,
    },
}

const RUN_EXAMPLES: &str = "\
Input:
  name=value      typed by the action's input schema; a name given twice makes a list
  name:=JSON      as it stands
  name=@file      the text of a file (name:=@file its JSON); @- is standard input
  --input JSON    the whole input; single values are added to it

Examples:
  engine run ms-teams list-channels --sandbox
  engine run github list-issues owner=rust-lang repo=cargo state=open
  engine run slack post-message channel=C024BE91L text=@message.txt
  engine run ms-teams post-message --input @message.json --dry-run --curl";

/// `engine list`
#[derive(Debug, Args)]
pub struct List {
    /// Only these, or the first search word
    pub what: Option<String>,
    /// Words that must all occur
    pub words: Vec<String>,
}

/// Where a call goes, as whom, and how long it may wait.
#[derive(Debug, Args)]
pub struct CallTarget {
    /// The connection; else the only one, else `default`
    #[arg(long, value_name = "ID")]
    pub connection: Option<String>,
    /// Against the blueprint's sandbox on this machine
    #[arg(long)]
    pub sandbox: bool,
    /// How long to retry and to wait for limits: 30s, 5m, 1h
    #[arg(long, value_name = "SPAN")]
    pub wait: Option<String>,
    /// How far the run may go: requests=500, items=1000, bytes=64MB, timeout=5m (repeatable)
    #[arg(long = "run-limit", value_name = "NAME=VALUE")]
    pub run_limits: Vec<String>,
}

/// How the result of a run is taken.
#[derive(Debug, Args)]
pub struct ResultArgs {
    /// Print `{run, output, truncated, failed, executed, writes}` in place of the output
    #[arg(long)]
    pub envelope: bool,
    /// End with 4 if a list was cut or elements failed
    #[arg(long)]
    pub strict: bool,
}

/// `engine run`
#[derive(Debug, Args)]
pub struct Run {
    /// The integration: an entry of `integrations.yaml`, or a blueprint's name
    pub integration: String,
    /// The action
    pub action: String,
    /// The input
    #[arg(value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// The whole input: JSON, `@file`, or `-` for standard input
    #[arg(long = "input", value_name = "JSON|@FILE|-")]
    pub whole: Option<String>,
    /// Where the call goes
    #[command(flatten)]
    pub target: CallTarget,
    /// The same call twice under one key is the same work once; kept for 24 hours
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// How the result is taken
    #[command(flatten)]
    pub result: ResultArgs,
    /// Print the requests that would be sent, secrets masked; send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: as curl commands
    #[arg(long, requires = "dry_run")]
    pub curl: bool,
}

/// `engine request`
#[derive(Debug, Args)]
pub struct Request {
    /// The integration
    pub integration: String,
    /// GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, or any other
    pub method: String,
    /// Relative to the base URL; may hold a query
    pub path: String,
    /// JSON members `name=value`, `name:=JSON`; query parameters `name==value`
    #[arg(value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// The body: a text, `@file`, or `-` for standard input
    #[arg(long, value_name = "TEXT|@FILE|-")]
    pub body: Option<String>,
    /// The body's type (application/json)
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// A further header, `name: value` (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Read all pages, by the blueprint's pagination
    #[arg(long)]
    pub paginate: bool,
    /// Repeat it after a failure although its method is not idempotent
    #[arg(long)]
    pub idempotent: bool,
    /// Print status and headers too
    #[arg(short, long)]
    pub include: bool,
    /// Write the body of the answer into a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paginate", "include"])]
    pub save: Option<PathBuf>,
    /// Where the call goes
    #[command(flatten)]
    pub target: CallTarget,
}

/// `engine logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// One run: its id or the beginning of it
    pub run: Option<String>,
    /// Only of this integration
    #[arg(long, value_name = "NAME")]
    pub integration: Option<String>,
    /// Only of this action
    #[arg(long, value_name = "NAME")]
    pub action: Option<String>,
    /// Only of this connection
    #[arg(long, value_name = "ID")]
    pub connection: Option<String>,
    /// Only running, succeeded, failed, cancelled or interrupted ones
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// At most so many, newest first
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// Which file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// `blueprints/<name>/vN.yaml`
    Blueprint,
    /// `blueprints/<name>/vN.sandbox.yaml`
    Sandbox,
    /// `integrations.yaml`
    Integrations,
    /// `actions/<blueprint>/<name>.yaml`
    Action,
    /// The helpers of templates
    Helpers,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_all_commands_may_stand_anywhere() {
        for args in [
            &["engine", "-C", "x", "--store", "db", "check"][..],
            &["engine", "check", "-C", "x", "--store", "db"],
        ] {
            let cli = Cli::try_parse_from(args).unwrap();
            assert_eq!(cli.global.project.unwrap().as_os_str(), "x");
            assert_eq!(cli.global.store.unwrap().as_os_str(), "db");
        }
        assert!(Cli::try_parse_from(["engine", "run", "a", "b", "--curl"]).is_err());
        assert!(Cli::try_parse_from(["engine", "check", "-q", "-v"]).is_err());
    }
}
