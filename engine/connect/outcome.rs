//! What has become of a sign-in, as its row keeps it for whoever waits.

use serde_json::{Value, json};

use crate::model::failure::{Code, Failure};

/// The end of a sign-in: the account is stored, or a failure says why it is not.
pub fn to_json(outcome: &Result<(), Failure>) -> Value {
    match outcome {
        Ok(()) => json!({"connected": true}),
        Err(failure) => json!({"failure": failure.to_json()}),
    }
}

/// Reads what [`to_json`] wrote.
pub fn from_json(value: &Value) -> Result<(), Failure> {
    if value.get("connected") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let failure = value.get("failure").cloned().and_then(Failure::from_json);
    let unreadable = || Failure::new(Code::Internal, "the result of the sign-in cannot be read");
    Err(failure.unwrap_or_else(unreadable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_come_back_as_they_went() {
        let failure = Failure::new(Code::Unauthorized, "no").with_hint("begin again");
        for outcome in [Ok(()), Err(failure)] {
            assert_eq!(from_json(&to_json(&outcome)), outcome);
        }
        assert_eq!(from_json(&json!({})).unwrap_err().code, Code::Internal);
    }
}
