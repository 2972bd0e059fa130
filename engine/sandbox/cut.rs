//! Cuts the list of an answer into pages, the way that the blueprint reads them.

use serde_json::Value;

use crate::{
    model::{
        pagination::{Pagination, Style, Target},
        template::Template,
    },
    sandbox::exchange::Incoming,
    template::value_path,
    value::path,
};

/// The request, as far as paging is concerned.
pub struct Asked<'a> {
    /// Whole.
    pub incoming: &'a Incoming,
    /// Relative to the base URL.
    pub path: &'a str,
    /// The sandbox's base URL.
    pub base: &'a str,
}

/// Where a page of our own making stands in a URL.
const SKIP: &str = "sandbox_skip";

/// Leaves one page of the list in the answer and says where the next one is. Returns a `Link`
/// header, if that is the way.
pub fn cut(
    answer: &mut Value,
    pagination: &Pagination,
    rows: usize,
    asked: &Asked<'_>,
) -> Option<String> {
    let path: &[String] = match &pagination.items {
        None => &[],
        Some(template) => body_path(template)?,
    };
    let list = path::get_mut(answer, path)?.as_array_mut()?;
    let size = pagination
        .size
        .as_ref()
        .and_then(|(target, _)| asked_for(target, asked)?.parse::<usize>().ok())
        .filter(|size| *size > 0)
        .map_or(rows, |size| size.min(rows));
    let start = start(pagination, list, (asked, size)).min(list.len());
    let end = (start + size).min(list.len());
    let more = end < list.len();
    *list = list.get(start..end).unwrap_or_default().to_vec();
    if let Some(path) = pagination.more.as_ref().and_then(body_path) {
        path::put(answer, path, more.into());
    }
    match &pagination.style {
        Style::Cursor { from, .. } => {
            if let Some(path) = body_path(from) {
                // The end of a list is the empty token.
                let token =
                    if more { Value::from(format!("sandbox:{end}")) } else { Value::from("") };
                path::put(answer, path, token);
            }
            None
        }
        Style::NextUrl { next } => {
            if more && let Some(path) = body_path(next) {
                path::put(answer, path, url(asked, end).into());
            }
            None
        }
        Style::Link { rel } => more.then(|| format!("<{}>; rel=\"{rel}\"", url(asked, end))),
        Style::Offset { .. } | Style::Page { .. } | Style::None => None,
    }
}

/// The first row of the page that was asked for.
fn start(pagination: &Pagination, list: &[Value], (asked, size): (&Asked<'_>, usize)) -> usize {
    let number = |text: String| text.parse::<usize>().ok();
    let found = match &pagination.style {
        Style::Cursor { from, to } => {
            asked_for(to, asked).and_then(|token| match body_path(from) {
                Some(_) => number(token.trim_start_matches("sandbox:").to_owned()),
                // A cursor such as `last.id`: the row after the one that is named.
                None => {
                    let member = last_member(from)?;
                    let id = |row: &Value| row.get(member).and_then(Value::as_str) == Some(&token);
                    list.iter().position(id).map(|at| at + 1)
                }
            })
        }
        Style::NextUrl { .. } | Style::Link { .. } => {
            let pair = asked.incoming.query.iter().find(|(name, _)| name == SKIP);
            pair.and_then(|(_, value)| number(value.clone()))
        }
        Style::Offset { to } => asked_for(to, asked).and_then(number),
        Style::Page { to, start } => asked_for(to, asked).and_then(number).map(|page| {
            page.saturating_sub(usize::try_from(*start).unwrap_or(1)).saturating_mul(size)
        }),
        Style::None => None,
    };
    found.unwrap_or(0)
}

/// The value that a request has at a place.
fn asked_for(target: &Target, asked: &Asked<'_>) -> Option<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match target {
        Target::Query(name) => {
            asked.incoming.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
        }
        Target::Header(name) => asked.incoming.headers.get(name).map(str::to_owned),
        Target::Json(path) => {
            let body: Value = serde_json::from_slice(&asked.incoming.body).ok()?;
            path::get(&body, path).map(text)
        }
        Target::Form(name) => {
            let mut pairs = url::form_urlencoded::parse(&asked.incoming.body);
            pairs.find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
        }
    }
}

/// The same URL, further on.
fn url(asked: &Asked<'_>, skip: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in asked.incoming.query.iter().filter(|(name, _)| name != SKIP) {
        query.append_pair(name, value);
    }
    query.append_pair(SKIP, &skip.to_string());
    format!("{}{}?{}", asked.base, asked.path, query.finish())
}

/// The members of `{{body.a.b}}` or `{{opt body.a.b}}`.
fn body_path(template: &Template) -> Option<&[String]> {
    members(template, "body")
}

/// `id` of `{{opt last.id}}`.
fn last_member(template: &Template) -> Option<&str> {
    members(template, "last")?.first().map(String::as_str)
}

fn members<'t>(template: &'t Template, root: &str) -> Option<&'t [String]> {
    let path = value_path(template).filter(|path| path.root == root)?;
    Some(&path.segments)
}
