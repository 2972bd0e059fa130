//! A request as HTTP text and as a curl command. It comes with `***` where credentials stand.

use crate::{
    cli::terminal::{FAINT, STRONG, clean, styled},
    model::http::Method,
    view::{Planned, PlannedBody, PlannedRequest},
};

/// A step of a dry run as HTTP (RFC 9112 in form), with a comment line in front.
pub fn http(planned: &Planned) -> String {
    match planned {
        Planned::Request(planned) => {
            let PlannedRequest { step, method, url, headers, note, .. } = &**planned;
            let (_, rest) = url.split_once("://").unwrap_or(("", url));
            let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let line = format!("{method} {target} HTTP/1.1");
            let mut lines = vec![styled(STRONG, &clean(&line)), format!("host: {host}")];
            let field = |(name, value)| clean(&format!("{name}: {value}")).into_owned();
            lines.extend(headers.iter().map(|(name, value)| field((name, value))));
            lines.extend(planned.body().map(|body| format!("\n{}", clean(body))));
            format!("{}{}\n", comment(step, note.as_deref()), lines.join("\n"))
        }
        Planned::Unknown { step, why } => unknown(step, why),
    }
}

/// A step of a dry run as a curl command for a POSIX shell.
pub fn curl(planned: &Planned) -> String {
    match planned {
        Planned::Request(planned) => {
            let head = comment(&planned.step, planned.note.as_deref());
            format!("{head}{}\n", command(planned))
        }
        Planned::Unknown { step, why } => unknown(step, why),
    }
}

fn command(request: &PlannedRequest) -> String {
    let mut parts = vec!["curl".to_owned()];
    let implied = match (&request.method, request.body != PlannedBody::Empty) {
        (&Method::GET, false) | (&Method::POST, true) => true,
        (&Method::HEAD, _) => {
            parts.push("--head".to_owned());
            true
        }
        _ => false,
    };
    if !implied {
        parts.push(format!("-X {}", request.method));
    }
    parts.push(quoted(&request.url));
    for (name, value) in &request.headers {
        // `name;` is how curl spells a header without a value.
        let field = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        parts.push(format!("-H {}", quoted(&field)));
    }
    match &request.body {
        PlannedBody::Empty => {}
        PlannedBody::Text(text) if !text.contains('\0') => {
            parts.push(format!("--data-raw {}", quoted(text)));
        }
        PlannedBody::Text(_) | PlannedBody::Other(_) => {
            parts.push("--data-binary @body".to_owned());
        }
    }
    parts.join(" \\\n  ").replacen(" \\\n  ", " ", 1)
}

/// In single quotes, which mean nothing but themselves to a shell. Text that a terminal would act
/// upon is written in bash's `$'…'`, so that it can be shown and pasted.
fn quoted(text: &str) -> String {
    if text.chars().any(|c| c.is_control() && c != '\n') {
        let mut out = "$'".to_owned();
        for c in text.chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    let bytes = c.encode_utf8(&mut buffer).bytes();
                    out.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
                }
                c => out.push(c),
            }
        }
        out.push('\'');
        return out;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn comment(step: &str, note: Option<&str>) -> String {
    let note = note.map(|note| format!(": {note}")).unwrap_or_default();
    format!("{}\n", styled(FAINT, &clean(&format!("# {step}{note}"))))
}

fn unknown(step: &str, why: &str) -> String {
    let why = why.replace('\n', " ");
    format!("{}\n", styled(FAINT, &clean(&format!("# {step}: depends on an answer ({why})"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::Request;

    fn request(method: Method, body: Option<&'static [u8]>) -> Planned {
        let request = Request {
            method,
            url: "https://api.test:8443/v1/a%2Fb?x=it's&y=1".parse().unwrap(),
            headers: [("authorization", "Bearer ***"), ("x-empty", "")]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .into_iter()
                .collect(),
            body: body.map(bytes::Bytes::from_static).into(),
            coded: false,
            timeout: None,
            silence: None,
            max_response: 0,
            route: None,
        };
        let mut planned = PlannedRequest::new("post", &request, str::to_owned);
        planned.note = Some("item 1 of 2".into());
        Planned::Request(Box::new(planned))
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn http_text() {
        assert_eq!(
            plain(&http(&request(Method::POST, Some(b"{\"a\":1}")))),
            "# post: item 1 of 2\nPOST /v1/a%2Fb?x=it%27s&y=1 HTTP/1.1\nhost: api.test:8443\n\
             authorization: Bearer ***\nx-empty: \n\n{\"a\":1}\n"
        );
        assert!(http(&request(Method::PUT, Some(b"\xff\x00"))).contains("(2 bytes)"));
        let planned = Planned::Unknown { step: "s".into(), why: "a\nb".into() };
        assert_eq!(plain(&http(&planned)), "# s: depends on an answer (a b)\n");
    }

    #[test]
    fn curl_says_no_more_than_it_must() {
        for (method, body, start) in [
            (Method::GET, None, "curl 'https:"),
            (Method::POST, Some(&b"x"[..]), "curl 'https:"),
            (Method::POST, None, "curl -X POST \\\n  'https:"),
            (Method::DELETE, None, "curl -X DELETE \\\n  'https:"),
            (Method::HEAD, None, "curl --head \\\n  'https:"),
        ] {
            let text = plain(&curl(&request(method, body)));
            assert!(text.starts_with(&format!("# post: item 1 of 2\n{start}")), "{text}");
        }
        let text = plain(&curl(&request(Method::POST, Some(b"it's\n\"x\""))));
        assert!(text.ends_with(
            "  -H 'authorization: Bearer ***' \\\n  -H 'x-empty;' \\\n  --data-raw 'it'\\''s\n\"x\"'\n"
        ), "{text}");
    }

    #[test]
    fn nothing_escapes_the_quotes() {
        for (text, expected) in [
            ("a b", "'a b'"),
            ("$(rm -rf /)`x`", "'$(rm -rf /)`x`'"),
            ("'; rm -rf / #", r"''\''; rm -rf / #'"),
            ("\u{1b}[2J'\\", r"$'\x1b[2J\'\\'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
