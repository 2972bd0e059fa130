//! The formats, by a project in files: every kind of pagination, tried by its own tests and in the
//! sandbox.

use std::path::Path;

use serde_json::json;

use crate::support::project::Project;

/// A copy of all its files, so that none is forgotten.
fn project() -> Project {
    Project::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/formats"))
}

#[test]
fn the_tests_of_the_files_pass() {
    let project = project();
    project.engine(&["check"]).ends(0);
    project.engine(&["test"]).ends(0);
}

/// A walk that goes on from a token begins where the token says, whatever the kind.
#[test]
fn a_page_token_resumes_where_it_was_made() {
    let project = project();
    let run = |input: &[&str]| {
        let call = ["run", "pages", "range-one", "--sandbox", "--output=json"];
        project.engine(&[&call, input].concat()).ends(0).json()
    };
    let first = run(&[]);
    assert_eq!(first["rows"], json!(["a", "b"]));
    let next = format!("page={}", first["next"].as_str().unwrap());
    assert_eq!(run(&[&next]), json!({"rows": ["c"]}));
}
