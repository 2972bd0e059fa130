//! Which row answers a path and a method.

use std::{borrow::Cow, pin::Pin};

use percent_encoding::percent_decode_str;

use crate::{
    http::Reply,
    model::http::Method,
    server::{
        ask::{Ask, Params},
        guard::Access,
        problem::Problem,
    },
};

/// What a handler gives.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + 'a>>;
/// A handler.
pub type Handle = for<'a> fn(Ask<'a>) -> Answering<'a>;

/// A method at a path, and what answers it.
pub struct Row {
    /// The method, or any; HEAD is answered as GET without a body.
    pub method: Option<Method>,
    /// `/runs/{id}`: what stands in braces is a parameter, one segment of the path. `{path*}` at the
    /// end is all that follows, as it is written.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What answers.
    pub handle: Handle,
}

/// What is found.
pub enum Found {
    /// A row.
    Row(&'static Row, Params),
    /// The path, with other methods: these.
    Methods(String),
    /// Nothing.
    Nothing,
}

/// Finds the row of a request. A slash at the end changes nothing.
pub fn find(table: &[&'static [Row]], method: &Method, path: &str) -> Found {
    let whole = path;
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let mut others: Vec<&str> = Vec::new();
    for row in table.iter().flat_map(|rows| rows.iter()) {
        let open_end = row.path.ends_with("*}");
        let Some(params) = fit(row.path, if open_end { whole } else { path }) else { continue };
        let Some(method) = row.method.as_ref().filter(|method| *method != wanted) else {
            return Found::Row(row, params);
        };
        others.push(method.as_str());
        if method == Method::GET {
            others.push(Method::HEAD.as_str());
        }
    }
    others.sort_unstable();
    others.dedup();
    if others.is_empty() { Found::Nothing } else { Found::Methods(others.join(", ")) }
}

/// The parameters, if the path is one of the pattern.
fn fit(pattern: &'static str, path: &str) -> Option<Params> {
    if let Some((start, name)) = pattern.rsplit_once('{').filter(|(_, name)| name.ends_with("*}")) {
        let rest = path.strip_prefix(start)?;
        return Some(vec![(name.trim_end_matches("*}"), rest.to_owned())]);
    }
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = Params::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(wanted), Some(given)) => {
                let name = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                match name {
                    Some(name) if !given.is_empty() => params.push((name, decoded(given)?)),
                    None if wanted == given => {}
                    Some(_) | None => return None,
                }
            }
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: Ask<'_>) -> Answering<'_> {
        Box::pin(async { Err(Problem::not_found()) })
    }

    const fn row(method: Method, path: &'static str) -> Row {
        Row { method: Some(method), path, access: Access::Open, handle: nothing }
    }

    static ROWS: &[Row] = &[
        row(Method::GET, "/runs"),
        row(Method::GET, "/runs/{id}"),
        row(Method::DELETE, "/runs/{id}"),
        row(Method::POST, "/actions/{integration}/{action}"),
        Row { method: None, path: "/proxy/{path*}", access: Access::Open, handle: nothing },
    ];

    fn found(method: &Method, path: &str) -> String {
        match find(&[ROWS], method, path) {
            Found::Row(row, params) => format!("{} {params:?}", row.path),
            Found::Methods(methods) => methods,
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_are_taken_by_segments() {
        for (method, path, expected) in [
            (Method::GET, "/runs", "/runs []"),
            (Method::GET, "/runs/", "/runs []"),
            (Method::HEAD, "/runs", "/runs []"),
            (Method::GET, "/runs/run_1", r#"/runs/{id} [("id", "run_1")]"#),
            (Method::GET, "/runs/a%2Fb%20%C3%A9", r#"/runs/{id} [("id", "a/b é")]"#),
            (Method::GET, "/runs/a/b", "nothing"),
            (Method::GET, "/runs/%FF", "nothing"),
            (Method::GET, "//runs", "nothing"),
            (Method::PUT, "/proxy/a%2Fb//c/", r#"/proxy/{path*} [("path", "a%2Fb//c/")]"#),
            (Method::GET, "/proxy/", r#"/proxy/{path*} [("path", "")]"#),
            (Method::GET, "/proxy", "nothing"),
            (Method::GET, "/", "nothing"),
            (Method::GET, "/RUNS", "nothing"),
            (Method::POST, "/runs", "GET, HEAD"),
            (Method::PUT, "/runs/x", "DELETE, GET, HEAD"),
        ] {
            assert_eq!(found(&method, path), expected, "{method} {path}");
        }
    }
}
