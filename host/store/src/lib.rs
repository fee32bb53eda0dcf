//! Where ringback keeps things: one trait with one write, an in-memory store
//! for tests and the simulator, and sled behind a journal of our own.
//!
//! This crate owns durability: what `commit` acknowledged survives a kill and a
//! power cut. It must not know what the keys mean, and it decides nothing about
//! runs, texts or numbers.

mod embedded;
mod error;
mod memory;
mod permit;
mod store;

#[cfg(test)]
mod conformance;

pub use embedded::{Options, Sled, archive};
pub use error::Error;
pub use memory::Memory;
pub use permit::{Permit, commit_with};
pub use store::{
    Answer, Commit, Committed, Direction, Health, MAX_BATCH, MAX_KEY, MAX_VALUE, Outcome, Store,
};

/// Bytes that are free for us on the disk of a folder; none when it cannot be
/// known.
pub fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}
