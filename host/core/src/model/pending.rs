//! What is kept between an event and the run that it starts: texts that are
//! folded into one turn, silences that are counted, and whose turn it is in a group.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, MessageId, RunId};

/// What a trigger of a workflow keeps of a conversation. It has a timer, and goes
/// when that has been acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pending {
    /// Texts that are one turn.
    Turn {
        /// When the first of them came.
        since: Timestamp,
        /// They, in their order.
        texts: Vec<MessageId>,
        /// The timer that ends the turn.
        timer: Key,
    },
    /// A silence.
    Silence {
        /// The timer at which it is looked at.
        timer: Key,
    },
}

impl Pending {
    /// The timer that acts on it.
    pub fn timer(&self) -> &Key {
        match self {
            Self::Turn { timer, .. } | Self::Silence { timer } => timer,
        }
    }
}

/// Whose turn it is among the runs of a group. What waits stands under the group's
/// key, by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What its runs have in common.
    pub name: String,
    /// The run under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<RunId>,
    /// The number of the first that waits.
    #[serde(default)]
    pub first: u64,
    /// The number that the next one gets.
    #[serde(default)]
    pub next: u64,
}

impl Group {
    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.next.saturating_sub(self.first)
    }
}
