//! The shell around the engine. It loads facts, lets [`ringback_core::engine`]
//! decide, commits the batch, and only then carries out the commands; it keeps
//! timers, performs the connectors' requests, and takes up changed files.

pub(crate) mod clock;
mod connectors;
mod files;
pub(crate) mod history;
mod hosts;
mod outside;
mod pacing;
mod perform;
pub(crate) mod plugins;
pub(crate) mod rehearsing;
mod retention;
pub(crate) mod running;
mod shell;
mod start;
mod state;
mod timers;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use connectors::{Connector, Connectors};
pub(crate) use outside::{Outside, read_rows};
pub(crate) use start::start;
pub(crate) use state::{Error, Host, Parts};
pub(crate) use wire::Requests;

use start::after;
