//! Which keys a run surely does not hold: a Bloom filter in lines of 64 bytes, so
//! that a question touches one of them (Putze, Sanders, Singler: Cache-, Hash- and
//! Space-Efficient Bloom Filters, 2007). It knows hashes alone.
//!
//! It is kept on the disk, so neither the hash nor where its bits go may change
//! without a new layout.

use super::tally::{hash, mix};

/// Bits per key. With them about one in three hundred answers is yes for nothing.
const BITS: u64 = 14;

/// How many bits of its line each key sets; each takes nine bits of one number.
const PROBES: u32 = 7;

const WORDS: usize = 8;
const LINE_BITS: u64 = 512;

/// The hash of a key, as the filter wants it.
pub(super) fn hashed(key: &[u8]) -> u64 {
    mix(hash(key))
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Filter {
    lines: Vec<[u64; WORDS]>,
}

impl Filter {
    /// An empty one for so many keys.
    pub(super) fn new(keys: u64) -> Self {
        let lines = keys.saturating_mul(BITS).div_ceil(LINE_BITS).max(1);
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        Self {
            lines: vec![[0; WORDS]; lines],
        }
    }

    /// Takes up a key.
    pub(super) fn add(&mut self, hash: u64) {
        let at = self.line(hash);
        if let Some(line) = self.lines.get_mut(at) {
            for (word, bit) in bits(hash) {
                if let Some(word) = line.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    /// Whether a key may have been taken up: no is certain.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let Some(line) = self.lines.get(self.line(hash)) else {
            return true;
        };
        bits(hash).all(|(word, bit)| line.get(word).is_some_and(|word| word & bit != 0))
    }

    fn line(&self, hash: u64) -> usize {
        // The upper half of the product: below the number of lines, evenly.
        let place = (u128::from(hash) * self.lines.len() as u128) >> 64;
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    /// As it is kept.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        let words = self.lines.iter().flatten();
        words.flat_map(|word| word.to_be_bytes())
    }

    /// The other way round; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let (lines, []) = words.as_chunks::<WORDS>() else {
            return None;
        };
        let line = |line: &[[u8; 8]; WORDS]| line.map(u64::from_be_bytes);
        let lines: Vec<_> = lines.iter().map(line).collect();
        (!lines.is_empty()).then_some(Self { lines })
    }
}

/// The bits of a key: number of the word in its line, and the bit in it.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    // Its line took the upper bits of the same hash.
    let places = mix(hash);
    (0..PROBES).map(move |probe| {
        let place = (places >> (9 * probe)) & (LINE_BITS - 1);
        (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
    })
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
