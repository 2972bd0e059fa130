//! The pages of the sandbox's OAuth server.

use crate::sandbox::{
    exchange::{Incoming, Outgoing},
    html::{FIELDS, document, escaped},
};

/// Asks whether to allow it. The decision is posted to the URL that the page has.
pub fn page(incoming: &Incoming) -> Outgoing {
    let get = |name: &str| {
        incoming
            .query
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    };
    let who = match get("client_id") {
        "" => "An app".to_owned(),
        id => format!("The app <code>{}</code>", escaped(id)),
    };
    let scopes = match get("scope") {
        "" => String::new(),
        scopes => format!("<p>It asks for: <code>{}</code></p>", escaped(scopes)),
    };
    let code = if incoming.path.ends_with("verify") {
        format!(
            "<p><label>Code <input name=\"user_code\" value=\"{}\"></label></p>",
            escaped(get("user_code"))
        )
    } else {
        String::new()
    };
    page_of(&format!(
        "<p>{who} wants to act for you. This page is played by the engine on this \
         machine: no vendor is asked, and nobody's account is touched.</p>{scopes}\
         <form method=\"post\">{code}<button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>"
    ))
}

/// A sentence.
pub fn text(text: &str) -> Outgoing {
    page_of(&format!("<p>{}</p>", escaped(text)))
}

fn page_of(body: &str) -> Outgoing {
    let headers = FIELDS.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    let body = document("Sandbox sign-in", body).into_bytes();
    Outgoing { status: 200, headers, body }
}
