//! An integration and its actions, as one value.

use std::sync::Arc;

use crate::{
    catalog::{
        actions::{Actions, versioned},
        base::Base,
        error::{self, Error},
        slots::Lasting,
    },
    diagnostic::{Diagnostics, suggest},
    model::blueprint::{Blueprint, Integration},
    policy::plan::PreparedAction,
    value::glob,
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

impl Lasting for Loaded {
    fn lasts(&self) -> bool {
        !self.usable.as_ref().is_err_and(Error::passes) && !error::passes(&self.found)
    }
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
        let known = self.action_names()?;
        let has_none = actions.stems()?.is_empty();
        let hint = suggest(name, known.iter().copied()).or_else(|| {
            let none = if has_none {
                format!("`{}` has no actions", integration.blueprint.id)
            } else {
                format!("`actions` of `{}` offers none", integration.name)
            };
            known.is_empty().then_some(none)
        });
        let name = format!("{}/{name}", integration.name);
        Err(Error::Unknown { kind: "action", name, hint })
    }

    /// The names of the files of the actions that the entry offers.
    pub fn action_names(&self) -> Result<Vec<&str>, Error> {
        let Ok(Usable { integration, actions, .. }) = &self.usable else { return Ok(Vec::new()) };
        let mut names = actions.stems()?;
        names.retain(|stem| offers(integration, versioned(stem).0));
        Ok(names)
    }

    /// The patterns of the entry's `actions` that fit none of its blueprint's.
    pub fn idle_patterns(&self) -> Vec<&str> {
        let Ok(Usable { integration, actions, .. }) = &self.usable else { return Vec::new() };
        let Ok(stems) = actions.stems() else { return Vec::new() };
        let fits = |text: &str| {
            let pattern = pattern_of(text).1;
            stems.iter().any(|stem| glob::fits(pattern, versioned(stem).0))
        };
        let all = integration.actions.iter().flatten().map(String::as_str);
        all.filter(|pattern| !fits(pattern)).collect()
    }

    /// Whether the entry offers an action of this name, were there one.
    pub fn offers(&self, action: &str) -> bool {
        self.usable.as_ref().is_ok_and(|usable| offers(&usable.integration, versioned(action).0))
    }

    /// Whether an action has been read, and is sound.
    pub fn is_ready(&self, action: &str) -> bool {
        self.usable.as_ref().is_ok_and(|usable| usable.actions.is_ready(action))
    }

    fn usable(&self) -> Result<&Usable, Error> {
        self.usable.as_ref().map_err(Clone::clone)
    }
}

/// Whether the entry offers an action: by the last pattern that fits its name, `!` before one takes
/// away. Where there are only such ones, all others are offered.
fn offers(integration: &Integration, action: &str) -> bool {
    let Some(patterns) = &integration.actions else { return true };
    let fit = patterns.iter().rev().map(|pattern| pattern_of(pattern));
    let mut fit = fit.filter(|(_, pattern)| glob::fits(pattern, action));
    fit.next().map_or_else(
        || !patterns.is_empty() && patterns.iter().all(|pattern| !pattern_of(pattern).0),
        |(adds, _)| adds,
    )
}

/// Whether a pattern adds actions or takes some away, and its text without the `!`.
fn pattern_of(text: &str) -> (bool, &str) {
    text.strip_prefix('!').map_or((true, text), |pattern| (false, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_offered_by_the_last_pattern_that_fits() {
        let mut integration = testing();
        for (patterns, offered) in [
            (None, "list-a del-a del-b"),
            (Some(&[][..]), ""),
            (Some(&["*"]), "list-a del-a del-b"),
            (Some(&["*", "!del-*"]), "list-a"),
            (Some(&["!del-*", "del-b"]), "del-b"),
            (Some(&["!del-*"]), "list-a"),
            (Some(&["list-*"]), "list-a"),
        ] {
            integration.actions =
                patterns.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
            let all = ["list-a", "del-a", "del-b"].into_iter();
            let found: Vec<&str> = all.filter(|name| offers(&integration, name)).collect();
            assert_eq!(found.join(" "), offered, "{patterns:?}");
        }
    }

    fn testing() -> Integration {
        let file = Arc::default();
        let snapshot = crate::catalog::Snapshot::open(None, &file);
        let loaded = snapshot.integration("slack").unwrap();
        Integration::clone(&loaded.shape().unwrap())
    }
}
