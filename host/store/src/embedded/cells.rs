//! How keys and values lie in sled's one tree. Nothing else names sled's keys.
//!
//! | first byte | then | value |
//! |---|---|---|
//! | 0 | | the last revision that was applied |
//! | 1 | the key | revision, 0, the value; or revision, 1, place in its commit, pieces |
//! | 2 | revision, place in its commit, number | a piece of a long value |
//!
//! Long values are cut into pieces: what exceeds sled's segment size it keeps
//! in loose files, which our sync of its `db` file would not reach.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ringback_core::model::{Key, Revision, Versioned};
use sled::{IVec, Tree};

use super::bytes::{Reader, length};
use super::journal::frame::Writes;
use crate::{Direction, Error};

/// The longest value that is kept whole.
const WHOLE: usize = 32 * 1024;
/// The size of a piece.
const PIECE: usize = 24 * 1024;

const APPLIED: [u8; 1] = [0];
const CELL: u8 = 1;
const PIECES: u8 = 2;

/// A problem of sled's, in words.
pub(super) fn state(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(_) | sled::Error::Unsupported(_) => Error::State(error.to_string()),
        _ => Error::Rotten(error.to_string()),
    }
}

/// The last revision that was applied; 0 in a new tree.
pub(super) fn applied(tree: &Tree) -> Result<Revision, Error> {
    match tree.get(APPLIED).map_err(state)? {
        Some(bytes) => Reader(&bytes).u64().ok_or_else(|| broken("the revision")),
        None => Ok(0),
    }
}

/// Which commit last wrote a key.
pub(super) fn revision(tree: &Tree, key: &Key) -> Result<Option<Revision>, Error> {
    let cell = tree.get(cell_key(key)).map_err(state)?;
    cell.map(|cell| Ok(Cell::read(&cell, key)?.revision))
        .transpose()
}

/// The value of a key.
pub(super) fn get(tree: &Tree, key: &Key) -> Result<Option<Versioned>, Error> {
    let cell = tree.get(cell_key(key)).map_err(state)?;
    cell.map(|cell| value(tree, key, &cell)).transpose()
}

/// A page of pairs. The caller keeps writers out meanwhile.
pub(super) fn scan(
    tree: &Tree,
    from: &Key,
    to: &Key,
    limit: usize,
    direction: Direction,
) -> Result<Vec<(Key, Versioned)>, Error> {
    if from >= to {
        return Ok(Vec::new());
    }
    let range = tree.range(cell_key(from)..cell_key(to));
    match direction {
        Direction::Forward => page(tree, range, limit),
        Direction::Backward => page(tree, range.rev(), limit),
    }
}

/// A page of all pairs, from a key on, of not much more than `bytes` in all. The
/// caller keeps writers out meanwhile.
pub(super) fn scan_all(
    tree: &Tree,
    from: &Key,
    limit: usize,
    bytes: usize,
) -> Result<Vec<(Key, Versioned)>, Error> {
    let mut found = Vec::new();
    let mut taken = 0;
    for pair in tree.range(cell_key(from)..vec![CELL + 1]).take(limit) {
        let (key, value) = own(tree, pair)?;
        taken += value.value.len();
        found.push((key, value));
        if taken >= bytes {
            break;
        }
    }
    Ok(found)
}

fn page(
    tree: &Tree,
    pairs: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
    limit: usize,
) -> Result<Vec<(Key, Versioned)>, Error> {
    pairs.take(limit).map(|pair| own(tree, pair)).collect()
}

fn own(tree: &Tree, pair: sled::Result<(IVec, IVec)>) -> Result<(Key, Versioned), Error> {
    let (key, cell) = pair.map_err(state)?;
    let key = Key::new(key.get(1..).unwrap_or_default());
    let value = value(tree, &key, &cell)?;
    Ok((key, value))
}

/// Some commits on their way into sled. The last write of a key counts: that is
/// what applying one after the other would leave.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    writes: BTreeMap<&'a Key, Change<'a>>,
}

/// Revision, place in its commit, value.
type Change<'a> = (Revision, u32, Option<&'a Arc<[u8]>>);

impl<'a> Changes<'a> {
    /// Adds the writes of a commit.
    pub(super) fn add(&mut self, revision: Revision, writes: &'a Writes) {
        for (place, (key, value)) in (0..).zip(writes) {
            self.writes.insert(key, (revision, place, value.as_ref()));
        }
    }

    /// Adds one pair as it stood in a snapshot. Keys of one revision are told
    /// apart by their place, which the caller counts.
    pub(super) fn restore(&mut self, key: &'a Key, value: &'a Versioned, place: u32) {
        let write = (value.revision, place, Some(&value.value));
        self.writes.insert(key, write);
    }

    /// The revision that a pending write gives a key; `None` if none is pending.
    pub(super) fn pending(&self, key: &Key) -> Option<Option<Revision>> {
        let (revision, _, value) = self.writes.get(key)?;
        Some(value.map(|_| *revision))
    }

    /// Writes everything at once, with the revision that is now the last one.
    pub(super) fn apply(self, tree: &Tree, last: Option<Revision>) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        let mut puts = Vec::new();
        for (key, (revision, place, value)) in self.writes {
            let name = cell_key(key);
            if let Some(old) = tree.get(&name).map_err(state)? {
                for piece in Cell::read(&old, key)?.pieces() {
                    batch.remove(piece.to_vec());
                }
            }
            match value {
                Some(value) => puts.push((name, revision, place, value)),
                None => batch.remove(name),
            }
        }
        // After the removals: the same commit replayed puts the same pieces.
        for (name, revision, place, value) in puts {
            let mut cell = Vec::with_capacity(9 + value.len().min(WHOLE));
            cell.extend(revision.to_be_bytes());
            if value.len() <= WHOLE {
                cell.push(0);
                cell.extend(value.iter());
            } else {
                let parts = value.chunks(PIECE);
                cell.push(1);
                cell.extend(place.to_be_bytes());
                cell.extend(length(parts.len()).to_be_bytes());
                for (number, part) in (0..).zip(parts) {
                    batch.insert(piece_key(revision, place, number).to_vec(), part);
                }
            }
            batch.insert(name, cell);
        }
        if let Some(last) = last {
            batch.insert(&APPLIED, &last.to_be_bytes());
        }
        tree.apply_batch(batch).map_err(state)
    }
}

/// What a cell says.
struct Cell<'a> {
    revision: Revision,
    body: Body<'a>,
}

enum Body<'a> {
    Whole(&'a [u8]),
    Cut { place: u32, pieces: Range<u32> },
}

impl<'a> Cell<'a> {
    fn read(bytes: &'a [u8], key: &Key) -> Result<Self, Error> {
        let read = || {
            let mut reader = Reader(bytes);
            let revision = reader.u64()?;
            let body = match reader.take(1)? {
                [0] => Body::Whole(reader.0),
                [1] => Body::Cut {
                    place: reader.u32()?,
                    pieces: 0..reader.u32()?,
                },
                _ => return None,
            };
            Some(Self { revision, body })
        };
        read().ok_or_else(|| broken(&format!("{key:?}")))
    }

    fn pieces(&self) -> impl Iterator<Item = [u8; 17]> {
        let (place, pieces) = match &self.body {
            Body::Whole(_) => (0, 0..0),
            Body::Cut { place, pieces } => (*place, pieces.clone()),
        };
        let revision = self.revision;
        pieces.map(move |number| piece_key(revision, place, number))
    }
}

fn value(tree: &Tree, key: &Key, bytes: &[u8]) -> Result<Versioned, Error> {
    let cell = Cell::read(bytes, key)?;
    let value = match cell.body {
        Body::Whole(value) => Arc::from(value),
        Body::Cut { .. } => {
            let mut value = Vec::new();
            for piece in cell.pieces() {
                let part = tree.get(piece).map_err(state)?;
                value.extend_from_slice(&part.ok_or_else(|| broken(&format!("{key:?}")))?);
            }
            Arc::from(value)
        }
    };
    Ok(Versioned {
        revision: cell.revision,
        value,
    })
}

fn cell_key(key: &Key) -> Vec<u8> {
    let mut name = Vec::with_capacity(1 + key.as_bytes().len());
    name.push(CELL);
    name.extend(key.as_bytes());
    name
}

fn piece_key(revision: Revision, place: u32, number: u32) -> [u8; 17] {
    let mut name = [PIECES; 17];
    let tail = revision
        .to_be_bytes()
        .into_iter()
        .chain(place.to_be_bytes())
        .chain(number.to_be_bytes());
    name.iter_mut()
        .skip(1)
        .zip(tail)
        .for_each(|(to, from)| *to = from);
    name
}

fn broken(what: &str) -> Error {
    Error::Rotten(format!("what it holds for {what} cannot be read"))
}
