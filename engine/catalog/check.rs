//! Checks every file, and finds the ones with tests.

use std::{
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    catalog::{
        actions, chain, config, entry,
        error::Error,
        format::blueprint::{Extent, Resolved},
        listing::{Entry, Location, Top},
        load,
        loaded::Loaded,
        snapshot::Snapshot,
        source::Aside,
        tree::Node,
        yaml::Parsed,
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        blueprint::{Blueprint, Integration},
        name::BlueprintId,
        run_limits::RunLimits,
        secret::Secret,
    },
    policy::plan::PreparedAction,
};

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every problem, sorted by place.
    pub diagnostics: Diagnostics,
    /// How many blueprints were read.
    pub blueprints: usize,
    /// How many actions.
    pub actions: usize,
    /// How many entries of `integrations.yaml`.
    pub integrations: usize,
}

/// A file with tests.
pub enum Testable {
    /// A blueprint.
    Blueprint(String, Arc<Blueprint>),
    /// An action, and the blueprint alone as an integration.
    Action(String, Arc<PreparedAction>, Arc<Integration>),
    /// A file that cannot be read.
    Broken(String, Error),
}

impl Snapshot {
    /// Checks the project's files (and the built-in ones where there is no project), or only the
    /// files named.
    pub fn check(&self, paths: &[PathBuf]) -> Checked {
        let mut checked = Checked::default();
        let found = &mut checked.diagnostics;
        let entries = paths.is_empty() || paths.iter().any(|path| path.ends_with(entry::FILE));
        if entries {
            checked.integrations = self.check_entries(found);
        }
        for top in [Top::Blueprints, Top::Actions] {
            // Each folder is listed once, by whoever asks first.
            let names: Vec<&str> = self.files().names(top).into_iter().flatten().collect();
            found.extend(in_parallel(&names, |name, found| {
                if let Err(error) = self.files().folder(top, name) {
                    found.extend(error.into_diagnostics());
                }
            }));
        }
        let mut selected = |top| {
            self.selected(top, paths).unwrap_or_else(|error| {
                found.extend(error.into_diagnostics());
                Vec::new()
            })
        };
        let blueprints = selected(Top::Blueprints);
        let actions = selected(Top::Actions);
        if paths.is_empty() {
            self.tell_strays(found);
        } else if !entries && blueprints.is_empty() && actions.is_empty() {
            let hint =
                "name files or folders of `blueprints/` and `actions/`, or `integrations.yaml`";
            let message = "there is nothing to check at these paths".to_owned();
            found.error("file.nothing", message).hint(hint);
        }
        let read = blueprints.iter().chain(&actions).flat_map(|entry| entry.locations());
        for location in read.filter(|location| location.shadows()) {
            let shown = location.shown();
            let message = format!("`{shown}` stands in for the built-in file of that name");
            found.note("file.shadows", message);
        }
        found.extend(in_parallel(&blueprints, |entry, found| self.check_blueprint(entry, found)));
        found.extend(in_parallel(&actions, |entry, found| self.check_action(entry, found)));
        found.sort();
        checked.blueprints = blueprints.len();
        checked.actions = actions.len();
        checked
    }

    fn selected(&self, top: Top, paths: &[PathBuf]) -> Result<Vec<&Entry>, Error> {
        // In a project the shipped files are not the user's concern.
        let shipped = self.root().is_none();
        let concerns = |entry: &&Entry| {
            let mut own = entry.locations().filter(|file| shipped || file.is_project());
            let named = |file| paths.iter().any(|path| names(self.root(), file, path));
            own.any(|file| paths.is_empty() || named(file))
        };
        let mut all = self.files().all(top)?;
        all.retain(concerns);
        Ok(all)
    }

    /// Says which files nothing will ever find.
    fn tell_strays(&self, found: &mut Diagnostics) {
        for (top, hint) in [
            (
                Top::Blueprints,
                "blueprints are read from `blueprints/<name>/vN.yaml`, names in lower case; the sandbox of one from `vN.sandbox.yaml` beside it",
            ),
            (
                Top::Actions,
                "actions are read from `actions/<blueprint>/<name>.yaml`, names in lower case",
            ),
        ] {
            for path in self.files().strays(top).into_iter().flatten() {
                let message = format!("`{path}` is never read");
                found.warning("file.stray", message).hint(hint);
            }
        }
    }

    fn check_entries(&self, found: &mut Diagnostics) -> usize {
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(error) => {
                found.extend(error.into_diagnostics());
                return 0;
            }
        };
        found.extend(entries.diagnostics.clone());
        let environment = self.environment_telling(found);
        let loaded = self.all().into_iter().flatten();
        for ((_, node), (_, loaded)) in entries.list.iter().zip(loaded) {
            let ignored = &mut Diagnostics::default();
            let (_, missing) = entry::interpolated(node, self.files(), &environment, ignored);
            for missing in missing.iter().filter(|missing| load::only_signs_in(missing)) {
                load::tell_missing(missing, Severity::Warning, found);
            }
            found.extend(loaded.found.clone());
            tell_idle_patterns(node, &loaded, found);
            match loaded.shape() {
                Ok(_) | Err(Error::Invalid(_)) => {}
                Err(error) => found.extend(error.into_diagnostics()),
            }
        }
        entries.list.len()
    }

    fn check_blueprint(&self, entry: &Entry, found: &mut Diagnostics) {
        let id = format!("{}:{}", entry.folder, entry.stem);
        if BlueprintId::parse(&id).is_none() {
            let shown = entry.location.shown();
            let message = format!("`{shown}` is not a version of a blueprint");
            let hint = "files are named `v0.yaml`, `v1.yaml` …".to_owned();
            found.error("file.wrong-name", message).hint(hint);
            return;
        }
        match self.tested_blueprint(&id, found) {
            Ok(_) => {}
            Err(error) => found.extend(error.into_diagnostics()),
        }
    }

    /// A blueprint whole, with its tests and its sandbox; kept by nobody.
    fn tested_blueprint(&self, id: &str, found: &mut Diagnostics) -> Result<Resolved, Error> {
        let chain = chain::chain(self.files(), id, Aside::Read)?;
        let mut own = Diagnostics::default();
        let resolved = chain.resolve(&chain.tree, Extent::Base, &mut own).map_err(Error::Invalid);
        found.extend(own);
        resolved
    }

    fn check_action(&self, entry: &Entry, found: &mut Diagnostics) {
        let mut own = Diagnostics::default();
        if let Err(error) = self.testable_action(entry, &mut own) {
            found.extend(error.into_diagnostics());
        }
        found.extend(own);
    }

    /// An action with the blueprint that its file names, for which `config` has its defaults.
    fn testable_action(
        &self,
        entry: &Entry,
        found: &mut Diagnostics,
    ) -> Result<(PreparedAction, Integration), Error> {
        let Parsed { tree: node, found: faults } = self.files().read(&entry.location)?;
        found.extend(faults);
        let named = node.get("blueprint").filter(|node| node.as_str().is_some());
        let reference = named.and_then(|node| node.as_str()).unwrap_or(&entry.folder);
        let place = named.map(|node| &node.place);
        let base = self.base(reference).map_err(|error| chain::at_place(error, place));
        let sound = match &base {
            Ok(base) => base.sound().map(|sound| (base, sound)),
            Err(error) => Err(error.clone()),
        };
        let (base, sound) = match sound {
            Ok(sound) => sound,
            Err(error) => {
                actions::look(entry, &node, found);
                return Err(error);
            }
        };
        let blueprint = &sound.resolved.blueprint;
        let action = actions::resolved((entry, &node), (blueprint, &base.chain.tree), found)?;
        let action = PreparedAction::new(action, blueprint);
        Ok((action, alone(&sound.resolved)))
    }

    /// The files with tests: the project's, or the built-in ones; or those named.
    pub fn testable(&self, paths: &[PathBuf]) -> Result<Vec<Testable>, Error> {
        let blueprints = self.selected(Top::Blueprints, paths)?.into_iter().map(|entry| {
            let id = format!("{}:{}", entry.folder, entry.stem);
            let file = entry.location.shown();
            match self.tested_blueprint(&id, &mut Diagnostics::default()) {
                Ok(resolved) => Testable::Blueprint(file, resolved.blueprint),
                Err(error) => Testable::Broken(file, error),
            }
        });
        let actions = self.selected(Top::Actions, paths)?.into_iter().map(|entry| {
            let file = entry.location.shown();
            match self.testable_action(entry, &mut Diagnostics::default()) {
                Ok((action, integration)) => {
                    Testable::Action(file, Arc::new(action), Arc::new(integration))
                }
                Err(error) => Testable::Broken(file, error),
            }
        });
        Ok(blueprints.chain(actions).collect())
    }
}

/// A pattern that fits no action hides or offers nothing, whatever its author meant.
fn tell_idle_patterns(entry: &Node, loaded: &Loaded, found: &mut Diagnostics) {
    let idle = loaded.idle_patterns();
    let patterns = entry.get("actions").into_iter().flat_map(|node| node.items());
    let idle = patterns.filter(|node| node.as_str().is_some_and(|text| idle.contains(&text)));
    for node in idle {
        let message = format!("{} fits no action", node.describe());
        let hint = "`engine list actions` shows their names";
        found.warning("file.idle-pattern", message).at(&node.place).hint(hint);
    }
}

/// A blueprint as an integration of its own name.
fn alone(Resolved { blueprint, config, .. }: &Resolved) -> Integration {
    let mut config = config.clone();
    config::make_up(blueprint, &mut config);
    Integration {
        name: blueprint.id.key(),
        blueprint: Arc::clone(blueprint),
        oauth_client_id: Some("client-id".to_owned()),
        oauth_client_secret: Some(Secret::new("client-secret".to_owned())),
        app_api_key: None,
        oauth_scopes: None,
        config,
        log_level: None,
        run_limits: RunLimits::default(),
        redact: Arc::default(),
        variables: Arc::default(),
        actions: None,
        missing: Vec::new(),
    }
}

/// Whether a path of the command line names a file, or a folder around it.
fn names(root: Option<&Path>, file: &Location, path: &Path) -> bool {
    let below = Path::new(file.shown().trim_start_matches("built-in:")).to_owned();
    let absolute = root.map(|root| root.join(&below));
    below.starts_with(path)
        || absolute.is_some_and(|file| {
            file.starts_with(path)
                || path
                    .canonicalize()
                    .is_ok_and(|path| file.canonicalize().is_ok_and(|f| f.starts_with(path)))
        })
}

/// Files are independent of one another: an equal part of them for each thread, if there are many.
fn in_parallel<T: Sync + ?Sized>(
    entries: &[&T],
    check: impl Fn(&T, &mut Diagnostics) + Sync,
) -> Diagnostics {
    let threads = if entries.len() < 16 {
        1
    } else {
        std::thread::available_parallelism().map_or(2, usize::from).min(8)
    };
    let work = |entries: &[&T]| {
        let mut own = Diagnostics::default();
        for entry in entries {
            check(entry, &mut own);
        }
        own
    };
    if threads == 1 {
        return work(entries);
    }
    // In their order, so that the first problems are the same ones each time.
    std::thread::scope(|scope| {
        let chunks = entries.chunks(entries.len().div_ceil(threads));
        let running: Vec<_> = chunks.map(|chunk| scope.spawn(|| work(chunk))).collect();
        let mut all = Diagnostics::default();
        for one in running {
            all.extend(one.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ACME: &str = "blueprint: acme:v0
title: Acme
integration: {type: object, properties: {rate: {type: string, default: 5/1s}}}
connection: {type: object, properties: {shop: {type: string}}}
auth: {auth_mode: API_KEY}
requests: {base_url: 'https://api.acme.test', headers: {x-key: '{{credentials.api_key}}'}}
paginate: {kind: link}
";

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Snapshot) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("blueprints/acme/v0.yaml", ACME)].iter().chain(files) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let catalog = Snapshot::open(Some(folder.path().to_owned()), &Arc::default());
        (folder, catalog)
    }

    /// `severity code message (hint)`, one a line.
    fn said(checked: &Checked) -> String {
        let line = |d: &crate::diagnostic::Diagnostic| {
            let hint = d.hint.as_deref().unwrap_or_default();
            format!("{} {} {} ({hint})\n", d.severity.name(), d.code, d.message)
        };
        checked.diagnostics.list().iter().map(line).collect()
    }

    fn told(path: &str, text: &str) -> String {
        let (_folder, catalog) = project(&[(path, text)]);
        said(&catalog.check(&[]))
    }

    /// What of the expected is not said, with what is.
    fn unsaid(found: &str, expected: &[&str]) -> Option<String> {
        let missing: Vec<_> = expected.iter().filter(|part| !found.contains(**part)).collect();
        (!missing.is_empty() || found.is_empty() != expected.is_empty())
            .then(|| format!("without {missing:?}: {found}"))
    }

    /// What is said of a blueprint with these lines.
    fn of_blueprint(lines: &str) -> String {
        let mut text = "blueprint: b:v0\n".to_owned();
        for (key, usual) in [
            ("auth:", "auth: {auth_mode: NONE}\n"),
            ("requests:", "requests: {base_url: 'https://x.test'}\n"),
        ] {
            if !lines.lines().any(|line| line.starts_with(key)) {
                text += usual;
            }
        }
        told("blueprints/b/v0.yaml", &(text + lines))
    }

    /// What is said of an action with these lines.
    fn of_action(lines: &str) -> String {
        let head = "action: a\nblueprint: acme:v0\ninput: {type: object, required: [id], \
                    properties: {id: {type: string}, tag: {type: string}}}\n";
        told("actions/acme/a.yaml", &(head.to_owned() + lines))
    }

    fn all_said(of: fn(&str) -> String, cases: &[(&str, &[&str])]) {
        let wrong = cases.iter().filter_map(|(lines, expected)| {
            Some(format!("{lines}\n  {}", unsaid(&of(lines), expected)?))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn blueprints_are_refused_for_what_they_cannot_mean() {
        all_said(
            of_blueprint,
            &[
                ("nots: x", &["file.unknown-key", "did you mean `notes`?"]),
                (
                    "auth: {auth_mode: OAUTH2, token_url: 'https://x.test'}",
                    &["`auth_mode: OAUTH2` needs `authorization_url`"],
                ),
                (
                    "auth: {auth_mode: AWS_SIGV4, service: s3}",
                    &["file.missing-key", "`auth_mode: AWS_SIGV4` needs `region`"],
                ),
                ("auth: {auth_mode: OAUTH}", &["file.unknown-value"]),
                (
                    "connect: {discover: [{id: me, get: /me}], save: {a: '{{steps.you.body.id}}'}}",
                    &["there is no step `you`"],
                ),
                ("limits: [{name: a, rate: 5 per second}]", &["expected a rate", "110/10s"]),
                (
                    "limits: [{name: a, rate: '{{integration.speed}}'}]",
                    &["`integration` has no `speed`"],
                ),
                ("limits: [{name: a}]", &["limits nothing"]),
                (
                    "limits: [{name: a, rate: 1/1s}, {name: a, rate: 2/1s}]",
                    &["file.duplicate-name"],
                ),
                (
                    "limits: [{name: a, rate: 1/1s, when: {path: teams, method: [GRAB]}}]",
                    &[
                        "expected a path that begins with `/`",
                        "a method of HTTP, found the text `GRAB`",
                    ],
                ),
                ("responses: [{when: {status: 4xy}, is: ok}]", &["expected a status"]),
                (
                    "responses: [{when: {body: {a: {$rex: x}}}, is: ok}]",
                    &["there is no pattern `$rex`"],
                ),
                ("responses: [{when: {body: {a: {$regex: '('}}}, is: ok}]", &["file.bad-regex"]),
                (
                    "responses: [{when: {status: 429}, is: retry, code: conflict}]",
                    &["file.foreign-key", "`code` belongs to `is: error`"],
                ),
                (
                    "responses: [{when: {status: 429}, is: error, wait: 5s}]",
                    &["`wait` belongs to `is: retry`, `is: rate_limited`"],
                ),
                (
                    "responses: [{when: '{{body.ok}} yes', is: ok}]",
                    &["a condition is exactly one expression"],
                ),
                ("responses: [{when: {status: 429}, is: retry, wait: 5 s}]", &["file.bad-span"]),
                ("retry: {attempts: 0}", &["expected at least 1"]),
                (
                    "idempotency: {header: 'a b'}",
                    &["file.bad-name", "expected the name of a header"],
                ),
                ("paginate: {kind: cursor}", &["needs `cursor`"]),
                (
                    "paginate: {kind: link, size: {to: query.n, value: '{{integration.n}}'}}",
                    &[
                        "file.wrong-type",
                        "expected a number of rows",
                        "give the step the parameter",
                    ],
                ),
                (
                    "sandbox: {routes: [{get: /a, post: /a}, {get: /b, json: {}, text: x}]}",
                    &["this route has two methods, GET and POST", "has `json` and `text`"],
                ),
                (
                    "tests: [{reply: {status: 400, json: {}, text: x}, is: error}]",
                    &["there is one body, and this has `json` and `text`"],
                ),
                (
                    "auth: {auth_mode: OAUTH2, token_url: 'https://x.test'}
paginate: {kind: link, size: {to: n, value: x}, more: '{{nothing.there}}'}
sandbox: {routes: [{status: 1}]}
verify: {get: '/{{nobody}}'}",
                    &[
                        "needs `authorization_url`",
                        "expected a place in a request, found the text `n`",
                        "`nothing`",
                        "this route has no request",
                        "`nobody`",
                    ],
                ),
                ("sandbox: {routes: [{get: /a, text: '{{integration.x}}'}]}", &["template.name"]),
                (
                    "paginate: {kind: page, to: page}",
                    &["expected a place in a request, found the text `page`"],
                ),
                ("connection: {type: strnig}", &["file.bad-schema"]),
                ("requests: {base_url: 'ftp://x.test'}", &["a URL begins with `https://`"]),
                (
                    "requests: {base_url: 'https://x.test', hosts: ['*.test']}",
                    &["expected a host, found the text `*.test`"],
                ),
                ("requests: {base_url: 'https://x.test', timeout: 30}", &["file.wrong-type"]),
                (
                    "requests: {base_url: 'https://x.test', headers: {a: '{{credentials.api_kee}}'}}",
                    &["`credentials` has no `api_kee`"],
                ),
                ("extends_blueprint: nobody:v0", &["file.unknown-blueprint"]),
                ("extends_blueprint: b:v0", &["file.cycle"]),
            ],
        );
    }

    #[test]
    fn a_layer_that_changes_the_mode_inherits_no_foreign_keys() {
        let base = "blueprint: base:v0
auth: {auth_mode: OAUTH2, authorization_url: 'https://x.test/a', token_url: 'https://x.test/t', pkce: false}
requests: {base_url: 'https://x.test'}
paginate: {kind: cursor, cursor: {from: '{{body.next}}', to: query.c}, items: '{{body.rows}}'}
";
        let child = "blueprint: child:v0
extends_blueprint: base:v0
auth: {auth_mode: OAUTH2_CC}
paginate: {kind: page, to: query.page}
verify: {get: /me, paginate: {kind: link, rel: next}}
";
        let entry =
            "integrations: {mine: {extends_blueprint: 'child:v0', auth: {auth_mode: API_KEY}}}";
        let (_folder, catalog) = project(&[
            ("blueprints/base/v0.yaml", base),
            ("blueprints/child/v0.yaml", child),
            ("integrations.yaml", entry),
        ]);
        assert_eq!(said(&catalog.check(&[])), "");
        // What fits the new mode, too, is inherited.
        let child = catalog.blueprint("child").unwrap();
        assert_eq!(child.auth.mode.as_str(), "OAUTH2_CC");
        assert!(child.paginate.as_ref().unwrap().items.is_some());
        let mine = catalog.integration("mine").unwrap().live().unwrap();
        assert_eq!(mine.blueprint.auth.mode.as_str(), "API_KEY");
        // What the layer itself says is not.
        let entry = entry.replace("auth_mode: API_KEY", "auth_mode: API_KEY, pkce: true");
        let (_folder, catalog) = project(&[
            ("blueprints/base/v0.yaml", base),
            ("blueprints/child/v0.yaml", &child_of("base")),
            ("integrations.yaml", &entry),
        ]);
        let found = said(&catalog.check(&[]));
        let expected =
            "error file.foreign-key `pkce` belongs to `auth_mode: OAUTH2` (take it out)\n";
        assert_eq!(found, expected);
    }

    fn child_of(parent: &str) -> String {
        format!("blueprint: child:v0\nextends_blueprint: {parent}:v0\n")
    }

    #[test]
    fn hosts_belong_to_the_author_or_the_operator() {
        let shop = |schema: &str, rest: &str| {
            format!("connection: {{type: object, properties: {{shop: {schema}}}}}\n{rest}\n")
        };
        let base = "requests: {base_url: 'https://{{connection.shop}}.x.test'}";
        for (schema, safe) in [
            ("{type: string}", false),
            ("{type: string, pattern: '[a-z]+'}", false),
            ("{type: string, pattern: '^a|b$'}", false),
            ("{type: string, pattern: '^[a-z]+$'}", true),
            ("{enum: [eu, us]}", true),
        ] {
            let found = of_blueprint(&shop(schema, base));
            assert_eq!(
                found.contains("error file.unsafe-host `connection.shop`"),
                !safe,
                "{found}"
            );
            assert_eq!(found.is_empty(), safe, "{found}");
        }
        for url in ["authorization_url", "token_url", "refresh_url"] {
            let urls = ["authorization_url", "token_url", "refresh_url"].map(|name| {
                let host = if name == url { "{{lower connection.shop}}.x.test" } else { "x.test" };
                format!("{name}: 'https://{host}'")
            });
            let auth = format!("auth: {{auth_mode: OAUTH2, {}}}", urls.join(", "));
            let found = of_blueprint(&shop("{type: string}", &auth));
            assert!(found.contains("file.unsafe-host"), "{url}: {found}");
        }
    }

    #[test]
    fn actions_are_refused_for_what_cannot_be_there() {
        all_said(
            of_action,
            &[
                ("steps: [{id: a, get: '/x/{{input.id}}', query: {tag: '{{input.tag}}'}}]", &[]),
                (
                    "steps: [{id: a, get: '/x/{{input.tag}}'}]",
                    &["may be absent, and a path needs it"],
                ),
                ("steps: [{id: a, get: '/x/{{input.idd}}'}]", &["did you mean `id`?"]),
                (
                    "steps: [{id: a, get: '/x/{{credentials.api_key}}'}]",
                    &["there is no `credentials`"],
                ),
                (
                    "steps: [{id: a, get: '/x/{{steps.b.body.id}}'}, {id: b, get: /b}]",
                    &["there is no step `b` before this place"],
                ),
                (
                    "steps: [{id: a, if: '{{exists input.tag}}', get: /a}]\noutput: {x: '{{steps.a.body.x}}'}",
                    &["`steps.a.body.x` may be absent", "opt steps.a.body.x"],
                ),
                (
                    "steps: [{id: a, if: '{{exists input.tag}}', get: /a}]\noutput: {x: '{{opt steps.a.body.x}}'}",
                    &[],
                ),
                (
                    "steps: [{id: a, if: '{{upper input.id}}', get: /a}]",
                    &["a condition must be true or false"],
                ),
                (
                    "steps: [{id: a, get: /a, query: {s: '{{connection.shopp}}'}}]",
                    &["did you mean `shop`?"],
                ),
                (
                    "steps: [{id: a, get: /a, query: {s: '{{integration.rat}}'}}]",
                    &["did you mean `rate`?"],
                ),
                (
                    "steps: [{id: a, get: /a, query: {s: '{{uper input.id}}'}}]",
                    &["template.", "upper"],
                ),
                ("steps: [{id: a, get: /a}, {id: a, get: /b}]", &["there are two steps `a`"]),
                ("steps: [{id: a, get: a}]", &["a path begins with `/`"]),
                ("steps: [{id: a, get: '/a#b'}]", &["does not belong into a path"]),
                ("steps: [{id: a, get: /a, post: /b}]", &["has two methods, GET and POST"]),
                ("steps: [{id: a, post: /a, json: {}, form: {}}]", &["has `json` and `form`"]),
                ("steps: [{id: a, get: /a, as: x}]", &["`as` needs `each`"]),
                ("steps: [{id: a, get: /a, poll: {}}]", &["file.unsupported"]),
                ("steps: [{get: /a}]", &["missing key `id`"]),
                ("steps: [{id: a}]", &["this step has no request"]),
                ("steps: []", &["at least one step"]),
                ("steps: [{id: a, get: /a}]\nreturns: {type: objekt}", &["file.bad-schema"]),
                (
                    "steps: [{id: a, get: /a}]\noutput: {$map: '{{steps.a.body}}', as: x}",
                    &["`$map` needs `as` and `to`"],
                ),
            ],
        );
    }

    #[test]
    fn an_action_of_another_version_is_refused() {
        let (_folder, catalog) = project(&[
            ("blueprints/acme/v1.yaml", &ACME.replace("acme:v0", "acme:v1")),
            (
                "actions/acme/list.v0.yaml",
                "action: list\nblueprint: acme:v0\nsteps: [{id: a, get: /old}]\n",
            ),
            (
                "actions/acme/list.v1.yaml",
                "action: list\nblueprint: acme:v1\nsteps: [{id: a, get: /new}]\n",
            ),
            (
                "actions/acme/lost.yaml",
                "action: lost\nblueprint: acme:v1\nsteps: [{id: a, get: /x}]\n",
            ),
            (
                "integrations.yaml",
                "integrations: {old: {extends_blueprint: 'acme:v0'}, new: {extends_blueprint: 'acme:v1'}}",
            ),
        ]);
        for (name, path) in [("old", "/old"), ("new", "/new")] {
            let action = catalog.integration(name).unwrap().action("list").unwrap();
            assert_eq!(action.action.steps[0].path.as_text(), Some(path));
        }
        let old = catalog.integration("old").unwrap();
        let error = old.action("lost").unwrap_err().to_string();
        assert_eq!(error, "this action is for `acme:v1`, and not for `acme:v0`");
    }

    #[test]
    fn a_base_for_others_needs_no_requests() {
        let base = "blueprint: base:v0\nauth: {auth_mode: NONE}\ntests: [{reply: {status: 404}, is: error, code: not_found}]\n";
        let child = "blueprint: child:v0\nextends_blueprint: base:v0\nrequests: {base_url: 'https://x.test'}\n";
        let (_folder, catalog) =
            project(&[("blueprints/base/v0.yaml", base), ("blueprints/child/v0.yaml", child)]);
        let checked = catalog.check(&[]);
        assert_eq!(
            said(&checked),
            "note file.base without `requests` this blueprint is only a base for others ()\n"
        );
        let broken = |one: &Testable| matches!(one, Testable::Broken(..));
        assert!(!catalog.testable(&[]).unwrap().iter().any(broken));
        assert!(catalog.integration("child").unwrap().live().is_ok());
        let error = catalog.integration("base").unwrap().live().unwrap_err().to_string();
        assert_eq!(error, "a blueprint without a parent needs `requests`");
    }

    #[test]
    fn files_that_are_never_read_are_named() {
        let found = told("blueprints/acme/v1.yml", ACME);
        assert!(
            found.starts_with("warning file.stray `blueprints/acme/v1.yml` is never read"),
            "{found}"
        );
        let (_folder, catalog) = project(&[]);
        let found = said(&catalog.check(&[PathBuf::from("blueprints/acmee")]));
        assert!(found.contains("file.nothing"), "{found}");
        assert_eq!(said(&catalog.check(&[PathBuf::from("blueprints/acme")])), "");
    }

    #[test]
    fn a_project_file_in_place_of_a_shipped_one_is_noted() {
        let text = ACME.replace("acme:v0", "slack:v0");
        let found = told("blueprints/slack/v0.yaml", &text);
        assert!(found.contains("note file.shadows `blueprints/slack/v0.yaml`"), "{found}");
    }

    #[test]
    fn a_sandbox_of_the_project_is_checked_with_the_shipped_blueprint() {
        let path = "blueprints/slack/v0.sandbox.yaml";
        let (_folder, catalog) = project(&[(path, "sandbox: slack:v0\nrouts: []\n")]);
        for paths in [vec![], vec![PathBuf::from(path)]] {
            let found = said(&catalog.check(&paths));
            assert!(found.contains(&format!("note file.shadows `{path}`")), "{found}");
            assert!(found.contains("did you mean `routes`?"), "{found}");
        }
        let found = said(&catalog.check(&[PathBuf::from("blueprints/acme")]));
        assert!(!found.contains("routs"), "{found}");
        let stray = told("blueprints/acme/v7.sandbox.yaml", "sandbox: acme:v7\n");
        assert!(stray.contains("warning file.stray `blueprints/acme/v7.sandbox.yaml`"), "{stray}");
    }

    #[test]
    fn the_shipped_files_are_sound() {
        let checked = Snapshot::open(None, &Arc::default()).check(&[]);
        assert_eq!(said(&checked), "");
        assert!(checked.blueprints >= 2 && checked.actions >= 2);
    }
}
