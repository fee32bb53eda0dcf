//! A pretend provider. What it holds is the truth that the engine's records are
//! compared with; it survives every crash of the host.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::{Finding, Setup};
use crate::model::{Message, MessageId, PhoneNumber};

/// How long a text that was taken is missing from the list.
const LIST_LAG: SignedDuration = SignedDuration::from_millis(1_500);

/// A text that the provider took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) provider_id: String,
    pub(super) message: Message,
    pub(super) at: Timestamp,
}

/// Everything the providers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Provider {
    pub(super) taken: Vec<Taken>,
    by_message: BTreeMap<MessageId, String>,
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
        if idempotent && let Some(known) = self.by_message.get(&message.id) {
            return (known.clone(), false);
        }
        let provider_id = self.issue("P");
        self.by_message
            .insert(message.id.clone(), provider_id.clone());
        self.taken.push(Taken {
            provider_id: provider_id.clone(),
            message: message.clone(),
            at: now,
        });
        (provider_id, true)
    }

    /// How many texts it took under one of our ids.
    pub(super) fn count(&self, id: &MessageId) -> usize {
        let same = self.taken.iter().filter(|taken| taken.message.id == *id);
        same.count()
    }

    /// The texts of its list that could be this one.
    pub(super) fn find(&self, message: &Message, now: Timestamp) -> Finding {
        let since = message
            .attempts
            .last()
            .map_or(message.created_at, |one| one.at);
        let found = self.taken.iter().filter(|taken| {
            taken.message.connection == message.connection
                && taken.message.contact == message.contact
                && taken.message.body == message.body
                && taken.at >= since
                && now.duration_since(taken.at) >= LIST_LAG
        });
        Finding::Candidates(found.map(|taken| taken.provider_id.clone()).collect())
    }
}
