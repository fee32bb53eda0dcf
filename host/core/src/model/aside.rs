//! What is only known of texts that did not simply leave: since when they are
//! held or unknown, their number's turn, and the short list they stand in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Approval, InCampaign};
use crate::workflow::Window;

/// The time that a text has at its sending number ([`crate::policy::pace`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When it may leave.
    pub at: Timestamp,
    /// For how long the number's time had stood still, in milliseconds, when the
    /// turn was given: it moves by what is added. None for a turn that the
    /// provider itself named, which stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed_ms: Option<i64>,
    /// How many turns the text was given, counting those that it missed.
    #[serde(default)]
    pub given: u32,
}

/// Why a text is in one of the short lists that people and starts look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// A person has yet to approve it.
    PendingApproval,
    /// Nobody knows what became of it, and a person decides.
    NeedsReview,
    /// Nobody knows yet what became of it; it is being found out.
    Unknown,
    /// It could not be sent after all tries: a dead letter.
    Failed,
    /// It is held until its connection's settings work.
    Held,
    /// It waits for its number's turn.
    Turn,
    /// Two attempts at it reached the contact.
    Twice,
}

impl Attention {
    /// The word in keys and in every API.
    pub fn word(self) -> &'static str {
        match self {
            Self::PendingApproval => "pending_approval",
            Self::NeedsReview => "needs_review",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Turn => "turn",
            Self::Twice => "twice",
        }
    }
}

/// What is only known of texts that did not simply leave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// Since when nobody knows what became of it, counting repeats at a provider
    /// that suppresses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_since: Option<Timestamp>,
    /// Since when it is held because its connection's settings do not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// Its number's turn, while it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// How often somebody had it sent again after it had failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replays: u32,
    /// How many attempts came before the last of those: they no longer count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub before: u32,
    /// Two attempts at it reached the contact, as reports say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twice: bool,
    /// Somebody saw that it failed, or came twice, and leaves it at that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dismissed: bool,
    /// When its workflow lets it leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The campaign that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Box<InCampaign>>,
    /// Who sees it before it is sent, and what they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// The short list it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Attention>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape that serde asks for"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Aside {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
