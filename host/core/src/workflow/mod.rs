//! The workflow language: a YAML file becomes a checked definition. Owns the
//! words of the language and what they mean; reads no files and runs nothing.

mod definition;
mod duration;
pub mod expression;

pub use definition::*;

/// A checked workflow file.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Its meaning.
    pub definition: Definition,
    /// The hash of its meaning, as hexadecimal digits.
    pub hash: String,
    /// The file's text.
    pub source: String,
}
