//! Signing in, from the call to the stored connection.

use std::sync::Arc;

use url::Url;

use crate::{
    auth::{self, Ask, Granted, Parties},
    connect::{
        self, Consent, FAREWELL, Listener, Page, Ways, begin_device, begin_oauth1, confirmed,
        finish_oauth1,
    },
    engine::{
        accept,
        call::ConnectCall,
        candidate::{Person, SignIn, against_sandbox, candidate, require_client, signed_in},
        ids,
        parts::Engine,
    },
    error::Error,
    model::{
        account::{AccountKey, Connection, Credentials},
        auth::{AuthMode, OAuth1, OAuth2},
        blueprint::Integration,
        failure::{Code, Failure},
        name::ConnectionId,
    },
    sandbox::Server,
    store::NewAccount,
    view,
    wire::Wire,
};

/// What a sign-in is about.
struct Attempt<'a> {
    engine: &'a Engine,
    integration: Arc<Integration>,
    candidate: Connection,
    wire: Arc<dyn Wire>,
    scopes: Vec<String>,
    redirect: String,
}

/// Signs in, proves it, and stores it.
pub async fn connect(
    engine: &Engine,
    call: ConnectCall,
    person: &dyn Person,
) -> Result<Result<view::Connection, Failure>, Error> {
    let id = ConnectionId::parse(&call.connection)?;
    let loaded = engine.catalog().integration(&call.integration)?;
    let loaded = if call.sandbox { loaded.sandbox()? } else { loaded.live()? };
    let server =
        if call.sandbox { Some(accept::start_sandbox(engine, &loaded).await?) } else { None };
    let integration = match &server {
        Some(server) => Arc::new(against_sandbox(&loaded, server)),
        None => loaded,
    };
    require_client(&integration)?;
    // A store that cannot be used is met before anybody is asked for anything.
    let store = engine.store().await?;
    let key = AccountKey { integration: integration.name.clone(), id };
    let old = store.accounts.get(&key).await?;
    let sign_in = SignIn { call: &call, old: old.as_ref(), now: engine.clock().now() };
    let mut candidate = candidate(&integration, &sign_in, person)?;
    if let Some(server) = &server {
        candidate.secrets.credentials = accept::sandbox_credentials(server);
    }
    let wire = engine.services(call.sandbox).await?.wire;
    let scopes = call.scopes.clone().or_else(|| integration.oauth_scopes.clone());
    let usual = integration.blueprint.auth.mode.default_scopes().to_vec();
    let attempt = Attempt {
        engine,
        candidate,
        wire,
        scopes: scopes.unwrap_or(usual),
        redirect: call.redirect.clone(),
        integration,
    };
    let (signed, page) = match attempt.sign_in(&call, person).await {
        Ok(signed) => signed,
        Err(failure) => return Ok(Err(failure)),
    };
    let result = attempt.store(signed, server.as_ref().map(Server::base_url)).await;
    if let Some(page) = page {
        let shown = match &result {
            Ok(Ok(account)) => Page::done(signed_in(account)),
            Ok(Err(failure)) => Page::failed(failure.message.clone()),
            Err(error) => Page::failed(error.to_string()),
        };
        // The browser may be gone.
        let _gone = page.send(shown);
        // It has a moment to take the page.
        engine.clock().sleep(FAREWELL).await;
    }
    result
}

type PageSlot = Option<tokio::sync::oneshot::Sender<Page>>;

impl Attempt<'_> {
    fn parties<'s>(&'s self, connection: &'s Connection) -> Parties<'s> {
        Parties {
            wire: &*self.wire,
            integration: &self.integration,
            connection,
            now: self.engine.clock().now(),
        }
    }

    async fn sign_in(
        &self,
        call: &ConnectCall,
        person: &dyn Person,
    ) -> Result<(Connection, PageSlot), Failure> {
        match &self.integration.blueprint.auth.mode {
            AuthMode::OAuth2(oauth) if call.device => {
                self.device(oauth, person).await.map(|signed| (signed, None))
            }
            AuthMode::OAuth2(oauth) => self.browser(oauth, call, person).await,
            AuthMode::OAuth1(oauth) => self.oauth1(oauth, call, person).await,
            AuthMode::ClientCredentials(_) | AuthMode::Session(_) | AuthMode::Jwt(_)
                if !call.sandbox =>
            {
                let granted = auth::ask(self.parties(&self.candidate), Ask::Held).await;
                self.granted(granted, self.candidate.clone()).await.map(|signed| (signed, None))
            }
            AuthMode::None
            | AuthMode::ApiKey
            | AuthMode::Basic { .. }
            | AuthMode::ClientCredentials(_)
            | AuthMode::Session(_)
            | AuthMode::Jwt(_)
            | AuthMode::AwsSigv4(_)
            | AuthMode::Signature(_) => Ok((self.candidate.clone(), None)),
        }
    }

    /// The authorization code grant (RFC 6749, section 4.1).
    async fn browser(
        &self,
        oauth: &OAuth2,
        call: &ConnectCall,
        person: &dyn Person,
    ) -> Result<(Connection, PageSlot), Failure> {
        let (listener, redirect) = self.listen(call, person).await?;
        let consent = Consent::begin(
            oauth,
            (&self.integration, &self.candidate),
            (&redirect, &self.scopes),
            self.engine.clock().now(),
        )
        .map_err(|fault| Failure::new(Code::Template, fault.message))?;
        if let Some(url) = &consent.url {
            person.browse(url, &redirect);
        }
        let mut ways = Ways { listener, pasted: person.pasted() };
        let tell = |text: &str| person.tell(text);
        let clock = &**self.engine.clock();
        let answer = connect::answer(&consent, &mut ways, clock, &tell).await?;
        let ask = Ask::Code {
            code: &answer.code,
            verifier: consent.verifier.as_ref().map(|verifier| verifier.secret().as_str()),
            redirect_uri: &redirect,
            callback: &answer.callback,
        };
        // What the callback says may name the endpoint's host: it must be what the blueprint says
        // it is before the code goes there.
        let mut candidate = self.candidate.clone();
        let saved = auth::save_callback(&self.integration, &mut candidate, &answer.callback)
            .and_then(|()| connect::fits(&self.integration, &candidate.account));
        let signed = match saved {
            Ok(()) => {
                let granted = auth::ask(self.parties(&candidate), ask).await;
                self.granted(granted, candidate).await
            }
            Err(failure) => Err(failure),
        };
        match signed {
            Ok(signed) => Ok((signed, answer.page)),
            Err(failure) => {
                if let Some(page) = answer.page {
                    let _gone = page.send(Page::failed(failure.message.clone()));
                    self.engine.clock().sleep(FAREWELL).await;
                }
                Err(failure)
            }
        }
    }

    async fn oauth1(
        &self,
        oauth: &OAuth1,
        call: &ConnectCall,
        person: &dyn Person,
    ) -> Result<(Connection, PageSlot), Failure> {
        let (listener, redirect) = self.listen(call, person).await?;
        let parties = self.parties(&self.candidate);
        let temporary = begin_oauth1(parties, oauth, &redirect).await?;
        person.browse(&temporary.url, &redirect);
        let consent = Consent::of_token(&temporary.token, &redirect, parties.now);
        let mut ways = Ways { listener, pasted: person.pasted() };
        let tell = |text: &str| person.tell(text);
        let clock = &**self.engine.clock();
        let answer = connect::answer(&consent, &mut ways, clock, &tell).await?;
        let signed = finish_oauth1(parties, oauth, &temporary, &answer.code).await?;
        Ok((signed, answer.page))
    }

    async fn device(&self, oauth: &OAuth2, person: &dyn Person) -> Result<Connection, Failure> {
        let parties = self.parties(&self.candidate);
        let device = begin_device(parties, oauth, &self.scopes).await?;
        let complete = device.verification_uri_complete.as_deref();
        person.confirm(&device.user_code, &device.verification_uri, complete);
        let granted = confirmed(parties, &device, &**self.engine.clock()).await?;
        self.granted(granted, self.candidate.clone()).await
    }

    /// Listens where the redirect points; a port in use leaves pasting.
    async fn listen(
        &self,
        call: &ConnectCall,
        person: &dyn Person,
    ) -> Result<(Option<Listener>, String), Failure> {
        let mut redirect = Url::parse(&self.redirect).map_err(|error| {
            Failure::new(Code::InvalidInput, format!("the redirect is no URL: {error}"))
        })?;
        let local = matches!(redirect.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if !local {
            person.tell("the redirect does not come back to this machine; paste the URL at which the browser ends up");
            return Ok((None, redirect.into()));
        }
        let port = call.port.or_else(|| redirect.port_or_known_default()).unwrap_or(80);
        match Listener::start(port, redirect.path()).await {
            Ok(listener) => {
                // Only a port that the caller let us pick changes the URL that vendors compare.
                if call.port.is_some() {
                    let _kept = redirect.set_port(Some(listener.port()));
                }
                Ok((Some(listener), redirect.into()))
            }
            Err(error) if call.no_browser => {
                person.tell(&format!("port {port} cannot be used ({error}); paste the URL at which the browser ends up"));
                Ok((None, redirect.into()))
            }
            Err(error) => Err(Failure::new(
                Code::InvalidInput,
                format!("port {port} of the redirect cannot be used: {error}"),
            )
            .with_hint("end what listens there, choose another with `--port`, or give `--no-browser` and paste the URL")),
        }
    }

    async fn granted(
        &self,
        granted: Granted,
        mut connection: Connection,
    ) -> Result<Connection, Failure> {
        let Granted::Tokens(tokens) = granted else {
            let failure = granted.into_failure();
            let message = format!("no token was given: {}", failure.message);
            return Err(Failure { message, ..failure });
        };
        auth::take_over(&mut connection, &tokens);
        if connection.account.scopes.is_none() && !self.scopes.is_empty() {
            // Silence grants what was asked for (RFC 6749, section 5.1).
            connection.account.scopes = Some(self.scopes.clone());
        }
        if let Some(ends) = auth::introspect(self.parties(&connection)).await {
            connection.secrets.credentials.expires_at = Some(ends);
            connection.account.expires_at = Some(ends);
        }
        Ok(connection)
    }

    /// Proves the credentials, then stores the connection; an older one keeps id and metadata.
    async fn store(
        &self,
        signed: Connection,
        base_url: Option<String>,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        let services = self.engine.services(base_url.is_some()).await?;
        let run = ids::run(self.engine.clock().now());
        // A sandbox is gone when the process is: what is kept is that it was one.
        let proven =
            connect::prove(&services, &self.integration, (signed, base_url.clone()), run).await?;
        let mut connection = match proven {
            Ok(proven) => proven.connection,
            Err(failure) => return Ok(Err(failure)),
        };
        if base_url.is_some() {
            connection.secrets.credentials = Credentials::default();
        }
        let now = self.engine.clock().now();
        connection.account.updated_at = now;
        connection.account.last_refreshed_at = Some(now);
        // A refresh of the old tokens may be under way: what a person just did wins.
        let new = NewAccount { connection, replace: true };
        let stored = self.engine.store().await?.accounts.add_many(vec![new]).await?.pop();
        let lost = || Error::Refused(Failure::new(Code::Internal, "the store answered nothing"));
        Ok(Ok(stored.ok_or_else(lost)??.into()))
    }
}
