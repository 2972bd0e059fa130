//! `engine audit`: who did what.

use crate::{
    cli::{args, console::Console, report::Exit, signals},
    engine::Engine,
    error::Error,
};

/// Prints the latest acts, newest first.
pub fn audit(console: &Console, engine: &Engine, args: &args::Audit) -> Result<Exit, Error> {
    console.show(&signals::block_on(engine.audit(args.before, args.limit))?);
    Ok(Exit::Done)
}
