//! The rules of the house, read off the sources. See `docs/architecture.md`.

use std::collections::BTreeSet;

use crate::support::sources::{
    Tree, before_tests, code, file_of, functions, gather, modules, root, tree, uses,
};

const LONGEST: usize = 400;

/// Where secrets may be opened.
const EXPOSE: [&str; 5] =
    ["model/secret.rs", "auth/", "vault/seal.rs", "vault/passphrase.rs", "vault/key.rs"];
/// Where a request with credentials on it may be opened: what sends it, the scripted peer, and what
/// hides in an answer what was sent.
const OPEN: [&str; 4] = ["model/http.rs", "wire/", "suite/wire.rs", "auth/send.rs"];
/// Where the secrets of an account may be opened: nothing else that looks at accounts sees one.
const UNSEAL: [&str; 2] = ["auth/", "store/"];
/// Parameters of a function, `self` apart: what the lint allows, tuples counted by their members.
const PARAMETERS: usize = 4;
/// Rooms in which that does not hold yet.
const UNCOUNTED: [&str; 3] = ["catalog/", "diagnostic/", "suite/"];
/// Rooms that have nothing to say to each other although the order would allow it.
const STRANGERS: [(&str, &str); 23] = [
    ("store", "catalog"),
    ("wire", "catalog"),
    ("wire", "template"),
    ("store", "template"),
    ("store", "policy"),
    ("auth", "catalog"),
    ("run", "catalog"),
    ("sandbox", "store"),
    ("vault", "catalog"),
    ("vault", "wire"),
    // Doors speak to the facade, and show what `view` holds.
    ("cli", "store"),
    ("cli", "catalog"),
    ("cli", "wire"),
    ("cli", "sandbox"),
    ("cli", "run"),
    ("cli", "vault"),
    ("server", "store"),
    ("server", "catalog"),
    ("server", "wire"),
    ("server", "sandbox"),
    ("server", "run"),
    ("server", "vault"),
    ("view", "wire"),
];

/// Every break of the law.
fn law(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    let order = |folder: &str| {
        let file = if folder.is_empty() { "lib.rs".to_owned() } else { format!("{folder}mod.rs") };
        tree.get(&file).map(|text| modules(text)).unwrap_or_default()
    };
    for (file, text) in tree {
        // Tests may stand on everything.
        if file == "main.rs" || file == "lib.rs" || is_for_tests(tree, file) {
            continue;
        }
        let mut own: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
        if own.last() == Some(&"mod") {
            own.pop();
        }
        for path in uses(text) {
            if let Some(reason) = breaks(&own, &path, &order) {
                broken.push(format!("{file}: `crate::{}`: {reason}", path.join("::")));
            }
        }
    }
    broken
}

/// Why a module may not use a path, if so.
fn breaks(own: &[&str], path: &[String], order: &dyn Fn(&str) -> Vec<String>) -> Option<String> {
    let mut folder = String::new();
    for (level, mine) in own.iter().enumerate() {
        let names = order(&folder);
        let theirs = path.get(level).map(String::as_str);
        let their_place = theirs.and_then(|name| names.iter().position(|n| n == name));
        let my_place = names.iter().position(|n| n == mine);
        match (my_place, their_place) {
            // An item of a module around us: allowed only at the very top, where there are none.
            (Some(_), None) if level > 0 || theirs.is_some() => {
                return Some("an item of the module around it".to_owned());
            }
            (Some(mine), Some(theirs)) if theirs > mine => {
                return Some("stands below it".to_owned());
            }
            (Some(mine), Some(theirs)) if theirs < mine => return None,
            _ => folder = file_of(&own[..=level]).1,
        }
    }
    None
}

/// Whether a file belongs to a module that only tests see.
fn is_for_tests(tree: &Tree, file: &str) -> bool {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let names: Vec<&str> = path.split('/').collect();
    (0..names.len()).any(|level| {
        let around = format!("{}mod.rs", file_of(&names[..level]).1);
        let line = |prefix: &str| format!("#[cfg(test)]\n{prefix}mod {};", names[level]);
        let text = tree.get(&around).map_or("", String::as_str);
        ["", "pub ", "pub(crate) "].iter().any(|prefix| text.contains(&line(prefix)))
    })
}

/// Everything else that a single file can do wrong.
fn habits(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (file, text) in tree {
        let mut say = |what: &str| broken.push(format!("{file}: {what}"));
        let lines = before_tests(text).lines().count();
        if lines > LONGEST {
            say(&format!("{lines} lines before its tests; at most {LONGEST}"));
        }
        if !text.starts_with("//! ") {
            say("does not begin with `//! `");
        }
        if is_for_tests(tree, file) {
            continue;
        }
        let code = code(text);
        if code.contains("super::") {
            say("`super::` outside tests");
        }
        if code.contains(".expose()") && !EXPOSE.iter().any(|place| file.starts_with(place)) {
            say("opens a `Secret`");
        }
        if code.contains(".open()") && !OPEN.iter().any(|place| file.starts_with(place)) {
            say("opens an `Authorized`");
        }
        let unseals = ["secrets.open(", "revocations.open("];
        if unseals.iter().any(|call| code.contains(call))
            && !UNSEAL.iter().any(|place| file.starts_with(place))
        {
            say("opens the secrets of an account");
        }
        let unchecked = file.starts_with("store/") || *file == "model/account.rs";
        if code.contains("::from_row(") && !unchecked {
            say("takes a name over unchecked");
        }
        if !UNCOUNTED.iter().any(|room| file.starts_with(room)) {
            for (name, count) in functions(&code).filter(|(_, count)| *count > PARAMETERS) {
                say(&format!("`{name}` has {count} parameters; at most {PARAMETERS}"));
            }
        }
        if code.contains("#[ignore") || text.contains("#[ignore") {
            say("ignores a test");
        }
        for (room, stranger) in STRANGERS {
            let inside = file.starts_with(&format!("{room}/")) || *file == format!("{room}.rs");
            if inside && uses(text).iter().any(|path| path.first().is_some_and(|f| f == stranger)) {
                say(&format!("`{room}` knows `{stranger}`"));
            }
        }
    }
    broken
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let broken = law(&tree());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_keep_the_habits_of_the_house() {
    let broken = habits(&tree());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn tests_are_as_short_as_sources() {
    let mut tree = Tree::new();
    gather(&root().join("tests"), "tests/", &mut tree);
    gather(&root().join("benches"), "benches/", &mut tree);
    assert!(tree.len() > 20, "the tests are gone");
    for (file, text) in &tree {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{file}: {lines} lines; at most {LONGEST}");
    }
}

#[test]
fn every_module_line_has_its_file() {
    let tree = tree();
    for (file, text) in &tree {
        let folder = match file.as_str() {
            "lib.rs" => "",
            file => match file.strip_suffix("mod.rs") {
                Some(folder) => folder,
                None => continue,
            },
        };
        for name in modules(text) {
            let found = tree.contains_key(&format!("{folder}{name}.rs"))
                || tree.contains_key(&format!("{folder}{name}/mod.rs"));
            assert!(found, "{file}: `mod {name};`");
        }
    }
}

#[test]
fn the_architecture_names_every_room() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for name in modules(&tree()["lib.rs"]) {
        assert!(page.contains(&format!("`{name}")), "docs/architecture.md does not name `{name}`");
    }
    assert!(page.lines().count() < 300);
}

#[test]
fn every_error_code_is_explained() {
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let families =
        ["file", "template", "call", "run", "auth", "store", "settings", "wire", "engine"];
    let mut codes = BTreeSet::new();
    for text in tree().values() {
        let text = before_tests(text);
        for (at, _) in text.match_indices('"') {
            let literal = text[at + 1..].split('"').next().unwrap();
            let known = literal.split_once('.').is_some_and(|(family, name)| {
                families.contains(&family)
                    && !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                    && !matches!(name, "rs" | "md" | "yaml" | "db" | "db-wal" | "db-shm" | "json")
            });
            if known {
                codes.insert(literal.to_owned());
            }
        }
    }
    assert!(codes.len() > 30, "the codes are gone: {codes:?}");
    let missing: Vec<_> =
        codes.iter().filter(|code| !page.contains(&format!("### `{code}`"))).collect();
    assert!(missing.is_empty(), "docs/errors.md has no entry for {missing:?}");
    let listed = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let stale: Vec<_> =
        listed.filter(|code| code.contains('.') && !codes.contains(*code)).collect();
    assert!(stale.is_empty(), "docs/errors.md explains codes that nothing uses: {stale:?}");
}

/// The checks themselves: each mutation of a sound tree must be noticed.
#[test]
fn the_rules_notice_what_they_are_for() {
    let sound: Tree = [
        ("lib.rs", "//! x\nmod low;\nmod high;\nmod catalog;\nmod store;\n"),
        ("low.rs", "//! x\n"),
        ("high/mod.rs", "//! x\nmod first;\nmod second;\npub use first::A;\n"),
        ("high/first.rs", "//! x\nuse crate::low::X;\n"),
        ("high/second.rs", "//! x\nuse crate::{high::first::A, low::X};\n"),
        ("catalog.rs", "//! x\n"),
        ("store.rs", "//! x\n"),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()))
    .into();
    assert!(law(&sound).is_empty() && habits(&sound).is_empty(), "{:?}", law(&sound));
    for (file, text) in [
        ("low.rs", "//! x\nuse crate::high::A;\n"),
        ("low.rs", "//! x\nuse crate::{\n    high::{first::{A, B}},\n};\n"),
        ("low.rs", "//! x\nfn f() { crate::high::f() }\n"),
        ("high/first.rs", "//! x\nuse crate::high::second::A;\n"),
        ("high/second.rs", "//! x\nuse crate::high::Context;\n"),
        ("store.rs", "//! x\nuse crate::catalog::A;\n"),
        ("low.rs", "no doc\n"),
        ("low.rs", "//! x\nuse super::A;\n"),
        ("low.rs", "//! x\nfn f(s: Secret) { s.expose(); }\n"),
        ("low.rs", "//! x\nfn f(s: Authorized) { s.open(); }\n"),
        ("low.rs", "//! x\nfn f(s: Store) { s.secrets.open(&key); }\n"),
        ("low.rs", "//! x\nfn f(text: &str) -> RunId { RunId::from_row(text) }\n"),
        ("low.rs", "//! x\nfn f<T: Fn() -> u8>(a: T, (b, c): (u8, &(u8, u8)), d: u8, e: u8) {}\n"),
        ("low.rs", "//! x\nfn f(&self, a: u8, b: (u8, u8), c: (u8, u8)) {}\n"),
    ] {
        let mut tree = sound.clone();
        tree.insert(file.to_owned(), text.to_owned());
        assert!(!law(&tree).is_empty() || !habits(&tree).is_empty(), "unnoticed: {text}");
    }
    let mut scene = sound.clone();
    scene.insert("high/mod.rs".to_owned(), "//! x\n#[cfg(test)]\nmod scene;\n".to_owned());
    let opens = "//! x\nuse crate::low::X;\nfn f(s: Secret) { s.expose(); }\n";
    scene.insert("high/scene.rs".to_owned(), opens.to_owned());
    assert!(habits(&scene).is_empty(), "tests may look into secrets");
    let few = "fn f<T: Fn(u8, u8) -> u8>(&mut self, a: Vec<(T, T)>, (b, c): (u8, u8), d: impl Fn(u8, u8)) {}";
    assert_eq!(functions(few).collect::<Vec<_>>(), [("f", 4)]);
    let mut long = sound.clone();
    long.insert("low.rs".to_owned(), format!("//! x\n{}", "\n".repeat(LONGEST)));
    assert!(!habits(&long).is_empty());
}
