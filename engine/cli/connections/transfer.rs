//! `connections import` and `export`: one JSON object a line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    cli::{
        console::Console,
        input,
        prompt::Prompt,
        report::{self, Exit, counted},
        signals::{self, Completion},
        terminal::Terminal,
    },
    engine::{Engine, Exported, NewConnection},
    error::{CallCode, Error},
    model::{
        account::AccountKey,
        secret::{Secret, SecretText},
    },
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

/// Writes connections, one JSON object a line, as they are read: all of them are in memory only where
/// they are sealed as one text.
pub fn export(console: &Console, engine: &Engine, export: &Export) -> Result<Exit, Error> {
    let Export { form, to: file, .. } = export;
    if matches!(form, Form::Clear) && file.is_none() && console.terminal.screen {
        return Err(Error::call(
            CallCode::SecretsOnScreen,
            "standard output is a terminal, which would show the secrets",
            "write to a file with `--to FILE`, or to a pipe".to_owned(),
        ));
    }
    let work = write(console, engine, export);
    Ok(match signals::complete(engine, work)? {
        Completion::Stopped(exit, _) => {
            console.say("stopped; nothing was exported\n");
            exit
        }
        Completion::Done(written) => {
            let Written { count, damaged } = written?;
            if let Some(path) = &export.to {
                let written = counted(count, "connection");
                console.say(&format!("{written} written to `{}`\n", path.display()));
            }
            for key in damaged {
                console.terminal.err(&format!("{key} is damaged and left out\n"));
            }
            Exit::Done
        }
    })
}

/// What came of an export.
struct Written {
    count: usize,
    damaged: Vec<AccountKey>,
}

async fn write(console: &Console, engine: &Engine, export: &Export) -> Result<Written, Error> {
    let Export { integration, form, to } = export;
    let mut target = match to {
        None => Target::Screen(&console.terminal),
        Some(path) => Target::File(NewFile::create(path)?),
    };
    let passphrase = match form {
        Form::Encrypted(from) => Some(passphrase(console, from.as_deref(), true).await?),
        Form::Plain | Form::Clear => None,
    };
    let mut whole = SecretText::default();
    let mut written = Written { count: 0, damaged: Vec::new() };
    let mut pages = engine.connections(integration.clone());
    while let Some(Exported { text, count, damaged }) =
        pages.export(!matches!(form, Form::Plain)).await?
    {
        written.count += count;
        written.damaged.extend(damaged);
        match &passphrase {
            Some(_) => whole.push_str(&text),
            None => target.write(&text)?,
        }
    }
    if let Some(passphrase) = passphrase {
        target.write(&engine.seal_export(&whole, &passphrase)?)?;
    }
    target.finish()?;
    Ok(written)
}

/// Where an export goes.
enum Target<'a> {
    Screen(&'a Terminal),
    File(NewFile<'a>),
}

impl Target<'_> {
    fn write(&mut self, text: &str) -> Result<(), Error> {
        match self {
            Self::Screen(terminal) => {
                terminal.bytes(text.as_bytes());
                Ok(())
            }
            Self::File(new) => new.write(text),
        }
    }

    fn finish(self) -> Result<(), Error> {
        match self {
            Self::Screen(_) => Ok(()),
            Self::File(new) => new.finish(),
        }
    }
}

/// A file that was not there before and only its owner can read; removed again unless it is finished.
struct NewFile<'a> {
    path: &'a Path,
    file: File,
    is_whole: bool,
}

impl<'a> NewFile<'a> {
    fn create(path: &'a Path) -> Result<Self, Error> {
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = new.map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                return Error::call(
                    CallCode::FileExists,
                    format!("`{}` exists already", path.display()),
                    "name a new file".to_owned(),
                );
            }
            unwritable(path, source)
        })?;
        Ok(Self { path, file, is_whole: false })
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        self.file.write_all(text.as_bytes()).map_err(|source| unwritable(self.path, source))
    }

    fn finish(mut self) -> Result<(), Error> {
        self.file.sync_all().map_err(|source| unwritable(self.path, source))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            let _gone = std::fs::remove_file(self.path);
        }
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Io { what: format!("`{}` cannot be written", path.display()), source }
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
async fn passphrase(console: &Console, file: Option<&Path>, twice: bool) -> Result<Secret, Error> {
    let refuse = |message: &str, hint: &str| {
        Error::call(CallCode::NeedsPassphrase, message, hint.to_owned())
    };
    let text = match file {
        Some(path) => {
            let read = Zeroizing::new(std::fs::read_to_string(path).map_err(|source| {
                Error::Io { what: format!("`{}` cannot be read", path.display()), source }
            })?);
            Zeroizing::new(read.trim_end_matches(['\r', '\n']).to_owned())
        }
        None if Prompt::is_possible() => {
            let prompt = Prompt::new(&console.terminal);
            let first = prompt.unseen("Passphrase: ").await?.unwrap_or_default();
            if twice && prompt.unseen("Once more: ").await?.unwrap_or_default() != first {
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
    Ok(Secret::new(text.to_string()))
}

/// Reads connections, one JSON object a line, and stores each; one that cannot be stored keeps none of
/// the others out.
pub fn import(console: &Console, engine: &Engine, options: &ImportOptions) -> Result<Exit, Error> {
    let ImportOptions { replace, from, passphrase_file } = options;
    let mut text = Zeroizing::new(match from {
        Some(path) => std::fs::read_to_string(path).map_err(|source| Error::Io {
            what: format!("`{}` cannot be read", path.display()),
            source,
        })?,
        None => input::stdin()?,
    });
    if engine.is_sealed_export(&text) {
        let asked = passphrase(console, passphrase_file.as_deref(), false);
        match signals::complete(engine, asked)? {
            Completion::Stopped(exit, _) => {
                console.say("stopped; nothing was stored\n");
                return Ok(exit);
            }
            Completion::Done(passphrase) => text = engine.open_export(&text, &passphrase?)?,
        }
    }
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
        let mut new = NewFile::create(&path).unwrap();
        new.write("x").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        new.finish().unwrap();
        assert!(NewFile::create(&path).is_err(), "it exists");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x");
        // One that is not finished leaves nothing.
        let other = folder.path().join("other");
        drop(NewFile::create(&other).unwrap());
        assert!(!other.exists());
    }
}
