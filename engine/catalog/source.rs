//! One blueprint as its files say it: `vN.yaml`, with the sandbox that stands in `vN.sandbox.yaml`
//! beside it. The parts of either know the file that they stand in.

use std::sync::Arc;

use crate::{
    catalog::{
        error::Error,
        files::Files,
        form::fields::{UNCERTAIN, read_part},
        format::sandbox,
        listing::{Entry, Location},
        tree::{Key, Kind, Node},
        yaml::Parsed,
    },
    diagnostic::{Diagnostics, Place, SourceFile},
    model::name::BlueprintId,
};

/// The key that holds the sandbox in a blueprint's file, and the name in the sandbox's own.
const SANDBOX: &str = "sandbox";

/// What becomes of that which no run needs: the tests, and a sandbox in a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It is read, for checks and to be played.
    Read,
    /// It is left alone; an empty object says that there is a sandbox.
    Left,
}

/// Reads the files of a blueprint. The error: nothing of its own file can be used.
pub fn read(files: &Files, entry: &Entry, id: &BlueprintId, what: Aside) -> Result<Parsed, Error> {
    let beside = entry.sandbox.as_ref().map(|beside| beside_it(files, beside, id, what));
    let own = match what {
        Aside::Read => files.read(&entry.location),
        Aside::Left => files.read_untested(&entry.location),
    };
    let Parsed { tree, mut found } = match (own, &beside) {
        (Ok(own), _) => own,
        (Err(Error::Invalid(mut found)), Some(Parsed { tree, found: more })) => {
            found.extend(more.clone());
            read_part(tree, sandbox::form(), &UNCERTAIN, &mut found);
            return Err(Error::Invalid(found));
        }
        (Err(error), _) => return Err(error),
    };
    named_alike(&tree, "blueprint", id, &mut found);
    let (Some(location), Some(beside)) = (&entry.sandbox, beside) else {
        return Ok(Parsed { tree, found });
    };
    if let Some((inline, _)) = tree.entries().iter().find(|(key, _)| &*key.name == SANDBOX) {
        // A project's blueprint stands in for the built-in one and all that belongs to it.
        if !entry.location.is_project() || location.is_project() {
            let message =
                format!("this blueprint has two sandboxes: here, and `{}`", location.shown());
            found
                .error("file.two-sandboxes", message)
                .at(&inline.place)
                .hint("keep one of them; a file of its own leaves the blueprint short");
            found.extend(beside.found);
            read_part(&beside.tree, sandbox::form(), &UNCERTAIN, &mut found);
        }
        return Ok(Parsed { tree, found });
    }
    found.extend(beside.found);
    let key = Key { name: SANDBOX.into(), place: beside.tree.place.clone() };
    let kind = Kind::Map(tree.entries().iter().cloned().chain([(key, beside.tree)]).collect());
    Ok(Parsed { tree: Arc::new(Node { kind, place: tree.place.clone(), origin: None }), found })
}

/// A sandbox in a file of its own, without its name.
fn beside_it(files: &Files, beside: &Location, id: &BlueprintId, what: Aside) -> Parsed {
    let nothing = |found| {
        let file = SourceFile { name: beside.shown(), text: String::new() };
        let place = Place { file: Arc::new(file), span: 0..0 };
        let tree = Arc::new(Node { kind: Kind::Map(Vec::new()), place, origin: None });
        Parsed { tree, found }
    };
    if what == Aside::Left {
        return nothing(Diagnostics::default());
    }
    match files.read(beside) {
        Ok(Parsed { tree, mut found }) => {
            named_alike(&tree, SANDBOX, id, &mut found);
            Parsed { tree: tree.without(&[SANDBOX]), found }
        }
        Err(error) => nothing(error.into_diagnostics()),
    }
}

/// The name that a file begins with is that of its place.
fn named_alike(tree: &Node, key: &str, id: &BlueprintId, found: &mut Diagnostics) {
    match tree.get(key) {
        Some(node) if node.as_str() == Some(&id.to_string()) => {}
        Some(node) => {
            let message = format!("this file's place says `{id}`, and it says {}", node.describe());
            found.error("file.wrong-name", message).at(&node.place);
        }
        None => {
            let message = format!("a {key} begins with its name: `{key}: {id}`");
            found.error("file.missing-key", message).at(&tree.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::catalog::{chain, listing::Top};

    const CHILD: &str = "blueprint: child:v0\nextends_blueprint: parent:v0\n";
    const PARENT: &str = "blueprint: parent:v0\n";

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join("blueprints").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// The sandbox of `child:v0` as JSON, or the codes and places of what is wrong.
    fn sandbox(folder: &tempfile::TempDir) -> String {
        let files = Files::new(Some(folder.path().to_owned()));
        match chain::chain(&files, "child:v0", Aside::Read) {
            Ok(chain) if chain.found.is_empty() => {
                chain.tree.get(SANDBOX).unwrap().to_json().to_string()
            }
            Ok(chain) => {
                let one = |d: &crate::diagnostic::Diagnostic| {
                    format!("{} {}", d.code, d.place.as_ref().unwrap())
                };
                chain.found.list().iter().map(one).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_childs_routes_come_before_its_parents() {
        let beside = "sandbox: child:v0\nroutes: [1]\n";
        let parents = "sandbox: parent:v0\naccount: {id: 7}\nroutes: [2]\n";
        let inline = |text: &str| format!("{text}sandbox: {{routes: [1]}}\n");
        let both = r#"{"account":{"id":7},"routes":[1,2]}"#;
        for (files, expected) in [
            (
                vec![
                    ("child/v0.yaml", CHILD),
                    ("child/v0.sandbox.yaml", beside),
                    ("parent/v0.yaml", PARENT),
                    ("parent/v0.sandbox.yaml", parents),
                ],
                both,
            ),
            (
                vec![
                    ("child/v0.yaml", &*inline(CHILD)),
                    ("parent/v0.yaml", PARENT),
                    ("parent/v0.sandbox.yaml", parents),
                ],
                both,
            ),
            (
                vec![
                    ("child/v0.yaml", CHILD),
                    ("child/v0.sandbox.yaml", "sandbox: parent:v0\n"),
                    ("parent/v0.yaml", PARENT),
                ],
                "file.wrong-name blueprints/child/v0.sandbox.yaml:1:10",
            ),
            (
                vec![
                    ("child/v0.yaml", &*inline(CHILD)),
                    ("child/v0.sandbox.yaml", beside),
                    ("parent/v0.yaml", PARENT),
                ],
                "file.two-sandboxes blueprints/child/v0.yaml:3:1, \
                 file.wrong-type blueprints/child/v0.sandbox.yaml:2:10",
            ),
        ] {
            assert_eq!(sandbox(&project(&files)), expected, "{files:?}");
        }
    }

    #[test]
    fn runs_outside_of_the_sandbox_do_not_read_its_file() {
        let folder = project(&[
            ("child/v0.yaml", "blueprint: child:v0\n"),
            ("child/v0.sandbox.yaml", "this: [is broken"),
        ]);
        let files = Files::new(Some(folder.path().to_owned()));
        let tree = chain::chain(&files, "child:v0", Aside::Left).unwrap().tree;
        assert_eq!(tree.get(SANDBOX).unwrap().to_json().to_string(), "{}");
        assert!(sandbox(&folder).contains("blueprints/child/v0.sandbox.yaml"));
    }

    #[test]
    fn a_projects_blueprint_keeps_the_built_in_sandbox_or_brings_its_own() {
        let text = "blueprint: slack:v0\n";
        for (text, own) in [(text.to_owned(), false), (format!("{text}sandbox: {{}}\n"), true)] {
            let folder = project(&[("slack/v0.yaml", &text)]);
            let files = Files::new(Some(folder.path().to_owned()));
            let entry = files.folder(Top::Blueprints, "slack").unwrap().first().unwrap();
            let id = BlueprintId::parse("slack:v0").unwrap();
            let tree = read(&files, entry, &id, Aside::Read).unwrap().tree;
            assert_eq!(tree.get(SANDBOX).unwrap().get("routes").is_none(), own, "{text}");
        }
    }
}
