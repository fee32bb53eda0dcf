//! The send gate: an ordered list of rules, asked before every attempt. Each
//! rule sees the text and what is known, and says that it may go, may not go, or
//! not yet; every word is kept with the text. Whose turn it is at a sending
//! number stands in [`pace`].

pub mod pace;
pub mod rate;
mod rules;
pub mod window;

use jiff::Timestamp;

use crate::engine::{Limits, Setup};
use crate::model::{Contact, Conversation, Message, Verdict};

pub use rules::digest;

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The text that wants to leave.
    pub message: &'a Message,
    /// To whom.
    pub contact: &'a Contact,
    /// The thread it stands in.
    pub conversation: &'a Conversation,
    /// The configuration.
    pub setup: &'a Setup,
}

impl Known<'_> {
    fn limits(&self) -> &Limits {
        &self.setup.limits
    }
}

/// What a rule, or the gate as a whole, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may leave now.
    Pass,
    /// It may not leave, now or later.
    Refuse {
        /// A word for programs: `opted_out`.
        word: &'static str,
        /// A sentence for people.
        text: String,
    },
    /// It may not leave yet.
    Defer {
        /// The earliest time.
        until: Timestamp,
        /// A word for programs: `quiet_hours`.
        word: &'static str,
        /// A sentence for people.
        text: String,
    },
}

type Rule = fn(&Known<'_>, Timestamp) -> Ruling;

/// The rules in their order: first what must never happen, then what would be
/// a nuisance, then what is only a matter of time.
const RULES: &[(&str, Rule)] = &[
    ("opt_out", rules::opt_out),
    ("own_number", rules::own_number),
    ("country", rules::country),
    ("handoff", rules::handoff),
    ("duplicate", rules::duplicate),
    ("quiet_hours", rules::quiet_hours),
    ("window", rules::window),
    ("validity", rules::validity),
];

/// Asks the rules in order until one refuses or defers. The verdicts say what
/// each rule that was asked answered.
pub fn gate(known: &Known<'_>, now: Timestamp) -> (Ruling, Vec<Verdict>) {
    let mut verdicts = Vec::with_capacity(RULES.len());
    for (name, rule) in RULES {
        let ruling = rule(known, now);
        let (verdict, reason, until) = match &ruling {
            Ruling::Pass => ("passed", String::new(), None),
            Ruling::Refuse { text, .. } => ("refused", text.clone(), None),
            Ruling::Defer { until, text, .. } => ("deferred", text.clone(), Some(*until)),
        };
        verdicts.push(Verdict {
            at: now,
            rule: (*name).into(),
            verdict: verdict.into(),
            reason,
            until,
        });
        match ruling {
            Ruling::Pass => {}
            // A text that would be too late after the deferral never waits for it.
            Ruling::Defer { until, .. } => {
                if let late @ Ruling::Refuse { .. } = rules::validity(known, until) {
                    return (late, verdicts);
                }
                return (ruling, verdicts);
            }
            Ruling::Refuse { .. } => return (ruling, verdicts),
        }
    }
    (Ruling::Pass, verdicts)
}

#[cfg(test)]
mod tests;
