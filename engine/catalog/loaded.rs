//! An integration and its actions, as one value.

use std::sync::Arc;

use crate::{
    catalog::{
        actions::{Actions, versioned},
        base::Base,
        error::Error,
    },
    diagnostic::{Diagnostics, suggest},
    model::blueprint::{Blueprint, Integration},
    policy::plan::PreparedAction,
};

/// An integration and its actions.
#[derive(Debug)]
pub struct Loaded {
    usable: Result<Usable, Error>,
    /// Why it cannot be used for real although it is sound: variables and settings are missing.
    blocked: Option<Error>,
    /// All that was found, warnings included.
    pub found: Diagnostics,
}

/// An integration without faults.
#[derive(Debug)]
pub struct Usable {
    /// Without its sandbox.
    pub integration: Arc<Integration>,
    /// Of its blueprint, whether the entry offers them or not.
    pub actions: Arc<Actions>,
    /// `None` for an entry that is its own blueprint.
    pub base: Option<Arc<Base>>,
}

impl Loaded {
    /// `blocked` is why it cannot be used for real, if so; `found` all that was found.
    pub fn new(usable: Result<Usable, Error>, blocked: Option<Error>, found: Diagnostics) -> Self {
        Self { usable, blocked, found }
    }

    /// The integration for use.
    pub fn live(&self) -> Result<Arc<Integration>, Error> {
        match &self.blocked {
            Some(error) => Err(error.clone()),
            None => self.shape(),
        }
    }

    /// The integration for its shape alone: what its files say, whatever variables are missing.
    pub fn shape(&self) -> Result<Arc<Integration>, Error> {
        self.usable().map(|usable| Arc::clone(&usable.integration))
    }

    /// The integration with its sandbox, which asks for no variables.
    pub fn sandbox(&self) -> Result<Arc<Integration>, Error> {
        let Usable { integration, base, .. } = self.usable()?;
        let sandbox = base.as_ref().map_or(Ok(None), |base| base.sandbox())?;
        let blueprint = Blueprint { sandbox, ..Blueprint::clone(&integration.blueprint) };
        let blueprint = Arc::new(blueprint);
        Ok(Arc::new(Integration { blueprint, ..Integration::clone(integration) }))
    }

    /// An action by its name, if the entry offers it.
    pub fn action(&self, name: &str) -> Result<Arc<PreparedAction>, Error> {
        let Usable { integration, actions, .. } = self.usable()?;
        let offered = Some(name).filter(|name| offers(integration, versioned(name).0));
        if let Some(action) = offered.and_then(|name| actions.get(name)) {
            return action;
        }
        let known: Vec<&str> = self.action_names().collect();
        let hint = suggest(name, known.iter().copied()).or_else(|| {
            known.is_empty().then(|| format!("`{}` has no actions", integration.blueprint.id))
        });
        let name = format!("{}/{name}", integration.name);
        Err(Error::Unknown { kind: "action", name, hint })
    }

    /// The names of the files of the actions that the entry offers.
    pub fn action_names(&self) -> impl Iterator<Item = &str> {
        self.usable.iter().flat_map(|usable| {
            usable.actions.stems().filter(|stem| offers(&usable.integration, stem))
        })
    }

    /// Whether an action has been read, and is sound.
    pub fn is_ready(&self, action: &str) -> bool {
        self.usable.as_ref().is_ok_and(|usable| usable.actions.is_ready(action))
    }

    fn usable(&self) -> Result<&Usable, Error> {
        self.usable.as_ref().map_err(Clone::clone)
    }
}

fn offers(integration: &Integration, action: &str) -> bool {
    let globs = &integration.actions;
    globs.is_empty() || globs.iter().any(|glob| fits(glob, action))
}

/// `*` stands for any characters.
fn fits(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("*", "x", true),
            ("list-*", "list-a", true),
            ("list-*", "post", false),
            ("*-a*b", "x-a-b", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }
}
