//! What all modes have in common.

use std::sync::Arc;

use crate::{
    catalog::{
        decode::Raw,
        resolve::{host, shape, symbols::Names},
        tree::Node,
    },
    diagnostic::Diagnostics,
    model::template::{Expr, Part, Path, Template},
    template::{check::Use, knowledge::Symbols},
};

/// Where templates of `auth` stand.
#[derive(Clone, Copy)]
pub struct Within<'a> {
    /// The node of `auth`.
    pub node: &'a Node,
    /// The schemas.
    pub names: &'a Names,
    /// `OAUTH2` …, for messages.
    pub mode: &'static str,
}

/// The node of an optional value.
pub fn node_of(raw: Option<&Raw>) -> Option<&Arc<Node>> {
    raw.map(|raw| &raw.0)
}

/// Says that a key is needed.
pub fn needs(name: &str, within: Within<'_>, diagnostics: &mut Diagnostics) {
    let message = format!("`{}` needs `{name}`", within.mode);
    diagnostics.error("file.missing-key", message, Some(within.node.place.clone()));
}

/// A whole URL that must be there.
pub fn needed_url(
    (raw, name): (Option<&Raw>, &str),
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    match raw {
        Some(Raw(node)) => url(node, &within.names.secret(), within.names, diagnostics),
        None => {
            needs(name, within, diagnostics);
            None
        }
    }
}

/// A whole URL: the host is safe by the rule of `base_url`.
pub fn url(
    node: &Arc<Node>,
    symbols: &Symbols,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    let url = shape::template(node, symbols, Use::BaseUrl, diagnostics)?;
    host::check(&url, (node, names), diagnostics);
    Some(url)
}

/// An optional text.
pub fn text(
    raw: Option<&Raw>,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    shape::template(&raw?.0, symbols, Use::Text, diagnostics)
}

/// `{{credentials.NAME}}`
pub fn read_credential(name: &str) -> Template {
    let path = Path { root: "credentials".to_owned(), segments: vec![name.to_owned()], offset: 2 };
    let source = format!("{{{{credentials.{name}}}}}");
    Template { source: source.into(), parts: vec![Part::Expr(Expr::Path(path))] }
}
