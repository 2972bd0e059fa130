//! `engine connections`: accounts. No secret is ever printed but by an export that asks for it.

mod add;
mod transfer;
mod online;

use crate::{
    cli::{args::Connections, context::Cx, report::Exit, signals},
    engine::Engine,
    error::Error,
    view::Connection,
};

/// Does what was asked.
pub fn connections(cx: &Cx, engine: &Engine, command: Connections) -> Result<Exit, Error> {
    match command {
        Connections::Add(args) => {
            let added = add::add(cx, engine, args)?;
            let Connection { integration, id, .. } = &added;
            cx.say(&format!("connection `{id}` of `{integration}` is stored\n"));
            if cx.for_programs() {
                cx.show(&added);
            }
        }
        Connections::List { integration } => {
            cx.show(&signals::wait(engine.connections(integration))?);
        }
        Connections::Show(args) => {
            let (integration, wanted) = (args.integration.as_str(), args.connection.as_deref());
            cx.show(&signals::wait(engine.connection(integration, wanted))?);
        }
        Connections::Refresh(args) => {
            let work = engine.refresh(&args.integration, args.connection.as_deref());
            return online::changed(cx, engine, work, "has a fresh token");
        }
        Connections::Revoke(args) => {
            let work = engine.revoke(&args.integration, args.connection.as_deref());
            return online::changed(cx, engine, work, "is revoked");
        }
        Connections::Test(args) => return online::test(cx, engine, &args),
        Connections::Delete(args) => return online::delete(cx, engine, &args),
        Connections::Import { replace, from, passphrase_file } => {
            let from = from.map(|path| cx.here.join(path));
            let passphrase = passphrase_file.map(|path| cx.here.join(path));
            return transfer::import(cx, engine, (replace, from.as_deref(), passphrase.as_deref()));
        }
        Connections::Export { integration, with_secrets, encrypt, passphrase_file, to } => {
            let file = to.map(|path| cx.here.join(path));
            let passphrase = passphrase_file.map(|path| cx.here.join(path));
            let form = match (with_secrets, encrypt) {
                (_, true) => transfer::Form::Encrypted(passphrase),
                (true, false) => transfer::Form::Clear,
                (false, false) => transfer::Form::Plain,
            };
            transfer::export(cx, engine, (integration.as_deref(), &form, file.as_deref()))?;
        }
    }
    Ok(Exit::Done)
}
