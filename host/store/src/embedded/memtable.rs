//! What was committed since the last checkpoint, in memory. The journal has all
//! of it durably; sled gets it at the next checkpoint, in the order of keys and
//! each key once, however often it was written meanwhile.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use ringback_core::model::{Key, Revision, Versioned};

use super::journal::frame::Writes;

/// What an entry takes beside its key and value, about: nodes and counters.
const OVERHEAD: usize = 128;

/// Set in the place of what was read from a snapshot, which does not say which
/// place it had: so it is never the place of a commit of the journal.
const RESTORED: u32 = 1 << 31;

/// The last write of a key.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) revision: Revision,
    /// Its number within its commit; long values are kept under it.
    pub(super) place: u32,
    /// `None`: the key was deleted.
    pub(super) value: Option<Arc<[u8]>>,
}

impl Written {
    /// As a reader sees it.
    pub(super) fn versioned(&self) -> Option<Versioned> {
        self.value.as_ref().map(|value| Versioned {
            revision: self.revision,
            value: Arc::clone(value),
        })
    }
}

/// The last write of each key.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    written: BTreeMap<Key, Written>,
    bytes: usize,
}

impl Memtable {
    /// Adds the writes of a commit.
    pub(super) fn add(&mut self, revision: Revision, writes: Writes) {
        for (place, (key, value)) in (0..).zip(writes) {
            self.put(key, revision, place, value);
        }
    }

    /// Adds one pair as it stood in a snapshot or an increment. Keys of one revision
    /// are told apart by their place, which the caller counts.
    pub(super) fn restore(
        &mut self,
        key: Key,
        revision: Revision,
        place: u32,
        value: Option<Arc<[u8]>>,
    ) {
        self.put(key, revision, place | RESTORED, value);
    }

    fn put(&mut self, key: Key, revision: Revision, place: u32, value: Option<Arc<[u8]>>) {
        self.bytes += OVERHEAD + key.as_bytes().len() + value.as_ref().map_or(0, |one| one.len());
        let write = Written {
            revision,
            place,
            value,
        };
        self.written.insert(key, write);
    }

    /// About how many bytes were put into it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// In the order of keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Written)> {
        self.written.iter()
    }

    fn range<'a>(
        &'a self,
        from: &Key,
        to: Option<&Key>,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Written)> + use<'a> {
        let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.as_bytes()));
        self.written
            .range::<[u8], _>((Bound::Included(from.as_bytes()), to))
    }
}

/// The writes that sled may not have: those since the last checkpoint began, and
/// those that a checkpoint is bringing into sled.
#[derive(Debug, Default)]
pub(super) struct Layers {
    active: Memtable,
    frozen: Option<Frozen>,
}

/// A memtable that takes no more writes.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    pub(super) table: Arc<Memtable>,
    /// The last commit that is in it.
    pub(super) upto: Revision,
}

impl Layers {
    /// Layers that begin with what a start replayed.
    pub(super) fn new(active: Memtable) -> Self {
        Self {
            active,
            frozen: None,
        }
    }

    /// Takes up a commit.
    pub(super) fn add(&mut self, revision: Revision, writes: Writes) {
        self.active.add(revision, writes);
    }

    /// Bytes that were put in since the last checkpoint began.
    pub(super) fn active_bytes(&self) -> usize {
        self.active.bytes()
    }

    /// Sets aside what is to be brought into sled. What an earlier checkpoint did
    /// not finish comes first; then `upto` is not reached yet.
    pub(super) fn freeze(&mut self, upto: Revision) -> Frozen {
        let active = &mut self.active;
        let fresh = || Frozen {
            table: Arc::new(std::mem::take(active)),
            upto,
        };
        self.frozen.get_or_insert_with(fresh).clone()
    }

    /// What was set aside is in sled, durably.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
    }

    /// The last write of a key, if sled may not have it.
    pub(super) fn get(&self, key: &Key) -> Option<&Written> {
        let frozen = || self.frozen.as_ref()?.table.written.get(key);
        self.active.written.get(key).or_else(frozen)
    }

    /// The last writes of a range of keys, forward.
    pub(super) fn forward<'a>(
        &'a self,
        from: &Key,
        to: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Written)> + use<'a> {
        let frozen = self.frozen.as_ref().map(|one| one.table.range(from, to));
        let newer = self.active.range(from, to);
        newest(newer, frozen.into_iter().flatten(), |a, b| a < b)
    }

    /// The last writes of a range of keys, backward.
    pub(super) fn backward<'a>(
        &'a self,
        from: &Key,
        to: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Written)> + use<'a> {
        let frozen = self.frozen.as_ref();
        let frozen = frozen.map(|one| one.table.range(from, to).rev());
        let newer = self.active.range(from, to).rev();
        newest(newer, frozen.into_iter().flatten(), |a, b| a > b)
    }
}

/// Two ordered sequences as one; of equal keys the newer counts.
fn newest<'a>(
    newer: impl Iterator<Item = (&'a Key, &'a Written)>,
    older: impl Iterator<Item = (&'a Key, &'a Written)>,
    before: impl Fn(&Key, &Key) -> bool,
) -> impl Iterator<Item = (&'a Key, &'a Written)> {
    let (mut newer, mut older) = (newer.peekable(), older.peekable());
    std::iter::from_fn(move || match (newer.peek(), older.peek()) {
        (Some((new, _)), Some((old, _))) if before(old, new) => older.next(),
        (Some((new, _)), Some((old, _))) => {
            if new == old {
                older.next();
            }
            newer.next()
        }
        (Some(_), None) => newer.next(),
        (None, _) => older.next(),
    })
}

/// The pairs of a range: those below, under what was written since. `before` says
/// which of two keys comes first, `read` what a value below is: it is asked only
/// for what counts, since a checkpoint may be replacing the others at this moment.
/// An error comes at once and is the last answer.
pub(super) fn over<'a, B, E>(
    layers: impl Iterator<Item = (&'a Key, &'a Written)>,
    below: impl Iterator<Item = Result<(Key, B), E>>,
    before: impl Fn(&Key, &Key) -> bool,
    read: impl Fn(&Key, B) -> Result<Versioned, E>,
) -> impl Iterator<Item = Result<(Key, Versioned), E>> {
    let (mut layers, mut below) = (layers.peekable(), below.peekable());
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed {
            match next(&mut layers, &mut below, &before) {
                Side::Below => {
                    let own = |(key, value): (Key, B)| {
                        let value = read(&key, value)?;
                        Ok((key, value))
                    };
                    let pair = below.next().map(|pair| pair.and_then(own));
                    failed = matches!(pair, Some(Err(_)));
                    return pair;
                }
                Side::Layers => {
                    let (key, written) = layers.next()?;
                    if let Some(pair) = written.versioned() {
                        return Some(Ok((key.clone(), pair)));
                    }
                }
                Side::Both => drop(below.next()),
                Side::Neither => return None,
            }
        }
        None
    })
}

/// On which side the next pair stands.
enum Side {
    Layers,
    Below,
    /// On both: what sled has is outdated.
    Both,
    Neither,
}

fn next<'a, B, E>(
    layers: &mut Peekable<impl Iterator<Item = (&'a Key, &'a Written)>>,
    below: &mut Peekable<impl Iterator<Item = Result<(Key, B), E>>>,
    before: &impl Fn(&Key, &Key) -> bool,
) -> Side {
    match (layers.peek(), below.peek()) {
        (None, None) => Side::Neither,
        (None, Some(_)) | (Some(_), Some(Err(_))) => Side::Below,
        (Some(_), None) => Side::Layers,
        (Some((ours, _)), Some(Ok((theirs, _)))) if *ours == theirs => Side::Both,
        (Some((ours, _)), Some(Ok((theirs, _)))) => match before(theirs, ours) {
            true => Side::Below,
            false => Side::Layers,
        },
    }
}

#[cfg(test)]
#[path = "memtable_tests.rs"]
mod tests;
