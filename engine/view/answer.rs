//! The answer to `engine request`.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    model::http::{Fields, HeaderMap},
    view::headers::headers,
};

/// An answer, where there is more to know than a body of JSON or text.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Status and headers, if they were asked for.
    #[serde(flatten)]
    pub head: Option<AnswerHead>,
    /// `base64`, if that is how the body is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
    /// JSON, a text, or base64 of anything else; `null` for an empty one.
    pub body: Value,
}

/// The head of an answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AnswerHead {
    /// The status code.
    pub status: u16,
    /// By name, in their order.
    #[serde(serialize_with = "fields")]
    pub headers: HeaderMap,
}

/// An answer whose body was written into a file.
#[derive(Debug, Clone, Serialize)]
pub struct SavedAnswer {
    /// Status and headers.
    #[serde(flatten)]
    pub head: AnswerHead,
    /// The path of the file.
    pub saved: String,
    /// Its size.
    pub bytes: u64,
}

fn fields<S: Serializer>(fields: &HeaderMap, to: S) -> Result<S::Ok, S::Error> {
    headers(fields.fields()).serialize(to)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_say_nothing_are_left_out() {
        let head = || {
            let headers = [("a".parse().unwrap(), "1".parse().unwrap())].into_iter().collect();
            AnswerHead { status: 200, headers }
        };
        let shown = |head, encoding| {
            serde_json::to_string(&Answer { head, body: json!("eA=="), encoding }).unwrap()
        };
        assert_eq!(shown(None, Some("base64")), r#"{"encoding":"base64","body":"eA=="}"#);
        assert_eq!(
            shown(Some(head()), Some("base64")),
            r#"{"status":200,"headers":{"a":"1"},"encoding":"base64","body":"eA=="}"#
        );
        assert_eq!(
            shown(Some(head()), None),
            r#"{"status":200,"headers":{"a":"1"},"body":"eA=="}"#
        );
        let saved = SavedAnswer { head: head(), saved: "x.bin".to_owned(), bytes: 5 };
        assert_eq!(
            serde_json::to_string(&saved).unwrap(),
            r#"{"status":200,"headers":{"a":"1"},"saved":"x.bin","bytes":5}"#
        );
    }
}
