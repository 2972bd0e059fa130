//! What the files say: lists, an integration and its actions, checks, tests.

use std::{path::PathBuf, sync::Arc};

use crate::{
    catalog::{Loaded, Snapshot, Testable},
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
    pub fn blueprints(&self, words: &[String]) -> Result<Vec<view::Blueprint>, Error> {
        let all = self.catalog().blueprints()?.into_iter().map(view::Blueprint::from);
        Ok(found(&self.catalog(), all, words))
    }

    /// The actions in which all `words` occur; the name of an entry stands for the blueprints that
    /// it extends.
    pub fn actions(&self, words: &[String]) -> Result<Vec<view::Action>, Error> {
        let catalog = self.catalog();
        let all = catalog.actions()?.iter().map(view::Action::from);
        Ok(found(&catalog, all, words))
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
    pub fn test(&self, paths: &[PathBuf]) -> Result<TestReport, Error> {
        Ok(self.catalog().testable(paths)?.into_iter().map(run_tests).collect())
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

/// A word of a search.
struct Word {
    /// In lower case.
    text: String,
    /// The entry that it names, which may be named otherwise than its blueprint.
    entry: Option<Arc<Loaded>>,
    /// The blueprints that the entry extends.
    extends: Vec<String>,
}

impl Word {
    fn new(catalog: &Snapshot, word: &str) -> Self {
        let entry = catalog.integration(word).ok();
        let shape = entry.as_ref().and_then(|loaded| loaded.shape().ok());
        let chain = shape.iter().flat_map(|integration| &*integration.blueprint.chain);
        let extends = chain.map(|id| id.name().to_owned()).collect();
        Self { text: word.to_lowercase(), entry, extends }
    }

    /// Whether it occurs in a row, or names an entry to which the row belongs.
    fn fits(&self, row: &impl Searched) -> bool {
        let belongs = self.extends.iter().any(|name| name == row.blueprint());
        match (&self.entry, row.action()) {
            (Some(entry), Some(action)) if belongs => entry.offers(action),
            _ => belongs || row.texts().join(" ").to_lowercase().contains(&self.text),
        }
    }
}

fn found<R: Searched>(
    catalog: &Snapshot,
    rows: impl Iterator<Item = R>,
    words: &[String],
) -> Vec<R> {
    let words: Vec<Word> = words.iter().map(|word| Word::new(catalog, word)).collect();
    rows.filter(|row| words.iter().all(|word| word.fits(row))).collect()
}
