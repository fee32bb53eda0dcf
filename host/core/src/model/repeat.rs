//! What is kept to see a repeat, and since when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// That a repeatable request was bound to its body before it had an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// A hash of the body.
    pub digest: String,
    /// Since when.
    pub at: Timestamp,
}

/// A [`Binding`] as it may be stored: programs before retention kept the hash alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredBinding {
    /// With its time.
    Dated(Binding),
    /// Of nobody knows when.
    Bare(String),
}

impl StoredBinding {
    /// The hash of the body.
    pub fn digest(&self) -> &str {
        match self {
            Self::Dated(binding) => &binding.digest,
            Self::Bare(digest) => digest,
        }
    }
}
