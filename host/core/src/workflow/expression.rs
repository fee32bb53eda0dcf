//! Expressions and templates: their source, compiled once, and evaluated over a
//! scope of plain values. Text from contacts is only ever a value in the scope.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A bare expression: `answer.timed_out`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression(pub(crate) String);

/// Text with `{{ … }}` in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub(crate) String);

/// A regular expression without backtracking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub(crate) String);

/// A value in one of the three forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// As written.
    Literal(Json),
    /// `${{ … }}`: keeps its type.
    Expression(Expression),
    /// Text with `{{ … }}` in it.
    Template(Template),
}
