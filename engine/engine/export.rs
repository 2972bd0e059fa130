//! Connections as lines of JSON, with or without credentials.

use serde_json::{Value, json};

use crate::{
    auth,
    engine::parts::Engine,
    error::Error,
    model::{
        account::{Account, AccountKey, Connection},
        secret::Secret,
    },
    store::{self, AccountFilter, AccountQuery},
    vault::passphrase,
    view::ConnectionRow,
};

/// Accounts that are read at a time.
const PAGE: u32 = 500;
/// Accounts that are opened at a time.
const BATCH: usize = 1000;
/// Who reveals credentials, in the audit log.
const WHO: &str = "command line";

/// What an export holds.
pub struct Exported {
    /// One JSON object a line.
    pub text: String,
    /// How many lines.
    pub count: usize,
    /// Accounts that do not open, and are left out.
    pub damaged: Vec<AccountKey>,
}

impl Engine {
    /// All connections, of one integration or of all, as lines of a list.
    pub async fn connections(
        &self,
        integration: Option<String>,
    ) -> Result<Vec<ConnectionRow>, Error> {
        let all = self.accounts(integration).await?;
        Ok(all.into_iter().map(ConnectionRow::from).collect())
    }

    async fn accounts(&self, integration: Option<String>) -> Result<Vec<Account>, Error> {
        let filter = AccountFilter { integration, ..AccountFilter::default() };
        let mut query = AccountQuery { filter, limit: PAGE, ..AccountQuery::default() };
        let mut all = Vec::new();
        loop {
            let page = self.store().await?.accounts.page(query.clone()).await?;
            all.extend(page.accounts);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Connections as an import reads them; `secrets`: with their credentials.
    pub async fn export(
        &self,
        integration: Option<String>,
        secrets: bool,
    ) -> Result<Exported, Error> {
        let mut exported = Exported { text: String::new(), count: 0, damaged: Vec::new() };
        let all = self.accounts(integration).await?;
        for accounts in all.chunks(BATCH) {
            if !secrets {
                for account in accounts {
                    exported.push(&export_line(account));
                }
                continue;
            }
            let keys: Vec<AccountKey> = accounts.iter().map(Account::key).collect();
            let revealed = auth::reveal(self.store().await?, &keys, WHO).await?;
            for (key, connection) in keys.into_iter().zip(revealed) {
                match connection {
                    // Values and credentials as they were read together.
                    Ok(Some(connection)) => exported.push(&whole_line(&connection)),
                    // Deleted meanwhile.
                    Ok(None) => {}
                    Err(store::Error::Tampered { .. }) => exported.damaged.push(key),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(exported)
    }

    /// An export, sealed to a passphrase.
    pub fn seal_export(&self, text: &str, to: &Secret) -> Result<String, Error> {
        Ok(passphrase::seal(text, to).map_err(store::Error::from)?)
    }

    /// An export as it was; one that is not sealed needs no passphrase.
    pub fn open_export(
        &self,
        text: String,
        ask: impl FnOnce() -> Result<Secret, Error>,
    ) -> Result<String, Error> {
        if !passphrase::is_sealed(&text) {
            return Ok(text);
        }
        Ok(passphrase::open(&text, &ask()?).map_err(store::Error::from)?)
    }
}

impl Exported {
    fn push(&mut self, line: &Value) {
        self.text.push_str(&line.to_string());
        self.text.push('\n');
        self.count += 1;
    }
}

/// With its credentials.
fn whole_line(connection: &Connection) -> Value {
    let mut line = export_line(&connection.account);
    if let Some(map) = line.as_object_mut() {
        let credentials = auth::export(&connection.secrets.credentials);
        map.insert("credentials".to_owned(), Value::Object(credentials));
    }
    line
}

fn export_line(account: &Account) -> Value {
    let mut line = json!({
        "integration": account.integration,
        "id": account.id,
        "sandbox": account.sandbox,
        "connection_config": account.connection_config,
        "metadata": account.metadata,
    });
    if let Some(map) = line.as_object_mut()
        && !account.tags.is_empty()
    {
        map.insert("tags".to_owned(), json!(account.tags));
    }
    line
}
