//! What a workflow file means: plain data, the same whatever the file's
//! comments and spacing. A run keeps the hash of the definition it began with.

mod action;
mod campaign;
mod flow;
mod input;
mod lead;
mod outside;
mod trigger;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::expression::{Expression, Value};

pub use action::*;
pub use campaign::*;
pub use flow::*;
pub use input::{BadInput, what};
pub use lead::*;
pub use outside::*;
pub use trigger::*;

/// The meaning of one workflow file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The first of the steps that are done when the run fails; those before it
    /// are the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<usize>,
    /// A run is started for each of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<Items>,
    /// When its texts may leave, on top of the legal hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Ends the run as `goal_reached` as soon as it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Expression>,
    /// What becomes of running runs when the file is deleted.
    #[serde(default)]
    pub on_delete: OnDelete,
    /// Only for contacts who agreed to texts of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_consent: Option<Intent>,
    /// Runs of one group, one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// What its runs and texts belong to, as the file names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// How fast its texts may leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// When it pauses itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
}

impl Definition {
    /// The step after the last that the run takes while it has not failed.
    pub fn end(&self) -> usize {
        self.on_failure.unwrap_or(self.steps.len())
    }

    /// The step that follows one that is done.
    pub fn following(&self, place: usize) -> usize {
        let step = self.steps.get(place);
        step.and_then(|step| step.after)
            .unwrap_or(place.saturating_add(1))
    }
}

/// When texts may leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On these days; bits from Monday, the lowest. None means every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u8>,
    /// At these hours; none means all day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<DayWindow>,
    /// On whose clock.
    #[serde(default)]
    pub zone: WindowZone,
}

/// On whose clock a window is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowZone {
    /// The contact's.
    #[default]
    Contact,
    /// The business's.
    Business,
    /// That of this IANA zone.
    Named(String),
}

/// Why a text is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

impl Intent {
    /// The word it has in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Transactional => "transactional",
            Self::CustomerCare => "customer_care",
            Self::Conversation => "conversation",
            Self::Otp => "otp",
        }
    }
}

/// Runs of one workflow with the same group, one at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// What belongs together; none means the contact's phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Value>,
    /// What happens when another one would start.
    #[serde(default)]
    pub on_new: OnNew,
}

/// What happens when a run would start while another one of its group is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNew {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It takes the place of the other one.
    Restart,
    /// It does not start.
    Drop,
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
    /// A call with the contact is missed.
    CallMissed,
    /// A call with the contact has ended after somebody spoke.
    CallCompleted,
    /// A text to the contact was not sent, or did not arrive.
    MessageFailed,
    /// What is known of the contact changed, and not by the run itself.
    LeadUpdated,
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
