//! Faults of YAML syntax in our words, each with its place and what to do.

use std::sync::Arc;

use serde_yaml::granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::{Diagnostic, Place, Severity, SourceFile};

/// The code of them all.
const CODE: &str = "file.syntax";
const QUOTE: &str = "put the text in quotes: `'…'`";

/// A template that is not quoted: to YAML, `{{x}}` is an object within an object.
/// `start` is the byte offset of the first brace.
pub fn unquoted_template(file: &Arc<SourceFile>, start: usize) -> Diagnostic {
    let rest = file.text.get(start..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default().trim_end();
    let len = line.find("}}").map_or(line.len(), |end| end + 2);
    let template = line.get(..len).unwrap_or(line);
    let message = format!("the template `{template}` is not quoted");
    let quote = if template.contains('\'') { '"' } else { '\'' };
    let hint = format!("put the whole value in quotes, as in `{quote}{template}{quote}`");
    diagnostic("file.unquoted-template", message, place(file, start, len), Some(hint))
}

/// What the parser found, in our words.
pub fn explain(file: &Arc<SourceFile>, error: &ScanError) -> Diagnostic {
    let text = file.text.as_str();
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let line_start = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(line_start..).and_then(|t| t.lines().next()).unwrap_or_default();
    if let Some(column) = bare_template(line) {
        return unquoted_template(file, line_start + column);
    }
    let (message, hint) = words(error.kind(), text.get(at..).unwrap_or_default());
    // The parser may have read the tab that it complains about.
    let tab = message.starts_with("a tab") && text.get(..at).is_some_and(|t| t.ends_with('\t'));
    let at = at - usize::from(tab);
    let len = text.get(at..).and_then(|rest| rest.chars().next());
    let len = len.filter(|&c| c != '\n').map_or(0, char::len_utf8);
    diagnostic(CODE, message, place(file, at, len), hint.map(str::to_owned))
}

/// Where in a line a value begins with `{{`, unquoted.
fn bare_template(line: &str) -> Option<usize> {
    let value = [": {{", "- {{"].iter().filter_map(|mark| line.find(mark)).min()? + 2;
    let before = line.get(..value)?;
    (!before.contains(['\'', '"', '#'])).then_some(value)
}

/// The sentence and the hint for a kind of fault; `rest` is the text from its place on.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser has more kinds than authors need words"
)]
#[expect(clippy::too_many_lines, reason = "a table")]
fn words(kind: &ErrorKind, rest: &str) -> (String, Option<&'static str>) {
    use ErrorKind as K;

    let (message, hint) = match kind {
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabInPlainScalar
        | K::TabAtBlockScalarStart => {
            ("a tab stands where YAML allows only spaces", Some("indent with spaces"))
        }
        K::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is never closed"), Some("add the closing bracket"));
        }
        K::UnexpectedEofFlowSequence | K::ExpectedFlowSequenceSeparator => {
            ("expected `,` or `]` in a list in brackets", Some("is a `]` or a quote missing?"))
        }
        K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping
        | K::ExpectedFlowMappingSeparator => {
            ("expected `,` or `}` in an object in braces", Some("is a `}` or a quote missing?"))
        }
        K::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), None);
        }
        K::MisplacedFlowCollectionEnd => ("a closing bracket without an opening one", Some(QUOTE)),
        K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar => {
            ("a quoted text is never closed", Some("add the closing quote"))
        }
        K::InvalidTrailingSingleQuotedScalar => (
            "something follows the closing quote",
            Some("write `''` for a quote inside single quotes"),
        ),
        K::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing quote",
            Some("write `\\\"` for a quote inside double quotes"),
        ),
        K::UnknownQuotedScalarEscape
        | K::InvalidQuotedScalarHexEscape
        | K::InvalidUnicodeEscape
        | K::InvalidLowSurrogateHexEscape
        | K::InvalidLowSurrogate
        | K::MissingLowSurrogate
        | K::UnpairedLowSurrogate => (
            "an unknown escape in a text in double quotes",
            Some("use single quotes, in which `\\` is just itself"),
        ),
        K::UnknownAnchor => (
            "this refers to an anchor that does not exist",
            Some("if it is a text, quote it: `'*…'`"),
        ),
        K::MissingAnchorOrAliasName => ("a text cannot begin with `*` or `&`", Some(QUOTE)),
        K::UnexpectedCharacter { character } => {
            return (
                format!("a text cannot begin with `{}`", character.escape_default()),
                Some(QUOTE),
            );
        }
        K::UndeclaredTagHandle
        | K::ExpectedTagBang
        | K::InvalidTagTerminator
        | K::MissingTagUri
        | K::UnclosedVerbatimTag => {
            ("tags are not supported", Some("if it is a text, quote it: `'!…'`"))
        }
        K::MappingValueNotAllowed | K::InvalidColonPlacement => (
            "a `:` where no key can end",
            Some("a text with `: ` in it must be quoted; else check the indentation"),
        ),
        K::SimpleKeyExpected
        | K::InvalidSimpleKey
        | K::ExpectedBlockMappingKey
        | K::MappingKeyNotAllowed
            if rest.starts_with("- ") =>
        {
            ("a list element where a key is expected", Some("check the indentation"))
        }
        K::SimpleKeyExpected
        | K::InvalidSimpleKey
        | K::ExpectedBlockMappingKey
        | K::MappingKeyNotAllowed => (
            "expected `key: value`",
            Some("check the indentation, and that a space follows the `:`"),
        ),
        K::InvalidIndentation
        | K::InvalidBlockScalarIndent
        | K::InvalidFlowScalarIndent
        | K::InvalidQuotedScalarIndent
        | K::ExpectedBlockSequenceEntry
        | K::BlockSequenceEntryNotAllowed
        | K::UnexpectedEofBlockSequence
        | K::UnexpectedEofBlockMapping => {
            ("the indentation does not fit what stands above", Some("align it with its neighbours"))
        }
        K::RecursionLimitExceeded => ("lists and objects are nested too deeply", None),
        K::BomInsideDocument => {
            ("a byte order mark inside the file", Some("remove the invisible character"))
        }
        K::DirectiveDisallowed
        | K::ExpectedDocumentStart
        | K::MissingDocumentEndBeforeDirective => {
            ("expected a value; lines that begin with `%` are not supported", None)
        }
        K::InvalidDocumentEnd => ("something follows the end of the document", None),
        K::CommentNotSeparated => ("a comment needs a space before its `#`", None),
        K::CommentInterceptedScalar => ("a comment stands within a text", Some(QUOTE)),
        other => return (format!("this is not YAML: {other}"), None),
    };
    (message.to_owned(), hint)
}

fn place(file: &Arc<SourceFile>, start: usize, len: usize) -> Place {
    Place { file: Arc::clone(file), span: start..start + len }
}

fn diagnostic(
    code: &'static str,
    message: String,
    place: Place,
    hint: Option<String>,
) -> Diagnostic {
    Diagnostic { code, severity: Severity::Error, message, place: Some(place), hint }
}
