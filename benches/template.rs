//! One render: a compiled template of the engine against the handlebars crate and `format!`.
//!
//! `cargo bench --bench template`

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program to be run by hand"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use engine::{model::time::Timestamp, template};
use serde_json::{Value, json};

const TEXT: &str = "/teams/{{team.id}}/channels/{{channel.id}}/messages";
const ROUNDS: u32 = 200_000;

fn main() {
    let team = json!({"id": "8e1c7f64-52a5-4d0e-9b1a-000000000001", "displayName": "Team 1"});
    let channel = json!({"id": "19:00000000000000000000000000000001@thread.tacv2"});
    let compiled = template::parse(TEXT).unwrap();
    let scope = template::Scope::new(Timestamp(0)).with("team", &team).with("channel", &channel);
    let mut registry = handlebars::Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(handlebars::no_escape);
    registry.register_template_string("t", TEXT).unwrap();
    let context = handlebars::Context::wraps(json!({"team": team, "channel": channel})).unwrap();

    println!("`{TEXT}`, {ROUNDS} renders each, in turn, best of 5");
    let mut best = [Duration::MAX; 4];
    for _ in 0..5 {
        let runs = [
            time(|| format!("/teams/{}/channels/{}/messages", text(&team), text(&channel))),
            time(|| template::text(&compiled, &scope).unwrap().unwrap()),
            time(|| template::path(&compiled, &scope).unwrap()),
            time(|| registry.render_with_context("t", &context).unwrap()),
        ];
        for (best, run) in best.iter_mut().zip(runs) {
            *best = run.min(*best);
        }
    }
    let names =
        ["format!", "engine, as text", "engine, as a path", "handlebars, context made once"];
    for (name, span) in names.iter().zip(best) {
        println!("{name:32} {:7.0} ns", span.as_nanos() as f64 / f64::from(ROUNDS));
    }
}

fn time(mut render: impl FnMut() -> String) -> Duration {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(render());
    }
    start.elapsed()
}

fn text(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}
