//! What a workflow file means: plain data, the same whatever the file's
//! comments and spacing. A run keeps the hash of the definition it began with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::expression::{Expression, Pattern, Template, Value};

/// The meaning of one workflow file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The version of this structure; a newer host reads older ones.
    pub format: u32,
    /// The slug of the name: `missed-call-text-back`.
    pub id: String,
    /// As the file gives it, unique among the workflows.
    pub name: String,
    /// What it is for, in the author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What starts a run; any one of them.
    pub triggers: Vec<Trigger>,
    /// Whom the run is about, as a phone number; none means the other party of
    /// the triggering call or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Value>,
    /// Why the texts are sent; decides the legal window.
    pub intent: Intent,
    /// How often one contact may go through it.
    pub enroll: Enroll,
    /// Events that end a running run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel_on: Vec<CancelOn>,
    /// Constants, visible as `vars`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, Json>,
    /// In order. A nested block becomes steps of the same list with jumps.
    pub steps: Vec<Step>,
    /// What becomes of running runs when the file is deleted.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// Why a text is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Advertising: legal quiet hours apply.
    #[default]
    Marketing,
    /// About something the contact ordered or booked.
    Transactional,
    /// After the contact called.
    CustomerCare,
    /// An answer in a conversation.
    Conversation,
    /// A one-time password.
    Otp,
}

/// How often one contact may be enrolled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Enroll {
    /// What counts as "the same"; none means the contact's phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// Whether the same key may come again.
    #[serde(default)]
    pub again: Again,
    /// Seconds that must have passed since the last run with this key started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_after: Option<u64>,
}

/// Whether a key may be enrolled again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// Once for ever.
    Never,
    /// When no run with the key is active.
    #[default]
    AfterFinished,
    /// Also beside an active run.
    Always,
}

/// What ends a running run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelOn {
    /// The contact texts.
    Reply,
    /// The contact opts out.
    OptOut,
    /// A person takes the conversation.
    Handoff,
    /// A call with the contact is answered.
    CallAnswered,
}

/// What becomes of running runs when their file is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// They go on with the version they began with.
    #[default]
    Finish,
    /// They are cancelled.
    Cancel,
}

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

/// One step: one action, and when it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the file: given, or made from the action and its place.
    pub id: String,
    /// For people, where the author gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Skipped unless true; its result is then `{skipped: true, timed_out: false}`.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Sends a text and goes on when the provider has it (or refused it).
    Send(Send),
    /// Goes on later.
    Wait(Wait),
    /// Goes on when something happens, or when it did not for too long.
    WaitFor(WaitFor),
    /// Gives the conversation to a person.
    Handoff(Handoff),
    /// Sets values, visible under `vars` in later steps.
    Set(Set),
    /// Ends the run.
    Stop(Stop),
}

impl Action {
    /// The key it has in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Wait(_) => "wait",
            Self::WaitFor(_) => "wait_for",
            Self::Handoff(_) => "handoff",
            Self::Set(_) => "set",
            Self::Stop(_) => "stop",
        }
    }
}

/// A text to the run's contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// Whose number and connection; none means the run's agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What is sent.
    pub content: Content,
    /// Addresses of pictures and files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Value>,
    /// One of our numbers, when it is not the agent's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Too late after this time: the text expires instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Value>,
    /// What to do when it stays unknown whether it was sent.
    #[serde(default)]
    pub on_unknown: OnUnknown,
}

/// The words of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Written in the step.
    Body(Template),
    /// The name of an entry of `[templates]`.
    Template(String),
}

/// A text whose outcome stays unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Silence rather than a double: a person decides.
    #[default]
    Hold,
    /// A double rather than silence.
    Resend,
}

/// How long to wait. The parts add up; `at` and `window` then move the time on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Seconds, all units but whole days under `at` added up.
    #[serde(default)]
    pub seconds: u64,
    /// The first such time of day that is at least `seconds` less four hours
    /// away, in the contact's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<TimeOfDay>,
    /// Until this time instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Value>,
    /// Only within these hours of the contact's day; else the next start of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<DayWindow>,
}

/// A time of day, local to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
}

/// Part of a day, `from` before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayWindow {
    /// The first minute inside.
    pub from: TimeOfDay,
    /// The first minute after it.
    pub to: TimeOfDay,
}

/// Waiting for something to happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitFor {
    /// Any one of them ends the wait.
    pub events: Vec<Awaited>,
    /// Seconds until the wait ends with `timed_out`; none waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

/// Something a run can wait for; always of the run's own contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Awaited {
    /// A text from the contact.
    #[serde(rename = "message.received")]
    MessageReceived(TextFilter),
    /// A missed call with the contact.
    #[serde(rename = "call.missed")]
    CallMissed(CallFilter),
    /// A finished call with the contact.
    #[serde(rename = "call.completed")]
    CallCompleted(CallFilter),
}

/// A person takes the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Handoff {
    /// A name of `[people]`.
    pub to: String,
    /// Why, for that person and the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
    /// A last text to the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Template>,
    /// Seconds after which the conversation is free again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_after: Option<u64>,
}

/// Values that later steps see under `vars`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// Name and value, in the file's order.
    pub values: Vec<(String, Value)>,
}

/// Ends the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Kept as the run's outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
}
