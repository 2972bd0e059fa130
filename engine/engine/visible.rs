//! What a key of the server may know of: its integrations, and the connections of its end user.

use std::collections::BTreeSet;

use crate::{
    engine::{connections, parts::Engine, records::unknown_run},
    error::Error,
    model::{
        account::{Account, AccountKey},
        api_key::Narrowing,
    },
    policy::permission,
    store::{AccountFilter, AccountQuery, NAMED, RunFilter},
    view::Run,
};

/// So many connections of one end user are told from others'.
const OF_ONE: u32 = 10_000;
/// So many runs are looked through for those that a narrow key sees.
const LOOKED_AT: u32 = 10_000;

/// The connections that are seen.
struct Visible<'a> {
    narrowing: &'a Narrowing,
    accounts: Option<BTreeSet<AccountKey>>,
}

impl Visible<'_> {
    fn sees(&self, run: &Run) -> bool {
        let account =
            || AccountKey { integration: run.integration.clone(), id: run.connection.clone() };
        permission::covers(self.narrowing, &run.integration)
            && self.accounts.as_ref().is_none_or(|accounts| accounts.contains(&account()))
    }
}

impl Engine {
    /// Runs that a key sees, newest first.
    pub async fn visible_runs(
        &self,
        narrowing: &Narrowing,
        filter: RunFilter,
    ) -> Result<Vec<Run>, Error> {
        if permission::is_whole(narrowing) {
            return self.runs(filter).await;
        }
        let visible = self.visible(narrowing).await?;
        let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let runs = self.runs(RunFilter { limit: LOOKED_AT, ..filter }).await?;
        Ok(runs.into_iter().filter(|run| visible.sees(run)).take(wanted).collect())
    }

    /// One run with its attempts, if a key sees it: what it does not see is not there.
    pub async fn visible_run(&self, narrowing: &Narrowing, id: &str) -> Result<Run, Error> {
        let run = self.run_record(id).await?;
        let is_seen = permission::is_whole(narrowing) || self.visible(narrowing).await?.sees(&run);
        if is_seen && run.id.as_str() == id { Ok(run) } else { Err(unknown_run(id)) }
    }

    /// The connection that a call of a key means: what is wanted, if it is the end user's; else the
    /// only one of these, or `default`. Whose keys know no end user name any.
    pub async fn visible_connection(
        &self,
        narrowing: &Narrowing,
        integration: &str,
        wanted: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let Some(end_user) = &narrowing.end_user else { return Ok(wanted.map(str::to_owned)) };
        let filter = AccountFilter {
            integration: Some(integration.to_owned()),
            end_user: Some(end_user.clone()),
            ..AccountFilter::default()
        };
        let store = self.store().await?;
        if let Some(id) = wanted {
            // Only that there is none means that: a store that does not answer says so.
            let account = match connections::find(store, integration, Some(id)).await {
                Ok(account) => Some(account),
                Err(Error::UnknownConnection { .. } | Error::NoConnection { .. }) => None,
                Err(error) => return Err(error),
            };
            let owner = account.and_then(|account| account.end_user).map(|user| user.id);
            if owner.as_ref() == Some(end_user) {
                return Ok(Some(id.to_owned()));
            }
            let (integration, id) = (integration.to_owned(), id.to_owned());
            return Err(Error::UnknownConnection { integration, id, known: Vec::new() });
        }
        let query = AccountQuery { filter, limit: NAMED, ..AccountQuery::default() };
        let own = store.accounts.page(query).await?.accounts;
        let usual = own.iter().find(|account| account.id.as_str() == "default");
        match (own.as_slice(), usual) {
            ([], _) => {
                Err(Error::NoConnection { integration: integration.to_owned(), sandbox: false })
            }
            ([one], _) | (_, Some(one)) => Ok(Some(one.id.to_string())),
            (several, None) => Err(Error::WhichConnection {
                integration: integration.to_owned(),
                known: several.iter().map(|account| account.id.clone()).collect(),
            }),
        }
    }

    async fn visible<'n>(&self, narrowing: &'n Narrowing) -> Result<Visible<'n>, Error> {
        let Some(end_user) = &narrowing.end_user else {
            return Ok(Visible { narrowing, accounts: None });
        };
        let filter = AccountFilter { end_user: Some(end_user.clone()), ..AccountFilter::default() };
        let query = AccountQuery { filter, limit: OF_ONE, ..AccountQuery::default() };
        let page = self.store().await?.accounts.page(query).await?;
        let accounts = page.accounts.iter().map(Account::key).collect();
        Ok(Visible { narrowing, accounts: Some(accounts) })
    }
}
