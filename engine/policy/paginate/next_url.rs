//! `kind: next_url`: a whole or relative URL in the answer.

use crate::{
    model::{
        pagination::{Change, Page, Paging, Size, Stuck, Told, Window},
        template::Template,
    },
    policy::paginate::end,
};

/// A URL in the answer names the next page.
#[derive(Debug)]
pub struct NextUrl {
    /// Where it is.
    pub next: Template,
    /// The page size; links carry it themselves.
    pub size: Option<Size>,
}

impl Paging for NextUrl {
    fn reads(&self) -> &[Template] {
        std::slice::from_ref(&self.next)
    }

    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        let Some(link) = end::pointer(page.read.first()) else { return Ok(None) };
        let url = link.as_str().ok_or(Stuck::NoText)?;
        Ok(Some(vec![Change::Url(url.to_owned())]))
    }

    fn tell(&self, window: &Window) -> Option<Told> {
        let url = || window.url.clone().into();
        window.has_more().then(|| Told::Body(self.next.clone(), url()))
    }
}
