//! What a step can do, and how it is written.

use super::super::{Action, Form, Key, Kind, Long, Names, key, required};

/// The keys of a `for_each`.
pub(super) const IN: Key = required("in", Kind::Value, "A list.");
/// See [`IN`].
pub(super) const AS: Key = key(
    "as",
    Kind::Text,
    "What one of them is called. Without it: item.",
);
/// See [`IN`].
pub(super) const WHERE: Key = key(
    "where",
    Kind::Condition,
    "Only those for which this is true.",
);
/// See [`IN`].
pub(super) const ORDER: Key = key(
    "order",
    Kind::Text,
    "The field they are sorted by; a - in front turns the order around.",
);
/// See [`IN`].
pub(super) const LIMIT: Key = key("limit", Kind::Count, "At most so many.");

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
        word: "switch",
        about: "Goes one of several ways, by a value.",
        form: Some(Form {
            keys: Long::Other(Kind::Cases),
            short: None,
            results: &["value", "case"],
        }),
    },
    Action {
        word: "split",
        about: "Goes one of several ways by chance, for each contact always the same.",
        form: Some(Form {
            keys: Long::Other(Kind::Weights),
            short: None,
            results: &["is"],
        }),
    },
    Action {
        word: "for_each",
        about: "Does the same steps for each of several things, one after another.",
        form: Some(Form {
            keys: Long::Block(&[
                IN,
                AS,
                WHERE,
                ORDER,
                LIMIT,
                required("steps", Kind::Steps, "What is done for each of them."),
            ]),
            short: None,
            results: &["count"],
        }),
    },
    Action {
        word: "parallel",
        about: "Does several lists of steps at the same time, and goes on when all are done.",
        form: Some(Form {
            keys: Long::Other(Kind::Branches),
            short: None,
            results: &[],
        }),
    },
    Action {
        word: "call_workflow",
        about: "Starts another workflow for the same contact; it needs a manual trigger.",
        form: Some(Form {
            keys: Long::Block(&[
                required("name", Kind::Text, "Its name or its id."),
                key(
                    "with",
                    Kind::Map(&Kind::Value),
                    "What it sees as event.input.",
                ),
                key(
                    "wait",
                    Kind::Choice(&["finished", "none"]),
                    "Whether to go on only when it has ended. Without it: finished.",
                ),
            ]),
            short: Some(key("name", Kind::Text, "Its name or its id.")),
            results: &["run", "outcome", "vars"],
        }),
    },
    Action {
        word: "log",
        about: "Writes a line into the run's timeline.",
        form: Some(Form {
            keys: Long::Block(&[required("message", Kind::Template, "The line.")]),
            short: Some(key("message", Kind::Template, "The line.")),
            results: &["message"],
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
    coming("lead"),
    coming("tag"),
    coming("release"),
    coming("opt_out"),
    coming("notify"),
    coming("http"),
    coming("uses"),
];

const fn coming(word: &'static str) -> Action {
    Action {
        word,
        about: "Not available in this version yet.",
        form: None,
    }
}
