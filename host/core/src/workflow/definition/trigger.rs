//! What starts a run: the events and the clock, with their filters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::workflow::expression::{Expression, Pattern};

/// One reason to start a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// The event.
    pub on: On,
    /// A condition over `event` (and what else the context holds).
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
}

/// The events that can start a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum On {
    /// A call ended and nobody spoke.
    #[serde(rename = "call.missed")]
    CallMissed(CallFilter),
    /// A call ended after somebody spoke.
    #[serde(rename = "call.completed")]
    CallCompleted(CallFilter),
    /// A contact's text that nothing before it claimed.
    #[serde(rename = "message.received")]
    MessageReceived(TextFilter),
    /// The clock.
    #[serde(rename = "schedule")]
    Schedule(Schedule),
    /// The API or the command line.
    #[serde(rename = "manual")]
    Manual(Manual),
}

impl On {
    /// The word it has in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CallMissed(_) => "call.missed",
            Self::CallCompleted(_) => "call.completed",
            Self::MessageReceived(_) => "message.received",
            Self::Schedule(_) => "schedule",
            Self::Manual(_) => "manual",
        }
    }
}

/// Which way a call or text went, seen from the business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the contact to us.
    Inbound,
    /// From us to the contact.
    Outbound,
}

/// Which calls are meant; everything that is left out matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallFilter {
    /// Only calls in this direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Only from one of these numbers (E.164); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Only to one of these numbers (E.164); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Only calls of this agent's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whether a call that a machine answered counts as missed; none is the
    /// default: yes for outbound calls, no for inbound ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voicemail_counts_as_missed: Option<bool>,
}

/// Which texts are meant; everything that is left out matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextFilter {
    /// Only texts to this agent's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_agent: Option<String>,
    /// Only from one of these numbers (E.164); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Only texts whose body this pattern is found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Pattern>,
}

/// When the clock starts a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields, or six with seconds in front; checked at load.
    pub cron: String,
    /// IANA name; none means the business's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What happens to firings that came while the host was down.
    #[serde(default)]
    pub missed: Missed,
    /// What happens while the run of an earlier firing is still active.
    #[serde(default)]
    pub overlap: Overlap,
}

/// Firings that came while the host was down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The latest one is run.
    #[default]
    RunOnce,
    /// Every one is run, oldest first, at most 100.
    All,
}

/// A firing while an earlier one's run is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is left out, with its reason kept.
    #[default]
    Skip,
    /// It starts when the active one has ended; at most one waits.
    Queue,
    /// It runs beside it.
    Allow,
}

/// What a manual start may bring along.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manual {
    /// Name and type of each input; checked when a run is started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input: BTreeMap<String, InputType>,
}

/// The type of an input of a manual start. In a file a question mark after the
/// type makes it optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputType {
    /// What the value must be.
    pub kind: InputKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What an input's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Any string.
    String,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A phone number; becomes E.164.
    Phone,
    /// Any JSON value.
    Any,
}
