//! The pages of the sandbox's OAuth server.

use serde_json::{Value, json};

use crate::{
    http::html::fields,
    render::Text,
    sandbox::exchange::{Incoming, Outgoing},
};

static CONSENT: Text = Text::html(include_str!("consent.html.hbs"));
static SENTENCE: Text = Text::html(include_str!("sentence.html.hbs"));

const TITLE: &str = "Sandbox sign-in";

/// Asks whether to allow it. The decision is posted to the URL that the page has.
pub fn page(incoming: &Incoming) -> Outgoing {
    let get = |name: &str| {
        let found = incoming.query.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    page_of(
        &CONSENT,
        &json!({
            "title": TITLE,
            "client": get("client_id"),
            "scopes": get("scope"),
            "device": incoming.path.ends_with("verify"),
            "user_code": get("user_code"),
        }),
    )
}

/// A sentence.
pub fn text(text: &str) -> Outgoing {
    page_of(&SENTENCE, &json!({"title": TITLE, "text": text}))
}

fn page_of(template: &Text, data: &Value) -> Outgoing {
    Outgoing { status: 200, headers: fields(), body: template.render(data).into_bytes() }
}

#[cfg(test)]
mod tests {
    use crate::model::http::HeaderMap;

    use super::*;

    fn shown(path: &str, query: &[(&str, &str)]) -> String {
        let query = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let incoming = Incoming {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            body: Vec::new(),
        };
        String::from_utf8(page(&incoming).body).unwrap()
    }

    #[test]
    fn an_app_is_named_and_nothing_of_it_becomes_markup() {
        let page = shown("/authorize", &[("client_id", "<b>"), ("scope", "a \"b\"")]);
        assert!(page.contains("The app <code>&lt;b&gt;</code> wants"), "{page}");
        assert!(page.contains("It asks for: <code>a &quot;b&quot;</code>"), "{page}");
        assert!(!page.contains("user_code"), "{page}");
        let page = shown("/verify", &[("user_code", "\"><x")]);
        assert!(page.contains("<p>An app wants"), "{page}");
        assert!(page.contains("name=\"user_code\" value=\"&quot;&gt;&lt;x\""), "{page}");
        assert!(!page.contains("It asks for"), "{page}");
    }
}
