//! A text, in either direction, and the life of an outgoing one.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aside, Attention, CallId, ConversationId, Key, MessageId, PhoneNumber, RunId};
use crate::workflow::{Intent, OnUnknown};

/// Which way a text or call went, seen from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the contact to us.
    Inbound,
    /// From us to the contact.
    Outbound,
}

/// Where a text is in its life. The words are the same in every API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A person has yet to approve it.
    PendingApproval,
    /// The gate let it through, but not yet.
    Scheduled,
    /// Waits for its turn in the conversation, or for another try.
    Queued,
    /// An attempt has begun; its outcome is not stored yet.
    Sending,
    /// The provider has it.
    Accepted,
    /// The provider handed it on.
    Sent,
    /// It reached the handset.
    Delivered,
    /// It was handed on and did not arrive.
    Undelivered,
    /// It was refused, or could not be sent after all tries.
    Failed,
    /// Its time passed before it could be sent.
    Expired,
    /// It was called off before it was sent.
    Canceled,
    /// The gate refused it.
    Skipped,
    /// An attempt began and nobody knows how it ended.
    Unknown,
    /// Still unknown after all ways to find out: a person decides.
    NeedsReview,
    /// From a contact.
    Received,
}

impl Status {
    /// The word used in every API.
    pub fn word(self) -> &'static str {
        match self {
            Self::PendingApproval => "pending_approval",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::NeedsReview => "needs_review",
            Self::Received => "received",
        }
    }

    /// The order of delivery reports: a later one never takes a text back.
    /// `delivered` may correct `undelivered`.
    pub fn rank(self) -> u8 {
        match self {
            Self::PendingApproval | Self::Scheduled | Self::Queued => 0,
            Self::Sending | Self::Unknown | Self::NeedsReview => 1,
            Self::Accepted => 2,
            Self::Sent => 3,
            Self::Undelivered | Self::Failed => 4,
            Self::Delivered => 5,
            Self::Expired | Self::Canceled | Self::Skipped | Self::Received => 6,
        }
    }

    /// Whether a run that sent it may go on: the provider has it, or never will.
    pub fn settled(self) -> bool {
        !matches!(
            self,
            Self::PendingApproval | Self::Scheduled | Self::Queued | Self::Sending | Self::Unknown
        )
    }

    /// Whether the provider is known to have it.
    pub fn handed_over(self) -> bool {
        matches!(
            self,
            Self::Accepted | Self::Sent | Self::Delivered | Self::Undelivered
        )
    }
}

/// Why something did not work, in the provider's code and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The provider's code, or a word of ours.
    pub code: String,
    /// A sentence.
    pub text: String,
}

/// A picture or file that travels with a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Absolute http(s) address.
    pub url: String,
    /// MIME type; empty when not known.
    #[serde(default)]
    pub media_type: String,
}

/// Who wanted a text sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Origin {
    /// The contact wrote it.
    Contact,
    /// A step of a run.
    Run {
        /// The run.
        run: RunId,
        /// The step's id.
        step: String,
    },
    /// A program, through the API.
    Api,
    /// A person, in the dashboard or through the API.
    Person,
    /// The answer to STOP, START or HELP.
    Keyword,
    /// A notice to a person of the business.
    Notice,
}

/// One try to hand a text to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When its record was durable; no byte left before that.
    pub at: Timestamp,
    /// How it ended; none while nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The provider took nothing for now: such tries are not counted like others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// What delivery reports said of it since: the status that is furthest on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Status>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// The provider has it, under its own id.
    Accepted {
        /// The provider's id.
        provider_id: String,
    },
    /// It certainly had no effect.
    Refused {
        /// Why.
        problem: Problem,
    },
    /// It may have had an effect.
    Unknown {
        /// What was seen.
        problem: Problem,
    },
    /// An unknown one was found not to have happened.
    Absent,
    /// Called off before the first byte.
    CalledOff {
        /// Why.
        reason: String,
    },
}

/// What a rule of the send gate said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// When it was asked.
    pub at: Timestamp,
    /// The rule's name: `opt_out`, `quiet_hours`, …
    pub rule: Cow<'static, str>,
    /// `passed`, `refused` or `deferred`.
    pub verdict: Cow<'static, str>,
    /// A sentence; empty when it passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The earliest time, when deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How verdicts are stored: most of a text's record would be rules that had
/// nothing against it, so these stand together.
pub(super) mod verdicts {
    use std::borrow::Cow;

    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Verdict;

    const PASSED: &str = "passed";

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Stored<'a> {
        Passed {
            at: Timestamp,
            passed: Vec<Cow<'static, str>>,
        },
        One(Cow<'a, Verdict>),
    }

    pub(in super::super) fn serialize<S: Serializer>(
        all: &[Verdict],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let plain = |one: &Verdict| one.verdict == PASSED && one.reason.is_empty();
        let groups = all.chunk_by(|one, two| plain(one) && plain(two) && one.at == two.at);
        to.collect_seq(groups.filter_map(|group| {
            let first = group.first()?;
            Some(if plain(first) {
                Stored::Passed {
                    at: first.at,
                    passed: group.iter().map(|one| one.rule.clone()).collect(),
                }
            } else {
                Stored::One(Cow::Borrowed(first))
            })
        }))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Verdict>, D::Error> {
        let mut all = Vec::new();
        for stored in Vec::<Stored<'_>>::deserialize(from)? {
            match stored {
                Stored::One(one) => all.push(one.into_owned()),
                Stored::Passed { at, passed } => {
                    all.extend(passed.into_iter().map(|rule| Verdict {
                        at,
                        rule,
                        verdict: PASSED.into(),
                        reason: String::new(),
                        until: None,
                    }))
                }
            }
        }
        Ok(all)
    }
}

/// A text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Ours; the same for every attempt.
    pub id: MessageId,
    /// Which way it goes.
    pub direction: Direction,
    /// The thread it stands in.
    pub conversation: ConversationId,
    /// The agent's id.
    pub agent: String,
    /// The connection it goes through.
    pub connection: String,
    /// The contact's number.
    pub contact: PhoneNumber,
    /// Our number; none lets the provider choose.
    pub number: Option<PhoneNumber>,
    /// The whole text.
    pub body: String,
    /// What travels with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Attachment>,
    /// Radio segments, as we count them.
    pub segments: u32,
    /// Where it is in its life.
    pub status: Status,
    /// Why it is there, when that is not obvious: a word such as `opted_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// The provider's id, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Who wanted it.
    pub origin: Origin,
    /// Why it is sent.
    pub intent: Intent,
    /// The call that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Expires instead of being sent after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Not before this time: a deferral of the gate, or the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What to do when it stays unknown.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// Every try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// What the gate's rules said, each time they were asked; repeats are kept once.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "verdicts")]
    pub verdicts: Vec<Verdict>,
    /// How often the provider was asked about the present unknown attempt.
    #[serde(default)]
    pub looked: u32,
    /// Set when it was called off while an attempt was under way: that attempt
    /// ends as it ends, and there is no other. A word: `reply`, `opt_out`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_off: Option<String>,
    /// The timer that will take it up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Key>,
    /// What else is only known of some texts.
    #[serde(default, skip_serializing_if = "Aside::is_empty")]
    pub aside: Aside,
    /// When it was asked for or received.
    pub created_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
}

impl Message {
    /// The short list it belongs into, as it stands.
    pub fn attention(&self) -> Option<Attention> {
        match self.status {
            Status::PendingApproval => Some(Attention::PendingApproval),
            Status::NeedsReview => Some(Attention::NeedsReview),
            Status::Unknown => Some(Attention::Unknown),
            Status::Failed if !self.aside.dismissed => Some(Attention::Failed),
            Status::Queued if self.aside.held_since.is_some() => Some(Attention::Held),
            Status::Queued if self.aside.turn.is_some() => Some(Attention::Turn),
            _ if self.aside.twice && !self.aside.dismissed => Some(Attention::Twice),
            _ => None,
        }
    }

    /// How many attempts there were since the last replay: those that count
    /// towards the most, and all of them.
    pub fn tries(&self) -> (usize, usize) {
        let before = usize::try_from(self.aside.before).unwrap_or(usize::MAX);
        let mine = self.attempts.iter().skip(before);
        let limited = mine.clone().filter(|one| one.limited).count();
        let all = mine.count();
        (all.saturating_sub(limited), all)
    }
}
