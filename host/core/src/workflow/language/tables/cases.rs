//! The keys of a file's tests.

use super::super::{Key, Kind, Names, key, required};

/// The keys of one test.
pub(crate) static CASE: &[Key] = &[
    required("name", Kind::Text, "What it shows."),
    key(
        "at",
        Kind::Instant,
        "When it begins. Without it: ten in the morning of a working day.",
    ),
    key("given", Kind::Block(GIVEN), "What is known at the start."),
    key("receive", Kind::Text, "Starts it: the contact writes this."),
    key(
        "call",
        Kind::Choice(&["missed", "completed"]),
        "Starts it: a call with the contact.",
    ),
    key(
        "event",
        Kind::Constants,
        "Starts it: an event by its type, with its fields.",
    ),
    key(
        "input",
        Kind::Constants,
        "Starts it: by hand or program, with these inputs.",
    ),
    key(
        "schedule",
        Kind::Flag,
        "Starts it: the next firing of the file's schedule.",
    ),
    key(
        "mock",
        Kind::Constants,
        "How steps are answered that want something outside, by their ids.",
    ),
    key(
        "then",
        Kind::List(&Kind::Block(THEN)),
        "What happens afterwards.",
    ),
    required(
        "expect",
        Kind::List(&Kind::Block(EXPECT)),
        "What must come of it.",
    ),
];

static GIVEN: &[Key] = &[
    key(
        "contact",
        Kind::Constants,
        "The contact: phone, zone, opted_out, consent, and what is known of the person.",
    ),
    key("lead", Kind::Constants, "What is known of the person."),
    key("vars", Kind::Constants, "In place of the file's own vars."),
    key(
        "agent",
        Kind::Name(Names::Agents),
        "Whose number it concerns. Without it: the one the trigger names, or the first.",
    ),
];

static THEN: &[Key] = &[
    key("after", Kind::Duration, "How long after the start."),
    key("at", Kind::Instant, "When, instead of after."),
    key("receive", Kind::Text, "The contact writes this."),
    key(
        "call",
        Kind::Choice(&["answered", "completed", "missed"]),
        "The contact calls; or how a call goes that a step has begun.",
    ),
    key(
        "approve",
        Kind::Short(&ANSWER, APPROVE),
        "What somebody answers who has to approve a text: the one that waits; where there is none, the next. Without it they let every text go after a minute.",
    ),
    key(
        "delivery",
        Kind::Choice(&["delivered", "undelivered", "failed", "refused"]),
        "What becomes of the last text that left before; where there is none, of the next.",
    ),
];

const ANSWER: Kind = Kind::Choice(&["send", "reject", "none"]);

static APPROVE: &[Key] = &[
    required(
        "answer",
        ANSWER,
        "Whether it may be sent; none when nobody answers.",
    ),
    key("body", Kind::Text, "With send: their own words instead."),
    key("reason", Kind::Text, "With reject: why."),
];

static EXPECT: &[Key] = &[
    key(
        "sent",
        Kind::Short(&Kind::CountOrText, TEXT),
        "How many texts of the workflow the contact got, or one of them.",
    ),
    key(
        "not_sent",
        Kind::Short(&Kind::Text, TEXT),
        "A text that the contact did not get.",
    ),
    key(
        "handoff",
        Kind::Short(&Kind::Text, HANDOFF),
        "Who got the conversation.",
    ),
    key("called", Kind::List(&Kind::Text), "A step that was taken."),
    key(
        "not_called",
        Kind::List(&Kind::Text),
        "A step that was not taken.",
    ),
    key(
        "outcome",
        Kind::Text,
        "The word with which the run ended, or a part of the sentence.",
    ),
    key(
        "status",
        Kind::Choice(&["finished", "failed", "cancelled", "running"]),
        "Where the run stands at the end.",
    ),
    key(
        "deferred_until",
        Kind::Instant,
        "Until when a text was put off.",
    ),
    key(
        "opted_out",
        Kind::Flag,
        "Whether the contact has opted out at the end.",
    ),
    key(
        "result",
        Kind::Constants,
        "Fields of results, by the ids of their steps.",
    ),
    key("lead", Kind::Constants, "Fields of the lead at the end."),
];

static TEXT: &[Key] = &[
    key("contains", Kind::Text, "A part of it."),
    key("matches", Kind::Pattern, "A pattern that is found in it."),
    key("at", Kind::Instant, "When it left, to the minute."),
    key("segments", Kind::Count, "How many segments it takes."),
    key("step", Kind::Text, "The step that sent it."),
];

static HANDOFF: &[Key] = &[
    key("to", Kind::Name(Names::People), "To whom."),
    key("reason", Kind::Text, "A part of why."),
];
