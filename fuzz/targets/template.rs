//! Any text as a template, evaluated over a small scope: a value or a fault, within its budget.

#![no_main]

use engine::{model::time::Timestamp, template::{self, Scope}};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let Ok(parsed) = template::parse(text) else { return };
    let input = json!({"a": [1, "x", null, {"b": true}], "id": "19:x@thread", "n": 1.5, "items": []});
    let scope = Scope::new(Timestamp(1_700_000_000_000)).with("input", &input).with("body", &input);
    drop(template::value(&parsed, &scope));
    drop(template::path(&parsed, &scope));
    drop(template::header(&parsed, &scope));
});
