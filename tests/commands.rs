//! The commands: what they print, and how they exit.

use serde_json::json;

use crate::support::project::Project;

#[test]
fn help_and_version_are_there() {
    let project = Project::new(&[]);
    for args in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["completions", "bash"],
        &["man"],
        &["schema"],
        &["settings"],
        &["list"],
    ] {
        let printed = project.engine(args).ends(0);
        assert!(!printed.stdout.is_empty(), "{args:?}");
    }
    project.engine(&["nonsense"]).ends(2);
}

#[test]
fn unknown_names_get_a_suggestion() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    for (args, code, hint) in [
        (
            &["run", "ms-team", "list-channels", "--sandbox"][..],
            "call.unknown-integration",
            "ms-teams",
        ),
        (&["run", "ms-teams", "list-chanels", "--sandbox"], "call.unknown-action", "list-channels"),
        (&["run", "../etc", "x", "--sandbox"], "call.unknown-integration", ""),
        (
            &["run", "github", "list-issues", "owner=a", "repo=b"],
            "call.no-connection",
            "engine connect github",
        ),
        (&["run", "github", "list-issues", "owner=a", "--sandbox"], "call.input-invalid", "repo"),
        (
            &["run", "github", "list-issues", "owner=a", "repo=b", "stat=open", "--sandbox"],
            "call.input-invalid",
            "state",
        ),
    ] {
        let mut all = args.to_vec();
        all.push("--output=json");
        let printed = project.engine(&all).ends(2);
        let error = &printed.json()["error"];
        assert_eq!(error["code"], code, "{printed:?}");
        assert!(printed.stderr.contains(hint), "{printed:?}");
    }
}

#[test]
fn a_dry_run_shows_what_would_be_sent() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    let args = [
        "run",
        "ms-teams",
        "post-message",
        "teamId=t/1",
        "channelId=19:a@thread.tacv2",
        "content=hi",
        "--dry-run",
    ];
    let http = project.engine(&args).ends(0).stdout;
    assert!(
        http.contains("POST /v1.0/teams/t%2F1/channels/19%3Aa%40thread.tacv2/messages"),
        "{http}"
    );
    assert!(http.to_lowercase().contains("authorization: bearer ***"), "{http}");
    let curl = project.engine(&[&args[..], &["--curl"]].concat()).ends(0).stdout;
    assert!(
        curl.contains("curl") && curl.contains("'https://graph.microsoft.com/v1.0/teams/t%2F1"),
        "{curl}"
    );
    let fan = project.engine(&["run", "ms-teams", "list-channels", "--dry-run"]).ends(0).stdout;
    assert!(fan.contains("/me/joinedTeams") && fan.contains("channels"), "{fan}");
}

#[test]
fn any_endpoint_can_be_reached() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    let all = ["request", "ms-teams", "GET", "/me/joinedTeams", "--sandbox", "--output=json"];
    let one = project.engine(&all).ends(0).json();
    assert!(one["value"].is_array(), "{one}");
    let pages = project.engine(&[&all[..], &["--paginate"]].concat()).ends(0).json();
    assert!(pages.as_array().unwrap().len() >= 4, "{pages}");
    project.engine(&["request", "ms-teams", "GET", "/teams/none/channels", "--sandbox"]).ends(1);
    project.engine(&["request", "ms-teams", "GET", "/a/../b", "--sandbox"]).ends(2);
}

#[test]
fn a_starter_project_works_as_it_says() {
    let project = Project::new(&[]);
    project.engine(&["init", "mine"]).ends(0);
    let run = |args: &[&str]| project.engine(&[&["-C", "mine"], args].concat());
    run(&["check"]).ends(0);
    run(&["test"]).ends(0);
    run(&["list"]).ends(0);
    let ignored = std::fs::read_to_string(project.path("mine/.gitignore")).unwrap();
    assert!(ignored.contains(".engine/") && ignored.contains(".env"));
    // Never overwritten.
    project.write("mine/integrations.yaml", "integrations: {}\n");
    project.engine(&["init", "mine"]);
    assert_eq!(
        std::fs::read_to_string(project.path("mine/integrations.yaml")).unwrap(),
        "integrations: {}\n"
    );
}

/// A person knows the name in `integrations.yaml`, which need not be the blueprint's.
#[test]
fn an_entry_lists_the_actions_of_its_blueprint() {
    let entry = "integrations:\n  OurCode: {extends_blueprint: 'github:v0'}\n";
    let project = Project::new(&[("integrations.yaml", entry)]);
    let names = |args: &[&str]| {
        let found = project.engine(&[&["list", "actions", "--output=json"], args].concat());
        let rows = found.ends(0).json();
        rows.as_array().unwrap().iter().map(|row| row["action"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["OurCode"]), ["list-issues"]);
    assert_eq!(names(&["OurCode", "issues"]), ["list-issues"]);
    assert_eq!(names(&["OurCode", "payments"]), [""; 0]);
}

#[test]
fn connections_are_added_shown_moved_and_deleted() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    let add = |id: &str| {
        project.engine_with(
            &["connections", "add", "github", "--connection", id, "--no-verify", "--token-stdin"],
            "a-very-secret-token",
        )
    };
    add("work").ends(0);
    add("home").ends(0);
    assert!(add("home").ends(3).stderr.contains("exists already"));
    let list = project.engine(&["connections", "list", "--output=json"]).ends(0);
    assert!(!list.stdout.contains("very-secret"));
    assert!(list.stdout.contains("work") && list.stdout.contains("home"));
    let printed = project.engine(&["run", "github", "list-issues", "owner=a", "repo=b"]).ends(2);
    assert!(printed.stderr.contains("`home`, `work`"), "{}", printed.stderr);
    let moved = project.engine(&["connections", "export", "--with-secrets"]);
    let other = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    if moved.code == 0 {
        other.engine_with(&["connections", "import"], &moved.stdout).ends(0);
        assert!(other.engine(&["connections", "list"]).ends(0).stdout.contains("work"));
    }
    project.engine(&["connections", "delete", "github", "--connection", "work"]).ends(0);
    project.engine(&["connections", "show", "github", "--connection", "work"]).ends(2);
}

#[test]
fn a_sandbox_connection_is_remembered_as_one() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    project.engine(&["connections", "add", "ms-teams", "--sandbox"]).ends(0);
    let teams =
        project.engine(&["run", "ms-teams", "list-channels", "--output=json"]).ends(0).json();
    assert!(teams.as_array().unwrap().len() >= 4);
}

#[test]
fn logs_tell_what_was_done() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    project.engine(&["run", "ms-teams", "list-channels", "--sandbox"]).ends(0);
    let runs = project.engine(&["logs", "--output=json"]).ends(0).json();
    let run = &runs["runs"][0];
    assert_eq!(
        (&run["integration"], &run["action"], &run["status"]),
        (&json!("ms-teams"), &json!("list-channels"), &json!("succeeded"))
    );
    let id = run["id"].as_str().unwrap();
    let one = project.engine(&["logs", id, "--output=json"]).ends(0).json();
    let attempts = one["attempts"].as_array().unwrap();
    assert!(attempts.len() >= 5 && attempts.iter().all(|a| a["outcome"] == "ok"), "{one:#}");
    assert!(project.engine(&["logs", id]).ends(0).stdout.contains("joinedTeams"));
    project.engine(&["logs", "run_nothing"]).ends(2);
}

#[test]
fn a_broken_integration_does_not_keep_others_from_working() {
    let project = Project::new(&[(
        "integrations.yaml",
        "integrations:\n  bad:\n    extends_blueprint: nothing:v0\n  needy:\n    extends_blueprint: github:v0\n    config: {x: '${MISSING_ONE}'}\n  good:\n    extends_blueprint: ms-teams:v0\n",
    )]);
    project.engine(&["run", "good", "list-channels", "--sandbox"]).ends(0);
    let checked = project.engine(&["check"]).ends(2);
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert!(
        said.contains("MISSING_ONE")
            && said.contains("nothing:v0")
            && said.contains("integrations.yaml:"),
        "{said}"
    );
}

#[test]
fn a_watched_project_is_checked_again_when_it_changes() {
    use std::io::{BufRead, BufReader};
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    let mut child = project.command(&["check", "--watch", "--output=table"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(out.next().unwrap().starts_with("sound:"));
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(err.next().unwrap().contains("watching"));
    project.write("integrations.yaml", "integrations: {x: {extends_blueprint: nothing:v0}}\n");
    assert!(out.next().unwrap().contains("nothing"));
    child.kill().unwrap();
    child.wait().unwrap();
}
