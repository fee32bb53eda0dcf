//! What the keeper does about snapshots: a full one, read out of the state, or an
//! increment to the last one, made of the journal alone. Then what they replace goes.
//!
//! A full snapshot costs as much as the store is large; an increment as much as what
//! was committed since the last one. So increments are written, until much of what is
//! in them was overwritten or deleted since.

use std::sync::atomic::Ordering;

use ringback_core::model::Revision;

use super::keeper::{Keeper, PAGE, each_pair};
use super::memtable::Memtable;
use super::plant::Plant;
use super::snapshots::{self, Writer};
use super::start::{self, SNAPSHOTS};
use super::tally::Expected;
use crate::Error;

impl Keeper {
    /// Writes a full snapshot.
    pub(super) fn snapshot(&self) -> Result<(), Error> {
        self.account(Self::write_full)
    }

    /// Adds what the journal holds to the snapshot, or writes a new one if that is due.
    pub(super) fn grow(&self) -> Result<(), Error> {
        self.account(Self::extend)
    }

    /// Does something after which the journal is short, and notes when that is due again.
    fn account(&self, work: impl FnOnce(&Self) -> Result<(), Error>) -> Result<(), Error> {
        let shared = &self.shared;
        let covered = shared.journal_bytes.load(Ordering::SeqCst);
        let written = work(self);
        let due = match &written {
            Ok(()) => {
                shared.journal_bytes.fetch_sub(covered, Ordering::SeqCst);
                self.snapshot_bytes
            }
            // Not at once again: what is wrong is probably still wrong.
            Err(_) => covered.saturating_add(self.snapshot_bytes / 4),
        };
        shared.snapshot_due.store(due, Ordering::SeqCst);
        shared.snapshot_asked.store(false, Ordering::SeqCst);
        written
    }

    /// What is written by `work` has its name only when it is whole.
    fn unfinished<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        work().inspect_err(|_| {
            // It only takes room; a start would remove it too.
            let dir = self.shared.dir.join(SNAPSHOTS);
            let _ = self.disk.remove_unfinished(&dir);
        })
    }

    fn write_full(&self) -> Result<(), Error> {
        let dir = self.shared.dir.join(SNAPSHOTS);
        // Everything up to here is visible to what follows.
        let (start, _) = self.shared.expected();
        if self.disk.planted(Plant::PruneFirst) {
            self.journal.prune(start)?;
        }
        let bytes = self.unfinished(|| self.write_pairs(start))?;
        tracing::info!(start, bytes, "wrote a snapshot");
        self.journal.prune(start)?;
        snapshots::tidy(&dir, &self.disk)
    }

    fn write_pairs(&self, start: Revision) -> Result<u64, Error> {
        let dir = self.shared.dir.join(SNAPSHOTS);
        let mut writer = Writer::full(&dir, start, &self.disk)?;
        let mut missed = 0;
        each_pair(&self.shared, |key, value| {
            if self.disk.planted(Plant::MissPage) && missed < PAGE {
                missed += 1;
                return Ok(());
            }
            writer.pair(key, value)?;
            self.make_way()
        })?;
        let end = self.shared.revision();
        // A start replays the journal from the checkpoint, so that must not lie before
        // what is removed when this is written. And now it is known what the snapshot
        // must come to with the commits that were made meanwhile.
        let (counted, tally) = self.count()?;
        let mut expected = Expected::new(tally);
        self.journal.follow(start + 1, counted, |group| {
            expected.follow(&group);
            Ok(())
        })?;
        let finished = writer.finish(end, &self.disk, Some(expected));
        finished.inspect_err(|error| self.shared.notice(error))
    }

    /// In long work: commits go on meanwhile, and memory must not. And the store may
    /// close.
    fn make_way(&self) -> Result<(), Error> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        if self.shared.in_memory() >= self.checkpoint_bytes {
            self.checkpoint_once()?;
            self.merge();
        }
        Ok(())
    }

    fn extend(&self) -> Result<(), Error> {
        let dir = self.shared.dir.join(SNAPSHOTS);
        let Some(chain) = snapshots::newest(&dir)? else {
            return self.write_full();
        };
        let covered = chain.covered();
        // The last segment is being written to.
        let last = self.journal.firsts().last().map_or(0, |first| first - 1);
        if last <= covered {
            return Ok(());
        }
        // A start replays the journal from the checkpoint, as above.
        let (_, tally) = self.count()?;
        if chain.is_overgrown(tally.pairs, self.snapshot_percent)? {
            return self.write_full();
        }
        if self.disk.planted(Plant::PruneFirst) {
            self.journal.prune(last)?;
        }
        match self.unfinished(|| self.write_increment(covered, last)) {
            Ok(bytes) => tracing::info!(covered, last, bytes, "added to the snapshot"),
            Err(error @ (Error::Damaged { .. } | Error::Rotten(_))) => {
                tracing::error!(%error, "cannot add to the snapshot; writing a new one");
                return self.write_full();
            }
            Err(error) => return Err(error),
        }
        self.journal.prune(last)?;
        snapshots::tidy(&dir, &self.disk)
    }

    /// Writes what the commits after one wrote, up to another: of each segment the last
    /// write of each key.
    fn write_increment(&self, start: Revision, end: Revision) -> Result<u64, Error> {
        let dir = self.shared.dir.join(SNAPSHOTS);
        let mut writer = Writer::increment(&dir, (start, end), &self.disk)?;
        let mut from = start + 1;
        while from <= end {
            let firsts = self.journal.firsts();
            let next = firsts.into_iter().find(|first| *first > from);
            let last = next.map_or(end, |first| end.min(first - 1));
            let mut table = Memtable::default();
            self.journal.follow(from, last, |group| {
                start::add_group(&mut table, group);
                Ok(())
            })?;
            for (key, written) in table.iter() {
                if written.value.is_some() || !self.disk.planted(Plant::ForgetDeletes) {
                    writer.write(key, written)?;
                }
            }
            self.make_way()?;
            from = last + 1;
        }
        writer.finish_increment(end, &self.disk)
    }
}

#[cfg(test)]
#[path = "increment_tests.rs"]
mod tests;
