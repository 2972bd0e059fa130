//! The sandbox on a real HTTP server on loopback.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    clock::Clock,
    http::{self, Handler, Limits, Reply, Request, Unread, reply},
    model::{
        auth::AuthMode,
        blueprint::Blueprint,
        http::{AUTHORIZATION, Fields, HeaderName, HeaderValue},
        secret::Secret,
        template::Template,
    },
    sandbox::{
        exchange::{Incoming, Outgoing},
        oauth::Oauth,
        respond::respond,
    },
    value::{hex, random},
};

/// Of access tokens, unless somebody wants another.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Told of each request: method, path and status.
pub type Log = Arc<dyn Fn(&str, &str, u16) + Send + Sync>;

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    token: String,
    blueprint: Arc<Blueprint>,
    _running: http::Server,
}

/// What every connection needs.
struct Shared {
    blueprint: Arc<Blueprint>,
    clock: Arc<dyn Clock>,
    base: String,
    token: Option<String>,
    log: Option<Log>,
    oauth: Mutex<Oauth>,
}

/// A sandbox for people who build their own app.
pub struct Open {
    /// What it plays.
    pub blueprint: Arc<Blueprint>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// On 127.0.0.1; 0 is a free one.
    pub port: u16,
    /// Of access tokens; an hour, unless another is wanted.
    pub token_lifetime: Option<Duration>,
    /// Told of each request.
    pub log: Log,
}

impl Server {
    /// Listens on a free port of 127.0.0.1. Takes its own token only.
    pub async fn start(blueprint: Arc<Blueprint>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let token = random();
        Self::listen(0, |base| Shared {
            oauth: Mutex::new(Oauth::new(base.clone(), token.clone(), TOKEN_LIFE)),
            blueprint,
            clock,
            base,
            token: Some(token),
            log: None,
        })
        .await
    }

    /// Takes any token.
    pub async fn open(open: Open) -> io::Result<Self> {
        let Open { blueprint, clock, port, token_lifetime, log } = open;
        let lifetime = token_lifetime.unwrap_or(TOKEN_LIFE);
        Self::listen(port, |base| Shared {
            oauth: Mutex::new(Oauth::new(base.clone(), random(), lifetime)),
            blueprint,
            clock,
            base,
            token: None,
            log: Some(log),
        })
        .await
    }

    /// `shared` is given the base URL.
    async fn listen(port: u16, shared: impl FnOnce(String) -> Shared) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shared = shared(format!("http://{address}"));
        Ok(Self {
            address,
            token: shared.token.clone().unwrap_or_else(|| "any-token".to_owned()),
            blueprint: Arc::clone(&shared.blueprint),
            _running: http::Server::start(vec![listener], Limits::LOCAL, shared),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it takes for an access token, a key or a password.
    pub fn token(&self) -> Secret {
        Secret::new(self.token.clone())
    }

    /// The names of the credentials that the blueprint asks for.
    pub fn credential_names(&self) -> Vec<String> {
        self.blueprint.auth.credentials.properties().map(|(name, _)| name.to_owned()).collect()
    }
}

impl Handler for Shared {
    async fn handle(&self, request: Request) -> Reply {
        let (method, uri) = (request.method.clone(), request.uri.clone());
        let headers = request.headers.clone();
        let outgoing = match request.body().await {
            Err(Unread::TooLarge) => {
                Outgoing::json(413, &json!({"error": "the body is larger than 10 MB"}))
            }
            Err(Unread::Broken) => {
                Outgoing::json(408, &json!({"error": "the body did not come in time"}))
            }
            Ok(body) => {
                let query = uri.query().unwrap_or_default();
                let incoming = Incoming {
                    method: method.as_str().to_owned(),
                    path: uri.path().to_owned(),
                    query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                    headers,
                    body: body.to_vec(),
                };
                decide(self, &incoming).await
            }
        };
        if let Some(log) = &self.log {
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            log(method.as_str(), target, outgoing.status);
        }
        reply(outgoing.status, outgoing.headers, outgoing.body)
    }

    fn busy(&self) -> Reply {
        let outgoing = Outgoing::json(503, &json!({"error": "too many requests at once"}));
        reply(outgoing.status, outgoing.headers, outgoing.body)
    }
}

/// Failures that were asked for, then the token, then the routes.
async fn decide(shared: &Shared, incoming: &Incoming) -> Outgoing {
    match incoming.headers.text("x-sandbox-fail").as_deref() {
        Some("timeout") => {
            // Longer than any client waits; the connection's end ends it.
            shared.clock.sleep(Duration::from_hours(1)).await;
        }
        Some("429") => {
            let mut outgoing = Outgoing::json(
                429,
                &json!({"error": {"code": "too_many_requests", "message": "asked for by x-sandbox-fail"}}),
            );
            outgoing.headers.insert("retry-after", HeaderValue::from_static("1"));
            return outgoing;
        }
        Some(status) => {
            let status = status.parse().ok().filter(|s| (400..600).contains(s)).unwrap_or(500);
            return Outgoing::json(
                status,
                &json!({"error": {"code": "sandbox_failure", "message": "asked for by x-sandbox-fail"}}),
            );
        }
        None => {}
    }
    {
        let mut oauth = shared.oauth.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outgoing) = oauth.answer(incoming, &random(), shared.clock.now()) {
            return outgoing;
        }
    }
    if !admitted(shared, incoming) {
        return Outgoing::json(
            401,
            &json!({"error": {"code": "InvalidAuthenticationToken", "message": "the sandbox issues a token at its start; this is another one, or none"}}),
        );
    }
    respond(&shared.blueprint, incoming, &shared.base, shared.clock.now())
}

/// Whether the request carries the sandbox's token, wherever the blueprint puts it. Without a
/// token of its own the sandbox takes any, but one there must be.
fn admitted(shared: &Shared, incoming: &Incoming) -> bool {
    if matches!(shared.blueprint.auth.mode, AuthMode::None) {
        return true;
    }
    let field = incoming.headers.text(AUTHORIZATION);
    if let Some(token) = field.as_deref().and_then(|field| field.strip_prefix("Bearer ")) {
        let oauth = shared.oauth.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(good) = oauth.is_good(token, shared.clock.now()) {
            return good;
        }
    }
    let basic = |value: &str| {
        let pair = value.strip_prefix("Basic ")?;
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, pair).ok()?;
        String::from_utf8(bytes).ok()
    };
    let fields = incoming
        .headers
        .fields()
        .map(|(_, value)| basic(&value).unwrap_or_else(|| value.into_owned()));
    let mut all = fields.chain(incoming.query.iter().map(|(_, value)| value.clone()));
    match &shared.token {
        Some(token) => {
            all.any(|value| value.contains(token))
                || incoming.path.contains(token)
                || String::from_utf8_lossy(&incoming.body).contains(token)
                // The sandbox is another base URL, so that a key in the path stays behind.
                || shared.blueprint.requests.base_url.source.contains("credentials.")
        }
        None => {
            let secret = |(name, _): &(HeaderName, Template)| incoming.headers.contains_key(name);
            // Where a key goes into the path or the body, there is no telling.
            let requests = &shared.blueprint.requests;
            incoming.headers.contains_key(AUTHORIZATION)
                || requests.headers.iter().any(secret)
                || requests
                    .params
                    .iter()
                    .any(|(name, _)| incoming.query.iter().any(|(n, _)| n == name))
                || requests.base_url.source.contains("credentials.")
        }
    }
}

/// 128 random bits.
fn random() -> String {
    // A predictable token of a loopback server is still only the sandbox's.
    let bytes = random::bytes::<16>().unwrap_or_default();
    format!("sandbox_{}", hex::encode(&bytes))
}
