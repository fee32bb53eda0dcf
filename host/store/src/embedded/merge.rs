//! Merging writes into blocks: cutting up those that become long, joining those
//! that become short, removing those that become empty.
//!
//! Pairs that were there before a checkpoint are in no journal that is replayed,
//! so a crash between any two changes of sled's must leave them all. When pairs
//! move, they are first put where they go to and only then taken from where they
//! were. What is left over after a crash lies beyond the next block's name, where
//! nobody looks; and before a block is removed, such leftovers are removed from the
//! one before it. Not one batch of sled's instead: this way nothing depends on
//! what sled does with a batch when it is killed.

use std::iter::Peekable;

use ringback_core::model::Key;
use sled::IVec;

use super::base::Base;
use super::block::{Block, Builder, size};
use super::blocks::{after, floor, lowest, name, table};
use super::cells::{self, state};
use super::memtable::Written;
use super::plant::Plant;
use super::tally::Tally;
use crate::Error;

/// A block is cut up when it has half as much again as it should.
const fn most(target: usize) -> usize {
    target + target / 2
}

/// And joined with the next one when it has less than this.
const fn least(target: usize) -> usize {
    target / 4
}

/// The longest value that is kept in a block whole.
const fn whole(target: usize) -> usize {
    let half = target / 2;
    if half < cells::WHOLE {
        half
    } else {
        cells::WHOLE
    }
}

/// A pair of a block that is being made.
struct Entry<'a> {
    key: &'a [u8],
    cell: Source<'a>,
}

enum Source<'a> {
    /// It stood in a block.
    Old(&'a [u8]),
    New(&'a Written),
}

impl<'a> Entry<'a> {
    fn old((key, cell): (&'a [u8], &'a [u8])) -> Self {
        Self {
            key,
            cell: Source::Old(cell),
        }
    }

    fn size(&self, whole: usize) -> usize {
        let cell = match self.cell {
            Source::Old(cell) => cell.len(),
            Source::New(written) => {
                let value = written.value.as_deref();
                value.map_or(0, |value| cells::size(value, whole))
            }
        };
        size(self.key, cell)
    }
}

/// Merges the next writes into the block that they all belong to, and counts them.
pub(super) fn merge<'a>(
    base: &Base,
    writes: &mut Peekable<impl Iterator<Item = (&'a Key, &'a Written)>>,
    tally: &mut Tally,
) -> Result<(), Error> {
    let Some((first, _)) = writes.peek() else {
        return Ok(());
    };
    let first: &Key = first;
    let own = table(first.as_bytes());
    let (name, packed) = match floor(base.db(), first)? {
        Some((name, packed)) => (name.to_vec(), Some(packed)),
        None => (name(own), None),
    };
    let next = after(base.db(), &name)?;
    let upper = next.as_ref().map(|(next, _)| lowest(next));
    let block = packed.as_ref().map(|packed| base.unpack(packed, first));
    let block = block.transpose()?;

    // What is beyond is left over from a crash.
    let live = |block: &Block| upper.map_or(block.len(), |upper| block.before(upper));
    let mut live = block.as_deref().map_or(0, live);
    if upper.is_none() && base.disk.planted(Plant::OverwriteEdge) {
        live = 0;
    }
    let old = block.iter().flat_map(|block| block.pairs());
    let mut old = old.take(live).peekable();
    let (mut merged, mut replaced) = (Vec::new(), Vec::new());
    let belongs = |key: &[u8]| table(key) == own && upper.is_none_or(|upper| key < upper);
    while let Some((key, written)) = writes.next_if(|(key, _)| belongs(key.as_bytes())) {
        let bytes = key.as_bytes();
        while let Some(pair) = old.next_if(|(key, _)| *key < bytes) {
            merged.push(Entry::old(pair));
        }
        let before = old.next_if(|(key, _)| *key == bytes);
        let before = before.map(|(_, cell)| cell);
        Base::count_in(key, before, written, tally)?;
        if let Some(cell) = before {
            replaced.push((key, cell, written));
        }
        if written.value.is_some() {
            let cell = Source::New(written);
            merged.push(Entry { key: bytes, cell });
        }
    }
    merged.extend(old.map(Entry::old));

    let place = Place {
        base,
        name: &name,
        packed: packed.as_ref(),
        next: next.as_ref(),
    };
    place.write(&merged)?;
    for (key, cell, written) in replaced {
        cells::remove_pieces(base, key, cell, written)?;
    }
    Ok(())
}

/// Where pairs are to be put that all belong to one block.
struct Place<'a> {
    base: &'a Base,
    name: &'a [u8],
    /// What is there now.
    packed: Option<&'a IVec>,
    /// The next block of the table.
    next: Option<&'a (IVec, IVec)>,
}

impl Place<'_> {
    fn write(&self, pairs: &[Entry<'_>]) -> Result<(), Error> {
        if pairs.is_empty() {
            return self.clear();
        }
        let target = self.base.block_bytes;
        let sizes = pairs.iter().map(|pair| pair.size(whole(target)));
        let total: usize = sizes.sum();
        if total < least(target)
            && let Some((next, packed)) = self.next
        {
            return self.join(pairs, total, next, packed);
        }
        // At the end of a table more will come: full blocks are left behind there.
        let part = match (total <= most(target), self.next) {
            (true, _) => total,
            (false, None) => target,
            (false, Some(_)) => total.div_ceil(total.div_ceil(target)),
        };
        let mut parts = cut(pairs, part, whole(target));
        // Behind the last pair that was there before, nothing moves.
        let moved = pairs
            .iter()
            .rposition(|pair| matches!(pair.cell, Source::Old(_)));
        let moved = moved.map_or(0, |last| last + 1);
        let stay = parts.iter().take_while(|(start, _)| *start < moved);
        let fresh = parts.split_off(stay.count().max(1));
        // Named first and filled then: sled cuts its own nodes up by the number of
        // names, and writes all of a node again that it cuts.
        for named in [true, false] {
            for (_, part) in &fresh {
                let Some(first) = part.first() else {
                    continue;
                };
                let packed = if named { Vec::new() } else { self.pack(part)? };
                self.base.put(&name(first.key), &packed)?;
            }
        }
        let mut ready = Vec::with_capacity(parts.len());
        for (_, part) in &parts {
            let first = part.first().map_or(lowest(self.name), |pair| pair.key);
            ready.push((name(first), self.pack(part)?));
        }
        let mut ready = ready.into_iter();
        let Some((_, left)) = ready.next() else {
            return Ok(());
        };
        let moving = (ready.len() > 0).then(|| self.base.moving());
        for (name, right) in ready.rev() {
            if !self.base.disk.planted(Plant::ForgetRightHalf) {
                self.base.put(&name, &right)?;
            }
        }
        if self.packed.is_none_or(|packed| **packed != *left) {
            self.base.put(self.name, &left)?;
        }
        drop(moving);
        Ok(())
    }

    fn pack(&self, pairs: &[Entry<'_>]) -> Result<Vec<u8>, Error> {
        let mut builder = Builder::default();
        for pair in pairs {
            match pair.cell {
                Source::Old(cell) => builder.add(pair.key, cell),
                Source::New(written) => {
                    let whole = whole(self.base.block_bytes);
                    if let Some(cell) = cells::encode(self.base, written, whole)? {
                        builder.add(pair.key, &cell);
                    }
                }
            }
        }
        Ok(builder.pack())
    }

    /// Puts few pairs and those of the next block into one, or as many of them as
    /// fit.
    fn join(
        &self,
        pairs: &[Entry<'_>],
        total: usize,
        next: &IVec,
        packed: &IVec,
    ) -> Result<(), Error> {
        let block = self.base.unpack(packed, &Key::new(lowest(next)))?;
        let upper = after(self.base.db(), next)?;
        let live = upper.map_or(block.len(), |(upper, _)| block.before(lowest(&upper)));
        let theirs: usize = block
            .pairs()
            .take(live)
            .map(|(key, cell)| size(key, cell.len()))
            .sum();
        if total + theirs > most(self.base.block_bytes) {
            self.base.put(self.name, &self.pack(pairs)?)?;
            return Ok(());
        }
        let all = pairs.iter().map(|pair| Entry {
            key: pair.key,
            cell: match pair.cell {
                Source::Old(cell) => Source::Old(cell),
                Source::New(written) => Source::New(written),
            },
        });
        let all: Vec<_> = all
            .chain(block.pairs().take(live).map(Entry::old))
            .collect();
        let joined = self.pack(&all)?;
        let _moving = self.base.moving();
        self.base.put(self.name, &joined)?;
        self.base.remove(next)?;
        Ok(())
    }

    /// Removes the block.
    fn clear(&self) -> Result<(), Error> {
        if self.packed.is_none() {
            return Ok(());
        }
        let (base, first) = (self.base, name(table(lowest(self.name))));
        let _moving = base.moving();
        let before = base.db().range(first..self.name.to_vec()).next_back();
        if let Some((before, packed)) = before.transpose().map_err(state)? {
            let block = base.unpack(&packed, &Key::new(lowest(&before)))?;
            let live = block.before(lowest(self.name));
            if live < block.len() {
                let pairs: Vec<_> = block.pairs().take(live).map(Entry::old).collect();
                base.put(&before, &self.pack(&pairs)?)?;
            }
        }
        base.remove(self.name)?;
        Ok(())
    }
}

/// Cuts pairs into parts of at least so many bytes, the last one aside. Each comes
/// with the number of its first pair.
fn cut<'p, 'a>(pairs: &'p [Entry<'a>], part: usize, whole: usize) -> Vec<(usize, &'p [Entry<'a>])> {
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (number, pair) in pairs.iter().enumerate() {
        bytes += pair.size(whole);
        if bytes >= part {
            parts.push((start, pairs.get(start..=number).unwrap_or_default()));
            (start, bytes) = (number + 1, 0);
        }
    }
    if start < pairs.len() {
        parts.push((start, pairs.get(start..).unwrap_or_default()));
    }
    parts
}
