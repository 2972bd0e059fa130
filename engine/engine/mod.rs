//! The facade: one type that the doors talk to.

pub mod call;
mod ids;
mod parts;
mod request;
mod connections;
mod accept;
mod candidate;
mod connect;
mod life;
mod plan;
mod files;
mod export;
mod formats;
mod records;
mod sandbox;

pub use call::{ApiCall, Call, ConnectCall, Deleted, NewConnection};
pub use candidate::{Person, said};
pub use export::Exported;
pub use formats::Described;
pub use parts::Engine;
pub use records::KeyTask;
pub use sandbox::{Sandbox, SandboxCall};

pub use crate::{
    run::{Observer, RunResult, Sink},
    store::RunFilter,
};

use serde_json::Value;

use crate::{
    engine::accept::Accepted,
    error::Error,
    model::{
        account::{Account, AccountKey},
        failure::{Code, Failure},
    },
    run::{self, Task},
    store::Use,
    view::Planned,
};

impl Engine {
    /// Runs an action. The error says why nothing has begun; a run that began and failed is
    /// a [`RunResult`] with the failure.
    pub async fn run(&self, call: Call, observer: &dyn Observer) -> Result<RunResult, Error> {
        let (accepted, action) = accept::accept(self, call).await?;
        self.execute(accepted, Task::Action(&action), observer).await
    }

    /// What a call would send; nothing is sent.
    pub async fn plan(&self, call: Call) -> Result<Vec<Planned>, Error> {
        plan::plan(self, call).await
    }

    /// Sends one request to any endpoint of an API; the answer goes into the sink as it comes.
    pub async fn request(
        &self,
        call: ApiCall,
        observer: &dyn Observer,
        sink: &mut dyn Sink,
    ) -> Result<RunResult, Error> {
        let party =
            accept::party(self, &call.integration, call.connection.as_deref(), call.sandbox)
                .await?;
        let wait = call.wait;
        let request = request::asked(call, &party.integration.blueprint)?;
        let accepted = accept::invoke(self, party, Value::Null, wait).await?;
        self.execute(accepted, Task::Request(&request, sink), observer).await
    }

    /// Signs in: by browser, device or form. The error says why nothing was begun.
    pub async fn connect(
        &self,
        call: ConnectCall,
        person: &dyn Person,
    ) -> Result<Result<Account, Failure>, Error> {
        connect::connect(self, call, person).await
    }

    /// Gets a fresh token now.
    pub async fn refresh(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<Account, Failure>, Error> {
        life::refresh(self, integration, connection).await
    }

    /// Asks the API whether the credentials work; what it answered.
    pub async fn test_connection(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<Value, Failure>, Error> {
        life::test(self, integration, connection).await
    }

    /// Takes the tokens back at the vendor.
    pub async fn revoke(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Result<Account, Failure>, Error> {
        life::revoke(self, integration, connection).await
    }

    /// Deletes a connection, and takes its tokens back where the vendor can.
    pub async fn delete(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Deleted, Error> {
        life::delete(self, integration, connection).await
    }

    /// Tries revocations again that failed before; how many are left.
    pub async fn settle_revocations(&self) -> Result<usize, Error> {
        life::settle(self).await
    }

    /// A stored account: the one named, else the only one, else `default`. The files are not
    /// asked: a connection outlives its integration.
    pub async fn account(
        &self,
        integration: &str,
        connection: Option<&str>,
    ) -> Result<Account, Error> {
        connections::stored(self.store().await?, integration, connection).await
    }

    /// Stores connections made by hand; one that is refused keeps none of the others out.
    pub async fn add_connections(
        &self,
        new: Vec<NewConnection>,
    ) -> Result<Vec<Result<Account, Error>>, Error> {
        connections::add(self, new).await
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
