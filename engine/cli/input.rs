//! `name=value` and its relatives: words of a command line into JSON by a schema.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use serde_json::{Map, Value};

use crate::{
    error::{CallCode, Error},
    file,
    model::{run_limits::RunLimits, time::parse_span},
};

/// Largest text that is read from a file or standard input, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// How the value of a word is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `name=value`: typed by the schema.
    Typed,
    /// `name:=JSON`: as it stands.
    Json,
    /// `name==value`: a query parameter.
    Query,
}

/// The members and query parameters of some words.
#[derive(Debug, Default, PartialEq)]
pub struct Words {
    /// By name, in order.
    pub members: Map<String, Value>,
    /// In order.
    pub query: Vec<(String, String)>,
}

/// Reads words by a schema; `{}` leaves texts as they are. A name that occurs again makes a list.
pub fn words(words: &[String], schema: &Value) -> Result<Words, Error> {
    let mut read = Words::default();
    // How often each name stood there.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words {
        let (name, mark, text) = split(word)?;
        let value = value(name, (mark, text), property(schema, name))?;
        if mark == Mark::Query {
            read.query.push((name.to_owned(), plain(value)));
            continue;
        }
        let count = seen.entry(name).or_default();
        *count += 1;
        match (read.members.get_mut(name), *count) {
            (Some(Value::Array(list)), 3..) => list.push(value),
            (Some(first), 2) => *first = Value::Array(vec![first.take(), value]),
            (Some(_) | None, _) => drop(read.members.insert(name.to_owned(), value)),
        }
    }
    for (name, value) in &mut read.members {
        // A list of one, if a list is wanted.
        let once = seen.get(name.as_str()) == Some(&1);
        if once && !value.is_array() && !value.is_null() && only(property(schema, name), "array") {
            *value = Value::Array(vec![value.take()]);
        }
    }
    Ok(read)
}

/// `--input`: JSON, `@file`, or `-`.
pub fn whole(text: &str) -> Result<Map<String, Value>, Error> {
    let text = match text.strip_prefix('@') {
        Some(path) => file(path)?,
        None if text == "-" => stdin()?,
        None => text.to_owned(),
    };
    match json("--input", &text)? {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(unreadable_input(
                "`--input` is not a JSON object",
                "write it as `{\"name\": \"value\"}`",
            ))
        }
    }
}

/// A body: a text, `@file`, or `-`. What is read from elsewhere stays as it is, byte by byte.
pub fn body(text: &str) -> Result<Vec<u8>, Error> {
    match text.strip_prefix('@') {
        Some("-") => bytes("standard input", io::stdin().lock()),
        Some(path) => bytes(path, open(path)?),
        None if text == "-" => bytes("standard input", io::stdin().lock()),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// A span of time: `--wait`, `--token-lifetime`.
pub fn span(text: Option<&str>) -> Result<Option<Duration>, Error> {
    let Some(text) = text else { return Ok(None) };
    let span = parse_span(text).ok_or_else(|| {
        let message = format!("`{text}` is not a time span");
        Error::call(CallCode::BadArgument, message, "write it as `30s`, `5m`, `1h`")
    })?;
    Ok(Some(span))
}

/// `--run-limit requests=500`, one after the other.
pub fn run_limits(words: &[String]) -> Result<RunLimits, Error> {
    let mut limits = RunLimits::default();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        limits.set(name, value).map_err(|expected| {
            let message = format!("`--run-limit {word}` cannot be understood");
            Error::call(
                CallCode::BadArgument,
                message,
                format!("write {expected}, as in `requests=500`"),
            )
        })?;
    }
    Ok(limits)
}

/// Standard input to its end, as text, without one line break at the end.
pub fn stdin() -> Result<String, Error> {
    text("standard input", io::stdin().lock())
}

/// A JSON text; `what` names it in messages, which never quote it: it may be a secret.
pub fn json(what: &str, text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        unreadable_input(
            &format!("`{what}` is not valid JSON ({place})"),
            "a text in JSON needs double quotes",
        )
    })
}

/// Name, mark and text of a word.
fn split(word: &str) -> Result<(&str, Mark, &str), Error> {
    let parts = word.split_once('=').map(|(name, text)| match name.strip_suffix(':') {
        Some(name) => (name, Mark::Json, text),
        None => match text.strip_prefix('=') {
            Some(text) => (name, Mark::Query, text),
            None => (name, Mark::Typed, text),
        },
    });
    parts.filter(|(name, _, _)| !name.is_empty()).ok_or_else(|| {
        unreadable_input(
            &format!("`{word}` is not an input"),
            "write `name=value`, or `name:=JSON` for other types",
        )
    })
}

fn value(name: &str, (mark, text): (Mark, &str), schema: Option<&Value>) -> Result<Value, Error> {
    let read = match text.strip_prefix('@') {
        Some("-") => stdin()?,
        Some(path) => file(path)?,
        None => text.to_owned(),
    };
    match mark {
        Mark::Json => json(name, &read),
        Mark::Query => Ok(Value::String(read)),
        Mark::Typed => Ok(typed(read, schema)),
    }
}

/// A text as the type that the schema wants. What does not fit stays a text, so that the schema
/// finds the words for it.
fn typed(text: String, schema: Option<&Value>) -> Value {
    let Some(schema) = schema else { return Value::String(text) };
    if let Some(Value::Array(members)) = schema.get("enum")
        && let Some(member) = members.iter().find(|member| plain_of(member) == text)
    {
        return member.clone();
    }
    if wants(schema, "string") {
        return Value::String(text);
    }
    let parsed: Option<Value> = serde_json::from_str(&text).ok();
    match parsed {
        Some(value) if fits(schema, &value) => value,
        Some(_) | None if wants(schema, "array") => match schema.get("items") {
            Some(items) => typed(text, Some(items)),
            None => Value::String(text),
        },
        Some(_) | None => Value::String(text),
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    match value {
        Value::Null => wants(schema, "null"),
        Value::Bool(_) => wants(schema, "boolean"),
        Value::Number(_) => wants(schema, "number") || wants(schema, "integer"),
        Value::String(_) => false,
        Value::Array(_) => wants(schema, "array"),
        Value::Object(_) => wants(schema, "object"),
    }
}

/// Whether a schema names this type, itself or as one of its alternatives.
fn wants(schema: &Value, name: &str) -> bool {
    let own = match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|one| one == name),
        _ => false,
    };
    let among = |key: &str| {
        let all = schema.get(key).and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|one| wants(one, name)))
    };
    own || among("anyOf") || among("oneOf")
}

/// Whether a schema names this type and no other.
fn only(schema: Option<&Value>, name: &str) -> bool {
    schema.and_then(|schema| schema.get("type")).is_some_and(|kind| kind == name)
}

fn property<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema.get("properties")?.get(name)
}

fn plain(value: Value) -> String {
    if let Value::String(text) = value { text } else { value.to_string() }
}

fn plain_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A file as text, without one line break at the end.
pub fn file(path: &str) -> Result<String, Error> {
    text(path, open(path)?)
}

/// A pipe or a device is refused, unless it is open already: `@<(command)` of a shell.
fn open(path: &str) -> Result<File, Error> {
    let inherited = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"];
    let opened = if inherited.iter().any(|begin| path.starts_with(begin)) {
        File::open(path)
    } else {
        file::open(Path::new(path))
    };
    opened.map_err(|error| unreadable(path, &error))
}

fn text(what: &str, from: impl Read) -> Result<String, Error> {
    let mut text = String::from_utf8(bytes(what, from)?)
        .map_err(|_| unreadable_input(&format!("`{what}` is not UTF-8 text"), "give it as text"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn bytes(what: &str, from: impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(what, &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= LARGEST) {
        return Ok(bytes);
    }
    Err(unreadable_input(
        &format!("`{what}` is larger than {LARGEST} bytes"),
        "give it in smaller parts",
    ))
}

fn unreadable(what: &str, error: &io::Error) -> Error {
    unreadable_input(
        &format!("`{what}` cannot be read: {error}"),
        "`name=@file` reads a file; `name:='\"@x\"'` is a text that begins with `@`",
    )
}

fn unreadable_input(message: &str, hint: &str) -> Error {
    Error::call(CallCode::InputUnreadable, message, hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: &[&str]) -> Result<Words, Error> {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string"},
            "maybe": {"type": ["string", "null"]},
            "count": {"type": "integer"},
            "price": {"type": "number"},
            "on": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "user": {"type": "object"},
            "level": {"enum": [1, "two", null]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        }});
        words(&given.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), &schema)
    }

    #[test]
    fn values_get_the_type_that_the_schema_wants() {
        for (word, expected) in [
            ("text=5", json!({"text": "5"})),
            ("text=a=b", json!({"text": "a=b"})),
            ("text=", json!({"text": ""})),
            ("maybe=null", json!({"maybe": "null"})),
            ("count=5", json!({"count": 5})),
            (
                "count=12345678901234567890123",
                json!({"count": serde_json::from_str::<Value>("12345678901234567890123").unwrap()}),
            ),
            ("count=many", json!({"count": "many"})),
            ("count=true", json!({"count": "true"})),
            ("price=1.50", json!({"price": serde_json::from_str::<Value>("1.50").unwrap()})),
            ("on=true", json!({"on": true})),
            ("on=yes", json!({"on": "yes"})),
            ("tags=a", json!({"tags": ["a"]})),
            ("tags=[\"a\", \"b\"]", json!({"tags": ["a", "b"]})),
            ("ids=7", json!({"ids": [7]})),
            ("user={\"a\": 1}", json!({"user": {"a": 1}})),
            ("level=1", json!({"level": 1})),
            ("level=two", json!({"level": "two"})),
            ("either=null", json!({"either": null})),
            ("unknown=5", json!({"unknown": "5"})),
            ("text:=5", json!({"text": 5})),
            ("text:=\"@x\"", json!({"text": "@x"})),
        ] {
            assert_eq!(Value::Object(read(&[word]).unwrap().members), expected, "{word}");
        }
    }

    #[test]
    fn a_name_given_again_makes_a_list() {
        let found = read(&["tags=a", "count=1", "tags=b", "tags=c", "text=x", "text=y"]).unwrap();
        let expected = json!({"tags": ["a", "b", "c"], "count": 1, "text": ["x", "y"]});
        assert_eq!(Value::Object(found.members), expected);
        let nested = read(&["tags:=[1]", "tags:=[2]"]).unwrap();
        assert_eq!(Value::Object(nested.members), json!({"tags": [[1], [2]]}));
    }

    #[test]
    fn query_parameters_have_two_signs() {
        let found = read(&["limit==3", "q==a=b", "text=x"]).unwrap();
        assert_eq!(found.query, [("limit".into(), "3".into()), ("q".into(), "a=b".into())]);
        assert_eq!(found.members.len(), 1);
    }

    #[test]
    fn files_are_read_and_lose_one_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "5\n\n").unwrap();
        let path = path.display();
        let found = read(&[&format!("text=@{path}"), &format!("count:=@{path}")]).unwrap();
        assert_eq!(Value::Object(found.members), json!({"text": "5\n", "count": 5}));
        assert!(read(&["text=@/nowhere"]).unwrap_err().to_string().contains("/nowhere"));
        std::fs::write(folder.path().join("x"), b"\xff").unwrap();
        assert!(read(&[&format!("text=@{path}")]).unwrap_err().to_string().contains("UTF-8"));
        assert_eq!(body(&format!("@{path}")).unwrap(), b"\xff");
    }

    #[test]
    fn what_is_no_input_is_refused() {
        for word in ["name", "=x", ":=5", "==x", "text:={", "--x"] {
            assert!(read(&[word]).is_err(), "{word}");
        }
        assert_eq!(Value::Object(whole("{\"a\": 1}").unwrap()), json!({"a": 1}));
        for text in ["[1]", "5", "{", "@/nowhere"] {
            assert!(whole(text).is_err(), "{text}");
        }
        let error = json("--credentials-stdin", "{\"token\": MARKED}").unwrap_err();
        assert!(!error.to_string().contains("MARKED"), "{error}");
    }
}
