//! Fresh credentials → proven: `verify`, then `connect.discover`, then who it is.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    auth::{self, CredentialSource, FixedCredentials, SignInScope},
    model::{
        account::{Account, Connection},
        action::{Action, Effect, Step},
        blueprint::Integration,
        failure::{Code, Failure},
        name::{ActionName, RunId},
        run_limits::RunLimits,
        schema::Schema,
        template::{Expr, Part, Path, Shape, Template},
        time::Timestamp,
    },
    policy::plan::PreparedAction,
    run::{self, Invocation, Quiet, Services, Task, Terms},
    schema, store, template,
};

/// Credentials to be proven.
pub struct Proof {
    /// With them.
    pub connection: Connection,
    /// Of the sandbox, if it plays the API.
    pub base_url: Option<String>,
    /// For the records.
    pub run_id: RunId,
}

/// Proves credentials before anything is stored; the connection with what was discovered.
pub async fn prove(
    services: &Services,
    integration: &Arc<Integration>,
    proof: Proof,
) -> Result<Result<Connection, Failure>, store::Error> {
    let Proof { mut connection, base_url, run_id } = proof;
    let steps = questions(integration, base_url.as_ref());
    let mut found = Value::Object(Map::new());
    if !steps.is_empty() {
        let source = Arc::new(FixedCredentials::fresh(&connection, integration));
        let asked = Questions {
            source,
            account: &connection.account,
            values: auth::root(&connection),
            base_url,
            run_id,
            steps,
        };
        match ask(services, integration, asked).await? {
            Ok(steps) => found = steps,
            Err(failure) => return Ok(Err(unproven(failure))),
        }
    }
    if let Err(failure) = learn(integration, &mut connection, &found, services.clock.now()) {
        return Ok(Err(failure));
    }
    Ok(Ok(connection))
}

/// What is asked of the API, and for whom.
pub struct Questions<'a> {
    /// The credentials.
    pub source: Arc<dyn CredentialSource>,
    /// Whose they are.
    pub account: &'a Account,
    /// The root `connection`.
    pub values: Value,
    /// Of the sandbox, if it plays the API.
    pub base_url: Option<String>,
    /// For the records.
    pub run_id: RunId,
    /// From [`questions`].
    pub steps: Vec<Step>,
}

/// `verify` and `connect.discover`.
pub fn questions(integration: &Integration, base_url: Option<&String>) -> Vec<Step> {
    let blueprint = &integration.blueprint;
    let all = blueprint.verify.as_deref().into_iter().chain(&blueprint.connect.discover);
    all.filter(|step| plays(integration, base_url, step)).cloned().collect()
}

/// Asks; the value is what `steps` holds afterwards.
pub async fn ask(
    services: &Services,
    integration: &Arc<Integration>,
    questions: Questions<'_>,
) -> Result<Result<Value, Failure>, store::Error> {
    let action = action(integration, questions.steps);
    let prepared = PreparedAction::new(action, &integration.blueprint);
    let invocation = Invocation {
        id: questions.run_id,
        integration: Arc::clone(integration),
        connection: questions.account.id.clone(),
        values: questions.values,
        granted: questions.account.scopes.clone(),
        account: questions.source,
        input: Value::Object(Map::new()),
        base_url: questions.base_url,
        terms: Terms::default(),
        claim: None,
        token_key: [0; 32],
    };
    Ok(run::run(services, &invocation, Task::Action(&prepared), &Quiet).await?.output)
}

/// Whether the sandbox has a route for the step; the real API has them all.
fn plays(integration: &Integration, base_url: Option<&String>, step: &Step) -> bool {
    let Some(sandbox) = integration.blueprint.sandbox.as_ref().filter(|_| base_url.is_some())
    else {
        return true;
    };
    sandbox.routes.iter().any(|route| {
        let path: Vec<&str> = step.path.source.trim_start_matches('/').split('/').collect();
        route.method == step.method && route.segments.len() == path.len()
    })
}

/// Puts what the answers say into the connection: `connect.save` and `connect.account`.
pub fn learn(
    integration: &Integration,
    connection: &mut Connection,
    steps: &Value,
    now: Timestamp,
) -> Result<(), Failure> {
    let connect = &integration.blueprint.connect;
    let ground = SignInScope::new(integration, connection, now);
    let mut scope = ground.scope().with("steps", steps);
    scope.lenient = true;
    let fault = |fault: template::Fault| Failure::new(Code::Template, fault.message);
    let mut saved = Map::new();
    for (name, shape) in &connect.save {
        if let Some(value) = template::evaluate(shape, &scope).map_err(fault)?
            && !value.is_null()
        {
            saved.insert(name.clone(), value);
        }
    }
    let text = |shape: &Option<Shape>| match shape {
        Some(shape) => template::evaluate(shape, &scope).map(|value| value.and_then(|v| shown(&v))),
        None => Ok(None),
    };
    let (id, name) =
        (text(&connect.account_id).map_err(fault)?, text(&connect.account_name).map_err(fault)?);
    let account = &mut connection.account;
    account.account_id = id.or(account.account_id.take());
    account.account_name = name.or(account.account_name.take());
    connection.take_values(&integration.blueprint.connection_schema, saved);
    fits(integration, connection)
}

/// Whether what was saved is what the blueprint says it is: it may stand in a host.
pub fn fits(integration: &Integration, connection: &Connection) -> Result<(), Failure> {
    let schema = &integration.blueprint.connection_schema;
    let values = auth::values(&connection.account, &connection.secrets.credentials);
    let declared: Map<String, Value> = schema
        .properties()
        .filter_map(|(name, _)| Some((name.to_owned(), values.get(name)?.clone())))
        .collect();
    match schema::check(schema, &Value::Object(declared)).first() {
        None => Ok(()),
        Some(violation) => Err(Failure::new(
            Code::ProviderError,
            format!(
                "the connection's `{}` {}",
                violation.pointer.trim_start_matches('/').replace('/', "."),
                violation.message
            ),
        )),
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn unproven(failure: Failure) -> Failure {
    let what = if failure.code == Code::Unauthorized {
        "the API refuses these credentials"
    } else {
        "the credentials could not be proven"
    };
    let message = format!("{what}: {}", failure.message);
    let hint = failure.hint.clone().unwrap_or_else(|| "nothing was stored".to_owned());
    Failure { message, ..failure }.with_hint(hint)
}

/// An action that yields its steps.
fn action(integration: &Integration, steps: Vec<Step>) -> Action {
    let path = Path { root: "steps".to_owned(), segments: Vec::new(), offset: 2 };
    Action {
        name: ActionName::connect(),
        blueprint: integration.blueprint.id.clone(),
        title: None,
        description: None,
        effect: Effect::Read,
        scopes: Vec::new(),
        input: Schema::new(Value::Bool(true)),
        steps,
        output: Shape::Template(Template {
            source: "{{steps}}".into(),
            parts: vec![Part::Expr(Expr::Path(path))],
        }),
        returns: None,
        limits: RunLimits::default(),
        tests: Vec::new(),
    }
}
