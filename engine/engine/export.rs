//! Connections as lines of JSON, with or without credentials.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    auth,
    engine::parts::Engine,
    error::Error,
    model::{
        account::{Account, AccountKey, AccountStatus, Connection},
        secret::{Secret, SecretText},
    },
    store::{self, AccountFilter, AccountQuery},
    vault::passphrase,
    view::ConnectionRow,
};

/// Accounts that are read, and opened, at a time.
const PAGE: u32 = 500;
/// Who reveals credentials, in the audit log.
const WHO: &str = "command line";

/// A part of an export.
pub struct Exported {
    /// One JSON object a line.
    pub text: SecretText,
    /// How many lines.
    pub count: usize,
    /// Accounts that do not open, and are left out.
    pub damaged: Vec<AccountKey>,
}

/// All accounts, a page at a time: however many there are, few of them are in memory.
pub struct ConnectionPages<'e> {
    engine: &'e Engine,
    /// Of the next page; `None` behind the last one.
    query: Option<AccountQuery>,
}

impl ConnectionPages<'_> {
    /// The next lines of a list; `None` if there are no more.
    pub async fn rows(&mut self) -> Result<Option<Vec<ConnectionRow>>, Error> {
        let page = self.next().await?;
        Ok(page.map(|page| page.into_iter().map(ConnectionRow::from).collect()))
    }

    /// The next lines of an export, with or without credentials; `None` if there are no more.
    pub async fn export(&mut self, secrets: bool) -> Result<Option<Exported>, Error> {
        let Some(accounts) = self.next().await? else { return Ok(None) };
        let mut exported = Exported { text: SecretText::default(), count: 0, damaged: Vec::new() };
        let is_damaged = |account: &Account| account.status == AccountStatus::Damaged;
        let (damaged, sound): (Vec<_>, Vec<_>) = accounts.into_iter().partition(is_damaged);
        exported.damaged.extend(damaged.iter().map(Account::key));
        if !secrets {
            for account in &sound {
                exported.add(&export_line(account));
            }
            return Ok(Some(exported));
        }
        let keys: Vec<AccountKey> = sound.iter().map(Account::key).collect();
        let revealed = auth::reveal(self.engine.store().await?, &keys, WHO).await?;
        for (key, connection) in keys.into_iter().zip(revealed) {
            match connection {
                // As it is now: account and credentials belong together.
                Ok(Some(connection)) => exported.add(&whole_line(&connection)),
                // Deleted meanwhile.
                Ok(None) => {}
                Err(store::Error::Tampered { .. }) => exported.damaged.push(key),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(exported))
    }

    async fn next(&mut self) -> Result<Option<Vec<Account>>, Error> {
        let Some(mut query) = self.query.take() else { return Ok(None) };
        let page = self.engine.store().await?.accounts.page(query.clone()).await?;
        self.query = page.next.map(|next| {
            query.after = Some(next);
            query
        });
        Ok(Some(page.accounts))
    }
}

impl Exported {
    fn add(&mut self, line: &Value) {
        let line = Zeroizing::new(line.to_string());
        self.text.push_str(&line);
        self.text.push_str("\n");
        self.count += 1;
    }
}

impl Engine {
    /// All connections, of one integration or of all.
    pub fn connections(&self, integration: Option<String>) -> ConnectionPages<'_> {
        let filter = AccountFilter { integration, ..AccountFilter::default() };
        let query = AccountQuery { filter, limit: PAGE, ..AccountQuery::default() };
        ConnectionPages { engine: self, query: Some(query) }
    }

    /// An export, sealed to a passphrase.
    pub fn seal_export(&self, text: &str, to: &Secret) -> Result<String, Error> {
        Ok(passphrase::seal(text, to).map_err(store::Error::from)?)
    }

    /// Whether a text is an export that was sealed to a passphrase.
    pub fn is_sealed_export(&self, text: &str) -> bool {
        passphrase::is_sealed(text)
    }

    /// A sealed export as it was.
    pub fn open_export(&self, text: &str, with: &Secret) -> Result<Zeroizing<String>, Error> {
        Ok(passphrase::open(text, with).map_err(store::Error::from)?)
    }
}

fn whole_line(connection: &Connection) -> Value {
    let mut line = export_line(&connection.account);
    if let Some(map) = line.as_object_mut() {
        let credentials = &connection.secrets.credentials;
        let values = auth::values(&connection.account, credentials);
        map.insert("connection_config".to_owned(), Value::Object(values));
        map.insert("credentials".to_owned(), Value::Object(auth::export(credentials)));
    }
    line
}

fn export_line(account: &Account) -> Value {
    let mut line = json!({
        "integration": account.integration,
        "id": account.id,
        "sandbox": account.sandbox,
        "connection_config": account.values(),
        "metadata": account.metadata,
    });
    if let Some(map) = line.as_object_mut()
        && !account.tags.is_empty()
    {
        map.insert("tags".to_owned(), json!(account.tags));
    }
    line
}
