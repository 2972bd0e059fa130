//! An action file × the blueprint it meets → `Action`.

use std::sync::Arc;

use serde_json::json;

use crate::{
    catalog::{
        decode::{Raw, decode},
        resolve::{
            document::{document, object},
            sandbox,
            shape::{shape, span},
            step::{self, Around},
            symbols::{self, Names},
        },
        spec::action::{ActionSpec, EffectSpec},
        tree::Node,
    },
    diagnostic::{Diagnostics, Severity, suggest},
    model::{
        action::{Action, Effect},
        blueprint::Blueprint,
        name::BlueprintId,
        template::Shape,
    },
    template::knowledge::{Knowledge, Member, Presence, of_schema},
};

/// What an action's file must say of itself.
pub struct Expected<'a> {
    /// The file's name, without the blueprint's and the version.
    pub name: &'a str,
    /// The folder's name.
    pub folder: &'a str,
}

/// Resolves an action against the blueprint that it meets, whose tree gives `paginate`.
#[expect(clippy::too_many_lines, reason = "one paragraph a key of the file")]
pub fn action(
    tree: &Arc<Node>,
    (blueprint, blueprint_tree): (&Blueprint, &Node),
    expected: &Expected<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Action> {
    let spec: ActionSpec = decode(tree, diagnostics)?;
    let id = identity(&spec, (expected, blueprint), diagnostics);
    let input = object(spec.input.as_ref(), diagnostics);
    let config = &blueprint.config_schema.document;
    let names = Names::new(config, &blueprint.connection_schema.document, saved(blueprint));
    let base = names.base().with("input", of_schema(&input.document), Presence::Always);
    let paginate = blueprint_tree.get("paginate");
    let (mut members, mut steps): (Vec<Member>, Vec<_>) = (Vec::new(), Vec::new());
    let mut sound = true;
    for spec in spec.steps {
        let known = Knowledge::Record { members: members.clone(), open: false };
        let symbols = base.clone().with("steps", known, Presence::Always);
        let around = Around { names: &names, symbols: &symbols, paginate };
        let place = spec.node.place.clone();
        let named = spec.value.id.as_ref().map(|id| id.value.clone());
        match step::step(spec, &around, diagnostics) {
            Some(step) => {
                if members.iter().any(|member| member.name == step.id) {
                    let message = format!("there are two steps `{}`", step.id);
                    diagnostics.error("file.duplicate-name", message, Some(place));
                }
                let record = symbols::step_record(step.each.is_some(), step.paginate.is_some());
                members.push(known_step(&step.id, record, step.condition.is_some()));
                steps.push(step);
            }
            None => {
                // What reads it later is not wrong for that.
                members.extend(named.map(|name| known_step(&name, Knowledge::Open, false)));
                sound = false;
            }
        }
    }
    if tree.get("steps").is_none_or(|steps| steps.items().is_empty()) {
        diagnostics.error(
            "file.missing-key",
            "an action needs at least one step",
            Some(tree.place.clone()),
        );
    }
    let known = Knowledge::Record { members, open: false };
    let symbols = base.with("steps", known, Presence::Always);
    let output = match &spec.output {
        Some(Raw(node)) => shape(node, &symbols, diagnostics),
        None => Some(Shape::Literal(json!({}))),
    };
    let returns = spec.returns.as_ref().map(|Raw(node)| document(node, diagnostics));
    let limits = spec.limits.as_ref();
    let tests =
        spec.tests.into_iter().filter_map(|test| sandbox::action_test(test, diagnostics)).collect();
    let timeout = span(limits.and_then(|limits| limits.timeout.as_ref()), diagnostics);
    let (id, output) = (id?, output?);
    sound.then_some(Action {
        name: expected.name.to_owned(),
        blueprint: id,
        title: spec.title,
        description: spec.description,
        effect: match spec.effect {
            None | Some(EffectSpec::Read) => Effect::Read,
            Some(EffectSpec::Write) => Effect::Write,
            Some(EffectSpec::Delete) => Effect::Delete,
        },
        scopes: spec.scopes,
        input,
        steps,
        output,
        returns,
        timeout,
        max_requests: limits.and_then(|limits| limits.requests),
        tests,
    })
}

/// A step that may be skipped holds nothing for sure.
fn known_step(name: &str, record: Knowledge, skippable: bool) -> Member {
    let knowledge = match (record, skippable) {
        (Knowledge::Record { mut members, open }, true) => {
            for member in &mut members {
                member.presence = Presence::Maybe;
            }
            Knowledge::Record { members, open }
        }
        (record, _) => record,
    };
    symbols::member(name, knowledge)
}

/// The names inside the file and of the file agree.
fn identity(
    spec: &ActionSpec,
    (expected, blueprint): (&Expected<'_>, &Blueprint),
    diagnostics: &mut Diagnostics,
) -> Option<BlueprintId> {
    if spec.action.value != expected.name {
        let message = format!(
            "this file is named `{}`, and the action `{}`",
            expected.name, spec.action.value
        );
        let hint = "name them alike".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.wrong-name",
            message,
            Some(spec.action.node.place.clone()),
            Some(hint),
        );
    }
    let Some(id) = BlueprintId::parse(&spec.blueprint.value) else {
        let message = format!("`{}` names no blueprint", spec.blueprint.value);
        let hint = "write name and version: `ms-teams:v0`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-name",
            message,
            Some(spec.blueprint.node.place.clone()),
            Some(hint),
        );
        return None;
    };
    if id.name != expected.folder {
        let message =
            format!("this file stands in `actions/{}/`, and calls `{id}`", expected.folder);
        let hint = suggest(&id.name, [expected.folder])
            .or_else(|| Some(format!("move it to `actions/{}/`", id.name)));
        diagnostics.push(
            Severity::Error,
            "file.wrong-name",
            message,
            Some(spec.blueprint.node.place.clone()),
            hint,
        );
    } else if !blueprint.chain.contains(&id) {
        let message = format!("this action is for `{id}`, and not for `{}`", blueprint.id);
        let place = Some(spec.blueprint.node.place.clone());
        diagnostics.push(Severity::Error, "file.other-version", message, place, None);
    }
    Some(id)
}

/// Names that sign-in puts on the connection.
fn saved(blueprint: &Blueprint) -> impl Iterator<Item = &str> {
    let auth = blueprint.auth.mode.save();
    auth.iter().chain(&blueprint.connect.save).map(|(name, _)| name.as_str())
}
