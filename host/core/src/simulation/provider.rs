//! A pretend provider. What it holds is the truth that the engine's records are
//! compared with; it survives every crash of the host.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::{Finding, Setup};
use crate::model::{CallId, Message, MessageId, PhoneNumber};

/// How long a text that was taken is missing from the list.
const LIST_LAG: SignedDuration = SignedDuration::from_millis(4_200);

/// A text that the provider took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) provider_id: String,
    pub(super) message: Message,
    /// When, by the provider's own clock.
    pub(super) at: Timestamp,
    /// When the attempt began that it came with, by the host's clock.
    pub(super) since: Option<Timestamp>,
}

/// Everything the providers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Provider {
    pub(super) taken: Vec<Taken>,
    by_message: BTreeMap<MessageId, (String, usize)>,
    /// How often each call was placed.
    pub(super) called: BTreeMap<CallId, u32>,
    /// Numbers that the provider itself blocks.
    pub(super) blocked: BTreeSet<PhoneNumber>,
    issued: u64,
}

impl Provider {
    /// A new id of the provider's.
    pub(super) fn issue(&mut self, prefix: &str) -> String {
        self.issued += 1;
        format!("{prefix}{}", self.issued)
    }

    /// A request has arrived: a new text, unless the provider suppresses
    /// repeats. Gives its id, and whether it was new.
    pub(super) fn take(
        &mut self,
        setup: &Setup,
        message: &Message,
        now: Timestamp,
    ) -> (String, bool) {
        let idempotent = setup
            .connections
            .get(&message.connection)
            .is_some_and(|connection| connection.idempotent);
        if idempotent && let Some((known, _)) = self.by_message.get(&message.id) {
            return (known.clone(), false);
        }
        let provider_id = self.issue("P");
        let mine = self.by_message.entry(message.id.clone()).or_default();
        mine.0.clone_from(&provider_id);
        mine.1 += 1;
        self.taken.push(Taken {
            provider_id: provider_id.clone(),
            message: message.clone(),
            at: now,
            since: message.attempts.last().map(|attempt| attempt.at),
        });
        (provider_id, true)
    }

    /// How many texts it took under one of our ids.
    pub(super) fn count(&self, id: &MessageId) -> usize {
        self.by_message.get(id).map_or(0, |(_, times)| *times)
    }

    /// The texts of its list that could be this one.
    pub(super) fn find(&self, message: &Message, now: Timestamp) -> Finding {
        let found = self.taken.iter().filter(|taken| {
            taken.message.connection == message.connection
                && taken.message.contact == message.contact
                && taken.message.body == message.body
                && taken.since >= message.attempts.last().map(|attempt| attempt.at)
                && now.duration_since(taken.at) >= LIST_LAG
        });
        Finding::Candidates(found.map(|taken| taken.provider_id.clone()).collect())
    }
}
