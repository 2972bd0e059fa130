//! The published descriptions of the files: JSON Schemas, and pages of the reference.

use serde_json::{Value, json};

use crate::{
    catalog::{
        formats::{self, Format},
        manual, reference,
    },
    render::Text,
    template::functions,
};

static HELPERS: Text = Text::plain(include_str!("helpers.md.hbs"));

/// What is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Described {
    /// `blueprints/<name>/vN.yaml`
    Blueprint,
    /// `blueprints/<name>/vN.sandbox.yaml`
    Sandbox,
    /// `integrations.yaml`
    Integrations,
    /// `actions/<blueprint>/<name>.yaml`
    Action,
    /// The helpers of templates, which have a page and no schema.
    Helpers,
}

impl Described {
    fn format(self) -> Option<&'static Format> {
        match self {
            Self::Blueprint => Some(&formats::BLUEPRINT),
            Self::Sandbox => Some(&formats::SANDBOX),
            Self::Integrations => Some(&formats::INTEGRATIONS),
            Self::Action => Some(&formats::ACTION),
            Self::Helpers => None,
        }
    }

    /// The JSON Schema; `None` for helpers.
    pub fn schema(self) -> Option<Value> {
        self.format().map(reference::schema)
    }

    /// A page of the reference, in Markdown.
    pub fn page(self) -> String {
        self.format().map_or_else(helpers, manual::page)
    }
}

/// The helpers of templates, as Markdown.
fn helpers() -> String {
    let escaped = |text: &str| text.replace('|', "\\|");
    let rows = functions::ALL.iter().map(|function| {
        json!({
            "name": function.name,
            "doc": escaped(function.doc),
            "example": escaped(function.example),
        })
    });
    HELPERS.render(&json!({"helpers": rows.collect::<Value>()}))
}
