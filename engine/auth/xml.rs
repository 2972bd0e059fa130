//! XML answers as JSON values: elements become members, repeated ones lists, attributes `@name`,
//! text beside them `#text`. Documents with a DTD are refused, so that no entity can grow.

use serde_json::{Map, Value};

/// Elements within elements.
const DEEPEST: usize = 64;

/// Reads a document; `None` if it is none.
pub fn read(text: &str) -> Option<Value> {
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
    let root = document.root_element();
    let mut map = Map::new();
    map.insert(root.tag_name().name().to_owned(), element(root, 0)?);
    Some(Value::Object(map))
}

fn element(node: roxmltree::Node<'_, '_>, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let mut map = Map::new();
    for attribute in node.attributes() {
        map.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    for child in node.children().filter(roxmltree::Node::is_element) {
        let value = element(child, depth + 1)?;
        match map.get_mut(child.tag_name().name()) {
            None => {
                map.insert(child.tag_name().name().to_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    let text: String =
        node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
    let text = text.trim();
    if map.is_empty() {
        return Some(text.into());
    }
    if !text.is_empty() {
        map.insert("#text".to_owned(), text.into());
    }
    Some(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_members() {
        let text = "<r><api status='ok'><sessionid>a b</sessionid></api><x>1</x><x>2</x></r>";
        assert_eq!(
            read(text),
            Some(json!({"r": {"api": {"@status": "ok", "sessionid": "a b"}, "x": ["1", "2"]}}))
        );
        assert_eq!(read("<html>"), None);
        assert_eq!(read("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), None);
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert_eq!(read(&deep), None);
    }
}
