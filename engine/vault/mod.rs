//! Keys, and sealing under them. Knows no table: what is sealed is bound to the place that its
//! caller names, and opens nowhere else.

pub mod seal;
pub mod error;
pub mod key;
pub mod ring;
pub mod passphrase;

pub use error::Error;
pub use key::{KeyFile, KeySource};
pub use ring::Ring;
pub use seal::{Key, KeyId, Place};
