//! The vocabulary every other module speaks.

mod batch;
mod secret;

pub use batch::{Batch, Key, Precondition, Revision, State, Versioned};
pub use secret::Secret;
