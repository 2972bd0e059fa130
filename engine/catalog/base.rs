//! Blueprints with what is made of them, shared by every entry over them.

use std::sync::{Arc, OnceLock};

use crate::{
    catalog::{
        actions::Actions,
        chain::{self, Chain},
        error::{self, Error},
        files::Files,
        form::fields::read,
        format::{
            blueprint::{Extent, Resolved},
            sandbox,
        },
        listing::Top,
        slots::{Lasting, Slot, Slots},
        source::Aside,
        tree::Node,
    },
    diagnostic::Diagnostics,
    model::sandbox::Sandbox,
};

/// What runs never read: it is left to checks, tests and the sandbox.
const ASIDE: [&str; 2] = ["tests", "sandbox"];

type Versions = Slots<Result<Arc<Base>, Error>>;

impl Lasting for Versions {}

/// The blueprints of the files, each read when it is first asked for.
#[derive(Debug)]
pub struct Bases {
    /// Where they stand.
    pub files: Arc<Files>,
    /// By folder and version.
    slots: OnceLock<Slots<Arc<Versions>>>,
}

impl Bases {
    /// Nothing is read yet.
    pub fn new(files: &Arc<Files>) -> Self {
        Self { files: Arc::clone(files), slots: OnceLock::new() }
    }

    /// A blueprint by `name:vN`, or the newest of that name.
    pub fn get(&self, reference: &str) -> Result<Arc<Base>, Error> {
        let (id, entry) = chain::find(&self.files, reference)?;
        let names = self.files.names(Top::Blueprints)?;
        let slots = self.slots.get_or_init(|| Slots::new(names));
        let listed = self.files.folder(Top::Blueprints, id.name())?.iter();
        let versions = || Arc::new(Slots::new(listed.map(|entry| &*entry.stem)));
        let versions = slots.get(id.name(), versions);
        let read = || Base::read(&self.files, &id.to_string()).map(Arc::new);
        versions.and_then(|versions| versions.get(&entry.stem, read)).unwrap_or_else(read)
    }
}

/// A blueprint with its parents merged in.
#[derive(Debug)]
pub struct Base {
    files: Arc<Files>,
    /// As it stands in the files.
    pub chain: Chain,
    sound: OnceLock<Result<Sound, Diagnostics>>,
    sandbox: Slot<Result<Option<Arc<Sandbox>>, Error>>,
}

/// What a blueprint without faults comes to.
#[derive(Debug)]
pub struct Sound {
    /// With the defaults of its settings.
    pub resolved: Resolved,
    /// Its actions.
    pub actions: Arc<Actions>,
    /// Warnings and notes.
    pub found: Diagnostics,
    /// Whether a rate depends on the settings of an entry.
    pub rates_vary: bool,
}

impl Lasting for Base {
    fn lasts(&self) -> bool {
        !error::passes(&self.chain.found)
    }
}

impl Lasting for Sandbox {}

impl Base {
    fn read(files: &Arc<Files>, reference: &str) -> Result<Self, Error> {
        let chain = chain::chain(files, reference, Aside::Left)?;
        let files = Arc::clone(files);
        Ok(Self { files, chain, sound: OnceLock::new(), sandbox: Slot::default() })
    }

    /// The blueprint alone, with the defaults of its settings, or what is wrong with it.
    pub fn sound(&self) -> Result<&Sound, Error> {
        let sound = self.sound.get_or_init(|| {
            let mut found = Diagnostics::default();
            let tree = needed(&self.chain.tree);
            let mut resolved = self.chain.resolve(&tree, Extent::Whole, &mut found)?;
            Arc::make_mut(&mut resolved.blueprint).has_sandbox = self.has_sandbox();
            let blueprint = Arc::clone(&resolved.blueprint);
            let actions = Arc::new(Actions::new(&self.files, blueprint, tree));
            let rates_vary = self.rates_vary();
            Ok(Sound { resolved, actions, found, rates_vary })
        });
        sound.as_ref().map_err(|found| Error::Invalid(found.clone()))
    }

    /// Its canned replies, read when something is played.
    pub fn sandbox(&self) -> Result<Option<Arc<Sandbox>>, Error> {
        self.sandbox.get(|| {
            if !self.has_sandbox() {
                return Ok(None);
            }
            let whole = self.whole()?;
            let Some(node) = sandbox_node(&whole) else { return Ok(None) };
            let mut found = Diagnostics::default();
            match read(node, sandbox::form(), &mut found) {
                Some(sandbox) if !found.has_errors() => Ok(Some(Arc::new(sandbox))),
                Some(_) | None => Err(Error::Invalid(found)),
            }
        })
    }

    /// Whether there is a sandbox, sound or not.
    pub fn has_sandbox(&self) -> bool {
        sandbox_node(&self.chain.tree).is_some()
    }

    /// Its tree with the sandbox, whose files are read for it.
    pub fn whole(&self) -> Result<Arc<Node>, Error> {
        let Some(id) = self.chain.ids.first() else { return Ok(Arc::clone(&self.chain.tree)) };
        let Chain { tree, found, .. } = chain::chain(&self.files, &id.to_string(), Aside::Read)?;
        if found.has_errors() { Err(Error::Invalid(found)) } else { Ok(tree) }
    }

    fn rates_vary(&self) -> bool {
        let limits = self.chain.tree.get("limits").map_or(&[][..], |limits| limits.items());
        let rates = limits.iter().filter_map(|limit| limit.get("rate")?.as_str());
        rates.into_iter().any(|rate| rate.contains("{{"))
    }
}

fn sandbox_node(tree: &Node) -> Option<&Arc<Node>> {
    tree.get("sandbox").filter(|node| !node.is_null())
}

/// The part of a blueprint's tree that runs need.
pub fn needed(tree: &Node) -> Arc<Node> {
    tree.without(&ASIDE)
}
