//! A child's tree over its parent's: objects merge, null deletes, all else replaces.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::catalog::tree::{Key, Kind, Node};

type Entry = (Key, Arc<Node>);
/// What becomes of the two values of one key.
type Both = dyn Fn(&str, &Arc<Node>, &Arc<Node>) -> Arc<Node>;

/// Merges a blueprint over its parent, or an integration entry over its blueprint. Every node
/// keeps its own place.
///
/// The lists `limits`, `responses` and `sandbox.routes` are not replaced: the child's entries come
/// first, and a limit of the same name as one of the parent's is merged over it, key by key.
pub fn merge(parent: &Arc<Node>, child: &Arc<Node>) -> Arc<Node> {
    objects(parent, child, &|name, parent, child| match (name, &parent.kind, &child.kind) {
        ("limits", Kind::List(old), Kind::List(new)) => Arc::new(listing(child, limits(old, new))),
        ("responses", ..) => child_first(parent, child),
        ("sandbox", ..) => objects(parent, child, &|name, parent, child| match name {
            "routes" => child_first(parent, child),
            _ => values(parent, child),
        }),
        _ => values(parent, child),
    })
}

/// Two lists as one; anything else is replaced by the child's.
fn child_first(parent: &Arc<Node>, child: &Arc<Node>) -> Arc<Node> {
    match (&parent.kind, &child.kind) {
        (Kind::List(old), Kind::List(new)) => {
            Arc::new(listing(child, new.iter().chain(old).map(Arc::clone).collect()))
        }
        _ => Arc::clone(child),
    }
}

/// Below the top level: objects merge, all else is replaced by the child's.
fn values(parent: &Arc<Node>, child: &Arc<Node>) -> Arc<Node> {
    objects(parent, child, &|_, parent, child| values(parent, child))
}

/// Merges two objects by `both`; anything else is replaced. The parent's entries keep their order
/// and the child's new ones follow; a null of the child takes the entry away.
fn objects(parent: &Arc<Node>, child: &Arc<Node>, both: &Both) -> Arc<Node> {
    let (Kind::Map(old), Kind::Map(new)) = (&parent.kind, &child.kind) else {
        return Arc::clone(child);
    };
    let overrides: HashMap<&str, &Entry> = new.iter().map(|e| (&*e.0.name, e)).collect();
    let inherited: HashSet<&str> = old.iter().map(|(key, _)| &*key.name).collect();
    let kept = old.iter().filter_map(|(key, value)| match overrides.get(&*key.name) {
        None => Some((key.clone(), Arc::clone(value))),
        Some((_, value)) if value.is_null() => None,
        Some((key, own)) => Some((key.clone(), both(&key.name, value, own))),
    });
    let added = new
        .iter()
        .filter(|(key, value)| !value.is_null() && !inherited.contains(&*key.name))
        .map(|(key, value)| (key.clone(), Arc::clone(value)));
    let kind = Kind::Map(kept.chain(added).collect());
    Arc::new(Node { kind, place: child.place.clone(), origin: None })
}

/// The child's limits, each merged over the parent's of its name, then those of the parent that
/// the child does not name.
fn limits(old: &[Arc<Node>], new: &[Arc<Node>]) -> Vec<Arc<Node>> {
    let parents: HashMap<&str, &Arc<Node>> =
        old.iter().filter_map(|limit| Some((name_of(limit)?, limit))).collect();
    let named: HashSet<&str> = new.iter().filter_map(|limit| name_of(limit)).collect();
    let own = new.iter().map(|limit| match name_of(limit).and_then(|name| parents.get(name)) {
        Some(parent) => values(parent, limit),
        None => Arc::clone(limit),
    });
    let inherited =
        old.iter().filter(|limit| name_of(limit).is_none_or(|name| !named.contains(name)));
    own.chain(inherited.map(Arc::clone)).collect()
}

fn name_of(limit: &Node) -> Option<&str> {
    limit.get("name").and_then(|name| name.as_str())
}

fn listing(child: &Node, items: Vec<Arc<Node>>) -> Node {
    Node { kind: Kind::List(items), place: child.place.clone(), origin: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::yaml, diagnostic::SourceFile};

    fn tree(name: &str, text: &str) -> Arc<Node> {
        yaml::parse(&Arc::new(SourceFile { name: name.into(), text: text.into() })).unwrap().tree
    }

    fn merged(parent: &str, child: &str) -> String {
        merge(&tree("parent", parent), &tree("child", child)).to_json().to_string()
    }

    #[test]
    fn objects_merge_null_deletes_the_rest_replaces() {
        for (parent, child, expected) in [
            ("a: 1\nb: 2", "b: 3\nc: 4", r#"{"a":1,"b":3,"c":4}"#),
            ("a: {x: 1, y: 2}", "a: {y: null, z: 3}", r#"{"a":{"x":1,"z":3}}"#),
            ("a: [1, 2]", "a: [3]", r#"{"a":[3]}"#),
            ("a: {x: 1}", "a: text", r#"{"a":"text"}"#),
            ("a: 1", "a: null\nb: null", "{}"),
            // What is wholly new stays as it is: its nulls are values.
            (
                "a: 1",
                "sandbox: {reply: {next: null}}",
                r#"{"a":1,"sandbox":{"reply":{"next":null}}}"#,
            ),
            (
                "input: {properties: {a: {type: string}}}",
                "input: {properties: {b: {}}}",
                r#"{"input":{"properties":{"a":{"type":"string"},"b":{}}}}"#,
            ),
        ] {
            assert_eq!(merged(parent, child), expected, "{parent} + {child}");
        }
    }

    #[test]
    fn rules_and_limits_of_the_child_come_first() {
        assert_eq!(
            merged("responses: [{is: ok}]", "responses: [{is: retry}]"),
            r#"{"responses":[{"is":"retry"},{"is":"ok"}]}"#
        );
        assert_eq!(
            merged(
                "limits: [{name: a, rate: 1/s, concurrency: 2}, {name: b}]",
                "limits: [{name: c}, {name: a, rate: 5/s}]"
            ),
            r#"{"limits":[{"name":"c"},{"name":"a","rate":"5/s","concurrency":2},{"name":"b"}]}"#
        );
        assert_eq!(merged("limits: [{name: a}]", "limits: null"), "{}");
        assert_eq!(
            merged("sandbox: {routes: [1], account: {a: 1}}", "sandbox: {routes: [2]}"),
            r#"{"sandbox":{"routes":[2,1],"account":{"a":1}}}"#
        );
        assert_eq!(
            merged("sandbox: {routes: [1]}", "sandbox: {routes: null}"),
            r#"{"sandbox":{}}"#
        );
        // Only at the top level.
        assert_eq!(merged("x: {limits: [1]}", "x: {limits: [2]}"), r#"{"x":{"limits":[2]}}"#);
    }

    #[test]
    fn nodes_keep_their_places() {
        let both = merge(&tree("parent", "a: {x: 1}"), &tree("child", "a: {y: 2}"));
        let a = both.get("a").unwrap();
        assert_eq!(a.get("x").unwrap().place.file.name, "parent");
        assert_eq!(a.get("y").unwrap().place.to_string(), "child:1:8");
        assert_eq!(a.place.file.name, "child");
    }
}
