//! How a value lies in a block: as a cell. And what there is in sled's one tree.
//!
//! | first byte | then | value |
//! |---|---|---|
//! | 0 | | see `base` |
//! | 2 | revision, place in its commit, number | a piece of a long value |
//! | 3 | the first key that it may hold | a block: see `blocks` |
//!
//! A cell is the revision, 0 and the value; or the revision, 1, the place in its
//! commit and the number of pieces.
//!
//! Long values in sled are cut into pieces: what exceeds sled's segment size it
//! keeps in loose files, which our sync of its `db` file would not reach. Those in
//! runs are whole.

use std::ops::Range;
use std::sync::Arc;

use ringback_core::model::{Key, Revision, Versioned};
use sled::Tree;

use super::base::Base;
use super::bytes::{Reader, length};
use super::memtable::Written;
use crate::Error;

/// The longest value that is kept whole.
pub(super) const WHOLE: usize = 32 * 1024;
/// The size of a piece.
const PIECE: usize = 24 * 1024;

/// Revision and kind.
const SHORTEST: usize = 9;

const PIECES: u8 = 2;

/// A problem of sled's, in words.
pub(super) fn state(error: sled::Error) -> Error {
    match error {
        sled::Error::Io(_) | sled::Error::Unsupported(_) => Error::State(error.to_string()),
        _ => Error::Rotten(error.to_string()),
    }
}

/// Which commit wrote a cell.
pub(super) fn revision(key: &Key, cell: &[u8]) -> Result<Revision, Error> {
    Ok(Cell::read(cell, key)?.revision)
}

/// The cell of a write, `None` if it deletes. A value longer than `whole` is cut,
/// and its pieces are put into sled.
pub(super) fn encode(
    base: &Base,
    written: &Written,
    whole: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(value) = &written.value else {
        return Ok(None);
    };
    let (revision, place) = (written.revision, written.place);
    let mut cell = Vec::with_capacity(SHORTEST + value.len().min(whole));
    cell.extend(revision.to_be_bytes());
    if value.len() <= whole {
        cell.push(0);
        cell.extend(value.iter());
    } else {
        let parts = value.chunks(PIECE);
        cell.push(1);
        cell.extend(place.to_be_bytes());
        cell.extend(length(parts.len()).to_be_bytes());
        for (number, part) in (0..).zip(parts) {
            base.put(&piece_key(revision, place, number), part)?;
        }
    }
    Ok(Some(cell))
}

/// How long the cell of a value is.
pub(super) fn size(value: &[u8], whole: usize) -> usize {
    SHORTEST + if value.len() <= whole { value.len() } else { 8 }
}

/// Removes the pieces of a cell that a write has replaced.
pub(super) fn remove_pieces(
    base: &Base,
    key: &Key,
    old: &[u8],
    written: &Written,
) -> Result<(), Error> {
    let old = Cell::read(old, key)?;
    // The same commit applied again has put the same pieces.
    if !old.is_of(written.revision, written.place) {
        for piece in old.pieces() {
            base.remove(&piece)?;
        }
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

/// The value that a cell stands for.
pub(super) fn value(tree: &Tree, key: &Key, bytes: &[u8]) -> Result<Versioned, Error> {
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

/// Something that cannot be what was written.
pub(super) fn broken(what: &str) -> Error {
    Error::Rotten(format!("what it holds for {what} cannot be read"))
}
