//! `actions/<blueprint>/<name>.yaml`, for the blueprint that it meets.

use std::sync::Arc;

use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            document::{OBJECT_SCHEMA, SCHEMA, nothing},
            paginate::InStep,
            run_limits::run_limits,
            step::{STEP, STEP_DOC, known, step},
            symbols::Names,
            test::action_test,
            text::json,
        },
        tree::Node,
    },
    diagnostic::suggest,
    model::{
        action::{Action, Effect},
        blueprint::Blueprint,
        http::Method,
        name::{ActionName, BlueprintId, IntegrationKey},
        template::Shape,
    },
    template::knowledge::{Knowledge, Member, Presence, Symbols, of_schema},
};

/// What an action's file must say of itself, and what it meets.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The file's name, without the blueprint's and the version.
    pub name: &'a str,
    /// The folder's name.
    pub folder: &'a str,
    /// The blueprint; nothing is known of it where the format is described.
    pub blueprint: Option<&'a Blueprint>,
    /// The blueprint's `paginate`, as a tree.
    pub paginate: Option<&'a Arc<Node>>,
}

/// An action. What it gives is of use only if no error was found.
pub fn form(expected: Expected<'_>) -> impl Form<Value = Action> {
    object("Action", "An action: what to do with an API.", move |o| file(o, expected))
}

fn file(o: &mut Object<'_>, expected: Expected<'_>) -> Action {
    let id = identity(o, expected);
    let given = "JSON Schema of the input; further properties are refused unless said otherwise.";
    let title = o.optional(key("title", "For people."), TEXT);
    let description = key("description", "What it does; language models read this, too.");
    let description = o.optional(description, TEXT);
    let changes = "Whether it changes anything; without it `read`, and `write` where a step is \
                   neither GET nor HEAD.";
    let effect = o.optional(key("effect", changes), &EFFECTS);
    let scopes = o.list(key("scopes", "Scopes that its requests need."), TEXT);
    let input = o.optional(key("input", given), OBJECT_SCHEMA).unwrap_or_else(nothing);
    let names = expected.blueprint.map(names).unwrap_or_default();
    let base = names.base().clone().with("input", of_schema(&input.document), Presence::Always);
    let mut members = Vec::new();
    let one = object(STEP, STEP_DOC, |o| {
        let symbols = with_steps(&base, members.clone());
        let around = InStep { names: &names, symbols: &symbols, paginate: expected.paginate };
        let step = step(o, around, None);
        let member = known(o, &step);
        if members.iter().any(|known| known.name == step.id) {
            o.error("file.duplicate-name", format!("there are two steps `{}`", step.id));
        }
        members.push(member);
        step
    });
    let steps = o.list(key("steps", "In order."), one);
    if o.raw("steps").is_none_or(|steps| steps.items().is_empty()) {
        o.error("file.missing-key", "an action needs at least one step");
    }
    let writes = steps.iter().find(|step| ![Method::GET, Method::HEAD].contains(&step.method));
    if let (Some(step), None) = (writes, o.raw("effect")) {
        let message = format!("`effect` is left out, and step `{}` is a {}", step.id, step.method);
        o.warning("file.no-effect", message).hint("write `effect: write`, `delete` or `read`");
    }
    let usual = if writes.is_some() { Effect::Write } else { Effect::Read };
    let output = key("output", "What the caller gets.");
    let limits = key("limits", "Bounds of one run; those of an entry or a call stand over them.");
    Action {
        name: ActionName::parse(expected.name).unwrap_or_else(|_| ActionName::unnamed()),
        blueprint: id,
        title,
        description,
        effect: effect.unwrap_or(usual),
        scopes,
        input,
        steps,
        output: o
            .optional(output, json(&with_steps(&base, members)))
            .unwrap_or_else(|| Shape::Literal(json!({}))),
        returns: o.optional(key("returns", "JSON Schema of the output."), SCHEMA),
        limits: o.optional(limits, run_limits()).unwrap_or_default(),
        tests: o.list(key("tests", "Tests of this action."), action_test()),
    }
}

fn with_steps(base: &Symbols, members: Vec<Member>) -> Symbols {
    let known = Knowledge::Record { members, open: false };
    base.clone().with("steps", known, Presence::Always)
}

/// What templates of actions may name: never `credentials`.
fn names(blueprint: &Blueprint) -> Names {
    let auth = blueprint.auth.mode.save();
    let saved = auth.iter().chain(&blueprint.connect.save).map(|(name, _)| name.as_str());
    let config = &blueprint.config_schema.document;
    Names::new(config, &blueprint.connection_schema.document, saved)
}

/// The names inside the file and of the file agree.
fn identity(o: &mut Object<'_>, expected: Expected<'_>) -> BlueprintId {
    let same = "The name; the same as the file's.";
    let name = o.needed(key("action", same).like("list-channels"), TEXT);
    if o.raw("action").is_some() && name != expected.name {
        let message = format!("this file is named `{}`, and the action `{name}`", expected.name);
        o.error_at("action", "file.wrong-name", message).hint("name them alike");
    }
    let calls = "`name:vN`, whose API it calls.";
    let reference = o.needed(key("blueprint", calls).like("ms-teams:v0"), TEXT);
    if o.raw("blueprint").is_none() {
        return BlueprintId::of_entry(&IntegrationKey::unnamed());
    }
    let Some(id) = BlueprintId::parse(&reference) else {
        let message = format!("`{reference}` does not name a blueprint");
        o.error_at("blueprint", "file.bad-name", message)
            .hint("write name and version: `ms-teams:v0`");
        return BlueprintId::of_entry(&IntegrationKey::unnamed());
    };
    if id.name() != expected.folder {
        let message =
            format!("this file stands in `actions/{}/`, and calls `{id}`", expected.folder);
        let hint = suggest(id.name(), [expected.folder])
            .unwrap_or_else(|| format!("move it to `actions/{}/`", id.name()));
        o.error_at("blueprint", "file.wrong-name", message).hint(hint);
    } else if let Some(met) = expected.blueprint.filter(|met| !met.chain.contains(&id)) {
        let message = format!("this action is for `{id}`, and not for `{}`", met.id);
        o.error_at("blueprint", "file.other-version", message);
    }
    id
}

/// `effect`
static EFFECTS: Choices<Effect> = Choices {
    name: "Effect",
    doc: "Does it change anything?",
    rows: &[
        row("read", Effect::Read, "Changes nothing."),
        row("write", Effect::Write, "Creates or changes something."),
        row("delete", Effect::Delete, "Removes something."),
    ],
};
