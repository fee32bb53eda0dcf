//! One block: a sorted run of pairs as bytes, compressed. It knows keys and cells
//! as bytes, and nothing of where blocks are kept.
//!
//! ```text
//! length of what follows: u32, little-endian, then LZ4 of:
//! key length: u16  cell length: u32  key  cell        big-endian, keys ascending
//! ...
//! ```
//!
//! There is no sum in it: sled has one over everything that it writes and looks
//! at it when it reads, and so has a run. What is read here is checked for its form all the same.

use super::bytes::{Reader, length};
use crate::{MAX_KEY, MAX_VALUE};

/// What a pair takes beside key and cell.
const HEAD: usize = 6;

/// The longest block that is read: far more than is ever written.
const LONGEST: usize = 2 * (MAX_KEY + MAX_VALUE);

/// How many bytes a pair takes in a block that is not compressed yet.
pub(super) fn size(key: &[u8], cell_bytes: usize) -> usize {
    HEAD + key.len() + cell_bytes
}

/// A block that is being put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    plain: Vec<u8>,
}

impl Builder {
    /// Adds the next pair; keys come in ascending order.
    pub(super) fn add(&mut self, key: &[u8], cell: &[u8]) {
        // Keys are far shorter than that: `MAX_KEY`.
        let name = u16::try_from(key.len()).unwrap_or(u16::MAX);
        self.plain.extend(name.to_be_bytes());
        self.plain.extend(length(cell.len()).to_be_bytes());
        self.plain.extend(key);
        self.plain.extend(cell);
    }

    /// The block as it is kept. The builder is empty after that.
    pub(super) fn pack(&mut self) -> Vec<u8> {
        let packed = lz4_flex::block::compress_prepend_size(&self.plain);
        self.plain.clear();
        packed
    }
}

/// A block as it can be read.
#[derive(Debug, Default)]
pub(super) struct Block {
    plain: Vec<u8>,
    /// Where each pair begins.
    starts: Vec<usize>,
}

impl Block {
    /// Reads a block; `None` if it is none. Nothing at all is a block without pairs.
    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        if packed.is_empty() {
            return Some(Self::default());
        }
        let (size, packed) = lz4_flex::block::uncompressed_size(packed).ok()?;
        if size > LONGEST {
            return None;
        }
        let plain = lz4_flex::block::decompress(packed, size).ok()?;
        if plain.len() != size {
            return None;
        }
        let mut starts = Vec::new();
        let mut rest = Reader(&plain);
        let mut last: Option<&[u8]> = None;
        while !rest.0.is_empty() {
            starts.push(plain.len() - rest.0.len());
            let (key, _) = pair(&mut rest)?;
            if last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
        }
        Some(Self { plain, starts })
    }

    /// How many pairs it has.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// A pair by its number: key and cell.
    pub(super) fn pair(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let start = *self.starts.get(number)?;
        pair(&mut Reader(self.plain.get(start..)?))
    }

    /// The cell of a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, cell) = self.pair(self.place(key)?)?;
        Some(cell)
    }

    /// The number of a key's pair.
    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        let number = self.before(key);
        let (found, _) = self.pair(number)?;
        (found == key).then_some(number)
    }

    /// How many pairs come before a key.
    pub(super) fn before(&self, key: &[u8]) -> usize {
        self.starts.partition_point(|start| {
            let rest = self.plain.get(*start..).unwrap_or_default();
            pair(&mut Reader(rest)).is_some_and(|(found, _)| found < key)
        })
    }

    /// All pairs, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.len()).filter_map(|number| self.pair(number))
    }
}

fn pair<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let key = usize::from(reader.u16()?);
    let cell = reader.length()?;
    Some((reader.take(key)?, reader.take(cell)?))
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
