//! What a key of the server may do, and of what it may know. Pure: what is asked for stands beside
//! what the key says.

use crate::{
    model::{
        action::Effect,
        api_key::{Narrowing, grants},
        http::{Method, is_safe},
    },
    value::glob,
};

/// Whether one of the scopes covers what is wanted.
pub fn has(scopes: &[String], wanted: &str) -> bool {
    scopes.iter().any(|granted| grants(granted, wanted))
}

/// Whether an integration is among those of the key.
pub fn covers(narrowing: &Narrowing, integration: &str) -> bool {
    any(&narrowing.integrations, integration)
}

/// Whether an action may be run, the integration apart.
pub fn may_run(narrowing: &Narrowing, action: &str, effect: Effect) -> bool {
    any(&narrowing.actions, action) && (!narrowing.read_only || effect == Effect::Read)
}

/// Whether any request may be made, the integration apart: a key of some actions has those alone.
pub fn may_request(narrowing: &Narrowing, method: &Method) -> bool {
    narrowing.actions.is_empty() && (!narrowing.read_only || is_safe(method))
}

/// Whether the key knows of everything: what is no one's in particular is for these alone.
pub fn is_whole(narrowing: &Narrowing) -> bool {
    let Narrowing { integrations, actions, read_only: _, end_user } = narrowing;
    integrations.is_empty() && actions.is_empty() && end_user.is_none()
}

fn any(globs: &[String], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|one| glob::fits(one, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_key_does_less() {
        let some = Narrowing {
            integrations: vec!["slack-*".to_owned(), "github".to_owned()],
            actions: vec!["list-*".to_owned()],
            read_only: true,
            end_user: None,
        };
        let all = Narrowing::default();
        for (integration, covered) in
            [("slack-eu", true), ("github", true), ("github-2", false), ("slack", false)]
        {
            assert_eq!(covers(&some, integration), covered, "{integration}");
            assert!(covers(&all, integration));
        }
        for (action, effect, may) in [
            ("list-x", Effect::Read, true),
            ("list-x", Effect::Write, false),
            ("post", Effect::Read, false),
        ] {
            assert_eq!(may_run(&some, action, effect), may, "{action}");
            assert!(may_run(&all, action, effect));
        }
        let reader = Narrowing { read_only: true, ..Narrowing::default() };
        assert!(may_request(&reader, &Method::GET) && !may_request(&reader, &Method::POST));
        assert!(!may_request(&some, &Method::GET) && may_request(&all, &Method::DELETE));
        assert!(is_whole(&reader) && is_whole(&all) && !is_whole(&some));
        let person = Narrowing { end_user: Some("u".to_owned()), ..Narrowing::default() };
        assert!(!is_whole(&person));
    }

    #[test]
    fn a_scope_has_to_be_granted() {
        let scopes = ["environment:connections:*".to_owned(), "environment:proxy".to_owned()];
        assert!(has(&scopes, "environment:connections:read") && has(&scopes, "environment:proxy"));
        assert!(!has(&scopes, "environment:logs:read") && !has(&[], "environment:proxy"));
    }
}
