//! A provider for long runs under load: what befalls a request is drawn by chance,
//! and what had an effect is kept in a ledger.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::Chance;
use super::{Behaviour, Twilio};

/// A text that was taken: somebody's phone rings now.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// To whom.
    pub(crate) to: String,
    /// What it says.
    pub(crate) body: String,
    /// The host's own id of it, from `StatusCallback`.
    pub(crate) id: String,
    /// The provider's id.
    pub(crate) sid: String,
    /// When the request had come whole.
    pub(crate) at: Timestamp,
}

/// What befalls requests.
pub(super) struct Fates(Chance);

impl Fates {
    /// Three of ten requests meet a misfortune. A request that is never answered is
    /// none of them: the half minute until it counts as lost is longer than the
    /// time between two kills.
    pub(super) fn next(&mut self) -> Option<Behaviour> {
        let taken = self.0.below(2) == 0;
        match self.0.below(100) {
            0..=9 => Some(Behaviour::Close(taken)),
            10..=19 => Some(Behaviour::Stumble(taken)),
            20..=22 => Some(Behaviour::HalfAnAnswer),
            23..=29 => Some(Behaviour::Slow(Duration::from_millis(self.0.below(400)))),
            _ => None,
        }
    }
}

impl Twilio {
    /// From now on misfortunes happen, and only what had an effect is written down.
    pub(crate) fn be_unreliable(&self, chance: Chance) {
        let mut state = self.state();
        state.fates = Some(Fates(chance));
        state.brief = true;
    }

    pub(super) fn take(&self, made: &Value, form: &[(String, String)]) {
        let field = |name: &str| {
            let mut pairs = form.iter().filter(|(one, _)| one == name);
            pairs
                .next()
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let callback = field("StatusCallback");
        let to = field("To");
        let mut state = self.state();
        state
            .taken
            .entry(to.clone())
            .or_default()
            .push(made.clone());
        state.ledger.push(Taken {
            to,
            body: field("Body"),
            id: callback
                .split_once("?id=")
                .map(|(_, id)| id.to_owned())
                .unwrap_or_default(),
            sid: made["sid"].as_str().unwrap_or_default().to_owned(),
            at: Timestamp::now(),
        });
    }

    /// What was taken, without the first so many.
    pub(crate) fn ledger(&self, from: usize) -> Vec<Taken> {
        self.state().ledger.get(from..).unwrap_or_default().to_vec()
    }

    /// How many texts this number has.
    pub(crate) fn has(&self, contact: &str) -> usize {
        self.state().taken.get(contact).map_or(0, Vec::len)
    }
}
