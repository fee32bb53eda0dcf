//! The events of the language, and what can be waited for.

use super::super::{Key, Kind, Names, Trigger, key, later, required};

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
