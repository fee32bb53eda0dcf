//! A run of a workflow, its timeline, and what the store keeps of workflows.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{CallId, ConversationId, Key, MessageId, PhoneNumber, RunId};
use crate::workflow::Definition;

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It waits for something.
    Running,
    /// It came to its end, or a `stop`.
    Finished,
    /// An event, a person or a program ended it.
    Cancelled,
    /// A step failed.
    Failed,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Waiting {
    /// A time.
    Time {
        /// When it goes on.
        until: Timestamp,
        /// The timer that wakes it.
        timer: Key,
    },
    /// An event of its contact, as the step at the cursor says.
    Event {
        /// When it gives up.
        until: Option<Timestamp>,
        /// The timer that wakes it then.
        timer: Option<Key>,
    },
    /// The outcome of a text.
    Text {
        /// The text.
        message: MessageId,
    },
    /// A person's word on a text, which then leaves or does not.
    Approval {
        /// The text; how long they have stands there, with the timer.
        message: MessageId,
        /// Who is asked: a name of `[people]`.
        by: String,
        /// How long they have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Another try at the step at the cursor, which failed.
    Retry {
        /// When.
        until: Timestamp,
        /// The timer that wakes it.
        timer: Key,
    },
    /// The end of a call.
    Call {
        /// The call.
        call: CallId,
        /// The timer after which it waits no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Key>,
    },
    /// Something that the step wants done outside.
    Work {
        /// Which of the run's works it is.
        number: u32,
        /// The timer after which it waits no longer.
        timer: Key,
    },
    /// The end of other runs: its own branches, or a workflow that it called.
    Runs {
        /// Those runs.
        runs: Vec<RunId>,
        /// The timer after which it waits no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Key>,
    },
}

/// Why a run is there that no event started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run whose step started it.
    pub run: RunId,
    /// The step after its last, for a branch of a `parallel`: it ends before it,
    /// and with its parent. None for a run of a called workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
}

impl Parent {
    /// Whether the run is a branch of that one.
    pub fn is_branch(&self) -> bool {
        self.until.is_some()
    }
}

/// How far a run is that starts one for each of several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    /// How many slices the things are kept in.
    pub slices: u32,
    /// The next of them.
    pub next: u32,
    /// How many things there are.
    pub things: u32,
    /// For how many of them a run was started.
    pub started: u32,
}

/// Where a `for_each` of a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loop {
    /// The step.
    pub head: usize,
    /// What the present thing is called.
    pub name: String,
    /// The things.
    pub items: Vec<Json>,
    /// Which of them it is at.
    pub at: usize,
}

/// One run of a workflow for one contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The workflow's id.
    pub workflow: String,
    /// The hash of the definition it keeps to the end.
    pub definition: String,
    /// The version number of that definition, for people.
    pub version: u32,
    /// Whom it is about; none when nobody (a schedule that only sets values).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<PhoneNumber>,
    /// The agent that texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Our number that the contact called or wrote to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// The conversation its texts stand in, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The call that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// What started it, as expressions see it.
    pub event: Arc<Json>,
    /// What it was enrolled under.
    pub key: String,
    /// Whether it goes on.
    pub status: RunStatus,
    /// Why it ended: `finished`, a `stop` reason, `reply`, `opt_out`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The run that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The thing that it is about, and what that is called, where its file has a
    /// `for_each` at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<(String, Arc<Json>)>,
    /// How far a run is that starts one for each of several things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan: Option<Fan>,
    /// How many runs and events of runs led to it, one after another.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// The workflows of those runs, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// The group of runs in which it has its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The campaign that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// The step it stands at: an index into the definition's list.
    pub cursor: usize,
    /// How often the step at the cursor has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Whether what it waits for are rows that an expression of its step wants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants_rows: bool,
    /// When its step first asked for rows: that is its now until it has them, since an
    /// expression that asks by a time would ask for others at every try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_at: Option<Timestamp>,
    /// How many works outside it has begun.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub works: u32,
    /// The `for_each` steps it is in, the innermost last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loops: Vec<Loop>,
    /// Why it has failed, while it takes the steps of `on_failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// The step that failed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<usize>,
    /// What it waits for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The answer to a text, when it came before the provider said that it has
    /// the text: the wait that follows takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Json>,
    /// Values set by `set`, over the definition's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vars: Map<String, Json>,
    /// The results of its steps, by their ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, Arc<Json>>,
    /// How many entries its timeline has.
    pub notes: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An entry of a run's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// The step it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// A word: `started`, `sent`, `waits`, `woke`, `skipped`, `finished`, …
    pub what: String,
    /// A sentence.
    pub text: String,
}

/// What one commit added to a run's timeline, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Notes {
    /// In their order.
    Many(Vec<Note>),
    /// One by itself, as version 0.1.0 wrote them.
    One(Note),
}

impl Notes {
    /// All of them, in their order.
    pub fn into_vec(self) -> Vec<Note> {
        match self {
            Self::Many(notes) => notes,
            Self::One(note) => vec![note],
        }
    }
}

/// The last enrollment of a key in a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    /// The run.
    pub run: RunId,
    /// When it started.
    pub at: Timestamp,
    /// Whether it is under way.
    pub active: bool,
}

/// That a step with a `once` was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// The run that did it.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
}

/// A definition as it is kept: by hash, for as long as a run needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredDefinition {
    /// Its meaning.
    pub definition: Definition,
    /// The file's text.
    pub source: String,
    /// When it was first taken into service.
    pub created_at: Timestamp,
}

/// The version of a workflow that is in service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The workflow's id.
    pub workflow: String,
    /// The hash of the definition.
    pub definition: String,
    /// Counts up with each change of meaning, from 1.
    pub version: u32,
    /// Whether its file is there; without it no new run starts.
    pub active: bool,
    /// When this version was taken into service.
    pub since: Timestamp,
    /// Up to when the schedules that it no longer has had fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Timestamp>,
}

/// Where a schedule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The cron text and zone it was computed with.
    pub rule: String,
    /// The next firing's instant.
    pub next: Timestamp,
    /// The timer that fires it.
    pub timer: Key,
    /// The run of the last firing, when it may still be under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Whether one firing waits for that run's end.
    #[serde(default)]
    pub queued: bool,
    /// Firings that were missed and are being made up for, one after another, as
    /// `missed: all` wants: those that still wait, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Timestamp>,
    /// Up to when it has fired, once it did: a clock may jump back behind that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Timestamp>,
}
