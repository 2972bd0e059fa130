//! What lists show.

use crate::catalog::{base::Bases, files::Files, listing::Entry, tree::Node};

/// An entry of `integrations.yaml`.
#[derive(Debug, Clone)]
pub struct IntegrationSummary {
    /// Its name.
    pub name: String,
    /// What it extends, as written.
    pub blueprint: String,
    /// The blueprint's, for people.
    pub title: String,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// A blueprint.
#[derive(Debug, Clone)]
pub struct BlueprintSummary {
    /// `name:vN`.
    pub id: String,
    /// For people.
    pub title: String,
    /// For catalogs.
    pub categories: Vec<String>,
    /// As written, of itself or inherited.
    pub auth_mode: String,
    /// Where it is.
    pub file: String,
    /// Whether the project has it.
    pub project: bool,
}

/// An action.
#[derive(Debug, Clone)]
pub struct ActionSummary {
    /// The blueprint's name.
    pub blueprint: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// `read`, `write`, `delete`.
    pub effect: String,
    /// The names of its inputs; required ones with a `*`.
    pub input: Vec<String>,
    /// Where it is.
    pub file: String,
}

/// A blueprint, without resolving it.
pub fn blueprint(bases: &Bases, entry: &Entry) -> BlueprintSummary {
    let id = format!("{}:{}", entry.folder, entry.stem);
    let base = bases.get(&id).ok();
    let tree = base.as_ref().map(|base| &*base.chain.tree);
    let own = |name: &str| tree.and_then(|tree| text(tree, name));
    let categories = tree.and_then(|tree| tree.get("categories"));
    let categories = categories
        .map(|node| node.items().iter().filter_map(|n| n.as_str()).map(str::to_owned).collect());
    BlueprintSummary {
        title: own("title").unwrap_or_else(|| entry.folder.clone()),
        categories: categories.unwrap_or_default(),
        auth_mode: tree
            .and_then(|tree| text(tree.get("auth")?, "auth_mode"))
            .unwrap_or_else(|| "?".to_owned()),
        file: entry.location.shown(),
        project: entry.location.is_project(),
        id,
    }
}

/// An action, without resolving it.
pub fn action(files: &Files, entry: &Entry) -> ActionSummary {
    let parsed = files.read_untested(&entry.location).ok();
    let tree = parsed.as_ref().map(|parsed| &*parsed.tree);
    let input = tree.and_then(|tree| tree.get("input"));
    let required: Vec<&str> = input
        .and_then(|input| input.get("required"))
        .map(|node| node.items().iter().filter_map(|node| node.as_str()).collect())
        .unwrap_or_default();
    let names = input.and_then(|input| input.get("properties")).map(|node| {
        let name = |name: &str| {
            if required.contains(&name) { format!("{name}*") } else { name.to_owned() }
        };
        node.entries().iter().map(|(key, _)| name(&key.name)).collect()
    });
    ActionSummary {
        blueprint: entry.folder.clone(),
        name: entry.stem.clone(),
        title: tree.and_then(|tree| text(tree, "title")),
        description: tree.and_then(|tree| text(tree, "description")),
        effect: tree.map_or_else(|| "read".to_owned(), effect),
        input: names.unwrap_or_default(),
        file: entry.location.shown(),
    }
}

/// As written, or by the methods of its steps.
fn effect(action: &Node) -> String {
    let steps = action.get("steps").map_or(&[][..], |steps| steps.items());
    let verbs = ["post", "put", "patch", "delete"];
    let writes = steps.iter().any(|step| verbs.iter().any(|verb| step.get(verb).is_some()));
    let usual = if writes { "write" } else { "read" };
    text(action, "effect").unwrap_or_else(|| usual.to_owned())
}

/// An entry as written.
pub fn integration(name: &str, node: &Node) -> IntegrationSummary {
    IntegrationSummary {
        name: name.to_owned(),
        blueprint: text(node, "extends_blueprint").unwrap_or_else(|| "(its own)".to_owned()),
        title: String::new(),
        problem: None,
    }
}

fn text(tree: &Node, name: &str) -> Option<String> {
    tree.get(name)?.as_str().map(str::to_owned)
}
