//! Signatures that go onto requests, pure: keys, texts and times in, texts out.
//!
//! The arithmetic is the crypto library's; what is ours are the texts that get signed.

mod fault;
pub mod digest;
pub mod key;
pub mod jwt;
pub mod oauth1;
pub mod sigv4;

pub use fault::Error;
