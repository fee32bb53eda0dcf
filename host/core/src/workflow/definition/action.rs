//! What a step does.

use serde::{Deserialize, Serialize};

use super::{
    Call, CallWorkflow, Classify, Compose, Extract, ForEach, Http, Lead, Notify, On, OptOut,
    Parallel, Split, Switch, Uses,
};
use crate::workflow::expression::{Expression, Template, Value};
use crate::workflow::language;

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
    /// Done once for ever under what this comes to; skipped when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Value>,
    /// Seconds after which it counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether it is tried again when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What becomes of the run when it has failed for good; none is the action's
    /// own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// The step that follows it when it is done, where that is not the next of the
    /// list: behind the steps that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
    /// What is done.
    pub action: Action,
}

impl Step {
    /// An action without conditions.
    pub fn plain(id: String, action: Action) -> Self {
        Self {
            id,
            name: None,
            condition: None,
            once: None,
            timeout: None,
            retry: None,
            on_error: None,
            after: None,
            action,
        }
    }
}

/// Trying a failed step again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often, after the first time.
    pub max: u32,
    /// How the pauses grow.
    pub backoff: Backoff,
    /// Seconds before the first of them.
    pub from: u64,
    /// The longest pause in seconds.
    pub up_to: u64,
}

/// How the pauses between tries grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Not at all.
    Fixed,
    /// Each is twice the one before.
    #[default]
    Exponential,
}

/// What becomes of a run whose step has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It fails.
    Fail,
    /// It goes on; the step's result says what went wrong.
    Continue,
    /// It goes on at this step, and from there past the failed one.
    Steps(usize),
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
    /// Goes one of several ways.
    Switch(Switch),
    /// Goes one of several ways by chance, for each contact always the same.
    Split(Split),
    /// Does the steps after it, up to its end, for each of several things.
    ForEach(ForEach),
    /// Does several lists of steps at the same time.
    Parallel(Parallel),
    /// Starts another workflow.
    CallWorkflow(CallWorkflow),
    /// Makes a request.
    Http(Http),
    /// Calls a plugin's step.
    Uses(Uses),
    /// Tells a person of the business.
    Notify(Notify),
    /// Asks a model which label fits a text.
    Classify(Classify),
    /// Asks a model what a text says.
    Extract(Extract),
    /// Lets a model write a text, and sends it.
    Compose(Compose),
    /// Places a call.
    Call(Call),
    /// Changes what is known of the contact.
    Lead(Lead),
    /// Frees the conversation.
    Release,
    /// Opts the contact out, and ends the run.
    OptOut(OptOut),
    /// Sets values, visible under `vars` in later steps.
    Set(Set),
    /// Writes a line into the run's timeline.
    Log(Log),
    /// Ends the run.
    Stop(Stop),
    /// Nothing that an author wrote: goes on at another step.
    Jump {
        /// Which.
        to: usize,
    },
    /// Nothing that an author wrote: the end of a `for_each`, back to its head.
    Next {
        /// The `for_each`.
        to: usize,
    },
}

impl Action {
    /// Whether somebody outside answers it, with its result.
    pub fn is_answered_outside(&self) -> bool {
        matches!(
            self,
            Self::Http(_)
                | Self::Uses(_)
                | Self::Notify(_)
                | Self::Classify(_)
                | Self::Extract(_)
                | Self::Compose(_)
                | Self::Call(_)
        )
    }

    /// The fields that its result has beside those of every step.
    pub fn result_fields(&self) -> Vec<&str> {
        let form = language::action(self.word()).and_then(|action| action.form.as_ref());
        let own = form.map_or(&[][..], |form| form.results);
        let named = match self {
            Self::Extract(extract) => extract.fields.as_slice(),
            _ => &[],
        };
        let named = named.iter().map(|(name, _)| name.as_str());
        let own = own.iter().copied().filter(|field| *field != "*");
        own.chain(named).collect()
    }

    /// The agent that it names.
    pub fn agent(&self) -> Option<&str> {
        let agent = match self {
            Self::Send(send) => &send.agent,
            Self::Compose(compose) => &compose.agent,
            Self::Call(call) => &call.agent,
            _ => return None,
        };
        agent.as_deref()
    }

    /// The key it has in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Wait(_) => "wait",
            Self::WaitFor(_) => "wait_for",
            Self::Handoff(_) => "handoff",
            Self::Switch(_) => "switch",
            Self::Split(_) => "split",
            Self::ForEach(_) => "for_each",
            Self::Parallel(_) => "parallel",
            Self::CallWorkflow(_) => "call_workflow",
            Self::Http(_) => "http",
            Self::Uses(_) => "uses",
            Self::Notify(_) => "notify",
            Self::Classify(_) => "classify",
            Self::Extract(_) => "extract",
            Self::Compose(_) => "compose",
            Self::Call(_) => "call",
            Self::Lead(_) => "lead",
            Self::Release => "release",
            Self::OptOut(_) => "opt_out",
            Self::Set(_) => "set",
            Self::Log(_) => "log",
            Self::Stop(_) => "stop",
            Self::Jump { .. } | Self::Next { .. } => "",
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
pub struct Awaited {
    /// The event.
    #[serde(flatten)]
    pub on: On,
    /// A condition over the event, as `event`, and what else the run sees.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
}

impl From<On> for Awaited {
    fn from(on: On) -> Self {
        Self {
            on,
            condition: None,
        }
    }
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

/// A line in the run's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The line.
    pub message: Template,
}

/// Ends the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Kept as the run's outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Value>,
}
