//! What a step can do, and how it is written.

use super::super::{Action, Form, Key, Kind, Long, Names, key, later, required};

/// The result is whatever a plugin gives, so no field of it is unknown.
pub(crate) const OPEN: &[&str] = &["*"];

const MODEL: Key = key(
    "model",
    Kind::Name(Names::Models),
    "A name of [models]. Without it: default.",
);

static COMPOSE: &[Key] = &[
    key(
        "agent",
        Kind::Name(Names::Agents),
        "Whose number it comes from. Without it: the run's agent.",
    ),
    key(
        "prompt",
        Kind::Template,
        "What to write. Without it: an answer to the last text.",
    ),
    key(
        "history",
        Kind::Count,
        "How many of the last texts the model sees. Without it: 20.",
    ),
    key(
        "tools",
        Kind::List(&Kind::Name(Names::Tools)),
        "Names of [tools] that the model may call.",
    ),
    key(
        "max_segments",
        Kind::Count,
        "The longest text. Without it: 3 segments.",
    ),
    key(
        "fallback",
        Kind::Template,
        "What is sent when the model cannot be asked, or its words are refused.",
    ),
    key("guard", Kind::Block(GUARD), "What the text must not be."),
    key(
        "on_guard_fail",
        Kind::Choice(&["fallback", "fail", "skip", "handoff"]),
        "What happens to a text that the guard refuses. Without it: fallback.",
    ),
    key(
        "approve",
        Kind::Short(&Kind::Name(Names::People), APPROVE),
        "Who sees the text before it is sent: they let it go, change it, or reject it.",
    ),
    key("append", Kind::Template, "Set behind the model's words."),
    later("builder"),
    MODEL,
];

static APPROVE: &[Key] = &[
    required(
        "by",
        Kind::Name(Names::People),
        "Who is asked, by a text and in the list of what waits for approval.",
    ),
    key(
        "timeout",
        Kind::Duration,
        "How long they have. Without it: until somebody answers, or the run ends.",
    ),
    key(
        "default",
        Kind::Choice(&["send", "skip", "fail"]),
        "What happens when nobody answers in that time. Without it: skip, so that nothing is sent.",
    ),
];

static GUARD: &[Key] = &[
    key(
        "never_say",
        Kind::List(&Kind::Text),
        "Words that must not be in it.",
    ),
    key(
        "must_ground",
        Kind::List(&Kind::Choice(&["price", "opening_hours"])),
        "What it may only say when it stands in what the model was given.",
    ),
    key(
        "min_confidence",
        Kind::Share,
        "How sure the model must be, from 0 to 1; for models that say so.",
    ),
];

/// The keys of a `for_each`.
pub(crate) const IN: Key = required("in", Kind::Value, "A list.");
/// See [`IN`].
pub(crate) const AS: Key = key(
    "as",
    Kind::Text,
    "What one of them is called. Without it: item.",
);
/// See [`IN`].
pub(crate) const WHERE: Key = key(
    "where",
    Kind::Condition,
    "Only those for which this is true.",
);
/// See [`IN`].
pub(crate) const ORDER: Key = key(
    "order",
    Kind::Text,
    "The field they are sorted by; a - in front turns the order around.",
);
/// See [`IN`].
pub(crate) const LIMIT: Key = key("limit", Kind::Count, "At most so many.");

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
        word: "compose",
        about: "Lets a model write a text, and sends it to the contact.",
        form: Some(Form {
            keys: Long::Block(COMPOSE),
            short: Some(key("prompt", Kind::Template, "What to write.")),
            results: &[
                "message", "status", "deferred", "reason", "segments", "to", "approved", "by",
                "edited",
            ],
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
        word: "lead",
        about: "Changes what is known of the contact, who becomes a lead by it.",
        form: Some(Form {
            keys: Long::Block(&[
                key(
                    "set",
                    Kind::Map(&Kind::Value),
                    "Fields and their values; null removes a field.",
                ),
                key("tag", Kind::List(&Kind::Template), "Tags to add."),
                key("untag", Kind::List(&Kind::Template), "Tags to take off."),
                key("note", Kind::Value, "A line for people."),
            ]),
            short: None,
            results: &["changed"],
        }),
    },
    Action {
        word: "tag",
        about: "Adds tags to the contact: the short form of lead.",
        form: Some(Form {
            keys: Long::Other(Kind::List(&Kind::Template)),
            short: None,
            results: &["changed"],
        }),
    },
    Action {
        word: "release",
        about: "Frees the conversation from the person who has it.",
        form: Some(Form {
            keys: Long::Block(&[]),
            short: Some(key("yes", Kind::Yes, "Frees it.")),
            results: &[],
        }),
    },
    Action {
        word: "opt_out",
        about: "Opts the contact out, who said so in other words than STOP, and ends the run as opt_out.",
        form: Some(Form {
            keys: Long::Block(&[
                key(
                    "scope",
                    Kind::Choice(&["all"]),
                    "Of what: all texts, as the law has it.",
                ),
                key(
                    "reply",
                    Kind::Value,
                    "The one text that confirms it: true for the words that answer a STOP, or other words.",
                ),
            ]),
            short: Some(key("yes", Kind::Yes, "Opts them out without a word.")),
            results: &[],
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
        word: "call",
        about: "Places a call to the contact.",
        form: Some(Form {
            keys: Long::Block(&[
                key(
                    "agent",
                    Kind::Name(Names::Agents),
                    "Who calls. Without it: the run's agent.",
                ),
                key(
                    "to",
                    Kind::PhoneValue,
                    "Whom. Without it: the run's contact.",
                ),
                key(
                    "variables",
                    Kind::Value,
                    "What a voice agent is told about the call.",
                ),
                key(
                    "ring_for",
                    Kind::Duration,
                    "How long it rings. Without it: 30 seconds.",
                ),
                key(
                    "wait",
                    Kind::Choice(&["finished", "none"]),
                    "Whether to go on only when it has ended. Without it: finished.",
                ),
            ]),
            short: Some(key("agent", Kind::Name(Names::Agents), "Who calls.")),
            results: &["call", "status", "hangup_cause", "summary"],
        }),
    },
    Action {
        word: "classify",
        about: "Asks a model which of some labels fits a text.",
        form: Some(Form {
            keys: Long::Block(&[
                required("text", Kind::Value, "The text."),
                required("labels", Kind::List(&Kind::Text), "The labels."),
                MODEL,
            ]),
            short: None,
            results: &["label", "confidence"],
        }),
    },
    Action {
        word: "extract",
        about: "Asks a model what a text says about some things.",
        form: Some(Form {
            keys: Long::Block(&[
                required("text", Kind::Value, "The text."),
                required(
                    "fields",
                    Kind::Fields,
                    "Names and types: string, number, boolean, datetime, date, phone; with ? when it may be missing; list[…] for several.",
                ),
                MODEL,
            ]),
            short: None,
            results: &[],
        }),
    },
    Action {
        word: "http",
        about: "Makes a request.",
        form: Some(Form {
            keys: Long::Block(&[
                key(
                    "method",
                    Kind::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
                    "Without it: GET, or POST where something is sent.",
                ),
                required("url", Kind::Template, "The address."),
                key(
                    "headers",
                    Kind::Value,
                    "Names and values; secret:NAME in a value stands for a secret of the configuration.",
                ),
                key("json", Kind::Value, "Sent as JSON."),
                key("form", Kind::Value, "Sent as a form: names and values."),
                key("body", Kind::Template, "Sent as it is."),
                key(
                    "timeout",
                    Kind::Duration,
                    "How long it may take. Without it: 15 seconds.",
                ),
                key(
                    "expect",
                    Kind::List(&Kind::Count),
                    "Statuses that are not an error. Without it: 200 to 299.",
                ),
            ]),
            short: Some(key("url", Kind::Template, "The address, read with GET.")),
            results: &["status", "headers", "body"],
        }),
    },
    Action {
        word: "uses",
        about: "Calls a step of a plugin; what it is given stands beside it, under with.",
        form: Some(Form {
            keys: Long::Block(&[required("plugin", Kind::Text, "Its name: acme/hubspot@1.")]),
            short: Some(key("plugin", Kind::Text, "Its name: acme/hubspot@1.")),
            results: OPEN,
        }),
    },
    Action {
        word: "notify",
        about: "Tells a person of the business, or a program.",
        form: Some(Form {
            keys: Long::Block(&[
                key("to", Kind::Name(Names::People), "Who gets a text."),
                required("text", Kind::Template, "The words."),
                key(
                    "webhook",
                    Kind::Template,
                    "An address that gets them as JSON.",
                ),
            ]),
            short: None,
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
];
