//! `engine request`: one request to any endpoint of an API.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cli::{
        args,
        console::Console,
        download::AnswerOutput,
        input,
        progress::Progress,
        repeat::{self, Given},
        report::Exit,
        signals::{self, Completion},
        upload,
    },
    engine::{ApiCall, Engine, RunResult},
    error::{CallCode, Error},
    model::http::{self, Body, CONTENT_TYPE, HeaderName, HeaderValue},
    view::MoreOfRun,
};

const JSON: &str = "application/json";

/// Sends it, and hands on the body of the answer.
pub fn request(console: &Console, engine: &Engine, args: args::Request) -> Result<Exit, Error> {
    let mut answer = AnswerOutput::new(console, args.include, args.save.as_deref())?;
    let (paginate, given) = (args.paginate, Given::of_request(&args));
    let call = call(args)?;
    console.integration(engine, &call.integration)?;
    let progress = Progress::new(&console.terminal, console.quiet, Arc::clone(engine.clock()));
    let completion = signals::complete(engine, engine.request(call, &progress, &mut answer))?;
    drop(progress);
    let (finished, stopped) = match completion {
        Completion::Done(finished) => (finished?, None),
        Completion::Stopped(exit, Some(Ok(finished))) => (finished, Some(exit)),
        Completion::Stopped(exit, _) => return Ok(console.stopped(exit)),
    };
    console.warn(&finished.warnings);
    let repeat_with = repeat::command(&given, &finished);
    let RunResult { record, output, .. } = finished;
    match output {
        Err(_) if answer.is_unread() => {}
        Err(failure) => {
            let failed =
                console.failed(&failure, &record, MoreOfRun { repeat_with, stored: false });
            return Ok(stopped.unwrap_or(failed));
        }
        Ok(items) if paginate => answer.pages(items),
        Ok(_) => answer.finish()?,
    }
    Ok(Exit::Done)
}

fn call(args: args::Request) -> Result<ApiCall, Error> {
    let words = input::words(&args.input, &Value::Null)?;
    let method = http::method(&args.method).ok_or_else(|| {
        let hint = "a method is one word, such as GET, POST or PROPFIND".to_owned();
        bad(format!("`{}` is not a method", args.method), hint)
    })?;
    let mut headers: Vec<(HeaderName, HeaderValue)> =
        args.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
    let body = match (args.body, words.members.is_empty()) {
        (Some(_), false) => {
            return Err(bad(
                "there are two bodies: `--body` and `name=value`".to_owned(),
                "give one of them; query parameters are `name==value`".to_owned(),
            ));
        }
        (Some(text), true) => upload::body(&text)?,
        (None, false) => Body::Bytes(Value::Object(words.members).to_string().into()),
        (None, true) => Body::Empty,
    };
    if !matches!(body, Body::Empty) {
        let kind = args.content_type.as_deref().unwrap_or(JSON);
        let kind = header(&format!("content-type: {kind}"))?;
        headers.retain(|(name, _)| *name != CONTENT_TYPE || args.content_type.is_none());
        if !headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
            headers.push(kind);
        }
    }
    Ok(ApiCall {
        integration: args.integration,
        method,
        path: args.path,
        query: words.query,
        headers,
        body,
        paginate: args.paginate,
        connection: args.target.connection,
        sandbox: args.target.sandbox,
        idempotent: args.idempotent.then_some(true),
        wait: input::span(args.target.wait.as_deref())?,
        run_limits: input::run_limits(&args.target.run_limits)?,
    })
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let parts = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    let read = |(name, value): (&str, &str)| Some((name.parse().ok()?, value.parse().ok()?));
    parts.and_then(read).ok_or_else(|| {
        bad("`--header` is not a header".to_owned(), "write it as `-H 'name: value'`".to_owned())
    })
}

fn bad(message: String, hint: String) -> Error {
    Error::call(CallCode::BadArgument, message, hint)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn read(words: &[&str]) -> Result<ApiCall, Error> {
        let all = ["engine", "request"].iter().chain(words);
        let Command::Request(args) = Cli::try_parse_from(all).unwrap().command else {
            panic!("another command")
        };
        call(args)
    }

    #[test]
    fn a_body_is_made_of_members_or_given_whole() {
        let made = read(&["x", "post", "/p", "a=1", "b:=1", "c==3", "-H", "X-A: b:c"]).unwrap();
        assert_eq!(made.method, http::Method::POST);
        assert_eq!(made.body.held().unwrap(), "{\"a\":\"1\",\"b\":1}");
        assert_eq!(made.query, [("c".to_owned(), "3".to_owned())]);
        assert_eq!(fields(&made), ["x-a: b:c", "content-type: application/json"]);
        let whole = ["x", "PUT", "/p", "--body", "hi", "--content-type", "text/plain"];
        let whole = read(&whole).unwrap();
        assert_eq!(whole.body.held().unwrap(), "hi");
        assert_eq!(fields(&whole), ["content-type: text/plain"]);
        assert!(matches!(read(&["x", "GET", "/p"]).unwrap().body, Body::Empty));
        let own = read(&["x", "PROPFIND", "/p", "--body", "<a/>", "-H", "Content-Type: text/xml"]);
        assert_eq!(fields(&own.unwrap()), ["content-type: text/xml"]);
    }

    fn fields(call: &ApiCall) -> Vec<String> {
        let shown = |(name, value): &(HeaderName, HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        call.headers.iter().map(shown).collect()
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for words in [
            &["x", "GET /", "/p"][..],
            &["x", "POST", "/p", "a=1", "--body", "b"],
            &["x", "GET", "/p", "-H", "no header"],
            &["x", "GET", "/p", "-H", "a b: c"],
            &["x", "GET", "/p", "-H", "a: b\r\nc: d"],
            &["x", "GET", "/p", "--wait", "long"],
        ] {
            let error = read(words).unwrap_err();
            assert!(matches!(error, Error::Call { code: CallCode::BadArgument, .. }), "{words:?}");
        }
    }
}
