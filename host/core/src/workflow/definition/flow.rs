//! Actions that decide which steps are taken, how often, and by whom.

use serde::{Deserialize, Serialize};

use crate::workflow::expression::{Expression, Value};

/// One of several ways, by a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// What decides, compared as text.
    pub on: Value,
    /// The texts, each with the first of its steps.
    pub cases: Vec<(String, usize)>,
    /// The first step when it is none of them, where there is an `else`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<usize>,
    /// The step after all of these.
    pub end: usize,
}

impl Switch {
    /// The step after the last of the case that begins here.
    pub fn end_of(&self, first: usize) -> usize {
        let firsts = self.cases.iter().map(|(_, first)| *first);
        let later = firsts.chain(self.otherwise).filter(|other| *other > first);
        later.min().unwrap_or(self.end)
    }
}

/// One of several ways, by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Names and weights, in the file's order; the weights are not all zero.
    pub arms: Vec<(String, u32)>,
}

/// The same steps for each of several things: those right behind it, up to the
/// [`Action::Next`] that names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// Of what, in which order, how many.
    #[serde(flatten)]
    pub items: Items,
}

/// Several things, one after another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// A list.
    #[serde(rename = "in")]
    pub list: Value,
    /// What one of them is called in expressions.
    #[serde(rename = "as")]
    pub name: String,
    /// Only those for which this is true.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// The field they are sorted by; a `-` in front turns the order around.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Several lists of steps at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parallel {
    /// The first step of each and the one after its last.
    pub branches: Vec<(usize, usize)>,
}

/// Another workflow, for the same contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallWorkflow {
    /// Its name or its id.
    pub name: String,
    /// What it sees as `event.input`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<(String, Value)>,
    /// Whether the run waits for its end.
    #[serde(default)]
    pub wait: UntilWhen,
}

/// How long a run waits for something that it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UntilWhen {
    /// Until that has ended.
    #[default]
    Finished,
    /// Not at all.
    None,
}
