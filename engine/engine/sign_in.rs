//! A sign-in, whichever way it goes: for whom, with what, and how its tokens become a connection.

use std::sync::Arc;

use crate::{
    auth::{self, TokenOutcome, TokenRequest},
    connect::{self, Parameters},
    engine::{ids, parts::Engine},
    error::Error,
    model::{
        account::{Connection, Credentials},
        blueprint::Integration,
        failure::Failure,
    },
    store,
    wire::Wire,
};

/// See the module.
pub struct SignIn<'e> {
    /// Its world.
    pub engine: &'e Engine,
    /// As the vendor, or the sandbox, plays it.
    pub integration: Arc<Integration>,
    /// What the connection will be, without its tokens.
    pub candidate: Connection,
    /// What else was asked for.
    pub parameters: Parameters,
    wire: Arc<dyn Wire>,
}

impl<'e> SignIn<'e> {
    /// Over the network, or over that of the sandbox.
    pub async fn new(
        engine: &'e Engine,
        integration: Arc<Integration>,
        candidate: Connection,
        parameters: Parameters,
    ) -> Result<Self, Error> {
        let wire = engine.services(parameters.sandbox.is_some()).await?.wire;
        Ok(Self { engine, integration, candidate, parameters, wire })
    }

    /// What requests are made with.
    pub fn request<'s>(&'s self, connection: &'s Connection) -> TokenRequest<'s> {
        TokenRequest {
            wire: &*self.wire,
            integration: &self.integration,
            connection,
            now: self.engine.clock().now(),
            secrets: &[],
        }
    }

    /// The connection with the tokens that were given, if some were.
    pub async fn granted(
        &self,
        outcome: TokenOutcome,
        mut connection: Connection,
    ) -> Result<Connection, Failure> {
        let TokenOutcome::Tokens(tokens) = outcome else {
            let failure = outcome.into_failure();
            let message = format!("no token was given: {}", failure.message);
            return Err(Failure { message, ..failure });
        };
        auth::take_over(&mut connection, &self.integration.blueprint.connection_schema, &tokens);
        connection.account.last_refreshed_at = Some(self.engine.clock().now());
        let scopes = &self.parameters.scopes;
        if connection.account.scopes.is_none() && !scopes.is_empty() {
            // Silence grants what was asked for (RFC 6749, section 5.1).
            connection.account.scopes = Some(scopes.clone());
        }
        if let Some(ends) = auth::introspect(self.request(&connection)).await {
            connection.secrets.credentials.expires_at = Some(ends);
            connection.account.expires_at = Some(ends);
        }
        Ok(connection)
    }

    /// Proves the credentials; the connection as it is to be stored. An older one of the same id
    /// keeps id and metadata.
    pub async fn prove(
        &self,
        signed: Connection,
    ) -> Result<Result<Connection, Failure>, store::Error> {
        let sandbox = &self.parameters.sandbox;
        let services = self.engine.services(sandbox.is_some()).await;
        let services = match services {
            Ok(services) => services,
            Err(error) => return Ok(Err(failure(&error))),
        };
        let proof = connect::Proof {
            run_id: ids::run(self.engine.clock().now()),
            base_url: sandbox.clone(),
            connection: signed,
        };
        let mut connection = match connect::prove(&services, &self.integration, proof).await? {
            Ok(connection) => connection,
            Err(failure) => return Ok(Err(failure)),
        };
        if sandbox.is_some() {
            // A sandbox is gone when the process is: what is kept is that it was one.
            let credentials = &mut connection.secrets.credentials;
            *credentials = Credentials {
                connection_config: std::mem::take(&mut credentials.connection_config),
                ..Credentials::default()
            };
        }
        let now = self.engine.clock().now();
        connection.account.updated_at = now;
        connection.account.last_refreshed_at = Some(now);
        Ok(Ok(connection))
    }
}

/// Why a sign-in that had begun cannot go on, for whoever waits for it.
pub fn failure(error: &Error) -> Failure {
    use crate::{diagnostic::Explain, model::failure::Code};
    let failure = Failure::new(Code::Internal, error.to_string());
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
