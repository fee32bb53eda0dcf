//! Identifiers: a prefix that says what it is, then a UUID of version 7, so that
//! the order of ids is the order of time. They are copied into many records, so a copy
//! shares the text.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Reads an id; `None` when it has another shape.
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix(Self::PREFIX)?;
                Uuid::try_parse(rest).ok().map(|_| Self(text.into()))
            }

            /// When it was made, to the millisecond: the first 48 bits of the
            /// UUID (RFC 9562, section 5.7). `None` when it is of another kind.
            pub fn at(&self) -> Option<Timestamp> {
                let uuid = Uuid::try_parse(self.0.strip_prefix(Self::PREFIX)?).ok()?;
                (uuid.get_version_num() == 7)
                    .then(|| i64::try_from(uuid.as_u128() >> 80).ok())
                    .flatten()
                    .and_then(|millis| Timestamp::from_millisecond(millis).ok())
            }

            /// The id as text, prefix included.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A text: `msg_…`.
    MessageId, "msg_"
);
id!(
    /// A thread of texts with one contact: `con_…`.
    ConversationId, "con_"
);
id!(
    /// One run of a workflow: `run_…`.
    RunId, "run_"
);
id!(
    /// An entry of the event feed: `evt_…`.
    EventId, "evt_"
);
id!(
    /// A call: a bare UUID, as RevRing's clients expect.
    CallId, ""
);

/// Makes the ids of one engine step. The same time and seed make the same ids in
/// the same order, so a step that is computed again names the same things.
#[derive(Clone, Debug)]
pub struct Ids {
    now: Timestamp,
    seed: u128,
    made: u64,
}

impl Ids {
    /// Ids for a step at `now`; the seed is a random number of the caller's.
    pub fn new(now: Timestamp, seed: u128) -> Self {
        Self { now, seed, made: 0 }
    }

    /// A number between 0 and 1, for jitter.
    pub fn fraction(&mut self) -> f64 {
        let [a, b, c, d, ..] = self.random();
        f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
    }

    fn random(&mut self) -> [u8; 10] {
        self.made += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_be_bytes());
        hasher.update(&self.made.to_be_bytes());
        let mut random = [0; 10];
        hasher.finalize_xof().fill(&mut random);
        random
    }

    /// The first twelve bits after the time count up, so that the ids of one step
    /// keep their order within a millisecond (RFC 9562, section 6.2, method 1).
    fn uuid(&mut self) -> Uuid {
        let mut random = self.random();
        let [.., high, low] = self.made.to_be_bytes();
        let [first, second, ..] = &mut random;
        (*first, *second) = (high, low);
        let millis = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// The id of a new text.
    pub fn message(&mut self) -> MessageId {
        MessageId(format_smolstr!(
            "{}{}",
            MessageId::PREFIX,
            self.uuid().simple()
        ))
    }

    /// The id of a new conversation.
    pub fn conversation(&mut self) -> ConversationId {
        ConversationId(format_smolstr!(
            "{}{}",
            ConversationId::PREFIX,
            self.uuid().simple()
        ))
    }

    /// The id of a new run.
    pub fn run(&mut self) -> RunId {
        RunId(format_smolstr!("{}{}", RunId::PREFIX, self.uuid().simple()))
    }

    /// The id of a new feed entry.
    pub fn event(&mut self) -> EventId {
        EventId(format_smolstr!(
            "{}{}",
            EventId::PREFIX,
            self.uuid().simple()
        ))
    }

    /// The id of a new call.
    pub fn call(&mut self) -> CallId {
        CallId(format_smolstr!("{}", self.uuid().hyphenated()))
    }

    /// Sixteen bytes that make a timer's key its own.
    pub fn timer(&mut self) -> [u8; 16] {
        self.uuid().into_bytes()
    }
}
