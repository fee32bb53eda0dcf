//! What the handle, the committer and the keeper of one store share: the open
//! state, how far it is, and whether it is still to be trusted.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

use ringback_core::model::Revision;

use super::base::Base;
use super::claim::Claim;
use super::disk::Disk;
use super::memtable::Layers;
use super::start::REBUILD;
use super::state::State;
use super::tally::Tally;
use crate::{Error, Health};

/// The open state. Dropped in this order: the lock goes last. Not `Debug`: sled
/// would print every value.
pub(super) struct View {
    pub(super) base: Arc<Base>,
    /// What sled may not have yet.
    pub(super) layers: Layers,
    /// Our own descriptor of sled's file, opened before anything was written.
    pub(super) file: File,
    pub(super) claim: Claim,
}

/// See the module.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    disk: Disk,
    /// Read while reading, written while a group is taken up: so a page of pairs
    /// is of one moment. `None` once closed.
    view: RwLock<Option<View>>,
    revision: AtomicU64,
    checkpointed: AtomicU64,
    /// Journal since the start of the last snapshot.
    pub(super) journal_bytes: AtomicU64,
    /// At how much of it the next snapshot is due.
    pub(super) snapshot_due: AtomicU64,
    pub(super) snapshot_asked: AtomicBool,
    /// A checkpoint was asked for and has not begun.
    pub(super) checkpoint_asked: AtomicBool,
    /// The store closes: leave long work where it is.
    pub(super) stopping: AtomicBool,
    poisoned: Mutex<Option<String>>,
    upkeep: Mutex<Option<String>>,
    /// Told when a checkpoint ended, well or not.
    checkpoint_ended: Condvar,
    reserve_bytes: u64,
    reserve_percent: u64,
    reserve_percent_limit: u64,
}

impl Shared {
    pub(super) fn new(options: &super::Options, view: View, at: Revision, saved: Revision) -> Self {
        Self {
            dir: options.dir.clone(),
            disk: options.disk.clone(),
            view: RwLock::new(Some(view)),
            revision: AtomicU64::new(at),
            checkpointed: AtomicU64::new(saved),
            journal_bytes: AtomicU64::new(0),
            snapshot_due: AtomicU64::new(options.snapshot_bytes),
            snapshot_asked: AtomicBool::new(false),
            checkpoint_asked: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            poisoned: Mutex::new(None),
            upkeep: Mutex::new(None),
            checkpoint_ended: Condvar::new(),
            reserve_bytes: options.reserve_bytes,
            reserve_percent: options.reserve_percent,
            reserve_percent_limit: options.reserve_percent_limit,
        }
    }

    /// Reads at one moment.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(State<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let view = self.view();
        let Some(view) = view.as_ref() else {
            return Err(Error::Closed);
        };
        let state = State {
            base: &view.base,
            layers: &view.layers,
        };
        read(state).inspect_err(|error| self.notice(error))
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, Option<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps readers out.
    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, Option<View>> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision.load(Ordering::SeqCst)
    }

    /// The last commit, at a moment between two groups, and what there should be
    /// after it, if that is known.
    pub(super) fn expected(&self) -> (Revision, Option<Tally>) {
        let view = self.view();
        let revision = self.revision();
        let tally = view.as_ref().and_then(|view| view.base.tally(revision));
        (revision, tally)
    }

    /// Notices a damage, and is the error of it.
    pub(super) fn rotten(&self, why: &str) -> Error {
        let error = Error::Rotten(why.into());
        self.notice(&error);
        error
    }

    pub(super) fn set_revision(&self, revision: Revision) {
        self.revision.store(revision, Ordering::SeqCst);
    }

    pub(super) fn set_checkpointed(&self, revision: Revision) {
        self.checkpointed.store(revision, Ordering::SeqCst);
    }

    /// Takes no more commits. The first reason stays.
    pub(super) fn poison(&self, why: &dyn std::fmt::Display) {
        let mut poisoned = lock(&self.poisoned);
        if poisoned.is_none() {
            tracing::error!(%why, "the store takes no more commits; restart ringback");
            *poisoned = Some(why.to_string());
        }
    }

    pub(super) fn poisoned(&self) -> Option<String> {
        lock(&self.poisoned).clone()
    }

    /// Remembers how the last checkpoint or snapshot went.
    pub(super) fn note_upkeep(&self, outcome: &Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::error!(%error, "the upkeep of the store failed; commits go on");
        }
        *lock(&self.upkeep) = outcome.as_ref().err().map(ToString::to_string);
        self.checkpoint_ended.notify_all();
    }

    /// Why the last checkpoint or snapshot failed, if it did.
    pub(super) fn upkeep(&self) -> Option<String> {
        lock(&self.upkeep).clone()
    }

    /// Bytes that were committed since a checkpoint last began.
    pub(super) fn in_memory(&self) -> u64 {
        let view = self.view();
        let layers = view.as_ref().map(|view| &view.layers);
        layers.map_or(0, |layers| layers.active_bytes() as u64)
    }

    /// Waits until a checkpoint ended, at most this long.
    pub(super) fn await_checkpoint(&self, most: Duration) {
        let upkeep = lock(&self.upkeep);
        // Whoever waits looks again at what it waits for.
        drop(self.checkpoint_ended.wait_timeout(upkeep, most));
    }

    /// A state that turns out to be damaged is rebuilt at the next start, where
    /// that is an ordinary step. Until then nothing is built on it.
    pub(super) fn notice(&self, error: &Error) {
        if let Error::Rotten(_) = error {
            self.poison(error);
            let marker = self.dir.join(REBUILD);
            let words = format!("an earlier run could not read it: {error}");
            if let Err(error) = self.disk.replace(&marker, words.as_bytes()) {
                tracing::error!(%error, "could not leave a mark to rebuild");
            }
        }
    }

    pub(super) fn health(&self) -> Health {
        let space = rustix::fs::statvfs(&self.dir).ok();
        let free_bytes = space
            .as_ref()
            .map(|space| space.f_bavail.saturating_mul(space.f_frsize));
        let total_bytes = space
            .as_ref()
            .map(|space| space.f_blocks.saturating_mul(space.f_frsize));
        let share = total_bytes.unwrap_or(0) / 100 * self.reserve_percent;
        let share = share.min(self.reserve_percent_limit);
        Health {
            free_bytes,
            total_bytes,
            nearly_full: free_bytes.is_some_and(|free| free < share.max(self.reserve_bytes)),
            poisoned: self.poisoned(),
            revision: self.revision(),
            checkpointed: self.checkpointed.load(Ordering::SeqCst),
            journal_bytes: self.journal_bytes.load(Ordering::SeqCst),
            upkeep: lock(&self.upkeep).clone(),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
