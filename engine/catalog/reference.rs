//! The JSON Schemas of the four formats, derived from the types that read them.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::catalog::spec::{
    action::ActionSpec,
    blueprint::{BlueprintSpec, SandboxSpec},
    integration::IntegrationsSpec,
};

/// `blueprints/<name>/vN.yaml`
pub fn blueprint() -> String {
    format!("{:#}", of::<BlueprintSpec>("Blueprint"))
}

/// `blueprints/<name>/vN.sandbox.yaml`: its name, and what `sandbox` of a blueprint may hold.
pub fn sandbox() -> String {
    let mut schema = of::<SandboxSpec>("Sandbox");
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let text = "The blueprint, `name:vN`; the same as the file's place.";
        let name = ("sandbox".to_owned(), json!({"type": "string", "description": text}));
        let below = std::mem::take(properties);
        *properties = [name].into_iter().chain(below).collect::<Map<_, _>>();
    }
    if let Some(map) = schema.as_object_mut() {
        map.insert("required".to_owned(), json!(["sandbox"]));
    }
    format!("{schema:#}")
}

/// `integrations.yaml`
pub fn integrations() -> String {
    format!("{:#}", of::<IntegrationsSpec>("integrations.yaml"))
}

/// `actions/<blueprint>/<name>.yaml`
pub fn action() -> String {
    format!("{:#}", of::<ActionSpec>("Action"))
}

/// The schema of a format, draft 2020-12.
fn of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema: Value = generator.into_root_schema_for::<T>().into();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), title.into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::files::{Files, Top},
        schema,
    };

    #[test]
    fn the_shipped_files_fit_what_editors_are_told() {
        let files = Files::new(None);
        for (top, schema) in [(Top::Blueprints, blueprint()), (Top::Actions, action())] {
            let schema = schema::compile(&serde_json::from_str(&schema).unwrap()).unwrap();
            for entry in files.all(top) {
                let tree = files.read(&entry.location).unwrap();
                let found = schema::check(&schema, &tree.to_json());
                assert!(found.is_empty(), "{}: {found:?}", entry.location.shown());
            }
        }
        let schema = schema::compile(&serde_json::from_str(&sandbox()).unwrap()).unwrap();
        let mut read = 0;
        for location in files.all(Top::Blueprints).filter_map(|entry| entry.sandbox.as_ref()) {
            let found = schema::check(&schema, &files.read(location).unwrap().to_json());
            assert!(found.is_empty(), "{}: {found:?}", location.shown());
            read += 1;
        }
        assert!(read > 20, "{read} sandboxes");
        let whole: Value = serde_json::from_str(&integrations()).unwrap();
        let whole = schema::compile(&whole).unwrap();
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
        ] {
            assert_eq!(schema::check(&whole, &entry(more)).is_empty(), fits, "{more}");
        }
    }
}
