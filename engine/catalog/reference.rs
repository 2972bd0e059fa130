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
