//! An answer on its way down. The run that brings it goes on only while somebody takes its body:
//! that is the back-pressure, and one who goes away ends it.
//!
//! A body whose length is known is taken no further than that (RFC 9112, section 6.3), one that is
//! empty by its status not at all: what the run has left to do by then is done without a reader.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc::{self, error::TryRecvError};

use crate::{
    model::http::{Fields, HeaderMap},
    proxy::fields::down,
    run::Sink,
};

/// Pieces that may wait: a head and some data.
const WAITING: usize = 2;

enum Piece {
    Head(u16, HeaderMap),
    Data(Bytes),
    End,
}

/// Where the run puts the answer.
pub struct Intake(mpsc::Sender<Piece>);

impl Sink for Intake {
    fn head(&mut self, status: u16, headers: &HeaderMap) {
        // It is the first, and there is room for it; nobody may be left to take it.
        let _unheard = self.0.try_send(Piece::Head(status, headers.clone()));
    }

    fn data(&mut self, data: Bytes) -> io::Result<()> {
        self.0.try_send(Piece::Data(data)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            // Room for the piece, and for the end behind it.
            let _room_or_nobody = self.0.reserve_many(WAITING).await.map(drop);
        })
    }

    fn end(&mut self) {
        let _unheard = self.0.try_send(Piece::End);
    }

    fn takes_refusals(&self) -> bool {
        true
    }
}

type Run<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What comes of a run, first.
pub enum Relayed<T: Send + 'static> {
    /// An answer: its status, its fields, its body.
    Answer(u16, HeaderMap, Relay<T>),
    /// There is none.
    Ended(T),
}

/// What is left of a run whose answer is with its reader already.
pub type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who reads an answer.
pub struct Reader {
    /// Whether a body is read at all: of an answer to HEAD none is.
    pub reads_body: bool,
    /// Does what is left of the run when the whole answer was taken.
    pub finish: Box<dyn Fn(Rest) + Send + Sync>,
}

/// The body of an answer.
pub struct Relay<T: Send + 'static> {
    pieces: mpsc::Receiver<Piece>,
    /// Never shared: the lock makes it one that could be.
    run: Mutex<Option<Run<T>>>,
    ended: bool,
    reader: Reader,
    /// Bytes that will still be taken, if that is known.
    left: Option<u64>,
}

/// Runs until the head of the answer is there, or none will come.
pub async fn relay<T, W>(reader: Reader, run: impl FnOnce(Intake) -> W) -> Relayed<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let (send, pieces) = mpsc::channel(WAITING);
    let run: Run<T> = Box::pin(run(Intake(send)));
    let run = Mutex::new(Some(run));
    let mut relay = Relay { pieces, run, ended: false, reader, left: None };
    match poll_fn(|cx| relay.poll_head(cx)).await {
        Ok((status, headers)) => {
            let headers = down(&headers);
            relay.left = if relay.reader.reads_body { length(status, &headers) } else { Some(0) };
            Relayed::Answer(status, headers, relay)
        }
        Err(result) => Relayed::Ended(result),
    }
}

/// How many bytes follow a head, if it says so (RFC 9112, section 6.3).
fn length(status: u16, headers: &HeaderMap) -> Option<u64> {
    if matches!(status, 204 | 304) {
        return Some(0);
    }
    headers.text(CONTENT_LENGTH)?.parse().ok()
}

impl<T: Send + 'static> Relay<T> {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(u16, HeaderMap), T>> {
        let ended = self.poll_run(cx);
        // Nothing comes before it.
        match (self.pieces.try_recv(), ended) {
            (Ok(Piece::Head(status, headers)), _) => Poll::Ready(Ok((status, headers))),
            (_, Some(result)) => Poll::Ready(Err(result)),
            (_, None) => Poll::Pending,
        }
    }

    /// Lets the run go on; what it came to, once.
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Option<T> {
        let slot = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        match slot.as_mut()?.as_mut().poll(cx) {
            Poll::Ready(result) => {
                *slot = None;
                Some(result)
            }
            Poll::Pending => None,
        }
    }
}

impl<T: Send + 'static> Drop for Relay<T> {
    fn drop(&mut self) {
        let slot = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (Some(run), Some(0)) = (slot.take(), self.left) {
            self.pieces.close();
            (self.reader.finish)(Box::pin(async move { drop(run.await) }));
        }
    }
}

impl<T: Send + 'static> Body for Relay<T> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        // Only the run brings pieces, and it is let go on here: no piece comes while nobody looks.
        let mut waited_for = false;
        loop {
            match self.pieces.try_recv() {
                Ok(Piece::Data(data)) => {
                    let taken = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(taken));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Piece::End) => self.ended = true,
                Ok(Piece::Head(..)) => {}
                // The run is over, and all it brought is gone.
                Err(TryRecvError::Disconnected) if self.ended => return Poll::Ready(None),
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    let broken = io::Error::other("the answer broke off");
                    return Poll::Ready(Some(Err(broken)));
                }
                Err(TryRecvError::Empty) if waited_for => return Poll::Pending,
                Err(TryRecvError::Empty) => {
                    waited_for = true;
                    drop(self.poll_run(cx));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// One whose rests are run at once.
    fn reader(reads_body: bool) -> Reader {
        let finish = |rest: Rest| drop(tokio::spawn(rest));
        Reader { reads_body, finish: Box::new(finish) }
    }

    async fn bring(mut sink: Intake, pieces: usize, whole: bool) -> &'static str {
        sink.head(200, &HeaderMap::new());
        for _ in 0..pieces {
            sink.ready().await;
            if sink.data(Bytes::from_static(b"abc")).is_err() {
                return "left";
            }
        }
        sink.ready().await;
        if whole {
            sink.end();
        }
        "done"
    }

    #[tokio::test]
    async fn a_body_comes_whole_or_breaks_off() {
        for (pieces, whole) in [(0, true), (1, true), (1000, true), (5, false)] {
            let Relayed::Answer(status, _, body) =
                relay(reader(true), |sink| bring(sink, pieces, whole)).await
            else {
                panic!("no head")
            };
            assert_eq!(status, 200);
            match body.collect().await {
                Ok(body) => assert_eq!((body.to_bytes().len(), whole), (3 * pieces, true)),
                Err(error) => assert!(!whole, "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_brought_that_nobody_takes() {
        let brought = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&brought);
        let run = |mut sink: Intake| async move {
            sink.head(200, &HeaderMap::new());
            loop {
                sink.ready().await;
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if sink.data(Bytes::from_static(b"abc")).is_err() {
                    return;
                }
            }
        };
        let Relayed::Answer(_, _, mut body) = relay(reader(true), run).await else {
            panic!("no head")
        };
        for taken in 1..10 {
            body.frame().await.unwrap().unwrap();
            assert!(brought.load(std::sync::atomic::Ordering::Relaxed) <= taken + WAITING);
        }
    }

    #[tokio::test]
    async fn without_a_head_there_is_only_what_it_came_to() {
        let Relayed::Ended(said) = relay(reader(true), |_sink| async { "refused" }).await else {
            panic!("a head")
        };
        assert_eq!(said, "refused");
    }
    #[tokio::test]
    async fn a_run_whose_answer_was_taken_comes_to_its_end() {
        for (status, length, reads_body, taken, ends) in [
            (200, Some("6"), true, 2, true),
            (200, Some("6"), true, 1, false),
            (200, Some("0"), true, 0, true),
            (200, Some("6"), false, 0, true),
            (204, None, true, 0, true),
            (304, Some("6"), true, 0, true),
            (200, None, true, 2, false),
        ] {
            let (done, mut is_done) = mpsc::channel(1);
            let run = |mut sink: Intake| async move {
                let length = length.map(|text| (CONTENT_LENGTH, text.parse().unwrap()));
                sink.head(status, &length.into_iter().collect());
                for _ in 0..taken {
                    sink.ready().await;
                    sink.data(Bytes::from_static(b"abc")).unwrap();
                }
                // The record of the run.
                tokio::task::yield_now().await;
                sink.ready().await;
                sink.end();
                done.send(()).await.unwrap();
            };
            let Relayed::Answer(_, _, mut body) = relay(reader(reads_body), run).await else {
                panic!("no head")
            };
            for _ in 0..taken {
                body.frame().await.unwrap().unwrap();
            }
            drop(body);
            assert_eq!(is_done.recv().await.is_some(), ends, "{status} {length:?} {taken}");
        }
    }
}
