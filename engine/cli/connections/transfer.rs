//! `connections import` and `export`: one JSON object a line.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    cli::{
        console::Console,
        input,
        report::{self, Exit, counted},
        signals,
    },
    engine::{Engine, Exported, NewConnection},
    error::{CallCode, Error},
    model::{account::AccountKey, secret::Secret},
    view::{ErrorBody, Import, RefusedLine},
};

/// `connections export`
#[derive(Debug)]
pub struct Export {
    /// Only of this integration.
    pub integration: Option<String>,
    /// With or without credentials.
    pub form: Form,
    /// A new file, which only its owner can read; else standard output.
    pub to: Option<PathBuf>,
}

/// `connections import`
#[derive(Debug)]
pub struct ImportOptions {
    /// Whether connections that exist are replaced.
    pub replace: bool,
    /// The file; else standard input.
    pub from: Option<PathBuf>,
    /// The file with the passphrase of an encrypted export; else it is asked for.
    pub passphrase_file: Option<PathBuf>,
}

/// Writes connections, one JSON object a line.
pub fn export(console: &Console, engine: &Engine, export: Export) -> Result<(), Error> {
    let Export { integration, form, to: file } = export;
    let secrets = !matches!(form, Form::Plain);
    if matches!(form, Form::Clear) && file.is_none() && console.terminal.screen {
        return Err(Error::call(
            CallCode::SecretsOnScreen,
            "standard output is a terminal, which would show the secrets",
            "write to a file with `--to FILE`, or to a pipe".to_owned(),
        ));
    }
    let exported = engine.export(integration, secrets);
    let Exported { mut text, count, damaged } = signals::block_on(exported)?;
    if let Form::Encrypted(from) = form {
        let passphrase = passphrase(console, from.as_deref(), true)?;
        text = engine.seal_export(&text, &passphrase)?;
    }
    let Some(path) = file else {
        console.terminal.out(&text);
        skipped(console, &damaged);
        return Ok(());
    };
    write_new(&path, &text).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Error::call(
                CallCode::FileExists,
                format!("`{}` exists already", path.display()),
                "name a new file".to_owned(),
            );
        }
        Error::Io { what: format!("`{}` cannot be written", path.display()), source }
    })?;
    let written = counted(count, "connection");
    console.say(&format!("{written} written to `{}`\n", path.display()));
    skipped(console, &damaged);
    Ok(())
}

fn skipped(console: &Console, damaged: &[AccountKey]) {
    for key in damaged {
        console.terminal.err(&format!("{key} is damaged and left out\n"));
    }
}

/// How credentials are exported.
#[derive(Debug)]
pub enum Form {
    /// Not at all.
    Plain,
    /// In the clear.
    Clear,
    /// Encrypted with a passphrase, from this file or typed.
    Encrypted(Option<PathBuf>),
}

/// A passphrase, from a file or typed; twice when something is sealed with it.
fn passphrase(console: &Console, file: Option<&Path>, twice: bool) -> Result<Secret, Error> {
    let refuse = |message: &str, hint: &str| {
        Error::call(CallCode::NeedsPassphrase, message, hint.to_owned())
    };
    let io = |what: String| move |source| Error::Io { what, source };
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(io(format!("`{}` cannot be read", path.display())))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        None if io::stdin().is_terminal() => {
            let ask = |prompt: &str| {
                rpassword::prompt_password(prompt)
                    .map_err(io("the terminal cannot be read".to_owned()))
            };
            let first = ask("Passphrase: ")?;
            if twice && ask("Once more: ")? != first {
                return Err(refuse("the two passphrases differ", "run the command again"));
            }
            first
        }
        None => {
            return Err(refuse(
                "a passphrase is needed, and there is no terminal to ask on",
                "put it into a file and name it with `--passphrase-file`",
            ));
        }
    };
    if twice && text.chars().count() < 12 {
        console.say("a passphrase of fewer than 12 characters is easily guessed\n");
    }
    if text.is_empty() {
        return Err(refuse("the passphrase is empty", "choose one"));
    }
    Ok(Secret::new(text))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Reads connections, one JSON object a line, and stores each; one that cannot be stored keeps none of
/// the others out.
pub fn import(console: &Console, engine: &Engine, options: &ImportOptions) -> Result<Exit, Error> {
    let ImportOptions { replace, from, passphrase_file } = options;
    let text = match from {
        Some(path) => std::fs::read_to_string(path).map_err(|source| Error::Io {
            what: format!("`{}` cannot be read", path.display()),
            source,
        })?,
        None => input::stdin()?,
    };
    let text =
        engine.open_export(text, || passphrase(console, passphrase_file.as_deref(), false))?;
    let (mut stored, mut refused, mut exit) = (0, Vec::new(), Exit::Done);
    let mut refuse = |number: usize, error: &Error| {
        console.terminal.err(&format!("line {number}: {}", report::error(error)));
        refused.push(RefusedLine { body: ErrorBody::from(error), line: number });
        exit = worse(exit, report::exit(error));
    };
    let all: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    for batch in all.chunks(BATCH) {
        let (mut numbers, mut new) = (Vec::new(), Vec::new());
        for (index, line) in batch {
            let number = index + 1;
            match parse_line(line, number) {
                Ok(one) => {
                    numbers.push(number);
                    new.push(NewConnection { replace: *replace, ..one });
                }
                Err(error) => refuse(number, &error),
            }
        }
        let added = signals::block_on(engine.add_connections(new))?;
        for (number, added) in numbers.into_iter().zip(added) {
            match added {
                Ok(_) => stored += 1,
                Err(error) => refuse(number, &error),
            }
        }
    }
    console.say(&format!("{stored} stored, {} refused\n", refused.len()));
    if console.for_programs() {
        console.show(&Import { stored, refused });
    }
    Ok(exit)
}

/// Lines that are stored or revealed in one transaction.
const BATCH: usize = 1000;

fn worse(one: Exit, other: Exit) -> Exit {
    if other.number() > one.number() { other } else { one }
}

/// A line of an export. Messages never quote it: it may hold secrets.
fn parse_line(line: &str, number: usize) -> Result<NewConnection, Error> {
    let wrong = |what: &str| {
        Error::call(
            CallCode::InputUnreadable,
            format!("line {number} is not a connection: {what}"),
            "`engine connections export` writes the form that is read".to_owned(),
        )
    };
    let mut line = input::json(&format!("line {number}"), line)?;
    let fields = line.as_object_mut().ok_or_else(|| wrong("it is not an object"))?;
    let mut text = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong(&format!("`{name}` is not a text"))),
    };
    let (integration, id) = (text("integration")?, text("id")?);
    let mut object = |name: &str| match fields.shift_remove(name) {
        Some(Value::Object(map)) => Ok(map),
        None | Some(Value::Null) => Ok(Map::new()),
        _ => Err(wrong(&format!("`{name}` is not an object"))),
    };
    let (credentials, metadata) = (object("credentials")?, object("metadata")?);
    let mut connection_config = object("connection_config")?;
    // Its name in exports of earlier versions.
    connection_config.extend(object("values")?);
    let tags = object("tags")?;
    let tag = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    let tags = tags.into_iter().filter_map(tag).collect();
    let sandbox = fields.shift_remove("sandbox").is_some_and(|value| value == true);
    if let Some(name) = fields.keys().next() {
        return Err(wrong(&format!("unknown member `{name}`")));
    }
    let metadata = Value::Object(metadata);
    Ok(NewConnection {
        integration,
        id,
        credentials,
        connection_config,
        metadata,
        tags,
        sandbox,
        replace: false,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn lines_are_read_and_never_quoted() {
        let line = r#"{"integration": "x", "id": "a", "sandbox": false, "values": {"shop": "s"}, "metadata": {}, "credentials": {"access_token": "t"}}"#;
        let new = parse_line(line, 1).unwrap();
        assert_eq!((new.integration.as_str(), new.id.as_str(), new.sandbox), ("x", "a", false));
        assert_eq!(new.credentials["access_token"], "t");
        for bad in [
            "[\"MARKED\"]",
            "{\"integration\": \"x\", MARKED",
            "{\"integration\": 5, \"id\": \"MARKED\"}",
            "{\"integration\": \"x\", \"id\": \"a\", \"credentials\": \"MARKED\"}",
            "{\"integration\": \"x\", \"id\": \"a\", \"more\": \"MARKED\"}",
        ] {
            let error = parse_line(bad, 7).unwrap_err().to_string();
            assert!(error.contains("line 7") && !error.contains("MARKED"), "{error}");
        }
    }

    #[test]
    fn a_file_of_secrets_is_new_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        write_new(&path, "x").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_new(&path, "y").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x");
    }
}
