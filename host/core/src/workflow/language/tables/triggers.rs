//! The events of the language, and what can be waited for.

use super::super::{Key, Kind, Names, Trigger, key, required};

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

const FOLD: Key = key(
    "fold",
    Kind::Duration,
    "Texts of one conversation within this time of each other are one turn, for at most five times as long; event.text is all of them, event.texts each.",
);
const SKIP: Key = key(
    "skip",
    Kind::List(&Kind::Choice(&["opt_out_keywords", "help_keywords"])),
    "Words of the law never start a run; this only says so.",
);
const CALL_STATUS: Key = key(
    "status",
    Kind::List(&Kind::Choice(&[
        "INITIATED",
        "RINGING",
        "IN_PROGRESS",
        "COMPLETED",
        "NO_ANSWER",
        "BUSY",
        "FAILED",
        "CANCELED",
        "UNKNOWN",
    ])),
    "Only one of these.",
);
const STATUS: Key = key(
    "status",
    Kind::List(&Kind::Choice(&[
        "pending_approval",
        "scheduled",
        "queued",
        "sending",
        "accepted",
        "sent",
        "delivered",
        "undelivered",
        "failed",
        "expired",
        "canceled",
        "skipped",
        "unknown",
        "needs_review",
    ])),
    "Only one of these.",
);
const FAILED: Key = key(
    "status",
    Kind::List(&Kind::Choice(&["failed", "undelivered"])),
    "Only one of these.",
);
const CHANGED: Key = key(
    "changed",
    Kind::List(&Kind::Text),
    "Only when this field (or one of these) changed; tags, zone and consent count as fields.",
);
const PLUGIN: Key = key("plugin", Kind::Text, "Only of this plugin or program.");
const NAME: Key = key("name", Kind::Text, "Only of this name.");
static VERIFY: &[Key] = &[
    required(
        "hmac_sha256",
        Kind::Text,
        "The secret that the signature is made with.",
    ),
    required("header", Kind::Text, "The header that carries it."),
];

/// The events of the language.
pub(crate) static TRIGGERS: &[Trigger] = &[
    Trigger {
        word: "call.missed",
        about: "A call ended and nobody spoke.",
        keys: Some(&[DIRECTION, FROM, TO, AGENT, VOICEMAIL, WHERE]),
        awaited: Some(&[DIRECTION, FROM, TO, AGENT, VOICEMAIL, WHERE]),
    },
    Trigger {
        word: "call.completed",
        about: "A call ended after somebody spoke.",
        keys: Some(&[DIRECTION, FROM, TO, AGENT, WHERE]),
        awaited: Some(&[DIRECTION, FROM, TO, AGENT, WHERE]),
    },
    Trigger {
        word: "message.received",
        about: "A contact's text.",
        keys: Some(&[TO_AGENT, FROM, MATCHES, WHERE, FOLD, SKIP]),
        awaited: Some(&[TO_AGENT, FROM, MATCHES, WHERE]),
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
    Trigger {
        word: "call.status",
        about: "A call came to another status.",
        keys: Some(&[DIRECTION, FROM, TO, AGENT, CALL_STATUS, WHERE]),
        awaited: Some(&[DIRECTION, FROM, TO, AGENT, CALL_STATUS, WHERE]),
    },
    Trigger {
        word: "message.status",
        about: "A text of ours came to another status.",
        keys: Some(&[STATUS, WHERE]),
        awaited: Some(&[STATUS, WHERE]),
    },
    Trigger {
        word: "message.failed",
        about: "A text of ours was not sent, or did not arrive.",
        keys: Some(&[FAILED, WHERE]),
        awaited: Some(&[FAILED, WHERE]),
    },
    Trigger {
        word: "lead.created",
        about: "A contact became a lead: somebody told us of them.",
        keys: Some(&[CHANGED, WHERE]),
        awaited: None,
    },
    Trigger {
        word: "lead.updated",
        about: "What is known of a lead changed.",
        keys: Some(&[CHANGED, WHERE]),
        awaited: Some(&[CHANGED, WHERE]),
    },
    Trigger {
        word: "webhook",
        about: "Another program called an address of ours; what it sent is event.body, event.headers and event.query.",
        keys: Some(&[
            required("path", Kind::Text, "What stands after /in/ in the address."),
            key(
                "verify",
                Kind::Block(VERIFY),
                "How it is known that the call is genuine. Without it everybody may call.",
            ),
            key(
                "dedupe",
                Kind::Value,
                "What makes a call the same as one before: then nothing is done.",
            ),
            WHERE,
        ]),
        awaited: None,
    },
    Trigger {
        word: "conversation.idle",
        about: "Nobody wrote in a conversation for a while; once for each silence, counted from texts since the workflow is in service.",
        keys: Some(&[
            required("after", Kind::Duration, "How long nobody wrote."),
            key(
                "last_from",
                Kind::Choice(&["us", "them"]),
                "Only when the last text was ours, or theirs.",
            ),
            WHERE,
        ]),
        awaited: None,
    },
    Trigger {
        word: "conversation.handoff",
        about: "A person took a conversation; who is event.to, why is event.reason.",
        keys: Some(&[WHERE]),
        awaited: Some(&[WHERE]),
    },
    Trigger {
        word: "contact.opted_out",
        about: "A contact opted out. Nothing can be sent to them any more.",
        keys: Some(&[WHERE]),
        awaited: None,
    },
    Trigger {
        word: "contact.opted_in",
        about: "A contact who had opted out wants texts again.",
        keys: Some(&[WHERE]),
        awaited: Some(&[WHERE]),
    },
    Trigger {
        word: "workflow.finished",
        about: "A run of another workflow ended.",
        keys: Some(&[
            key(
                "workflow",
                Kind::Text,
                "Only of this workflow: its name or its id.",
            ),
            key(
                "outcome",
                Kind::List(&Kind::Text),
                "Only with one of these outcomes; finished, cancelled and failed mean every run that ended so.",
            ),
            WHERE,
        ]),
        awaited: None,
    },
    Trigger {
        word: "plugin.event",
        about: "A plugin or program told of something; what it sent is event.data.",
        keys: Some(&[PLUGIN, NAME, WHERE]),
        awaited: Some(&[PLUGIN, NAME, WHERE]),
    },
    not_yet("lead.score_changed"),
    not_yet("promise.due"),
];

const fn not_yet(word: &'static str) -> Trigger {
    Trigger {
        word,
        about: "Not available in this version yet.",
        keys: None,
        awaited: None,
    }
}
