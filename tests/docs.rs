//! The examples of the guides: every blueprint and every `integrations.yaml` in them is sound.

use crate::support::project::Project;

/// The fenced YAML blocks of a page.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut inside: Option<String> = None;
    for line in text.lines() {
        match (&mut inside, line) {
            (None, "```yaml") => inside = Some(String::new()),
            (Some(_), "```") => blocks.extend(inside.take()),
            (Some(block), line) => block.push_str(&format!("{line}\n")),
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn the_examples_of_the_auth_guides_are_sound() {
    let folder = format!("{}/docs/guides/auth", env!("CARGO_MANIFEST_DIR"));
    let (mut pages, mut blueprints) = (0, 0);
    for page in std::fs::read_dir(folder).unwrap().flatten() {
        let text = std::fs::read_to_string(page.path()).unwrap();
        let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
        for block in blocks(&text) {
            let first = block.lines().next().unwrap_or_default();
            match first.strip_prefix("blueprint: ") {
                Some(id) => {
                    let name = id.trim_end_matches(":v0");
                    project.write(&format!("blueprints/{name}/v0.yaml"), &block);
                    blueprints += 1;
                }
                None => project.write("integrations.yaml", &block),
            }
        }
        let checked = project.engine(&["check", "--output=json"]).ends(0).json();
        let found = checked["diagnostics"].as_array().unwrap();
        let bad: Vec<_> = found.iter().filter(|d| d["severity"] != "note").collect();
        assert!(bad.is_empty(), "{}: {bad:#?}", page.path().display());
        pages += 1;
    }
    assert!(pages >= 12 && blueprints >= 14, "{pages} pages, {blueprints} blueprints");
}
