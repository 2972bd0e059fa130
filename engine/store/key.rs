//! Where the store's key comes from.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    model::secret::Secret,
    store::{
        fault,
        port::Error,
        seal::{self, Key},
    },
};

/// The longest key file that is read, in bytes.
const MAX_FILE: u64 = 4096;

/// Where the key comes from.
#[derive(Debug, Clone, Default)]
pub enum KeySource {
    /// Given as text: 32 bytes in base64.
    Text(Secret),
    /// A file that holds such a text.
    File(PathBuf),
    /// The file `key` beside the store, made with the store.
    #[default]
    Beside,
}

/// The key of an existing store.
pub fn find(source: &KeySource, store: &Path) -> Result<Key, Error> {
    let path = match source {
        KeySource::Text(text) => return parse(text, "the text given"),
        KeySource::File(path) => path.clone(),
        KeySource::Beside => beside(store),
    };
    match read(&path) {
        Ok(text) => parse(&text, &format!("`{}`", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Key {
            reason: format!("`{}` is missing, and the store is sealed with it", path.display()),
        }),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

/// The key of a store that is being made. Only [`KeySource::Beside`] makes one, if there is none.
pub fn find_or_make(source: &KeySource, store: &Path) -> Result<Key, Error> {
    let path = beside(store);
    if matches!(source, KeySource::Beside) && !path.exists() {
        let text = Key::generate().map_err(|error| unsealable(&error))?;
        write_new(&path, &seal::to_file(&text)).map_err(|error| fault::io(&path, &error))?;
    }
    find(source, store)
}

/// A random key that nobody keeps.
pub fn fleeting() -> Result<Key, Error> {
    let text = Key::generate().map_err(|error| unsealable(&error))?;
    parse(&text, "a new key")
}

/// Why a key does not seal.
pub fn unsealable(error: &seal::Error) -> Error {
    Error::Key { reason: error.to_string() }
}

fn beside(store: &Path) -> PathBuf {
    store.with_file_name("key")
}

fn parse(text: &Secret, origin: &str) -> Result<Key, Error> {
    Key::parse(text).ok_or_else(|| Error::Key { reason: format!("{origin} is no key") })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Key { reason: format!("`{}` cannot be read: {error}", path.display()) }
}

fn read(path: &Path) -> io::Result<Secret> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large for a key"));
    }
    fs::read_to_string(path).map(Secret::new)
}

/// Puts a whole file in its place or none, mode 0600 from the first byte; one that somebody else
/// put there meanwhile stays.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(name);
    // A leftover of a process that died with our number.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
