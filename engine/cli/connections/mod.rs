//! `engine connections`: accounts. No secret is ever printed but by an export that asks for it.

mod add;
mod transfer;
mod online;

use std::path::PathBuf;

use crate::{
    cli::{args::Connections, console::Console, report::Exit, signals},
    engine::{ConnectionPages, Engine},
    error::Error,
};

/// Prints all connections: as they are read, unless a table has to know how wide they are.
async fn list(console: &Console, mut pages: ConnectionPages<'_>) -> Result<(), Error> {
    let mut all = Vec::new();
    let mut list = console.list();
    while let Some(rows) = pages.rows().await? {
        match &mut list {
            Some(list) => list.add(&rows),
            None => all.extend(rows),
        }
        if console.terminal.is_closed() {
            return Ok(());
        }
    }
    match list {
        Some(list) => list.end(),
        None => console.show(&all),
    }
    Ok(())
}

/// Does what was asked.
pub fn connections(
    console: &Console,
    engine: &Engine,
    command: Connections,
) -> Result<Exit, Error> {
    let here = |path: PathBuf| console.here.join(path);
    match command {
        Connections::Add(args) => return add::add(console, engine, args),
        Connections::List { integration } => {
            signals::block_on(list(console, engine.connections(integration)))?;
        }
        Connections::Show(args) => {
            let (integration, wanted) = (args.integration.as_str(), args.connection.as_deref());
            console.show(&signals::block_on(engine.connection(integration, wanted))?);
        }
        Connections::Refresh(args) => return online::refresh(console, engine, &args),
        Connections::Revoke(args) => return online::revoke(console, engine, &args),
        Connections::Test(args) => return online::test(console, engine, &args),
        Connections::Delete(args) => return online::delete(console, engine, &args),
        Connections::Import { replace, from, passphrase_file } => {
            let (from, passphrase_file) = (from.map(here), passphrase_file.map(here));
            let options = transfer::ImportOptions { replace, from, passphrase_file };
            return transfer::import(console, engine, &options);
        }
        Connections::Export { integration, with_secrets, encrypt, passphrase_file, to } => {
            let form = match (with_secrets, encrypt) {
                (_, true) => transfer::Form::Encrypted(passphrase_file.map(here)),
                (true, false) => transfer::Form::Clear,
                (false, false) => transfer::Form::Plain,
            };
            let export = transfer::Export { integration, form, to: to.map(here) };
            return transfer::export(console, engine, &export);
        }
    }
    Ok(Exit::Done)
}
