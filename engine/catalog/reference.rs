//! The JSON Schemas of the formats (draft 2020-12), made of their descriptions.

use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        form::description::{Description, Kind, Part, Row, What},
        format::all::Format,
    },
    model::http::FRAMING,
};

/// The schema of a format.
pub fn schema(format: &Format) -> Value {
    let description = (format.describe)();
    let mut root = Map::new();
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), format.title.into());
    let mut parts = description.parts.iter().map(|one| (one.name, part(one, &description)));
    if let Some((_, Value::Object(file))) = parts.next() {
        root.extend(file);
    }
    let others: Map<String, Value> = parts.map(|(name, one)| (name.to_owned(), one)).collect();
    root.insert("$defs".to_owned(), others.into());
    let mut schema = Value::Object(root);
    if format.variables {
        admit_variables(&mut schema);
    }
    schema
}

/// Where a number, a boolean or a word of a choice may stand, a text with `${…}` may stand, too: it
/// becomes one.
fn admit_variables(schema: &mut Value) {
    let pattern = "\\$\\{";
    let Value::Object(map) = schema else {
        schema.as_array_mut().into_iter().flatten().for_each(admit_variables);
        return;
    };
    map.values_mut().for_each(admit_variables);
    if let Some(Value::Array(words)) = map.get_mut("oneOf") {
        words.push(json!({"type": "string", "pattern": pattern}));
    }
    let types = match map.get("type") {
        Some(Value::Array(all)) => all.clone(),
        one => one.into_iter().cloned().collect(),
    };
    if types.iter().any(|name| name == "integer" || name == "boolean")
        && !types.iter().any(|name| name == "string")
    {
        let types: Vec<Value> = types.into_iter().chain([json!("string")]).collect();
        map.insert("type".to_owned(), types.into());
        map.insert("pattern".to_owned(), pattern.into());
    }
}

fn part(part: &Part, format: &Description) -> Value {
    match &part.what {
        What::Object(rows) => object(part.doc, rows, format),
        What::Choice(words) => {
            let word = |doc: &str, name: &str| json!({"description": doc, "const": name});
            let words: Vec<Value> = words.iter().map(|one| word(one.doc, one.name)).collect();
            json!({"description": part.doc, "oneOf": words})
        }
    }
}

fn object(doc: &str, rows: &[Row], format: &Description) -> Value {
    let mut properties = Map::new();
    for row in rows {
        let more = property(row);
        match properties.get_mut(row.name) {
            None => drop(properties.insert(row.name.to_owned(), more)),
            // The same key of another owner.
            Some(known) => {
                let text = |value: &Value| {
                    value.get("description").and_then(Value::as_str).unwrap_or("").to_owned()
                };
                let both = format!("{}\n{}", text(known), text(&more));
                if let Some(map) = known.as_object_mut() {
                    map.insert("description".to_owned(), both.into());
                }
            }
        }
    }
    let needed: Vec<&str> = rows.iter().filter(|row| row.needed).map(|row| row.name).collect();
    let mut object = json!({
        "description": doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(map) = object.as_object_mut() {
        if !needed.is_empty() {
            map.insert("required".to_owned(), needed.into());
        }
        let owned = foreign(rows, format);
        if !owned.is_empty() {
            map.insert("allOf".to_owned(), owned.into());
        }
    }
    object
}

/// For each value of a deciding key: the keys that are foreign to it are refused.
fn foreign(rows: &[Row], format: &Description) -> Vec<Value> {
    let Some(by) = rows.iter().find_map(|row| Some(row.owners.as_ref()?.by)) else {
        return Vec::new();
    };
    let words = rows.iter().find(|row| row.name == by).and_then(|row| match &row.kind {
        Kind::Part(name) => format.part(name),
        Kind::Any
        | Kind::Text(_)
        | Kind::Template
        | Kind::Bool
        | Kind::Whole(..)
        | Kind::Status
        | Kind::Rows
        | Kind::Schema
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Fields(_)
        | Kind::Either(_) => None,
    });
    let Some(Part { what: What::Choice(words), .. }) = words else { return Vec::new() };
    let refused = |value: &str| {
        let fits = |row: &&Row| row.owners.as_ref().is_none_or(|o| o.values.contains(&value));
        let mine: Vec<&str> = rows.iter().filter(fits).map(|row| row.name).collect();
        let known = rows.iter().map(|row| row.name).filter(|name| !mine.contains(name));
        let none: Map<String, Value> =
            known.map(|name| (name.to_owned(), json!({"type": "null"}))).collect();
        let chosen = json!({"properties": {by: {"const": value}}, "required": [by]});
        json!({"if": chosen, "then": {"properties": none}})
    };
    words.iter().map(|word| refused(word.name)).collect()
}

fn property(row: &Row) -> Value {
    let mut property = Map::new();
    let owners = row.owners.as_ref().map(|owners| format!("{}: ", owners.values.join(", ")));
    let description = format!("{}{}", owners.unwrap_or_default(), row.doc);
    property.insert("description".to_owned(), description.into());
    let kind = kind(&row.kind);
    let nullable = if row.needed || kind == json!({}) {
        kind
    } else {
        match kind.get("type") {
            Some(Value::String(one)) => with(&kind, "type", json!([one, "null"])),
            Some(Value::Array(all)) => {
                let all: Vec<Value> = all.iter().cloned().chain([json!("null")]).collect();
                with(&kind, "type", all.into())
            }
            _ => json!({"anyOf": [kind, {"type": "null"}]}),
        }
    };
    property.extend(nullable.as_object().cloned().unwrap_or_default());
    if let Some(default) = &row.default {
        property.insert("default".to_owned(), spelled(&row.kind, default));
    }
    if let Some(example) = row.example {
        property.insert("examples".to_owned(), json!([example]));
    }
    property.into()
}

fn with(schema: &Value, key: &str, value: Value) -> Value {
    let mut map = schema.as_object().cloned().unwrap_or_default();
    map.insert(key.to_owned(), value);
    map.into()
}

/// A default as the value that it is.
fn spelled(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Bool | Kind::Whole(..) => text.parse().unwrap_or_else(|_| text.into()),
        Kind::Any
        | Kind::Text(_)
        | Kind::Template
        | Kind::Status
        | Kind::Rows
        | Kind::Schema
        | Kind::Part(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Fields(_)
        | Kind::Either(_) => text.into(),
    }
}

fn kind(of: &Kind) -> Value {
    match of {
        Kind::Any => json!({}),
        Kind::Text(_) => json!({"type": "string"}),
        Kind::Template => json!({"type": ["string", "number", "boolean"]}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Status => json!({"anyOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5]xx$"},
        ]}),
        Kind::Rows => json!({
            "type": ["number", "string"],
            "not": {"type": "string", "pattern": "\\{\\{"},
        }),
        Kind::Schema => json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        Kind::Part(name) => json!({"$ref": format!("#/$defs/{name}")}),
        Kind::List(items) => json!({"type": "array", "items": kind(items)}),
        Kind::Map(values) => json!({"type": "object", "additionalProperties": kind(values)}),
        Kind::Fields(values) => json!({
            "type": "object",
            "additionalProperties": kind(values),
            "propertyNames": {"not": {"pattern": framing()}},
        }),
        Kind::Either(all) => json!({"anyOf": all.iter().map(kind).collect::<Vec<_>>()}),
    }
}

/// The names of the header fields that nobody sets, in upper or lower case: expressions of JSON
/// Schema (ECMA-262) know no flag for that.
fn framing() -> String {
    let letter = |c: char| match c {
        'a'..='z' => format!("[{c}{}]", c.to_ascii_uppercase()),
        _ => c.to_string(),
    };
    let names = FRAMING.iter().map(|name| name.chars().map(letter).collect::<String>());
    format!("^({})$", names.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        catalog::{
            files::Files,
            form::fields::read,
            format::{
                action::{self, Expected},
                all::{ACTION, BLUEPRINT, INTEGRATIONS, SANDBOX},
                blueprint::{self, Identity},
                integration,
            },
            listing::Top,
            tree::{self, Node},
            yaml,
        },
        diagnostic::{Diagnostics, SourceFile},
        model::schema::Schema,
        schema as schemas,
    };

    /// Reads a file of a format.
    type Read<'a> = &'a dyn Fn(&Arc<Node>, &mut Diagnostics);

    #[test]
    fn the_shipped_files_fit_what_editors_are_told() {
        let files = Files::new(None);
        for (top, format) in [(Top::Blueprints, &BLUEPRINT), (Top::Actions, &ACTION)] {
            let schema = schemas::compile(&schema(format)).unwrap();
            for entry in files.all(top).unwrap() {
                let tree = files.read(&entry.location).unwrap().tree;
                let found = schemas::check(&schema, &tree.to_json());
                assert!(found.is_empty(), "{}: {found:?}", entry.location.shown());
            }
        }
        let sandbox = schemas::compile(&schema(&SANDBOX)).unwrap();
        let mut read = 0;
        let blueprints = files.all(Top::Blueprints).unwrap().into_iter();
        for location in blueprints.filter_map(|entry| entry.sandbox.as_ref()) {
            let found = schemas::check(&sandbox, &files.read(location).unwrap().tree.to_json());
            assert!(found.is_empty(), "{}: {found:?}", location.shown());
            read += 1;
        }
        assert!(read > 20);
        let whole = schemas::compile(&schema(&INTEGRATIONS)).unwrap();
        let entry = |more: &str| {
            let entry = format!("{{\"extends_blueprint\": \"a:v0\"{more}}}");
            serde_json::from_str(&format!("{{\"integrations\": {{\"a\": {entry}}}}}")).unwrap()
        };
        for (more, fits) in [
            ("", true),
            (", \"oauth_scopes\": [\"a b\"]", true),
            (", \"oauth_scopes\": \"\"", true),
            (
                ", \"responses\": [{\"when\": {\"status\": [429, \"5xx\"]}, \"is\": \"retry\", \"wait\": [\"1s\"]}]",
                true,
            ),
            (", \"responses\": [{\"when\": {\"stats\": 429}, \"is\": \"retry\"}]", false),
            (", \"oauth_scope\": []", false),
            (
                ", \"http_request_timeout_seconds\": \"${SECONDS}\", \"log_level\": \"${LEVEL}\"",
                true,
            ),
            (", \"http_request_timeout_seconds\": \"5\"", false),
            (", \"log_level\": \"loud\"", false),
        ] {
            assert_eq!(schemas::check(&whole, &entry(more)).is_empty(), fits, "{more}");
        }
    }

    /// Codes of what a schema can see, too.
    const SEEN: [&str; 5] = [
        "file.unknown-key",
        "file.foreign-key",
        "file.wrong-type",
        "file.unknown-value",
        "file.bad-schema",
    ];

    /// A value that may stand there.
    fn sample(kind: &Kind, format: &Description) -> Value {
        match kind {
            Kind::Any | Kind::Template => "x".into(),
            Kind::Text(example) => example.unwrap_or("x").into(),
            Kind::Bool => true.into(),
            Kind::Whole(..) | Kind::Rows => 7.into(),
            Kind::Status => 404.into(),
            Kind::Schema => json!({"type": "object"}),
            Kind::List(items) => json!([sample(items, format)]),
            Kind::Map(values) | Kind::Fields(values) => json!({"x": sample(values, format)}),
            Kind::Either(all) => sample(all.last().unwrap(), format),
            Kind::Part(name) => match &format.part(name).unwrap().what {
                What::Choice(words) => words[0].name.into(),
                What::Object(rows) => {
                    let needed = rows.iter().filter(|row| row.needed);
                    needed.map(|row| (row.name.to_owned(), of_row(row, format))).collect()
                }
            },
        }
    }

    fn of_row(row: &Row, format: &Description) -> Value {
        row.example.map_or_else(|| sample(&row.kind, format), Value::from)
    }

    /// How a value is put into what holds it.
    type Place = fn(Value) -> Value;

    /// The parts that a kind leads to.
    fn below(kind: &Kind) -> Vec<(&'static str, Place)> {
        let itself: Place = |value| value;
        let listed: Place = |value| json!([value]);
        let named: Place = |value| json!({"x": value});
        if let Kind::Either(all) = kind {
            return all.iter().flat_map(below).collect();
        }
        let (inner, place) = if let Kind::List(inner) = kind {
            (&**inner, listed)
        } else if let Kind::Map(inner) | Kind::Fields(inner) = kind {
            (&**inner, named)
        } else {
            (kind, itself)
        };
        if let Kind::Part(name) = inner { vec![(name, place)] } else { Vec::new() }
    }

    /// A value of the key that decides whose keys there are.
    type Owner = Option<(&'static str, &'static str)>;

    /// Nobody, and each value of the deciding key, if there is one.
    fn owners_of(rows: &[Row], format: &Description) -> Vec<Owner> {
        let by = rows.iter().find_map(|row| Some(row.owners.as_ref()?.by));
        let deciding = by.and_then(|by| rows.iter().find(|row| row.name == by));
        let mut all = vec![None];
        if let (Some(by), Some(Row { kind: Kind::Part(name), .. })) = (by, deciding)
            && let What::Choice(words) = &format.part(name).unwrap().what
        {
            all.extend(words.iter().map(|word| Some((by, word.name))));
        }
        all
    }

    fn belongs(row: &Row, owner: Owner) -> bool {
        let owners = row.owners.as_ref();
        owners.is_none_or(|all| owner.is_some_and(|(_, word)| all.values.contains(&word)))
    }

    /// Whether a list of lists may stand there.
    fn takes_all(kind: &Kind) -> bool {
        match kind {
            Kind::Any => true,
            Kind::List(inner) => takes_all(inner),
            Kind::Either(all) => all.iter().any(takes_all),
            Kind::Text(_)
            | Kind::Template
            | Kind::Bool
            | Kind::Whole(..)
            | Kind::Status
            | Kind::Rows
            | Kind::Schema
            | Kind::Part(_)
            | Kind::Map(_)
            | Kind::Fields(_) => false,
        }
    }

    struct Corpus<'a> {
        format: &'a Description,
        schema: Schema,
        read: Read<'a>,
        met: Vec<&'static str>,
        files: usize,
        wrong: Vec<String>,
    }

    impl Corpus<'_> {
        /// What the reader says that a schema can see, too: the sentence and its place.
        fn told(&self, text: &str) -> Vec<(String, usize)> {
            let source = SourceFile { name: "t".into(), text: text.to_owned() };
            let tree = yaml::parse(&Arc::new(source)).unwrap().tree;
            let mut found = Diagnostics::default();
            (self.read)(&tree, &mut found);
            let seen = found.list().iter().filter(|d| SEEN.contains(&d.code));
            let start = |place: &crate::diagnostic::Place| place.span.start;
            seen.map(|d| (d.message.clone(), d.place.as_ref().map_or(0, start))).collect()
        }

        fn both(&mut self, file: &Value, expected: Option<bool>) {
            self.files += 1;
            let text = file.to_string();
            let told = self.told(&text);
            let refused = schemas::check(&self.schema, file);
            let agree = told.is_empty() == refused.is_empty();
            if !agree || expected.is_some_and(|fits| fits != told.is_empty()) {
                self.wrong.push(format!("{text}\n  reader: {told:?}\n  schema: {refused:?}"));
            }
        }

        /// An object in which every key has a value of the wrong type: no fault hides another.
        fn all_wrong(&mut self, rows: &[Row], owner: Owner, wrap: &dyn Fn(Value) -> Value) {
            let mut object = Map::new();
            for row in rows.iter().filter(|row| belongs(row, owner) && !takes_all(&row.kind)) {
                object.insert(row.name.to_owned(), json!([[[]]]));
            }
            if let Some((by, word)) = owner {
                object.insert(by.to_owned(), word.into());
            }
            let expected = object.len() - usize::from(owner.is_some());
            let text = wrap(object.into()).to_string();
            let mut places: Vec<usize> = self.told(&text).iter().map(|told| told.1).collect();
            places.sort_unstable();
            places.dedup();
            if places.len() < expected {
                self.wrong.push(format!("{} of {expected} faults are told: {text}", places.len()));
            }
        }

        fn part(&mut self, name: &'static str, wrap: &dyn Fn(Value) -> Value) {
            if self.met.contains(&name) {
                return;
            }
            self.met.push(name);
            let format = self.format;
            let What::Object(rows) = &format.part(name).unwrap().what else { return };
            let base = sample(&Kind::Part(name), format);
            let with = |key: &str, value: Value, owner: Owner| {
                let mut object = base.as_object().unwrap().clone();
                if let Some((by, owner)) = owner {
                    object.insert(by.to_owned(), owner.into());
                }
                object.insert(key.to_owned(), value);
                wrap(object.into())
            };
            self.both(&with("zzz", 1.into(), None), Some(false));
            for owner in owners_of(rows, format) {
                self.all_wrong(rows, owner, wrap);
            }
            for row in rows {
                let owned = row.owners.is_some();
                for owner in owners_of(rows, format).into_iter().filter(|o| o.is_some() == owned) {
                    let mine =
                        rows.iter().any(|other| other.name == row.name && belongs(other, owner));
                    self.both(&with(row.name, of_row(row, format), owner), Some(mine));
                    if mine && !matches!(row.kind, Kind::Any) {
                        self.both(&with(row.name, json!([[[]]]), owner), None);
                        self.both(&with(row.name, json!(true), owner), None);
                    }
                }
                for (child, place) in below(&row.kind) {
                    let owner = row.owners.as_ref().map(|owners| (owners.by, owners.values[0]));
                    let inner = |value: Value| with(row.name, place(value), owner);
                    self.part(child, &inner);
                }
            }
        }
    }

    #[test]
    fn schemas_and_readers_refuse_the_same_keys() {
        let expected = Expected { name: "", folder: "", blueprint: None, paginate: None };
        let (mut files, mut wrong) = (0, Vec::new());
        let whole: Read<'_> =
            &|node, found| drop(read(node, blueprint::form(&Identity::nobody()), found));
        let action: Read<'_> = &|node, found| drop(read(node, action::form(expected), found));
        // What an entry overrides is read as part of its blueprint.
        let entries: Read<'_> = &|node, found| {
            read(node, integration::file(), found);
            for (_, entry) in node.get("integrations").iter().flat_map(|all| all.entries()) {
                let own = |key: &str| integration::overrides().contains(&key);
                let kept = entry.entries().iter().filter(|(key, _)| own(&key.name)).cloned();
                let kind = tree::Kind::Map(kept.collect());
                whole(&Arc::new(Node { kind, ..Node::clone(entry) }), found);
            }
        };
        for (format, read) in [(&BLUEPRINT, whole), (&ACTION, action), (&INTEGRATIONS, entries)] {
            let description = (format.describe)();
            let schema = schemas::compile(&schema(format)).unwrap();
            let root = description.parts[0].name;
            let mut corpus = Corpus {
                format: &description,
                schema,
                read,
                met: Vec::new(),
                files: 0,
                wrong: Vec::new(),
            };
            corpus.part(root, &|value| value);
            files += corpus.files;
            wrong.extend(corpus.wrong);
        }
        assert!(wrong.is_empty(), "{} of {files}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(files > 1000, "only {files}");
    }
}
