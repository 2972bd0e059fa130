//! The JSON Schemas of the three formats, derived from the types that read them.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::catalog::spec::{
    action::ActionSpec, blueprint::BlueprintSpec, integration::IntegrationsSpec,
};

/// `blueprints/<name>/vN.yaml`
pub fn blueprint() -> String {
    of::<BlueprintSpec>("Blueprint")
}

/// `integrations.yaml`
pub fn integrations() -> String {
    of::<IntegrationsSpec>("integrations.yaml")
}

/// `actions/<blueprint>/<name>.yaml`
pub fn action() -> String {
    of::<ActionSpec>("Action")
}

/// The schema of a format as JSON text, draft 2020-12.
fn of<T: JsonSchema>(title: &str) -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema: Value = generator.into_root_schema_for::<T>().into();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), title.into());
    }
    format!("{schema:#}")
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
