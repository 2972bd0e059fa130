//! Credentials in the clear, for the one command that is asked for them.

use serde_json::{Map, Value};

use crate::model::{account::Credentials, secret::Secret};

/// The fields and the expiry, in the form in which a connection is added by hand; without the token
/// answer as received, which cannot be added by hand.
pub fn export(credentials: &Credentials) -> Map<String, Value> {
    let field = |(name, secret): (&String, &Secret)| (name.clone(), Value::from(secret.expose()));
    let mut map: Map<String, Value> = credentials.fields.iter().map(field).collect();
    if let Some(end) = credentials.expires_at {
        map.insert("expires_at".to_owned(), end.to_string().into());
    }
    map
}
