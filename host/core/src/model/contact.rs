//! A person at the other end, by number. The record exists from the first time
//! the number is seen, so that "has opted out" is checked as a revision of it
//! and not as an absence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{ConversationId, MessageId, PhoneNumber, RunId, TextedBy};
use crate::workflow::Intent;

/// The guard record of a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// The number.
    pub phone: PhoneNumber,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// Set while the contact must not be texted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<OptOut>,
    /// IANA name, when known better than from the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What is known of the person: `first_name`, `email`, …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Json>,
    /// Since when the contact is a lead: somebody told us of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_since: Option<Timestamp>,
    /// Words that people and workflows put on them, in the order of coming.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// To which kinds of texts they agreed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consent: BTreeMap<Intent, Consent>,
    /// The conversations, one for each agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<Thread>,
    /// The runs that are under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunRef>,
    /// What was sent lately, to see repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Recent>,
    /// The campaign that texted them last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Box<TextedBy>>,
}

impl Contact {
    /// A number that is seen for the first time.
    pub fn new(phone: PhoneNumber, now: Timestamp) -> Self {
        Self {
            phone,
            created_at: now,
            opted_out: None,
            zone: None,
            fields: Map::new(),
            lead_since: None,
            tags: Vec::new(),
            consent: BTreeMap::new(),
            threads: Vec::new(),
            runs: Vec::new(),
            recent: Vec::new(),
            campaign: None,
        }
    }
}

/// That the contact agreed to texts of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Since when.
    pub at: Timestamp,
    /// How it is known: a form, a call, a spreadsheet.
    pub source: String,
}

/// A line about a contact, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactNote {
    /// When it was written.
    pub at: Timestamp,
    /// The run that wrote it; none for a program or person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The line.
    pub text: String,
}

/// That the contact said stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// Since when.
    pub at: Timestamp,
    /// How it is known.
    pub how: OptOutSource,
    /// The text that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The one text that may still go: our confirmation of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<MessageId>,
    /// The answer to a HELP that came since: whoever asks may be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<MessageId>,
}

/// How an opt-out is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOutSource {
    /// The contact texted it.
    Text,
    /// The provider refused a text for it.
    Provider,
    /// A program or person recorded it.
    Api,
    /// A workflow took it from what the contact wrote.
    Workflow,
}

/// A conversation with one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The agent's id.
    pub agent: String,
    /// The conversation.
    pub conversation: ConversationId,
}

/// A run that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRef {
    /// The run.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
}

/// A text that was sent lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// A short hash of our number and the body.
    pub digest: u64,
    /// When the attempt began.
    pub at: Timestamp,
    /// The text.
    pub message: MessageId,
}
