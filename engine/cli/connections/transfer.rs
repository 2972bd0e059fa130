//! `connections import` and `export`: one JSON object a line.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde_json::{Map, Value};

use crate::{
    cli::{
        context::Cx,
        input,
        report::{self, Exit},
        signals,
    },
    engine::{Engine, Exported, NewConnection},
    error::Error,
    model::{account::AccountKey, secret::Secret},
    view::{ErrorBody, Import, RefusedLine},
};

/// Writes connections, to a file that only the owner can read, or to standard output.
pub fn export(
    cx: &Cx,
    engine: &Engine,
    (integration, form, file): (Option<&str>, &Form, Option<&Path>),
) -> Result<(), Error> {
    let secrets = !matches!(form, Form::Plain);
    if matches!(form, Form::Clear) && file.is_none() && cx.terminal.screen {
        return Err(Error::Call {
            code: "call.secrets-on-screen",
            message: "standard output is a terminal, which would show the secrets".to_owned(),
            hint: Some("write to a file with `--to FILE`, or to a pipe".to_owned()),
        });
    }
    let exported = engine.export(integration.map(str::to_owned), secrets);
    let Exported { mut text, count, damaged } = signals::wait(exported)?;
    if let Form::Encrypted(from) = form {
        let passphrase = passphrase(cx, from.as_deref(), true)?;
        text = engine.seal_export(&text, &passphrase)?;
    }
    let Some(path) = file else {
        cx.terminal.out(&text);
        skipped(cx, &damaged);
        return Ok(());
    };
    write_new(path, &text).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Error::Call {
                code: "call.file-exists",
                message: format!("`{}` exists already", path.display()),
                hint: Some("name a new file".to_owned()),
            };
        }
        Error::Io { what: format!("`{}` cannot be written", path.display()), source }
    })?;
    let noun = if count == 1 { "connection" } else { "connections" };
    cx.say(&format!("{count} {noun} written to `{}`\n", path.display()));
    skipped(cx, &damaged);
    Ok(())
}

fn skipped(cx: &Cx, damaged: &[AccountKey]) {
    for key in damaged {
        cx.terminal.err(&format!("{key} is damaged and left out\n"));
    }
}

/// With or without credentials.
#[derive(Debug)]
pub enum Form {
    /// Without.
    Plain,
    /// With credentials in the clear.
    Clear,
    /// With credentials, encrypted to the passphrase of a file or of a person.
    Encrypted(Option<std::path::PathBuf>),
}

/// A passphrase, from a file or typed; twice when something is sealed with it.
fn passphrase(cx: &Cx, file: Option<&Path>, twice: bool) -> Result<Secret, Error> {
    let refuse = |message: &str, hint: &str| Error::Call {
        code: "call.needs-passphrase",
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
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
                return Err(refuse("the two passphrases differ", "begin again"));
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
        cx.say("a passphrase of fewer than 12 characters is easily guessed\n");
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

/// Reads connections from standard input and stores each; one that cannot be stored keeps none of
/// the others out.
pub fn import(
    cx: &Cx,
    engine: &Engine,
    (replace, from, passphrase_file): (bool, Option<&Path>, Option<&Path>),
) -> Result<Exit, Error> {
    let text = match from {
        Some(path) => std::fs::read_to_string(path).map_err(|source| Error::Io {
            what: format!("`{}` cannot be read", path.display()),
            source,
        })?,
        None => input::stdin()?,
    };
    let text = engine.open_export(text, || passphrase(cx, passphrase_file, false))?;
    let (mut stored, mut refused, mut exit) = (0, Vec::new(), Exit::Done);
    let mut refuse = |number: usize, error: &Error| {
        cx.terminal.err(&format!("line {number}: {}", report::error(error)));
        refused.push(RefusedLine { body: ErrorBody::from(error), line: number });
        exit = worse(exit, report::exit(error));
    };
    let all: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    for batch in all.chunks(BATCH) {
        let (mut numbers, mut new) = (Vec::new(), Vec::new());
        for (index, line) in batch {
            let number = index + 1;
            match read(line, number) {
                Ok(one) => {
                    numbers.push(number);
                    new.push(NewConnection { replace, ..one });
                }
                Err(error) => refuse(number, &error),
            }
        }
        let added = signals::wait(engine.add_connections(new))?;
        for (number, added) in numbers.into_iter().zip(added) {
            match added {
                Ok(_) => stored += 1,
                Err(error) => refuse(number, &error),
            }
        }
    }
    cx.say(&format!("{stored} stored, {} refused\n", refused.len()));
    if cx.for_programs() {
        cx.show(&Import { stored, refused });
    }
    Ok(exit)
}

/// Lines that are stored or revealed in one transaction.
const BATCH: usize = 1000;

fn worse(one: Exit, other: Exit) -> Exit {
    if other.number() > one.number() { other } else { one }
}

/// A line of an export. Messages never quote it: it may hold secrets.
fn read(line: &str, number: usize) -> Result<NewConnection, Error> {
    let wrong = |what: &str| Error::Call {
        code: "call.input-unreadable",
        message: format!("line {number} is no connection: {what}"),
        hint: Some("`engine connections export` writes the form that is read".to_owned()),
    };
    let mut line = input::json(&format!("line {number}"), line)?;
    let fields = line.as_object_mut().ok_or_else(|| wrong("it is no object"))?;
    let mut text = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong(&format!("`{name}` is no text"))),
    };
    let (integration, id) = (text("integration")?, text("id")?);
    let mut object = |name: &str| match fields.shift_remove(name) {
        Some(Value::Object(map)) => Ok(map),
        None | Some(Value::Null) => Ok(Map::new()),
        _ => Err(wrong(&format!("`{name}` is no object"))),
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
        return Err(wrong(&format!("there is nothing called `{name}`")));
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
        let new = read(line, 1).unwrap();
        assert_eq!((new.integration.as_str(), new.id.as_str(), new.sandbox), ("x", "a", false));
        assert_eq!(new.credentials["access_token"], "t");
        for bad in [
            "[\"MARKED\"]",
            "{\"integration\": \"x\", MARKED",
            "{\"integration\": 5, \"id\": \"MARKED\"}",
            "{\"integration\": \"x\", \"id\": \"a\", \"credentials\": \"MARKED\"}",
            "{\"integration\": \"x\", \"id\": \"a\", \"more\": \"MARKED\"}",
        ] {
            let error = read(bad, 7).unwrap_err().to_string();
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
