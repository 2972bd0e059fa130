//! What there is: integrations, blueprints, actions.

use serde::Serialize;
use serde_json::Value;

use crate::{
    catalog::{ActionSummary, BlueprintSummary, IntegrationSummary},
    model::schema::Schema,
};

/// An entry of `integrations.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Integration {
    /// Its name.
    pub integration: String,
    /// What it extends, as written.
    pub blueprint: String,
    /// The blueprint's title.
    pub title: String,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

impl From<IntegrationSummary> for Integration {
    fn from(summary: IntegrationSummary) -> Self {
        let IntegrationSummary { name, blueprint, title, problem } = summary;
        Self { integration: name, blueprint, title, problem }
    }
}

/// A blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blueprint {
    /// `name:vN`
    pub blueprint: String,
    /// Its title.
    pub title: String,
    /// Its `auth_mode`.
    pub auth: String,
    /// `project` or `built-in`.
    pub from: &'static str,
    /// Its `categories`, joined by commas.
    pub categories: String,
}

impl From<BlueprintSummary> for Blueprint {
    fn from(summary: BlueprintSummary) -> Self {
        let BlueprintSummary { id, title, categories, auth_mode, project, .. } = summary;
        Self {
            blueprint: id,
            title,
            auth: auth_mode,
            from: if project { "project" } else { "built-in" },
            categories: categories.join(", "),
        }
    }
}

/// An action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// The name of its blueprint.
    pub blueprint: String,
    /// Its name.
    pub action: String,
    /// `read`, `write` or `delete`.
    pub effect: String,
    /// What it takes.
    pub input: Inputs,
    /// What it does.
    pub description: Option<String>,
}

impl From<&ActionSummary> for Action {
    fn from(summary: &ActionSummary) -> Self {
        let ActionSummary { blueprint, name, description, effect, input, .. } = summary;
        Self {
            blueprint: blueprint.clone(),
            action: name.clone(),
            effect: effect.clone(),
            input: Inputs::Names(input.join(" ")),
            description: description.clone(),
        }
    }
}

/// The inputs of an action.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Inputs {
    /// In a list of actions: the names, required ones with a `*`.
    Names(String),
    /// Of a single action.
    Whole(Vec<Input>),
}

impl Inputs {
    /// All that an input schema says.
    pub fn of(schema: &Schema) -> Self {
        let input = |(name, property): (&str, &Value)| {
            let get = |key: &str| property.get(key).cloned();
            Input {
                name: name.to_owned(),
                kind: get("type").or_else(|| get("enum")),
                required: schema.requires(name),
                default: get("default"),
                about: get("description"),
            }
        };
        Self::Whole(schema.properties().map(input).collect())
    }
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its JSON type, or the values that it can have.
    #[serde(rename = "type")]
    pub kind: Option<Value>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is if it is not given.
    pub default: Option<Value>,
    /// Its description.
    pub about: Option<Value>,
}

/// A row that can be searched.
pub trait Searched {
    /// The texts that words are looked for in.
    fn texts(&self) -> Vec<&str>;
    /// The blueprint that it belongs to.
    fn blueprint(&self) -> &str;
    /// The name of the action, if it is one.
    fn action(&self) -> Option<&str> {
        None
    }
}

impl Searched for Integration {
    fn texts(&self) -> Vec<&str> {
        let problem = self.problem.as_deref().unwrap_or_default();
        vec![&self.integration, &self.blueprint, &self.title, problem]
    }

    fn blueprint(&self) -> &str {
        &self.blueprint
    }
}

impl Searched for Blueprint {
    fn texts(&self) -> Vec<&str> {
        vec![&self.blueprint, &self.title, &self.auth, self.from, &self.categories]
    }

    fn blueprint(&self) -> &str {
        &self.blueprint
    }
}

impl Searched for Action {
    fn texts(&self) -> Vec<&str> {
        let input = match &self.input {
            Inputs::Names(names) => names.as_str(),
            Inputs::Whole(_) => "",
        };
        let description = self.description.as_deref().unwrap_or_default();
        vec![&self.blueprint, &self.action, &self.effect, input, description]
    }

    fn action(&self) -> Option<&str> {
        Some(&self.action)
    }

    fn blueprint(&self) -> &str {
        &self.blueprint
    }
}
