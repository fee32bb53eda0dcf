//! The tables themselves: keys of a file and of a step, triggers, actions.

use super::{Action, Form, Key, Kind, Long, Names, Trigger, key, later, required};

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
        Kind::Choice(&[
            "marketing",
            "transactional",
            "customer_care",
            "conversation",
            "otp",
        ]),
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
        "on_delete",
        Kind::Choice(&["finish", "cancel"]),
        "What becomes of running runs when the file is deleted.",
    ),
    later("requires_consent"),
    later("goal"),
    later("window"),
    later("concurrency"),
    later("for_each"),
    later("rate"),
    later("breaker"),
    later("campaign"),
    later("secrets"),
    later("on_failure"),
    later("tests"),
];

/// The words of `cancel_on`.
pub(crate) const CANCEL_ON: &[&str] = &["reply", "opt_out", "handoff", "call.answered"];

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
        "With wait_for: how long to wait.",
    ),
    later("once"),
    later("retry"),
    later("on_error"),
    later("with"),
];

const WHERE: Key = key("where", Kind::Condition, "Only when this is true.");
const DIRECTION: Key = key(
    "direction",
    Kind::Choice(&["inbound", "outbound"]),
    "Which way the call went.",
);
const FROM: Key = key(
    "from",
    Kind::List(&Kind::Phone),
    "Only from one of these numbers.",
);
const TO: Key = key(
    "to",
    Kind::List(&Kind::Phone),
    "Only to one of these numbers.",
);
const AGENT: Key = key(
    "agent",
    Kind::Name(Names::Agents),
    "Only calls of this agent's numbers.",
);
const VOICEMAIL: Key = key(
    "voicemail",
    Kind::Choice(&["counts_as_missed", "does_not_count"]),
    "Whether a call that a machine answered counts as missed. Without it: only an outbound one does.",
);
const TO_AGENT: Key = key(
    "to_agent",
    Kind::Name(Names::Agents),
    "Only texts to this agent's numbers.",
);
const MATCHES: Key = key(
    "matches",
    Kind::Pattern,
    "Only texts in which this regular expression is found.",
);

/// The events of the language.
pub(crate) static TRIGGERS: &[Trigger] = &[
    Trigger {
        word: "call.missed",
        about: "A call ended and nobody spoke.",
        keys: Some(&[DIRECTION, FROM, TO, AGENT, VOICEMAIL, WHERE]),
        awaited: Some(&[DIRECTION, FROM, TO, AGENT, VOICEMAIL, later("where")]),
    },
    Trigger {
        word: "call.completed",
        about: "A call ended after somebody spoke.",
        keys: Some(&[DIRECTION, FROM, TO, AGENT, WHERE]),
        awaited: Some(&[DIRECTION, FROM, TO, AGENT, later("where")]),
    },
    Trigger {
        word: "message.received",
        about: "A contact's text.",
        keys: Some(&[TO_AGENT, FROM, MATCHES, WHERE, later("fold"), later("skip")]),
        awaited: Some(&[
            TO_AGENT,
            FROM,
            MATCHES,
            later("where"),
            later("fold"),
            later("skip"),
        ]),
    },
    Trigger {
        word: "schedule",
        about: "The clock.",
        keys: Some(&[
            required(
                "cron",
                Kind::Cron,
                "Five fields, or six with seconds in front.",
            ),
            key(
                "zone",
                Kind::Zone,
                "The clock's time zone. Without it: the business's.",
            ),
            key(
                "missed",
                Kind::Choice(&["skip", "run_once", "all"]),
                "What happens to firings that came while the host was down.",
            ),
            key(
                "overlap",
                Kind::Choice(&["skip", "queue", "allow"]),
                "What happens while an earlier firing's run is active.",
            ),
            WHERE,
        ]),
        awaited: None,
    },
    Trigger {
        word: "manual",
        about: "The API or the command line.",
        keys: Some(&[
            key(
                "input",
                Kind::Map(&Kind::InputType),
                "What a start may bring along: name and type.",
            ),
            WHERE,
        ]),
        awaited: None,
    },
    not_yet("call.status"),
    not_yet("message.status"),
    not_yet("message.failed"),
    not_yet("lead.created"),
    not_yet("lead.updated"),
    not_yet("lead.score_changed"),
    not_yet("webhook"),
    not_yet("conversation.idle"),
    not_yet("conversation.handoff"),
    not_yet("contact.opted_out"),
    not_yet("contact.opted_in"),
    not_yet("promise.due"),
    not_yet("workflow.finished"),
    not_yet("plugin.event"),
];

const fn not_yet(word: &'static str) -> Trigger {
    Trigger {
        word,
        about: "Not available in this version yet.",
        keys: None,
        awaited: None,
    }
}

/// The actions of the language.
pub(crate) static ACTIONS: &[Action] = &[
    Action {
        word: "send",
        about: "Sends a text to the contact.",
        form: Some(Form {
            keys: Long::Block(&[
                key(
                    "agent",
                    Kind::Name(Names::Agents),
                    "Whose number it comes from. Without it: the run's agent.",
                ),
                key("body", Kind::Template, "The text."),
                key(
                    "template",
                    Kind::Name(Names::Templates),
                    "A text of the configuration, instead of body.",
                ),
                key(
                    "media",
                    Kind::List(&Kind::Value),
                    "Addresses of pictures and files.",
                ),
                key(
                    "from",
                    Kind::PhoneValue,
                    "One of our numbers, when it is not the agent's first.",
                ),
                key("valid_until", Kind::Value, "Too late after this time."),
                key(
                    "on_unknown",
                    Kind::Choice(&["hold", "resend"]),
                    "What to do when it stays unknown whether it was sent.",
                ),
            ]),
            short: Some(key("body", Kind::Template, "The text.")),
            results: &["message", "status", "deferred", "reason", "segments"],
        }),
    },
    Action {
        word: "wait",
        about: "Goes on later.",
        form: Some(Form {
            keys: Long::Block(&[
                key("days", Kind::Count, "How many days."),
                key("hours", Kind::Count, "How many hours."),
                key("minutes", Kind::Count, "How many minutes."),
                key(
                    "at",
                    Kind::TimeOfDay,
                    "The first such time of day after that.",
                ),
                key("until", Kind::Value, "Until this time instead."),
                key(
                    "window",
                    Kind::DayWindow,
                    "Only within these hours of the day.",
                ),
            ]),
            short: Some(key("for", Kind::Duration, "How long.")),
            results: &[],
        }),
    },
    Action {
        word: "wait_for",
        about: "Goes on when something happens, or when it did not for too long.",
        form: Some(Form {
            keys: Long::Other(Kind::Events),
            short: Some(key(
                "event",
                Kind::Choice(&["reply"]),
                "A text from the contact.",
            )),
            results: &["message", "event", "call"],
        }),
    },
    Action {
        word: "handoff",
        about: "Gives the conversation to a person.",
        form: Some(Form {
            keys: Long::Block(&[
                required("to", Kind::Name(Names::People), "Who takes it."),
                key("reason", Kind::Value, "Why, for that person."),
                key("reply", Kind::Template, "A last text to the contact."),
                key(
                    "release_after",
                    Kind::Duration,
                    "How long until the conversation is free again by itself.",
                ),
            ]),
            short: Some(key("to", Kind::Name(Names::People), "Who takes it.")),
            results: &[],
        }),
    },
    Action {
        word: "set",
        about: "Sets values that later steps see under vars.",
        form: Some(Form {
            keys: Long::Other(Kind::Map(&Kind::Value)),
            short: None,
            results: &[],
        }),
    },
    Action {
        word: "stop",
        about: "Ends the run.",
        form: Some(Form {
            keys: Long::Block(&[key("reason", Kind::Value, "Kept as the run's outcome.")]),
            short: Some(key("reason", Kind::Value, "Kept as the run's outcome.")),
            results: &[],
        }),
    },
    coming("compose"),
    coming("call"),
    coming("classify"),
    coming("extract"),
    coming("switch"),
    coming("split"),
    coming("for_each"),
    coming("parallel"),
    coming("lead"),
    coming("tag"),
    coming("release"),
    coming("opt_out"),
    coming("notify"),
    coming("http"),
    coming("uses"),
    coming("call_workflow"),
    coming("log"),
];

const fn coming(word: &'static str) -> Action {
    Action {
        word,
        about: "Not available in this version yet.",
        form: None,
    }
}
