//! What is the same for every request: where it goes, its id, its line in the log, its errors.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    clock::Clock,
    http::{Handler, Reply, Request, reply},
    model::http::{Fields, Frames, HeaderMap, HeaderName, HeaderValue, Method},
    server::{
        ask::{Ask, Shared},
        counts::NO_ROUTE,
        guard::{Admitted, Guard},
        problem::Problem,
        route::{self, Found},
        settings::ServeSettings,
        table::TABLE,
    },
    value::{hex, random},
};

/// Names a request, here and in the logs of those who sent it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over.
const LONGEST_ID: usize = 128;
/// After this a request may be tried again for which there was no place.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Answers requests.
pub struct Door {
    shared: Arc<Shared>,
    guard: Arc<Guard>,
    base_path: String,
}

impl Door {
    /// With what all handlers share, behind a guard.
    pub fn new(shared: Arc<Shared>, guard: Arc<Guard>, settings: ServeSettings) -> Self {
        Self { shared, guard, base_path: settings.base_path }
    }

    /// The path of the row that answers is told as soon as it is known.
    async fn answer(&self, request: Request, route: &mut &'static str) -> Result<Reply, Problem> {
        if [Method::TRACE, Method::CONNECT].contains(&request.method) {
            let message = "this server neither echoes requests nor opens tunnels";
            return Err(Problem::new(405, "method_not_allowed", message));
        }
        let path = request.uri.path();
        let path = path.strip_prefix(&self.base_path).filter(|rest| rest.starts_with('/'));
        let Some(path) = path else { return Err(Problem::not_found()) };
        let is_head = request.method == Method::HEAD;
        match route::find(TABLE, &request.method, path) {
            Found::Row(row, params) => {
                *route = row.path;
                let admitted = self.guard.admit(&request, row.access).await?;
                let (key, place) = match admitted {
                    Some(Admitted { caller, place }) => (Some(caller), place),
                    None => (None, None),
                };
                let ask = Ask { shared: &self.shared, request, params, key };
                let answered = (row.handle)(ask).await?;
                let answered = if is_head && row.method.is_some() {
                    let (parts, _unsent) = answered.into_parts();
                    reply(parts.status.as_u16(), parts.headers, "")
                } else {
                    answered
                };
                Ok(match place {
                    None => answered,
                    Some(place) => answered.map(|body| holding(body, place)),
                })
            }
            Found::Methods(allowed) => Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => Err(Problem::not_found()),
        }
    }
}

impl Handler for Door {
    async fn handle(&self, request: Request) -> Reply {
        let clock = self.shared.engine.clock();
        let begun = clock.elapsed();
        let id = request_id(&request.headers);
        let (method, path) = (request.method.clone(), request.uri.path().to_owned());
        let mut route = NO_ROUTE;
        let line =
            Line { clock: &**clock, begun, method: &method, path: &path, id: &id, ended: false };
        let mut answered = self.answer(request, &mut route).await.unwrap_or_else(Problem::reply);
        let status = answered.status().as_u16();
        self.shared.counts.count(route, &method, (status, clock.elapsed().saturating_sub(begun)));
        line.end(status);
        if let Ok(id) = HeaderValue::from_str(&id) {
            answered.headers_mut().insert(REQUEST_ID, id);
        }
        answered
    }

    fn busy(&self) -> Reply {
        Problem::too_many(503, "too many requests at once", COME_AGAIN).reply()
    }
}

/// The line of a request in the log: one whose client goes away has one too.
struct Line<'a> {
    clock: &'a dyn Clock,
    begun: Duration,
    method: &'a Method,
    /// Without the query: it may hold what nobody else should read.
    path: &'a str,
    id: &'a str,
    ended: bool,
}

impl Line<'_> {
    fn end(mut self, status: u16) {
        self.ended = true;
        let (id, method, path) = (self.id, self.method.as_str(), self.path);
        tracing::info!(request = id, method, path, status, duration_ms = self.took(), "answered");
    }

    fn took(&self) -> u64 {
        let took = self.clock.elapsed().saturating_sub(self.begun);
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let (id, method, path) = (self.id, self.method.as_str(), self.path);
            tracing::info!(request = id, method, path, duration_ms = self.took(), "left");
        }
    }
}

/// A body with which a place of its key comes back.
fn holding(body: Frames, place: OwnedSemaphorePermit) -> Frames {
    body.map_frame(move |frame| {
        let _held = &place;
        frame
    })
    .boxed()
}

/// The caller's id, if it can stand in a log; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.text(REQUEST_ID).filter(|id| {
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    });
    given.map_or_else(
        // Without randomness requests share an id; nothing but reading logs suffers.
        || hex::encode(&random::bytes::<16>().unwrap_or_default()),
        std::borrow::Cow::into_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_if_it_can_stand_in_a_log() {
        let id = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            request_id(&[(REQUEST_ID, value)].into_iter().collect())
        };
        assert_eq!(id(b"abc-1"), "abc-1");
        for odd in [&b""[..], b"a b", b"\xe9", &[b'x'; 129]] {
            assert_eq!(id(odd).len(), 32);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
