//! Where the store's key comes from.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    model::secret::Secret,
    vault::{
        error::Error,
        seal::{self, Key},
    },
};

/// The longest key file that is read, in bytes.
const MAX_FILE: u64 = 4096;
/// What group and all others may do with a file.
const OTHERS: u32 = 0o077;

/// Where the key comes from.
#[derive(Debug, Clone, Default)]
pub enum KeySource {
    /// Given as text: 32 bytes in base64.
    Text(Secret),
    /// A file that holds such a text.
    File(PathBuf),
    /// A command of the shell that prints such a text: for a vault or a KMS.
    Command(String),
    /// The file `key` beside the store, made with the store.
    #[default]
    Beside,
}

/// A source, and the file that [`KeySource::Beside`] means.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Where the key comes from.
    pub source: KeySource,
    /// The file `key` beside the store.
    pub beside: PathBuf,
}

/// The longest that a key command may take to print.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a command that has printed is asked whether it has ended, and the time between: five
/// seconds in all.
const LOOKS: u32 = 1000;
const LOOK: Duration = Duration::from_millis(5);

/// The keys of an existing store, the one to seal with first: several are written with white space
/// or commas between, while one takes over from another.
pub fn find(origin: &KeyFile) -> Result<Vec<Key>, Error> {
    let (text, origin) = text(origin)?;
    let keys = words(text.expose());
    let keys: Option<Vec<Key>> =
        keys.map(|word| Key::parse(&Secret::new(word.to_owned()))).collect();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(keys),
        Some(_) | None => Err(Error::Key { reason: format!("{origin} is no key") }),
    }
}

/// The text that holds the keys, and what to call it.
fn text(origin: &KeyFile) -> Result<(Secret, String), Error> {
    let path = match &origin.source {
        KeySource::Text(text) => return Ok((text.clone(), "the text given".to_owned())),
        KeySource::Command(command) => {
            return Ok((run(command)?, "what the key command printed".to_owned()));
        }
        KeySource::File(path) => path.clone(),
        KeySource::Beside => origin.beside.clone(),
    };
    match read(&path) {
        Ok(text) => Ok((text, format!("`{}`", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Key {
            reason: format!("`{}` is missing, and the store is sealed with it", path.display()),
        }),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty())
}

/// Runs a key command; what it prints on standard error is the person's to see.
fn run(command: &str) -> Result<Secret, Error> {
    let failed = |reason: String| Error::Key { reason: format!("the key command {reason}") };
    let mut child = std::process::Command::new("sh")
        .args(["-c", command])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let mut out = child.stdout.take();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = out.as_mut().map(|out| out.take(MAX_FILE).read_to_string(&mut text));
        let _nobody = send.send((text, matches!(read, Some(Ok(_)))));
    });
    let Ok((text, true)) = receive.recv_timeout(PATIENCE) else {
        let _gone = child.kill();
        let _reaped = child.wait();
        return Err(failed("did not print a key within 30 seconds".to_owned()));
    };
    // It may have closed its output and go on.
    for _ in 0..LOOKS {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(Secret::new(text)),
            Ok(Some(status)) => return Err(failed(format!("failed: {status}"))),
            Ok(None) => std::thread::park_timeout(LOOK),
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    }
    let _gone = child.kill();
    let _reaped = child.wait();
    Err(failed("printed a key and did not end within 5 seconds".to_owned()))
}

/// The keys of a store that is being made. Only [`KeySource::Beside`] makes one, if there is none.
pub fn find_or_make(origin: &KeyFile) -> Result<Vec<Key>, Error> {
    let path = &origin.beside;
    if matches!(origin.source, KeySource::Beside) && !path.exists() {
        let text = Key::generate()?;
        write_new(path, &seal::to_file(&text)).map_err(|error| Error::file(path, &error))?;
    }
    find(origin)
}

/// The file that holds the keys, if we may write it.
pub fn own_file(origin: &KeyFile) -> Option<PathBuf> {
    match &origin.source {
        KeySource::Beside => Some(origin.beside.clone()),
        KeySource::File(path) => Some(path.clone()),
        KeySource::Text(_) | KeySource::Command(_) => None,
    }
}

/// Puts a new key in front of those of a file. The file is replaced whole: a crash leaves the old
/// one or the new one.
pub fn put_new(path: &Path) -> Result<(), Error> {
    let _locked = lock(path)?;
    let old = read(path).map_err(|error| unreadable(path, &error))?;
    let new = Key::generate()?;
    let mut lines = vec![new.expose()];
    lines.extend(words(old.expose()));
    let length: usize = lines.iter().map(|line| line.len() + 1).sum();
    if length as u64 > MAX_FILE {
        let path = path.display();
        let reason = format!("`{path}` has no room; remove old keys: `engine secrets forget`");
        return Err(Error::Key { reason });
    }
    replace(path, &lines)
}

/// Keeps only the keys of a file that `keep` says; how many went. They go into a file beside it,
/// `<file>.forgotten`, before they leave: another store may have been sealed with them.
pub fn keep(path: &Path, keep: impl Fn(&Key) -> bool) -> Result<usize, Error> {
    let _locked = lock(path)?;
    let old = read(path).map_err(|error| unreadable(path, &error))?;
    let all: Vec<&str> = words(old.expose()).collect();
    let kept: Vec<&str> = all
        .iter()
        .copied()
        .filter(|word| Key::parse(&Secret::new((*word).to_owned())).is_some_and(|key| keep(&key)))
        .collect();
    if kept.is_empty() {
        return Ok(0);
    }
    let mut gone = all;
    gone.retain(|word| !kept.contains(word));
    if !gone.is_empty() {
        put_aside(&forgotten(path), &gone)?;
        replace(path, &kept)?;
    }
    Ok(gone.len())
}

/// Where keys go that are removed from a file.
pub fn forgotten(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".forgotten");
    PathBuf::from(name)
}

fn put_aside(path: &Path, gone: &[&str]) -> Result<(), Error> {
    let old = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Secret::new(String::new()),
        old => old.map_err(|error| unreadable(path, &error))?,
    };
    let mut lines: Vec<&str> = words(old.expose()).collect();
    lines.extend(gone);
    let length: usize = lines.iter().map(|line| line.len() + 1).sum();
    if length as u64 > MAX_FILE {
        let reason =
            format!("`{}` has no room; remove it if no other store needs it", path.display());
        return Err(Error::Key { reason });
    }
    replace(path, &lines)
}

/// Who changes the file has it alone, among all processes, from reading it to replacing it, until
/// the answer is dropped (`flock(2)`). Short work: nobody waits long.
fn lock(path: &Path) -> Result<fs::File, Error> {
    let lock = || -> io::Result<fs::File> {
        loop {
            let file = fs::File::open(path)?;
            file.lock()?;
            // Whoever had it before us has put another file in its place.
            let (ours, there) = (file.metadata()?, fs::metadata(path)?);
            if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
                return Ok(file);
            }
        }
    };
    lock().map_err(|error| Error::file(path, &error))
}

fn replace(path: &Path, lines: &[&str]) -> Result<(), Error> {
    let text = zeroize::Zeroizing::new(format!("{}\n", lines.join("\n")));
    let write = || -> io::Result<()> {
        let draft = draft(path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
        fs::rename(&draft, path)?;
        // The name is safe once the folder is.
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| Error::file(path, &error))
}

/// A random key that nobody keeps.
pub fn fleeting() -> Result<Key, Error> {
    let text = Key::generate()?;
    Key::parse(&text).ok_or_else(|| Error::Key { reason: "a new key is no key".to_owned() })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Key { reason: format!("`{}` cannot be read: {error}", path.display()) }
}

fn read(path: &Path) -> io::Result<Secret> {
    let about = fs::metadata(path)?;
    if about.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large for a key"));
    }
    if about.mode() & OTHERS != 0 {
        tighten(path);
    }
    fs::read_to_string(path).map(Secret::new)
}

/// Takes the key away from all but its owner, and says so: who could read it may have it.
fn tighten(path: &Path) {
    let file = path.display();
    match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        Ok(()) => tracing::warn!("others could read the key file `{file}`: it is yours alone now"),
        Err(error) => {
            tracing::warn!(%error, "others can read the key file `{file}`, and it stays so");
        }
    }
}

/// Puts a whole file in its place or none, mode 0600 from the first byte; one that somebody else
/// put there meanwhile stays.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft(path)?;
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

/// A name beside the file that nothing has.
fn draft(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(name);
    // A leftover of a process that died with our number.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(draft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_made_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let origin = KeyFile { source: KeySource::Beside, beside: folder.path().join("key") };
        assert_eq!(find_or_make(&origin).unwrap().len(), 1);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5).for_each(|_| put_new(&origin.beside).unwrap()));
            }
        });
        let keys = find(&origin).unwrap();
        assert_eq!(keys.len(), 41);
        let first = keys.first().unwrap().id();
        assert_eq!(keep(&origin.beside, |key| key.id() == first).unwrap(), 40);
        // Another store may need them.
        let aside =
            KeyFile { source: KeySource::File(forgotten(&origin.beside)), ..origin.clone() };
        assert_eq!(find(&aside).unwrap().len(), 40);
    }

    #[test]
    fn a_key_that_others_can_read_is_tightened() {
        let folder = tempfile::tempdir().unwrap();
        let origin = KeyFile { source: KeySource::Beside, beside: folder.path().join("key") };
        find_or_make(&origin).unwrap();
        let mode = || fs::metadata(&origin.beside).unwrap().mode() & 0o777;
        for given in [0o644, 0o640, 0o602] {
            fs::set_permissions(&origin.beside, fs::Permissions::from_mode(given)).unwrap();
            assert_eq!(find(&origin).unwrap().len(), 1);
            assert_eq!(mode(), 0o600, "{given:o}");
        }
        fs::set_permissions(&origin.beside, fs::Permissions::from_mode(0o400)).unwrap();
        find(&origin).unwrap();
        assert_eq!(mode(), 0o400, "what is stricter stays");
    }

    #[test]
    fn a_command_that_prints_and_does_not_end_is_ended() {
        let text = Key::generate().unwrap();
        for (end, expected) in [
            ("exec >&- sleep 600", Some("did not end")),
            ("exec >&-; exit 3", Some("failed")),
            ("true", None),
        ] {
            let refused = run(&format!("echo '{}'; {end}", text.expose())).err();
            let told = refused.map(|error| error.to_string());
            assert_eq!(told.is_some(), expected.is_some(), "{end}: {told:?}");
            assert!(told.unwrap_or_default().contains(expected.unwrap_or_default()), "{end}");
        }
    }

    #[test]
    fn a_full_file_takes_no_key_that_could_not_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let origin = KeyFile { source: KeySource::Beside, beside: folder.path().join("key") };
        find_or_make(&origin).unwrap();
        let refused = (0..200).find_map(|_| put_new(&origin.beside).err()).unwrap();
        assert!(refused.to_string().contains("engine secrets forget"), "{refused}");
        assert!(find(&origin).unwrap().len() > 50, "it is still read");
    }
}
