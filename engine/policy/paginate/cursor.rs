//! `kind: cursor`: a token of the answer goes into the next request; it may be any JSON.

use serde_json::Value;

use crate::{
    model::{
        pagination::{Asked, Change, Page, Paging, Size, Stuck, Target, Told, Window},
        template::Template,
    },
    policy::paginate::end,
    template::value_path,
};

/// A token of the answer goes into the next request.
#[derive(Debug)]
pub struct Cursor {
    /// Where the token is.
    pub from: Template,
    /// Where it goes.
    pub to: Target,
    /// The page size.
    pub size: Option<Size>,
}

impl Paging for Cursor {
    fn reads(&self) -> &[Template] {
        std::slice::from_ref(&self.from)
    }

    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        let token = end::pointer(page.read.first());
        Ok(token.map(|token| Size::and(self.size(), Change::Set(self.to.clone(), token.clone()))))
    }

    fn asked_start(&self, request: &dyn Asked, list: &[Value], _: usize) -> Option<usize> {
        let token = request.at(&self.to)?;
        if let Some(row) = token.strip_prefix("sandbox:") {
            return row.parse().ok();
        }
        // A cursor such as `last.id`: the row after the one that is named.
        let member = last_member(&self.from)?;
        let id = |row: &Value| row.get(member).and_then(Value::as_str) == Some(&token);
        list.iter().position(id).map(|at| at + 1)
    }

    /// The end of a list is the empty token.
    fn tell(&self, window: &Window) -> Option<Told> {
        let end = window.end;
        let token = if window.has_more() { format!("sandbox:{end}") } else { String::new() };
        Some(Told::Body(self.from.clone(), token.into()))
    }
}

/// `id` of `{{opt last.id}}`.
fn last_member(template: &Template) -> Option<&str> {
    let path = value_path(template).filter(|path| path.root == "last")?;
    path.segments.first().map(String::as_str)
}
