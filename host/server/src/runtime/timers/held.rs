//! Which timers are held: the first ones of the store, without a gap, up to a
//! limit. Pure: the store's pages and the time are handed in.
//!
//! Everything stored before the *horizon* is held (or is being acted on); what lies
//! behind it is only in the store. A new timer before the horizon is held, one
//! behind it is not. Too many held push the horizon back, too few ask for a page.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ringback_core::model::{Key, keys};

/// The most timers that are held: some two megabytes.
pub(super) const MOST: usize = 20_000;
/// With fewer than this the next page is wanted.
pub(super) const FEW: usize = 500;

/// How far the store is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Horizon {
    /// Everything before this key is held.
    At(Key),
    /// Everything is held.
    End,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This timer is due and was taken out.
    Due(Key),
    /// A page of the store is wanted.
    Load,
    /// The first one is due then.
    At(Timestamp),
    /// There is no timer.
    Nothing,
}

/// The timers that are held.
#[derive(Debug)]
pub(super) struct Held {
    /// In the order of time: a timer's key starts with its due time.
    keys: BTreeSet<Key>,
    horizon: Horizon,
    /// While a page is being read.
    loading: Option<Loading>,
}

/// A page that is being read.
#[derive(Debug)]
struct Loading {
    /// From this key on, which was the horizon.
    from: Key,
    /// Timers behind the horizon that were stored meanwhile: the page may have been
    /// read before them.
    meanwhile: Vec<Key>,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            keys: BTreeSet::new(),
            horizon: Horizon::At(keys::table(b't').0),
            loading: None,
        }
    }
}

impl Held {
    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn is_behind(&self, key: &Key) -> bool {
        matches!(&self.horizon, Horizon::At(horizon) if key >= horizon)
    }

    /// A timer was stored. Whether it is the first one now.
    pub(super) fn add(&mut self, key: Key) -> bool {
        if keys::timer_due(&key).is_none() {
            return false;
        }
        if self.is_behind(&key) {
            if let Some(loading) = &mut self.loading {
                loading.meanwhile.push(key);
            }
            return false;
        }
        self.keys.insert(key.clone());
        self.keep_the_most();
        self.keys.first() == Some(&key)
    }

    /// Lets the last ones go: the store has them.
    fn keep_the_most(&mut self) {
        while self.keys.len() > MOST {
            if let Some(last) = self.keys.pop_last() {
                self.horizon = Horizon::At(last);
            }
        }
    }

    /// Takes out the first timer, if it is due; else says what to wait for.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        if self.keys.len() < FEW && self.loading.is_none() && self.horizon != Horizon::End {
            return Next::Load;
        }
        let Some(first) = self.keys.first() else {
            return Next::Nothing;
        };
        match keys::timer_due(first) {
            Some(due) if due > now => Next::At(due),
            _ => self.keys.pop_first().map_or(Next::Nothing, Next::Due),
        }
    }

    /// From where a page is to be read; `None` when everything is held.
    pub(super) fn begin_load(&mut self) -> Option<Key> {
        match &self.horizon {
            Horizon::End => None,
            Horizon::At(horizon) => {
                let from = horizon.clone();
                self.loading = Some(Loading {
                    from: from.clone(),
                    meanwhile: Vec::new(),
                });
                Some(from)
            }
        }
    }

    /// The page was read; `full` when there may be more behind it.
    pub(super) fn end_load(&mut self, page: Vec<Key>, full: bool) {
        let Some(loading) = self.loading.take() else {
            return;
        };
        if self.horizon != Horizon::At(loading.from) {
            // So many came meanwhile that the horizon moved back: there would be a gap.
            return;
        }
        self.horizon = match page.last() {
            Some(last) if full => Horizon::At(super::super::after(last)),
            _ => Horizon::End,
        };
        self.keys.extend(page);
        for key in loading.meanwhile {
            self.add(key);
        }
        self.keep_the_most();
    }

    /// The page could not be read.
    pub(super) fn give_up_load(&mut self) {
        self.loading = None;
    }

    /// Forgets everything, so that it is read from the store again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
