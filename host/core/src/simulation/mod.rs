//! A seeded simulator: the engine under a virtual clock, on a disk that may see
//! the host crash at any commit, with providers that lose requests, lose answers,
//! repeat and reorder webhooks, and with contacts who write, call and say STOP at
//! any moment. Everything follows from one number.
//!
//! After every event the invariants of [`invariants`] are checked against what
//! the pretend provider really did. This module decides nothing about texts or
//! runs: that is the engine's, which is called as the server calls it.

mod contacts;
mod driver;
mod host;
mod invariants;
mod provider;
mod random;
mod scenario;
mod sending;
mod story;
mod truth;

pub use driver::{Report, Simulation};
pub use scenario::{Faults, Scenario};
pub use story::Failure;

#[cfg(test)]
mod tests;
