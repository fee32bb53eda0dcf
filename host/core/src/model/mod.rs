//! The vocabulary every other module speaks.

mod secret;

pub use secret::Secret;
