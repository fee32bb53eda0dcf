//! The HTTP side.
pub mod hooks;
