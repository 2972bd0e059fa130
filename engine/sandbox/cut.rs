//! Cuts the list of an answer into pages, the way that the blueprint reads them.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    model::{
        http::Fields,
        pagination::{self, Pagination, Target, Told, Window},
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

/// Leaves one page of the list in the answer and says where the next one is, by a header field if
/// that is the way.
pub fn cut(
    answer: &mut Value,
    pagination: &Pagination,
    rows: usize,
    asked: &Asked<'_>,
) -> Option<Field> {
    let path: &[String] = match &pagination.items {
        None => &[],
        Some(template) => body_path(template)?,
    };
    let list = path::get_mut(answer, path)?.as_array_mut()?;
    let asked_rows = pagination.kind.asked_rows(asked).filter(|size| *size > 0);
    let size = asked_rows.map_or(rows, |size| size.min(rows));
    let total = list.len();
    let start = pagination.kind.asked_start(asked, list, size).unwrap_or(0).min(total);
    let end = (start + size).min(total);
    *list = list.get(start..end).unwrap_or_default().to_vec();
    if let Some(path) = pagination.more.as_ref().and_then(body_path) {
        path::put(answer, path, (end < total).into());
    }
    let told = pagination.kind.tell(&Window { start, end, total, url: url(asked, end) });
    match told? {
        Told::Header(name, value, status) => Some(Field { name, value, status }),
        Told::Body(place, value) => {
            if let Some(path) = body_path(&place) {
                path::put(answer, path, value);
            }
            None
        }
    }
}

/// A header field that says where the next page is.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The status of such an answer, if not the usual one.
    pub status: Option<u16>,
}

impl pagination::Asked for Asked<'_> {
    fn at(&self, place: &Target) -> Option<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match place {
            Target::Query(name) => {
                let mut query = self.incoming.query.iter();
                query.find(|(n, _)| n == name).map(|(_, value)| value.clone())
            }
            Target::Header(name) => self.incoming.headers.text(name).map(Cow::into_owned),
            Target::Json(path) => {
                let body: Value = serde_json::from_slice(&self.incoming.body).ok()?;
                path::get(&body, path).map(text)
            }
            Target::Form(name) => {
                let mut pairs = url::form_urlencoded::parse(&self.incoming.body);
                pairs.find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
            }
        }
    }

    fn skip(&self) -> Option<usize> {
        self.at(&Target::Query(SKIP.to_owned()))?.parse().ok()
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
    let path = value_path(template).filter(|path| path.root == "body")?;
    Some(&path.segments)
}
