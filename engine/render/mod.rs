//! Text for people: pages, starter files, references. Their templates stand as files beside the code
//! that fills them in, and `handlebars` renders them.
//!
//! Templates of blueprints and actions are another matter: see `template`, and
//! docs/decisions/0002-templates.md.

pub mod shell;

use std::sync::OnceLock;

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

/// The frame of a page; it loads nothing (threat T23).
const DOCUMENT: &str = include_str!("document.html.hbs");
/// Under which name a registry knows its template.
const NAME: &str = "text";

/// A template of the engine's own, compiled when it is first rendered: no run ever does.
pub struct Text {
    source: &'static str,
    markup: bool,
    registry: OnceLock<Result<Handlebars<'static>, String>>,
}

impl Text {
    /// Markup: every value is escaped. `{{#> document}}` around it, with a `title`, makes a page.
    pub const fn html(source: &'static str) -> Self {
        Self { source, markup: true, registry: OnceLock::new() }
    }

    /// Anything else: values stand as they are.
    pub const fn plain(source: &'static str) -> Self {
        Self { source, markup: false, registry: OnceLock::new() }
    }

    /// Fills it in. A template that is broken says so in its place; each is rendered by a test.
    pub fn render(&self, data: &impl Serialize) -> String {
        let rendered = match self.registry.get_or_init(|| self.compiled()) {
            Ok(registry) => registry.render(NAME, data).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        rendered.unwrap_or_else(|error| format!("a template of the engine is broken: {error}\n"))
    }

    fn compiled(&self) -> Result<Handlebars<'static>, String> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        if self.markup {
            let frame = registry.register_partial("document", DOCUMENT);
            frame.map_err(|error| error.to_string())?;
        } else {
            registry.register_escape_fn(no_escape);
        }
        let own = registry.register_template_string(NAME, self.source);
        own.map_err(|error| error.to_string())?;
        Ok(registry)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markup_is_escaped_and_text_is_not() {
        let data = json!({"title": "<i>", "x": "<b> & \"'"});
        let page = Text::html("{{#> document}}<p title=\"{{x}}\">{{x}}</p>{{/document}}");
        let page = page.render(&data);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
        assert!(page.contains("<title>&lt;i&gt;</title>"), "{page}");
        let escaped = "&lt;b&gt; &amp; &quot;&#x27;";
        assert!(page.contains(&format!("<p title=\"{escaped}\">{escaped}</p>")), "{page}");
        assert_eq!(Text::plain("{{x}}\n").render(&data), "<b> & \"'\n");
    }

    #[test]
    fn what_is_broken_says_so() {
        for source in ["{{#if x}}", "{{y}}"] {
            let text = Text::plain(source).render(&json!({"x": 1}));
            assert!(text.starts_with("a template of the engine is broken: "), "{text}");
        }
    }
}
