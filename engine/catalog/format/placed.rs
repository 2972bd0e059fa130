//! Where a blueprint places credentials, no step and no entry places anything else.

use crate::{
    catalog::{
        form::prelude::*,
        tree::{Key, Node},
    },
    diagnostic::Diagnostics,
    model::blueprint::Blueprint,
};

/// Reports the headers and parameters of a step that hold the credentials.
pub fn step(step: &Node, blueprint: &Blueprint, found: &mut Diagnostics) {
    for (header, place) in [(true, "headers"), (false, "query")] {
        for (key, _) in step.get(place).into_iter().flat_map(|node| node.entries()) {
            check((header, key), blueprint, found);
        }
    }
}

/// The same of the `requests` of an entry, which may place the credentials in another way.
pub fn entry(requests: &Node, blueprint: &Blueprint, found: &mut Diagnostics) {
    for (header, place) in [(true, "headers"), (false, "params")] {
        for (key, value) in requests.get(place).into_iter().flat_map(|node| node.entries()) {
            // An old placeholder, as which it is reported, meant the credentials, too.
            let text = value.to_json().to_string();
            if !value.is_null() && !text.contains("credentials") && !text.contains("${") {
                check((header, key), blueprint, found);
            }
        }
    }
}

fn check((header, key): (bool, &Key), blueprint: &Blueprint, found: &mut Diagnostics) {
    let holds = if header {
        field_name(&key.name).is_some_and(|name| blueprint.signs_in_header(&name))
    } else {
        blueprint.signs_in_query(&key.name)
    };
    if holds {
        found
            .error("file.holds-credentials", format!("`{}` holds the credentials", key.name))
            .at(&key.place)
            .hint(format!("take it out: the engine sets it, as `{}` says", blueprint.id));
    }
}
