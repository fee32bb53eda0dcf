//! The workflow language: a YAML file becomes a checked definition. Owns the
//! words of the language and what they mean; reads no files and runs nothing.

mod definition;
mod duration;
pub mod expression;

pub use definition::*;
