//! `Secret`: a string that cannot be printed.

use std::{fmt, ops::Deref};

use zeroize::Zeroizing;

/// Stands where a secret is not shown.
pub const MASK: &str = "***";

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

/// A text that grows, with secrets in it. It is wiped when it is dropped, and where it was when it
/// moves.
#[derive(Default)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Adds to its end.
    pub fn push_str(&mut self, more: &str) {
        let needed = self.0.len() + more.len();
        if needed > self.0.capacity() {
            // By hand: a string that grows by itself leaves its old place as it was.
            let mut grown = Zeroizing::new(String::with_capacity(2 * needed));
            grown.push_str(&self.0);
            self.0 = grown;
        }
        self.0.push_str(more);
    }
}

impl Deref for SecretText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<String>> for SecretText {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
