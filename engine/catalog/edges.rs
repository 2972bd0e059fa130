//! Settings with blanks or a line break at their edge: copied along with the value, and sent with it.

use crate::{
    catalog::tree::{Node, Source},
    diagnostic::Diagnostics,
};

/// What is compared or sent letter by letter.
const LITERAL: [&str; 3] = ["oauth_client_id", "oauth_client_secret", "app_api_key"];

/// Warns of each setting of an entry that begins or ends with white space.
pub fn check(entry: &Node, found: &mut Diagnostics) {
    let config = entry.get("config").into_iter().flat_map(|node| node.entries());
    let literal = entry.entries().iter().filter(|(key, _)| LITERAL.contains(&&*key.name));
    for (key, node) in literal.chain(config) {
        let Some(text) = node.as_str() else { continue };
        let bare = text.trim();
        // The lines of a key in PEM end with a line break, the last one, too.
        if bare.len() == text.len() || bare.contains('\n') {
            continue;
        }
        let (verb, edge) = match (text.starts_with(char::is_whitespace), text) {
            (true, _) => ("begins", "a blank"),
            (false, text) if text.ends_with('\n') => ("ends", "a line break"),
            (false, _) => ("ends", "a blank"),
        };
        let source = node.origin.as_ref().and_then(|origin| origin.sources.first());
        let hint = match source {
            Some(Source::Variable(name)) => format!("take it out of the variable `{name}`"),
            Some(Source::File(path)) => {
                format!("take it out of `{path}`; one line break at its end is left out anyway")
            }
            Some(Source::Default(_) | Source::Missing(_)) | None => "take it out".to_owned(),
        };
        let message = format!("the value of `{}` {verb} with {edge}", key.name);
        found.warning("file.blank-edge", message).at(&node.place).hint(hint);
    }
}
