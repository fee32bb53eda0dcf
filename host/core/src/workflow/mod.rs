//! The workflow language: a YAML file becomes a checked definition.

mod definition;
pub mod expression;

pub use definition::*;
