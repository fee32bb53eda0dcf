//! A phone call, in either direction.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{CallId, Direction, PhoneNumber, Problem, RunId};

/// Where a call is. The words are RevRing's, with `NO_ANSWER` and `BUSY` added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CallStatus {
    /// Asked for, or just heard of.
    Initiated,
    /// A phone rings.
    Ringing,
    /// Somebody, or a machine, took it.
    InProgress,
    /// It ended after it was taken.
    Completed,
    /// Nobody took it.
    NoAnswer,
    /// The line was taken.
    Busy,
    /// It could not be connected.
    Failed,
    /// The caller hung up first, or it was called off.
    Canceled,
    /// Whether it was started is not known; a person decides.
    Unknown,
}

impl CallStatus {
    /// The word used in every API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::Ringing => "RINGING",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::NoAnswer => "NO_ANSWER",
            Self::Busy => "BUSY",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::NoAnswer | Self::Busy | Self::Failed | Self::Canceled
        )
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Ours.
    pub id: CallId,
    /// The provider's, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The connection it came or went through.
    pub connection: String,
    /// The agent's id; none for a number that no agent owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// The other party; none when it hid its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<PhoneNumber>,
    /// Our number.
    pub number: PhoneNumber,
    /// Where it is.
    pub status: CallStatus,
    /// Whether a machine took it.
    #[serde(default)]
    pub voicemail: bool,
    /// Whether `call.missed` or `call.completed` was raised for it; never twice.
    #[serde(default)]
    pub raised: bool,
    /// The run whose step waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What a voice agent is told about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Json>,
    /// Seconds of ringing before giving up, for calls of ours.
    #[serde(default)]
    pub ring_for: u32,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The provider's own cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Talk time in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// What was agreed, when the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Turns, as the provider gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Json>,
    /// Where the recording is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<String>,
    /// When it was asked for or heard of.
    pub created_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
}
