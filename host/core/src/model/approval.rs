//! That a person sees a text before it is sent, and what they said. It is kept in
//! the text's own record; the short list `pending_approval` finds those that wait.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PhoneNumber;
use crate::workflow::Unanswered;

/// Who is asked about a text, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// A name of `[people]`.
    pub by: String,
    /// When they were asked.
    pub since: Timestamp,
    /// How long they have; none waits for as long as the run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What happens when nobody answers until then.
    #[serde(default)]
    pub default: Unanswered,
    /// How they were told, when they could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// What came of it; none while it waits, and when it was called off before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// The text that asked a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Their number then.
    pub phone: PhoneNumber,
    /// The letters with which they answer by text: `BKXT`.
    pub code: String,
}

/// An answer, or that there was none in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// Who answered; none when nobody did in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether it may be sent.
    pub send: bool,
    /// The words before they were changed, when they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// Why it may not be sent, when somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Approval {
    /// Whether a person let it go or rejected it; none when nobody did.
    pub fn approved(&self) -> Option<bool> {
        let answer = self.answer.as_ref()?;
        answer.by.as_ref().map(|_| answer.send)
    }

    /// Whether its words were changed.
    pub fn edited(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_some_and(|answer| answer.original.is_some())
    }
}
