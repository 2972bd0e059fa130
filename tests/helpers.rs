//! What every helper gives, by the cases of `helpers.yaml`.

use std::sync::Arc;

use engine::{
    catalog::yaml,
    diagnostic::SourceFile,
    model::time::Timestamp,
    template::{self, Scope, functions},
};

#[test]
fn helpers_give_what_their_cases_say() {
    let text = include_str!("helpers.yaml").to_owned();
    let file = SourceFile { name: "helpers.yaml".to_owned(), text };
    let cases = yaml::parse(&Arc::new(file)).unwrap().tree.to_json();
    let known = |name: &String| name == "scope" || functions::find(name).is_some();
    let strays: Vec<_> = cases.as_object().unwrap().keys().filter(|name| !known(name)).collect();
    assert!(strays.is_empty(), "no helpers: {strays:?}");
    let scope = Scope::new(Timestamp(1_700_000_000_000))
        .with("input", &cases["scope"]["input"])
        .with("body", &cases["scope"]["body"]);
    for function in functions::ALL {
        let own = cases[function.name].as_array();
        for case in own.unwrap_or_else(|| panic!("no case of `{}`", function.name)) {
            let text = case["template"].as_str().unwrap();
            assert!(text.contains(function.name), "{text} is no case of `{}`", function.name);
            let template = template::parse(text).unwrap();
            let (found, fits) = match template::value(&template, &scope) {
                Ok(Some(value)) => {
                    let (found, wanted) = (value.to_string(), case["gives"].to_string());
                    let fits = found == wanted;
                    (found, fits)
                }
                Ok(None) => ("absent".to_owned(), case["absent"] == true),
                Err(fault) => {
                    let part = case["fails"].as_str();
                    let fits = part.is_some_and(|part| fault.message.starts_with(part));
                    (fault.message, fits)
                }
            };
            assert!(fits, "{text}: {found}");
        }
    }
}
