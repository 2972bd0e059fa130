//! A run of one action for tests: files, a scripted API, a clock that only moves when nothing else
//! can happen, and memory for a store.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    auth::{CredentialSource, FixedCredentials},
    catalog::{Catalog, Environment},
    clock::Clock,
    model::{
        account::Credentials,
        blueprint::Integration,
        http::{Authorized, HeaderMap, HeaderName, Request, Response},
        name::ConnectionId,
        record::{AttemptRecord, RunRecord},
    },
    policy::plan::PreparedAction,
    run::{self, Invocation, Limiter, Quiet, RunResult, Services, Stop, Task, Terms},
    store::{Memory, Store},
    suite::VirtualClock,
    wire::{Answer, Error, Exchange, Wire},
};

/// What the API does with a request.
pub type Script = dyn FnMut(&Request) -> Result<Response, Error> + Send;

/// An answer in JSON.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Response {
    let fields = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()));
    let body = Bytes::from(body.to_string());
    Response { status, headers: fields.collect::<HeaderMap>(), body }
}

struct Scripted(Mutex<Box<Script>>);

impl Wire for Scripted {
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a> {
        Box::pin(async move {
            // Not at once: whoever is dropped meanwhile has sent something.
            tokio::task::yield_now().await;
            (self.0.lock().unwrap())(request.open()).map(Answer::whole)
        })
    }
}

/// See the module.
pub struct Rehearsal {
    _folder: tempfile::TempDir,
    clock: VirtualClock,
    services: Services,
    integration: Arc<Integration>,
    action: Arc<PreparedAction>,
    account: Arc<dyn CredentialSource>,
}

impl Rehearsal {
    /// `blueprint`: all but its head; `action`: from its steps on.
    pub fn new(
        blueprint: &str,
        action: &str,
        script: impl FnMut(&Request) -> Result<Response, Error> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let usual = |key: &str, value: &str| {
            if blueprint.contains(key) { String::new() } else { format!("{key}{value}\n") }
        };
        for (path, text) in [
            (
                "integrations.yaml",
                "integrations: {acme: {extends_blueprint: acme:v0}}\n".to_owned(),
            ),
            (
                "blueprints/acme/v0.yaml",
                format!(
                    "blueprint: acme:v0\ntitle: Acme\n{}{}{blueprint}",
                    usual("auth: ", "{auth_mode: NONE}"),
                    usual("requests: ", "{base_url: 'https://acme.test'}"),
                ),
            ),
            (
                "actions/acme/act.yaml",
                format!(
                    "action: act\nblueprint: acme:v0\ndescription: Acts.\neffect: read\ninput: {{type: object, properties: {{ids: {{type: array}}, from: {{type: string}}}}}}\n{action}"
                ),
            ),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let catalog = Catalog::open(Some(folder.path().to_owned()), Environment::new([]));
        let loaded = catalog.snapshot().integration("acme").unwrap();
        let clock = VirtualClock::default();
        let port: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Memory::new(Arc::clone(&port)).into_store().unwrap();
        let services = Services {
            wire: Arc::new(Scripted(Mutex::new(Box::new(script)))),
            limiter: Arc::new(Limiter::exact(Arc::clone(&store.limits), Arc::clone(&port))),
            clock: port,
            store: Some(store),
            stop: Stop::default(),
        };
        let integration = loaded.live().unwrap();
        let account = FixedCredentials::new(&Credentials::default(), &integration);
        Self {
            _folder: folder,
            clock,
            services,
            integration,
            action: loaded.action("act").unwrap(),
            account: Arc::new(account),
        }
    }

    /// The same for a connection whose credentials come from elsewhere.
    pub fn with_account<S: CredentialSource + 'static>(
        mut self,
        account: impl FnOnce(&Arc<Integration>, &VirtualClock) -> Arc<S>,
    ) -> Self {
        self.account = account(&self.integration, &self.clock);
        self
    }

    /// Time.
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    fn store(&self) -> &Store {
        self.services.store.as_ref().unwrap()
    }

    fn invocation(&self, id: &str, input: Value) -> Invocation {
        Invocation {
            id: id.parse().unwrap(),
            integration: Arc::clone(&self.integration),
            connection: ConnectionId::usual(),
            values: json!({"site": "one", "metadata": {}}),
            granted: None,
            account: Arc::clone(&self.account),
            input,
            base_url: None,
            terms: Terms::default(),
            claim: None,
            token_key: [7; 32],
        }
    }

    /// Runs it to its end.
    pub fn run(&self, id: &str, input: Value) -> RunResult {
        let invocation = self.invocation(id, input);
        let run = run::run(&self.services, &invocation, Task::Action(&self.action), &Quiet);
        self.clock.drive(run).unwrap().unwrap()
    }

    /// Looks at it so often, and drops it; whether it had ended.
    pub fn stop(&self, id: &str, input: Value, polls: usize) -> bool {
        let invocation = self.invocation(id, input);
        let run = run::run(&self.services, &invocation, Task::Action(&self.action), &Quiet);
        let mut run: Pin<&mut _> = pin!(run);
        let mut nobody = Context::from_waker(Waker::noop());
        (0..polls).any(|_| Future::poll(run.as_mut(), &mut nobody).is_ready())
    }

    /// What is recorded.
    pub fn recorded(&self, id: &str) -> Option<(RunRecord, Vec<AttemptRecord>)> {
        let runs = &self.store().runs;
        let record = self.clock.drive(runs.get(id)).unwrap().unwrap()?;
        let attempts = self.clock.drive(runs.attempts(id)).unwrap().unwrap();
        Some((record, attempts))
    }
}
