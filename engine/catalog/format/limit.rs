//! Limits and retry: how fast and how often.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            answer::{LOCATOR, LOCATOR_DOC, locator},
            symbols::Names,
            text::{text, value},
        },
        tree::Node,
    },
    diagnostic::{Diagnostics, Severity, suggest},
    model::{
        limit::{Limit, Observe, Per, Rate},
        retry::{CircuitPolicy, RetryPolicy},
        rule::Locator,
        time::{Timestamp, format_span},
    },
    template::{
        self, Scope,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// What limits see: `integration` is the root of that name, for rates that a setting decides.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The schemas.
    pub names: &'a Names,
    /// The values.
    pub integration: &'a Value,
}

/// A limit; each name stands once.
pub fn limit(settings: Settings<'_>) -> impl Form<Value = Limit> {
    let names = settings.names;
    let request = names.base().clone().with("request", Knowledge::Open, Presence::Always).lenient();
    let mut seen: Vec<String> = Vec::new();
    object("Limit", "A limit: how fast one may go.", move |o| {
        let unique = "Unique in the blueprint; a child's limit of the same name replaces its keys.";
        let name = o.needed(key("name", unique), TEXT);
        if seen.contains(&name) {
            let message = format!("there are two limits `{name}`");
            o.error_at("name", "file.duplicate-name", message);
        }
        seen.push(name.clone());
        let per = "What separates buckets: `integration`, `connection`, or expressions.";
        let per = o.list(key("per", per), PerForm(&request));
        let when = object("LimitWhen", "Which requests a limit is for.", |o| {
            let path = "The path relative to `base_url`; `*` is one segment.";
            (
                o.list(key("method", "Any of these methods."), METHOD),
                o.optional(key("path", path), PATH),
            )
        });
        let when = o.optional(key("when", "Which requests it is for."), when);
        let (methods, path) = when.unwrap_or_default();
        let rate = "At most so many starts in any such window.";
        let limit = Limit {
            name,
            per,
            methods,
            path,
            rate: o.optional(key("rate", rate).like("110/10s"), RateForm(settings)),
            concurrency: o.optional(key("concurrency", "At most so many at a time."), COUNT),
            observe: o.optional(
                key("observe", "What the API itself tells about the bucket."),
                object("Observe", "What the API tells about a bucket.", observe),
            ),
        };
        if ["rate", "concurrency", "observe"].iter().all(|name| o.raw(name).is_none()) {
            let message = format!("the limit `{}` limits nothing", limit.name);
            o.error_at("name", "file.missing-key", message)
                .hint("give it `rate`, `concurrency` or `observe`");
        }
        limit
    })
}

fn observe(o: &mut Object<'_>) -> Observe {
    // Limits are shared: what one run knows does not count.
    let symbols = Symbols::new().with("body", Knowledge::Open, Presence::Always).lenient();
    let mut at = |key: Key| -> Option<Locator> {
        o.optional(key, object(LOCATOR, LOCATOR_DOC, |o| locator(o, &symbols)))
    };
    Observe {
        remaining: at(key("remaining", "How many are left.")),
        limit: at(key("limit", "How many there are in all.")),
        used: at(key("used", "How many are used.")),
        reset: at(key("reset", "When it fills again.")),
        ietf: o
            .optional(
                key("draft", "The `RateLimit` fields of the IETF draft and their older form."),
                &DRAFTS,
            )
            .is_some(),
    }
}

static DRAFTS: Choices<()> = Choices {
    name: "Draft",
    doc: "Published forms of rate-limit headers.",
    rows: &[row("ietf", (), "draft-ietf-httpapi-ratelimit-headers.")],
};

/// `integration`, `connection`, or an expression.
struct PerForm<'s>(&'s Symbols);

impl Form for PerForm<'_> {
    type Value = Per;

    fn kind(&mut self, all: &mut Description) -> Described {
        value(self.0).kind(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Per> {
        match node.as_str() {
            Some("integration") => Some(Per::Integration),
            Some("connection") => Some(Per::Connection),
            _ => {
                let read = value(self.0).read(node, found)?;
                if read.as_text().is_some() {
                    let words = ["integration", "connection"];
                    let message = format!("{} is the same for all calls", node.describe());
                    let meant = suggest(read.as_text().unwrap_or_default(), words);
                    found.error("file.bad-value", message).at(&node.place).maybe_hint(meant);
                }
                Some(Per::Expr(read))
            }
        }
    }
}

/// `110/10s`, or an expression over `integration` that yields such a text.
struct RateForm<'a>(Settings<'a>);

impl Form for RateForm<'_> {
    type Value = Rate;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Template
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Rate> {
        let told = found.count(Severity::Error);
        let parsed = text(&self.0.names.settings()).read(node, found)?;
        if found.count(Severity::Error) > told {
            return None;
        }
        let scope = Scope::new(Timestamp(0)).with("integration", self.0.integration);
        let rate = template::text(&parsed, &scope).ok().flatten().unwrap_or_default();
        let rate = Rate::parse(&rate);
        if rate.is_none() {
            found
                .error("file.bad-value", format!("expected a rate, found {}", node.describe()))
                .at(&node.place)
                .hint("write a count, a slash and a window: `110/10s`, `20/1m`");
        }
        rate
    }
}

/// How often to repeat.
pub fn retry(o: &mut Object<'_>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let budget = "From the first try on: no wait begins that would end later.";
    let share = "Of the requests to a host, how many may be repeated ones after a failure.";
    let floor = "So many may be in any case; both are counted over ten seconds.";
    RetryPolicy {
        attempts: o.or(key("attempts", "All tries together."), COUNT, usual.attempts),
        initial: o.or(key("initial", "The first back-off."), SPAN, usual.initial),
        max: o.or(key("max", "The longest back-off."), SPAN, usual.max),
        budget: o.or(key("budget", budget), SPAN, usual.budget),
        share: o.or(key("share", share), SHARE, usual.share),
        floor: o.or(key("floor", floor), RATE, usual.floor),
    }
}

/// When a host is not asked for a while.
pub fn circuit(o: &mut Object<'_>) -> CircuitPolicy {
    let usual = CircuitPolicy::default();
    let failures = "So many failures in a row, without a success, open it; 0 never does.";
    let open = "For so long nothing is sent to the host; then one request tries.";
    CircuitPolicy {
        failures: o.or(key("failures", failures), SMALL, usual.failures),
        open: o.or(key("open", open), SPAN, usual.open),
    }
}

/// `20%`
const SHARE: Scalar<u32> = Scalar {
    kind: Described::Text(Some("20%")),
    expected: "a text",
    read: |node| {
        let share = |text: &str| text.strip_suffix('%')?.trim().parse().ok();
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a share",
            hint: "write a number of percent: `20%`",
        };
        spelled(node, share, refusal)
    },
    blank: || 0,
    spelled: |share| format!("{share}%"),
};

/// `10/s`
const RATE: Scalar<Rate> = Scalar {
    kind: Described::Text(Some("10/s")),
    expected: "a text",
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a rate",
            hint: "write a count, a slash and a window: `10/s`, `20/1m`",
        };
        spelled(node, Rate::parse, refusal)
    },
    blank: || RetryPolicy::default().floor,
    spelled: |rate| format!("{}/{}", rate.count, format_span(rate.window)),
};
