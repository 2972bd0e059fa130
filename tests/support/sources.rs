//! Sources as text: what a file imports, and how many parameters its functions have.
//!
//! The reader works on text, not on syntax: it strips comments and strings, then looks for paths.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// A source tree: path below `engine/` → text.
pub type Tree = BTreeMap<String, String>;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub fn tree() -> Tree {
    let mut tree = Tree::new();
    gather(&root().join("engine"), "", &mut tree);
    assert!(tree.len() > 60, "the sources are gone");
    tree
}

pub fn gather(folder: &Path, below: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            gather(&entry.path(), &format!("{below}{name}/"), tree);
        } else if Path::new(&name).extension().is_some_and(|e| e == "rs") {
            tree.insert(format!("{below}{name}"), std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The part of a file before its tests.
pub fn before_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

/// Code without comments and without the insides of strings.
pub fn code(text: &str) -> String {
    let text = before_tests(text);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push('\n');
                        break;
                    }
                }
            }
            '"' => {
                out.push('"');
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                out.push('"');
            }
            '\'' if matches!(chars.peek(), Some('"' | '\\')) => {
                // A character literal such as '"' or '\''.
                if chars.next() == Some('\\') {
                    chars.next();
                }
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// The names of `mod x;` lines, in order.
pub fn modules(text: &str) -> Vec<String> {
    code(text)
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let seen = ["pub ", "pub(crate) "].iter().find_map(|word| line.strip_prefix(word));
            let line = seen.unwrap_or(line);
            Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        })
        .collect()
}

/// The file that holds module `path` (`["run", "step"]`), and the folder of its children.
pub fn file_of(path: &[&str]) -> (String, String) {
    let joined = path.join("/");
    (format!("{joined}.rs"), if joined.is_empty() { String::new() } else { format!("{joined}/") })
}

/// All `crate::…` paths of a file, groups spelled out.
pub fn uses(text: &str) -> BTreeSet<Vec<String>> {
    let code = code(text);
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let bounded = at == 0 || !code.as_bytes()[at - 1].is_ascii_alphanumeric();
        if bounded {
            expand(&code[at + 7..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one path or group; returns how much of the text it took.
pub fn expand(text: &str, prefix: &mut Vec<String>, found: &mut BTreeSet<Vec<String>>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = &text[at..];
        if rest.starts_with('{') {
            at += 1;
            loop {
                at += expand(&text[at..], prefix, found);
                let rest = &text[at..];
                let trimmed = rest.trim_start();
                at += rest.len() - trimmed.len();
                if trimmed.starts_with(',') {
                    at += 1;
                } else {
                    at += usize::from(trimmed.starts_with('}'));
                    break;
                }
            }
            break;
        }
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if length == 0 {
            break;
        }
        prefix.push(rest[..length].to_owned());
        at += length;
        if text[at..].starts_with("::") {
            at += 2;
        } else {
            found.insert(prefix.clone());
            break;
        }
    }
    prefix.truncate(depth);
    at
}

/// Name and number of parameters of each function, `self` apart, tuples counted by their members.
pub fn functions(code: &str) -> impl Iterator<Item = (&str, usize)> {
    code.match_indices("fn ").filter_map(|(at, _)| {
        let bounded = at == 0 || !code.as_bytes()[at - 1].is_ascii_alphanumeric();
        let rest = &code[at + 3..];
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_')?];
        let rest = &rest[name.len()..];
        let generics = if rest.starts_with('<') { closing(rest)? + 1 } else { 0 };
        let rest = &rest[generics..];
        let list = rest.starts_with('(').then(|| closing(rest).map(|end| &rest[1..end]))??;
        let own = |part: &&str| !part.split(':').next().unwrap().ends_with("self");
        let count = parts(list).into_iter().filter(own).map(values).sum();
        (bounded && !name.is_empty()).then_some((name, count))
    })
}

/// Where the bracket that a text begins with is closed.
pub fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            '>' if before == '-' || before == '=' => {}
            ')' | ']' | '}' | '>' => depth -= 1,
            _ => {}
        }
        before = c;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// What stands between the commas of a list.
pub fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < list.len() {
        match list.as_bytes()[at] {
            b'(' | b'[' | b'{' | b'<' => at += closing(&list[at..]).unwrap_or(0),
            b',' => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&list[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// How many values a parameter, or a member of a tuple, brings.
pub fn values(part: &str) -> usize {
    let kind = part.split_once(": ").filter(|(name, _)| !name.starts_with('('));
    let text = kind.map_or(part, |(_, kind)| kind).trim_start_matches('&');
    match text.strip_prefix('(').and_then(|_| closing(text)) {
        Some(end) => parts(&text[1..end]).into_iter().map(values).sum(),
        None => 1,
    }
}
