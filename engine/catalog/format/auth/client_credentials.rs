//! `OAUTH2_CC`: client credentials (RFC 6749, section 4.4).

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                mode::{Mode, TOKENS, nothing},
                request::revoke,
                token::{endpoint, scopes},
            },
            symbols::Names,
        },
    },
    model::auth::{AuthMode, ClientCredentials},
};

/// Client credentials.
pub static OAUTH2_CC: Mode =
    Mode { read: client_credentials, credentials: nothing, holds: TOKENS, bears_token: true };

fn client_credentials(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let (default_scopes, scope_separator) = scopes(o);
    AuthMode::ClientCredentials(Box::new(ClientCredentials {
        token: endpoint(o, names),
        default_scopes,
        scope_separator,
        revoke: revoke(o, names),
    }))
}
