//! Flags over `ENGINE_…` over defaults. The only place that reads the environment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::{
    cli::args::{ColorWhen, Format, Global, LogFormat},
    error::{CallCode, Error},
    model::{
        name::EnvironmentName,
        secret::Secret,
        time::{format_span, parse_span},
    },
    settings::{Exception, KEEP_RUNS, KeySource, Proxy, ProxySettings, Resolve, Settings},
    view::Setting,
};

/// The file that makes a folder a project.
const PROJECT_FILE: &str = "integrations.yaml";

/// All that was decided, and from where.
#[derive(Debug)]
pub struct Resolved {
    /// For the engine.
    pub settings: Settings,
    /// How to print, if it was given.
    pub format: Option<Format>,
    /// When to use colours.
    pub color: ColorWhen,
    /// What to log.
    pub log: Targets,
    /// Whether `log` was given.
    pub log_given: bool,
    /// How to log, if it was given.
    pub log_format: Option<LogFormat>,
    /// A store that an earlier version has made where one stood, without a project: not used.
    pub left_behind: Option<PathBuf>,
    /// One a setting, for `engine settings`.
    pub rows: Vec<Setting>,
}

/// The environment of this process, without the variables that are not Unicode: no setting and no
/// `${NAME}` can use them.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Decides all settings. `here` is the folder in which the command was called.
pub fn resolve(
    flags: &Global,
    environment: &BTreeMap<String, String>,
    here: &Path,
) -> Result<Resolved, Error> {
    let mut from = Sources { environment, rows: Vec::new() };
    let project = project(&mut from, flags, here)?;
    let settings = Settings {
        store: store(&mut from, flags, project.as_deref())?,
        key: key(&mut from, flags),
        environment: environment_name(&mut from, flags)?,
        allow_net: networks(&mut from, flags)?,
        ca_file: from.path(
            "ca_file",
            flags.ca_file.as_deref(),
            Names("--ca-file", "ENGINE_CA_FILE"),
        ),
        proxy: proxy(&mut from, flags)?,
        keep_runs: from
            .read(
                "keep_runs",
                flags.keep_runs.clone(),
                Names("--keep-runs", "ENGINE_KEEP_RUNS"),
                span,
            )?
            .unwrap_or(KEEP_RUNS),
        project,
    };
    from.default("ca_file", "none");
    from.default("proxy", "none");
    from.default("no_proxy", "none");
    from.default("proxy_resolve", "local");
    from.default("keep_runs", &format_span(KEEP_RUNS));
    let output = flags.output.map(|format| name_of(&format));
    let format =
        from.read("output", output, Names("--output", "ENGINE_OUTPUT"), choice::<Format>)?;
    from.default("output", "table on a terminal, else json");
    let (log, log_given) = log(&mut from, flags)?;
    let format_of_log = flags.log_format.map(|format| name_of(&format));
    let names = Names("--log-format", "ENGINE_LOG_FORMAT");
    let log_format = from.read("log_format", format_of_log, names, choice::<LogFormat>)?;
    from.default("log_format", "pretty");
    let when = flags.color.map(|when| name_of(&when));
    let color = from.read("color", when, Names("--color", "ENGINE_COLOR"), choice::<ColorWhen>)?;
    from.default("color", "auto");
    let beside = here.join(".engine").join("engine.db");
    let is_left = settings.project.is_none() && settings.store != beside && beside.is_file();
    Ok(Resolved {
        left_behind: is_left.then_some(beside),
        settings,
        format,
        color: color.unwrap_or(ColorWhen::Auto),
        log,
        log_given,
        log_format,
        rows: from.rows,
    })
}

/// The flag and the variable of a setting.
#[derive(Clone, Copy)]
struct Names(&'static str, &'static str);

/// Where settings come from; keeps a row for each that was found.
struct Sources<'a> {
    environment: &'a BTreeMap<String, String>,
    rows: Vec<Setting>,
}

impl Sources<'_> {
    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The text of a flag or of its variable, and which of the two it was.
    fn text(
        &self,
        flag: Option<String>,
        Names(option, variable): Names,
    ) -> Option<(String, &'static str)> {
        let given = flag.map(|text| (text, option));
        given.or_else(|| Some((self.variable(variable)?.to_owned(), variable)))
    }

    /// Reads a setting; the error names where the text came from.
    fn read<T>(
        &mut self,
        name: &'static str,
        flag: Option<String>,
        names: Names,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let Some((text, origin)) = self.text(flag, names) else { return Ok(None) };
        let value = read(&text).map_err(|reason| invalid(origin, &reason))?;
        self.row(name, text, origin);
        Ok(Some(value))
    }

    fn path(
        &mut self,
        name: &'static str,
        flag: Option<&Path>,
        Names(option, variable): Names,
    ) -> Option<PathBuf> {
        let given = flag.map(|path| (path.to_owned(), option));
        let (path, origin) =
            given.or_else(|| Some((PathBuf::from(self.variable(variable)?), variable)))?;
        self.row(name, path.display().to_string(), origin);
        Some(path)
    }

    fn row(&mut self, name: &'static str, value: String, origin: &'static str) {
        self.rows.push(Setting { setting: name, value, from: origin });
    }

    /// A row for a setting that was not given.
    fn default(&mut self, name: &'static str, value: &str) {
        if !self.rows.iter().any(|row| row.setting == name) {
            self.row(name, value.to_owned(), "default");
        }
    }
}

/// The folder named, else the nearest one above that is a project.
fn project(from: &mut Sources<'_>, flags: &Global, here: &Path) -> Result<Option<PathBuf>, Error> {
    if let Some(folder) =
        from.path("project", flags.project.as_deref(), Names("-C", "ENGINE_PROJECT"))
    {
        let folder = here.join(folder);
        if folder.is_dir() {
            return Ok(Some(folder));
        }
        return Err(Error::call(
            CallCode::ProjectMissing,
            format!("there is no folder `{}`", folder.display()),
            "`engine init DIR` makes a starter project".to_owned(),
        ));
    }
    // What is no file there is told when it is read, and not passed over.
    let marked = |folder: &&Path| folder.join(PROJECT_FILE).symlink_metadata().is_ok();
    let found = here.ancestors().find(marked);
    match found {
        Some(folder) => from.row("project", folder.display().to_string(), "nearest folder"),
        None => from.default("project", "none: the built-in catalog"),
    }
    Ok(found.map(Path::to_owned))
}

/// The proxy, which is shown without its user and password.
fn proxy(from: &mut Sources<'_>, flags: &Global) -> Result<ProxySettings, Error> {
    let names = Names("--proxy", "ENGINE_PROXY");
    let mut found = None;
    if let Some((text, origin)) = from.text(flags.proxy.clone(), names) {
        let proxy = Proxy::parse(&text).map_err(|error| invalid(origin, &error.to_string()))?;
        from.row("proxy", format!("http://{proxy}"), origin);
        found = Some(Arc::new(proxy));
    }
    let names = Names("--no-proxy", "ENGINE_NO_PROXY");
    let exceptions = from.read("no_proxy", flags.no_proxy.clone(), names, |text| {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |part| {
            Exception::parse(part)
                .ok_or_else(|| format!("`{part}` is neither a host nor an address range, nor `*`"))
        };
        parts.map(read).collect::<Result<Vec<_>, _>>()
    })?;
    let names = Names("--proxy-resolve", "ENGINE_PROXY_RESOLVE");
    let resolve =
        from.read("proxy_resolve", flags.proxy_resolve.clone(), names, |text| match text {
            "local" => Ok(Resolve::Local),
            "remote" => Ok(Resolve::Remote),
            _ => Err("write `local` or `remote`".to_owned()),
        })?;
    Ok(ProxySettings {
        proxy: found,
        exceptions: exceptions.unwrap_or_default(),
        resolve: resolve.unwrap_or_default(),
    })
}

/// In the project, else in the user's data folder (XDG Base Directory Specification 0.8): never where
/// one happens to stand.
fn store(from: &mut Sources<'_>, flags: &Global, project: Option<&Path>) -> Result<PathBuf, Error> {
    let given = from.path("store", flags.store.as_deref(), Names("--store", "ENGINE_STORE"));
    if let Some(given) = given {
        return Ok(given);
    }
    let folder = match project {
        Some(project) => project.join(".engine"),
        None => data_folder(from.environment).ok_or_else(|| {
            Error::call(
                CallCode::BadArgument,
                "there is no project here, and no home folder to keep connections in",
                "set `HOME` or `XDG_DATA_HOME`, or name a file with `--store`",
            )
        })?,
    };
    let path = folder.join("engine.db");
    from.row("store", path.display().to_string(), "default");
    Ok(path)
}

/// Paths that are not absolute do not count, as the specification says.
fn data_folder(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let folder = |name: &str| environment.get(name).map(PathBuf::from);
    let data = folder("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let below = |home: PathBuf| home.join(".local").join("share");
    let home = || folder("HOME").filter(|home| home.is_absolute()).or_else(std::env::home_dir);
    Some(data.or_else(|| home().map(below))?.join("engine"))
}

/// The key itself wins over a file, and a flag over both.
fn key(from: &mut Sources<'_>, flags: &Global) -> KeySource {
    let text = from.variable("ENGINE_KEY").map(|text| Secret::new(text.to_owned()));
    if let (None, Some(text)) = (&flags.key_file, text) {
        from.row("key", "***".to_owned(), "ENGINE_KEY");
        return KeySource::Text(text);
    }
    if let Some(file) =
        from.path("key", flags.key_file.as_deref(), Names("--key-file", "ENGINE_KEY_FILE"))
    {
        return KeySource::File(file);
    }
    if let Some(command) = from.variable("ENGINE_KEY_COMMAND").map(str::to_owned) {
        from.row("key", "the output of a command".to_owned(), "ENGINE_KEY_COMMAND");
        return KeySource::Command(command);
    }
    from.default("key", "the file `key` beside the store");
    KeySource::Beside
}

fn environment_name(from: &mut Sources<'_>, flags: &Global) -> Result<EnvironmentName, Error> {
    let names = Names("--environment", "ENGINE_ENVIRONMENT");
    let given = from.read("environment", flags.environment.clone(), names, |text| {
        EnvironmentName::parse(text).map_err(|bad| format!("{bad}; {}", bad.rule))
    })?;
    let usual = EnvironmentName::usual();
    from.default("environment", &usual);
    Ok(given.unwrap_or(usual))
}

fn networks(from: &mut Sources<'_>, flags: &Global) -> Result<Vec<IpNet>, Error> {
    let flag = (!flags.allow_net.is_empty()).then(|| flags.allow_net.join(","));
    let names = Names("--allow-net", "ENGINE_ALLOW_NET");
    let given = from.read("allow_net", flag, names, |text| {
        let ranges = text.split([',', ' ']).filter(|range| !range.is_empty());
        ranges.map(network).collect::<Result<Vec<_>, _>>()
    })?;
    from.default("allow_net", "none");
    Ok(given.unwrap_or_default())
}

/// A range, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        format!("`{text}` is not an address range; write it as `10.0.0.0/8` or `fd00::/8`")
    })
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    parse_span(text)
        .ok_or_else(|| format!("`{text}` is not a time span; write it as `30s`, `2m`, `7d`"))
}

/// What to log: `-q` and `-v` win, then the filter.
fn log(from: &mut Sources<'_>, flags: &Global) -> Result<(Targets, bool), Error> {
    let counted = match (flags.quiet, flags.verbose) {
        (true, _) => Some(("error", "-q")),
        (false, 0) => None,
        (false, 1) => Some(("info", "-v")),
        (false, 2) => Some(("debug", "-vv")),
        (false, _) => Some(("trace", "-vvv")),
    };
    if let Some((level, origin)) = counted {
        from.row("log", level.to_owned(), origin);
        return targets(level).map(|log| (log, true)).map_err(|reason| invalid(origin, &reason));
    }
    let given = from.read("log", flags.log.clone(), Names("--log", "ENGINE_LOG"), targets)?;
    from.default("log", "warn");
    let is_given = given.is_some();
    let fallback = || Targets::new().with_target("engine", LevelFilter::WARN);
    Ok((given.unwrap_or_else(fallback), is_given))
}

/// Only our own events are ever logged: libraries for HTTP write credentials at their lower levels.
fn targets(text: &str) -> Result<Targets, String> {
    let read: Targets = text.parse().map_err(|_| {
        format!("`{text}` is not a log filter; write a level, or `warn,engine::auth=debug`")
    })?;
    let mut own = Targets::new();
    if let Some(level) = read.default_level() {
        own = own.with_target("engine", level);
    }
    for (target, level) in &read {
        if target != "engine" && !target.starts_with("engine::") {
            return Err(format!(
                "`{target}` cannot be logged; only `engine` and what is in it can"
            ));
        }
        own = own.with_target(target, level);
    }
    Ok(own)
}

fn choice<T: clap::ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let all: Vec<String> = T::value_variants().iter().map(name_of).collect();
        format!("`{text}` is not one of {}", all.join(", "))
    })
}

fn name_of<T: clap::ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn invalid(origin: &str, reason: &str) -> Error {
    Error::call(
        CallCode::SettingInvalid,
        format!("{origin}: {reason}"),
        "`engine settings` prints all settings".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn row<'a>(resolved: &'a Resolved, name: &str) -> (&'a str, &'a str) {
        let row = resolved.rows.iter().find(|row| row.setting == name).unwrap();
        (&row.value, row.from)
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_that_over_the_default() {
        let here = tempfile::tempdir().unwrap();
        let flags = Global { store: Some("flag.db".into()), ..Global::default() };
        let environment = variables(&[("ENGINE_STORE", "variable.db"), ("ENGINE_KEEP_RUNS", "7d")]);
        let one = resolve(&flags, &environment, here.path()).unwrap();
        assert_eq!(row(&one, "store"), ("flag.db", "--store"));
        assert_eq!(row(&one, "keep_runs"), ("7d", "ENGINE_KEEP_RUNS"));
        let two = resolve(&Global::default(), &environment, here.path()).unwrap();
        assert_eq!(row(&two, "store"), ("variable.db", "ENGINE_STORE"));
        let three =
            resolve(&Global::default(), &variables(&[("ENGINE_STORE", "")]), here.path()).unwrap();
        assert_eq!(row(&three, "store").1, "default");
        assert_eq!(three.settings.keep_runs, KEEP_RUNS);
        assert_eq!(row(&three, "project").1, "default");
    }

    #[test]
    fn without_a_project_connections_are_the_users() {
        let here = tempfile::tempdir().unwrap();
        for (environment, expected) in [
            (&[("HOME", "/home/ann")][..], "/home/ann/.local/share/engine/engine.db"),
            (&[("HOME", "/home/ann"), ("XDG_DATA_HOME", "/data")], "/data/engine/engine.db"),
            (
                &[("HOME", "/home/ann"), ("XDG_DATA_HOME", "data")],
                "/home/ann/.local/share/engine/engine.db",
            ),
        ] {
            let found = resolve(&Global::default(), &variables(environment), here.path()).unwrap();
            assert_eq!(found.settings.store, Path::new(expected));
            assert_eq!(found.left_behind, None);
        }
        std::fs::create_dir(here.path().join(".engine")).unwrap();
        std::fs::write(here.path().join(".engine/engine.db"), "").unwrap();
        let home = variables(&[("HOME", "/home/ann")]);
        let found = resolve(&Global::default(), &home, here.path()).unwrap();
        assert_eq!(found.left_behind, Some(here.path().join(".engine/engine.db")));
        std::fs::write(here.path().join(PROJECT_FILE), "").unwrap();
        let found = resolve(&Global::default(), &home, here.path()).unwrap();
        assert_eq!(found.settings.store, here.path().join(".engine/engine.db"));
        assert_eq!(found.left_behind, None);
    }

    #[test]
    fn each_setting_has_one_row() {
        let here = tempfile::tempdir().unwrap();
        let flags =
            Global { allow_net: vec!["127.0.0.1".into()], quiet: true, ..Global::default() };
        for flags in [Global::default(), flags] {
            let resolved = resolve(&flags, &BTreeMap::new(), here.path()).unwrap();
            let names: Vec<_> = resolved.rows.iter().map(|row| row.setting).collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len(), "{names:?}");
            assert_eq!(names.len(), 14, "{names:?}");
        }
    }

    #[test]
    fn the_project_is_the_nearest_folder_above() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(root.path().join(PROJECT_FILE), "").unwrap();
        let found = resolve(&Global::default(), &BTreeMap::new(), &deep).unwrap();
        assert_eq!(found.settings.project.as_deref(), Some(root.path()));
        assert_eq!(found.settings.store, root.path().join(".engine/engine.db"));
        let flags = Global { project: Some("nowhere".into()), ..Global::default() };
        assert!(resolve(&flags, &BTreeMap::new(), &deep).is_err());
    }

    #[test]
    fn the_key_is_never_shown_and_a_flag_wins_over_it() {
        let here = tempfile::tempdir().unwrap();
        let environment = variables(&[("ENGINE_KEY", "MARKED")]);
        let text = resolve(&Global::default(), &environment, here.path()).unwrap();
        assert!(matches!(text.settings.key, KeySource::Text(_)));
        assert!(!format!("{text:?}").contains("MARKED"));
        let flags = Global { key_file: Some("k".into()), ..Global::default() };
        let file = resolve(&flags, &environment, here.path()).unwrap();
        assert!(matches!(file.settings.key, KeySource::File(_)));
    }

    #[test]
    fn wrong_texts_name_their_source() {
        let here = tempfile::tempdir().unwrap();
        for (name, value, said) in [
            ("ENGINE_ALLOW_NET", "10.0.0.0/99", "10.0.0.0/99"),
            ("ENGINE_KEEP_RUNS", "soon", "soon"),
            ("ENGINE_OUTPUT", "xml", "table, json, ndjson"),
            ("ENGINE_LOG", "hyper=trace", "hyper"),
            ("ENGINE_LOG", "engine=loud", "filter"),
            ("ENGINE_COLOR", "green", "auto"),
            ("ENGINE_ENVIRONMENT", "Prod uction", "environment"),
        ] {
            let error = resolve(&Global::default(), &variables(&[(name, value)]), here.path());
            let text = error.unwrap_err().to_string();
            assert!(text.starts_with(name) && text.contains(said), "{text}");
        }
        let both = variables(&[("ENGINE_ALLOW_NET", "10.0.0.0/8, ::1")]);
        let resolved = resolve(&Global::default(), &both, here.path()).unwrap();
        assert_eq!(resolved.settings.allow_net.len(), 2);
    }

    #[test]
    fn only_our_own_events_are_logged() {
        let log = targets("trace").unwrap();
        assert!(log.would_enable("engine::run", &tracing::Level::TRACE));
        assert!(!log.would_enable("hyper::proto", &tracing::Level::ERROR));
    }
}
