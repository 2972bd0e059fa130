//! The JSON Schemas of the three formats, derived from the types that read them.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::catalog::spec::{
    action::ActionSpec, blueprint::BlueprintSpec, integration::IntegrationsSpec,
};

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `blueprints/<name>/vN.yaml`
    Blueprint,
    /// `integrations.yaml`
    Integrations,
    /// `actions/<blueprint>/<name>.yaml`
    Action,
}

/// The schema of a format, draft 2020-12.
pub fn schema(format: Format) -> Value {
    match format {
        Format::Blueprint => of::<BlueprintSpec>("Blueprint"),
        Format::Integrations => of::<IntegrationsSpec>("integrations.yaml"),
        Format::Action => of::<ActionSpec>("Action"),
    }
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema: Value = generator.into_root_schema_for::<T>().into();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), title.into());
    }
    schema
}
