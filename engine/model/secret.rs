//! `Secret`: a string that cannot be printed.

use std::fmt;

use zeroize::Zeroizing;

/// A token, a key, a password. It has no `Display` and no `Serialize`, its `Debug` hides it, and
/// its memory is wiped when it is dropped. Only `auth` and `vault` may [`expose`] it.
///
/// [`expose`]: Secret::expose
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the string over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The string itself. Every call is held to its places by `tests/house.rs`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
