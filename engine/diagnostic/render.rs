//! Diagnostics as text for people.

use std::{borrow::Cow, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use anstyle::{AnsiColor, Style};

use crate::diagnostic::{
    place::{Place, Position},
    report::{Diagnostic, Diagnostics, Severity},
};

/// The colour of the word `hint`.
const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// A place longer than this is underlined up to here only: the reader wants to know where it
/// begins.
const MOST_LINES: usize = 4;
/// Most bytes of the lines that are shown.
const LONGEST: usize = 4000;

/// For people: the sentence, the line it is about with the place underlined, and the hint.
/// Blank lines stand between the problems; the text ends with a line break unless it is empty.
pub fn text(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut blocks: Vec<String> =
        diagnostics.list().iter().map(|d| block(d, &renderer, colour)).collect();
    match diagnostics.more() {
        0 => {}
        1 => blocks.push("1 more problem is not shown\n".to_owned()),
        more => blocks.push(format!("{more} more problems are not shown\n")),
    }
    blocks.join("\n")
}

fn block(diagnostic: &Diagnostic, renderer: &Renderer, colour: bool) -> String {
    let Diagnostic { code, severity, message, place, hint } = diagnostic;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(message.as_str()).id(*code);
    let group = match place {
        Some(place) => match snippet(place) {
            Some(snippet) => title.element(snippet),
            None => title.element(origin(place)),
        },
        None => Group::with_title(title),
    };
    let mut block = renderer.render(&[group]);
    block.push('\n');
    if let Some(hint) = hint {
        let (on, off) = if colour {
            (HINT.render().to_string(), HINT.render_reset().to_string())
        } else {
            Default::default()
        };
        block.extend([on.as_str(), "hint", off.as_str(), ": ", hint.as_str(), "\n"]);
    }
    block
}

/// Only the lines concerned are handed to the renderer, which would count all of a big file; none
/// that is too long to be read.
fn snippet(place: &Place) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let (window, span) = window(&place.file.text, &place.span);
    (window.len() <= LONGEST).then(|| {
        Snippet::source(Cow::Borrowed(window))
            .path(place.file.name.as_str())
            .line_start(place.start().line)
            .annotation(AnnotationKind::Primary.span(span))
    })
}

/// The place without its text.
fn origin(place: &Place) -> Origin<'_> {
    let Position { line, column } = place.start();
    Origin::path(place.file.name.as_str()).line(line).char_column(column)
}

/// The whole lines around a span, and the span within them.
fn window<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, Range<usize>) {
    let start = floor(text, span.start);
    let first = text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(first..).unwrap_or_default();
    let marked = text.get(start..floor(text, span.end)).unwrap_or_default();
    let marked = marked.trim_end();
    let marked: usize = marked.split_inclusive('\n').take(MOST_LINES).map(str::len).sum();
    let span = start - first..start - first + marked;
    let end = rest.get(span.end..).and_then(|after| after.find('\n')).map(|n| span.end + n);
    (rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest), span)
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::place::SourceFile;

    fn one(text: &str, span: Range<usize>, hint: Option<&str>) -> Diagnostics {
        let file = Arc::new(SourceFile { name: "actions/a.yaml".into(), text: text.into() });
        let mut all = Diagnostics::default();
        let hint = hint.map(str::to_owned);
        all.error("file.unknown-key", "unknown key `bodi`")
            .at(&Place { file, span })
            .maybe_hint(hint);
        all
    }

    #[test]
    fn people_see_the_line_and_the_hint() {
        let all =
            one("name: é\nsteps:\n  bodi: {{x}}\nlast: 1\n", 18..22, Some("did you mean `body`?"));
        assert_eq!(
            text(&all, false),
            "error[file.unknown-key]: unknown key `bodi`\n \
             --> actions/a.yaml:3:3\n  |\n3 |   bodi: {{x}}\n  |   ^^^^\nhint: did you mean `body`?\n"
        );
    }

    #[test]
    fn colour_only_when_asked() {
        let all = one("bodi: 1\n", 0..4, Some("x"));
        assert!(!text(&all, false).contains('\u{1b}'));
        assert!(text(&all, true).contains('\u{1b}'));
    }

    #[test]
    fn odd_places_do_not_break_the_drawing() {
        for (source, span) in
            [("", 0..0), ("a", 1..1), ("a\n", 2..2), ("ü", 1..9), ("a\nb\nc\nd\ne\nf\n", 0..12)]
        {
            let drawn = text(&one(source, span.clone(), None), false);
            assert!(drawn.contains("actions/a.yaml:"), "{source:?} {span:?}: {drawn}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_to_be_read_is_not_drawn() {
        let source = format!("a: {}\n", "x".repeat(10_000));
        let drawn = text(&one(&source, 5003..5004, None), false);
        assert!(drawn.ends_with("--> actions/a.yaml:1:5004\n"), "{drawn}");
    }

    #[test]
    fn a_problem_without_a_place_is_only_its_sentence() {
        let mut all = Diagnostics::default();
        all.error("file.unreadable", "`a.yaml` cannot be read");
        assert_eq!(text(&all, false), "error[file.unreadable]: `a.yaml` cannot be read\n");
    }
}
