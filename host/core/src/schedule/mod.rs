//! Cron expressions and opening hours on wall time, mapped to real instants.
//!
//! Everything takes the instant and the zone as arguments; nothing here reads a
//! clock, keeps what has fired, or decides what to do about a missed firing.

pub mod cron;
mod days;
pub mod hours;
mod wall;

pub use cron::{Cron, Firing, Missed};
pub use hours::Hours;
pub(crate) use wall::first_instant;
