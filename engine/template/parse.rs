//! Text → [`Template`]. The syntax is the expression part of handlebars: what is accepted here,
//! the `handlebars` crate reads the same way (a property test below holds us to it). We read it
//! ourselves because that crate's tree keeps no places and no order of named arguments, and
//! because reading happens at every start.

use crate::{
    model::template::{Part, Template},
    template::{cursor::Cursor, scope::Error},
};

/// Reads a template. White space around a lone expression is not part of it.
pub fn parse(text: &str) -> Result<Template, Error> {
    if !text.contains("{{") {
        return Ok(Template::text(text));
    }
    let trimmed = text.trim();
    let before = text.len() - text.trim_start().len();
    let parts = read(trimmed).map_err(|error| Error { offset: error.offset + before, ..error })?;
    if trimmed.len() == text.len() || matches!(parts.as_slice(), [Part::Expr(_)]) {
        return Ok(Template { source: trimmed.into(), parts });
    }
    Ok(Template { source: text.into(), parts: read(text)? })
}

fn read(text: &str) -> Result<Vec<Part>, Error> {
    let mut cursor = Cursor::new(text);
    let mut parts = Vec::new();
    let mut literal = String::new();
    while let Some((plain, _)) = cursor.rest().split_once("{{") {
        let slashes = plain.len() - plain.trim_end_matches('\\').len();
        // `\{{` is two braces; more backslashes than one are one less, and an expression.
        let kept = plain.strip_suffix('\\').unwrap_or(plain);
        literal.push_str(kept);
        cursor.at += plain.len();
        if slashes == 1 {
            literal.push_str("{{");
            cursor.at += 2;
            continue;
        }
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Expr(cursor.braces()?));
    }
    literal.push_str(cursor.rest());
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    // Templates are many, and stay.
    parts.shrink_to_fit();
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use handlebars::template::{Parameter, TemplateElement};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        model::template::{Expr, Path},
        template::functions,
    };

    /// The tree in short: `|text|`, paths as `a.b`, literals as JSON, calls as `(f x n=y)`.
    fn tree(template: &Template) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => format!("|{text}|"),
            Part::Expr(expr) => short(expr),
        };
        template.parts.iter().map(part).collect::<Vec<_>>().join(" ")
    }

    fn short(expr: &Expr) -> String {
        match expr {
            Expr::Path(Path { root, segments, .. }) => {
                std::iter::once(root).chain(segments).cloned().collect::<Vec<_>>().join("·")
            }
            Expr::Literal(value) => value.to_string(),
            Expr::Call(call) => {
                let mut words = vec![call.helper.to_owned()];
                words.extend(call.args.iter().map(short));
                words.extend(call.named.iter().map(|(name, arg)| format!("{name}={}", short(arg))));
                format!("({})", words.join(" "))
            }
        }
    }

    #[test]
    fn templates_are_read() {
        for (text, wanted) in [
            ("", "||"),
            ("plain }} text {", "|plain }} text {|"),
            ("{{input.x}}", "input·x"),
            (" \n {{ input.x }} \n", "input·x"),
            ("{{input.x}} ", "input·x"),
            ("a{{b}}c{{d.0.e}}", "|a| b |c| d·0·e"),
            ("{{a}}{{b}}", "a b"),
            (" {{a}}{{b}}", "| | a b"),
            ("{{body.[@odata.nextLink]}}", "body·@odata.nextLink"),
            ("{{body.[a b].c}}", "body·a b·c"),
            ("{{body.[a}}b].c}}", "body·a}}b·c"),
            ("{{body.request-id}}", "body·request-id"),
            ("{{headers.x-total}}", "headers·x-total"),
            ("{{eq a \"x y\"}}", "(eq a \"x y\")"),
            ("{{eq a 'x \"y\"'}}", "(eq a \"x \\\"y\\\"\")"),
            ("{{eq a \"}}\"}}", "(eq a \"}}\")"),
            ("{{eq a \"\\u00e9\\n\"}}", "(eq a \"é\\n\")"),
            ("{{eq a -1.50}}", "(eq a -1.50)"),
            ("{{eq a 12345678901234567890123}}", "(eq a 12345678901234567890123)"),
            ("{{if true null false}}", "(if true null false)"),
            ("{{object b=1 a=(object z=x)}}", "(object b=1 a=(object z=x))"),
            ("{{object b = 1}}", "(object b=1)"),
            ("{{sort items by=\"name\"}}", "(sort items by=\"name\")"),
            ("{{now}}", "(now)"),
            ("{{date_add now \"7d\"}}", "(date_add (now) \"7d\")"),
            ("{{date_add (now) \"7d\"}}", "(date_add (now) \"7d\")"),
            ("{{now.x}}", "now·x"),
            ("{{(lower a)}}", "(lower a)"),
            ("\\{{x}}", "|{{x}}|"),
            ("a \\{{x}} {{y}}", "|a {{x}} | y"),
            ("\\\\{{x}}", "|\\| x"),
            ("{\"a\":{{x}}}", "|{\"a\":| x |}|"),
            ("{{ü.größe}}", "ü·größe"),
        ] {
            assert_eq!(tree(&parse(text).unwrap()), wanted, "{text}");
        }
    }

    const REFUSED: &[(&str, usize, &str)] = &[
        ("x {{{a}}}", 2, "`{{{`"),
        ("{{&a}}", 0, "`{{&`"),
        ("{{#if a}}b{{/if}}", 0, "blocks"),
        ("{{/if}}", 0, "blocks"),
        ("{{^}}", 0, "blocks"),
        ("{{else}}", 2, "`else`"),
        ("{{> part}}", 0, "partials"),
        ("{{* deco}}", 0, "decorators"),
        ("{{! note }}", 0, "comments"),
        ("{{!-- note --}}", 0, "comments"),
        ("{{~a}}", 0, "`~`"),
        ("{{a~}}", 3, "`~`"),
        ("{{a", 0, "without `}}`"),
        ("a {{b}} {{ c", 8, "without `}}`"),
        ("{{a}", 0, "without `}}`"),
        ("  {{uper a}} ", 4, "no helper `uper`"),
        ("{{lower}}", 2, "takes 1 argument, not 0"),
        ("{{lower a b}}", 2, "takes 1 argument, not 2"),
        ("{{now 1}}", 2, "takes no positional arguments"),
        ("{{default a}}", 2, "takes 2 arguments, not 1"),
        ("{{eq (date) 1}}", 6, "takes 1 to 2 arguments"),
        ("{{first}}", 2, "at least 1 argument, not 0"),
        ("{{sort a bi=\"x\"}}", 9, "no argument `bi=`"),
        ("{{object a=1 a=2}}", 13, "given twice"),
        ("{{../a}}", 2, "`../`"),
        ("{{./a}}", 2, "`../` and `./`"),
        ("{{@index}}", 2, "`@`"),
        ("{{eq @root.a 1}}", 5, "`@`"),
        ("{{this}}", 2, "`this`"),
        ("{{this.a}}", 2, "`this`"),
        ("{{a.this}}", 4, "`this`"),
        ("{{a/b}}", 3, "`/`"),
        ("{{a[0]}}", 3, "`[`"),
        ("{{[a].b}}", 2, "begins with `[`"),
        ("{{a..b}}", 3, "empty name"),
        ("{{a.}}", 3, "empty name"),
        ("{{a.[]}}", 3, "empty name"),
        ("{{a.[b}}", 4, "without `]`"),
        ("{{}}", 0, "empty"),
        ("{{ }}", 1, "empty"),
        ("{{42}}", 2, "literal"),
        ("{{\"x\"}}", 2, "literal"),
        ("{{true}}", 2, "literal"),
        ("{{a b}}", 2, "no helper `a`"),
        ("{{a.b c}}", 2, "takes no arguments"),
        ("{{eq a 1x}}", 7, "not a number"),
        ("{{eq a 1e5}}", 7, "not a number"),
        ("{{eq a 01}}", 7, "not a number"),
        ("{{eq a \"x}}", 7, "without an end"),
        ("{{eq a \"\\q\"}}", 7, "escape"),
        ("{{eq (lower a 1}}", 6, "takes 1 argument"),
        ("{{eq (lower a 1 }}", 6, "takes 1 argument"),
        ("{{eq 1 (lower a }}", 7, "`(` without `)`"),
        ("{{lower a)}}", 9, "unexpected `)`"),
        ("{{lower =a}}", 8, "`=`"),
        ("{{eq a,b}}", 6, "unexpected `,`"),
        ("{{eq a | b}}", 7, "`|`"),
        ("{{eq [1] b}}", 5, "begins with `[`"),
    ];

    #[test]
    fn what_is_no_template_is_refused_with_place_and_hint() {
        for &(text, offset, part) in REFUSED {
            let error = parse(text).expect_err(text);
            assert!(error.message.contains(part), "{text}: {error:?}");
            assert_eq!(error.offset, offset, "{text}: {error:?}");
            assert!(
                error.len > 0 && error.offset + error.len <= text.len() + 2,
                "{text}: {error:?}"
            );
            assert!(error.hint.is_some(), "{text}: {error:?}");
        }
        assert_eq!(parse("{{uper a}}").unwrap_err().hint.unwrap(), "did you mean `upper`?");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |depth: usize| format!("{{{{{}a{}}}}}", "(not ".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(31)).is_ok());
        assert!(parse(&nested(33)).unwrap_err().message.contains("32 deep"));
        assert!(parse(&nested(100_000)).is_err());
    }

    #[test]
    fn examples_of_all_functions_are_templates() {
        for function in functions::ALL {
            let template =
                parse(function.example).unwrap_or_else(|e| panic!("{function:?}: {e:?}"));
            assert!(function.example.contains(function.name) && template.lone().is_some());
            assert!(function.doc.ends_with('.'), "{}", function.name);
        }
    }

    #[test]
    fn paths_know_their_place() {
        let template = parse("a {{eq b.c (opt d)}}").unwrap();
        let Some(Part::Expr(Expr::Call(call))) = template.parts.get(1) else { panic!() };
        let Some(Expr::Path(path)) = call.args.first() else { panic!() };
        let len = crate::template::reader::extent(&template.source, path.offset);
        assert_eq!(template.source.get(path.offset..path.offset + len), Some("b.c"));
    }

    /// What the crate makes of a text, in the words of [`tree`]; `None` if it is no template of
    /// our subset.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enums of the crate may grow")]
    fn theirs(text: &str) -> Option<String> {
        let template = handlebars::Template::compile(text).ok()?;
        let part = |element: &TemplateElement| match element {
            TemplateElement::RawString(text) => Some(format!("|{text}|")),
            TemplateElement::Expression(helper) => {
                let named: Vec<_> = helper.hash.iter().collect();
                expression(&helper.name, &helper.params, named)
            }
            _ => None,
        };
        let parts: Option<Vec<String>> = template.elements.iter().map(part).collect();
        Some(parts?.join(" "))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enums of the crate may grow")]
    fn expression(
        name: &Parameter,
        params: &[Parameter],
        mut named: Vec<(&String, &Parameter)>,
    ) -> Option<String> {
        let alone = params.is_empty() && named.is_empty();
        let name = match name {
            Parameter::Subexpression(_) if alone => return parameter(name),
            Parameter::Path(_) | Parameter::Name(_) => name.as_name()?.to_owned(),
            _ => return None,
        };
        if alone && functions::find(&name).is_none() {
            return parameter(&Parameter::Path(handlebars::Path::parse(&name).ok()?));
        }
        named.sort_by_key(|(name, _)| *name);
        let mut text = format!("({name}");
        for param in params {
            text = format!("{text} {}", parameter(param)?);
        }
        for (name, param) in named {
            text = format!("{text} {name}={}", parameter(param)?);
        }
        Some(text + ")")
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enums of the crate may grow")]
    fn parameter(parameter: &Parameter) -> Option<String> {
        match parameter {
            Parameter::Literal(value) => Some(value.to_string()),
            Parameter::Path(handlebars::Path::Relative((segments, _))) => {
                let name = |segment: &handlebars::PathSeg| match segment {
                    handlebars::PathSeg::Named(name) => Some(name.clone()),
                    _ => None,
                };
                let names: Option<Vec<String>> = segments.iter().map(name).collect();
                let path = names?.join("·");
                Some(if path == "now" { "(now)".to_owned() } else { path })
            }
            Parameter::Subexpression(inner) => {
                let TemplateElement::Expression(helper) = inner.as_element() else { return None };
                expression(&helper.name, &helper.params, helper.hash.iter().collect())
            }
            _ => None,
        }
    }

    /// With named arguments in the order of their names, as the crate loses theirs.
    fn sorted(expr: &mut Expr) {
        if let Expr::Call(call) = expr {
            call.args.iter_mut().for_each(sorted);
            call.named.iter_mut().for_each(|(_, arg)| sorted(arg));
            call.named.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
    }

    /// Whatever we read, the crate reads the same way.
    fn agree(text: &str) {
        let Ok(mut ours) = parse(text) else { return };
        if ours.source.len() != text.len() {
            return;
        }
        for part in &mut ours.parts {
            if let Part::Expr(expr) = part {
                sorted(expr);
            }
        }
        if text.is_empty() {
            return;
        }
        assert_eq!(theirs(text).as_deref(), Some(tree(&ours).as_str()), "{text}");
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,3}",
            "[a-zA-Z_$][a-z0-9_:-]{0,4}",
            Just("now".into()),
            Just("é".into())
        ]
    }

    fn path() -> impl Strategy<Value = String> {
        let segment = prop_oneof![name(), "[0-9]{1,2}", "\\[[a-z@. }]{1,4}\\]"];
        (name(), prop::collection::vec(segment, 0..3))
            .prop_map(|(root, segments)| segments.iter().fold(root, |p, s| p + "." + s))
    }

    fn literal() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?",
            "\"[a-z }{é']{0,4}\"",
            "'[a-z }{é\"]{0,4}'",
            Just("\"\\n\\u00e9\\\\\"".to_owned()),
            Just("true".to_owned()),
            Just("null".to_owned()),
        ]
    }

    fn expr() -> impl Strategy<Value = String> {
        let call = |inner: BoxedStrategy<String>| {
            prop_oneof![
                inner.clone().prop_map(|a| format!("opt {a}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("eq {a}  {b} ")),
                (inner.clone(), name(), inner)
                    .prop_map(|(a, n, b)| format!("object {n}={a} k={b}")),
                Just("now".to_owned()),
            ]
        };
        prop_oneof![path(), literal()].prop_recursive(3, 8, 2, move |inner| {
            call(inner.boxed()).prop_map(|c| format!("({c})"))
        })
    }

    fn template() -> impl Strategy<Value = String> {
        let braces = prop_oneof![
            path().prop_map(|p| format!("{{{{{p}}}}}")),
            expr().prop_map(|e| format!("{{{{ first {e} }}}}")),
            expr().prop_map(|e| format!("{{{{{e}}}}}")),
        ];
        prop::collection::vec(prop_oneof![braces, "[a-z} {]{0,3}"], 1..4).prop_map(|p| p.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_crate_reads_what_we_read(text in template()) {
            agree(&text);
        }

        #[test]
        fn the_crate_reads_what_we_read_of_noise(text in "[a-z{}. ()=\"'0-9\\[\\]@/#!~&|-]{0,24}") {
            agree(&text);
            agree(&format!("{{{{{text}}}}}"));
        }

        #[test]
        fn no_text_is_too_odd(text in ".*", noise in "[\\\\{}()\"'.a\\[\\]= \n]{0,64}") {
            let _ = parse(&text);
            let _ = parse(&noise);
            let _ = parse(&format!("{{{{{text}"));
        }
    }

    #[test]
    fn plain_json_text_stays() {
        let text = json!({"a": [1, {"b": "c"}]}).to_string();
        assert_eq!(parse(&text).unwrap().as_text(), Some(text.as_str()));
        assert_eq!(Value::from(parse("x").unwrap().as_text()), json!("x"));
    }
}
