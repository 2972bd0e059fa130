//! A scene for tests of the room: an entry of OAuth 2, a connection that is not there yet, no
//! network.

use std::sync::Arc;

use serde_json::json;

use crate::{
    auth::TokenRequest,
    catalog::{Catalog, Environment},
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::{AuthMode, OAuth2},
        blueprint::Integration,
        http::Authorized,
        template::Shape,
        time::Timestamp,
    },
    wire::{Error, Exchange, Wire},
};

pub struct Scene {
    integration: Integration,
    connection: Connection,
}

struct NoNetwork;

impl Wire for NoNetwork {
    fn send<'a>(&'a self, _request: &'a Authorized) -> Exchange<'a> {
        let (host, reason) = ("x".to_owned(), "there is no network".to_owned());
        Box::pin(std::future::ready(Err(Error::Broken { host, reason })))
    }
}

impl Scene {
    /// The shipped blueprint of a vendor, changed.
    pub fn new(change: impl FnOnce(&mut OAuth2)) -> Self {
        let catalog = Catalog::open(None, Environment::new([]));
        let loaded = catalog.snapshot().integration("hubspot").unwrap();
        let mut integration = (*loaded.shape().unwrap()).clone();
        integration.oauth_client_id = Some("id".to_owned());
        let auth = Arc::make_mut(&mut Arc::make_mut(&mut integration.blueprint).auth);
        let AuthMode::OAuth2(oauth) = &mut auth.mode else { panic!("the mode is OAUTH2") };
        change(oauth);
        let key = AccountKey::parse("hubspot", "default").unwrap();
        let account = Account::new(key, "acc_1".to_owned(), Timestamp(0));
        Self { integration, connection: Connection::new(account, Credentials::default()) }
    }

    pub fn request(&self) -> TokenRequest<'_> {
        let (integration, connection) = (&self.integration, &self.connection);
        let now = Timestamp(0);
        TokenRequest { wire: &NoNetwork, integration, connection, now, secrets: &[] }
    }

    pub fn mode(&self) -> &AuthMode {
        &self.integration.blueprint.auth.mode
    }

    pub fn oauth(&self) -> &OAuth2 {
        let AuthMode::OAuth2(oauth) = self.mode() else { panic!("the mode is OAUTH2") };
        oauth
    }
}

pub fn literal(name: &str, value: &str) -> (String, Shape) {
    (name.to_owned(), Shape::Literal(json!(value)))
}
