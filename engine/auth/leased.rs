//! The wire of whoever holds a lease: no request is sent that could be under way when it ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    auth::request::TIMEOUT,
    clock::Clock,
    model::http::Authorized,
    store::{LeaseHeld, Secrets},
    wire::{Error, Exchange, Wire},
};

/// How long a lease lasts.
pub const TERM: Duration = Duration::from_mins(2);

/// A lease, and the wire that it opens.
pub struct Leased {
    /// Where it was taken.
    pub secrets: Arc<dyn Secrets>,
    /// The network.
    pub wire: Arc<dyn Wire>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// As granted.
    pub held: LeaseHeld,
    /// Its end on the boot clock.
    pub end: Mutex<Duration>,
}

impl Leased {
    /// Prolongs it. Where that fails it ends when it ends, and nothing more is sent.
    pub async fn renew(&self) {
        let asked = self.clock.boot();
        match self.secrets.renew(&self.held, TERM).await {
            Ok(true) => self.set(asked + TERM),
            Ok(false) => self.set(Duration::ZERO),
            Err(error) => tracing::warn!(%error, "the lease of a refresh could not be prolonged"),
        }
    }

    /// Gives it back.
    pub async fn release(&self) {
        if let Err(error) = self.secrets.release(&self.held).await {
            tracing::warn!(%error, "the lease of a refresh could not be given back");
        }
    }

    fn set(&self, end: Duration) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    fn lasts(&self) -> bool {
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock.boot() + TIMEOUT < end
    }
}

impl Wire for Leased {
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a> {
        Box::pin(async move {
            if !self.lasts() {
                self.renew().await;
            }
            if !self.lasts() {
                let reason = "another process has taken the refresh over".to_owned();
                return Err(Error::Refused { host: "the token endpoint".to_owned(), reason });
            }
            self.wire.send(request).await
        })
    }
}
