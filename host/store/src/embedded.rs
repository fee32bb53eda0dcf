//! The embedded store: our journal makes commits durable, memory holds what was
//! committed since the last checkpoint, sled and runs beside it what came before. One
//! thread writes, one keeps house and alone changes those, reads are answered inline.
//!
//! sled's own flush does not survive a power cut, so nothing here trusts it: a
//! state that does not open is rebuilt from snapshot and journal.

pub mod archive;
mod base;
mod block;
mod blocks;
mod bytes;
mod cache;
mod cells;
mod claim;
mod committer;
mod compact;
mod cursor;
mod disk;
mod fences;
mod filter;
mod increment;
mod journal;
mod keeper;
mod memtable;
mod merge;
mod options;
mod pace;
mod plant;
mod quiet;
mod rebuild;
mod repair;
mod run;
mod runs;
mod shared;
mod snapshot;
mod snapshots;
mod start;
mod state;
mod summed;
mod tally;
mod tiers;

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod manners_tests;
#[cfg(test)]
mod powercut_tests;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::ready;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ringback_core::model::{Batch, Key, Versioned};
use tokio::sync::{mpsc, oneshot};

pub use self::options::Options;

use self::committer::{Committer, Job};
use self::journal::Journal;
use self::keeper::{Asker, Keeper, Task};
use self::pace::Pace;
use self::shared::{Shared, View, lock};
use self::state::State;
#[cfg(test)]
pub(crate) use self::tests::test_options;
use crate::store::fits;
use crate::{Answer, Commit, Direction, Error, Health, Store};

/// A store in a directory, for one process.
pub struct Sled {
    shared: Arc<Shared>,
    /// `None` once closed. Never held while anything is waited for.
    doors: Arc<Mutex<Option<Doors>>>,
    running: Arc<Mutex<Option<Running>>>,
    /// To be read beside the committer.
    journal: Journal,
}

/// Where the threads take their work from; shut first when closing.
#[derive(Clone)]
struct Doors {
    jobs: mpsc::Sender<Job>,
    tasks: std_mpsc::Sender<Task>,
}

/// What stops when the store is closed.
struct Running {
    committer: JoinHandle<()>,
    keeper: JoinHandle<Keeper>,
}

impl Sled {
    /// Opens the store of a directory, or makes one. Takes as long as replaying
    /// the journal since the last checkpoint does, or a rebuild, and blocks: not
    /// for a thread that serves others.
    ///
    /// # Errors
    /// The directory is in use, newer than this program, not writable, or
    /// damaged in a way that would lose acknowledged work.
    pub fn open(options: Options) -> Result<Self, Error> {
        let started = start::start(&options)?;
        let replayed = started.revision > started.checkpointed;
        let (revision, saved) = (started.revision, started.checkpointed);
        let shared = Arc::new(Shared::new(&options, started.view, revision, saved));
        shared
            .journal_bytes
            .store(started.journal.bytes(), Ordering::SeqCst);

        let (jobs, waiting) = mpsc::channel(4 * options::GROUP);
        let (tasks, queue) = std_mpsc::channel();
        let committer = Committer {
            shared: Arc::clone(&shared),
            journal: started.journal.clone().appender(revision + 1),
            disk: options.disk.clone(),
            tasks: tasks.clone(),
            checkpoint_bytes: options.checkpoint_bytes,
        };
        let journal = started.journal.clone();
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            journal: started.journal,
            disk: options.disk.clone(),
            checkpoint_bytes: options.checkpoint_bytes,
            snapshot_bytes: options.snapshot_bytes,
            snapshot_percent: options.snapshot_percent,
            merge_pairs: options.merge_pairs,
            pace: Pace::new(Instant::now()),
        };
        // Tasks sent before there is a thread just wait.
        let _ = tasks.send(Task::Prepare);
        if replayed {
            let _ = tasks.send(Task::Checkpoint(None));
        }
        let running = Running {
            committer: spawn("store-commit", &options.dir, move || committer.run(waiting))?,
            keeper: spawn("store-keep", &options.dir, move || keeper.run(queue))?,
        };
        Ok(Self {
            shared,
            doors: Arc::new(Mutex::new(Some(Doors { jobs, tasks }))),
            running: Arc::new(Mutex::new(Some(running))),
            journal,
        })
    }

    /// Writes a full snapshot now and removes what it replaces.
    ///
    /// # Errors
    /// The store is closed, or the disk refused; nothing is lost by that.
    pub fn snapshot(&self) -> Answer<'_, Result<(), Error>> {
        self.ask(Task::Snapshot)
    }

    /// Has the keeper do something, and blocks until it is done.
    fn wait(&self, task: impl FnOnce(Asker) -> Task) -> Result<(), Error> {
        let (asker, answer) = oneshot::channel();
        let doors = lock(&self.doors).clone().ok_or(Error::Closed)?;
        let sent = doors.tasks.send(task(Some(asker)));
        sent.map_err(|_| Error::Closed)?;
        drop(doors);
        answer.blocking_recv().unwrap_or(Err(Error::Closed))
    }

    /// Closes, and blocks until it is done.
    fn shut(&self) -> Result<(), Error> {
        stop(&self.shared, &self.doors, &self.running, true)
    }

    fn ask(&self, task: impl FnOnce(Asker) -> Task) -> Answer<'static, Result<(), Error>> {
        let (asker, answer) = oneshot::channel();
        let doors = lock(&self.doors).clone();
        let sent = doors.is_some_and(|doors| doors.tasks.send(task(Some(asker))).is_ok());
        Box::pin(async move {
            if !sent {
                return Err(Error::Closed);
            }
            answer.await.unwrap_or(Err(Error::Closed))
        })
    }
}

/// Stops both threads; with a checkpoint if asked. Blocks until it is done.
fn stop(
    shared: &Shared,
    doors: &Mutex<Option<Doors>>,
    running: &Mutex<Option<Running>>,
    checkpoint: bool,
) -> Result<(), Error> {
    lock(doors).take();
    // Held throughout, so that whoever closes as well waits for the end of it.
    let mut slot = lock(running);
    let Some(Running { committer, keeper }) = slot.take() else {
        return Ok(());
    };
    // It ends when the last commit that is under way has its answer. Its panics
    // are caught and have poisoned the store already.
    let _ = committer.join();
    shared.stopping.store(true, Ordering::SeqCst);
    let keeper = keeper.join();
    let sound = checkpoint && shared.poisoned().is_none();
    let finish = keeper.ok().filter(|_| sound);
    let saved = finish.as_ref().map_or(Ok(()), Keeper::checkpoint);
    let Some(View {
        base, file, claim, ..
    }) = shared.view_mut().take()
    else {
        return saved;
    };
    // sled writes when it is dropped, so what it left is synced after that, and
    // the directory let go last.
    drop(file);
    if shared.poisoned().is_some() {
        // A sled that failed may never return from being dropped.
        std::mem::forget(base);
        return saved;
    }
    drop(base);
    if let (Some(keeper), Ok(())) = (&finish, &saved) {
        claim::end_run(&shared.dir, &shared.dir.join(start::STATE), &keeper.disk)?;
    }
    drop(claim);
    saved
}

fn spawn<T: Send + 'static>(
    name: &str,
    dir: &Path,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    let thread = thread::Builder::new().name(name.into());
    thread
        .spawn(run)
        .map_err(Error::io("start a thread for", dir))
}

impl fmt::Debug for Sled {
    // Never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sled")
            .field("dir", &self.shared.dir)
            .finish_non_exhaustive()
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        // No checkpoint: the next start replays, which is what it is good at.
        let _ = stop(&self.shared, &self.doors, &self.running, false);
    }
}

impl Store for Sled {
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Commit, Error>> {
        Box::pin(async move {
            fits(&batch)?;
            if let Some(why) = self.shared.poisoned() {
                return Err(Error::Poisoned(why));
            }
            // Gone once it is used: closing waits for the last of them.
            let jobs = lock(&self.doors).as_ref().map(|doors| doors.jobs.clone());
            let (answer, verdict) = oneshot::channel();
            let sent = match jobs {
                Some(jobs) => jobs.send(Job { batch, answer }).await.is_ok(),
                None => false,
            };
            if !sent {
                return Err(self
                    .shared
                    .poisoned()
                    .map_or(Error::Closed, Error::Poisoned));
            }
            verdict.await.unwrap_or_else(|_| {
                Err(Error::Unknown(
                    "the committer stopped before it answered".into(),
                ))
            })
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Result<Option<Versioned>, Error>> {
        Box::pin(ready(self.shared.read(|state| state.get(key))))
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> Answer<'a, Result<Vec<Option<Versioned>>, Error>> {
        let all = |state: State<'_>| keys.iter().map(|key| state.get(key)).collect();
        Box::pin(ready(self.shared.read(all)))
    }

    fn scan<'a>(
        &'a self,
        from: &'a Key,
        to: &'a Key,
        limit: usize,
        direction: Direction,
    ) -> Answer<'a, Result<Vec<(Key, Versioned)>, Error>> {
        let page = |state: State<'_>| state.scan(from, to, limit, direction);
        Box::pin(ready(self.shared.read(page)))
    }

    fn health(&self) -> Answer<'_, Health> {
        Box::pin(ready(self.shared.health()))
    }

    fn checkpoint(&self) -> Answer<'_, Result<(), Error>> {
        self.ask(Task::Checkpoint)
    }

    fn close(&self) -> Answer<'_, Result<(), Error>> {
        let shared = Arc::clone(&self.shared);
        let (doors, running) = (Arc::clone(&self.doors), Arc::clone(&self.running));
        Box::pin(async move {
            let dir = shared.dir.clone();
            let (done, answer) = oneshot::channel();
            spawn("store-close", &dir, move || {
                let _ = done.send(stop(&shared, &doors, &running, true));
            })?;
            answer.await.unwrap_or(Err(Error::Closed))
        })
    }
}
