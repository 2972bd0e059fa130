//! Reads accounts page by page.

use crate::{
    engine::Engine,
    error::Error,
    model::account::Account,
    store::{AccountFilter, AccountQuery},
};

/// Accounts that are read at a time.
const PAGE: u32 = 500;

/// All accounts, of one integration or of all.
pub async fn all(engine: &Engine, integration: Option<String>) -> Result<Vec<Account>, Error> {
    let filter = AccountFilter { integration, ..AccountFilter::default() };
    let mut query = AccountQuery { filter, limit: PAGE, ..AccountQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = engine.store()?.accounts.page(query.clone()).await?;
        all.extend(page.accounts);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(all),
        }
    }
}
