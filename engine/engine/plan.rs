//! `--dry-run`: what a call would send, as far as that does not depend on answers.

use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{self, OpenCredentials},
    engine::{accept, call::Call, parts::Engine},
    error::{CallCode, Error},
    model::{
        action::{Step, StepPagination},
        blueprint::Integration,
    },
    policy::{
        known::Known,
        paginate::Walk,
        plan::{decided_by, made_of},
    },
    run::{self, Base, Renderer},
    template::{Fault, Scope},
    view::{Planned, PlannedRequest},
};

/// So many items of an `each` are shown.
const MOST_ITEMS: usize = 20;

/// Renders the requests of a call, credentials masked. Nothing is sent, nothing is recorded.
pub async fn plan(engine: &Engine, call: Call) -> Result<Vec<Planned>, Error> {
    let target =
        match accept::target(engine, &call.integration, call.connection.as_deref(), call.sandbox)
            .await
        {
            // What would be sent can be shown before anything is connected.
            Err(Error::NoConnection { .. }) => {
                let loaded = engine.catalog().integration(&call.integration)?;
                let integration = loaded.live()?;
                accept::CallTarget { loaded, integration, account: None, sandbox: false }
            }
            other => other?,
        };
    let integration = target.integration;
    let action = target.loaded.action(&call.action)?;
    let input = accept::validate_input(&action.action, call.input)?;
    let values = accept::connection_root(&integration, target.account.as_ref());
    let entry = integration.root();
    let run = serde_json::json!({"id": "run_dry", "started_at": engine.clock().now().to_string()});
    let scope = Scope::new(engine.clock().now())
        .with("connection", &values)
        .with("integration", &entry)
        .with("run", &run);
    let held = auth::masked(&integration);
    let variables = auth::variables(&integration);
    let base = auth::base_url(&integration.blueprint, &held, &scope)
        .and_then(|url: Url| Base::new(&integration.blueprint, url, &scope))
        .map_err(refusal)?;
    let steps = Value::Object(Map::new());
    let own = scope.clone().with("input", &input).with("steps", &steps);
    let dry = Dry {
        integration: &integration,
        base: &base,
        held: &held,
        variables: &variables,
        blueprint: &scope,
        without: &[],
    };
    let mut planned: Vec<Planned> = Vec::new();
    for step in &action.action.steps {
        // Of a step that is not executed for certain, the absence of an answer is certain, too.
        let answered = |names: Vec<String>| {
            let open = |name: &String| planned.iter().any(|planned| planned.step() == name);
            names.into_iter().filter(open).map(|name| format!("`{name}`")).collect::<Vec<_>>()
        };
        let (deciding, within) = (answered(decided_by(step)), answered(made_of(step)));
        if !deciding.is_empty() {
            let why =
                format!("whether it is sent, and for what, is for {} to say", deciding.join(", "));
            planned.push(Planned::Unknown { step: step.id.clone(), why });
            continue;
        }
        let dry = Dry { without: &within, ..dry };
        if let Err(fault) = dry.step(step, &own, &mut planned) {
            if fault.from_input {
                return Err(refusal(fault));
            }
            planned.push(Planned::Unknown { step: step.id.clone(), why: fault.message });
        }
    }
    Ok(planned)
}

#[derive(Clone, Copy)]
struct Dry<'a> {
    integration: &'a Integration,
    base: &'a Base,
    /// Masked.
    held: &'a OpenCredentials,
    variables: &'a Known,
    blueprint: &'a Scope<'a>,
    /// Steps whose answers go into the request, and are not there.
    without: &'a [String],
}

impl Dry<'_> {
    fn step(
        &self,
        step: &Step,
        scope: &Scope<'_>,
        planned: &mut Vec<Planned>,
    ) -> Result<(), Fault> {
        if !run::is_wanted(step, scope)? {
            return Ok(());
        }
        let Some(each) = &step.each else {
            let note = step.paginate.as_ref().map(|_| "the first page; more may follow".to_owned());
            planned.push(self.request(step, scope, note)?);
            return Ok(());
        };
        let items = run::items(step, each, scope)?;
        for (index, item) in items.iter().enumerate().take(MOST_ITEMS) {
            let position = Value::from(index);
            let scope = scope.clone().with(each.name.as_str(), item).with("index", &position);
            let note = Some(format!("item {} of {}", index + 1, items.len()));
            planned.push(self.request(step, &scope, note)?);
        }
        Ok(())
    }

    fn request(
        &self,
        step: &Step,
        scope: &Scope<'_>,
        note: Option<String>,
    ) -> Result<Planned, Fault> {
        let blueprint = &self.integration.blueprint;
        let first = |paging: &StepPagination| Walk::start(&paging.pagination, None).first();
        let changes = step.paginate.as_ref().map(first).unwrap_or_default();
        let renderer = Renderer { base: self.base, blueprint, scope };
        let key = || "(one per execution)".to_owned();
        let rendered = renderer.step(step, &changes, key)?;
        let lacks = (!self.without.is_empty()).then(|| {
            format!("without what it takes from the answer of {}", self.without.join(", "))
        });
        let notes: Vec<String> = lacks.into_iter().chain(note).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        let request = std::sync::Arc::unwrap_or_clone(rendered.request);
        let request = auth::preview(request, blueprint, self.held, self.blueprint)?;
        let hide = |text: &str| self.variables.hide(text).into_owned();
        let planned = PlannedRequest { note, ..PlannedRequest::new(&step.id, &request, hide) };
        Ok(Planned::Request(Box::new(planned)))
    }
}

fn refusal(fault: Fault) -> Error {
    Error::Call {
        code: if fault.from_input { CallCode::InputInvalid } else { CallCode::CannotPlan },
        message: fault.message,
        hint: None,
    }
}
