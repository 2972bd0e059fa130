//! `engine request`: one request to any endpoint of an API.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    cli::{
        args,
        context::{self, Cx},
        http_text, input,
        progress::Progress,
        report::Exit,
        signals::{self, Ended},
        terminal::{STRONG, clean, styled},
    },
    engine::{ApiAnswer, ApiCall, Engine},
    error::Error,
    model::http::Method,
};

const JSON: &str = "application/json";

/// Sends it, and prints the body of the answer.
pub fn request(cx: &Cx, engine: &Engine, args: args::Request) -> Result<Exit, Error> {
    let include = args.include;
    let call = call(args)?;
    context::integration(cx, engine, &call.integration)?;
    let progress = Progress::new(&cx.terminal, cx.quiet, Arc::clone(engine.clock()));
    let ended = signals::run(engine, engine.request(call, &progress))?;
    drop(progress);
    let answer = match ended {
        Ended::Done(answer) => answer?,
        Ended::Stopped(exit) => return Ok(cx.stopped(exit)),
    };
    cx.warn(&answer.warnings);
    if let Some(failure) = &answer.failure {
        return Ok(cx.failed(failure, &answer.record));
    }
    print(cx, answer, include);
    Ok(Exit::Done)
}

fn print(cx: &Cx, answer: ApiAnswer, include: bool) {
    let ApiAnswer { status, headers, body, .. } = answer;
    if cx.for_programs() {
        if include {
            let headers = http_text::headers(&headers);
            return cx.print(&json!({"status": status, "headers": headers, "body": body}));
        }
        return cx.print(&body);
    }
    if include {
        let mut head = format!("{}\n", styled(STRONG, &format!("status {status}")));
        for (name, value) in headers.iter() {
            head.push_str(&clean(&format!("{name}: {value}\n")));
        }
        cx.terminal.out(&format!("{head}\n"));
    }
    if !body.is_null() {
        cx.print(&body);
    }
}

fn call(args: args::Request) -> Result<ApiCall, Error> {
    let words = input::words(&args.input, &Value::Null)?;
    let method = Method::parse(&args.method).ok_or_else(|| {
        let all: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
        bad(format!("`{}` is no method", args.method), format!("use one of {}", all.join(", ")))
    })?;
    let kind = args.content_type.unwrap_or_else(|| JSON.to_owned());
    let body = match (args.body, words.members.is_empty()) {
        (Some(_), false) => {
            return Err(bad(
                "there are two bodies: `--body` and `name=value`".to_owned(),
                "give one of them; query parameters are `name==value`".to_owned(),
            ));
        }
        (Some(text), true) => Some((Bytes::from(input::body(&text)?), kind)),
        (None, false) => Some((Bytes::from(Value::Object(words.members).to_string()), kind)),
        (None, true) => None,
    };
    Ok(ApiCall {
        integration: args.integration,
        method,
        path: args.path,
        query: words.query,
        headers: args.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?,
        body,
        paginate: args.paginate,
        connection: args.party.connection,
        sandbox: args.party.sandbox,
        idempotent: args.idempotent.then_some(true),
        wait: context::wait(args.party.wait.as_deref())?,
    })
}

fn header(text: &str) -> Result<(String, String), Error> {
    let parts = text.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
    // RFC 9110, section 5.1: a name is a token.
    let token = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    match parts {
        Some((name, value)) if token(name) && !value.contains(char::is_control) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        Some(_) | None => Err(bad(
            "`--header` is no header".to_owned(),
            "write it as `-H 'name: value'`".to_owned(),
        )),
    }
}

fn bad(message: String, hint: String) -> Error {
    Error::Call { code: "call.bad-argument", message, hint: Some(hint) }
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
        assert_eq!(made.method, Method::Post);
        assert_eq!(made.body.unwrap(), (Bytes::from("{\"a\":\"1\",\"b\":1}"), JSON.to_owned()));
        assert_eq!(made.query, [("c".to_owned(), "3".to_owned())]);
        assert_eq!(made.headers, [("X-A".to_owned(), "b:c".to_owned())]);
        let whole = read(&["x", "PUT", "/p", "--body", "hi", "--content-type", "text/plain"]);
        assert_eq!(whole.unwrap().body.unwrap(), (Bytes::from("hi"), "text/plain".to_owned()));
        assert!(read(&["x", "GET", "/p"]).unwrap().body.is_none());
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for words in [
            &["x", "FETCH", "/p"][..],
            &["x", "POST", "/p", "a=1", "--body", "b"],
            &["x", "GET", "/p", "-H", "no header"],
            &["x", "GET", "/p", "-H", "a b: c"],
            &["x", "GET", "/p", "-H", "a: b\r\nc: d"],
            &["x", "GET", "/p", "--wait", "long"],
        ] {
            let error = read(words).unwrap_err();
            assert!(matches!(error, Error::Call { code: "call.bad-argument", .. }), "{words:?}");
        }
    }
}
