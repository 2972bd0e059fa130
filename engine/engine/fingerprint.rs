//! Whether the project's files are as they were, told without reading them.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    time::SystemTime,
};

use crate::engine::parts::Engine;

/// What counts in the project's folder, besides the folders below.
const FILES: [&str; 2] = ["integrations.yaml", ".env"];
const FOLDERS: [&str; 2] = ["blueprints", "actions"];
/// Deeper than any file of ours; links that lead around in a circle end there.
const DEEPEST: u32 = 8;

/// How the files are: two that are the same mean that nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    digest: u64,
    /// Files without a byte: mostly ones that are just being written.
    pub empty: u32,
}

impl Engine {
    /// Of the project as it is now, by names, sizes and times; `None` without a project.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.project().map(of)
    }
}

/// Of a folder.
fn of(root: &Path) -> Fingerprint {
    let mut digest = DefaultHasher::new();
    let mut empty = 0;
    for name in FILES {
        empty += file(&root.join(name), &mut digest);
    }
    for name in FOLDERS {
        empty += folder(&root.join(name), DEEPEST, &mut digest);
    }
    Fingerprint { digest: digest.finish(), empty }
}

fn folder(path: &Path, depth: u32, digest: &mut DefaultHasher) -> u32 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut empty = 0;
    for path in paths {
        // Links are followed: mounted configuration consists of them.
        if path.is_dir() {
            empty += if depth == 0 { 0 } else { folder(&path, depth - 1, digest) };
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            empty += file(&path, digest);
        }
    }
    empty
}

/// One file; whether it is empty.
fn file(path: &Path, digest: &mut DefaultHasher) -> u32 {
    let Ok(facts) = fs::metadata(path) else { return 0 };
    path.hash(digest);
    facts.len().hash(digest);
    facts.modified().unwrap_or(SystemTime::UNIX_EPOCH).hash(digest);
    u32::from(facts.len() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_noticed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let mut last = of(root);
        for (name, text, counts) in [
            ("integrations.yaml", "a", true),
            ("integrations.yaml", "ab", true),
            (".env", "x=1", true),
            ("blueprints/acme/v0.yaml", "b", true),
            ("actions/acme/deep/er/list.yaml", "c", true),
            ("actions/acme/notes.txt", "d", false),
            (".engine/engine.db-wal", "e", false),
            ("other.yaml", "f", false),
        ] {
            write(name, text);
            let now = of(root);
            assert_eq!(now != last, counts, "{name}");
            last = now;
        }
        write(".env", "");
        assert_eq!(of(root).empty, 1);
        // Another file under the same name, as mounted configuration is changed.
        write("one/v0.yaml", "1");
        write("two/v0.yaml", "22");
        let link = root.join("blueprints/linked");
        std::os::unix::fs::symlink(root.join("one"), &link).unwrap();
        let before = of(root);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(root.join("two"), &link).unwrap();
        assert_ne!(of(root), before);
        // A circle ends.
        std::os::unix::fs::symlink(root.join("blueprints"), root.join("blueprints/round")).unwrap();
        of(root);
    }
}
