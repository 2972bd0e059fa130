//! An answer as it arrives: read whole, or handed on as it comes.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::{
    model::{
        action::Accept,
        http::{CONTENT_TYPE, Fields, HeaderMap, Response},
    },
    run::{gate::Pass, note::UnderWay},
    template::demand::Demand,
    wire::{self, Answer},
};

/// So much of a body that goes to somebody else is looked at by rules, in bytes: answers that say
/// how a request fared are shorter, and what is longer is data.
const LOOK: u64 = 1 << 20;

/// What becomes of the body of an accepted answer.
#[derive(Clone, Copy)]
pub enum Reading<'a> {
    /// It becomes a value, as far as anything reads it.
    Whole {
        /// How it is read.
        accept: Accept,
        /// What of it is read.
        demand: &'a Demand,
        /// Whether it is a fault if it cannot be read.
        needed: bool,
    },
    /// It goes to somebody else as it comes.
    Through {
        /// Whether rules read the bodies of good answers, so that the beginning is waited for.
        looks: bool,
        /// Whether it comes in the coding that the request asked for: rules see it decoded.
        coded: bool,
        /// Where an answer goes that is refused, if anybody wants it all the same.
        refused: Option<&'a Refusal>,
    },
}

impl Reading<'_> {
    /// Nothing is known of the next answer yet.
    pub fn begin(self) {
        if let Self::Through { refused: Some(refusal), .. } = self {
            drop(refusal.take());
        }
    }

    /// An answer is refused: it is for whoever wants it all the same.
    pub fn refuse(self, response: &Response, read: Bytes, rest: Option<wire::Body>) {
        if let Self::Through { refused: Some(refusal), .. } = self {
            let (status, headers) = (response.status, response.headers.clone());
            let mut slot = refusal.0.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some(Refused { status, headers, read, rest });
        }
    }
}

/// The last answer, if it was refused.
#[derive(Default)]
pub struct Refusal(Mutex<Option<Refused>>);

impl Refusal {
    /// Takes it.
    pub fn take(&self) -> Option<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An answer that was refused, as it was sent.
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The beginning of its body, which was looked at.
    pub read: Bytes,
    /// The rest.
    pub rest: Option<wire::Body>,
}

/// An answer, as far as it has been read.
pub struct Arrival {
    /// With what has been read of the body, decoded.
    pub response: Response,
    /// The same as it was sent.
    pub read: Bytes,
    /// The rest of a body that goes to somebody else.
    pub rest: Option<wire::Body>,
    /// Whether `response` holds all of the body.
    pub complete: bool,
    /// Whether it is not meant to end: an event stream, another protocol.
    pub endless: bool,
}

/// Reads of an answer what has to be read before it can be judged.
pub async fn receive(answer: Answer, reading: Reading<'_>) -> Result<Arrival, wire::Error> {
    let (looks, coded) = match reading {
        Reading::Whole { .. } => {
            let response = answer.collect().await?;
            let read = Bytes::new();
            return Ok(Arrival { response, read, rest: None, complete: true, endless: false });
        }
        Reading::Through { looks, coded, .. } => (looks, coded),
    };
    let Answer { status, headers, mut body, upgrade } = answer;
    let endless = upgrade.is_some() || is_event_stream(&headers);
    let success = (200..300).contains(&status);
    // Whoever takes it keeps nothing of it: it may be as long as it likes, and what is looked at
    // has a limit of its own.
    body.lift_cap();
    let mut read = Bytes::new();
    let mut complete = false;
    if !endless && (looks || !success) {
        read = body.read(LOOK).await?;
        complete = u64::try_from(read.len()).is_ok_and(|length| length < LOOK);
    }
    body.lift_deadline();
    let look = usize::try_from(LOOK).unwrap_or(usize::MAX);
    let seen =
        if coded { wire::beginning(&headers, read.clone(), look).await } else { read.clone() };
    let response = Response { status, headers, body: seen };
    Ok(Arrival { response, read, rest: Some(body), complete, endless })
}

/// WHATWG HTML, section 9.2.
fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The body of an accepted answer on its way. Its record and its place in the API's limits end
/// with it.
pub struct Arriving {
    read: Bytes,
    body: wire::Body,
    under_way: Option<UnderWay>,
}

impl Arriving {
    /// `read`: its beginning, which was looked at.
    pub fn new(read: Bytes, mut body: wire::Body, under_way: UnderWay, pass: Option<Pass>) -> Self {
        if let Some(pass) = pass {
            body.keep(pass);
        }
        Self { read, body, under_way: Some(under_way) }
    }

    /// The next piece.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, wire::Error> {
        if !self.read.is_empty() {
            return Ok(Some(std::mem::take(&mut self.read)));
        }
        let chunk = self.body.chunk().await;
        match &chunk {
            Ok(Some(_)) => {}
            Ok(None) => {
                if let Some(under_way) = self.under_way.take() {
                    under_way.arrived();
                }
            }
            Err(error) => {
                if let Some(under_way) = self.under_way.take() {
                    under_way.lost(error);
                }
            }
        }
        chunk
    }
}
