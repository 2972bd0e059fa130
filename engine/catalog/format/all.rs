//! The formats as data, for schemas and reference pages.

use crate::catalog::{
    form::prelude::*,
    format::{
        action::{self, Expected},
        blueprint::{self, Identity},
        integration,
        sandbox::sandbox,
    },
};

/// A format of files.
pub struct Format {
    /// What such a file is called.
    pub title: &'static str,
    /// Its keys.
    pub describe: fn() -> Description,
    /// Whether texts may have `${…}` in them.
    pub variables: bool,
}

/// `blueprints/<name>/vN.yaml`
pub static BLUEPRINT: Format = Format {
    title: "Blueprint",
    describe: || describe(blueprint::form(&Identity::nobody())),
    variables: false,
};

/// `blueprints/<name>/vN.sandbox.yaml`: its name, and what `sandbox` of a blueprint may hold.
pub static SANDBOX: Format = Format {
    title: "Sandbox",
    describe: || {
        describe(object("Sandbox", "Replies for trying a blueprint without an account.", |o| {
            let name = "The blueprint, `name:vN`; the same as the file's place.";
            o.needed(key("sandbox", name).like("ms-teams:v0"), TEXT);
            sandbox(o)
        }))
    },
    variables: false,
};

/// `integrations.yaml`
pub static INTEGRATIONS: Format = Format {
    title: "integrations.yaml",
    describe: || describe(integration::file()),
    variables: true,
};

/// `actions/<blueprint>/<name>.yaml`
pub static ACTION: Format = Format {
    title: "Action",
    describe: || {
        let expected = Expected { name: "", folder: "", blueprint: None, paginate: None };
        describe(action::form(expected))
    },
    variables: false,
};
