//! The head of a thread of texts between one agent and one contact.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ConversationId, Direction, Key, MessageId, PhoneNumber, RunId};

/// The head of a conversation; its texts are listed under its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The agent's id.
    pub agent: String,
    /// The contact.
    pub contact: PhoneNumber,
    /// When it began.
    pub created_at: Timestamp,
    /// When the last text came or went.
    pub last_at: Timestamp,
    /// When the contact last wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_inbound_at: Option<Timestamp>,
    /// Our number that the contact last wrote to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// The last text that really came or went, but words of the law and notices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_text: Option<LastText>,
    /// Set while a person has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<Handoff>,
    /// Texts that wait for their turn, first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lane: Vec<MessageId>,
    /// Texts that the gate deferred: outside the lane until their time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<MessageId>,
    /// The text whose attempt has no known outcome: nothing overtakes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<MessageId>,
}

/// The last text of a conversation, as silences are counted from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastText {
    /// When it came, or the attempt at it began.
    pub at: Timestamp,
    /// The text.
    pub message: MessageId,
    /// Who wrote it.
    pub direction: Direction,
}

/// That a person has the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// A name of `[people]`.
    pub to: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// The run that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The timer that frees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Key>,
}
