//! Golden diagnostics: each `diagnostics/NAME.yaml` holds files of a small project, each of which
//! begins with `# at PATH`, and `engine check` must say exactly what `NAME.txt` holds.
//! `ENGINE_BLESS=1` renews.

use std::path::Path;

use crate::support::project::Project;

const BLUEPRINT: &str = "blueprint: acme:v0
title: Acme
auth: {auth_mode: API_KEY, credentials: {type: object, required: [api_key], properties: {api_key: {type: string, writeOnly: true}}}}
requests: {base_url: 'https://api.acme.test/v1', headers: {authorization: 'Bearer {{credentials.api_key}}'}}
";

#[test]
fn broken_files_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let bless = std::env::var_os("ENGINE_BLESS").is_some();
    let mut cases: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    cases.sort();
    assert!(cases.len() >= 20, "the golden files are gone");
    let mut wrong = Vec::new();
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        assert!(text.starts_with("# at "), "{}", case.display());
        let project = Project::new(&[
            ("integrations.yaml", "integrations: {}\n"),
            ("blueprints/acme/v0.yaml", BLUEPRINT),
        ]);
        for (begin, _) in text.match_indices("# at ").filter(|(at, _)| line_begins(&text, *at)) {
            let rest = &text[begin..];
            let end = rest[1..].find("\n# at ").map_or(rest.len(), |end| end + 2);
            let (first, _) = rest.split_once('\n').unwrap();
            project.write(first.strip_prefix("# at ").unwrap(), &rest[..end]);
        }
        let printed = project.engine(&["check", "--color=never", "--output=table"]);
        let found = format!("exit {}\n{}{}", printed.code, printed.stdout, printed.stderr);
        let golden = case.with_extension("txt");
        if bless {
            std::fs::write(&golden, &found).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn line_begins(text: &str, at: usize) -> bool {
    at == 0 || text[..at].ends_with('\n')
}
