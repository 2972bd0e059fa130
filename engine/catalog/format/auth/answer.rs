//! How token answers are read.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            rule::rule,
            symbols::with_answer,
            text::{json, pairs, text, value},
        },
    },
    model::{
        auth::{AnswerMap, ExpiryUnit},
        template::{Shape, Template},
    },
    template::knowledge::{Knowledge, Presence, Symbols},
};

/// By `token_response`, `token_responses`, `save` and `expires_in`. `symbols`: what templates see
/// beside the answer.
pub fn answer(o: &mut Object<'_>, symbols: &Symbols) -> AnswerMap {
    let seen = with_answer(symbols.clone());
    let lenient = lenient(symbols);
    let stands = object(
        "TokenResponse",
        "Where the values of a token answer stand: templates over `body`, `headers`, `status`, and \
         in sessions `steps`.",
        |o| token_response(o, &lenient),
    );
    let map = key("token_response", "Where the values of a token answer stand.");
    let map = o.or_empty(map, stands);
    let lifetime = "Lifetime of tokens whose answer does not say.";
    AnswerMap {
        expires_in: o.optional(key("expires_in", lifetime), SPAN),
        responses: o.list(key("token_responses", "Rules of the token endpoint."), rule(&seen)),
        save: save(o, symbols),
        ..map
    }
}

/// `save`: what of the token answer stays on the connection.
pub fn save(o: &mut Object<'_>, symbols: &Symbols) -> Vec<(String, Shape)> {
    let save = key("save", "Values of the token answer to keep on the connection.");
    o.or_empty(save, pairs(&lenient(symbols)))
}

fn lenient(symbols: &Symbols) -> Symbols {
    let seen = with_answer(symbols.clone());
    seen.with("callback", Knowledge::Open, Presence::Always).lenient()
}

fn token_response(o: &mut Object<'_>, symbols: &Symbols) -> AnswerMap {
    let lasts = "How long the token lives; without it, `{{body.expires_in}}` in seconds.";
    let lasts = expiry(o, key("expires_in", lasts), symbols);
    let ends = expiry(o, key("expires_at", "When the token ends."), symbols);
    let tokens = key("tokens", "Further tokens by name, read as `credentials.<name>`.");
    AnswerMap {
        access_token: o.optional(key("access_token", "`{{body.access_token}}`"), text(symbols)),
        refresh_token: o.optional(key("refresh_token", "`{{body.refresh_token}}`"), text(symbols)),
        scope: o.optional(key("scope", "`{{body.scope}}`; a text or a list."), json(symbols)),
        expiry: lasts.or(ends),
        tokens: o.or_empty(tokens, Map(value(symbols))),
        ..AnswerMap::default()
    }
}

fn expiry(o: &mut Object<'_>, key: Key, symbols: &Symbols) -> Option<(Template, ExpiryUnit)> {
    use crate::catalog::form::prelude::key as named;
    let expiry = object("Expiry", "A time of a token answer.", |o| {
        let place = o.needed(named("value", "Where it stands."), value(symbols));
        (place, o.choice(named("as", "How it is written."), &UNITS, ExpiryUnit::Seconds))
    });
    o.optional(key, expiry)
}

static UNITS: Choices<ExpiryUnit> = Choices {
    name: "ExpiryUnit",
    doc: "How the end of a token is written.",
    rows: &[
        row("seconds", ExpiryUnit::Seconds, "Seconds from now."),
        row("ms", ExpiryUnit::Millis, "Milliseconds from now."),
        row("duration", ExpiryUnit::Seconds, "A span such as `2h`."),
        row("clock", ExpiryUnit::Clock, "`D:HH:MM`, from now."),
        row("epoch_s", ExpiryUnit::EpochSeconds, "Seconds since 1970."),
        row("epoch_ms", ExpiryUnit::EpochMillis, "Milliseconds since 1970."),
        row("iso", ExpiryUnit::Iso, "ISO 8601."),
        row("http_date", ExpiryUnit::HttpDate, "A date of HTTP."),
        row("jwt", ExpiryUnit::Jwt, "A JSON Web Token with `exp`."),
    ],
};
