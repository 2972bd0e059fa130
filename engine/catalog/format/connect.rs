//! `connect` of a blueprint: after sign-in.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            paginate::InStep,
            step::{STEP, STEP_DOC, known, step},
            text::{json, pairs},
        },
    },
    model::blueprint::Connect,
    template::knowledge::{Knowledge, Presence},
};

/// What is found out once somebody has signed in.
pub fn connect(o: &mut Object<'_>, around: InStep<'_>) -> Connect {
    let mut members = Vec::new();
    let discover = object(STEP, STEP_DOC, |o| {
        let seen = Knowledge::Record { members: members.clone(), open: false };
        let symbols = around.symbols.clone().with("steps", seen, Presence::Always);
        let step = step(o, InStep { symbols: &symbols, ..around }, None);
        members.push(known(o, &step));
        step
    });
    let discover = o.list(key("discover", "Steps that look things up."), discover);
    let seen = Knowledge::Record { members, open: false };
    let symbols = around.names.secret().clone().with("steps", seen, Presence::Always).lenient();
    let account = object("Account", "Who a connection belongs to.", |o| {
        let name = key("name", "A name that people recognise.");
        (
            o.optional(key("id", "The vendor's id."), json(&symbols)),
            o.optional(name, json(&symbols)),
        )
    });
    let (account_id, account_name) = o.or_empty(key("account", "Who it is."), account);
    let save = key("save", "What of them becomes `connection.*`.");
    Connect { discover, save: o.or_empty(save, pairs(&symbols)), account_id, account_name }
}
