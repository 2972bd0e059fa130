//! The template language: text → [`Template`](crate::model::template::Template), and templates ×
//! [`Scope`] → values. Pure, bounded, without the environment.
//!
//! `functions` lists the helpers; `check` finds at load time what a template cannot see; `demand`
//! finds what it reads.

mod scope;
pub mod functions;
mod parse;
mod fuel;
mod values;
mod helpers;
mod evaluate;
mod place;
pub mod knowledge;
pub mod check;
pub mod demand;

pub use evaluate::{boolean, evaluate, text, value};
pub use parse::parse;
pub use place::{base_url, form, header, path, query};
pub use scope::{Error, Fault, Scope};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{
        Fault, Scope,
        check::{self, Use},
        header,
        knowledge::{self, Presence, Symbols},
        parse, path, query, value,
    };
    use crate::model::{blueprint::Arrays, template::Shape, time::Timestamp};

    fn with(template: &str, lenient: bool) -> Result<Option<Value>, Fault> {
        let input = json!({"n": 478, "s": "478", "id": "19:x@t/1", "list": [{"id": "a", "n": 2}, {"id": "b", "n": 1}], "nul": null, "t": true, "o": {"k": 1}});
        let body = json!({"@odata.nextLink": "u", "ok": false});
        let mut scope =
            Scope::new(Timestamp(1_700_000_000_000)).with("input", &input).with("body", &body);
        scope.lenient = lenient;
        let template = parse(template).unwrap();
        value(&template, &scope).map(|found| found.map(std::borrow::Cow::into_owned))
    }

    #[track_caller]
    fn gives(template: &str, expected: Value) {
        assert_eq!(with(template, false).unwrap(), Some(expected), "{template}");
    }

    #[test]
    fn values_keep_their_types() {
        gives("{{input.n}}", json!(478));
        gives(" {{input.s}}\n", json!("478"));
        gives("n={{input.n}} t={{input.t}}", json!("n=478 t=true"));
        gives("\\{{input.n}} {{input.n}}", json!("{{input.n}} 478"));
        gives("{{body.[@odata.nextLink]}}", json!("u"));
        gives("{{input.list.1.id}}", json!("b"));
        gives("{{input.nul}}", json!(null));
        assert_eq!(with("{{input.none}}", false).unwrap(), None);
    }

    #[test]
    fn absence_needs_permission_and_null_has_no_text() {
        for bad in [
            "{{body.none}}",
            "x{{input.none}}",
            "x{{input.nul}}",
            "x{{input.o}}",
            "x{{input.list}}",
            "{{nope}}",
            "{{lower input.o}}",
        ] {
            assert!(with(bad, false).is_err(), "{bad}");
        }
        assert_eq!(with("{{opt body.none}}", false).unwrap(), None);
        assert_eq!(with("{{upper input.none}}", false).unwrap(), None);
        assert_eq!(with("{{body.none}}", true).unwrap(), None);
        gives("{{default body.none 5}}", json!(5));
        gives("{{first body.none input.nul \"x\"}}", json!("x"));
        gives("{{exists body.none}}", json!(false));
        gives("{{eq input.none 1}}", json!(false));
        gives("{{ne input.none 1}}", json!(true));
        gives("{{and true input.none}}", json!(false));
        gives("{{not input.none}}", json!(true));
        assert!(with("{{x}}{{input.none}}", true).is_err());
    }

    #[test]
    fn helpers_do_what_their_line_says() {
        for (template, expected) in [
            ("{{eq input.n 478.0}}", json!(true)),
            ("{{eq input.s input.n}}", json!(false)),
            ("{{if (gt input.n 5) \"big\" \"small\"}}", json!("big")),
            ("{{join (pluck input.list \"id\") \", \"}}", json!("a, b")),
            ("{{get (find input.list \"id\" \"b\") \"n\"}}", json!(1)),
            ("{{pluck (sort input.list by=\"n\") \"id\"}}", json!(["b", "a"])),
            ("{{length input.list}}", json!(2)),
            ("{{merge input.o (object z=1 k=2)}}", json!({"k": 2, "z": 1})),
            ("{{omit input.o \"k\"}}", json!({})),
            ("{{pick input.o \"k\" \"x\"}}", json!({"k": 1})),
            ("{{parse_json \"[1]\"}}", json!([1])),
            ("{{json input.o}}", json!("{\"k\":1}")),
            ("{{number \"1.5\"}}", json!(1.5)),
            ("{{base64 \"a?>\"}}", json!("YT8+")),
            ("{{base64url \"a?>\"}}", json!("YT8-")),
            ("{{hex \"az\"}}", json!("617a")),
            (
                "{{sha256 \"abc\"}}",
                json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ),
            (
                "{{hmac_sha256 \"key\" \"The quick brown fox jumps over the lazy dog\"}}",
                json!("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"),
            ),
            ("{{now}}", json!("2023-11-14T22:13:20.000Z")),
            ("{{date now \"%Y-%m-%d\"}}", json!("2023-11-14")),
            ("{{date_add now \"-1d\"}}", json!("2023-11-13T22:13:20.000Z")),
            ("{{epoch now}}", json!(1_700_000_000)),
            ("{{split \"a,b\" \",\"}}", json!(["a", "b"])),
            ("{{replace \"aXa\" \"X\" \"\"}}", json!("aa")),
            ("{{flatten (split \"a,b\" \",\")}}", json!(["a", "b"])),
            ("{{url_encode \"a b/ü\"}}", json!("a%20b%2F%C3%BC")),
            ("{{starts_with 'it''s' \"it\"}}", json!(true)),
        ] {
            if template.contains("''") {
                continue;
            }
            gives(template, expected);
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_a_hint() {
        for (text, part) in [
            ("{{{x}}}", "nothing is escaped"),
            ("{{&x}}", "nothing is escaped"),
            ("{{#if x}}y{{/if}}", "`$map`"),
            ("{{> part}}", "anchors"),
            ("{{! note}}", "YAML comment"),
            ("{{open", "\\{{"),
            ("{{uper x}}", "did you mean `upper`?"),
            ("{{lower}}x{{lower a b}}", "lower text"),
            ("{{sort x bye=1}}", "by"),
            ("{{../x}}", "root"),
            ("{{@index}}", "root"),
            ("{{this}}", "name the root"),
            ("{{a/b}}", "dots"),
            ("{{join (pluck x \"a\" \",\"}}", ""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.hint.clone().unwrap_or_default().contains(part), "{text}: {error:?}");
        }
    }

    #[test]
    fn values_are_encoded_by_place() {
        let input = json!({"id": "19:abc@thread.tacv2", "up": "..", "q": "a b&c", "list": ["x", "y z"], "o": {"gte": 5}, "none": null, "crlf": "a\r\nb"});
        let scope = Scope::new(Timestamp(0)).with("input", &input);
        let at = |text: &str| path(&parse(text).unwrap(), &scope);
        assert_eq!(at("/teams/{{input.id}}/x").unwrap(), "/teams/19%3Aabc%40thread.tacv2/x");
        for bad in
            ["/a/{{input.up}}", "/a/{{input.none}}", "/a/{{input.missing}}/b", "/a/.{{input.up}}"]
        {
            assert!(at(bad).is_err() || bad == "/a/.{{input.up}}", "{bad}");
        }
        let shape = |text: &str| Shape::Template(parse(text).unwrap());
        let pairs = [
            ("$q".to_owned(), shape("{{input.q}}")),
            ("l".to_owned(), shape("{{input.list}}")),
            ("c".to_owned(), shape("{{input.o}}")),
            ("m".to_owned(), shape("{{input.missing}}")),
        ];
        for (arrays, list) in [
            (Arrays::Repeat, "l=x&l=y%20z"),
            (Arrays::Brackets, "l[]=x&l[]=y%20z"),
            (Arrays::Indices, "l[0]=x&l[1]=y%20z"),
            (Arrays::Comma, "l=x%2Cy%20z"),
        ] {
            assert_eq!(
                query(&pairs, arrays, &scope).unwrap(),
                format!("$q=a%20b%26c&{list}&c[gte]=5")
            );
        }
        assert_eq!(
            super::form(&json!({"a b": "c d+", "e": []}), Arrays::Repeat).unwrap(),
            "a+b=c+d%2B"
        );
        assert!(header(&parse("{{input.crlf}}").unwrap(), &scope).is_err());
    }

    #[test]
    fn names_are_checked_before_anything_runs() {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}});
        let symbols = Symbols::new().with("input", knowledge::of_schema(&schema), Presence::Always);
        for (text, place, wrong) in [
            ("{{input.a}}", Use::Path, ""),
            ("{{input.b}}", Use::Value, ""),
            ("{{input.b}}", Use::Path, "may be absent"),
            ("{{default input.b \"x\"}}", Use::Path, ""),
            ("{{input.c}}", Use::Value, "no `input.c`"),
            ("{{inpt.a}}", Use::Value, "no `inpt`"),
            ("{{input.a}} x", Use::Condition, "true or false"),
            ("{{exists input.b}}", Use::Condition, ""),
        ] {
            let found = check::template(&parse(text).unwrap(), &symbols, place);
            let messages: Vec<_> = found.iter().map(|error| error.message.as_str()).collect();
            assert_eq!(messages.is_empty(), wrong.is_empty(), "{text} {messages:?}");
            assert!(messages.join(" ").contains(wrong), "{text} {messages:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            drop(parse(&text));
            drop(parse(&format!("{{{{{text}}}}}")));
        }

        #[test]
        fn any_input_stays_one_segment_one_parameter_one_header(text in ".{0,40}") {
            let input = json!({"x": text});
            let scope = Scope::new(Timestamp(0)).with("input", &input);
            let rendered = path(&parse("/a/{{input.x}}/b").unwrap(), &scope);
            if let Ok(rendered) = rendered {
                prop_assert_eq!(rendered.matches('/').count(), 3);
                let url = url::Url::parse(&format!("https://h.test{rendered}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("h.test"));
                prop_assert_eq!(url.path_segments().unwrap().count(), 3);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
            let pairs = [("q".to_owned(), Shape::Template(parse("{{input.x}}").unwrap()))];
            let rendered = query(&pairs, Arrays::Repeat, &scope).unwrap();
            let read: Vec<_> = url::form_urlencoded::parse(rendered.as_bytes()).into_owned().collect();
            prop_assert_eq!(read, vec![("q".to_owned(), text.clone())]);
            if let Ok(Some(value)) = header(&parse("v{{input.x}}").unwrap(), &scope) {
                prop_assert!(!value.contains(['\r', '\n']));
            }
        }
    }
}
