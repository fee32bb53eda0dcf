//! The shell around the engine. It loads facts, lets [`ringback_core::engine`]
//! decide, commits the batch, and only then carries out the commands; it keeps
//! timers, performs the connectors' requests, and takes up changed files.

pub mod clock;
mod connectors;
mod files;
mod hosts;
mod perform;
pub mod plugins;
mod shell;
mod start;
mod timers;
mod wire;

pub use connectors::{Connector, Connectors};
pub use files::{FileState, Files};
pub use shell::{Error, Host, Parts};
pub use start::start;
pub use wire::Requests;

use start::after;
