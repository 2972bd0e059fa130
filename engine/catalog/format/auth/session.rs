//! `TWO_STEP`, `APP`: requests of the blueprint's own that yield a token.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                answer::answer,
                mode::{Mode, TOKENS, nothing},
                request::{form, request, revoke},
                sign::assertion,
            },
            symbols::{Names, member},
        },
    },
    model::auth::{AuthMode, AuthRequest, Session},
    template::knowledge::{Knowledge, Presence},
};

/// One or several requests that yield a session.
pub static TWO_STEP: Mode = Mode { read: |o, names| session(o, names, false), ..MODE };

/// A signed app that gets installation tokens.
pub static APP: Mode = Mode { read: |o, names| session(o, names, true), ..MODE };

const MODE: Mode = Mode {
    read: |o, names| session(o, names, false),
    credentials: nothing,
    holds: TOKENS,
    bears_token: true,
};

fn session(o: &mut Object<'_>, names: &Names, app: bool) -> AuthMode {
    let again = "Instead of `steps`, once there is a refresh token.";
    let refresh_steps = requests(o, key("refresh_steps", again), names);
    let steps = requests(o, key("steps", "The requests that yield the token."), names);
    if steps.is_empty() && o.node().is_some() && o.raw("steps").is_none_or(|n| n.items().is_empty())
    {
        let mode = if app { "APP" } else { "TWO_STEP" };
        o.error("file.missing-key", format!("`auth_mode: {mode}` needs `steps`"));
    }
    // Answers of either list are read alike, so that steps are known by any name here.
    let seen = names.base().clone().with("steps", Knowledge::Open, Presence::Always);
    AuthMode::Session(Box::new(Session {
        app,
        steps,
        refresh_steps,
        assertion: assertion(o, names),
        answer: answer(o, &seen),
        revoke: revoke(o, names),
    }))
}

/// In order; each may read the answers of those before it.
fn requests(o: &mut Object<'_>, key: Key, names: &Names) -> Vec<AuthRequest> {
    let mut members = Vec::new();
    let step = form(|o| {
        let known = Knowledge::Record { members: members.clone(), open: false };
        let symbols = names.secret().clone().with("steps", known, Presence::Always);
        let request = request(o, &symbols, names);
        members.push(member(&request.id, Knowledge::Open));
        request
    });
    o.list(key, step)
}
