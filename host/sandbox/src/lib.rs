//! Components: loading, explaining, limiting and calling them.
//!
//! This is the only crate that names wasmtime. It hands plain records to a
//! component and plain records back, so that nobody else has to know what a
//! store, a linker or an instance is.
//!
//! What it must not do: open sockets, read the configuration, keep anything
//! between two calls. Every call gets a fresh instance which is dropped after
//! it; a plugin that spins, hoards, floods or crashes harms its own call only.

mod bindings;
mod cache;
mod call;
mod connect;
mod engine;
mod explain;
mod jwt;
mod keys;
mod limits;
mod load;
mod plugin;
mod settings;
mod state;
mod stderr;

pub use bindings::contract;
pub use call::{Cause, Error as CallError};
pub use connect::{Verified, VerifyError};
pub use engine::{Error, Options, Sandbox};
pub use limits::Limits;
pub use load::Error as LoadError;
pub use plugin::{Connection, Context, Plugin, Role};
pub use settings::Problem;
