//! Which row answers a path and a method.

use std::{borrow::Cow, pin::Pin};

use percent_encoding::percent_decode_str;

use crate::{
    http::Reply,
    model::http::Method,
    server::{ask::Ask, problem::Problem},
};

/// What a handler gives.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + 'a>>;
/// A handler.
pub type Handle = for<'a> fn(Ask<'a>) -> Answering<'a>;

/// A method at a path, and what answers it.
pub struct Row {
    /// The method; HEAD is answered as GET without a body.
    pub method: Method,
    /// `/runs/{id}`: what stands in braces is a parameter, one segment of the path.
    pub path: &'static str,
    /// What answers.
    pub handle: Handle,
}

/// The parameters of a path, decoded.
pub type Params = Vec<(&'static str, String)>;

/// What is found.
pub enum Found {
    /// A row.
    Row(
        &'static Row,
        #[cfg_attr(not(test), expect(dead_code, reason = "rows with parameters come next"))] Params,
    ),
    /// The path, with other methods: these.
    Methods(String),
    /// Nothing.
    Nothing,
}

/// Finds the row of a request. A slash at the end changes nothing.
pub fn find(table: &[&'static [Row]], method: &Method, path: &str) -> Found {
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let mut others: Vec<&str> = Vec::new();
    for row in table.iter().flat_map(|rows| rows.iter()) {
        let Some(params) = fit(row.path, path) else { continue };
        if row.method == *wanted {
            return Found::Row(row, params);
        }
        others.push(row.method.as_str());
        if row.method == Method::GET {
            others.push(Method::HEAD.as_str());
        }
    }
    others.sort_unstable();
    others.dedup();
    if others.is_empty() { Found::Nothing } else { Found::Methods(others.join(", ")) }
}

/// The parameters, if the path is one of the pattern.
fn fit(pattern: &'static str, path: &str) -> Option<Params> {
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
        Row { method, path, handle: nothing }
    }

    static ROWS: &[Row] = &[
        row(Method::GET, "/runs"),
        row(Method::GET, "/runs/{id}"),
        row(Method::DELETE, "/runs/{id}"),
        row(Method::POST, "/actions/{integration}/{action}"),
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
            (Method::GET, "/", "nothing"),
            (Method::GET, "/RUNS", "nothing"),
            (Method::POST, "/runs", "GET, HEAD"),
            (Method::PUT, "/runs/x", "DELETE, GET, HEAD"),
        ] {
            assert_eq!(found(&method, path), expected, "{method} {path}");
        }
    }
}
