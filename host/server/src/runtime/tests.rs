//! The shell as a whole over stores that count, hold much, or are slow.

mod files;
mod flat;
mod words;
pub(crate) mod world;
