//! Where the blocks of a run lie in its file, and which keys each may hold: so that
//! a key is found with one read. A few bytes a block, in memory.

use std::ops::Range;

use super::bytes::{Reader, length};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Fences {
    /// Where each block ends in the file; it begins where the one before ends.
    ends: Vec<u64>,
    /// Where the lowest key of each ends among all of them.
    key_ends: Vec<u32>,
    keys: Vec<u8>,
    /// The last key of the last block.
    last: Vec<u8>,
}

impl Fences {
    /// Adds the next block: the lowest key that it may hold, and its bytes.
    pub(super) fn add(&mut self, lowest: &[u8], bytes: usize) {
        self.keys.extend(lowest);
        self.key_ends.push(length(self.keys.len()));
        self.ends.push(self.end() + bytes as u64);
    }

    /// After the last block: its last key.
    pub(super) fn finish(&mut self, last: &[u8]) {
        self.last = last.to_vec();
        self.ends.shrink_to_fit();
        self.key_ends.shrink_to_fit();
        self.keys.shrink_to_fit();
    }

    /// Where the last block ends.
    pub(super) fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn lowest(&self, block: usize) -> &[u8] {
        let start = block.checked_sub(1);
        let start = start.map_or(Some(0), |before| self.key_ends.get(before).copied());
        let range = start.zip(self.key_ends.get(block).copied());
        let range = range.map(|(start, end)| start as usize..end as usize);
        range
            .and_then(|range| self.keys.get(range))
            .unwrap_or_default()
    }

    /// How many blocks begin with a key for which this holds; it does for the first
    /// ones alone.
    fn count(&self, holds: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match holds(self.lowest(middle)) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The block that a key is in, if it is in any.
    pub(super) fn holding(&self, key: &[u8]) -> Option<usize> {
        if key > &*self.last {
            return None;
        }
        self.count(|lowest| lowest <= key).checked_sub(1)
    }

    /// The blocks that may hold keys of a range.
    pub(super) fn covering(&self, from: &[u8], to: Option<&[u8]>) -> Range<usize> {
        if from > &*self.last {
            return 0..0;
        }
        let start = self.count(|lowest| lowest <= from).saturating_sub(1);
        let end = to.map_or(self.ends.len(), |to| self.count(|lowest| lowest < to));
        start..end.max(start)
    }

    /// Where a block lies: from where on, and how many bytes.
    pub(super) fn place(&self, block: usize) -> Option<(u64, usize)> {
        let end = *self.ends.get(block)?;
        let start = match block.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        Some((start, usize::try_from(end - start).ok()?))
    }

    /// As it is kept: see `run`.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let name = |to: &mut Vec<u8>, key: &[u8]| {
            // Keys are far shorter than that: `MAX_KEY`.
            let bytes = u16::try_from(key.len()).unwrap_or(u16::MAX);
            to.extend(bytes.to_be_bytes());
            to.extend(key);
        };
        to.extend(length(self.ends.len()).to_be_bytes());
        for block in 0..self.ends.len() {
            let bytes = self.place(block).map_or(0, |(_, bytes)| bytes);
            to.extend(length(bytes).to_be_bytes());
            name(to, self.lowest(block));
        }
        name(to, &self.last);
    }

    /// The other way round; `None` if it is none.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut fences = Self::default();
        for _ in 0..reader.u32()? {
            let bytes = reader.length()?;
            let name = usize::from(reader.u16()?);
            fences.add(reader.take(name)?, bytes);
        }
        let last = usize::from(reader.u16()?);
        let last = reader.take(last)?;
        fences.finish(last);
        Some(fences)
    }
}
