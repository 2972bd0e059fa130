//! Rules: what answers mean.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            answer::{matching, waits},
            text::{condition, json, text},
        },
    },
    model::{
        failure::Code,
        rule::{OutcomeKind, Rule, When},
    },
    template::knowledge::Symbols,
};

/// A rule; its templates see `symbols`.
pub fn rule(symbols: &Symbols) -> impl Form<Value = Rule> {
    let lenient = symbols.clone().lenient();
    object("Rule", "A rule: `when` match → `is` outcome.", move |o| {
        let when = "`{status, header, body}`, all given must fit; or one boolean expression.";
        let when = o.needed(key("when", when), when_form(symbols));
        let message = "Instead of the blueprint's `error.message`.";
        let chosen = o.chosen(key("is", "What such an answer means."), &OUTCOMES);
        let mut rule = Rule {
            when,
            is: chosen.map_or(OutcomeKind::Error, |row| row.value),
            code: None,
            message: o.optional(key("message", message), text(&lenient)),
            wait: Vec::new(),
            value: None,
        };
        o.by("is", &OUTCOMES, chosen, |o, is| match is {
            OutcomeKind::Error => rule.code = code(o),
            OutcomeKind::RateLimited | OutcomeKind::Retry => {
                let wait = "A span (`30s`), a locator, or a list of these; the first that yields \
                            counts.";
                rule.wait = o.or_empty(key("wait", wait), waits(&lenient));
            }
            OutcomeKind::Ok => {
                rule.value = o.optional(key("value", "Replaces the body."), json(symbols));
            }
            OutcomeKind::Refresh | OutcomeKind::Reauthorize => {}
        });
        rule
    })
}

/// `code`: what callers get.
pub fn code(o: &mut Object<'_>) -> Option<Code> {
    o.optional(key("code", "The code that callers get."), &CODES)
}

fn when_form(symbols: &Symbols) -> impl Blank<Value = When> {
    Either {
        first: |node| node.as_str().is_none(),
        a: object("When", "All given parts must fit.", |o| When::Match(matching(o))),
        b: Mapped { form: condition(symbols), map: When::Expr },
    }
}

/// `is`
pub static OUTCOMES: Choices<OutcomeKind> = Choices {
    name: "Outcome",
    doc: "What an answer can mean.",
    rows: &[
        row("ok", OutcomeKind::Ok, "Success."),
        row("retry", OutcomeKind::Retry, "Temporary; repeated only if the step is idempotent."),
        row(
            "rate_limited",
            OutcomeKind::RateLimited,
            "Rejected, not executed; wait, then repeat whatever the method.",
        ),
        row("refresh", OutcomeKind::Refresh, "Get a new token once, then repeat."),
        row("reauthorize", OutcomeKind::Reauthorize, "A person has to sign in again."),
        row("error", OutcomeKind::Error, "The step ends with `code`."),
    ],
};

/// `code`
pub static CODES: Choices<Code> = Choices {
    name: "Code",
    doc: "The stable codes of failures.",
    rows: &[
        row("invalid_input", Code::InvalidInput, "The caller's input was refused."),
        row("unauthorized", Code::Unauthorized, "The credentials are not accepted."),
        row("forbidden", Code::Forbidden, "The account may not do this."),
        row("not_found", Code::NotFound, "There is no such thing."),
        row("conflict", Code::Conflict, "It clashes with what is there."),
        row(
            "payment_required",
            Code::PaymentRequired,
            "The account has to pay, or its payment was declined.",
        ),
        row("rate_limited", Code::RateLimited, "Too fast."),
        row("provider_error", Code::ProviderError, "The API failed."),
        row("timeout", Code::Timeout, "No answer in time."),
    ],
};
