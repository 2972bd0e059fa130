//! How token answers are read.

use crate::{
    catalog::{
        resolve::{
            auth::parts::{node_of, text},
            rule::rules,
            shape::{pairs, shape, span},
            symbols::with_answer,
        },
        spec::auth::{AuthSpec, ExpirySpec, ExpiryUnitSpec, TokenResponseSpec},
    },
    diagnostic::Diagnostics,
    model::{
        auth::{AnswerMap, ExpiryUnit},
        template::{Shape, Template},
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// By `token_response`, `token_responses`, `save` and `expires_in`. `symbols`: what templates see
/// beside the answer.
pub fn answer(spec: &AuthSpec, symbols: &Symbols, diagnostics: &mut Diagnostics) -> AnswerMap {
    let seen = with_answer(symbols.clone());
    let lenient = seen.clone().with("callback", Knowledge::Open, Presence::Always).lenient();
    let none = TokenResponseSpec::default();
    let map = spec.token_response.as_ref().unwrap_or(&none);
    let expiry = match (&map.expires_in, &map.expires_at) {
        (None, None) => None,
        (Some(given), _) | (None, Some(given)) => expiry(given, &lenient, diagnostics),
    };
    let tokens = pairs(node_of(map.tokens.as_ref()), &lenient, diagnostics);
    AnswerMap {
        access_token: text(map.access_token.as_ref(), &lenient, diagnostics),
        refresh_token: text(map.refresh_token.as_ref(), &lenient, diagnostics),
        scope: match &map.scope {
            Some(raw) => shape(&raw.0, &lenient, diagnostics),
            None => None,
        },
        expiry,
        tokens: tokens.into_iter().filter_map(|(name, shape)| Some((name, lone(shape)?))).collect(),
        expires_in: span(spec.expires_in.as_ref(), diagnostics),
        responses: rules(&spec.token_responses, &seen, diagnostics),
        save: pairs(node_of(spec.save.as_ref()), &lenient, diagnostics),
    }
}

/// A text is a template of its own.
fn lone(shape: Shape) -> Option<Template> {
    match shape {
        Shape::Template(template) => Some(template),
        Shape::Literal(value) => value.as_str().map(Template::text),
        Shape::Object(_) | Shape::List(_) | Shape::Map(_) => None,
    }
}

fn expiry(
    spec: &ExpirySpec,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> Option<(Template, ExpiryUnit)> {
    let value =
        crate::catalog::resolve::shape::template(&spec.value.0, symbols, Use::Value, diagnostics)?;
    let unit = match spec.unit {
        ExpiryUnitSpec::Seconds | ExpiryUnitSpec::Duration => ExpiryUnit::Seconds,
        ExpiryUnitSpec::Ms => ExpiryUnit::Millis,
        ExpiryUnitSpec::Clock => ExpiryUnit::Clock,
        ExpiryUnitSpec::EpochS => ExpiryUnit::EpochSeconds,
        ExpiryUnitSpec::EpochMs => ExpiryUnit::EpochMillis,
        ExpiryUnitSpec::Iso => ExpiryUnit::Iso,
        ExpiryUnitSpec::HttpDate => ExpiryUnit::HttpDate,
        ExpiryUnitSpec::Jwt => ExpiryUnit::Jwt,
    };
    Some((value, unit))
}
