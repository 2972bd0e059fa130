//! The right to work on the tokens of a connection, and the wire of whoever has it: no request is
//! sent that could be under way when the lease ends.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};

use crate::{
    auth::request::TIMEOUT,
    clock::Clock,
    model::{
        account::Connection,
        failure::{Code, Failure},
        http::Authorized,
    },
    store::{self, Basis, LeaseAnswer, LeaseAsk, LeaseHeld, Secrets},
    wire::{Error, Exchange, Wire},
};

/// How long a lease lasts.
pub const TERM: Duration = Duration::from_mins(2);
/// Between looks at a lease that another has: doubled from the first to the second.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// What refreshes and revocations need.
pub struct World {
    /// Tokens, and who may change them.
    pub secrets: Arc<dyn Secrets>,
    /// The token endpoint.
    pub wire: Arc<dyn Wire>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who holds our leases; unique to this process.
    pub holder: String,
}

/// What a connection, as it is stored now, needs.
pub enum Need {
    /// A lease.
    Lease,
    /// Nothing any more.
    Nothing,
}

/// How waiting for a lease ended.
pub enum Lease {
    /// With the connection as it is under the lease.
    Granted(Box<Connection>, Arc<Leased>),
    /// It is not needed any more: the connection as stored.
    NotNeeded(Box<Connection>),
}

/// Waits for the right to work on the tokens of an account that is still the same incarnation.
/// `need` judges the connection before each look at the lease.
pub async fn lease(
    world: &World,
    of: &Basis,
    need: impl Fn(&Connection) -> Result<Need, Failure>,
) -> Result<Lease, Failure> {
    let (mut look, mut waited) = (LOOKS[0], Duration::ZERO);
    loop {
        let connection = read(world, of).await?;
        match need(&connection)? {
            Need::Nothing => return Ok(Lease::NotNeeded(Box::new(connection))),
            Need::Lease => {}
        }
        let ask = LeaseAsk {
            key: of.key.clone(),
            incarnation: of.incarnation.clone(),
            generation: connection.secrets.generation,
            holder: world.holder.clone(),
            term: TERM,
        };
        // The term counts from before the call: we are through before the store is.
        let asked = world.clock.boot();
        match world.secrets.lease(ask).await.map_err(|error| broken(&error))? {
            LeaseAnswer::Granted(connection) => {
                let fence = connection.secrets.fence;
                let holder = world.holder.clone();
                let leased = Arc::new(Leased {
                    secrets: Arc::clone(&world.secrets),
                    wire: Arc::clone(&world.wire),
                    clock: Arc::clone(&world.clock),
                    held: LeaseHeld { key: of.key.clone(), holder, fence },
                    end: Mutex::new(asked + TERM),
                    prolonged: AtomicBool::new(true),
                });
                // What it is under the lease counts: it may be another account by now, or paused.
                let same = connection.account.incarnation == of.incarnation;
                match need(&connection) {
                    Ok(Need::Lease) if same => return Ok(Lease::Granted(connection, leased)),
                    needed => {
                        leased.release().await;
                        if !same {
                            continue;
                        }
                        needed?;
                        return Ok(Lease::NotNeeded(connection));
                    }
                }
            }
            LeaseAnswer::Overtaken => {}
            LeaseAnswer::Taken if waited > TERM + TERM / 2 => {
                return Err(Failure::new(
                    Code::Timeout,
                    "another process works on the tokens of this connection and does not finish",
                ));
            }
            LeaseAnswer::Taken => {
                world.clock.sleep(look).await;
                waited += look;
                look = (look * 2).min(LOOKS[1]);
            }
        }
    }
}

/// The connection as stored, if it is still the same one.
pub async fn read(world: &World, of: &Basis) -> Result<Connection, Failure> {
    match world.secrets.open(&of.key).await {
        Ok(Some(found)) if found.account.incarnation == of.incarnation => Ok(found),
        Ok(_) => {
            Err(Failure::new(Code::Unauthorized, format!("{} does not exist any more", of.key)))
        }
        Err(error) => Err(broken(&error)),
    }
}

/// The failure of a store that fails.
pub fn broken(error: &store::Error) -> Failure {
    Failure::new(Code::Internal, error.to_string())
}

/// A lease, and the wire that it opens.
pub struct Leased {
    secrets: Arc<dyn Secrets>,
    wire: Arc<dyn Wire>,
    clock: Arc<dyn Clock>,
    held: LeaseHeld,
    /// On the boot clock.
    end: Mutex<Duration>,
    /// Whether the store has taken what it was last asked for.
    prolonged: AtomicBool,
}

impl Leased {
    /// Does work, and prolongs the lease as long as it takes: a session may have many steps.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match select(work, self.clock.sleep(TERM / 4)).await {
                Either::Left((outcome, _)) => return outcome,
                Either::Right(((), rest)) => {
                    work = rest;
                    self.renew().await;
                }
            }
        }
    }

    /// Prolongs it. Where that fails it ends when it ends, and nothing more is sent.
    pub async fn renew(&self) {
        let asked = self.clock.boot();
        let renewed = self.secrets.renew(&self.held, TERM).await;
        self.prolonged.store(renewed.is_ok(), Ordering::Relaxed);
        match renewed {
            Ok(true) => self.set(asked + TERM),
            Ok(false) => self.set(Duration::ZERO),
            Err(error) => tracing::warn!(%error, "the lease on tokens could not be prolonged"),
        }
    }

    /// Whether the store took the last prolongation: a full disk does not.
    pub fn was_prolonged(&self) -> bool {
        self.prolonged.load(Ordering::Relaxed)
    }

    /// Gives it back.
    pub async fn release(&self) {
        if let Err(error) = self.secrets.release(&self.held).await {
            tracing::warn!(%error, "the lease on tokens could not be given back");
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
                let reason =
                    "another process has taken over the tokens of this connection".to_owned();
                return Err(Error::Refused { host: "the token endpoint".to_owned(), reason });
            }
            self.wire.send(request).await
        })
    }
}
