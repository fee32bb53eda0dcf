//! The workflow language: a YAML file becomes a checked definition. Owns the
//! words of the language and what they mean; reads no files and runs nothing.

mod case;
mod definition;
mod diagnostic;
mod duration;
pub mod expression;
mod known;
mod language;
mod parse;
mod reference;
mod schema;
mod together;
mod yaml;

pub use case::*;
pub use definition::*;
pub use diagnostic::{Diagnostic, Severity};
pub use known::{Checks, Known, ShapeChecks};
pub use parse::{MAX_STEPS, Parsed, Workflow, hash, id_of_broken, parse};
pub use reference::reference;
pub use schema::{SCHEMA_FILE, schema};
pub use together::{File, together};

pub(crate) use duration::seconds as duration_seconds;
pub(crate) use known::nearest as nearest_word;
pub(crate) use parse::slug;
#[cfg(test)]
pub(crate) use parse::tests::corpus;
