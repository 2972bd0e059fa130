//! Files as they are found: pipes where files should be, and files of nothing but faults.

use std::process::Command;

use crate::support::project::Project;

const ACME: &str = "blueprint: acme:v0
auth: {auth_mode: NONE}
integration: {type: object, properties: {x: {type: string}}}
requests: {base_url: 'https://api.acme.test'}
";
const LIST: &str = "action: list\nblueprint: acme:v0\ninput: {type: object, properties: {x: {type: string}}}\nsteps: [{id: a, get: /a}]\n";
const ENTRIES: &str = "integrations: {a: {extends_blueprint: 'acme:v0', config: {x: '${X:-x}'}}}\n";

/// To open a pipe is to wait for someone who writes to it: each of these would never end.
#[test]
fn a_pipe_is_refused_wherever_a_file_is_read() {
    for (pipe, args, code, says) in [
        (
            "integrations.yaml",
            &["check"][..],
            2,
            "`integrations.yaml` cannot be read: it is a named pipe, not a file",
        ),
        (
            "blueprints/acme/v0.yaml",
            &["check"],
            2,
            "`blueprints/acme/v0.yaml` cannot be read: it is a named pipe, not a file",
        ),
        (
            "actions/acme/list.yaml",
            &["check"],
            2,
            "`actions/acme/list.yaml` cannot be read: it is a named pipe, not a file",
        ),
        (".env", &["check"], 2, "`.env` cannot be read: it is a named pipe, not a file"),
        ("included", &["run", "a", "list", "--dry-run"], 2, "it is a named pipe, not a file"),
        (
            "word",
            &["run", "a", "list", "--dry-run", "x=@word"],
            2,
            "`word` cannot be read: it is a named pipe, not a file",
        ),
    ] {
        let project = Project::new(&[
            ("integrations.yaml", ENTRIES),
            ("blueprints/acme/v0.yaml", ACME),
            ("actions/acme/list.yaml", LIST),
        ]);
        if pipe == "included" {
            project.write("integrations.yaml", &ENTRIES.replace("${X:-x}", "${file:included}"));
        }
        let path = project.path(pipe);
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let printed = project.engine(args).ends(code);
        assert!(printed.stderr.contains(says), "{pipe}: {printed:?}");
    }
}

/// A file at its largest, of which nothing is right: what is found of it is bounded, and counted.
#[test]
fn the_problems_of_a_file_are_bounded_and_counted() {
    let many = |line: &dyn Fn(usize) -> String| (0..5_000).map(line).collect::<String>();
    let keys = many(&|at| format!("key{at}: 1\n"));
    let twice = many(&|at| format!("key{}: 1\n", at % 2_500));
    let steps = many(&|_| "  - 1\n".to_owned());
    let missing = many(&|at| format!("    k{at}: ${{V{at}}}\n"));
    let env = many(&|at| format!("not a line {at}\n"));
    for (file, text, errors, warnings) in [
        ("blueprints/acme/v0.yaml", format!("{ACME}{keys}"), 5_000, 0),
        ("blueprints/acme/v0.yaml", format!("{ACME}{twice}"), 5_000, 0),
        (
            "blueprints/acme/v0.yaml",
            format!(
                "{ACME}error: {{message: \"{}\"}}\n",
                many(&|at| format!("{{{{wrong.n{at}}}}}"))
            ),
            5_000,
            0,
        ),
        (
            "actions/acme/list.yaml",
            format!("action: list\nblueprint: acme:v0\nsteps:\n{steps}"),
            5_000,
            0,
        ),
        (
            "integrations.yaml",
            format!(
                "integrations:\n  a:\n    extends_blueprint: acme:v0\n    config:\n{}",
                missing.replace("    k", "      k")
            ),
            5_000,
            0,
        ),
        (".env", env, 0, 5_000),
    ] {
        let project = Project::new(&[
            ("integrations.yaml", ENTRIES),
            ("blueprints/acme/v0.yaml", ACME),
            ("actions/acme/list.yaml", LIST),
            (file, &text),
        ]);
        let found = project.engine(&["check", "--output=json"]).json();
        let shown = found["diagnostics"].as_array().unwrap().len();
        assert_eq!(shown, 200, "{file}");
        let count = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
        assert!(count("errors") >= errors && count("warnings") >= warnings, "{file}: {errors}");
        assert_eq!(count("not_shown") + shown, count("errors") + count("warnings"), "{file}");
        let text = project.engine(&["check", "--output=table"]);
        assert!(text.stdout.contains("more problems are not shown"), "{file}");
    }
}
