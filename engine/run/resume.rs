//! Where a caller goes on who reads a list page by page.

use serde_json::Value;

use crate::{
    model::{
        action::StepPagination,
        failure::{Code, Failure},
    },
    policy::{paginate::Resume, token},
    run::context::Execution,
    template::{
        self,
        demand::{Demand, Demands},
    },
};

/// What an earlier call has left in `from`, opened. Nothing, or an empty text, is the beginning.
pub fn open(here: &Execution<'_>, paginate: &StepPagination) -> Result<Option<Resume>, Failure> {
    let Some(template) = &paginate.from else { return Ok(None) };
    let text = template::text(template, &here.scope).map_err(|f| here.fault(&f))?;
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let input = bound_input(here, paginate);
    let opened = token::open(&text, place(here, &input), &here.cx.invocation.token_key);
    let opened = opened.map_err(|_| {
        Failure::new(Code::InvalidInput, "the page token is not one of this call").with_hint(
            "give the token of the previous call, unchanged, with the same input and connection; \
             or none",
        )
    });
    opened.map(Some)
}

/// The token with which a caller goes on.
pub fn seal(
    here: &Execution<'_>,
    paginate: &StepPagination,
    resume: &Resume,
) -> Result<String, Failure> {
    let input = bound_input(here, paginate);
    token::seal(resume, place(here, &input), &here.cx.invocation.token_key)
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))
}

fn place<'a>(here: &'a Execution<'_>, input: &'a Value) -> token::Place<'a> {
    let Execution { cx, step, .. } = here;
    token::Place {
        integration: &cx.invocation.integration.name,
        connection: &cx.invocation.connection,
        action: cx.name.as_ref(),
        step: &step.id,
        input,
        base: &cx.base.url,
    }
}

/// The input without the members in which the token itself comes.
fn bound_input(here: &Execution<'_>, paginate: &StepPagination) -> Value {
    let mut input = here.cx.invocation.input.clone();
    if let (Some(from), Value::Object(members)) = (&paginate.from, &mut input) {
        let mut reads = Demands::new();
        reads.template(from);
        match reads.of(&["input"]) {
            Demand::All => members.clear(),
            Demand::Members(read) => members.retain(|name, _| !read.contains_key(name)),
        }
    }
    input
}
