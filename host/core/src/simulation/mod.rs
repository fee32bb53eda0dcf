//! A seeded simulator: the engine under a virtual clock that jumps, on a disk
//! that fills up and may see the host crash at any commit, with providers that
//! lose requests, lose answers, repeat and reorder webhooks, with files that are
//! edited, and with contacts who write, call and say STOP at any moment.
//! Everything follows from one number, and a failing number is made short.
//!
//! After every event the invariants of [`invariants`] are checked against what
//! the pretend provider really did. This module decides nothing about texts or
//! runs: that is the engine's, which is called as the server calls it.

mod agenda;
mod approvals;
mod campaigns;
mod contacts;
mod definitions;
mod doubles;
mod driver;
mod events;
mod host;
mod invariants;
mod provider;
mod random;
mod scenario;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "scripts are written and played by the proofs alone"
    )
)]
mod script;
mod sending;
mod shrink;
mod story;
mod taking;
mod truth;
mod weather;

pub use driver::{Report, Simulation};
pub use scenario::{Faults, Scenario};
pub use shrink::shrink;
pub use story::{Failure, Shrunk};

#[cfg(test)]
mod tests;
