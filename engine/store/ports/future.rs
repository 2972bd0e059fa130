//! What every method of a port returns.

use std::{future::Future, pin::Pin};

use crate::store::error::Error;

/// See the module.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
