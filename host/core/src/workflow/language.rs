//! The words of the language in one place: triggers, actions, and their keys
//! with the kind of value each takes. The reader, the messages and the JSON
//! Schema are all made from these tables; a new word begins here.

mod tables;

pub(crate) use tables::{ACTIONS, CASE, DAYS, FILE, STEP, TRIGGERS};

/// The kind of value a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A fixed text.
    Text,
    /// A text with `{{ … }}`.
    Template,
    /// Any value: as written, `${{ … }}`, or a text with `{{ … }}`.
    Value,
    /// As [`Kind::Value`]; a literal must be a phone number.
    PhoneValue,
    /// A bare expression.
    Condition,
    /// A regular expression.
    Pattern,
    /// `10m`
    Duration,
    /// A whole number.
    Count,
    /// A number from 0 to 1.
    Share,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A name of the configuration.
    Name(Names),
    /// A phone number in quotes.
    Phone,
    /// A cron line.
    Cron,
    /// An IANA zone.
    Zone,
    /// `"10:30"`
    TimeOfDay,
    /// `"10:00-18:00"`
    DayWindow,
    /// `string?`
    InputType,
    /// A list; a single value stands for a list of one.
    List(&'static Kind),
    /// Names of the author's own.
    Map(&'static Kind),
    /// Fixed keys.
    Block(&'static [Key]),
    /// Constants: JSON.
    Constants,
    /// The `on` of a file.
    Triggers,
    /// The events of a `wait_for`, and its timeout.
    Events,
    /// A list of steps.
    Steps,
    /// Several lists of steps.
    Branches,
    /// What a `switch` decides by, and its cases.
    Cases,
    /// Names and their weights.
    Weights,
    /// `fail`, `continue`, or a list of steps.
    OnError,
    /// Names and types of things that are extracted.
    Fields,
    /// `true` and nothing else.
    Yes,
    /// Not read yet.
    Later,
    /// The tests of a file.
    Tests,
    /// `2026-03-08T01:45:00-06:00`
    Instant,
    /// `true` or `false`.
    Flag,
    /// A whole number, or a text.
    CountOrText,
    /// `20/min`
    Times,
    /// `> 2% of last 100`
    TooMany,
    /// Fixed keys, or a value that stands for them.
    Short(&'static Kind, &'static [Key]),
}

/// Which names of the configuration are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// `[agents.…]`
    Agents,
    /// `[hours.…]`
    Hours,
    /// `[people.…]`
    People,
    /// `[templates]`
    Templates,
    /// `[secrets]`
    Secrets,
    /// `[models.…]`
    Models,
    /// `[tools.…]`
    Tools,
}

/// A key of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    /// For the schema, and so for the author's editor.
    pub(crate) about: &'static str,
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key {
        name,
        kind,
        required: false,
        about,
    }
}

const fn required(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key {
        name,
        kind,
        required: true,
        about,
    }
}

const fn later(name: &'static str) -> Key {
    key(name, Kind::Later, "Not available in this version yet.")
}

impl Key {
    /// Whether the key belongs to the language but not to this version.
    pub(crate) fn is_later(&self) -> bool {
        matches!(self.kind, Kind::Later)
    }
}

/// An event that can start a run, or be waited for.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
    /// None: not in this version.
    pub(crate) keys: Option<&'static [Key]>,
    /// What a `wait_for` of it takes; none: cannot be waited for in this version.
    pub(crate) awaited: Option<&'static [Key]>,
}

/// What a step can do.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) word: &'static str,
    pub(crate) about: &'static str,
    /// None: not in this version.
    pub(crate) form: Option<Form>,
}

/// How an action is written, and what later steps can read of it.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) keys: Long,
    /// What a plain value instead of the keys stands for.
    pub(crate) short: Option<Key>,
    /// Its result's own fields, besides [`RESULTS`].
    pub(crate) results: &'static [&'static str],
}

/// The long form of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Long {
    /// Fixed keys.
    Block(&'static [Key]),
    /// Names of the author's own, or events.
    Other(Kind),
}

/// The fields of every step's result.
pub(crate) const RESULTS: &[&str] = &["ok", "error", "at", "attempts", "skipped", "timed_out"];

/// What is known of the fields of the context; a root that is not here is open.
pub(crate) const FIELDS: &[(&str, &[&str])] = &[
    (
        "contact",
        &[
            "phone",
            "name",
            "zone",
            "zones",
            "region",
            "opted_out",
            "consent",
        ],
    ),
    (
        "agent",
        &["id", "name", "business", "number", "numbers", "zone"],
    ),
    (
        "convo",
        &[
            "id",
            "handoff",
            "last_inbound_at",
            "last_outbound_at",
            "last_sentiment",
        ],
    ),
    (
        "run",
        &["id", "workflow", "version", "started_at", "attempt"],
    ),
];

/// The blocks a template may use. `set`, `with` and the like can double a text
/// again and again within the limit of steps, so they are left out.
pub(crate) const BLOCKS: &[&str] = &["if", "elif", "else", "endif", "for", "endfor"];

/// An action by its word.
pub(crate) fn action(word: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.word == word)
}

/// A trigger by its word.
pub(crate) fn trigger(word: &str) -> Option<&'static Trigger> {
    TRIGGERS.iter().find(|trigger| trigger.word == word)
}
