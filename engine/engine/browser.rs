//! The first half of a sign-in by browser, and the wait for its end: here, or in another process.

use std::time::Duration;

use url::Url;

use crate::{
    connect::{
        self, AnswerSources, Authorization, Brought, Callback, CallbackParams, FAREWELL, Listener,
        PATIENCE, Page, outcome,
    },
    engine::{
        call::ConnectCall,
        candidate::{Person, signed_in},
        finish::{Finished, SignInCallback, finish, stored},
        sign_in::SignIn,
    },
    error::Error,
    model::{
        account::AccountKey,
        failure::{Code, Failure},
        time::Timestamp,
    },
    store::{Consent, ConsentResult},
    view,
};

/// Callbacks that are answered after the end: of a page that was loaded twice, or again.
const MOST_LATE: u32 = 100;
/// Between looks whether another process has taken the callback.
const LOOK: Duration = Duration::from_secs(1);
/// The rows of sign-ins are kept for so long after their end, so that late callbacks are told.
const KEPT: Duration = Duration::from_hours(1);

/// Begins, sends the browser off, and waits.
pub async fn sign_in(
    sign_in: &SignIn<'_>,
    call: &ConnectCall,
    person: &dyn Person,
) -> Result<Result<view::Connection, Failure>, Error> {
    let (listener, redirect_uri) = match listen(call, person).await {
        Ok(listening) => listening,
        Err(failure) => return Ok(Err(failure)),
    };
    let request = sign_in.request(&sign_in.candidate);
    let wanted = Authorization { redirect_uri: &redirect_uri, scopes: &sign_in.parameters.scopes };
    let begun = match connect::begin(request, wanted).await {
        Ok(begun) => begun,
        Err(failure) => return Ok(Err(failure)),
    };
    let engine = sign_in.engine;
    let consents = &engine.store().await?.consents;
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    if let Err(error) = consents.prune(Timestamp(request.now.0.saturating_sub(kept))).await {
        tracing::debug!(%error, "old sign-ins could not be removed");
    }
    let waiting = Waiting {
        sign_in,
        person,
        state_hash: connect::hash(&begun.state),
        key: sign_in.candidate.account.key(),
        redirect_uri,
        until: engine.clock().now().plus(PATIENCE),
    };
    let consent = Consent {
        state_hash: waiting.state_hash.clone(),
        account: waiting.key.clone(),
        verifier: begun.verifier,
        token_secret: begun.token_secret,
        credentials: sign_in.candidate.secrets.credentials.fields.clone(),
        connection_config: sign_in.candidate.secrets.credentials.connection_config.clone(),
        redirect_uri: waiting.redirect_uri.clone(),
        issuer: begun.issuer,
        session: None,
        cookie_hash: None,
        socket_id: None,
        return_url: None,
        parameters: sign_in.parameters.to_json(),
        expires_at: waiting.until,
    };
    consents.put(consent).await?;
    person.browse(&begun.url, &waiting.redirect_uri);
    waiting.wait(AnswerSources { listener, pasted: person.pasted() }).await
}

/// A sign-in whose browser is away.
struct Waiting<'a> {
    sign_in: &'a SignIn<'a>,
    person: &'a dyn Person,
    state_hash: String,
    key: AccountKey,
    redirect_uri: String,
    until: Timestamp,
}

/// Where the browser waits for its last page.
type PageSlot = Option<tokio::sync::oneshot::Sender<Page>>;

impl Waiting<'_> {
    async fn wait(
        &self,
        mut sources: AnswerSources,
    ) -> Result<Result<view::Connection, Failure>, Error> {
        let clock = &**self.sign_in.engine.clock();
        while clock.now() < self.until {
            let (params, page) = match sources.next(clock, LOOK).await {
                Brought::Nothing => match self.elsewhere().await? {
                    Some(result) => return Ok(result),
                    None => continue,
                },
                Brought::Browser(callback) => (callback.params, Some(callback.page)),
                Brought::Line(line) => match CallbackParams::pasted(&line, &self.redirect_uri) {
                    Some(params) => (params, None),
                    None => {
                        let wanted = &self.redirect_uri;
                        self.person.tell(&format!("this is not a URL that begins with {wanted}"));
                        continue;
                    }
                },
            };
            let callback = SignInCallback { params, cookie: None };
            match finish(self.sign_in.engine, callback).await {
                Ok(Finished::Ended { state_hash, result }) => {
                    let last = shown(&result);
                    show(page, &last);
                    // Another's, which this process has finished for it.
                    if state_hash == self.state_hash {
                        self.part(&mut sources, &last).await;
                        return Ok(*result);
                    }
                }
                // Whatever comes here that is not our own ends nothing, however often.
                Ok(Finished::Refused(text)) => {
                    if page.is_none() {
                        self.person.tell(&text);
                    }
                    show(page, &Page::failed(text));
                }
                Err(error) => {
                    let last = Page::failed(error.to_string());
                    show(page, &last);
                    self.part(&mut sources, &last).await;
                    return Err(error);
                }
            }
        }
        Ok(Err(Failure::new(Code::Timeout, "nobody came back from the vendor's page")
            .with_hint("begin again; over SSH, paste the URL that the browser ends up at")))
    }

    /// The end of this sign-in, if another process has finished it.
    async fn elsewhere(&self) -> Result<Option<Result<view::Connection, Failure>>, Error> {
        let engine = self.sign_in.engine;
        match engine.store().await?.consents.result(&self.state_hash).await {
            Ok(ConsentResult::Done(row)) => Ok(Some(match outcome::from_json(&row) {
                Ok(()) => Ok(stored(engine, &self.key).await?),
                Err(failure) => Err(failure),
            })),
            Ok(ConsentResult::Pending | ConsentResult::Unknown) => Ok(None),
            // The browser may still come here.
            Err(error) => {
                tracing::debug!(%error, "the result of the sign-in could not be read");
                Ok(None)
            }
        }
    }

    /// The browser has a moment to take its page; one that asks for it again gets it again.
    async fn part(&self, sources: &mut AnswerSources, last: &Page) {
        sources.pasted = None;
        if sources.listener.is_none() {
            return;
        }
        for _ in 0..MOST_LATE {
            let next = sources.next(&**self.sign_in.engine.clock(), FAREWELL).await;
            let Brought::Browser(Callback { params, page }) = next else { return };
            let ours = params.state_hashes().contains(&self.state_hash);
            let over = || Page::failed("The sign-in is over.".to_owned());
            show(Some(page), &if ours { last.clone() } else { over() });
        }
    }
}

fn show(page: PageSlot, shown: &Page) {
    // The browser may be gone.
    drop(page.map(|page| page.send(shown.clone())));
}

fn shown(result: &Result<view::Connection, Failure>) -> Page {
    match result {
        Ok(account) => Page::done(signed_in(account)),
        Err(failure) => Page::failed(failure.message.clone()),
    }
}

/// Listens where the redirect points; a port in use leaves pasting.
async fn listen(
    call: &ConnectCall,
    person: &dyn Person,
) -> Result<(Option<Listener>, String), Failure> {
    let mut redirect = Url::parse(&call.redirect).map_err(|error| {
        Failure::new(Code::InvalidInput, format!("the redirect is not a URL: {error}"))
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
