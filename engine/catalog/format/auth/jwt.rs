//! `JWT`: a token that we sign.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                mode::{Mode, nothing},
                sign::token,
            },
            symbols::Names,
        },
    },
    model::auth::AuthMode,
};

/// A token that we sign.
pub static JWT: Mode =
    Mode { read: jwt, credentials: nothing, holds: &["access_token"], bears_token: true };

fn jwt(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let signed = key("assertion", "The JSON Web Token that we sign, which is the token.");
    AuthMode::Jwt(Box::new(o.needed(signed, token(names))))
}
