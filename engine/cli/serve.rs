//! `engine serve`: the engine over HTTP, until a signal comes.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    cli::{
        args,
        console::Console,
        input, keys,
        report::Exit,
        signals::{self, Served},
        terminal::{STRONG, styled},
    },
    engine::Engine,
    error::{CallCode, Error},
    http::Limits,
    model::blueprint::LogLevel,
    server::{self, Listening, settings::ServeSettings},
};

/// Of a head, in bytes: what proxies before it take, too.
const MAX_HEAD: usize = 64 * 1024;
/// Until a body is there; between two pieces of one that is streamed.
const BODY: Duration = Duration::from_mins(1);

/// Serves.
pub fn serve(console: &Console, engine: &Arc<Engine>, args: args::Serve) -> Result<Exit, Error> {
    // Each request is a line of the log.
    console.logging.integration(LogLevel::Info);
    let first_key = args.initial_key_file.clone();
    let settings = settings(args)?;
    let listen = async {
        keys::first(console, engine, first_key.as_deref()).await?;
        let listening = server::listen(Arc::clone(engine), settings).await?;
        show(console, &listening);
        Ok(listening)
    };
    let served = signals::serve(engine, listen, Listening::stop)?;
    Ok(match served? {
        Served::Ended => Exit::Done,
        Served::Cut(exit) => exit,
    })
}

fn settings(args: args::Serve) -> Result<ServeSettings, Error> {
    let limits = Limits {
        head: span("--header-timeout", &args.header_timeout)?,
        max_head: MAX_HEAD,
        body: BODY,
        max_body: size("--max-body", &args.max_body)?,
        idle: span("--idle-timeout", &args.idle_timeout)?,
        connections: count(args.max_connections),
        requests: count(args.max_requests),
    };
    Ok(ServeSettings {
        listen: args.listen,
        base_path: base_path(&args.base_path)?,
        limits,
        shutdown_timeout: span("--shutdown-timeout", &args.shutdown_timeout)?,
    })
}

/// `/x`, without a slash at its end; empty for none.
fn base_path(text: &str) -> Result<String, Error> {
    let path = text.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    if path.is_empty() || (path.starts_with('/') && path.bytes().all(plain)) {
        return Ok(path.to_owned());
    }
    let message = format!("`--base-path {text}` is not a path");
    Err(Error::call(CallCode::BadArgument, message, "write it as `/engine`"))
}

fn span(flag: &str, text: &str) -> Result<Duration, Error> {
    input::span(Some(text))?.filter(|span| !span.is_zero()).ok_or_else(|| {
        let message = format!("`{flag} {text}` leaves no time");
        Error::call(CallCode::BadArgument, message, "write it as `30s`, `2m`")
    })
}

/// Bytes: `1000`, `512KB`, `75MB`, `1GB`.
fn size(flag: &str, text: &str) -> Result<usize, Error> {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("B", 1)];
    let unit = units.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let size = number.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(bytes));
    size.filter(|size| *size > 0).ok_or_else(|| {
        let message = format!("`{flag} {text}` is not a size");
        Error::call(CallCode::BadArgument, message, "write it as `512KB`, `75MB`")
    })
}

fn count(number: u32) -> usize {
    usize::try_from(number.max(1)).unwrap_or(usize::MAX)
}

/// Where it listens, for those who start it.
#[derive(Serialize)]
struct Addresses {
    listening: Vec<String>,
}

fn show(console: &Console, listening: &Listening) {
    let urls: Vec<String> = listening.addresses.iter().map(|at| format!("http://{at}")).collect();
    if console.for_programs() {
        console.show(&Addresses { listening: urls });
    } else {
        let urls: Vec<String> = urls.iter().map(|url| styled(STRONG, url)).collect();
        console.terminal.out(&format!("the engine is served at {}\n", urls.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_paths_are_read_or_refused() {
        assert_eq!(size("", "75MB").ok(), Some(75_000_000));
        assert_eq!(size("", "1000").ok(), Some(1000));
        assert_eq!(base_path("/x/").ok().as_deref(), Some("/x"));
        assert_eq!(base_path("").ok().as_deref(), Some(""));
        for bad in ["", "MB", "0", "1.5MB", "99999999999GB"] {
            assert!(size("--max-body", bad).is_err(), "{bad}");
        }
        for bad in ["x", "/a b", "/?"] {
            assert!(base_path(bad).is_err(), "{bad}");
        }
    }
}
