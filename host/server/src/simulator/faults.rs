//! Numbers that misbehave: the last four digits of a contact's number decide
//! which fault of a real network is played. Owns the table and nothing else.

use ringback_core::model::PhoneNumber;
use serde::Serialize;

/// What goes wrong for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The network refuses the text or call outright.
    Rejected,
    /// It takes the text and reports later that it did not arrive; nobody picks up a call.
    Undelivered,
    /// It is down for the first try of each text or call.
    Unavailable,
    /// It takes the text and never answers: the sender cannot know.
    Silent,
    /// The contact has opted out at the network.
    OptedOut,
    /// Too many requests, for the first try of each text or call.
    RateLimited,
    /// Delivery reports come twice and in the wrong order.
    Jumbled,
    /// A call finds the line busy.
    Busy,
    /// A call reaches a voicemail box.
    Voicemail,
}

/// A row of the table, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ending {
    /// The last digits of the contact's number.
    pub digits: &'static str,
    /// What the network does, as a sentence without a full stop.
    pub does: &'static str,
}

/// Every ending that plays a fault.
pub(crate) const ENDINGS: [Ending; 9] = [
    ending("0001", "refuses the number (400)"),
    ending(
        "0002",
        "takes a text, then reports it undelivered; calls ring out",
    ),
    ending("0003", "is down for the first try (503), then fine"),
    ending("0004", "takes the text but never answers: outcome unknown"),
    ending("0005", "says that the contact has opted out (410)"),
    ending(
        "0006",
        "asks for patience at the first try (429), then fine",
    ),
    ending("0007", "reports deliveries twice and in the wrong order"),
    ending("0008", "calls find the line busy"),
    ending("0009", "calls reach a voicemail box"),
];

const fn ending(digits: &'static str, does: &'static str) -> Ending {
    Ending { digits, does }
}

impl Fault {
    /// The fault that is played for this contact.
    pub(super) fn of(number: &PhoneNumber) -> Option<Self> {
        let (_, digits) = number
            .as_str()
            .split_at_checked(number.as_str().len() - 4)?;
        Some(match digits {
            "0001" => Self::Rejected,
            "0002" => Self::Undelivered,
            "0003" => Self::Unavailable,
            "0004" => Self::Silent,
            "0005" => Self::OptedOut,
            "0006" => Self::RateLimited,
            "0007" => Self::Jumbled,
            "0008" => Self::Busy,
            "0009" => Self::Voicemail,
            _ => return None,
        })
    }
}
