//! Tests of an action: the real executor, a scripted peer, a virtual clock.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use crate::{
    auth::{self, CredentialSource, FixedCredentials},
    clock::Clock,
    model::{
        account::Credentials,
        auth::AuthMode,
        blueprint::Integration,
        failure::{Code, Failure},
        name::{ConnectionId, RunId},
        pagination::Cut,
        secret::Secret,
        test::{ActionTest, Expectation, ExpectedError},
        time::format_span,
    },
    policy::plan::PreparedAction,
    run::{self, Invocation, Limiter, Quiet, Services, Stop, Task, Terms, Warning},
    schema,
    store::Memory,
    suite::{clock::VirtualClock, compare, report::CaseReport, wire::ScriptedWire},
    template::Scope,
};

/// Runs the tests of an action.
pub fn run(action: &Arc<PreparedAction>, integration: &Arc<Integration>) -> Vec<CaseReport> {
    action.action.tests.iter().map(|test| case(action, integration, test)).collect()
}

fn case(
    action: &Arc<PreparedAction>,
    integration: &Arc<Integration>,
    test: &ActionTest,
) -> CaseReport {
    let mut report =
        CaseReport { name: test.name.clone(), line: test.line, problems: Vec::new(), diff: None };
    let account = Arc::new(FixedCredentials::new(&credentials(integration), integration));
    let values = values(test);
    let base = match base(integration, &account, &values) {
        Ok(base) => base,
        Err(problem) => {
            report.problems.push(problem);
            return report;
        }
    };
    let wire = Arc::new(ScriptedWire::new(Arc::clone(&test.http), &base));
    let played = play((action, integration), test, (&wire, &account, values));
    match played {
        Ok(found) => {
            judge(&test.expect, &found, &mut report);
            if test.expect.reauthorize == Some(true) && !account.was_rejected() {
                report.problems.push("the connection was not marked for a new sign-in".to_owned());
            }
        }
        Err(problem) => report.problems.push(problem),
    }
    report.problems.extend(wire.problems());
    report
}

/// What a run came to.
struct Found {
    result: Result<Value, Failure>,
    waited: Duration,
    cut: Option<Cut>,
    broken: Vec<String>,
}

fn play(
    (action, integration): (&Arc<PreparedAction>, &Arc<Integration>),
    test: &ActionTest,
    (wire, account, values): (&Arc<ScriptedWire>, &Arc<FixedCredentials>, Value),
) -> Result<Found, String> {
    let mut input = test.input.clone();
    schema::fill_defaults(&action.action.input, &mut input);
    if let Some(violation) = schema::check(&action.action.input, &input).into_iter().next() {
        let message = format!("{} {}", violation.pointer, violation.message);
        let result = Err(Failure::new(Code::InvalidInput, message.trim()));
        return Ok(Found { result, waited: Duration::ZERO, cut: None, broken: Vec::new() });
    }
    let clock = VirtualClock::default();
    let port: Arc<dyn Clock> = Arc::new(clock.clone());
    let limits = Arc::new(Memory::new(Arc::clone(&port)));
    let services = Services {
        wire: Arc::clone(wire) as Arc<dyn crate::wire::Wire>,
        limiter: Arc::new(Limiter::exact(limits, Arc::clone(&port))),
        clock: port,
        store: None,
        stop: Stop::default(),
    };
    let invocation = Invocation {
        id: RunId::test(),
        integration: Arc::clone(integration),
        connection: ConnectionId::test(),
        values,
        granted: None,
        account: Arc::clone(account) as Arc<dyn CredentialSource>,
        input,
        base_url: None,
        terms: Terms::default(),
        claim: None,
        token_key: [7; 32],
    };
    let ended = clock
        .drive(run::run(&services, &invocation, Task::Action(action), &Quiet))
        .map_err(|stuck| stuck.to_string())?;
    let ended = ended.map_err(|error| error.to_string())?;
    let breaks = |warning: &Warning| match warning {
        Warning::Returns { .. } => Some(warning.to_string()),
        Warning::Truncated { .. } | Warning::NotKept => None,
    };
    Ok(Found {
        waited: clock.elapsed(),
        cut: ended.cut(),
        broken: ended.warnings.iter().filter_map(breaks).collect(),
        result: ended.output,
    })
}

fn judge(expect: &Expectation, found: &Found, report: &mut CaseReport) {
    match (&expect.error, &found.result) {
        (None, Ok(output)) => {
            if let Some(expected) = &expect.output
                && !compare::equal(expected, output)
            {
                report.problems.push("the output differs".to_owned());
                report.diff = Some(compare::diff(expected, output));
            }
            report.problems.extend(found.broken.iter().cloned());
        }
        (None, Err(failure)) => {
            report.problems.push(format!("it failed: {}: {}", failure.code, failure.message));
        }
        // A run delivers such an output with a warning; a test fails with it.
        (Some(expected), Ok(_)) => match found.broken.first() {
            Some(broken) => {
                let failure = Failure::new(Code::InvalidOutput, broken.clone());
                judge_failure(expected, &failure, report);
            }
            None => {
                let message = format!("expected the failure {}, and it succeeded", expected.code);
                report.problems.push(message);
            }
        },
        (Some(expected), Err(failure)) => judge_failure(expected, failure, report),
    }
    if let Some(waited) = expect.waited.filter(|waited| *waited != found.waited) {
        let (waited, found) = (format_span(waited), format_span(found.waited));
        report.problems.push(format!("expected to wait {waited}, and it waited {found}"));
    }
    let truncated = found.cut.is_some();
    if let Some(expected) = expect.truncated.filter(|expected| *expected != truncated) {
        report.problems.push(format!("expected `truncated: {expected}`"));
    }
    if let Some(by) = expect.truncated_by.filter(|by| Some(*by) != found.cut) {
        let found = found.cut.map_or("nothing", Cut::as_str);
        report.problems.push(format!("expected `truncated_by: {}`, found {found}", by.as_str()));
    }
}

fn judge_failure(expected: &ExpectedError, failure: &Failure, report: &mut CaseReport) {
    if expected.code != failure.code {
        let message = format!(
            "expected the failure {}, found {}: {}",
            expected.code, failure.code, failure.message
        );
        report.problems.push(message);
    }
    if let Some(message) = expected.message.as_ref().filter(|message| **message != failure.message)
    {
        report
            .problems
            .push(format!("expected the message `{message}`, found `{}`", failure.message));
    }
    if let Some(detail) = &expected.detail
        && !compare::contains(detail, failure.detail.as_ref().unwrap_or(&Value::Null))
    {
        report.problems.push("the detail differs".to_owned());
        report.diff = Some(compare::diff(detail, failure.detail.as_ref().unwrap_or(&Value::Null)));
    }
    if let Some(count) = expected.executed.filter(|count| *count != failure.executed) {
        let found = failure.executed;
        report.problems.push(format!("expected `executed: {count}`, found {found}"));
    }
    let writes = || serde_json::to_value(&failure.writes).unwrap_or_default();
    if let Some(expected) = expected.writes.as_ref().filter(|e| !compare::contains(e, &writes())) {
        report.problems.push("the writes differ".to_owned());
        report.diff = Some(compare::diff(expected, &writes()));
    }
    if let Some(flag) = expected.maybe_executed.filter(|flag| *flag != failure.maybe_executed) {
        report.problems.push(format!("expected `maybe_executed: {flag}`"));
    }
}

fn values(test: &ActionTest) -> Value {
    let mut values = test.connection.clone();
    if let Some(map) = values.as_object_mut() {
        map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    }
    values
}

/// A text for every credential that the blueprint asks for.
fn credentials(integration: &Integration) -> Credentials {
    let mut credentials = Credentials::default();
    let names = integration.blueprint.auth.credentials.properties().map(|(name, _)| name);
    // Keys of signatures may have to be hexadecimal digits or base64: this is both.
    let signs = matches!(integration.blueprint.auth.mode, AuthMode::Signature(_));
    for name in names.chain(["access_token", "api_key", "username", "password"]) {
        let text = if signs { "c0ffee00c0ffee00".to_owned() } else { format!("test-{name}") };
        credentials.fields.insert(name.to_owned(), Secret::new(text));
    }
    credentials
}

/// The base URL that paths of the test are relative to.
fn base(
    integration: &Integration,
    account: &FixedCredentials,
    values: &Value,
) -> Result<String, String> {
    let root = integration.root();
    let scope = Scope::new(crate::model::time::Timestamp(0))
        .with("connection", values)
        .with("integration", &root);
    auth::base_url(&integration.blueprint, account.held(), &scope)
        .map(String::from)
        .map_err(|fault| fault.message)
}
