//! Reading runs in the order of keys: one run by a cursor, several of them as one,
//! where of equal keys the newest run's counts.

use std::ops::Range;
use std::sync::Arc;

use super::block::Block;
use super::run::Run;
use crate::{Direction, Error};

/// How a block is come by: from the file, or from a cache before it.
pub(super) type Load<'a> = &'a dyn Fn(&Run, usize) -> Result<Arc<Block>, Error>;

/// Where the reading of one run stands.
#[derive(Debug)]
struct Cursor {
    run: Arc<Run>,
    /// The blocks that are left.
    blocks: Range<usize>,
    /// The block that is being read, and which of its pairs are left.
    current: Option<(Arc<Block>, Range<usize>)>,
}

/// What is left of some runs, the newest first.
#[derive(Debug)]
pub(super) struct Cursors {
    all: Vec<Cursor>,
    from: Vec<u8>,
    to: Option<Vec<u8>>,
    direction: Direction,
}

/// A pair by its number in a block.
pub(super) type Place = (Arc<Block>, usize);

impl Cursors {
    /// At the beginning of a range of keys, or at its end.
    pub(super) fn new<'a>(
        runs: impl Iterator<Item = &'a Arc<Run>>,
        from: &[u8],
        to: Option<&[u8]>,
        direction: Direction,
    ) -> Self {
        let cursor = |run: &Arc<Run>| Cursor {
            blocks: run.blocks(from, to),
            run: Arc::clone(run),
            current: None,
        };
        Self {
            all: runs
                .map(cursor)
                .filter(|one| !one.blocks.is_empty())
                .collect(),
            from: from.to_vec(),
            to: to.map(<[u8]>::to_vec),
            direction,
        }
    }

    /// The next pair; it may be one that says that its key was deleted.
    pub(super) fn next(&mut self, load: Load<'_>) -> Result<Option<Place>, Error> {
        for cursor in &mut self.all {
            cursor.settle(&self.from, self.to.as_deref(), self.direction, load)?;
        }
        let mut best: Option<(&Cursor, &[u8])> = None;
        for cursor in &self.all {
            let Some(key) = cursor.key(self.direction) else {
                continue;
            };
            let before = |(_, best): (&Cursor, &[u8])| match self.direction {
                Direction::Forward => key < best,
                Direction::Backward => key > best,
            };
            if best.is_none_or(before) {
                best = Some((cursor, key));
            }
        }
        let Some((block, number)) = best.and_then(|(best, _)| best.place(self.direction)) else {
            return Ok(None);
        };
        let found = Arc::clone(block);
        let key = found.pair(number).map(|(key, _)| key);
        for cursor in &mut self.all {
            if cursor.key(self.direction) == key {
                cursor.advance(self.direction);
            }
        }
        Ok(Some((Arc::clone(&found), number)))
    }
}

impl Cursor {
    /// Goes on to a block that has something left, if there is one.
    fn settle(
        &mut self,
        from: &[u8],
        to: Option<&[u8]>,
        direction: Direction,
        load: Load<'_>,
    ) -> Result<(), Error> {
        while self
            .current
            .as_ref()
            .is_none_or(|(_, left)| left.is_empty())
        {
            let next = match direction {
                Direction::Forward => self.blocks.next(),
                Direction::Backward => self.blocks.next_back(),
            };
            let Some(number) = next else {
                self.current = None;
                return Ok(());
            };
            let block = load(&self.run, number)?;
            let end = to.map_or(block.len(), |to| block.before(to));
            let left = block.before(from)..end;
            self.current = Some((block, left));
        }
        Ok(())
    }

    fn place(&self, direction: Direction) -> Option<(&Arc<Block>, usize)> {
        let (block, left) = self.current.as_ref()?;
        if left.is_empty() {
            return None;
        }
        Some(match direction {
            Direction::Forward => (block, left.start),
            Direction::Backward => (block, left.end - 1),
        })
    }

    fn key(&self, direction: Direction) -> Option<&[u8]> {
        let (block, number) = self.place(direction)?;
        block.pair(number).map(|(key, _)| key)
    }

    fn advance(&mut self, direction: Direction) {
        if let Some((_, left)) = &mut self.current {
            match direction {
                Direction::Forward => left.next(),
                Direction::Backward => left.next_back(),
            };
        }
    }
}
