//! The tests of a workflow file: what is given, what happens when, and what must
//! come of it. Plain data; playing them through is `rehearsal`'s.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::definition::Intent;
use super::expression::Pattern;

/// One test of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The line it begins in, from 1.
    pub line: usize,
    /// When it begins; none is ten in the morning of a working day.
    pub at: Option<Timestamp>,
    /// Whom it is about, and what is known.
    pub given: Given,
    /// What starts it.
    pub start: Starting,
    /// How steps are answered that want something outside, by their ids.
    pub mock: BTreeMap<String, Mock>,
    /// What happens afterwards.
    pub then: Vec<Later>,
    /// What must come of it.
    pub expect: Vec<Expected>,
}

/// Whom a test is about, and what is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The contact's number in E.164.
    pub phone: Option<String>,
    /// The IANA zone they live in, when that is known.
    pub zone: Option<String>,
    /// Whether they said STOP before.
    pub opted_out: bool,
    /// To which kinds of texts they agreed.
    pub consent: Vec<Intent>,
    /// What is known of the person: `lead` in expressions.
    pub lead: Map<String, Json>,
    /// In place of the file's `vars` of these names.
    pub vars: Map<String, Json>,
    /// Whose number it concerns; none is the agent that the trigger names, or the
    /// first.
    pub agent: Option<String>,
}

/// What starts a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Starting {
    /// The contact writes.
    Receive(String),
    /// A call with the contact.
    Call(CallEnd),
    /// An event by its word, and what there is to know of it.
    Event {
        /// `call.completed`, `lead.created`, …
        kind: String,
        /// Its fields.
        fields: Map<String, Json>,
    },
    /// A person or program, with this input.
    Input(Map<String, Json>),
    /// The clock: the next firing of the file's schedule.
    Schedule,
}

impl Starting {
    /// The word of the trigger that it is for.
    pub fn word(&self) -> &str {
        match self {
            Self::Receive(_) => "message.received",
            Self::Call(CallEnd::Missed) => "call.missed",
            Self::Call(_) => "call.completed",
            Self::Event { kind, .. } => kind,
            Self::Input(_) => "manual",
            Self::Schedule => "schedule",
        }
    }
}

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// Somebody takes it; it ends a minute later.
    Answered,
    /// It ends after somebody spoke.
    Completed,
    /// Nobody takes it.
    Missed,
}

/// What a provider does with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    #[default]
    Delivered,
    /// It is handed on and does not arrive.
    Undelivered,
    /// It is taken and never handed on.
    Failed,
    /// It is not taken.
    Refused,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Seconds after the start.
    After(u64),
    /// Then.
    At(Timestamp),
}

/// Something that happens after the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// When.
    pub when: When,
    /// What.
    pub what: Happening,
}

/// What can happen after the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The contact writes.
    Receive(String),
    /// The contact calls; or, when a phone rings because a step calls, how that
    /// call goes.
    Call(CallEnd),
    /// What somebody says who is asked to approve a text: of the one that waits; where
    /// none does, of the next.
    Approve(Approving),
    /// What becomes of the last text that left before; where there is none, of the
    /// next.
    Delivery(Fate),
}

/// What somebody says who is asked to approve a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approving {
    /// They let it go.
    Send {
        /// Their own words instead.
        body: Option<String>,
    },
    /// They reject it.
    Reject {
        /// Why.
        reason: Option<String>,
    },
    /// They do not answer.
    Nobody,
}

/// How a step is answered, attempt by attempt; the last answer stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Mock(pub Vec<MockAnswer>);

/// The answer to one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum MockAnswer {
    /// The step's own result fields, or the rows that it asks for.
    Result(Json),
    /// It fails.
    Error(String),
}

/// Something that must come of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The line it stands in, from 1.
    pub line: usize,
    /// What.
    pub what: Expectation,
}

/// What can be expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// So many texts of the workflow went to the contact.
    SentCount(u64),
    /// A text like this went to the contact.
    Sent(TextLike),
    /// None did.
    NotSent(TextLike),
    /// The conversation was given to a person.
    Handoff {
        /// Whom.
        to: Option<String>,
        /// A part of why.
        reason: Option<String>,
    },
    /// These steps were taken.
    Called(Vec<String>),
    /// These were not.
    NotCalled(Vec<String>),
    /// The run ended with this word, or a sentence that holds it.
    Outcome(String),
    /// Where the run stands at the end: `finished`, `failed`, `cancelled`, `running`.
    Status(String),
    /// A text was put off until then.
    DeferredUntil(Timestamp),
    /// Whether the contact has opted out at the end.
    OptedOut(bool),
    /// Results of steps have at least these fields.
    Result(Map<String, Json>),
    /// The lead has at least these fields at the end.
    Lead(Map<String, Json>),
}

/// What a text is like; everything that is left out fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextLike {
    /// A part of it, whatever the spacing.
    pub contains: Option<String>,
    /// A pattern that is found in it.
    pub matches: Option<Pattern>,
    /// When it left, to the minute.
    pub at: Option<Timestamp>,
    /// Radio segments.
    pub segments: Option<u64>,
    /// The step that sent it.
    pub step: Option<String>,
}
