//! The shell as a whole over stores that count, hold much, or are slow.

mod files;
mod flat;
pub(crate) mod world;
