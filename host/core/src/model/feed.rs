//! The feed: one entry for everything a person or program may want to follow.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{ConversationId, EventId, MessageId, PhoneNumber, RunId};

/// An entry of the feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id; ids are in the order of time.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// `message.received`, `message.status`, `call.missed`, `run.started`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<PhoneNumber>,
    /// The conversation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The text it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What else is worth knowing.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub data: Json,
}

/// The entries of one commit, as they are stored: together, because a commit has
/// several and each record of its own costs as much as a large one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entries {
    /// In the order of their ids.
    Many(Arc<Vec<Entry>>),
    /// One by itself, as version 0.1.0 wrote them.
    One(Box<Entry>),
}

impl Entries {
    /// All of them, in the order of their ids.
    pub fn into_vec(self) -> Vec<Entry> {
        match self {
            Self::Many(entries) => Arc::unwrap_or_clone(entries),
            Self::One(entry) => vec![*entry],
        }
    }
}

/// A genuine webhook that could not be read: kept so that it can be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawWebhook {
    /// When it came.
    pub at: Timestamp,
    /// The connection it came in on.
    pub connection: String,
    /// `text`, `status`, `call` or `voice`.
    pub hook: String,
    /// Its address.
    pub url: String,
    /// Its headers, without credentials.
    pub headers: Vec<(String, String)>,
    /// Its body, as base64.
    pub body: String,
    /// Why it could not be read.
    pub problem: String,
    /// Whether its signature was found genuine when it came. Older records do not
    /// say; they are checked again before they are read.
    #[serde(default)]
    pub verified: bool,
}
