//! What the browser shows at the end. Whatever a vendor says is escaped; nothing can be loaded.

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// In one or two words.
    pub title: String,
    /// A sentence or two, any text.
    pub text: String,
}

/// Threat T23: nothing is loaded, framed, cached or told to the next page.
pub const FIELDS: [(&str, &str); 6] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("connection", "close"),
];

impl Page {
    /// It worked.
    pub fn done(text: String) -> Self {
        Self { status: 200, title: "Connected".to_owned(), text }
    }

    /// It did not.
    pub fn failed(text: String) -> Self {
        Self { status: 400, title: "Not connected".to_owned(), text }
    }

    /// The document.
    pub fn html(&self) -> String {
        let (title, text) = (escaped(&self.title), escaped(&self.text));
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;\
             color:#1b1b1b;background:#fff}}@media(prefers-color-scheme:dark){{body{{color:#eee;background:#1b1b1b}}}}\
             </style></head><body><h1>{title}</h1><p>{text}</p><p>You can close this window and go back to the terminal.</p>\
             </body></html>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_vendor_becomes_markup() {
        let page = Page::failed("<script>alert('x')</script> & \"y\"".to_owned());
        let html = page.html();
        assert!(
            !html.contains("<script>") && html.contains("&lt;script&gt;alert(&#39;x&#39;)"),
            "{html}"
        );
    }
}
