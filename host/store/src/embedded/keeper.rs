//! The thread beside the committer: makes segments ahead, checkpoints, merges runs,
//! writes snapshots (`increment`) and removes what they replace. Nothing it fails at
//! loses anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ringback_core::model::{Key, Revision, Versioned};
use tokio::sync::oneshot;

use super::base::Base;
use super::disk::Disk;
use super::journal::Journal;
use super::memtable::Frozen;
use super::pace::Pace;
use super::plant::Plant;
use super::quiet::quietly;
use super::shared::Shared;
use super::start::{self, PANICKED, STATE};
use super::tally::Tally;
use crate::Error;

/// Who wants to know how it went.
pub(super) type Asker = Option<oneshot::Sender<Result<(), Error>>>;

/// What there is to do.
#[derive(Debug)]
pub(super) enum Task {
    /// Make the next segment's file.
    Prepare,
    /// Flush and sync the state.
    Checkpoint(Asker),
    /// Write a full snapshot.
    Snapshot(Asker),
    /// Bring the journal into the snapshots, in the way that is due.
    Grow(Asker),
    /// A checkpoint after which it is known how much the state holds.
    Count(Asker),
    /// Nothing; answered when everything before it is done.
    #[cfg(test)]
    Idle(Asker),
}

/// How many pairs are read at a time; writers wait meanwhile.
pub(super) const PAGE: usize = 128;
const PAGE_BYTES: usize = 1024 * 1024;

/// How many pairs of a large merge are merged at a time: some ten milliseconds. What
/// else there is to do comes in between.
const SLICE: u64 = 16 * 1024;

/// And how long the others have the processor and the disk for themselves then.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a merge that was not paid for waits before it looks whether it is calm.
const LATER: Duration = Duration::from_millis(250);

/// See the module.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Journal,
    pub(super) disk: Disk,
    pub(super) checkpoint_bytes: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) snapshot_percent: u64,
    pub(super) merge_pairs: u64,
    pub(super) pace: Pace,
}

impl Keeper {
    /// Serves until every sender is gone, and hands itself back for the last
    /// checkpoint.
    pub(super) fn run(self, tasks: Receiver<Task>) -> Self {
        let mut pause = None;
        loop {
            let task = match pause {
                Some(pause) => tasks.recv_timeout(pause),
                None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let stopping = self.shared.stopping.load(Ordering::SeqCst);
            match task {
                // Askers see the channel closed.
                Ok(_) if stopping => {}
                Ok(task) => self.serve(task),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            pause = match stopping {
                true => None,
                false => self.merge(),
            };
        }
        if let Some(base) = self.base() {
            base.leave_merge();
        }
        self
    }

    fn base(&self) -> Option<Arc<Base>> {
        let view = self.shared.view();
        view.as_ref().map(|view| Arc::clone(&view.base))
    }

    /// Merges some of what is due, as much as the pace allows. If there is more to do,
    /// when to go on.
    pub(super) fn merge(&self) -> Option<Duration> {
        if self.shared.poisoned().is_some() {
            return None;
        }
        let base = self.base()?;
        let (revision, runs) = (self.shared.revision(), base.runs.set().runs.len());
        let pairs = self.pace.take(SLICE, revision, runs, Instant::now());
        let outcome = quietly(|| base.merge_some(pairs));
        let outcome = outcome.unwrap_or_else(|_| Err(self.shared.rotten(PANICKED)));
        let is_more = outcome.unwrap_or_else(|error| {
            self.shared.notice(&error);
            self.shared.note_upkeep(&Err(error));
            false
        });
        is_more.then_some(if pairs == 0 { LATER } else { PAUSE })
    }

    fn serve(&self, task: Task) {
        match task {
            Task::Prepare => self.shared.note_upkeep(&self.journal.prepare()),
            Task::Checkpoint(asker) => self.report(Self::checkpoint, asker),
            Task::Snapshot(asker) => self.report(Self::snapshot, asker),
            Task::Grow(asker) => self.report(Self::grow, asker),
            Task::Count(asker) => self.report(|keeper| keeper.count().map(drop), asker),
            #[cfg(test)]
            Task::Idle(asker) => drop(asker.map(|asker| asker.send(Ok(())))),
        }
    }

    fn report(&self, work: impl FnOnce(&Self) -> Result<(), Error>, asker: Asker) {
        // sled answers some of what it finds with a panic. Commits would wait for ever
        // for checkpoints that nobody makes.
        let outcome = quietly(|| work(self));
        let outcome = outcome.unwrap_or_else(|_| Err(self.shared.rotten(PANICKED)));
        self.shared.note_upkeep(&outcome);
        if let Some(asker) = asker {
            let _ = asker.send(outcome);
        }
    }

    /// Brings everything that is committed by now into sled and onto the disk.
    pub(super) fn checkpoint(&self) -> Result<(), Error> {
        let upto = self.shared.revision();
        while self.checkpoint_once()? < upto {}
        Ok(())
    }

    /// Brings what is in memory into sled, up to the commit that is returned. What
    /// an earlier checkpoint began and did not finish comes first.
    pub(super) fn checkpoint_once(&self) -> Result<Revision, Error> {
        let (base, file, Frozen { table, upto }) = {
            let mut view = self.shared.view_mut();
            let view = view.as_mut().ok_or(Error::Closed)?;
            let path = &self.shared.dir;
            let file = view.file.try_clone().map_err(Error::io("open", path))?;
            let frozen = view.layers.freeze(self.shared.revision());
            self.shared.checkpoint_asked.store(false, Ordering::SeqCst);
            (Arc::clone(&view.base), file, frozen)
        };
        let state = self.shared.dir.join(STATE);
        if self.disk.planted(Plant::CheckpointFirst) {
            start::write_checkpoint(&self.shared.dir, upto, &self.disk)?;
        }
        let applied = base.apply(&table, Some(upto));
        let flushed = applied.and_then(|()| self.disk.flush(base.db(), &state));
        if let Err(error) = flushed {
            // A sled that failed stays so until it is opened again. All of it is in
            // the journal, and the next start replays it.
            self.shared.notice(&error);
            self.shared.poison(&error);
            return Err(error);
        }
        self.disk.sync(&file, &state.join("db"))?;
        start::write_checkpoint(&self.shared.dir, upto, &self.disk)?;
        if let Some(view) = self.shared.view_mut().as_mut() {
            view.layers.thaw();
        }
        self.shared.set_checkpointed(upto);
        let newest = base.runs.set().runs.first().map(|run| run.about);
        let added = newest.filter(|about| about.level == 0);
        self.pace.earn(added.map_or(0, |about| about.pairs));
        let merged = base.merge_small(self.merge_pairs);
        merged.inspect_err(|error| self.shared.notice(error))?;
        Ok(upto)
    }

    /// A checkpoint; and then what the state holds, and after which commit.
    pub(super) fn count(&self) -> Result<(Revision, Tally), Error> {
        self.checkpoint()?;
        let counted = self.base().ok_or(Error::Closed)?.count();
        counted.inspect_err(|error| self.shared.notice(error))
    }
}

/// Hands every pair on, in order, page by page: commits go on in between.
pub(super) fn each_pair(
    shared: &Shared,
    each: impl FnMut(&Key, &Versioned) -> Result<(), Error>,
) -> Result<(), Error> {
    let page = |from: &Key, limit, bytes| shared.read(|state| state.scan_all(from, limit, bytes));
    each_page(page, each)
}

/// The same for any way of reading a page, from a key on: so many pairs, about so
/// many bytes.
pub(super) fn each_page(
    read: impl Fn(&Key, usize, usize) -> Result<Vec<(Key, Versioned)>, Error>,
    mut each: impl FnMut(&Key, &Versioned) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut from = Key::new([]);
    loop {
        let page = read(&from, PAGE, PAGE_BYTES)?;
        for (key, value) in &page {
            each(key, value)?;
        }
        match page.last() {
            Some((last, _)) => from = after(last),
            None => return Ok(()),
        }
    }
}

/// The key directly behind.
fn after(key: &Key) -> Key {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    Key::new(bytes)
}
