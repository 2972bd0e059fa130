//! `kind: link`: the `Link` header (RFC 8288).

use crate::{
    model::pagination::{Change, Page, Paging, Size, Stuck, Told, Window},
    policy::link,
};

/// The `Link` header names the next page.
#[derive(Debug)]
pub struct Link {
    /// Usually `next`.
    pub rel: String,
    /// The page size; links carry it themselves.
    pub size: Option<Size>,
}

impl Paging for Link {
    fn size(&self) -> Option<&Size> {
        self.size.as_ref()
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Vec<Change<String>>>, Stuck> {
        Ok(link::target(page.headers, &self.rel).map(|url| vec![Change::Url(url)]))
    }

    fn tell(&self, window: &Window) -> Option<Told> {
        let field = || format!("<{}>; rel=\"{}\"", window.url, self.rel);
        window.has_more().then(|| Told::Header("link", field(), None))
    }
}
