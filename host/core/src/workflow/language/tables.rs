//! The tables themselves: the keys of a file and of a step here, triggers and
//! actions beside.

mod actions;
mod cases;
mod triggers;

use super::{Key, Kind, Names, key, later, required};

pub(crate) use actions::ACTIONS;
pub(crate) use cases::CASE;
pub(crate) use triggers::TRIGGERS;

/// The keys of a file.
pub(crate) static FILE: &[Key] = &[
    required(
        "name",
        Kind::Text,
        "What it is called; unique among the workflows.",
    ),
    key("description", Kind::Text, "What it is for."),
    required(
        "on",
        Kind::Triggers,
        "What starts a run: one event or several.",
    ),
    key(
        "contact",
        Kind::PhoneValue,
        "Whom the run is about. Without it: the other party of the call or text.",
    ),
    key(
        "intent",
        Kind::Choice(INTENTS),
        "Why texts are sent; decides the legal hours. Without it: customer_care after a call, conversation after a text, marketing otherwise.",
    ),
    key(
        "enroll",
        Kind::Block(ENROLL),
        "How often one contact may go through it.",
    ),
    key(
        "cancel_on",
        Kind::List(&Kind::Choice(CANCEL_ON)),
        "Events that end a running run.",
    ),
    key("vars", Kind::Constants, "Constants, visible as vars."),
    required("steps", Kind::Steps, "What is done, in order."),
    key(
        "on_failure",
        Kind::Steps,
        "What is done when the run fails.",
    ),
    key(
        "for_each",
        Kind::Block(FOR_EACH),
        "A run is started for each of several things.",
    ),
    key(
        "window",
        Kind::Block(WINDOW),
        "When its texts may leave, on top of the legal hours.",
    ),
    key(
        "goal",
        Kind::Condition,
        "The run ends as goal_reached as soon as this is true.",
    ),
    key(
        "on_delete",
        Kind::Choice(&["finish", "cancel"]),
        "What becomes of running runs when the file is deleted.",
    ),
    key(
        "requires_consent",
        Kind::Choice(INTENTS),
        "Only for contacts whose consent to texts of this kind is recorded; withdrawing it ends the run as no_consent.",
    ),
    key(
        "concurrency",
        Kind::Block(CONCURRENCY),
        "Runs of one group, one at a time.",
    ),
    key(
        "campaign",
        Kind::Text,
        "What its runs and texts belong to; counts, rate and pauses are those of the campaign, whichever of its files texts. Without it, a file with rate or breaker is a campaign of its own.",
    ),
    key(
        "rate",
        Kind::Block(RATE),
        "How fast its texts may leave; the others wait in line, and those who wait longest go first.",
    ),
    key(
        "breaker",
        Kind::Block(BREAKER),
        "When the campaign pauses itself, until a person resumes it: no new runs, and texts wait. Each is judged as soon as so many are bad that the rest of the last N cannot make up for them.",
    ),
    later("secrets"),
    key(
        "tests",
        Kind::Tests,
        "What it must do, played through in virtual time; no part of its version.",
    ),
];

/// The words of `cancel_on`.
pub(crate) const CANCEL_ON: &[&str] = &[
    "reply",
    "opt_out",
    "handoff",
    "call.answered",
    "call.missed",
    "call.completed",
    "message.failed",
    "lead.updated",
];

/// Why texts are sent.
const INTENTS: &[&str] = &[
    "marketing",
    "transactional",
    "customer_care",
    "conversation",
    "otp",
];

static CONCURRENCY: &[Key] = &[
    key(
        "group",
        Kind::Value,
        "What belongs together. Without it: the contact's number.",
    ),
    key(
        "on_new",
        Kind::Choice(&["queue", "restart", "drop"]),
        "What happens when another one would start: it waits (at most 100 do), takes the place of the one under way, or does not start. Without it: queue.",
    ),
];

static RATE: &[Key] = &[
    key(
        "per_number",
        Kind::Times,
        "From any one of our numbers. 20/min is a text every 3 seconds; a day is counted.",
    ),
    key(
        "total",
        Kind::Times,
        "From all of them together. A day is one of the zone of window, else of the business.",
    ),
    key(
        "spread",
        Kind::Choice(&["even"]),
        "even spreads a day's total over the hours in which its texts may leave. Without it: as fast as they may.",
    ),
];

static BREAKER: &[Key] = &[
    key(
        "opt_out_rate",
        Kind::TooMany,
        "How many of the people whom it texted may opt out, within 30 days of its last text to them.",
    ),
    key(
        "failure_rate",
        Kind::TooMany,
        "How many of its texts may fail, or not arrive.",
    ),
    key(
        "notify",
        Kind::Name(Names::People),
        "The person who is told.",
    ),
];

static ENROLL: &[Key] = &[
    key(
        "key",
        Kind::Value,
        "What counts as the same. Without it: the contact's number.",
    ),
    key(
        "again",
        Kind::Choice(&["never", "after_finished", "always"]),
        "Whether the same key may come again.",
    ),
    key(
        "again_after",
        Kind::Duration,
        "How long after the last start it may come again.",
    ),
];

/// The keys that any step takes beside its action.
pub(crate) static STEP: &[Key] = &[
    key(
        "id",
        Kind::Text,
        "The name by which later steps read its result.",
    ),
    key("name", Kind::Text, "What it is, for people."),
    key(
        "if",
        Kind::Condition,
        "The step is skipped unless this is true.",
    ),
    key(
        "timeout",
        Kind::Duration,
        "How long it may take. With wait_for: how long to wait.",
    ),
    key(
        "once",
        Kind::Value,
        "Done once for ever under this name; skipped when it was.",
    ),
    key(
        "retry",
        Kind::Block(RETRY),
        "Whether it is tried again when it fails.",
    ),
    key(
        "on_error",
        Kind::OnError,
        "What happens when it has failed for good. Without it: the run fails.",
    ),
    key("with", Kind::Value, "With uses: what the plugin is given."),
];

static FOR_EACH: &[Key] = &[
    actions::IN,
    actions::AS,
    actions::WHERE,
    actions::ORDER,
    actions::LIMIT,
];

static WINDOW: &[Key] = &[
    key(
        "days",
        Kind::List(&Kind::Choice(DAYS)),
        "On these days. Without it: every day.",
    ),
    key(
        "between",
        Kind::DayWindow,
        "At these hours. Without it: all day.",
    ),
    key(
        "zone",
        Kind::Text,
        "On whose clock: contact, business, or an IANA zone. Without it: contact.",
    ),
];

/// The days of a week, as `window` names them.
pub(crate) const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

static RETRY: &[Key] = &[
    required("max", Kind::Count, "How often, after the first time."),
    key(
        "backoff",
        Kind::Choice(&["fixed", "exponential"]),
        "Whether the pauses grow. Without it: each is twice the one before.",
    ),
    key(
        "from",
        Kind::Duration,
        "The first pause. Without it: 10 seconds.",
    ),
    key(
        "up_to",
        Kind::Duration,
        "The longest pause. Without it: an hour.",
    ),
];
