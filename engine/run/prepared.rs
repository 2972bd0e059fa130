//! A request that is ready to be sent, and the connection that it was made of: what a renewal of the
//! credentials changes (a host, an account's id) reaches the request at hand.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::{
    auth::{self, OpenCredentials},
    model::failure::{Code, Failure},
    run::{
        context::Context,
        fault,
        invocation::Invocation,
        request::{Base, Rendered, Renderer},
    },
    template::{Fault, Scope},
};

/// Makes a request of the connection as it is by then.
pub type Render<'a> = dyn Fn(Renderer<'_>) -> Result<Rendered, Fault> + Sync + 'a;

/// How a request is made.
#[derive(Clone, Copy)]
pub struct Recipe<'a> {
    /// From templates, or as it is written out.
    pub render: &'a Render<'a>,
    /// What templates see.
    pub scope: &'a Scope<'a>,
}

/// See the module.
pub struct Prepared {
    /// Without credentials.
    pub rendered: Rendered,
    /// Where its path begins.
    pub base: Arc<Base>,
    /// `connection`, where a renewal has changed it since the run began.
    connection: Option<Arc<Value>>,
}

impl Prepared {
    /// Of the connection as it was when the run began, or as it came with newer credentials.
    pub fn new(
        cx: &Context<'_>,
        recipe: Recipe<'_>,
        newer: Option<&OpenCredentials>,
    ) -> Result<Self, Failure> {
        let connection = newer.and_then(OpenCredentials::connection).cloned();
        let (mut scope, mut blueprint) = (recipe.scope.clone(), cx.roots.blueprint(cx.now()));
        if let Some(values) = &connection {
            scope = scope.with("connection", values);
            blueprint = blueprint.with("connection", values);
        }
        let base = match newer.filter(|_| connection.is_some()) {
            Some(held) => Arc::new(base(cx.invocation, held, &blueprint)?),
            None => Arc::clone(cx.base),
        };
        let renderer = Renderer { base: &base, blueprint: cx.blueprint(), scope: &scope };
        let mut rendered = (recipe.render)(renderer).map_err(|f| fault::plain(&f))?;
        // A next link of before the renewal leads to where the API was then.
        move_to(&mut rendered, &cx.base.url, &base.url);
        Ok(Self { rendered, base, connection })
    }

    /// Whether these credentials came with the connection that it was made of.
    pub fn is_of(&self, cx: &Context<'_>, held: &OpenCredentials) -> bool {
        let mine = self.connection.as_deref().unwrap_or(&cx.roots.connection);
        held.connection().is_none_or(|theirs| **theirs == *mine)
    }

    /// What templates see, with the connection that it was made of.
    pub fn scope<'s>(&'s self, scope: Scope<'s>) -> Scope<'s> {
        match &self.connection {
            Some(values) => scope.with("connection", values),
            None => scope,
        }
    }
}

/// A URL of one origin becomes one of the other.
fn move_to(rendered: &mut Rendered, from: &Url, to: &Url) {
    let url = &rendered.request.url;
    if from.origin() == to.origin() || url.origin() != from.origin() {
        return;
    }
    let rest = &url[url::Position::BeforePath..];
    if let Ok(moved) = to.join(rest) {
        Arc::make_mut(&mut rendered.request).url = moved;
    }
}

/// The base URL of a connection, or the sandbox's.
pub fn base(
    invocation: &Invocation,
    held: &OpenCredentials,
    scope: &Scope<'_>,
) -> Result<Base, Failure> {
    let blueprint = &invocation.integration.blueprint;
    let url = match &invocation.base_url {
        Some(text) => Url::parse(text).map_err(|error| {
            Failure::new(Code::Internal, format!("`{text}` is not a URL: {error}"))
        })?,
        None => auth::base_url(blueprint, held, scope).map_err(|f| fault::plain(&f))?,
    };
    Base::new(blueprint, url, scope).map_err(|f| fault::plain(&f))
}

#[cfg(test)]
mod tests {
    //! What becomes of a request whose credentials are refused.

    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use serde_json::json;

    use crate::{
        auth::{CredentialSource, CredentialsFuture, Done, OpenCredentials},
        clock::Clock,
        model::{
            account::{Account, AccountKey, Connection, Credentials},
            blueprint::Integration,
            failure::Code,
            http::{Fields, Request, Response},
            secret::Secret,
        },
        run::rehearsal::{Rehearsal, answer},
        suite::VirtualClock,
        wire,
    };

    /// A connection of OAuth 2 whose token is renewed as often as one likes; `site` is its number.
    struct Renewed {
        integration: Arc<Integration>,
        clock: VirtualClock,
        held: Mutex<Arc<OpenCredentials>>,
        renewable: bool,
        rejected: Mutex<Vec<String>>,
    }

    impl Renewed {
        fn open(
            integration: &Arc<Integration>,
            clock: &VirtualClock,
            number: i64,
        ) -> OpenCredentials {
            let key = AccountKey::parse("acme", "default").unwrap();
            let mut account = Account::new(key, "acc_1".to_owned(), clock.now());
            account.last_refreshed_at = (number > 1).then(|| clock.now());
            let mut connection = Connection::new(account, Credentials::default());
            connection.secrets.generation = number;
            let token = Secret::new(format!("token-{number}"));
            connection.secrets.credentials.fields.insert("access_token".to_owned(), token);
            OpenCredentials::of(&connection, integration)
        }

        /// `renewable`: or else a token that nothing follows.
        fn stage(
            renewable: bool,
            script: impl FnMut(&Request) -> Result<Response, wire::Error> + Send + 'static,
        ) -> (Rehearsal, Arc<Self>) {
            let blueprint = "auth: {auth_mode: OAUTH2, authorization_url: 'https://acme.test/a', token_url: 'https://acme.test/t'}\n\
                requests: {base_url: 'https://{{connection.site}}.acme.test/{{connection.site}}', params: {s: '{{connection.site}}'}, headers: {x-site: '{{connection.site}}', authorization: 'Bearer {{credentials.access_token}}'}}\n\
                connection: {type: object, properties: {site: {type: string, pattern: '^[a-z]+$'}}}\n\
                verify: {get: /me}\nretry: {attempts: 1}\n";
            let action = "steps: [{id: a, post: '/a/{{connection.site}}', query: {q: '{{connection.site}}'}}]\noutput: '{{steps.a.body.n}}'\n";
            let mut found = None;
            let stage =
                Rehearsal::new(blueprint, action, script).with_account(|integration, clock| {
                    let account = Arc::new(Self {
                        integration: Arc::clone(integration),
                        clock: clock.clone(),
                        held: Mutex::new(Arc::new(Self::open(integration, clock, 1))),
                        renewable,
                        rejected: Mutex::default(),
                    });
                    found = Some(Arc::clone(&account));
                    account
                });
            (stage, found.unwrap())
        }
    }

    impl CredentialSource for Renewed {
        fn current(&self) -> CredentialsFuture<'_> {
            Box::pin(std::future::ready(Ok(Arc::clone(&self.held.lock().unwrap()))))
        }

        fn renew<'a>(&'a self, stale: &'a OpenCredentials) -> CredentialsFuture<'a> {
            let open = Self::open(&self.integration, &self.clock, stale.generation + 1);
            let open = open.with_connection(json!({"site": "two", "metadata": {}}));
            *self.held.lock().unwrap() = Arc::new(open);
            self.current()
        }

        fn can_renew(&self) -> bool {
            self.renewable
        }

        fn has_person(&self) -> bool {
            true
        }

        fn reject<'a>(&'a self, reason: &'a str) -> Done<'a> {
            self.rejected.lock().unwrap().push(reason.to_owned());
            Box::pin(std::future::ready(()))
        }
    }

    #[test]
    fn the_repeat_is_made_of_the_connection_that_the_renewal_left() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let (stage, _) = Renewed::stage(true, move |request| {
            let site = request.headers.text("x-site").unwrap().into_owned();
            noted.lock().unwrap().push(format!("{site} {}", request.url));
            let renewed = request.headers.text("authorization").unwrap() == "Bearer token-2";
            Ok(answer(if renewed { 200 } else { 401 }, &[], &json!({"n": 1})))
        });
        assert_eq!(stage.run("run_1", json!({})).output.unwrap(), 1);
        assert_eq!(
            *seen.lock().unwrap(),
            [
                "one https://one.acme.test/one/a/one?q=one&s=one",
                "two https://two.acme.test/two/a/two?q=two&s=two",
            ]
        );
    }

    #[test]
    fn a_token_that_is_new_is_given_some_seconds_whatever_the_method() {
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let (stage, account) = Renewed::stage(true, move |_| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            Ok(answer(if number < 4 { 401 } else { 200 }, &[], &json!({"n": number})))
        });
        let result = stage.run("run_1", json!({}));
        assert_eq!(result.output.unwrap(), 4, "one with the old token, three with the new one");
        assert_eq!(stage.clock().elapsed(), Duration::from_secs(1 + 2 + 4));
        assert_eq!(account.held.lock().unwrap().generation, 2, "renewed once");
    }

    #[test]
    fn a_connection_ends_when_verify_is_refused_as_well_and_only_then() {
        for (verify, renewable, marked) in [
            (200, true, false),
            (200, false, false),
            (503, true, false),
            (401, true, true),
            (401, false, true),
        ] {
            let (stage, account) = Renewed::stage(renewable, move |request| {
                let asks = request.url.path().ends_with("/me");
                let body = json!({"message": "scope does not match"});
                Ok(answer(if asks { verify } else { 401 }, &[], &body))
            });
            let failure = stage.run("run_1", json!({})).output.unwrap_err();
            assert_eq!((failure.code, failure.status), (Code::Unauthorized, Some(401)));
            assert!(!failure.maybe_executed);
            let rejected = account.rejected.lock().unwrap();
            assert_eq!(rejected.len(), usize::from(marked), "{verify} {renewable}");
            assert_eq!(failure.hint.is_some_and(|hint| hint.contains("sign in again")), marked);
        }
    }
}
