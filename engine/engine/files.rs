//! What the files say: lists, an integration and its actions, checks, tests.

use std::{path::PathBuf, sync::Arc};

use crate::{
    catalog::{Snapshot, Testable},
    engine::parts::Engine,
    error::Error,
    model::blueprint::Integration,
    policy::plan::PreparedAction,
    suite::{self, CaseReport},
    view::{self, Inputs, Searched, Shown, TestCase, TestFile, TestReport},
};

impl Engine {
    /// An integration for its shape alone: what its files say, whatever variables are missing.
    pub fn integration(&self, name: &str) -> Result<Arc<Integration>, Error> {
        Ok(self.catalog().integration(name)?.shape()?)
    }

    /// An action of an integration.
    pub fn action(&self, integration: &str, name: &str) -> Result<Arc<PreparedAction>, Error> {
        Ok(self.catalog().integration(integration)?.action(name)?)
    }

    /// The entries in which all `words` occur.
    pub fn integrations(&self, words: &[String]) -> Result<Vec<view::Integration>, Error> {
        let catalog = self.catalog();
        let all = catalog.integrations()?.map(view::Integration::from);
        Ok(found(&catalog, all, words))
    }

    /// The blueprints in which all `words` occur.
    pub fn blueprints(&self, words: &[String]) -> Vec<view::Blueprint> {
        let all = self.catalog().blueprints().into_iter().map(view::Blueprint::from);
        found(&self.catalog(), all, words)
    }

    /// The actions in which all `words` occur; the name of an entry stands for the blueprints that
    /// it extends.
    pub fn actions(&self, words: &[String]) -> Vec<view::Action> {
        let catalog = self.catalog();
        let all = catalog.actions().iter().map(view::Action::from);
        found(&catalog, all, words)
    }

    /// A listed action with all that its input schema says.
    pub fn with_inputs(&self, action: view::Action) -> Result<view::Action, Error> {
        let whole = self.action(&action.blueprint, &action.action)?;
        Ok(view::Action { input: Inputs::of(&whole.action.input), ..action })
    }

    /// The merged configuration of an integration, secrets masked.
    pub fn show(&self, integration: &str) -> Result<Shown, Error> {
        Ok(Shown::new(&*self.catalog().show(integration)?, integration))
    }

    /// Checks the project's files (without a project, the built-in ones), or only those named.
    pub fn check(&self, paths: &[PathBuf]) -> view::Check {
        self.catalog().check(paths).into()
    }

    /// Runs the tests that stand in the project's files (without a project, in the built-in ones),
    /// or only those in the files named.
    pub fn test(&self, paths: &[PathBuf]) -> TestReport {
        self.catalog().testable(paths).into_iter().map(run_tests).collect()
    }
}

fn run_tests(testable: Testable) -> TestFile {
    let (file, cases) = match testable {
        Testable::Blueprint(file, blueprint) => (file, suite::rules(&blueprint)),
        Testable::Action(file, action, integration) => {
            (file, suite::actions(&action, &integration))
        }
        Testable::Broken(file, error) => {
            let problems = vec![error.to_string()];
            let case = CaseReport { name: "the file".to_owned(), line: 1, problems, diff: None };
            (file, vec![case])
        }
    };
    TestFile { file, cases: cases.into_iter().map(TestCase::from).collect() }
}

/// A word of a search, in lower case.
struct Word {
    text: String,
    /// If it names an entry, which may be named otherwise than its blueprint: its blueprints.
    extends: Vec<String>,
}

impl Word {
    fn new(catalog: &Snapshot, word: &str) -> Self {
        let loaded = catalog.integration(word).and_then(|loaded| loaded.shape());
        let chain = loaded.iter().flat_map(|integration| &*integration.blueprint.chain);
        let extends = chain.map(|id| id.name().to_owned()).collect();
        Self { text: word.to_lowercase(), extends }
    }

    fn fits(&self, text: &str, blueprint: &str) -> bool {
        text.contains(&self.text) || self.extends.iter().any(|name| name == blueprint)
    }
}

fn found<R: Searched>(
    catalog: &Snapshot,
    rows: impl Iterator<Item = R>,
    words: &[String],
) -> Vec<R> {
    let words: Vec<Word> = words.iter().map(|word| Word::new(catalog, word)).collect();
    let fits = |row: &R| {
        let text = row.texts().join(" ").to_lowercase();
        words.iter().all(|word| word.fits(&text, row.blueprint()))
    };
    rows.filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_occurs_or_names_an_entry() {
        let word = |text: &str, extends: &[&str]| Word {
            text: text.to_owned(),
            extends: extends.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (word, fits) in [
            (word("slack", &[]), true),
            (word("post", &[]), true),
            (word("x", &[]), false),
            (word("team", &["chat", "slack"]), true),
            (word("team", &["chat"]), false),
        ] {
            assert_eq!(word.fits("slack post-message", "slack"), fits, "{}", word.text);
        }
    }
}
