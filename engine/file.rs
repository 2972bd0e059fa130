//! Files that people name: what one is, is looked at before it is opened. To open a pipe is to wait
//! for someone who writes to it, and a device may act when it is opened.

use std::{
    fs::{File, FileType, Metadata},
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::Path,
};

/// Opens a file to read it; a folder, a pipe, a socket or a device is refused unopened.
pub fn open(path: &Path) -> io::Result<File> {
    regular(&path.metadata()?)?;
    File::open(path)
}

/// What a file holds, and one byte more than `most` if it is larger.
pub fn read(file: File, most: usize) -> io::Result<Vec<u8>> {
    // It may grow meanwhile.
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let size = file.metadata()?.len().min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses what is not a file.
pub fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!("it is {}, not a file", kind(metadata.file_type()));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "a folder"
    } else if of.is_fifo() {
        "a named pipe"
    } else if of.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, process::Command};

    use super::*;

    #[test]
    fn only_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        assert!(open(&at("file")).is_ok() && open(&at("link")).is_ok());
        for (path, reason) in [
            (at("pipe"), "it is a named pipe, not a file"),
            (at("socket"), "it is a socket, not a file"),
            (folder.path().to_owned(), "it is a folder, not a file"),
            ("/dev/null".into(), "it is a device, not a file"),
        ] {
            assert_eq!(open(&path).unwrap_err().to_string(), reason);
        }
    }
}
