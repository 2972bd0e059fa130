//! What the browser shows at the end. Whatever a vendor says is escaped; nothing can be loaded.

use serde::Serialize;

use crate::render::Text;

static PAGE: Text = Text::html(include_str!("page.html.hbs"));

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// In one or two words.
    pub title: String,
    /// A sentence or two, any text.
    pub text: String,
}

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
        PAGE.render(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_vendor_becomes_markup() {
        let page = Page::failed("<script>alert('x')</script> & \"y\"".to_owned());
        let html = page.html();
        assert!(
            !html.contains("<script>") && html.contains("&lt;script&gt;alert(&#x27;x&#x27;)"),
            "{html}"
        );
    }
}
