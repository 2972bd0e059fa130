//! Tests of a blueprint's rules: reply in, verdict out.

use serde_json::{Value, json};

use crate::{
    model::{
        blueprint::{self, Blueprint, RuleTest},
        rule::Outcome,
        test::Reply,
        time::{Timestamp, format_span},
    },
    policy::classify::{self, Answer, Rules},
    schema,
    suite::report::CaseReport,
    template::Scope,
};

/// When all tests happen.
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Runs the tests of a blueprint.
pub fn run(blueprint: &Blueprint) -> Vec<CaseReport> {
    blueprint.tests.iter().map(|test| case(blueprint, test)).collect()
}

fn case(blueprint: &Blueprint, test: &RuleTest) -> CaseReport {
    let expected = &test.expect;
    let problems = match verdict(blueprint, test) {
        Err(problem) => vec![problem],
        Ok(found) if expected.fits(&found) => Vec::new(),
        Ok(found) => {
            let wait = |wait: Option<_>| {
                wait.map_or_else(String::new, |w| format!(", wait {}", format_span(w)))
            };
            let code = |code: Option<crate::model::failure::Code>| {
                code.map_or_else(String::new, |c| format!(", code {c}"))
            };
            let message = |text: Option<&str>| {
                text.filter(|t| !t.is_empty())
                    .map_or_else(String::new, |t| format!(", message `{t}`"))
            };
            let wanted = format!(
                "{}{}{}{}",
                expected.is.as_str(),
                code(expected.code),
                wait(expected.wait),
                message(expected.message.as_deref())
            );
            let got = format!(
                "{}{}{}{}",
                found.kind.as_str(),
                code(Some(found.code)),
                wait(found.wait),
                message(Some(&found.message))
            );
            vec![format!("expected {wanted}; found {got}")]
        }
    };
    let usual = match &test.reply {
        Reply::Answer { status, .. } => format!("{status} is {}", expected.is.as_str()),
        Reply::FailConnect | Reply::FailTimeout => "no answer".to_owned(),
    };
    let name = test.name.clone().unwrap_or(usual);
    CaseReport { name, line: test.line, problems, diff: None }
}

fn verdict(blueprint: &Blueprint, test: &RuleTest) -> Result<Outcome, String> {
    let Reply::Answer { status, headers, body } = &test.reply else {
        return Err("a test of rules needs an answer".to_owned());
    };
    let parsed = serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()));
    let mut config = json!({});
    schema::fill_defaults(&blueprint.config_schema, &mut config);
    let integration = blueprint::root(blueprint.id.name(), &config);
    let (connection, run) =
        (json!({"metadata": {}}), json!({"id": "run_test", "started_at": NOW.to_string()}));
    let scope = Scope::new(NOW)
        .with("connection", &connection)
        .with("integration", &integration)
        .with("run", &run);
    let answer = Answer { status: *status, headers, body: &parsed, scope };
    if test.at_token_url {
        let Some(map) = blueprint.auth.mode.answer() else {
            return Err("this way to sign in has no token endpoint".to_owned());
        };
        return Ok(classify::classify_token(&answer, &map.responses, NOW));
    }
    let rules = Rules {
        own: &[],
        blueprint: &blueprint.rules,
        error_message: blueprint.error_message.as_deref(),
        error_detail: blueprint.error_detail.as_deref(),
    };
    classify::classify(&answer, &rules, NOW).map_err(|fault| fault.message)
}
