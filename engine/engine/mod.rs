//! The facade: one type that the doors talk to.

pub mod call;
mod actor;
mod ids;
mod probe;
mod parts;
mod ready;
mod request;
mod connections;
mod accept;
mod kept;
mod once;
mod candidate;
mod sign_in;
mod finish;
mod browser;
mod connect;
mod add;
mod life;
mod plan;
mod files;
mod export;
mod formats;
mod records;
mod api_keys;
mod visible;
mod fingerprint;
mod status;
mod sign_in_page;
mod sandbox;

pub use actor::Actor;
pub use api_keys::NewApiKey;
pub use call::{ApiCall, Call, ConnectCall, NewConnection};
pub use candidate::{Filled, Form, Person, signed_in};
pub use export::{ConnectionPages, Exported};
pub use fingerprint::Fingerprint;
pub use finish::{Finished, SignInCallback};
pub use formats::Described;
pub use parts::Engine;
pub use records::KeyTask;
pub use sandbox::{Sandbox, SandboxCall};

pub use crate::{
    model::run_limits::RunLimits,
    run::{Observer, Quiet, Repeat, RequestKey, RunResult, Sink},
    store::RunFilter,
};

use serde_json::Value;

use crate::{
    engine::{accept::Accepted, call::Deleted},
    error::Error,
    model::{
        account::AccountKey,
        failure::{Code, Failure},
    },
    run::{self, Task, Terms},
    store::Use,
    view::{self, Planned},
};

/// Where a method has an integration and a connection: the integration is an entry of
/// `integrations.yaml` or a blueprint's name; without a connection the only one is meant, else
/// `default`. `Err` says why nothing was begun; `Ok(Err(…))` how what was begun has failed.
impl Engine {
    /// Runs an action. A run that began and failed is a [`RunResult`] with its failure.
    pub async fn run(&self, call: Call, observer: &dyn Observer) -> Result<RunResult, Error> {
        let (accepted, action) = accept::accept(self, call).await?;
        if accepted.invocation.terms.idempotency_key.is_some() {
            return Box::pin(self.run_once(accepted, &action, observer)).await;
        }
        self.execute(accepted, Task::Action(&action), observer).await
    }

    /// What a call would send, step by step; nothing is sent or recorded.
    pub async fn plan(&self, call: Call) -> Result<Vec<Planned>, Error> {
        plan::plan(self, call).await
    }

    /// Sends one request to any endpoint of an API. The answer goes into the sink as it comes;
    /// with `paginate` it is the output of the [`RunResult`], a list of all items.
    pub async fn request(
        &self,
        call: ApiCall,
        observer: &dyn Observer,
        sink: &mut dyn Sink,
    ) -> Result<RunResult, Error> {
        let target =
            accept::target(self, &call.integration, call.connection.as_deref(), call.sandbox)
                .await?;
        let terms = Terms { wait: call.wait, run_limits: call.run_limits, idempotency_key: None };
        let request = request::checked(call, &target.integration.blueprint)?;
        let accepted = accept::invoke(self, target, Value::Null, terms).await?;
        self.execute(accepted, Task::Request(&request, sink), observer).await
    }

    /// Signs in by browser, device or form, proves the credentials, and stores the connection.
    pub async fn connect(
        &self,
        call: ConnectCall,
        person: &dyn Person,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        Box::pin(connect::connect(self, call, person)).await
    }

    /// Takes the callback of a sign-in that any process on this store has begun.
    pub async fn finish_sign_in(&self, callback: SignInCallback) -> Result<Finished, Error> {
        Box::pin(finish::finish(self, callback)).await
    }

    /// Gets a fresh token now. The connection as it is then; a failure if its mode has no token
    /// that could be refreshed.
    pub async fn refresh(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        Ok(life::refresh(self, integration, connection).await?.map(view::Connection::from))
    }

    /// Asks the API whether the credentials work. A failure if they do not, or if the blueprint has
    /// no request to ask with.
    pub async fn test_connection(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<view::ConnectionTest, Failure>, Error> {
        let answers = life::test(self, integration, connection).await?;
        let steps = |answers: Value| {
            answers.as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect()
        };
        Ok(answers.map(|answers| view::ConnectionTest { works: true, asked: steps(answers) }))
    }

    /// Revokes the tokens at the vendor. The connection stays, and needs a new sign-in.
    pub async fn revoke(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        Ok(life::revoke(self, integration, connection).await?.map(view::Connection::from))
    }

    /// Deletes a connection, revokes its tokens where the vendor can, and tries again some of the
    /// revocations that failed before.
    pub async fn delete(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<view::Deletion, Error> {
        let Deleted { account, revoked } = life::delete(self, integration, connection).await?;
        let deleted = view::DeletedConnection {
            integration: account.integration,
            id: account.id,
            revoked: revoked.as_ref().map(Result::is_ok),
            reason: revoked.and_then(Result::err),
        };
        Ok(view::Deletion { deleted, pending_revocations: life::settle(self).await? })
    }

    /// A stored connection, with the scopes that were not granted. The files need not know its
    /// integration: a connection outlives it.
    pub async fn connection(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<view::InspectedConnection, Error> {
        let account = connections::find(self.store().await?, integration, connection).await?;
        let missing_scopes = connections::missing_scopes(self, &account);
        Ok(view::InspectedConnection { missing_scopes, connection: account.into() })
    }

    /// Stores connections made by hand: a result for each, in their order. One that is refused
    /// keeps none of the others out; `Err` if the store cannot be used at all.
    pub async fn add_connections(
        &self,
        new: Vec<NewConnection>,
    ) -> Result<Vec<Result<view::Connection, Error>>, Error> {
        let added = connections::add(self, new).await?;
        Ok(added.into_iter().map(|added| added.map(view::Connection::from)).collect())
    }

    /// Stores a connection made by hand once the API has taken its credentials, with what it was
    /// found to be. A failure if they do not work.
    pub async fn add_connection(
        &self,
        new: NewConnection,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        Ok(Box::pin(add::add(self, new)).await?.map(view::Connection::from))
    }

    async fn execute(
        &self,
        accepted: Accepted,
        task: Task<'_>,
        observer: &dyn Observer,
    ) -> Result<RunResult, Error> {
        let Accepted { invocation, sandbox } = accepted;
        let services = self.services(sandbox.is_some()).await?;
        let mut result = run::run(&services, &invocation, task, observer).await?;
        if let (Some(_), Err(failure)) = (&sandbox, &mut result.output)
            && failure.code == Code::NotFound
            && failure.hint.is_none()
        {
            let name = &invocation.integration.name;
            let hint = format!("a sandbox holds little: `engine show {name}`, under `sandbox`");
            failure.hint = Some(hint);
        }
        if let Some(store) = &services.store {
            let integration = invocation.integration.name.clone();
            let id = invocation.connection.clone();
            store.accounts.touch(AccountKey { integration, id }, Use::Run);
        }
        // One run in 32 removes old ones for all.
        if result.record.id.ends_with('0') {
            self.prune().await;
        }
        Ok(result)
    }
}
