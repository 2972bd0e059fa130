//! `engine keys`: the keys with which programs use the server.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::Serialize;

use crate::{
    cli::{
        args,
        console::Console,
        input,
        report::Exit,
        signals,
        terminal::{STRONG, styled},
    },
    engine::{Actor, Engine, NewApiKey},
    error::{CallCode, Error},
    model::{
        api_key::{KeyRate, Narrowing},
        time::Timestamp,
    },
    view::{ApiKey, CreatedApiKey},
};

/// Makes, lists, revokes.
pub fn keys(console: &Console, engine: &Engine, command: args::Keys) -> Result<Exit, Error> {
    let by = Actor::command_line();
    match command {
        args::Keys::Create(args) => {
            let new = new(args)?;
            show(console, &signals::block_on(engine.create_api_key(new, &by))?);
        }
        args::Keys::List => {
            let keys = signals::block_on(engine.api_keys())?;
            if console.for_programs() {
                console.show(&keys);
            } else {
                console.show(&keys.iter().map(Row::from).collect::<Vec<_>>());
            }
        }
        args::Keys::Revoke { id } => {
            let key = signals::block_on(engine.revoke_api_key(&id, &by))?;
            console.say(&format!("servers refuse `{}` within two seconds\n", key.id));
            if console.for_programs() {
                console.show(&key);
            }
        }
    }
    Ok(Exit::Done)
}

/// Shows a key that was made: once.
pub fn show(console: &Console, made: &CreatedApiKey) {
    if console.for_programs() {
        return console.show(made);
    }
    console.terminal.out(&format!(
        "{}\n\nThis is the key `{}`. It is shown now and never again.\n",
        styled(STRONG, &made.key),
        made.shown.id
    ));
}

/// The first key of a store: onto the terminal, else into a file that only its owner reads. Without
/// either nobody would ever learn it, and nothing is made.
pub async fn first(console: &Console, engine: &Engine, file: Option<&Path>) -> Result<(), Error> {
    if engine.has_api_key().await? {
        return Ok(());
    }
    let new = NewApiKey { name: Some("first".to_owned()), ..NewApiKey::default() };
    let by = Actor::command_line();
    let Some(path) = file else {
        if !console.terminal.screen {
            return Err(Error::call(
                CallCode::NoApiKey,
                "the server has no key yet, so that nobody could use it",
                "make one with `engine keys create`, or name a file for it with \
                 `--initial-key-file`",
            ));
        }
        show(console, &engine.create_api_key(new, &by).await?);
        return Ok(());
    };
    let io = |source| Error::Io { what: format!("`{}` cannot be made", path.display()), source };
    let mut out =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let made = match engine.create_api_key(new, &by).await {
        Ok(made) => made,
        Err(error) => {
            // Empty; should it stay, the next start says so.
            let _left = fs::remove_file(path);
            return Err(error);
        }
    };
    if let Err(error) = writeln!(out, "{}", made.key).and_then(|()| out.sync_all()) {
        engine.revoke_api_key(&made.shown.id, &by).await?;
        return Err(io(error));
    }
    console.say(&format!("the first key is in {}\n", path.display()));
    Ok(())
}

fn new(args: args::NewKey) -> Result<NewApiKey, Error> {
    let rate = args.rate.as_deref().map(|text| {
        KeyRate::parse(text).ok_or_else(|| {
            let message = format!("`--rate {text}` is not a rate");
            Error::call(CallCode::BadArgument, message, "write it as `600/1m`")
        })
    });
    Ok(NewApiKey {
        name: args.name,
        scopes: args.scope,
        narrowing: Narrowing {
            integrations: args.integration,
            actions: args.action,
            read_only: args.read_only,
            end_user: args.end_user,
        },
        rate: rate.transpose()?,
        concurrency: args.concurrency,
        expires: input::span(args.expires.as_deref())?,
    })
}

/// A key as a line of a table.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: Option<&'a str>,
    scopes: String,
    created: Timestamp,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
    used: Option<Timestamp>,
}

impl<'a> From<&'a ApiKey> for Row<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            id: &key.id,
            name: key.name.as_deref(),
            scopes: key.scopes.join(" "),
            created: key.created_at,
            expires: key.expires_at,
            revoked: key.revoked_at,
            used: key.last_used_at,
        }
    }
}
