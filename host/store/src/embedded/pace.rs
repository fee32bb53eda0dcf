//! How fast large merges go. While something is committed, in proportion to that: so what
//! a commit costs is the same in every stretch of time, and not several times as much
//! while a merge of millions of pairs goes on. While nothing is, as fast as they can.
//! It only counts; what is merged is `tiers`'.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ringback_core::model::Revision;

/// How many pairs are merged for each that a checkpoint adds. Measured with a million
/// finished runs, three to five are needed on the whole, and one more with eight times as
/// many; the rest is for catching up.
const RATE: u64 = 8;

/// And how many for each checkpoint, however little it adds.
const LEAST: u64 = 4 * 1024;

/// What was not needed is not saved up beyond this: it would be used all at once.
const MOST: u64 = 64 * 1024;

/// With so many runs, reading takes longer than it should: no more waiting.
const CROWD: usize = 64;

/// How long nothing was committed when nothing is.
const CALM: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct Pace {
    credit: Cell<u64>,
    /// The last commit that was seen, and when it was new.
    seen: Cell<(Revision, Instant)>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            credit: Cell::new(0),
            seen: Cell::new((0, now)),
        }
    }

    /// A checkpoint added so many pairs.
    pub(super) fn earn(&self, pairs: u64) {
        let earned = pairs.saturating_mul(RATE).saturating_add(LEAST);
        let credit = self.credit.get().saturating_add(earned);
        self.credit.set(credit.min(MOST.max(earned)));
    }

    /// How many pairs may be merged at once, up to so many. `revision` is the last commit
    /// now, `runs` how many runs there are.
    pub(super) fn take(&self, most: u64, revision: Revision, runs: usize, now: Instant) -> u64 {
        let (seen, since) = self.seen.get();
        if revision != seen {
            self.seen.set((revision, now));
        } else if now.saturating_duration_since(since) >= CALM {
            return most;
        }
        if runs >= CROWD {
            return most;
        }
        let taken = self.credit.get().min(most);
        self.credit.set(self.credit.get() - taken);
        taken
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
