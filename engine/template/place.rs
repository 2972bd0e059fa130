//! Where a value goes decides its encoding: path, base URL, query, form, header.

use std::sync::Arc;

use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::{
    model::{
        blueprint::Arrays,
        http::HeaderValue,
        template::{Expr, Part, Shape, Template},
    },
    template::{
        describe::{reads_input, shown, template_reads_input},
        evaluate::{self, Piece},
        functions::{
            args::{kind, text_of},
            encode::RESERVED,
        },
        scope::{Fault, Scope},
        shape,
    },
};

/// In names of query and form, `$ [ ]` stay as they are.
const NAME: &AsciiSet = &RESERVED.remove(b'$').remove(b'[').remove(b']');
/// Names within names; deeper values are refused.
const MAX_DEPTH: usize = 16;

/// A header value: text without control characters (RFC 9110, section 5.5); `None` is absent.
pub fn header(t: &Template, scope: &Scope<'_>) -> Result<Option<HeaderValue>, Fault> {
    let mut text = evaluate::text(t, scope)?;
    if let Some(json) = text.as_mut().filter(|text| !text.is_ascii() && is_json(t)) {
        *json = ascii(json);
    }
    text.map(HeaderValue::try_from).transpose().map_err(|_| Fault {
        message: format!(
            "`{}` has a line break or another control character in a header",
            shown(&t.source)
        ),
        from_input: template_reads_input(t),
    })
}

/// Whether what is in a text comes from `json`.
fn is_json(t: &Template) -> bool {
    t.parts.iter().any(|part| matches!(part, Part::Expr(Expr::Call(call)) if call.helper == "json"))
}

/// JSON in ASCII (RFC 8259, section 7): what is above it in a field is read as ISO-8859-1 by some
/// and as UTF-8 by others.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A path: each expression is one encoded segment; empty, `.` and `..` refused, for URL readers
/// fold such segments even when they are encoded. Behind a `?` of the text stands a query as it is
/// written, for APIs that want `List(a,b)` unencoded; each expression there is one encoded value.
pub fn path(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut path = String::new();
    let mut from_input = false;
    evaluate::pieces(t, scope, |piece| match piece {
        Piece::Text(text) => {
            path.push_str(text);
            Ok(())
        }
        Piece::Value { text, expr } => {
            from_input |= reads_input(expr);
            // Encoded values have none.
            if path.contains('?') {
                path.extend(utf8_percent_encode(text, RESERVED));
                return Ok(());
            }
            segment(&mut path, (text, expr), t)
        }
    })?;
    let bad = |message: &str| {
        Err(Fault { message: format!("`{}` {message}", shown(&t.source)), from_input })
    };
    if path.contains(['#', '\\']) {
        return bad("has a `#` or `\\` in its text");
    }
    let segments = path.split_once('?').map_or(path.as_str(), |(segments, _)| segments);
    if segments.split('/').any(is_dots) {
        return bad("has a segment `.` or `..`");
    }
    Ok(path)
}

/// A base URL without a trailing slash. An expression that begins it is a whole URL, one inside
/// the host must be made of host characters, one in the path is a segment.
pub fn base_url(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let base = whole_url(t, scope)?;
    Ok(base.strip_suffix('/').map(str::to_owned).unwrap_or(base))
}

/// The whole URL of an endpoint: as [`base_url`], and it may have a query, in which expressions are
/// encoded (RFC 6749, sections 3.1 and 3.2).
pub fn endpoint_url(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let Some((before, after)) = at_query(t) else { return whole_url(t, scope) };
    let mut url = whole_url(&before, scope)?;
    url.push('?');
    evaluate::pieces(&after, scope, |piece| {
        match piece {
            Piece::Text(text) => url.push_str(text),
            Piece::Value { text, .. } => url.extend(utf8_percent_encode(text, RESERVED)),
        }
        Ok(())
    })?;
    if url.bytes().any(|b| b <= b' ' || matches!(b, b'#' | 0x7f)) {
        let message = format!("`{}` has a `#` or a blank in its query", shown(&t.source));
        return Err(Fault { message, from_input: false });
    }
    Ok(url)
}

/// What is before the first `?` of the text, and what is after it.
fn at_query(t: &Template) -> Option<(Template, Template)> {
    let asks = |part: &Part| matches!(part, Part::Text(text) if text.contains('?'));
    let at = t.parts.iter().position(asks)?;
    let (before, rest) = t.parts.split_at(at);
    let Some((Part::Text(text), after)) = rest.split_first() else { return None };
    let (left, right) = text.split_once('?')?;
    let template = |parts: Vec<Part>| Template { source: Arc::clone(&t.source), parts };
    let text = |text: &str| Part::Text(text.to_owned());
    let before = before.iter().cloned().chain([text(left)]).collect();
    let after = [text(right)].into_iter().chain(after.iter().cloned()).collect();
    Some((template(before), template(after)))
}

fn whole_url(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut base = String::new();
    let fault = |message: &str| Fault {
        message: format!("`{}` {message}", shown(&t.source)),
        from_input: false,
    };
    evaluate::pieces(t, scope, |piece| match piece {
        Piece::Text(text) => {
            base.push_str(text);
            Ok(())
        }
        Piece::Value { text, .. } if base.is_empty() => {
            if !is_origin(text) {
                return Err(fault("must begin with an http or https URL without `?`, `#` or user"));
            }
            base.push_str(text.trim_end_matches('/'));
            Ok(())
        }
        Piece::Value { text, expr } if base_has_path(&base) => segment(&mut base, (text, expr), t),
        Piece::Value { text, .. } => {
            let host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            if !base.contains("://") || text.is_empty() || !text.bytes().all(host) {
                return Err(fault("has something in its host that cannot be part of a host name"));
            }
            base.push_str(text);
            Ok(())
        }
    })?;
    if !is_origin(&base) || base.split('/').skip(3).any(is_dots) {
        return Err(fault("is not an http or https URL, or has a `?`, `#` or user in it"));
    }
    Ok(base)
}

/// Query parameters, encoded, without `?`. Absent ones are left out, null is a fault.
pub fn query(
    params: &[(String, Shape)],
    arrays: Arrays,
    scope: &Scope<'_>,
) -> Result<String, Fault> {
    let mut pairs = Pairs { out: String::new(), arrays };
    for (name, shape) in params {
        if let Some(value) = shape::borrowed(shape, scope)? {
            pairs.add(&encoded(name, NAME), &value, 0).map_err(|message| Fault {
                message: format!("query parameter `{name}` {message}"),
                from_input: shape_reads_input(shape),
            })?;
        }
    }
    Ok(pairs.out)
}

/// A form body from a value that is an object: as [`query`], but a space is `+`.
pub fn form(value: &Value, arrays: Arrays) -> Result<String, Fault> {
    let fault = |message: String| Fault { message, from_input: false };
    let Value::Object(members) = value else {
        return Err(fault(format!("a form must be an object, not {}", kind(value))));
    };
    let mut pairs = Pairs { out: String::new(), arrays };
    for (name, value) in members {
        pairs
            .add(&encoded(name, NAME), value, 0)
            .map_err(|message| fault(format!("form field `{name}` {message}")))?;
    }
    // A literal `%` is written `%25`, so each `%20` was a space.
    Ok(pairs.out.replace("%20", "+"))
}

/// Adds one encoded path segment.
fn segment(path: &mut String, (text, expr): (&str, &Expr), t: &Template) -> Result<(), Fault> {
    if matches!(text, "" | "." | "..") {
        let what = if text.is_empty() { "an empty text" } else { "`.` or `..`" };
        return Err(Fault {
            message: format!("{what} cannot be a path segment, in `{}`", shown(&t.source)),
            from_input: reads_input(expr),
        });
    }
    path.extend(utf8_percent_encode(text, RESERVED));
    Ok(())
}

/// `.` and `..`, also in the encoded spellings that URL readers fold.
fn is_dots(segment: &str) -> bool {
    matches!(segment.len(), 1..=6)
        && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// Whether what is there has reached its path.
fn base_has_path(base: &str) -> bool {
    base.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
}

fn is_origin(text: &str) -> bool {
    let plain =
        !text.contains(['?', '#', '\\', '@']) && text.bytes().all(|b| b > b' ' && b != 0x7f);
    let http = text.starts_with("https://") || text.starts_with("http://");
    plain && http && Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|h| !h.is_empty()))
}

fn shape_reads_input(shape: &Shape) -> bool {
    match shape {
        Shape::Literal(_) => false,
        Shape::Template(template) => template_reads_input(template),
        Shape::Object(members) => members.iter().any(|(_, shape)| shape_reads_input(shape)),
        Shape::List(shapes) => shapes.iter().any(shape_reads_input),
        Shape::Map(map) => template_reads_input(&map.list) || shape_reads_input(&map.to),
    }
}

/// Pairs of names and values.
struct Pairs {
    out: String,
    arrays: Arrays,
}

impl Pairs {
    /// Adds a value under an encoded name.
    fn add(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("is nested more than 16 deep".to_owned());
        }
        match value {
            Value::Object(members) => members.iter().try_for_each(|(member, value)| {
                self.add(&format!("{name}[{}]", encoded(member, NAME)), value, depth + 1)
            }),
            Value::Array(list) if self.arrays == Arrays::Comma => self.commas(name, list),
            Value::Array(list) => list.iter().enumerate().try_for_each(|(i, value)| {
                let name = match self.arrays {
                    Arrays::Repeat | Arrays::Comma => name.to_owned(),
                    Arrays::Brackets => format!("{name}[]"),
                    Arrays::Indices => format!("{name}[{i}]"),
                };
                self.add(&name, value, depth + 1)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let text = text_of(value).ok_or("is null where text is needed")?;
                self.pair(name, &encoded(&text, RESERVED));
                Ok(())
            }
        }
    }

    /// `a=1%2C2`: the commas are part of the value.
    fn commas(&mut self, name: &str, list: &[Value]) -> Result<(), String> {
        let mut values = Vec::with_capacity(list.len());
        for value in list {
            let text = text_of(value);
            let text = text.ok_or_else(|| format!("has {} in a list with commas", kind(value)))?;
            values.push(text);
        }
        if !values.is_empty() {
            self.pair(name, &encoded(&values.join(","), RESERVED));
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.out.push_str(name);
        self.out.push('=');
        self.out.push_str(value);
    }
}

fn encoded(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{model::time::Timestamp, template::parse::parse};

    fn with<T>(input: &Value, f: impl FnOnce(&Scope<'_>) -> T) -> T {
        f(&Scope::new(Timestamp(0)).with("input", input))
    }

    fn path_of(text: &str, x: &str) -> Result<String, Fault> {
        with(&json!({"x": x}), |scope| path(&parse(text).unwrap(), scope))
    }

    #[test]
    fn path_values_are_one_segment() {
        for (x, wanted) in [
            ("19:abc@thread.tacv2", "/t/19%3Aabc%40thread.tacv2/c"),
            ("en.usa#holiday@g", "/t/en.usa%23holiday%40g/c"),
            ("a/b?c=d", "/t/a%2Fb%3Fc%3Dd/c"),
            ("+02:00", "/t/%2B02%3A00/c"),
            ("%2e%2e", "/t/%252e%252e/c"),
            ("...", "/t/.../c"),
            ("ü\0\r\n", "/t/%C3%BC%00%0D%0A/c"),
            ("{{input.x}}", "/t/%7B%7Binput.x%7D%7D/c"),
            ("\\", "/t/%5C/c"),
        ] {
            assert_eq!(path_of("/t/{{input.x}}/c", x).unwrap(), wanted);
        }
    }

    #[test]
    fn a_query_behind_a_path_is_as_written_and_its_values_are_encoded() {
        for (x, wanted) in [
            ("urn:li:org:7", "/posts?q=a&b=List(urn%3Ali%3Aorg%3A7,x)"),
            ("a&c=d/../?#", "/posts?q=a&b=List(a%26c%3Dd%2F..%2F%3F%23,x)"),
            ("", "/posts?q=a&b=List(,x)"),
        ] {
            assert_eq!(path_of("/posts?q=a&b=List({{input.x}},x)", x).unwrap(), wanted);
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for x in ["", ".", ".."] {
            let fault = path_of("/t/{{input.x}}/c", x).unwrap_err();
            assert!(fault.from_input, "{fault}");
        }
        assert!(path_of("/t/.{{input.x}}/c", ".").is_err());
        assert!(path_of("/t/%2e{{input.x}}/c", ".").is_err());
        assert!(path_of("/t/%2E./{{input.x}}", "a").is_err());
        assert!(path_of("/t#{{input.x}}", "a").is_err());
        assert!(path_of("/t/..?q={{input.x}}", "a").is_err());
        assert!(path_of("/t/{{input.none}}", "a").is_err());
        assert!(path_of("/t/{{input}}", "a").is_err());
    }

    #[test]
    fn endpoints_may_have_a_query() {
        let values = json!({"tenant": "a b&c", "host": "eu.acme.test"});
        let scope = Scope::new(Timestamp(0)).with("connection", &values);
        for (text, expected) in [
            ("https://acme.test/token/", Some("https://acme.test/token/")),
            ("https://acme.test/a?x=1", Some("https://acme.test/a?x=1")),
            (
                "https://{{connection.host}}/a?t={{connection.tenant}}&x=https%3A%2F%2Fb",
                Some("https://eu.acme.test/a?t=a%20b%26c&x=https%3A%2F%2Fb"),
            ),
            ("https://acme.test/a?x=1#y", None),
            ("https://acme.test/a?x=1 2", None),
            ("https://acme.test/a#y", None),
            ("?x=1", None),
        ] {
            let found = endpoint_url(&parse(text).unwrap(), &scope).ok();
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn base_urls_are_safe() {
        let base = |text: &str, x: &str| {
            let value = json!({"x": x});
            let scope = Scope::new(Timestamp(0)).with("connection", &value);
            base_url(&parse(text).unwrap(), &scope)
        };
        for (text, x, wanted) in [
            ("https://graph.microsoft.com/v1.0/", "", "https://graph.microsoft.com/v1.0"),
            (
                "https://{{connection.x}}.myshopify.com/admin",
                "my-shop",
                "https://my-shop.myshopify.com/admin",
            ),
            ("{{connection.x}}", "https://eu.example.com/", "https://eu.example.com"),
            (
                "{{connection.x}}/services",
                "https://eu.example.com",
                "https://eu.example.com/services",
            ),
            ("{{connection.x}}", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
            ("https://a.com/{{connection.x}}/b", "x/y z", "https://a.com/x%2Fy%20z/b"),
            ("https://a.com:{{connection.x}}", "8443", "https://a.com:8443"),
        ] {
            assert_eq!(base(text, x).unwrap(), wanted, "{text} {x}");
        }
        for (text, x) in [
            ("https://{{connection.x}}.myshopify.com", "evil.com/"),
            ("https://{{connection.x}}.myshopify.com", "evil.com#"),
            ("https://{{connection.x}}.myshopify.com", "a@b"),
            ("https://{{connection.x}}.myshopify.com", "a:80"),
            ("https://{{connection.x}}.myshopify.com", ""),
            ("https://{{connection.x}}.myshopify.com", "ü"),
            ("https://{{connection.x}}.myshopify.com", "a\\b"),
            ("{{connection.x}}", "evil.com"),
            ("{{connection.x}}", "javascript://a"),
            ("{{connection.x}}", "https://user:pw@a.com"),
            ("{{connection.x}}", "https://a.com/?q"),
            ("{{connection.x}}", "https://a.com/../b"),
            ("{{connection.x}}", "https://"),
            ("{{connection.x}}", "https://a.com\r\nx"),
            ("{{connection.x}}://a.com", "https"),
            ("https://a.com/{{connection.x}}", ".."),
            ("https://a.com/{{connection.x}}", ""),
            ("ftp://a.com", ""),
            ("a.com", ""),
        ] {
            assert!(base(text, x).is_err(), "{text} {x}: {:?}", base(text, x));
        }
    }

    #[test]
    fn names_and_values_are_encoded_once() {
        let value =
            json!({"$top": 5, "q": "a b,c+d&e=%", "on": true, "metadata": {"order": "6 7"}});
        assert_eq!(
            form(&value, Arrays::Repeat).unwrap(),
            "$top=5&q=a+b%2Cc%2Bd%26e%3D%25&on=true&metadata[order]=6+7"
        );
        let list = json!({"a": [1, "x y"], "e": [], "o": {}, "d": {"f": [{"g": 1}]}});
        for (arrays, wanted) in [
            (Arrays::Repeat, "a=1&a=x+y&d[f][g]=1"),
            (Arrays::Brackets, "a[]=1&a[]=x+y&d[f][][g]=1"),
            (Arrays::Indices, "a[0]=1&a[1]=x+y&d[f][0][g]=1"),
        ] {
            assert_eq!(form(&list, arrays).unwrap(), wanted);
        }
        assert_eq!(form(&json!({"a": [1, "x,y"]}), Arrays::Comma).unwrap(), "a=1%2Cx%2Cy");
        assert!(form(&list, Arrays::Comma).is_err());
        for bad in [json!([1]), json!({"a": null}), json!({"a": [null]}), json!({"a": {"b": null}})]
        {
            assert!(form(&bad, Arrays::Repeat).is_err(), "{bad}");
        }
        let deep = (0..200).fold(json!(1), |value, _| json!({"a": value}));
        assert!(form(&deep, Arrays::Repeat).is_err());
    }

    #[test]
    fn absent_parameters_are_left_out() {
        let shape = |text: &str| Shape::Template(parse(text).unwrap());
        let params = [
            ("a".to_owned(), shape("{{input.none}}")),
            ("b c".to_owned(), shape("{{input.x}}")),
            ("d".to_owned(), Shape::Literal(json!([1, 2]))),
        ];
        let found = with(&json!({"x": "y z"}), |scope| query(&params, Arrays::Repeat, scope));
        assert_eq!(found.unwrap(), "b%20c=y%20z&d=1&d=2");
        let fault = with(&json!({"x": null}), |scope| query(&params, Arrays::Repeat, scope));
        let fault = fault.unwrap_err();
        assert!(fault.from_input && fault.message.contains("`b c` is null"), "{fault}");
    }

    #[test]
    fn headers_are_one_line() {
        let of = |x: Value| {
            with(&json!({"x": x}), |scope| header(&parse("Bearer {{input.x}}").unwrap(), scope))
        };
        assert_eq!(of(json!("t")).unwrap().unwrap(), "Bearer t");
        for bad in ["a\r\nb", "a\nb", "a\rb", "a\0b"] {
            assert!(of(json!(bad)).unwrap_err().from_input);
        }
        let json = |x: Value| {
            let template = parse("{{json (object a=input.x)}}").unwrap();
            with(&json!({"x": x}), |scope| header(&template, scope)).unwrap().unwrap()
        };
        assert_eq!(json(json!("tro\u{161} \u{1f600}")), r#"{"a":"tro\u0161 \ud83d\ude00"}"#);
        assert_eq!(
            of(json!("caf\u{e9}")).unwrap().unwrap().as_bytes(),
            "Bearer caf\u{e9}".as_bytes()
        );
        let alone = with(&json!({}), |scope| header(&parse("{{input.x}}").unwrap(), scope));
        assert_eq!(alone, Ok(None));
    }

    proptest! {
        #[test]
        fn values_never_change_the_structure(a in ".*", b in ".*") {
            let input = json!({"a": a, "b": b});
            let scope = Scope::new(Timestamp(0)).with("input", &input).with("connection", &input);
            let template = parse("/v1/{{input.a}}/x/{{input.b}}").unwrap();
            if let Ok(path) = path(&template, &scope) {
                let url = Url::parse(&format!("https://api.example.com{path}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("api.example.com"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 4);
                prop_assert_eq!((url.query(), url.fragment()), (None, None));
            }
            let template = parse("https://{{connection.a}}.example.com/{{connection.b}}").unwrap();
            if let Ok(base) = base_url(&template, &scope) {
                let url = Url::parse(&base).unwrap();
                prop_assert!(url.host_str().unwrap().ends_with(".example.com"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 1);
            }
            let params = [
                ("x".to_owned(), Shape::Template(parse("{{input.a}}").unwrap())),
                ("y".to_owned(), Shape::Template(parse("{{input.b}}").unwrap())),
            ];
            let text = query(&params, Arrays::Repeat, &scope).unwrap();
            let mut url = Url::parse("https://api.example.com/").unwrap();
            url.set_query(Some(&text));
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(&pairs, &[("x".to_owned(), a.clone()), ("y".to_owned(), b.clone())]);
            let text = form(&json!({"x": a, "y": b}), Arrays::Repeat).unwrap();
            let read: Vec<(String, String)> =
                url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            prop_assert_eq!(read, pairs);
            if let Ok(Some(value)) = header(&parse("{{input.a}}{{input.b}}").unwrap(), &scope) {
                prop_assert!(!value.as_bytes().iter().any(|byte| b"\r\n\0".contains(byte)));
            }
        }
    }
}
