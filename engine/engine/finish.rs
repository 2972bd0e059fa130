//! The second half of a sign-in by browser: its callback, taken by any process on the store.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    auth::{self, TokenGrant},
    connect::{self, CallbackParams, Parameters, Temporary, finish_oauth1, outcome},
    engine::{
        candidate::{against_sandbox, require_client},
        connections, ids,
        parts::Engine,
        sign_in::{SignIn, failure},
    },
    error::Error,
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::AuthMode,
        failure::{Code, Failure},
        secret::Secret,
    },
    store::{self, Consent, ConsentTake, NewAccount},
    view,
};

/// A browser that came back.
#[derive(Debug, Clone)]
pub struct SignInCallback {
    /// What its URL says.
    pub params: CallbackParams,
    /// The cookie that it was given when the sign-in began, where there was one.
    pub cookie: Option<String>,
}

/// What a callback came to.
#[derive(Debug)]
pub enum Finished {
    /// It ended a sign-in.
    Ended {
        /// Which one.
        state_hash: String,
        /// The account as it is stored now, or why there is none.
        result: Box<Result<view::Connection, Failure>>,
    },
    /// It ended none; why, for people.
    Refused(String),
}

/// Takes a callback: once for each sign-in, whoever began it.
pub async fn finish(engine: &Engine, callback: SignInCallback) -> Result<Finished, Error> {
    let consents = &engine.store().await?.consents;
    let refused = |text: &str| Ok(Finished::Refused(text.to_owned()));
    let hashes = callback.params.state_hashes();
    if hashes.is_empty() {
        return refused("this answer carries no `state` (or `oauth_token`)");
    }
    for state_hash in hashes {
        let result = match consents.take(&state_hash).await {
            Ok(ConsentTake::Taken(consent)) => work(engine, &consent, &callback).await,
            Ok(ConsentTake::Unknown) => continue,
            Ok(ConsentTake::Used) => {
                return refused("this answer was used already: a sign-in is finished once");
            }
            Ok(ConsentTake::Expired) => {
                return refused("this sign-in took longer than ten minutes: begin again");
            }
            // Its key is lost, or its row was changed: no other sign-in is harmed.
            Err(store::Error::Tampered { .. }) => {
                let message = "what is stored of this sign-in does not open: its key is lost, or it was changed";
                Err(Failure::new(Code::Internal, message).with_hint("begin again"))
            }
            Err(error) => return Err(error.into()),
        };
        let result = store(engine, &state_hash, result).await?;
        return Ok(Finished::Ended { state_hash, result: Box::new(result) });
    }
    refused("this answer belongs to another attempt to sign in")
}

/// Stores what a sign-in came to, and its connection, in one go.
async fn store(
    engine: &Engine,
    state_hash: &str,
    result: Result<Connection, Failure>,
) -> Result<Result<view::Connection, Failure>, Error> {
    let store = engine.store().await?;
    let (outcome, connection) = match result {
        Ok(connection) => (Ok(()), Some(connection)),
        Err(failure) => (Err(failure), None),
    };
    let row = outcome::to_json(&outcome);
    let key = connection.as_ref().map(|connection| connection.account.key());
    // A refresh of older tokens may be under way: what a person just did wins.
    let new = connection.map(|connection| NewAccount { connection, replace: true });
    store.consents.finish(state_hash, row, new).await?;
    match (outcome, key) {
        (Err(failure), _) => Ok(Err(failure)),
        (Ok(()), Some(key)) => stored(engine, &key).await.map(Ok),
        (Ok(()), None) => Ok(Err(Failure::new(Code::Internal, "nothing was stored"))),
    }
}

/// The account that a sign-in stored.
pub async fn stored(engine: &Engine, key: &AccountKey) -> Result<view::Connection, Error> {
    Ok(connections::find(engine.store().await?, &key.integration, Some(&key.id)).await?.into())
}

/// From a sign-in that was taken to a connection whose credentials are proven.
async fn work(
    engine: &Engine,
    consent: &Consent,
    callback: &SignInCallback,
) -> Result<Connection, Failure> {
    if let Some(bound) = &consent.cookie_hash {
        let cookie = callback.cookie.as_deref().map(connect::hash);
        if cookie.as_ref() != Some(bound) {
            let message = "the sign-in was begun in another browser";
            return Err(connect::refused(message).with_hint("begin again in this one"));
        }
    }
    let sign_in = again(engine, consent).await.map_err(|error| failure(&error))?;
    let mode = &sign_in.integration.blueprint.auth.mode;
    let answer = connect::answer(mode, consent, &callback.params)?;
    let request = sign_in.request(&sign_in.candidate);
    let signed = if let AuthMode::OAuth1(oauth) = mode {
        let none = Secret::new(String::new());
        let token = answer.callback.get("oauth_token").and_then(Value::as_str);
        let temporary = Temporary {
            token: token.unwrap_or_default(),
            secret: consent.token_secret.as_ref().unwrap_or(&none),
        };
        finish_oauth1(request, oauth, temporary, &answer.code).await?
    } else {
        // What the callback says may name the endpoint's host: it must be what the blueprint says
        // it is before the code goes there.
        let mut candidate = sign_in.candidate.clone();
        auth::save_callback(&sign_in.integration, &mut candidate, &answer.callback)?;
        connect::fits(&sign_in.integration, &candidate)?;
        let grant = TokenGrant::Code {
            code: &answer.code,
            verifier: consent.verifier.as_ref(),
            redirect_uri: &consent.redirect_uri,
            callback: &answer.callback,
        };
        let outcome = auth::ask(sign_in.request(&candidate), grant).await;
        sign_in.granted(outcome, candidate).await?
    };
    sign_in.prove(signed).await.map_err(|error| failure(&error.into()))?
}

/// The sign-in as it was begun, from its row and the files as they are now.
async fn again<'e>(engine: &'e Engine, consent: &Consent) -> Result<SignIn<'e>, Error> {
    let parameters = Parameters::from_json(&consent.parameters).ok_or_else(|| {
        let failure = Failure::new(Code::Internal, "the row of this sign-in cannot be read");
        Error::Refused(failure.with_hint("begin again, with one version of the engine"))
    })?;
    let loaded = engine.catalog().integration(&consent.account.integration)?;
    let integration = match &parameters.sandbox {
        Some(url) => Arc::new(against_sandbox(&*loaded.sandbox()?, url)),
        None => loaded.live()?,
    };
    require_client(&integration)?;
    let now = engine.clock().now();
    let mut account = Account::new(consent.account.clone(), ids::incarnation(now), now);
    account.connection_config = parameters.connection_config.clone();
    account.metadata =
        if parameters.metadata.is_null() { json!({}) } else { parameters.metadata.clone() };
    account.sandbox = parameters.sandbox.is_some();
    let entered = Credentials {
        fields: consent.credentials.clone(),
        connection_config: consent.connection_config.clone(),
        ..Credentials::default()
    };
    let candidate = Connection::new(account, entered);
    SignIn::new(engine, integration, candidate, parameters).await
}

#[cfg(test)]
mod tests {
    //! Two processes on one store: one begins, the other takes the callback.

    use std::{
        collections::BTreeMap, future::Future, path::Path, pin::Pin, sync::Arc, time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::{mpsc, watch},
    };
    use url::Url;

    use super::*;
    use crate::{
        clock::Clock,
        engine::{
            call::ConnectCall,
            candidate::{Filled, Form, Person},
        },
        model::{name::EnvironmentName, schema::Schema, time::Timestamp},
        settings::{KEEP_RUNS, KeySource, Settings},
        store::ConsentResult,
    };

    /// A clock whose sleepers wait until the test moves it.
    struct Stepped(watch::Sender<Duration>);

    impl Stepped {
        fn new() -> Arc<Self> {
            Arc::new(Self(watch::Sender::new(Duration::ZERO)))
        }

        fn pass(&self, span: Duration) {
            self.0.send_modify(|now| *now += span);
        }
    }

    impl Clock for Stepped {
        fn now(&self) -> Timestamp {
            Timestamp(1_700_000_000_000).plus(self.elapsed())
        }

        fn elapsed(&self) -> Duration {
            *self.0.borrow()
        }

        fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let (end, mut moves) = (self.elapsed() + span, self.0.subscribe());
            Box::pin(async move {
                // The clock lives as long as the test.
                drop(moves.wait_for(|now| *now >= end).await);
            })
        }
    }

    /// Hands on where the browser is sent.
    struct Sent(mpsc::UnboundedSender<Url>);

    impl Person for Sent {
        fn browse(&self, url: &Url, _redirect_uri: &str) {
            self.0.send(url.clone()).unwrap();
        }

        fn confirm(&self, _user_code: &str, _uri: &str, _complete: Option<&str>) {}

        fn fill<'a>(&'a self, _form: Form, _schema: &'a Schema) -> Filled<'a> {
            panic!("nothing has to be typed")
        }

        fn pasted(&self) -> Option<mpsc::Receiver<String>> {
            None
        }

        fn tell(&self, _text: &str) {}
    }

    /// A process: nothing is shared with another one but the store.
    fn process(folder: &Path, clock: &Arc<Stepped>) -> Arc<Engine> {
        let settings = Settings {
            project: None,
            store: folder.join("engine.db"),
            key: KeySource::Beside,
            environment: EnvironmentName::usual(),
            allow_net: Vec::new(),
            ca_file: None,
            proxy: crate::settings::ProxySettings::default(),
            keep_runs: KEEP_RUNS,
        };
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        Arc::new(Engine::open(settings, BTreeMap::new(), clock))
    }

    /// A sign-in at the sandbox that has begun: its end, and where the browser went.
    async fn begin(
        engine: &Arc<Engine>,
    ) -> (tokio::task::JoinHandle<Result<Result<view::Connection, Failure>, Error>>, Url) {
        let (sent, mut urls) = mpsc::unbounded_channel();
        let engine = Arc::clone(engine);
        let call = ConnectCall {
            integration: "ms-teams".to_owned(),
            connection: "default".to_owned(),
            redirect: "http://localhost/oauth/callback".to_owned(),
            port: Some(0),
            sandbox: true,
            ..ConnectCall::default()
        };
        let end = tokio::spawn(async move { engine.connect(call, &Sent(sent)).await });
        (end, urls.recv().await.unwrap())
    }

    /// The person allows it; the parameters with which the browser comes back.
    async fn allow(url: &Url) -> CallbackParams {
        let address = (url.host_str().unwrap(), url.port().unwrap());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let target = &url[url::Position::BeforePath..];
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: {}:{}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\nconnection: close\r\n\r\ndecision=allow",
            address.0, address.1
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        let location = location.unwrap_or_else(|| panic!("{answer}"));
        CallbackParams::of_query(Url::parse(location).unwrap().query().unwrap())
    }

    fn callback(params: &CallbackParams) -> SignInCallback {
        SignInCallback { params: params.clone(), cookie: None }
    }

    fn ended(finished: Finished) -> Result<view::Connection, Failure> {
        match finished {
            Finished::Ended { result, .. } => *result,
            Finished::Refused(text) => panic!("{text}"),
        }
    }

    fn refused(finished: Finished) -> String {
        match finished {
            Finished::Refused(text) => text,
            Finished::Ended { result, .. } => panic!("{result:?}"),
        }
    }

    #[tokio::test]
    async fn another_process_takes_the_callback_and_the_first_learns_the_result() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Stepped::new());
        let (first, second) = (process(folder.path(), &clock), process(folder.path(), &clock));
        let (end, url) = begin(&first).await;
        let params = allow(&url).await;
        let account = ended(second.finish_sign_in(callback(&params)).await.unwrap()).unwrap();
        assert_eq!(account.account_name.as_deref(), Some("Adele Vance"));
        // Once, whichever process is asked.
        for engine in [&first, &second] {
            let again = engine.finish_sign_in(callback(&params)).await.unwrap();
            assert!(refused(again).contains("used already"));
        }
        assert!(!end.is_finished(), "it has not looked yet");
        clock.pass(Duration::from_secs(1));
        let learned = end.await.unwrap().unwrap().unwrap();
        assert_eq!((learned.number, learned.account_name), (account.number, account.account_name));
    }

    #[tokio::test]
    async fn a_refusal_is_learned_as_well() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Stepped::new());
        let (first, second) = (process(folder.path(), &clock), process(folder.path(), &clock));
        let (end, url) = begin(&first).await;
        let mut params = allow(&url).await;
        params.0.push(("error".to_owned(), "access_denied".to_owned()));
        let failure = ended(second.finish_sign_in(callback(&params)).await.unwrap()).unwrap_err();
        clock.pass(Duration::from_secs(1));
        assert_eq!(end.await.unwrap().unwrap().unwrap_err(), failure);
        let key = AccountKey::parse("ms-teams", "default").unwrap();
        let stored = second.store().await.unwrap().accounts.get(&key).await.unwrap();
        assert!(stored.is_none(), "nothing is stored");
    }

    #[tokio::test]
    async fn what_is_expired_or_unknown_is_refused_with_its_reason() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Stepped::new());
        let (first, second) = (process(folder.path(), &clock), process(folder.path(), &clock));
        let (end, url) = begin(&first).await;
        let params = allow(&url).await;
        let finish = async |query: &str| {
            let params = CallbackParams::of_query(query);
            refused(second.finish_sign_in(callback(&params)).await.unwrap())
        };
        assert!(finish("code=c").await.contains("carries no `state`"));
        assert!(finish("code=c&state=other").await.contains("another attempt"));
        clock.pass(Duration::from_mins(11));
        let failure = end.await.unwrap().unwrap().unwrap_err();
        assert_eq!(failure.code, Code::Timeout);
        let late = second.finish_sign_in(callback(&params)).await.unwrap();
        assert!(refused(late).contains("longer than ten minutes"));
    }

    #[tokio::test]
    async fn a_sign_in_that_does_not_open_harms_itself_alone() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Stepped::new());
        let (first, second) = (process(folder.path(), &clock), process(folder.path(), &clock));
        let (lost_end, lost_url) = begin(&first).await;
        let (_sound_end, sound_url) = begin(&first).await;
        let (lost, sound) = (allow(&lost_url).await, allow(&sound_url).await);
        let raw = rusqlite::Connection::open(folder.path().join("engine.db")).unwrap();
        raw.busy_timeout(Duration::from_secs(5)).unwrap();
        let harm = "UPDATE consents SET sealed = CAST(substr(sealed, 1, 1) || x'0000000000000000'
            || substr(sealed, 10) AS BLOB) WHERE state_hash = ?1";
        assert_eq!(raw.execute(harm, [&lost.state_hashes()[0]]).unwrap(), 1);
        let failure = ended(second.finish_sign_in(callback(&lost)).await.unwrap()).unwrap_err();
        assert!(failure.message.contains("does not open"), "{}", failure.message);
        ended(second.finish_sign_in(callback(&sound)).await.unwrap()).unwrap();
        clock.pass(Duration::from_secs(1));
        assert_eq!(lost_end.await.unwrap().unwrap().unwrap_err(), failure);
    }

    #[tokio::test]
    async fn a_sign_in_that_is_bound_to_a_browser_is_finished_there_alone() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Stepped::new());
        let engine = process(folder.path(), &clock);
        let consent = |state: &str| Consent {
            state_hash: connect::hash(state),
            account: AccountKey::parse("ms-teams", "default").unwrap(),
            verifier: None,
            token_secret: None,
            credentials: BTreeMap::new(),
            connection_config: BTreeMap::new(),
            redirect_uri: "http://localhost/cb".to_owned(),
            issuer: None,
            session: None,
            cookie_hash: Some(connect::hash("cookie")),
            socket_id: None,
            return_url: None,
            parameters: Parameters::default().to_json(),
            expires_at: Timestamp(i64::MAX),
        };
        let consents = &engine.store().await.unwrap().consents;
        for (state, cookie, said) in [
            ("a", None, "another browser"),
            ("b", Some("other"), "another browser"),
            // It goes on, and meets that the vendor's app is not set up here.
            ("c", Some("cookie"), "oauth_client_id"),
        ] {
            consents.put(consent(state)).await.unwrap();
            let params = CallbackParams::of_query(&format!("code=c&state={state}"));
            let callback = SignInCallback { params, cookie: cookie.map(str::to_owned) };
            let failure = ended(engine.finish_sign_in(callback).await.unwrap()).unwrap_err();
            assert!(failure.message.contains(said), "{state}: {}", failure.message);
            let row = consents.result(&connect::hash(state)).await.unwrap();
            assert!(matches!(row, ConsentResult::Done(_)));
        }
    }
}
