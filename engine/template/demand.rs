//! Which parts of an answer are read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::template::{Shape, Template};

/// What of a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Everything.
    All,
    /// These members; of a list, these members of its elements. Empty: only what kind it is.
    Members(BTreeMap<String, Demand>),
}

/// Collects what templates read.
#[derive(Debug, Clone, Default)]
pub struct Demands {}

impl Demands {
    /// Nothing is read.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a template reads.
    pub fn template(&mut self, _t: &Template) {}

    /// What a shape reads.
    pub fn shape(&mut self, _shape: &Shape) {}

    /// `name` stands for the elements of the list at `source`.
    pub fn bind(&mut self, _name: &str, _source: &[&str]) {}

    /// What is read of the value at `path`.
    pub fn of(&self, _path: &[&str]) -> Demand {
        Demand::All
    }
}

/// Reads JSON, keeping what is demanded. Scalars are always kept.
pub fn decode(json: &[u8], _demand: &Demand) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(json)
}
