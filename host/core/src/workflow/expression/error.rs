//! What can be wrong with an expression, at load and when it is evaluated.

use std::ops::Range;

use minijinja::ErrorKind;

use super::MAX_OUTPUT;

/// Why an expression, a template or a pattern could not be compiled or
/// evaluated. Never holds a value of a contact beyond what the author named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The source is not in the language.
    #[error("{message}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The bytes of the source that it is about, where that is known.
        at: Option<Range<usize>>,
    },
    /// Something undefined was printed, or looked into.
    #[error("{0}")]
    Undefined(String),
    /// Anything else that went wrong in a sound expression.
    #[error("{0}")]
    Evaluation(String),
    /// It worked for too long: 50,000 steps.
    #[error("it takes too long (more than 50,000 steps)")]
    OutOfFuel,
    /// The text a template made is too long.
    #[error("the text is longer than {MAX_OUTPUT} bytes")]
    TooLong,
}

impl Error {
    pub(crate) fn syntax(message: String) -> Self {
        Self::Syntax { message, at: None }
    }
}

impl From<minijinja::Error> for Error {
    fn from(error: minijinja::Error) -> Self {
        let message = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        match error.kind() {
            ErrorKind::SyntaxError | ErrorKind::BadEscape => Self::Syntax {
                message,
                at: error.range(),
            },
            ErrorKind::UndefinedError => Self::Undefined(missing(message)),
            ErrorKind::OutOfFuel => Self::OutOfFuel,
            ErrorKind::WriteFailure => Self::TooLong,
            _ => Self::Evaluation(message),
        }
    }
}

/// What to write where something may be missing.
fn missing(message: String) -> String {
    let name = message
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix("` is undefined"));
    match name {
        Some(name) => {
            format!("{message}; where it may be missing, write {name} | default(\"…\")")
        }
        None => message,
    }
}
