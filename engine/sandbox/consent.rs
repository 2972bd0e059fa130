//! The pages of the sandbox's OAuth server.

use crate::sandbox::exchange::{Incoming, Outgoing};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;\
color:#1b1b1b;background:#fff}button{font:inherit;padding:.5rem 1.2rem;margin-right:.6rem}input{font:inherit;padding:.4rem}\
code{word-break:break-word}@media(prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}}";

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
    html(&format!(
        "<h1>Sandbox sign-in</h1><p>{who} wants to act for you. This page is played by the engine on this \
         machine: no vendor is asked, and nobody's account is touched.</p>{scopes}\
         <form method=\"post\">{code}<button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>"
    ))
}

/// A sentence.
pub fn text(text: &str) -> Outgoing {
    html(&format!("<h1>Sandbox sign-in</h1><p>{}</p>", escaped(text)))
}

fn html(body: &str) -> Outgoing {
    let document = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sandbox sign-in</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>\n"
    );
    let fields = [
        ("content-type", "text/html; charset=utf-8"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        ("cache-control", "no-store"),
    ];
    let headers = fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Outgoing { status: 200, headers, body: document.into_bytes() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
