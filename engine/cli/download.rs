//! Where the answer of `engine request` goes: on as it comes, into a file, or onto the screen.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;

use crate::{
    cli::{
        console::Console,
        terminal::{STRONG, clean, styled},
    },
    engine::Sink,
    error::Error,
    model::http::{CONTENT_TYPE, Fields, HeaderMap},
    view::{Answer, AnswerHead, SavedAnswer},
};

/// What is shown is held; larger answers have to go somewhere else.
const MOST_SHOWN: usize = 64 * 1024 * 1024;

/// An answer on its way.
pub struct AnswerOutput<'a> {
    console: &'a Console,
    include: bool,
    destination: Destination,
    head: AnswerHead,
}

/// Where its bytes go.
enum Destination {
    /// To standard output, as they come.
    Through,
    /// Into a file.
    File(Saving),
    /// Into memory, to be shown.
    Held(Vec<u8>),
}

impl<'a> AnswerOutput<'a> {
    /// Chooses where it goes. Standard output that is not a terminal takes the bytes as the API sent
    /// them, unless JSON or the head is asked for too.
    pub fn new(console: &'a Console, include: bool, save: Option<&Path>) -> Result<Self, Error> {
        let destination = match save {
            Some(path) => Destination::File(Saving::begin(path)?),
            None if console.terminal.screen || console.chosen || include => {
                Destination::Held(Vec::new())
            }
            None => Destination::Through,
        };
        Ok(Self { console, include, destination, head: AnswerHead::default() })
    }

    /// Whether the reader of standard output is gone, so that nothing is left to do or report.
    pub fn is_unread(&self) -> bool {
        matches!(self.destination, Destination::Through) && self.console.terminal.is_closed()
    }

    /// Shows all items of an answer in pages.
    pub fn pages(self, items: Value) {
        self.show(items, None);
    }

    /// All has come.
    pub fn finish(self) -> Result<(), Error> {
        match self.destination {
            Destination::Through => {}
            Destination::File(saving) => {
                let (path, bytes) = saving.finish()?;
                if self.console.chosen && self.console.for_programs() {
                    let saved = path.display().to_string();
                    self.console.show(&SavedAnswer { head: self.head, saved, bytes });
                }
            }
            Destination::Held(ref bytes) => {
                let (body, encoding) = decode_body(bytes);
                self.show(body, encoding);
            }
        }
        Ok(())
    }

    fn show(self, body: Value, encoding: Option<&'static str>) {
        let Self { console, include, head, .. } = self;
        let AnswerHead { status, headers } = &head;
        if console.for_programs() {
            return match (include, encoding) {
                (false, None) => console.print(&body),
                _ => console.show(&Answer { head: include.then_some(head), encoding, body }),
            };
        }
        if include {
            let mut head = format!("{}\n", styled(STRONG, &format!("status {status}")));
            for (name, value) in headers.fields() {
                head.push_str(&clean(&format!("{name}: {value}\n")));
            }
            console.terminal.out(&format!("{head}\n"));
        }
        match (body, encoding) {
            (Value::Null, _) => {}
            (_, Some(_)) => {
                let kind = headers.text(CONTENT_TYPE).unwrap_or("an unnamed type".into());
                console.say(&clean(&format!(
                    "the answer is not text ({kind}); keep it with `--save FILE`\n"
                )));
            }
            (body, None) => console.print(&body),
        }
    }
}

impl Sink for AnswerOutput<'_> {
    fn head(&mut self, status: u16, headers: &HeaderMap) {
        self.head = AnswerHead { status, headers: headers.clone() };
    }

    fn data(&mut self, data: Bytes) -> io::Result<()> {
        match &mut self.destination {
            Destination::Through => {
                self.console.terminal.bytes(&data);
                if self.console.terminal.is_closed() {
                    Err(ErrorKind::BrokenPipe.into())
                } else {
                    Ok(())
                }
            }
            Destination::File(saving) => saving.write(&data),
            Destination::Held(held) if held.len() + data.len() > MOST_SHOWN => {
                Err(io::Error::other("it is too large to be shown; keep it with `--save FILE`"))
            }
            Destination::Held(held) => {
                held.extend_from_slice(&data);
                Ok(())
            }
        }
    }
}

/// A body as a value: JSON, a text, or base64 of anything else, with the name of that encoding.
fn decode_body(bytes: &[u8]) -> (Value, Option<&'static str>) {
    let plain = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if plain.is_empty() {
        return (Value::Null, None);
    }
    if let Ok(value) = serde_json::from_slice(plain) {
        return (value, None);
    }
    match std::str::from_utf8(plain) {
        Ok(text) => (text.into(), None),
        Err(_) => (STANDARD.encode(bytes).into(), Some("base64")),
    }
}

/// A file that gets its name when it is whole.
struct Saving {
    path: PathBuf,
    part: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Saving {
    fn begin(path: &Path) -> Result<Self, Error> {
        let mut random = [0; 8];
        // Without randomness the name is still no other file's: it must be new.
        let _filled = getrandom::fill(&mut random);
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{:016x}.part", u64::from_ne_bytes(random)));
        let part = PathBuf::from(part);
        let file = File::create_new(&part).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_owned(), part, file: Some(file), bytes: 0 })
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(data)?;
        }
        self.bytes += u64::try_from(data.len()).unwrap_or_default();
        Ok(())
    }

    fn finish(mut self) -> Result<(PathBuf, u64), Error> {
        fs::rename(&self.part, &self.path).map_err(|error| unwritable(&self.path, error))?;
        self.file = None;
        Ok((self.path.clone(), self.bytes))
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _gone = fs::remove_file(&self.part);
        }
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Io { what: format!("`{}` cannot be written", path.display()), source }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_json_text_or_marked() {
        for (bytes, value, encoding) in [
            (&b""[..], json!(null), None),
            (
                b"\xEF\xBB\xBF{\"a\": 1.0}",
                json!({"a": serde_json::from_str::<Value>("1.0").unwrap()}),
                None,
            ),
            (b"plain", json!("plain"), None),
            (b"\x89PNG\xff", json!("iVBOR/8="), Some("base64")),
        ] {
            assert_eq!(decode_body(bytes), (value, encoding));
        }
    }

    #[test]
    fn a_file_that_is_not_whole_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let mut saving = Saving::begin(&path).unwrap();
        saving.write(b"half").unwrap();
        drop(saving);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut saving = Saving::begin(&path).unwrap();
        saving.write(b"whole").unwrap();
        assert_eq!(saving.finish().unwrap().1, 5);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_downloads_to_one_place_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let (mut one, mut other) = (Saving::begin(&path).unwrap(), Saving::begin(&path).unwrap());
        one.write(b"one").unwrap();
        other.write(b"other").unwrap();
        one.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        // A name that cannot be taken leaves nothing behind.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(other.finish().is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
