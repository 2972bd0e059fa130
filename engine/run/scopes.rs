//! What a refusal may have to do with scopes.

use crate::model::failure::{Code, Failure};

/// Says, of a call that was forbidden, which of the action's scopes were not granted. A hint and
/// no check beforehand: vendors write one scope in several ways, and broad ones include narrow.
pub fn explain(failure: &mut Failure, needed: &[String], granted: Option<&[String]>) {
    let Some(granted) = granted.filter(|_| failure.code == Code::Forbidden) else { return };
    let lacking: Vec<&str> =
        needed.iter().filter(|scope| !granted.contains(scope)).map(String::as_str).collect();
    if failure.hint.is_none() && !lacking.is_empty() {
        failure.hint = Some(format!(
            "the action needs scopes that the connection was not granted: {}; add them to \
             `oauth_scopes` and connect again",
            lacking.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(needed: &[&str], granted: Option<&[&str]>) -> Option<String> {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let mut failure = Failure::new(Code::Forbidden, "no");
        explain(&mut failure, &owned(needed), granted.map(owned).as_deref());
        failure.hint
    }

    #[test]
    fn a_forbidden_call_names_the_scopes_that_were_not_granted() {
        let said = hint(&["read", "send"], Some(&["read"])).unwrap();
        assert!(said.contains("not granted: send;"), "{said}");
        assert_eq!(hint(&["read"], Some(&["read"])), None);
        assert_eq!(hint(&["read"], None), None, "the vendor never said");
    }
}
