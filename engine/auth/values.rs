//! The root `connection` of templates: the values of an account, and those of its secrets.

use serde_json::{Map, Value};

use crate::model::account::{Account, Connection, Credentials};

/// What templates see, once the secrets are open.
pub fn root(connection: &Connection) -> Value {
    let Connection { account, secrets } = connection;
    let mut root = values(account, &secrets.credentials);
    root.insert("metadata".to_owned(), account.metadata.clone());
    Value::Object(root)
}

/// The values, sealed ones among them.
pub fn values(account: &Account, credentials: &Credentials) -> Map<String, Value> {
    let mut values = account.connection_config.as_object().cloned().unwrap_or_default();
    values.extend(sealed(credentials));
    values
}

/// Sealed values, opened.
pub fn sealed(credentials: &Credentials) -> impl Iterator<Item = (String, Value)> {
    credentials.connection_config.iter().map(|(name, secret)| {
        let text = secret.expose();
        // It was sealed as JSON.
        let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (name.clone(), value)
    })
}
