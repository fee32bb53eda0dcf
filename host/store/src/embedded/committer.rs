//! The one thread that commits: takes waiting commits as a group, checks them,
//! journals them, makes them visible, answers them, in that order.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use ringback_core::model::{Batch, Key, Precondition, Revision};
use tokio::sync::{mpsc, oneshot};

use super::disk::Disk;
use super::journal::{Appended, Appender, Refusal};
use super::keeper::Task;
use super::options::{GROUP, GROUP_BYTES};
use super::plant::Plant;
use super::shared::Shared;
use super::state::State;
use crate::{Commit, Committed, Error};

/// A commit that waits.
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Commit, Error>>,
}

/// What the committer works with.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Appender,
    pub(super) disk: Disk,
    pub(super) tasks: std_mpsc::Sender<Task>,
    pub(super) checkpoint_bytes: u64,
}

impl Committer {
    /// Serves until every sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let shared = Arc::clone(&self.shared);
        let serve = || {
            while let Some(first) = jobs.blocking_recv() {
                // Where others want the processor, they are about to commit as well,
                // and one sync serves all of them; where nobody does, this is nothing.
                std::thread::yield_now();
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
            Ok((verdicts, appended)) => {
                let (batches, answers): (Vec<_>, Vec<_>) =
                    group.into_iter().map(|job| (job.batch, job.answer)).unzip();
                self.show(batches, &verdicts);
                // Asked before anybody is answered, so that whoever asks for more of
                // it comes after.
                if let Some(appended) = appended {
                    self.ask_for_upkeep(appended);
                }
                for (answer, verdict) in answers.into_iter().zip(verdicts) {
                    let _ = answer.send(Ok(verdict));
                }
                self.wait_for_upkeep();
            }
            // A conflict counted on its group becoming durable: it fails too.
            Err(error) => {
                for job in group {
                    let _ = job.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Checks a group and makes it durable.
    fn decide_and_write(
        &mut self,
        group: &[Job],
    ) -> Result<(Vec<Commit>, Option<Appended>), Error> {
        let mut accepted = Vec::with_capacity(group.len());
        let mut verdicts = Vec::with_capacity(group.len());
        let first = self.journal.next();
        self.shared.read(|state| {
            let mut pending = HashMap::new();
            let mut next = first;
            for job in group {
                let lost = first_conflict(state, &pending, &job.batch)?;
                match lost.filter(|_| !self.disk.planted(Plant::IgnorePreconditions)) {
                    Some(precondition) => verdicts.push(Commit::Conflict(precondition.clone())),
                    None => {
                        for (key, value) in &job.batch.writes {
                            pending.insert(key, value.as_ref().map(|_| next));
                        }
                        accepted.push(&job.batch);
                        verdicts.push(Commit::Done(Committed::new(next)));
                        next += 1;
                    }
                }
            }
            Ok(())
        })?;
        if accepted.is_empty() {
            return Ok((verdicts, None));
        }
        if self.disk.planted(Plant::ApplyFirst) {
            self.show(
                group.iter().map(|job| job.batch.clone()).collect(),
                &verdicts,
            );
        }
        let appended = self.journal.append(&accepted);
        let appended = appended.map_err(|refusal| self.refuse(refusal))?;
        Ok((verdicts, Some(appended)))
    }

    /// Lets readers see what is durable now.
    fn show(&self, batches: Vec<Batch>, verdicts: &[Commit]) {
        let mut view = self.shared.view_mut();
        let Some(view) = view.as_mut() else {
            return;
        };
        for (batch, verdict) in batches.into_iter().zip(verdicts) {
            if let Commit::Done(committed) = verdict {
                let revision = committed.revision();
                view.layers.add(revision, batch.writes);
                self.shared.set_revision(revision);
            }
        }
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

    /// Waits while memory holds far more than a checkpoint's worth: what is
    /// committed faster than sled takes it up would have no bound.
    fn wait_for_upkeep(&self) {
        let limit = self.checkpoint_bytes.saturating_mul(AHEAD);
        loop {
            let held = self.shared.in_memory();
            if held <= limit || self.shared.poisoned().is_some() {
                return;
            }
            if let Some(why) = self.shared.upkeep() {
                if held > self.checkpoint_bytes.saturating_mul(BEHIND) {
                    self.shared.poison(&why);
                }
                return;
            }
            self.shared.await_checkpoint(LOOK);
        }
    }

    fn ask_for_upkeep(&mut self, appended: Appended) {
        let shared = &self.shared;
        // The keeper only goes after this thread: sending cannot fail earlier.
        let ask = |task| drop(self.tasks.send(task));
        if appended.rotated {
            ask(Task::Prepare);
        }
        // By the measure that commits wait by; a write takes less in the journal.
        if shared.in_memory() >= self.checkpoint_bytes
            && !shared.checkpoint_asked.swap(true, Ordering::SeqCst)
        {
            ask(Task::Checkpoint(None));
        }
        let journal = shared
            .journal_bytes
            .fetch_add(appended.bytes, Ordering::SeqCst)
            + appended.bytes;
        if journal >= shared.snapshot_due.load(Ordering::SeqCst)
            && !shared.snapshot_asked.swap(true, Ordering::SeqCst)
        {
            ask(Task::Grow(None));
        }
    }
}

/// How many times a checkpoint's bytes may be in memory before commits wait for
/// one.
const AHEAD: u64 = 2;

/// And how many if checkpoints fail, before the store takes no more.
const BEHIND: u64 = 16;

/// How long commits wait before they look again whether a checkpoint failed.
const LOOK: Duration = Duration::from_millis(100);

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
    state: State<'_>,
    pending: &HashMap<&Key, Option<Revision>>,
    batch: &'b Batch,
) -> Result<Option<&'b Precondition>, Error> {
    for precondition in &batch.preconditions {
        let key = precondition.key();
        let current = match pending.get(key) {
            Some(pending) => *pending,
            None => state.revision(key)?,
        };
        if !precondition.holds(current) {
            return Ok(Some(precondition));
        }
    }
    Ok(None)
}
