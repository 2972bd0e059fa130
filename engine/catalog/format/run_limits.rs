//! `limits` of an action, `run_limits` of an entry: the bounds of one run.

use crate::{
    catalog::form::prelude::*,
    model::run_limits::{RunLimits, format_size, parse_size},
};

/// Bounds, of which each may be left out.
pub fn run_limits() -> impl Form<Value = RunLimits> {
    object("RunLimits", "Bounds of one run, all steps, elements and pages together.", |o| {
        let requests = "Requests that are sent, tries included; 10000 unless said.";
        let items = "Rows that are read from pages; 1000000 unless said.";
        let bytes = "Decoded answers that are held at one time; `256MB` unless said.";
        RunLimits {
            requests: o.optional(key("requests", requests), WHOLE),
            items: o.optional(key("items", items), WHOLE),
            bytes: o.optional(key("bytes", bytes).like("64MB"), size()),
            timeout: o.optional(key("timeout", "Of the whole run, waits included."), SPAN),
        }
    })
}

/// A size: a number of bytes, or a text with a unit.
fn size() -> impl Form<Value = u64> {
    Either { first: |node| node.as_str().is_none(), a: WHOLE, b: SIZE }
}

/// With a unit of 1,000.
const SIZE: Scalar<u64> = Scalar {
    kind: Described::Text(Some("64MB")),
    expected: "a text",
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a size",
            hint: "write a number of bytes, or one with a unit: `500KB`, `64MB`, `5GB`",
        };
        spelled(node, parse_size, refusal)
    },
    blank: || 0,
    spelled: |size| format_size(*size),
};
