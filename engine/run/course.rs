//! The course of a request: where it goes first, and where redirects lead it.

use ::http::header::{ACCEPT_ENCODING, LOCATION, RANGE};

use crate::{
    model::http::{ACCEPT, Body, Fields, HeaderMap, HeaderName, Request, Response},
    policy::{
        redact,
        redirect::{self, Asked, Hop, Hosts, Stay},
    },
    run::{context::Context, prepared::Prepared, request::Rendered},
};

/// What goes along to a host that is open and no more.
const BARE: [HeaderName; 2] = [ACCEPT, RANGE];

/// See the module.
pub struct Course {
    asked: Prepared,
    moved: Option<Box<Moved>>,
}

/// A request that redirects have moved.
pub struct Moved {
    rendered: Rendered,
    /// How many there were.
    hops: u32,
    bare: bool,
}

/// A redirect that is not followed.
pub struct Unfollowed {
    /// For people: where it points, and why it is not followed.
    pub message: String,
    /// What the reader can do.
    pub hint: Option<String>,
}

impl Course {
    /// A request that has not been sent yet.
    pub fn new(asked: Prepared) -> Self {
        Self { asked, moved: None }
    }

    /// What was asked for, before any redirect.
    pub fn asked(&self) -> &Prepared {
        &self.asked
    }

    /// The request as it is to be sent now.
    pub fn rendered(&self) -> &Rendered {
        self.moved.as_ref().map_or(&self.asked.rendered, |moved| &moved.rendered)
    }

    /// Whether it goes to a host that is open and no more: without credentials, and what comes back
    /// says nothing of the connection.
    pub fn is_bare(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.bare)
    }

    /// Goes on over there.
    pub fn follow(&mut self, moved: Box<Moved>) {
        self.moved = Some(moved);
    }

    /// Where an answer sends it; `None`, if it does not.
    pub fn next(
        &self,
        cx: &Context<'_>,
        response: &Response,
    ) -> Option<Result<Box<Moved>, Unfollowed>> {
        if !redirect::is_redirect(response.status) {
            return None;
        }
        let location = response.headers.text(LOCATION)?;
        let Request { method, url, .. } = &*self.rendered().request;
        let asked = Asked { method, url, bare: self.is_bare() };
        let requests = &cx.blueprint().requests;
        let (trusted, open) = (&requests.hosts, &requests.open_hosts);
        let hosts = Hosts { base: &self.asked.base.url, trusted, open };
        let hops = self.moved.as_ref().map_or(0, |moved| moved.hops);
        Some(match redirect::target(asked, hosts, response.status, &location) {
            Ok(hop) if hops < redirect::MOST => Ok(Box::new(self.hop(cx, hop, hops + 1))),
            Ok(hop) => Err(unfollowed(&Stay {
                target: Some(hop.url),
                reason: "it is one redirect too many",
                host: false,
            })),
            Err(stay) => Err(unfollowed(&stay)),
        })
    }

    fn hop(&self, cx: &Context<'_>, hop: Hop, hops: u32) -> Moved {
        let before = self.rendered();
        let Hop { method, url, bare } = hop;
        let mut request = Request { url, ..Request::clone(&before.request) };
        if method != request.method {
            request.body = Body::Empty;
            let own = cx.blueprint().idempotency_header.as_ref();
            request.headers = kept(&request.headers, |name| {
                !name.as_str().starts_with("content-")
                    && !name.as_str().starts_with("if-")
                    && Some(name) != own
            });
            request.method = method;
        }
        if bare {
            let coded = request.coded;
            request.headers = kept(&request.headers, |name| {
                BARE.contains(name) || coded && name == ACCEPT_ENCODING
            });
        }
        Moved { rendered: before.moved(request), hops, bare }
    }
}

impl Moved {
    /// Where it goes, as it may be shown.
    pub fn target(&self) -> String {
        redact::place(&self.rendered.request.url)
    }
}

fn kept(headers: &HeaderMap, keeps: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let fields = headers.iter().filter(|(name, _)| keeps(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn unfollowed(stay: &Stay) -> Unfollowed {
    let target = stay.target.as_ref().map(redact::place);
    let to = target.map_or_else(String::new, |target| format!(" to `{target}`"));
    let message = format!("redirected{to}, which is not followed: {}", stay.reason);
    let hint = "if the host is the API's, name it in `requests.hosts`, where credentials go along, \
                or in `requests.open_hosts`, where they do not";
    Unfollowed { message, hint: stay.host.then(|| hint.to_owned()) }
}
