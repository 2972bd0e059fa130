//! JSON values as text for people: tables, records, lists.

use std::{borrow::Cow, collections::BTreeSet};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::{Map, Value};

use crate::cli::terminal::{FAINT, STRONG, clean, styled};

/// Objects within objects are opened so deep.
const DEPTH: usize = 3;
/// Longest text of a cell, in characters.
const LONGEST: usize = 300;
/// Draws the line below the header.
const RULE: char = '─';
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill(RULE).junction(RULE));
/// A table with columns narrower than this would be hard to read.
const NARROW: usize = 18;

/// A value as text that ends in a line break, at most `width` columns wide where that is possible.
pub fn render(value: &Value, width: u16) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "(nothing)\n".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_object) => rows(items, width),
        Value::Array(items) => {
            with_line_break(items.iter().map(cell).collect::<Vec<_>>().join("\n").into())
        }
        Value::Object(map) if map.is_empty() => "(nothing)\n".to_owned(),
        Value::Object(map) => record(map, width),
        Value::String(text) => with_line_break(clean(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => format!("{value}\n"),
    }
}

fn with_line_break(text: Cow<'_, str>) -> String {
    let mut text = text.into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Name and value of each member; lists of objects follow as tables of their own.
fn record(map: &Map<String, Value>, width: u16) -> String {
    let (lists, plain): (Vec<_>, Vec<_>) = map.iter().partition(|(_, value)| is_table(value));
    let mut cells = Vec::new();
    for (name, value) in plain {
        flatten(name, value, DEPTH, &mut cells);
    }
    let mut out = pairs(&cells);
    for (name, value) in lists {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&styled(STRONG, &clean(name)));
        out.push('\n');
        out.push_str(&render(value, width));
    }
    out
}

fn is_table(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}

fn pairs(cells: &[(String, String)]) -> String {
    let widest = cells.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in cells {
        let fill = " ".repeat(widest - name.chars().count());
        out.push_str(&styled(FAINT, name));
        let line = format!("{fill}  {value}");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A list of objects: a table if it fits, else one record after the other.
fn rows(items: &[Value], width: u16) -> String {
    let sheet = Sheet::new(items);
    if sheet.fits(width) {
        return sheet.draw(width);
    }
    let blocks: Vec<String> =
        items.iter().filter_map(Value::as_object).map(|map| record(map, width)).collect();
    blocks.join("\n")
}

/// Columns and rows of cells.
#[derive(Default)]
struct Sheet {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Flattens a list of objects. If exactly one member holds lists of objects, each of its
    /// elements gets a row, and the rest of the object stands in the first of them.
    fn new(items: &[Value]) -> Self {
        let nested = nested(items);
        let mut sheet = Self::default();
        for item in items.iter().filter_map(Value::as_object) {
            let mut own = Vec::new();
            for (name, value) in item.iter().filter(|(name, _)| Some(name.as_str()) != nested) {
                flatten(name, value, DEPTH, &mut own);
            }
            let children = nested.and_then(|name| item.get(name)?.as_array());
            let mut children = children.into_iter().flatten().filter_map(Value::as_object);
            // Names of the inner objects are short where they are not ambiguous.
            let inner = |child: &Map<String, Value>| {
                let mut cells = Vec::new();
                for (name, value) in child {
                    let clash = items.iter().any(|item| item.get(name).is_some());
                    match nested {
                        Some(outer) if clash => {
                            flatten(&format!("{outer}.{name}"), value, DEPTH, &mut cells);
                        }
                        Some(_) | None => flatten(name, value, DEPTH, &mut cells),
                    }
                }
                cells
            };
            own.extend(children.next().map(inner).unwrap_or_default());
            sheet.push(own);
            children.map(inner).for_each(|cells| sheet.push(cells));
        }
        sheet.drop_empty();
        sheet
    }

    fn push(&mut self, cells: Vec<(String, String)>) {
        let mut row = vec![String::new(); self.columns.len()];
        for (name, text) in cells {
            let found = self.columns.iter().position(|column| *column == name);
            let at = found.unwrap_or_else(|| {
                self.columns.push(name);
                self.columns.len() - 1
            });
            if row.len() <= at {
                row.resize(at + 1, String::new());
            }
            if let Some(slot) = row.get_mut(at) {
                *slot = text;
            }
        }
        self.rows.push(row);
    }

    /// Drops the columns in which every cell is empty.
    fn drop_empty(&mut self) {
        let filled: BTreeSet<usize> = self
            .rows
            .iter()
            .flat_map(|row| row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()))
            .map(|(at, _)| at)
            .collect();
        let kept = |list: &mut Vec<String>| {
            let mut at = 0;
            list.retain(|_| {
                at += 1;
                filled.contains(&(at - 1))
            });
        };
        kept(&mut self.columns);
        self.rows.iter_mut().for_each(kept);
    }

    fn fits(&self, width: u16) -> bool {
        let needed = |(at, name): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            let widest = cells.chain([name]).map(|text| text.chars().count()).max().unwrap_or(0);
            widest.min(NARROW) + 2
        };
        self.columns.iter().enumerate().map(needed).sum::<usize>() <= usize::from(width)
    }

    fn draw(self, width: u16) -> String {
        if self.columns.is_empty() {
            return format!("({} empty objects)\n", self.rows.len());
        }
        let mut table = Table::new();
        table.load_style(STYLE).set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.columns.iter().map(|name| clean(name)));
        table.add_rows(self.rows);
        let last = table.column_count().saturating_sub(1);
        for (at, column) in table.column_iter_mut().enumerate() {
            // One more stands between two columns.
            column.set_padding((0, u16::from(at != last)));
        }
        let mut out = String::new();
        let mut header = true;
        for line in table.lines() {
            let line = line.trim_end();
            header = header && line.chars().any(|c| c != RULE);
            let line = if header { styled(STRONG, line) } else { line.to_owned() };
            out.push_str(&line);
            out.push('\n');
        }
        out
    }
}

/// The one member that holds lists of objects, and nothing else, in all of `items`.
fn nested(items: &[Value]) -> Option<&str> {
    let names: BTreeSet<&str> =
        items.iter().filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).collect();
    let mut found = names.into_iter().filter(|name| {
        let mut values = items.iter().filter_map(|item| item.get(*name));
        let lists = |value: &Value| {
            value.is_null()
                || value.as_array().is_some_and(|list| list.iter().all(Value::is_object))
        };
        values.clone().all(lists) && values.any(is_table)
    });
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// A member as cells: objects become `outer.inner`, as deep as `depth`.
fn flatten(name: &str, value: &Value, depth: usize, cells: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() && depth > 0 => {
            for (inner, value) in map {
                flatten(&format!("{name}.{inner}"), value, depth - 1, cells);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => cells.push((clean(name).into_owned(), cell(value))),
    }
}

/// A value on one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => line(text),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            format!("{} items", items.len())
        }
        Value::Array(items) => line(&items.iter().map(cell).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => line(&value.to_string()),
    }
}

fn line(text: &str) -> String {
    let mut text: String = match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    if text.contains(['\n', '\r', '\t']) {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    clean(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Without styles.
    fn plain(value: &Value, width: u16) -> String {
        anstream::adapter::strip_str(&render(value, width)).to_string()
    }

    #[test]
    fn lists_within_lists_get_a_row_each() {
        let teams = json!([
            {"teamId": "t1", "teamDisplayName": "Design", "teamChannels": [
                {"channelId": "c1", "channelDisplayName": "General"},
                {"channelId": "c2", "channelDisplayName": "Logos"},
            ]},
            {"teamId": "t2", "teamDisplayName": "Secret", "teamChannels": [],
                "error": {"code": "forbidden", "message": "no access"}},
        ]);
        assert_eq!(
            plain(&teams, 120),
            "teamId  teamDisplayName  channelId  channelDisplayName  error.code  error.message\n\
             ─────────────────────────────────────────────────────────────────────────────────\n\
             t1      Design           c1         General\n\
             \u{20}                        c2         Logos\n\
             t2      Secret                                          forbidden   no access\n"
        );
    }

    #[test]
    fn what_does_not_fit_is_told_one_by_one() {
        let wide: Map<String, Value> =
            (0..12).map(|n| (format!("field_number_{n}"), json!("some text"))).collect();
        let text = plain(&json!([wide, wide]), 80);
        assert_eq!(text.matches("field_number_11  some text\n").count(), 2);
        assert!(text.contains("\n\nfield_number_0   some text\n"), "{text}");
    }

    #[test]
    fn objects_are_pairs_and_their_lists_tables() {
        let value = json!({"id": 7, "user": {"login": "ada"}, "labels": ["a", "b"], "none": null,
            "items": [{"n": 1}, {"n": 2}]});
        assert_eq!(
            plain(&value, 80),
            "id          7\nuser.login  ada\nlabels      a, b\nnone\n\nitems\nn\n─\n1\n2\n"
        );
    }

    #[test]
    fn odd_values_have_a_form_too() {
        for (value, expected) in [
            (json!(null), "null\n"),
            (json!([]), "(nothing)\n"),
            (json!({}), "(nothing)\n"),
            (json!([{}, {}]), "(2 empty objects)\n"),
            (json!(["a", null, 1]), "a\n\n1\n"),
            (json!("ours"), "ours\n"),
            (json!([[1], [2, 3]]), "1\n2, 3\n"),
            (json!([{"a": [[1]]}]), "a\n───────\n1 items\n"),
        ] {
            assert_eq!(plain(&value, 80), expected, "{value}");
        }
    }

    #[test]
    fn cells_are_one_line_and_cannot_steer_the_terminal() {
        let text = render(&json!([{"a": "x\ny\u{1b}[2Jz"}]), 80);
        assert!(text.contains("x y\\u{1b}[2Jz"), "{text:?}");
        assert_eq!(line(&"é".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
