//! What starts a run: the events and the clock, with their filters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::workflow::expression::{Expression, Pattern, Value};

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
    /// A call came to another status.
    #[serde(rename = "call.status")]
    CallStatus(CallFilter),
    /// A text of ours came to another status.
    #[serde(rename = "message.status")]
    MessageStatus(StatusFilter),
    /// A text of ours was not sent, or did not arrive.
    #[serde(rename = "message.failed")]
    MessageFailed(StatusFilter),
    /// A contact became a lead.
    #[serde(rename = "lead.created")]
    LeadCreated(LeadFilter),
    /// What is known of a lead changed.
    #[serde(rename = "lead.updated")]
    LeadUpdated(LeadFilter),
    /// Another program called our address.
    #[serde(rename = "webhook")]
    Webhook(Webhook),
    /// Nobody wrote in a conversation for a while.
    #[serde(rename = "conversation.idle")]
    ConversationIdle(Idle),
    /// A person took a conversation.
    #[serde(rename = "conversation.handoff")]
    ConversationHandoff,
    /// A contact opted out.
    #[serde(rename = "contact.opted_out")]
    ContactOptedOut,
    /// A contact opted in again.
    #[serde(rename = "contact.opted_in")]
    ContactOptedIn,
    /// A run of a workflow ended.
    #[serde(rename = "workflow.finished")]
    WorkflowFinished(FinishedFilter),
    /// A program or plugin told of something.
    #[serde(rename = "plugin.event")]
    PluginEvent(PluginFilter),
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
            Self::CallStatus(_) => "call.status",
            Self::MessageStatus(_) => "message.status",
            Self::MessageFailed(_) => "message.failed",
            Self::LeadCreated(_) => "lead.created",
            Self::LeadUpdated(_) => "lead.updated",
            Self::Webhook(_) => "webhook",
            Self::ConversationIdle(_) => "conversation.idle",
            Self::ConversationHandoff => "conversation.handoff",
            Self::ContactOptedOut => "contact.opted_out",
            Self::ContactOptedIn => "contact.opted_in",
            Self::WorkflowFinished(_) => "workflow.finished",
            Self::PluginEvent(_) => "plugin.event",
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
    /// Only in one of these statuses (`RINGING`, …); empty means any. Of
    /// `call.status` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
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
    /// Seconds within which texts of one conversation are one turn; none takes
    /// each by itself. Of a trigger alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<u64>,
}

/// Which changes of a text's status are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFilter {
    /// Only to one of these (`delivered`, …); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
}

/// Which changes of a lead are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadFilter {
    /// Only when one of these fields changed; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// An address of ours that other programs call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// What stands after `/in/`.
    pub path: String,
    /// How it is known that the call is genuine; none takes everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// What makes a call the same as one before: then nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<Value>,
}

/// A signature: HMAC with SHA-256 over the body as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// The name of the secret, without its `secret:`.
    pub hmac_sha256: String,
    /// The header that carries the signature.
    pub header: String,
}

/// A silence in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idle {
    /// Seconds since the last text.
    pub after: u64,
    /// Only when the last text was theirs, or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_from: Option<Party>,
}

/// One of the two who write in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The business.
    Us,
    /// The contact.
    Them,
}

/// Which ends of runs are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedFilter {
    /// Only runs of this workflow, by its name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only with one of these outcomes, or statuses (`failed`); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcome: Vec<String>,
}

/// Which words of plugins and programs are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFilter {
    /// Only of this plugin or program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Only of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
