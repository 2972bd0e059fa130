//! The shipped files: sound, tested by themselves, and playable in their sandboxes.

use serde_json::json;

use crate::support::project::Project;

/// The repository itself is a project.
fn engine(args: &[&str]) -> crate::support::project::Printed {
    let store = tempfile::tempdir().unwrap();
    let store = store.path().join("engine.db");
    let project = Project::new(&[]);
    let mut command =
        project.command(&["-C", env!("CARGO_MANIFEST_DIR"), "--store", store.to_str().unwrap()]);
    crate::support::project::printed(command.args(args).spawn().unwrap())
}

#[test]
fn every_shipped_file_is_sound() {
    let printed = engine(&["check", "--output=json"]).ends(0).json();
    assert_eq!(printed["errors"], 0, "{printed:#}");
    // The Teams entry names a variable that the sandbox does not need.
    let open =
        |d: &&serde_json::Value| d["severity"] == "warning" && d["code"] != "file.missing-variable";
    let open = printed["diagnostics"].as_array().unwrap().iter().filter(open).count();
    assert_eq!(open, 0, "{printed:#}");
}

#[test]
fn every_shipped_test_passes() {
    let printed = engine(&["test", "--output=json"]).ends(0).json();
    assert_eq!(printed["failed"], 0);
    assert!(printed["passed"].as_u64().unwrap() >= 60, "{}", printed["passed"]);
}

#[test]
fn teams_channels_are_listed_from_the_sandbox() {
    let printed =
        engine(&["run", "ms-teams", "list-channels", "--sandbox", "--output=json"]).ends(0).json();
    let teams = printed.as_array().unwrap();
    assert!(teams.len() >= 4);
    for team in teams {
        assert!(team["teamId"].is_string() && team["teamDisplayName"].is_string(), "{team}");
        for channel in team["teamChannels"].as_array().unwrap() {
            assert!(channel["channelId"].is_string(), "{channel}");
        }
    }
}

#[test]
fn each_action_runs_in_its_sandbox() {
    let teams = engine(&["run", "ms-teams", "list-channels", "--sandbox", "--output=json"]).json();
    let team = teams
        .as_array()
        .unwrap()
        .iter()
        .find(|t| !t["teamChannels"].as_array().unwrap().is_empty())
        .unwrap();
    let (team_id, channel_id) = (
        format!("teamId={}", team["teamId"].as_str().unwrap()),
        format!("channelId={}", team["teamChannels"][0]["channelId"].as_str().unwrap()),
    );
    for args in [
        vec!["ms-teams", "post-message", &team_id, &channel_id, "content=Hello {{you}}"],
        vec!["slack", "list-channels"],
        vec!["github", "list-issues", "owner=octocat", "repo=hello-world"],
        vec!["stripe", "list-charges"],
        vec![
            "stripe",
            "create-payment",
            "amount=1999",
            "currency=eur",
            "payment_method=pm_card_visa",
        ],
        vec!["shopify", "list-products"],
        vec!["twitter", "create-post", "text=hi"],
        vec!["trello", "list-boards"],
        vec!["twilio", "list-messages"],
        vec!["zoom", "list-users"],
        vec!["openweather", "current-weather", "q=London"],
        vec!["telegram", "send-message", "chat_id=1001", "text=hi"],
        vec!["google-calendar", "list-events"],
        vec!["google-mail", "send-mail", "to:=[\"a@x.io\"]", "subject=Hi", "text=Hello"],
        vec!["hubspot", "list-contacts"],
        vec!["notion", "query-database", "database_id=d1"],
        vec!["salesforce", "query", "soql=SELECT Id FROM Lead"],
        vec!["zoho-crm", "list-leads"],
        vec!["google-service-account", "list-files"],
        vec!["snowflake", "run-statement", "statement=SELECT 1"],
        vec!["github-app", "list-repositories"],
        vec!["aws-dynamodb", "list-tables"],
        vec!["tableau", "list-workbooks"],
        vec!["coinbase-exchange", "list-accounts"],
        vec!["auth0-management", "list-users"],
    ] {
        let mut all = vec!["run"];
        all.extend(args);
        all.extend(["--sandbox", "--output=json"]);
        engine(&all).ends(0).json();
    }
}

/// Every way to sign in, with every blueprint that has a sandbox.
#[test]
fn each_blueprint_signs_in_at_its_sandbox() {
    use crate::support::{browser::Browser, signing::SigningIn};
    let project = Project::new(&[]);
    let folder = format!("{}/blueprints", env!("CARGO_MANIFEST_DIR"));
    let mut done = 0;
    for name in std::fs::read_dir(folder).unwrap().flatten() {
        let name = name.file_name().into_string().unwrap();
        let folder = format!("{}/blueprints/{name}", env!("CARGO_MANIFEST_DIR"));
        if !std::path::Path::new(&folder).join("v0.sandbox.yaml").exists() {
            continue;
        }
        let args = ["connect", &name, "--sandbox", "--port", "0", "--output=json"];
        let mut signing = SigningIn::begin(&project, &args);
        let said = signing.line_of(&["/authorize?", "is signed in", "failed["]);
        if said.contains("/authorize?") {
            let shown = Browser::default().post(&said, "decision=allow");
            assert_eq!(shown.status, 200, "{name}: {}", shown.page);
        }
        let connection = signing.end().ends(0).json();
        assert_eq!(connection["sandbox"], true, "{name}");
        done += 1;
    }
    assert!(done >= 20, "{done} blueprints");
}

#[test]
fn the_seed_loads_as_printed() {
    // The entry of the document that the project began with, indentation included.
    let seed = "    ms-teams:
        extends_blueprint: ms-teams:v0

        oauth_client_id: '<YOUR MS TEAMS CLIENT ID>' # Make sure to quote it so YAML parses it as a string
        oauth_client_secret: ${MS_TEAMS_CLIENT_SECRET}
        oauth_scopes:
            - offline_access     # Most likely you want this scope, see note below
            - the scopes
            - you need
";
    let project = Project::new(&[("integrations.yaml", seed)]);
    let checked = project.engine(&["check", "--output=json"]).ends(0).json();
    let text = checked.to_string();
    assert!(text.contains("MS_TEAMS_CLIENT_SECRET"), "the missing variable is named: {checked:#}");
    project.engine(&["run", "ms-teams", "list-channels", "--sandbox"]).ends(0);
    let mut command = project.command(&["show", "ms-teams", "--output=json"]);
    command.env("MS_TEAMS_CLIENT_SECRET", "hidden-value");
    let shown = crate::support::project::printed(command.spawn().unwrap()).ends(0);
    assert!(!shown.stdout.contains("hidden-value"), "{}", shown.stdout);
    assert!(shown.stdout.contains("the scopes"));
}

#[test]
fn a_project_file_wins_over_the_built_in_one() {
    let project = Project::new(&[
        ("integrations.yaml", "integrations: {}\n"),
        (
            "actions/slack/list-channels.yaml",
            "action: list-channels\nblueprint: slack:v0\ndescription: Ours.\neffect: read\nsteps: [{id: me, post: /auth.test}]\noutput: ours\n",
        ),
    ]);
    let checked = project.engine(&["check"]);
    assert!(
        checked.stdout.contains("list-channels") || checked.stderr.contains("list-channels"),
        "{checked:?}"
    );
    assert_eq!(
        project
            .engine(&["run", "slack", "list-channels", "--sandbox", "--output=json"])
            .ends(0)
            .json(),
        json!("ours")
    );
}

#[test]
fn the_published_schemas_are_fresh() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let bless = std::env::var_os("ENGINE_BLESS").is_some();
    let fresh = |file: String, printed: &str| {
        let path = folder.join(file);
        if bless {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, printed).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, printed, "run with ENGINE_BLESS=1");
    };
    for name in ["blueprint", "sandbox", "integrations", "action"] {
        fresh(format!("{name}.schema.json"), &engine(&["schema", name]).ends(0).stdout);
        fresh(format!("{name}.md"), &engine(&["schema", name, "--markdown"]).ends(0).stdout);
    }
    fresh("helpers.md".to_owned(), &engine(&["schema", "helpers"]).ends(0).stdout);
}
