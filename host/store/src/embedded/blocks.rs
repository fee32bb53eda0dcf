//! Blocks in sled: which block a key belongs to, and reading them in order. How
//! they come about is `merge`'s.
//!
//! A block's name is the lowest key that it may hold; it reaches up to the name of
//! the next block, and no further than its table. The first one of a table has the
//! table's byte for a name. What a block holds from the next one's name on is left
//! over from a crash, and is not looked at.

use std::iter::Peekable;
use std::sync::{Arc, RwLockReadGuard};

use ringback_core::model::Key;
use sled::{IVec, Tree};

use super::base::{Base, Found};
use super::block::Block;
use super::cells::state;
use crate::{Direction, Error};

const BLOCK: u8 = 3;

/// The name of the block that begins with a key.
pub(super) fn name(key: &[u8]) -> Vec<u8> {
    [&[BLOCK], key].concat()
}

/// The first key that a block of this name may hold.
pub(super) fn lowest(name: &[u8]) -> &[u8] {
    name.get(1..).unwrap_or_default()
}

/// The table of a key, itself a key.
pub(super) fn table(key: &[u8]) -> &[u8] {
    key.get(..1).unwrap_or_default()
}

/// The block of its table that a key belongs to.
pub(super) fn floor(tree: &Tree, key: &Key) -> Result<Option<(IVec, IVec)>, Error> {
    let key = key.as_bytes();
    let found = tree.range(name(table(key))..=name(key)).next_back();
    found.transpose().map_err(state)
}

/// The next block of the same table.
pub(super) fn after(tree: &Tree, block: &[u8]) -> Result<Option<(IVec, IVec)>, Error> {
    let Some(end) = table(lowest(block))
        .first()
        .and_then(|byte| byte.checked_add(1))
    else {
        return Ok(None);
    };
    let mut range = tree.range([block, &[0]].concat()..name(&[end]));
    range.next().transpose().map_err(state)
}

/// The pairs of the blocks in a range of keys.
pub(super) struct Range<'a> {
    base: &'a Base,
    direction: Direction,
    from: Vec<u8>,
    to: Option<Vec<u8>>,
    blocks: Peekable<sled::Iter>,
    /// Backward: where the block before the last one ends.
    upper: Option<Vec<u8>>,
    /// The block that is being read, and which of its pairs are left.
    current: Option<(Arc<Block>, std::ops::Range<usize>)>,
    done: bool,
    /// What went wrong before the first pair.
    failed: Option<Error>,
    _steady: RwLockReadGuard<'a, ()>,
}

impl<'a> Range<'a> {
    pub(super) fn new(base: &'a Base, from: &Key, to: Option<&Key>, direction: Direction) -> Self {
        let steady = base.steady();
        let (from, to) = (from.as_bytes(), to.map(Key::as_bytes));
        let end = to.map_or_else(|| vec![BLOCK + 1], name);
        let mut failed = None;
        let start = match direction {
            // The block that `from` is in has a name before it, or its own.
            Direction::Forward => {
                let mut before = base.db().range(vec![BLOCK]..=name(from));
                match before.next_back().transpose() {
                    Ok(before) => before.map_or_else(|| name(from), |(name, _)| name.to_vec()),
                    Err(error) => {
                        failed = Some(state(error));
                        name(from)
                    }
                }
            }
            Direction::Backward => vec![BLOCK],
        };
        Self {
            base,
            direction,
            from: from.to_vec(),
            to: to.map(<[u8]>::to_vec),
            done: start >= end,
            // From here on in one direction alone.
            blocks: match start < end {
                true => base.db().range(start..end),
                false => base.db().range(vec![BLOCK]..vec![BLOCK]),
            }
            .peekable(),
            upper: None,
            current: None,
            failed,
            _steady: steady,
        }
    }
}

/// How often a block is looked at when a scan of everything comes to it, which it does
/// a few times: with about eight of them in one page of sled's, that is as often as
/// sled wants.
const LOOKS: usize = 4;

impl Range<'_> {
    /// sled makes room for what is read only when 64 reads of pages of one of its 256
    /// shards have come together, whatever its cache may hold. Whoever reads each page
    /// a few times would leave tens of each shard in memory, hundreds of megabytes in
    /// all.
    fn count_reads(&self, name: &[u8]) -> Result<(), Error> {
        for _ in 0..LOOKS {
            self.base.db().contains_key(name).map_err(state)?;
        }
        Ok(())
    }

    /// Goes on to the next block; `None` if there is no more.
    fn turn(&mut self) -> Result<Option<()>, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.done {
            return Ok(None);
        }
        let (name, packed, upper) = match self.direction {
            Direction::Forward => {
                let Some(block) = self.blocks.next() else {
                    return Ok(None);
                };
                let (name, packed) = block.map_err(state)?;
                let upper = match self.blocks.peek() {
                    Some(Ok((next, _))) => Some(lowest(next).to_vec()),
                    // Without knowing where it ends nothing of it can be given.
                    Some(Err(error)) => return Err(state(error.clone())),
                    None => None,
                };
                (name, packed, upper)
            }
            Direction::Backward => {
                let Some(block) = self.blocks.next_back() else {
                    return Ok(None);
                };
                let (name, packed) = block.map_err(state)?;
                let upper = self.upper.replace(lowest(&name).to_vec());
                self.done = lowest(&name) <= &*self.from;
                (name, packed, upper)
            }
        };
        if self.to.is_none() {
            self.count_reads(&name)?;
        }
        let block = self.base.unpack(&packed, &Key::new(lowest(&name)))?;
        let ends = [upper.as_deref(), self.to.as_deref()];
        let end = ends.into_iter().flatten().min();
        let end = end.map_or(block.len(), |end| block.before(end));
        let start = block.before(&self.from);
        self.current = Some((block, start..end));
        Ok(Some(()))
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(Key, Found), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((block, left)) = &mut self.current {
                let number = match self.direction {
                    Direction::Forward => left.next(),
                    Direction::Backward => left.next_back(),
                };
                if let Some(number) = number
                    && let Some((key, _)) = block.pair(number)
                {
                    let found = Found::new(Arc::clone(block), number);
                    return Some(Ok((Key::new(key), found)));
                }
            }
            match self.turn() {
                Ok(more) => more?,
                Err(error) => {
                    self.done = true;
                    self.current = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
