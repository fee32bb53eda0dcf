//! Everything that was committed up to a checkpoint, as one ordered space of pairs:
//! the tables that grow in order of time in blocks in sled, the others in runs
//! beside it. Reading it, and bringing a memtable into it.
//!
//! Readers and the one that changes it go side by side, and sled has no reading
//! of one moment. What a memtable writes is read from the memtable meanwhile; all
//! other pairs have to be found at every moment. A pair that is only rewritten in
//! its place always is. While pairs move from one block into another, readers are
//! kept out: `steady`.

use std::iter::Peekable;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ringback_core::model::{Key, Revision, Versioned, keys};
use sled::{Db, IVec};

use super::block::Block;
use super::blocks;
use super::bytes::Reader;
use super::cache::Cache;
use super::cells::{self, broken, state};
use super::disk::Disk;
use super::filter::hashed;
use super::memtable::{Memtable, Written};
use super::merge;
use super::options::Options;
use super::plant::Plant;
use super::runs::{Runs, Set};
use super::shared::lock;
use super::tally::Tally;
use crate::{Direction, Error};

/// How pairs lie in sled. To be changed with the meaning of a byte in there, or
/// with what `keys::is_in_order_of_time` says: a state of another layout is
/// rebuilt.
pub(super) const LAYOUT: u32 = 3;

const APPLIED: [u8; 1] = [0];
const LAID_OUT: [u8; 2] = [0, 1];
/// How much sled holds. Not there while it changes: after a stop in the middle nobody
/// knows. That of the runs is theirs.
const TALLY: [u8; 2] = [0, 2];

/// See the module.
pub(super) struct Base {
    db: Db,
    cache: Cache<IVec>,
    steady: RwLock<()>,
    pub(super) runs: Runs,
    /// What sled holds after a commit; `None` if that is not known.
    tally: Mutex<Option<(Revision, Tally)>>,
    /// How many bytes a block should have before it is compressed.
    pub(super) block_bytes: usize,
    pub(super) disk: Disk,
    /// How many more changes go well.
    #[cfg(test)]
    pub(super) fuse: std::sync::atomic::AtomicUsize,
}

/// Where a pair was found; its cell is read when it is known to count.
pub(super) struct Found {
    block: Arc<Block>,
    number: usize,
}

impl Found {
    pub(super) fn new(block: Arc<Block>, number: usize) -> Self {
        Self { block, number }
    }

    pub(super) fn cell(&self, key: &Key) -> Result<&[u8], Error> {
        let pair = self.block.pair(self.number);
        let cell = pair.map(|(_, cell)| cell);
        cell.ok_or_else(|| broken(&format!("{key:?}")))
    }
}

impl Base {
    /// Of sled's state in a directory.
    pub(super) fn new(db: Db, state: &Path, options: &Options) -> Self {
        Self {
            db,
            cache: Cache::default(),
            steady: RwLock::default(),
            runs: Runs::new(state, options),
            tally: Mutex::default(),
            block_bytes: options.block_bytes,
            disk: options.disk.clone(),
            #[cfg(test)]
            fuse: usize::MAX.into(),
        }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Whether it is laid out as this program does it. What is empty is, from now
    /// on.
    pub(super) fn is_laid_out(&self) -> Result<bool, Error> {
        let layout = LAYOUT.to_be_bytes();
        if self.db.is_empty() {
            self.runs.begin()?;
            self.put(&LAID_OUT, &layout)?;
            *lock(&self.tally) = Some((0, Tally::default()));
            return Ok(true);
        }
        let found = self.db.get(LAID_OUT).map_err(state)?;
        if found.is_none_or(|found| found != layout) {
            return Ok(false);
        }
        self.runs.load()?;
        let applied = self.applied()?;
        let tally = self.db.get(TALLY).map_err(state)?;
        let tally = tally.and_then(|bytes| Tally::decode(&bytes));
        *lock(&self.tally) = tally.filter(|(revision, _)| *revision == applied);
        Ok(true)
    }

    /// The last revision that was applied; 0 in a new state.
    pub(super) fn applied(&self) -> Result<Revision, Error> {
        match self.db.get(APPLIED).map_err(state)? {
            Some(bytes) => Reader(&bytes).u64().ok_or_else(|| broken("the revision")),
            None => Ok(0),
        }
    }

    /// What it holds, if that is known and nothing after this commit was applied.
    pub(super) fn tally(&self, after: Revision) -> Option<Tally> {
        let known = lock(&self.tally).filter(|(revision, _)| *revision == after);
        known.map(|(_, tally)| tally.and(self.runs.set().tally))
    }

    /// Sees to it that it is known what it holds, if need be by reading all of it.
    /// For whoever alone changes it. Returns the last commit that was applied, too.
    pub(super) fn count(&self) -> Result<(Revision, Tally), Error> {
        let applied = self.applied()?;
        if let Some(tally) = self.tally(applied) {
            return Ok((applied, tally));
        }
        let mut tally = Tally::default();
        let all = Key::new([]);
        for pair in blocks::Range::new(self, &all, None, Direction::Forward) {
            let (key, found) = pair?;
            let revision = cells::revision(&key, found.cell(&key)?)?;
            tally.add(key.as_bytes(), revision);
        }
        self.note_tally(applied, tally)?;
        Ok((applied, tally.and(self.runs.set().tally)))
    }

    fn note_tally(&self, applied: Revision, tally: Tally) -> Result<(), Error> {
        let bytes = tally.encode(applied);
        self.db.insert(TALLY, bytes).map_err(state)?;
        *lock(&self.tally) = Some((applied, tally));
        Ok(())
    }

    /// Which commit last wrote a key.
    pub(super) fn revision(&self, key: &Key) -> Result<Option<Revision>, Error> {
        self.with_cell(key, |cell| cells::revision(key, cell))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.with_cell(key, |cell| cells::value(&self.db, key, cell))
    }

    fn with_cell<T>(
        &self,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if !keys::is_in_order_of_time(key) {
            let found = self.runs.get(key.as_bytes())?;
            return found.map(|found| read(found.cell(key)?)).transpose();
        }
        let _steady = self.steady();
        let Some((_, packed)) = blocks::floor(&self.db, key)? else {
            return Ok(None);
        };
        let block = self.unpack(&packed, key)?;
        block.find(key.as_bytes()).map(read).transpose()
    }

    /// The pairs of a range, in order from either end, for [`Self::value`] to read.
    pub(super) fn range(
        &self,
        from: &Key,
        to: Option<&Key>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(Key, Found), Error>> {
        // A table is either in runs or in blocks.
        let table = |key: &Key| key.as_bytes().first().copied();
        let within = to.is_some_and(|to| table(from) == table(to));
        let in_blocks = keys::is_in_order_of_time(from);
        let runs = (!within || !in_blocks).then(|| self.runs.range(from, to, direction));
        let blocks = (!within || in_blocks).then(|| blocks::Range::new(self, from, to, direction));
        let before = move |a: &Key, b: &Key| match direction {
            Direction::Forward => a < b,
            Direction::Backward => a > b,
        };
        both(
            runs.into_iter().flatten().peekable(),
            blocks.into_iter().flatten().peekable(),
            before,
            self.disk.planted(Plant::PassOverErrors),
        )
    }

    /// The value of a pair that was found.
    pub(super) fn value(&self, key: &Key, found: &Found) -> Result<Versioned, Error> {
        cells::value(&self.db, key, found.cell(key)?)
    }

    /// Brings a memtable into sled and the runs; doing so again changes nothing. `last`
    /// is the last commit it holds, if it is now the last one of the state.
    ///
    /// After a crash in the middle the journal is replayed from before, over
    /// whatever part of it sled has.
    pub(super) fn apply(&self, table: &Memtable, last: Option<Revision>) -> Result<(), Error> {
        let known = lock(&self.tally).take();
        self.db.remove(TALLY).map_err(state)?;
        let mut tally = known.map_or_else(Tally::default, |(_, tally)| tally);
        let mut writes = table.iter().peekable();
        while let Some((key, _)) = writes.peek() {
            if keys::is_in_order_of_time(key) {
                merge::merge(self, &mut writes, &mut tally)?;
            } else {
                writes.next();
            }
        }
        self.add_run(table)?;
        if let Some(last) = last {
            self.put(&APPLIED, &last.to_be_bytes())?;
        }
        match (known, last) {
            (Some(_), Some(last)) => self.note_tally(last, tally)?,
            (Some((before, _)), None) => *lock(&self.tally) = Some((before, tally)),
            (None, _) => {}
        }
        Ok(())
    }

    /// Counts a write in, and what it replaced out.
    pub(super) fn count_in(
        key: &Key,
        old: Option<&[u8]>,
        written: &Written,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if let Some(old) = old {
            tally.remove(key.as_bytes(), cells::revision(key, old)?);
        }
        if written.value.is_some() {
            tally.add(key.as_bytes(), written.revision);
        }
        Ok(())
    }

    /// Writes the pairs of a memtable that are kept in runs as a new one.
    fn add_run(&self, table: &Memtable) -> Result<(), Error> {
        let in_runs = || {
            table
                .iter()
                .filter(|(key, _)| !keys::is_in_order_of_time(key))
        };
        let pairs = in_runs().count() as u64;
        if pairs == 0 {
            return Ok(());
        }
        self.burn()?;
        let before = self.runs.set();
        let mut tally = before.tally;
        let mut writer = self.runs.writer(0, pairs)?;
        for (key, written) in in_runs() {
            let bytes = key.as_bytes();
            let hash = hashed(bytes);
            let old = self.runs.find(bytes, hash)?;
            let old = old.as_ref().and_then(|(block, number)| block.pair(*number));
            let old = old.map(|(_, cell)| cell).filter(|cell| !cell.is_empty());
            Self::count_in(key, old, written, &mut tally)?;
            match cells::encode(self, written, usize::MAX)? {
                Some(cell) => writer.add(bytes, &cell, hash)?,
                None if old.is_some() => writer.add(bytes, &[], hash)?,
                None => {}
            }
        }
        let Some(run) = writer.finish()? else {
            return Ok(());
        };
        let run = std::iter::once(Arc::new(run));
        let runs = run.chain(before.runs.iter().cloned()).collect();
        self.burn()?;
        self.runs.switch(Set { runs, tally })
    }

    /// Reads a block; the key is for messages.
    pub(super) fn unpack(&self, packed: &IVec, key: &Key) -> Result<Arc<Block>, Error> {
        let block = self.cache.unpack(packed);
        block.ok_or_else(|| broken(&format!("the block of {key:?}")))
    }

    /// While this is held, no pair moves from block to block. Not to be taken
    /// twice by one thread.
    pub(super) fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.steady.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps readers out.
    pub(super) fn moving(&self) -> RwLockWriteGuard<'_, ()> {
        self.steady.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// One change of sled's. Returns what was there.
    pub(super) fn put(&self, name: &[u8], value: &[u8]) -> Result<Option<IVec>, Error> {
        self.burn()?;
        self.db.insert(name, value).map_err(state)
    }

    /// One change of sled's. Returns what was there.
    pub(super) fn remove(&self, name: &[u8]) -> Result<Option<IVec>, Error> {
        self.burn()?;
        self.db.remove(name).map_err(state)
    }

    #[cfg(test)]
    pub(super) fn burn(&self) -> Result<(), Error> {
        use std::sync::atomic::Ordering;
        let left = self.fuse.load(Ordering::SeqCst);
        let left = left.checked_sub(1).ok_or(Error::Closed)?;
        self.fuse.store(left, Ordering::SeqCst);
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as it is in tests"
    )]
    pub(super) const fn burn(&self) -> Result<(), Error> {
        Ok(())
    }
}

type Pair = Result<(Key, Found), Error>;

/// Two ordered sequences without a key in common as one. An error of either comes
/// at once and is the last answer: pairs of the other would be taken for all there
/// are up to where they stand.
fn both(
    mut one: Peekable<impl Iterator<Item = Pair>>,
    mut other: Peekable<impl Iterator<Item = Pair>>,
    before: impl Fn(&Key, &Key) -> bool,
    passed_over: bool,
) -> impl Iterator<Item = Pair> {
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let pair = match (one.peek(), other.peek()) {
            (Some(Err(_)), _) => one.next(),
            (None, _) => other.next(),
            (_, Some(Err(_))) if !passed_over => other.next(),
            (Some(Ok((a, _))), Some(Ok((b, _)))) if before(b, a) => other.next(),
            (Some(_), _) => one.next(),
        };
        failed = matches!(pair, Some(Err(_)));
        pair
    })
}

#[cfg(test)]
#[path = "base_tests.rs"]
pub(super) mod tests;
