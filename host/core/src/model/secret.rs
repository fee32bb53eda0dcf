//! A credential that cannot be printed by accident.

use std::fmt;

/// A secret setting: an auth token, a signing key. It has no `Display` and no
/// `Serialize`, and its `Debug` hides the value, so that it cannot reach a log,
/// an error, the store or an API answer without somebody writing `expose`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that was just read from its source.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the wire or for arithmetic with keys.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
