//! The command line: arguments in, text or JSON out, and how the process ends.
//!
//! ```text
//! args → settings (the environment, read once) → Terminal, Logging, Engine (all of them lazy)
//!      → one command → Exit
//! ```

mod choice;
pub mod args;
pub mod settings;
mod terminal;
mod table;
mod report;
mod input;
mod prompt;
mod http_text;
mod logging;
mod console;
mod progress;
mod signals;
mod repeat;
mod run;
mod upload;
mod download;
mod request;
mod check;
mod list;
mod show;
mod test;
mod watch;
mod connections;
mod connect;
mod secrets;
mod logs;
mod schema;
mod sandbox;
mod keys;
mod audit;
mod serve;
mod init;
mod shell;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;

use crate::{
    cli::{
        args::{Cli, ColorWhen, Command, Format, Global},
        console::Console,
        logging::Logging,
        report::Exit,
        settings::Resolved,
        terminal::Terminal,
    },
    clock::SystemClock,
    engine::{Engine, SandboxCall},
    error::Error,
    view::{ErrorBody, Setting},
};

/// Other processes of this user get to see neither our memory nor our environment, and no core dump
/// holds them (threat T18).
fn deny_inspection() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // An old kernel or a sandbox may refuse; nothing depends on it.
        let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    deny_inspection();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; a reader that closed the pipe has read enough of them.
            let _unheard = error.print();
            return if error.use_stderr() { Exit::Refused.into() } else { Exit::Done.into() };
        }
    };
    let environment = settings::environment();
    let here = std::env::current_dir().map_err(|source| Error::Io {
        what: "the current folder cannot be found".to_owned(),
        source,
    });
    let resolved = here.and_then(|here| {
        let resolved = settings::resolve(&cli.global, &environment, &here)?;
        Ok((resolved, here))
    });
    match resolved {
        Ok((resolved, here)) => start(cli, resolved, (environment, here)).into(),
        Err(error) => report_early(&cli.global, &environment, &error).into(),
    }
}

/// Makes the world of the command, runs it, and reports what went wrong.
fn start(
    cli: Cli,
    resolved: Resolved,
    (environment, here): (BTreeMap<String, String>, PathBuf),
) -> Exit {
    let Resolved { settings, format, color, log, log_given, log_format, left_behind, rows } =
        resolved;
    let terminal = Terminal::new(color, &environment);
    let mut console = Console {
        logging: Logging::start((log, log_given), log_format, terminal.colours()),
        format: format.unwrap_or_else(|| usual(&terminal)),
        chosen: format.is_some(),
        quiet: cli.global.quiet,
        terminal,
        here,
    };
    if let Some(path) = left_behind {
        let path = path.display();
        let text = format!("`{path}` is not used without a project; `--store {path}` uses it");
        console.warn(&[text]);
    }
    let clock = Arc::new(SystemClock::new());
    let engine = Arc::new(Engine::open(settings, environment, clock));
    let exit = match dispatch(&console, &engine, cli.command, &rows) {
        Ok(exit) => exit,
        Err(error) => console.fail(&error),
    };
    // The result of the command stands all the same.
    let exit = match engine.tokens_are_stored() {
        Ok(()) => exit,
        Err(error) => {
            console.terminal.err(&report::error(&error));
            report::exit(&error)
        }
    };
    match console.terminal.broken() {
        None => exit,
        Some(source) => {
            let what = "standard output cannot be written".to_owned();
            console.terminal.err(&report::error(&Error::Io { what, source }));
            Exit::Broken
        }
    }
}

fn dispatch(
    console: &Console,
    engine: &Arc<Engine>,
    command: Command,
    settings: &[Setting],
) -> Result<Exit, Error> {
    match command {
        Command::Init { folder } => init::init(console, &folder),
        Command::Check { watch: true, .. } | Command::Test { watch: true, .. } => {
            watch::watch(console, engine)
        }
        Command::Check { paths, .. } => Ok(check::check(console, engine, &paths)),
        Command::List(args) => list::list(console, engine, &args),
        Command::Show { integration, origin } => show::show(console, engine, &integration, origin),
        Command::Run(args) => run::run(console, engine, &args),
        Command::Request(args) => request::request(console, engine, args),
        Command::Test { paths, .. } => test::test(console, engine, &paths),
        Command::Connections(command) => connections::connections(console, engine, command),
        Command::Logs(args) => logs::logs(console, engine, args),
        Command::Schema { which, markdown } => Ok(schema::schema(console, which, markdown)),
        Command::Sandbox { blueprint, port, token_lifetime } => {
            let token_lifetime = input::span(token_lifetime.as_deref())?;
            sandbox::sandbox(console, engine, SandboxCall { blueprint, port, token_lifetime })
        }
        Command::Serve(args) => serve::serve(console, engine, args),
        Command::Keys(command) => keys::keys(console, engine, command),
        Command::Audit(args) => audit::audit(console, engine, &args),
        Command::Connect(args) => connect::connect(console, engine, args),
        Command::Secrets(command) => secrets::secrets(console, engine, command),
        Command::Settings => {
            console.show(&settings);
            Ok(Exit::Done)
        }
        Command::Completions { shell } => Ok(shell::completions(console, shell)),
        Command::Man { command } => shell::man(console, command.as_deref()),
    }
}

/// For people on a terminal, for programs elsewhere.
fn usual(terminal: &Terminal) -> Format {
    if terminal.screen { Format::Table } else { Format::Json }
}

/// Settings that cannot be understood, as well as it can be said without them.
fn report_early(flags: &Global, environment: &BTreeMap<String, String>, error: &Error) -> Exit {
    let terminal = Terminal::new(flags.color.unwrap_or(ColorWhen::Auto), environment);
    terminal.err(&report::error(error));
    match flags.output.unwrap_or_else(|| usual(&terminal)) {
        Format::Table => {}
        Format::Json => terminal.json(&ErrorBody::from(error)),
        Format::Ndjson => terminal.lines(&[ErrorBody::from(error)]),
    }
    report::exit(error)
}
