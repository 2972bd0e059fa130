//! What the browser shows at the end. Whatever a vendor says is escaped; nothing can be loaded.

use crate::sandbox::html::{document, escaped};

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
        let text = escaped(&self.text);
        let back = "<p>You can close this window and go back to the terminal.</p>";
        document(&self.title, &format!("<p>{text}</p>{back}"))
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
            !html.contains("<script>") && html.contains("&lt;script&gt;alert(&#39;x&#39;)"),
            "{html}"
        );
    }
}
