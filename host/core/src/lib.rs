//! The pure part of ringback: vocabulary, rules, the workflow language and the
//! engine. Nothing in this crate does I/O, reads a clock or draws a random
//! number; time, ids and facts are handed in.

pub mod engine;
pub mod model;
mod planted;
pub mod policy;
pub mod rehearsal;
pub mod schedule;
pub mod simulation;
pub mod sms;
pub mod workflow;
