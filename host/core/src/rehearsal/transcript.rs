//! What was seen: who said what and when, and what the workflow did about it.

use jiff::Timestamp;
use serde::Serialize;

/// Who speaks in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The business.
    Us,
    /// The contact.
    Them,
    /// Nobody: it says what happened.
    Note,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The same with the contact's offset.
    pub contact_time: String,
    /// The same with the business's offset.
    pub business_time: String,
    /// Who speaks.
    pub by: By,
    /// A word: `text`, `call`, `started`, `waits`, `chose`, `work`, `deferred`,
    /// `not_sent`, `delivery`, `handoff`, `finished`, …
    pub what: String,
    /// The words that were said, or a sentence.
    pub body: String,
    /// The step it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The workflow, when it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// To whom a text goes, when that is not the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Radio segments of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<u32>,
    /// What became of a text of ours in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why a text was not sent, or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when something waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether it only repeats what another entry says; people are not shown it.
    #[serde(skip)]
    pub(super) quiet: bool,
}

/// How a run of the workflow ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// `finished`, `failed`, `cancelled`, or `running` when it still waits.
    pub status: String,
    /// The word or sentence with which it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// A workflow, played through. It prints as a chat for people, in the contact's
/// time; its JSON is for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transcript {
    /// The workflow's name.
    pub workflow: String,
    /// The contact.
    pub contact: String,
    /// The contact's zone.
    pub contact_zone: String,
    /// The zone of the business.
    pub business_zone: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When the last thing happened.
    pub ended_at: Timestamp,
    /// What was seen, in order.
    pub entries: Vec<Entry>,
    /// The runs of the workflow, in the order of their starts.
    pub runs: Vec<End>,
    /// How many texts went to the contact.
    pub texts: u32,
    /// How many segments they take.
    pub segments: u32,
    /// Why it was cut off, when it would have gone on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}
