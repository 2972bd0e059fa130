//! An answer: its head, and then its body as it comes.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Frame, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    model::http::{HeaderMap, Response},
    wire::{deadline, error::Error},
};

/// An answer whose head is there.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// What follows the head; nothing, if the connection is handed over.
    pub body: Body,
    /// The connection itself, after `101 Switching Protocols`.
    pub upgrade: Option<Upgrade>,
}

impl Answer {
    /// An answer that is there already.
    pub fn whole(response: Response) -> Self {
        let Response { status, headers, body } = response;
        let frames = Full::new(body).map_err(|never| match never {});
        let limits = BodyLimits { cap: u64::MAX, silence: None, whole: None };
        Self { status, headers, body: Body::new(frames, String::new(), limits), upgrade: None }
    }

    /// Reads the whole body, under its limits.
    pub async fn collect(self) -> Result<Response, Error> {
        let Self { status, headers, mut body, .. } = self;
        let body = body.read(u64::MAX).await?;
        Ok(Response { status, headers, body })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status)
    }
}

/// A connection that speaks another protocol from here on.
pub struct Upgrade(hyper::upgrade::OnUpgrade);

impl Upgrade {
    /// Of an answer with status 101.
    pub fn new(promised: hyper::upgrade::OnUpgrade) -> Self {
        Self(promised)
    }

    /// The connection, to be read and written.
    pub async fn open(self) -> Result<TokioIo<hyper::upgrade::Upgraded>, hyper::Error> {
        self.0.await.map(TokioIo::new)
    }
}

/// What ends the reading of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Of what is handed out, decoded, in bytes.
    pub cap: u64,
    /// The longest wait for the next piece.
    pub silence: Option<Duration>,
    /// Of the whole exchange: when it is over, and how long it was, for the message.
    pub whole: Option<(Instant, Duration)>,
}

/// The frames of a body, trailers included: decoded, capped, under time limits. Something may be
/// given in its keep, which is dropped at its end.
pub struct Body {
    frames: Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = Error> + Send>>,
    host: String,
    limits: BodyLimits,
    passed: u64,
    alarm: Option<Pin<Box<Sleep>>>,
    /// Turns of other tasks since the alarm.
    turns: u32,
    kept: Option<Box<dyn Send>>,
}

impl Body {
    /// `host` is for messages.
    pub fn new(
        frames: impl hyper::body::Body<Data = Bytes, Error = Error> + Send + 'static,
        host: String,
        limits: BodyLimits,
    ) -> Self {
        Self {
            frames: Box::pin(frames),
            host,
            limits,
            passed: 0,
            alarm: None,
            turns: 0,
            kept: None,
        }
    }

    /// Lifts the cap, for a reader that keeps nothing of it.
    pub fn lift_cap(&mut self) {
        self.limits.cap = u64::MAX;
    }

    /// Lifts the limit of the whole exchange; silence still ends it.
    pub fn lift_deadline(&mut self) {
        self.limits.whole = None;
    }

    /// Keeps something until the last frame has been handed out, or the body is dropped.
    pub fn keep(&mut self, kept: impl Send + 'static) {
        self.kept = Some(Box::new(kept));
    }

    /// The next piece of data; trailers are passed over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.frame().await.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_trailers)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Reads to the end, or until there are `enough` bytes. A body of one piece is not copied.
    pub async fn read(&mut self, enough: u64) -> Result<Bytes, Error> {
        let announced = self.frames.size_hint().exact();
        if announced.is_some_and(|length| length > self.limits.cap) {
            return Err(self.too_large());
        }
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        loop {
            let read = u64::try_from(first.len() + rest.len()).unwrap_or(u64::MAX);
            if read >= enough {
                break;
            }
            let Some(chunk) = self.chunk().await? else { break };
            if first.is_empty() && rest.is_empty() {
                first = chunk;
                continue;
            }
            if rest.is_empty() {
                let whole = announced.map(|length| length.min(enough));
                let whole = whole.and_then(|length| usize::try_from(length).ok());
                rest.reserve(whole.unwrap_or(0).max(first.len() + chunk.len()));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&chunk);
        }
        Ok(if rest.is_empty() { first } else { rest.freeze() })
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { host: self.host.clone(), limit: self.limits.cap }
    }

    /// Ready when the next piece is overdue.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let silence = self.limits.silence.map(|limit| (Instant::now() + limit, limit));
        let soonest = silence.into_iter().chain(self.limits.whole).min();
        let Some((at, limit)) = soonest else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        ready!(alarm.as_mut().poll(cx));
        if self.turns < deadline::TURNS {
            self.turns += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Error::Timeout { host: self.host.clone(), limit, sent: true })
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = self.frames.as_mut().poll_frame(cx);
        if let Poll::Ready(frame) = polled {
            // The silence is broken: the next one is another.
            self.alarm = None;
            self.turns = 0;
            let data = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => {
                    self.kept = None;
                    0
                }
            };
            self.passed = self.passed.saturating_add(u64::try_from(data).unwrap_or(u64::MAX));
            if self.passed > self.limits.cap {
                return Poll::Ready(Some(Err(self.too_large())));
            }
            return Poll::Ready(frame);
        }
        self.overdue(cx).map(|error| Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
