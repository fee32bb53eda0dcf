//! Something that must happen at a time, whatever happens to the process.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConversationId, MessageId, PhoneNumber, RunId};

/// A durable timer. It is stored under its due time, removed and acted on in one
/// batch, and dropped when what it belongs to has moved on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// When it is due.
    pub due: Timestamp,
    /// What it is for.
    pub task: Task,
}

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// A run goes on.
    Wake {
        /// The run.
        run: RunId,
    },
    /// A text that was deferred, or waits for another try, is taken up again.
    Text {
        /// The text.
        message: MessageId,
    },
    /// The provider is asked what became of an unknown text.
    Settle {
        /// The text.
        message: MessageId,
    },
    /// A conversation that a person has is free again.
    Release {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A schedule fires.
    Tick {
        /// The workflow's id.
        workflow: String,
        /// Which of its triggers.
        trigger: usize,
    },
    /// The texts that were folded into one turn start their run.
    Turn {
        /// The conversation.
        conversation: ConversationId,
        /// The workflow's id.
        workflow: String,
        /// Which of its triggers.
        trigger: usize,
    },
    /// A conversation may have been silent for long enough.
    Silence {
        /// The conversation.
        conversation: ConversationId,
        /// The workflow's id.
        workflow: String,
        /// Which of its triggers.
        trigger: usize,
    },
    /// The next texts of a campaign may leave.
    Line {
        /// The campaign's id.
        campaign: String,
    },
    /// The texts that wait in a campaign's line are told why, from a number on.
    Relabel {
        /// The campaign's id.
        campaign: String,
        /// The first of them.
        from: u64,
    },
    /// What waited for a campaign to go on starts.
    Begin {
        /// The campaign's id.
        campaign: String,
    },
    /// How a text ended is counted for its campaign.
    Tally {
        /// The text.
        message: MessageId,
    },
    /// What a contact said is counted for the campaign that texted them last.
    Heard {
        /// Who said it.
        contact: PhoneNumber,
    },
}
