//! The one thread that writes: takes waiting commits as a group, checks them,
//! journals them, applies them, answers them, in that order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;

use ringback_core::model::{Batch, Precondition, Revision};
use sled::Tree;
use tokio::sync::{mpsc, oneshot};

use super::cells::{self, Changes};
use super::disk::Disk;
use super::journal::{Appended, Appender, Refusal};
use super::keeper::Task;
use super::options::{GROUP, GROUP_BYTES};
use super::shared::Shared;
use crate::{Commit, Committed, Error};

/// A commit that waits.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Commit, Error>>,
}

/// What the committer works with.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) tree: Tree,
    pub(super) journal: Appender,
    pub(super) disk: Disk,
    pub(super) tasks: std_mpsc::Sender<Task>,
    /// Journal since a checkpoint was last asked for.
    pub(super) since_checkpoint: u64,
    pub(super) checkpoint_bytes: u64,
}

impl Committer {
    /// Serves until every sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let shared = Arc::clone(&self.shared);
        let serve = || {
            while let Some(first) = jobs.blocking_recv() {
                let group = fill(first, &mut jobs);
                self.serve(group);
            }
        };
        if catch_unwind(AssertUnwindSafe(serve)).is_err() {
            // Whoever waits sees the answer's channel closed: outcome unknown.
            let why = "the committer stopped at an internal error";
            shared.notice(&Error::Rotten(why.into()));
        }
    }

    fn serve(&mut self, group: Vec<Job>) {
        let verdicts = match self.shared.poisoned() {
            Some(why) => Err(Error::Poisoned(why)),
            None => self.decide_and_write(&group),
        };
        match verdicts {
            Ok(verdicts) => {
                for (job, verdict) in group.into_iter().zip(verdicts) {
                    let _ = job.answer.send(Ok(verdict));
                }
            }
            // A conflict counted on its group becoming durable: it fails too.
            Err(error) => {
                for job in group {
                    let _ = job.answer.send(Err(error.clone()));
                }
            }
        }
    }

    fn decide_and_write(&mut self, group: &[Job]) -> Result<Vec<Commit>, Error> {
        let mut changes = Changes::default();
        let mut accepted = Vec::with_capacity(group.len());
        let mut verdicts = Vec::with_capacity(group.len());
        let mut next = self.journal.next();
        for job in group {
            let lost = first_conflict(&self.tree, &changes, &job.batch);
            match lost.inspect_err(|error| self.shared.notice(error))? {
                Some(precondition) => verdicts.push(Commit::Conflict(precondition.clone())),
                None => {
                    changes.add(next, &job.batch.writes);
                    accepted.push(&job.batch);
                    verdicts.push(Commit::Done(Committed::new(next)));
                    next += 1;
                }
            }
        }
        if !accepted.is_empty() {
            let appended = self
                .journal
                .append(&accepted)
                .map_err(|refusal| self.refuse(refusal))?;
            self.apply(changes, next - 1)?;
            self.ask_for_upkeep(appended);
        }
        Ok(verdicts)
    }

    fn apply(&self, changes: Changes<'_>, last: Revision) -> Result<(), Error> {
        let _readers_wait = self.shared.view_mut();
        if let Err(error) = changes.apply(&self.tree, Some(last)) {
            // Durable in the journal, but reads would not show it: the next
            // start replays it. Until then it must not be called done.
            self.shared.notice(&error);
            self.shared.poison(&error);
            return Err(Error::Unknown(error.to_string()));
        }
        self.shared.set_revision(last);
        Ok(())
    }

    fn refuse(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Nothing(error) => {
                if self.disk.is_broken() {
                    self.shared.poison(&error);
                }
                error
            }
            Refusal::Perhaps(error) => {
                self.shared.poison(&error);
                Error::Unknown(error.to_string())
            }
        }
    }

    fn ask_for_upkeep(&mut self, appended: Appended) {
        let shared = &self.shared;
        // The keeper only goes after this thread: sending cannot fail earlier.
        let ask = |task| drop(self.tasks.send(task));
        if appended.rotated {
            ask(Task::Prepare);
        }
        self.since_checkpoint += appended.bytes;
        if self.since_checkpoint >= self.checkpoint_bytes {
            self.since_checkpoint = 0;
            ask(Task::Checkpoint(None));
        }
        let journal = shared
            .journal_bytes
            .fetch_add(appended.bytes, Ordering::SeqCst)
            + appended.bytes;
        if journal >= shared.snapshot_due.load(Ordering::SeqCst)
            && !shared.snapshot_asked.swap(true, Ordering::SeqCst)
        {
            ask(Task::Snapshot(None));
        }
    }
}

/// Everything that waits by now, up to the limits of a group.
fn fill(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = size(&first.batch);
    let mut group = vec![first];
    while group.len() < GROUP
        && bytes < GROUP_BYTES
        && let Ok(job) = jobs.try_recv()
    {
        bytes += size(&job.batch);
        group.push(job);
    }
    group
}

fn size(batch: &Batch) -> usize {
    batch
        .writes
        .values()
        .flatten()
        .map(|value| value.len())
        .sum()
}

fn first_conflict<'b>(
    tree: &Tree,
    changes: &Changes<'_>,
    batch: &'b Batch,
) -> Result<Option<&'b Precondition>, Error> {
    for precondition in &batch.preconditions {
        let key = precondition.key();
        let current = match changes.pending(key) {
            Some(pending) => pending,
            None => cells::revision(tree, key)?,
        };
        if !precondition.holds(current) {
            return Ok(Some(precondition));
        }
    }
    Ok(None)
}
