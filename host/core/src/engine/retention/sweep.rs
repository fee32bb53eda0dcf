//! Which part of the store housekeeping looks at next. Plain arithmetic with keys:
//! the caller reads the pages and asks for what is in them to be removed.
//!
//! Texts, runs, calls, unread webhooks and entries of the feed lie in the order of
//! time. Of those, only what was made before the time limit is looked at, and what
//! was looked at once is looked at again only in the next lap, a day later: old
//! runs that still wait cost one look a day and not one a minute.
//!
//! What is kept under hashes (repeats, providers' names, enrollments) has no such
//! order. It is walked through once in a lap, a page at a time. An index by time
//! would cost every webhook one more key; the walk costs some seconds of a day.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Retention;
use crate::model::{Key, keys};

/// How long a lap is.
const LAP: SignedDuration = SignedDuration::from_hours(24);

/// The tables, in the order in which they are looked at: runs before texts, so
/// that a text whose run goes may go in the same round.
const TABLES: [u8; 9] = *b"eurobavkl";

/// Where housekeeping stands. It may be stored, and it may be lost: then the
/// present lap begins again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When the present lap began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lap: Option<Timestamp>,
    /// By table, the key before which everything was looked at in this lap.
    #[serde(default)]
    places: BTreeMap<u8, Key>,
}

/// A part of the store that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The first key.
    pub from: Key,
    /// The key after the last one.
    pub to: Key,
}

impl Sweep {
    /// Begins a round: what has come of age since the last one, and, once in a
    /// lap, everything again. Whether a new lap began.
    pub fn begin(&mut self, now: Timestamp) -> bool {
        // A clock that was set back begins a lap too.
        let goes_on = self
            .lap
            .is_some_and(|began| now >= began && now.duration_since(began) < LAP);
        if !goes_on {
            self.lap = Some(now);
            self.places.clear();
        }
        !goes_on
    }

    /// The next part to look at; `None` when the round is over.
    pub fn next(&self, retention: &Retention, now: Timestamp) -> Option<Page> {
        TABLES.iter().find_map(|table| {
            let (first, to) = part(*table, retention, now)?;
            let from = self.places.get(table).cloned().unwrap_or(first);
            (from < to).then_some(Page { from, to })
        })
    }

    /// A page was looked at: up to this key, or, with none, to its end.
    pub fn looked(&mut self, page: &Page, last: Option<&Key>) {
        let Some(table) = keys::table_of(&page.from) else {
            return;
        };
        let place = match last {
            Some(last) => Key::new([last.as_bytes(), &[0]].concat()),
            None => page.to.clone(),
        };
        self.places.insert(table, place);
    }
}

/// The part of a table in which something may be old enough.
fn part(table: u8, retention: &Retention, now: Timestamp) -> Option<(Key, Key)> {
    let kept = match table {
        b'e' => retention.events,
        b'u' => retention.webhooks,
        b'r' | b'l' => retention.finished_runs,
        b'o' | b'v' => retention.messages,
        b'a' | b'b' => retention.calls,
        _ => retention.repeats,
    };
    let limit = super::limit(kept, now)?;
    match table {
        b'e' | b'u' | b'r' | b'o' | b'a' => keys::made_before(table, limit),
        _ => Some(keys::table(table)),
    }
}

#[cfg(test)]
mod tests;
