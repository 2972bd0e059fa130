//! Template faults → failures of a run.

use crate::{
    model::failure::{Code, Failure},
    template::Fault,
};

/// The caller's fault if the culprit came from the input, else the files'.
pub fn failure(fault: &Fault, step: &str) -> Failure {
    Failure { step: Some(step.to_owned()), ..plain(fault) }
}

/// The same outside of a step.
pub fn plain(fault: &Fault) -> Failure {
    let code = if fault.from_input { Code::InvalidInput } else { Code::Template };
    Failure::new(code, fault.message.clone())
}
