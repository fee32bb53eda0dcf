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

use std::ops::Range;
use std::sync::Arc;

use ringback_core::model::{Key, Revision, Versioned};
use sled::{IVec, Tree};

use super::bytes::{Reader, length};
use super::memtable::Memtable;
use crate::Error;

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

/// The pairs of a range, in order from either end. Values are read as they come.
pub(super) fn range<'t>(
    tree: &'t Tree,
    from: &Key,
    to: Option<&Key>,
) -> impl DoubleEndedIterator<Item = Result<(Key, Versioned), Error>> + use<'t> {
    let to = to.map_or_else(|| vec![CELL + 1], cell_key);
    let range = tree.range(cell_key(from)..to);
    range.map(|pair| own(tree, pair))
}

fn own(tree: &Tree, pair: sled::Result<(IVec, IVec)>) -> Result<(Key, Versioned), Error> {
    let (key, cell) = pair.map_err(state)?;
    let key = Key::new(key.get(1..).unwrap_or_default());
    let value = value(tree, &key, &cell)?;
    Ok((key, value))
}

/// Brings a memtable into sled; doing so again changes nothing. `last` is the
/// last commit it holds, if it is now the last one of the state.
///
/// Key by key and not as one batch of sled's, which would keep readers out: they
/// look into the memtable first, and after a crash in the middle the journal is
/// replayed from before.
pub(super) fn apply(tree: &Tree, table: &Memtable, last: Option<Revision>) -> Result<(), Error> {
    let (mut name, mut cell) = (Vec::new(), Vec::new());
    for (key, written) in table.iter() {
        name.clear();
        name.push(CELL);
        name.extend(key.as_bytes());
        let (revision, place) = (written.revision, written.place);
        let old = match &written.value {
            None => tree.remove(&name),
            Some(value) => {
                cell.clear();
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
                        let piece = piece_key(revision, place, number);
                        tree.insert(piece, part).map_err(state)?;
                    }
                }
                tree.insert(&name, &*cell)
            }
        };
        let Some(old) = old.map_err(state)? else {
            continue;
        };
        let old = Cell::read(&old, key)?;
        // The same commit applied again has put the same pieces.
        if !old.is_of(revision, place) {
            for piece in old.pieces() {
                tree.remove(piece).map_err(state)?;
            }
        }
    }
    if let Some(last) = last {
        tree.insert(APPLIED, &last.to_be_bytes()).map_err(state)?;
    }
    Ok(())
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

    fn is_of(&self, revision: Revision, place: u32) -> bool {
        let own = match &self.body {
            Body::Whole(_) => None,
            Body::Cut { place, .. } => Some(*place),
        };
        self.revision == revision && own == Some(place)
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
