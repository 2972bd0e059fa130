//! Which connection is meant: the one named, else the only one, else `default`.

use crate::{engine::Engine, error::Error, model::connection::Connection};

/// Chooses without asking the files: a connection outlives its integration.
pub fn choose(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Connection, Error> {
    let mut all = engine.store()?.connections(Some(integration))?;
    let known: Vec<String> = all.iter().map(|connection| connection.id.clone()).collect();
    let integration = integration.to_owned();
    let id = match (wanted, known.as_slice()) {
        (None, []) => return Err(Error::NoConnection { integration, sandbox: false }),
        (None, [only]) => only.as_str(),
        (wanted, _) => wanted.unwrap_or("default"),
    };
    match (known.iter().position(|known| known == id), wanted) {
        (Some(at), _) => Ok(all.swap_remove(at)),
        (None, Some(id)) => Err(Error::UnknownConnection { integration, id: id.to_owned(), known }),
        (None, None) => Err(Error::WhichConnection { integration, known }),
    }
}
