//! What a store goes through, each scenario recorded once. A scenario begins
//! where its own part begins; what led there is recorded as well, so that a
//! crash finds the disk as it would be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use ringback_core::model::{Batch, Key, Precondition, Revision, State};

use super::recorder::{Event, Recorder};
use crate::embedded::archive;
use crate::embedded::disk::{Disk, Effect, Watch};
use crate::embedded::keeper::Task;
use crate::embedded::tests::test_options;
use crate::embedded::{Options, Sled};
use crate::{Answer, Commit, Error, Store};

/// A scenario that was run.
pub(super) struct Recording {
    pub(super) name: &'static str,
    pub(super) events: Vec<Event>,
    /// The first event of its own part.
    pub(super) from: usize,
    /// By number of commit: its revision.
    pub(super) revisions: Vec<Option<Revision>>,
    /// After each revision, from none on.
    pub(super) states: Vec<State>,
    pub(super) whole: bool,
}

/// All of them, in the order in which they are told.
pub(super) const ALL: [(&str, fn(&mut Stage) -> Result<(), Error>); 13] = [
    ("first open", first_open),
    ("open what a kill left of a first open", first_open_again),
    ("commits", commits),
    ("rotation", rotation),
    ("checkpoint", checkpoint),
    ("snapshot", snapshot),
    ("clean close", clean_close),
    ("open after a clean close", open_after_close),
    ("open after a kill", open_after_kill),
    ("open after another boot", open_after_boot),
    ("rebuild by the mark", rebuild),
    ("compaction", compaction),
    ("import", import),
];

fn first_open(stage: &mut Stage) -> Result<(), Error> {
    stage.begin();
    let store = stage.open("one")?;
    stage.commits(&store, 2)
}

fn first_open_again(stage: &mut Stage) -> Result<(), Error> {
    // Made and not synced by a process that is gone.
    let dir = stage.root.join("store");
    std::fs::create_dir(&dir).unwrap();
    stage.recorder.after(Effect::CreateDir(&dir));
    first_open(stage)
}

fn commits(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.begin();
    stage.commits(&store, 2)?;
    stage.group(&store, 6)?;
    stage.long(&store)?;
    stage.commits(&store, 1)
}

fn rotation(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 2)?;
    stage.begin();
    stage.fill(&store, 3)
}

fn checkpoint(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 4)?;
    stage.begin();
    store.wait(Task::Checkpoint)?;
    stage.commits(&store, 1)
}

fn snapshot(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.fill(&store, 1)?;
    store.wait(Task::Snapshot)?;
    stage.fill(&store, 2)?;
    stage.begin();
    store.wait(Task::Snapshot)?;
    stage.commits(&store, 1)
}

fn clean_close(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 3)?;
    stage.begin();
    store.shut()
}

fn open_after_close(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 3)?;
    store.shut()?;
    drop(store);
    stage.begin();
    let store = stage.open("two")?;
    stage.commits(&store, 2)
}

fn open_after_kill(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 3)?;
    store.wait(Task::Checkpoint)?;
    stage.commits(&store, 3)?;
    drop(store);
    stage.begin();
    let store = stage.open("one")?;
    stage.commits(&store, 1)
}

fn open_after_boot(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.fill(&store, 1)?;
    store.wait(Task::Snapshot)?;
    stage.commits(&store, 3)?;
    drop(store);
    stage.begin();
    let store = stage.open("two")?;
    stage.commits(&store, 1)
}

fn rebuild(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 3)?;
    store
        .shared
        .notice(&Error::Rotten("a page cannot be read".into()));
    drop(store);
    stage.begin();
    let store = stage.open("one")?;
    stage.commits(&store, 1)
}

fn compaction(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.fill(&store, 1)?;
    store.shut()?;
    drop(store);
    stage.begin();
    archive::compact(stage.options("one")).map(drop)
}

fn import(stage: &mut Stage) -> Result<(), Error> {
    // Made elsewhere, of the same commits.
    let other = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(&other.path().join("store")))?;
    stage.whole = true;
    for _ in 0..5 {
        let next = stage.next();
        let Commit::Done(proof) = block_on(store.commit(next.clone()))? else {
            panic!("no conflict can be");
        };
        stage.done(&next, proof.revision());
        stage.revisions.push(Some(proof.revision()));
    }
    let mut bytes = Vec::new();
    archive::export(&store, &mut bytes)?;
    stage.begin();
    archive::import(&*bytes, "a.ringback".as_ref(), stage.options("one"))?;
    (0..5).for_each(|number| stage.recorder.answered(number));
    Ok(())
}

/// Where a scenario is played.
pub(super) struct Stage {
    pub(super) recorder: Arc<Recorder>,
    disk: Disk,
    root: std::path::PathBuf,
    from: usize,
    made: u32,
    revisions: Vec<Option<Revision>>,
    states: Vec<State>,
    pub(super) whole: bool,
}

impl Stage {
    /// A stage on a real directory; the disk is watched by the recorder, or by
    /// whoever is given.
    pub(super) fn new(root: &std::path::Path, disk: Disk, watch: Option<Arc<dyn Watch>>) -> Self {
        let recorder = Recorder::new(root);
        let disk = Disk {
            watch: Some(watch.unwrap_or_else(|| Arc::clone(&recorder) as Arc<dyn Watch>)),
            ..disk
        };
        Self {
            recorder,
            disk,
            root: root.to_path_buf(),
            from: 0,
            made: 0,
            revisions: Vec::new(),
            states: vec![State::default()],
            whole: false,
        }
    }

    pub(super) fn options(&self, boot: &str) -> Options {
        Options {
            disk: self.disk.clone(),
            boot: Some(boot.into()),
            segment_bytes: 4096,
            // Only the upkeep that is asked for.
            checkpoint_bytes: u64::MAX,
            snapshot_bytes: u64::MAX,
            ..test_options(&self.root.join("store"))
        }
    }

    pub(super) fn truth(self) -> super::verdict::Truth {
        super::verdict::Truth {
            states: self.states,
            whole: self.whole,
        }
    }

    /// The last commit that was acknowledged.
    pub(super) fn acknowledged(&self) -> Revision {
        self.revisions.iter().flatten().copied().max().unwrap_or(0)
    }

    fn begin(&mut self) {
        self.from = self.recorder.len();
    }

    fn open(&self, boot: &str) -> Result<Sled, Error> {
        let store = Sled::open(self.options(boot))?;
        // The keeper makes its file ahead; after that only what is asked for.
        store.wait(Task::Idle)?;
        Ok(store)
    }

    fn next(&mut self) -> Batch {
        self.made += 1;
        batch(self.made)
    }

    fn commits(&mut self, store: &Sled, count: u32) -> Result<(), Error> {
        for _ in 0..count {
            let next = self.next();
            self.together(store, vec![next])?;
        }
        Ok(())
    }

    /// Commits that reach the committer together, one of which loses.
    fn group(&mut self, store: &Sled, count: u32) -> Result<(), Error> {
        let mut batches: Vec<_> = (0..count).map(|_| self.next()).collect();
        let absent = Precondition::Absent(Key::new(*b"shared/0"));
        batches[2].preconditions.push(absent);
        self.together(store, batches)
    }

    fn long(&mut self, store: &Sled) -> Result<(), Error> {
        let mut next = self.next();
        let value = Some(Arc::from(vec![7; 70_000]));
        next.writes.insert(Key::new(*b"long"), value);
        self.together(store, vec![next])
    }

    /// Commits until so many segments more were begun.
    fn fill(&mut self, store: &Sled, segments: usize) -> Result<(), Error> {
        // Six of them fill a segment.
        self.commits(store, u32::try_from(segments * 6).unwrap())
    }

    fn together(&mut self, store: &Sled, batches: Vec<Batch>) -> Result<(), Error> {
        let base = self.revisions.len();
        let mut work: Vec<_> = batches
            .iter()
            .enumerate()
            .map(|(at, batch)| {
                let bell = Bell::new(&self.recorder, base + at);
                (store.commit(batch.clone()), bell, None)
            })
            .collect();
        while work.iter().any(|(.., answer)| answer.is_none()) {
            let mut ready = false;
            for (future, bell, answer) in work.iter_mut().filter(|(.., answer)| answer.is_none()) {
                let waker = Waker::from(Arc::clone(bell));
                if let Poll::Ready(found) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    bell.ring();
                    *answer = Some(found);
                    ready = true;
                }
            }
            if !ready {
                thread::park();
            }
        }
        for ((.., answer), batch) in work.into_iter().zip(&batches) {
            match answer.unwrap() {
                Ok(Commit::Done(proof)) => {
                    self.revisions.push(Some(proof.revision()));
                    self.done(batch, proof.revision());
                }
                Ok(Commit::Conflict(_)) => self.revisions.push(None),
                Err(error) => {
                    // It may be there or not: what comes after it has its state.
                    self.maybe(batch);
                    return Err(error);
                }
            }
        }
        store.wait(Task::Idle)
    }

    fn done(&mut self, batch: &Batch, revision: Revision) {
        let mut state = self.states.last().unwrap().clone();
        assert_eq!(state.commit(batch), Ok(revision));
        self.states.push(state);
    }

    fn maybe(&mut self, batch: &Batch) {
        let mut state = self.states.last().unwrap().clone();
        if state.commit(batch).is_ok() {
            self.states.push(state);
        }
    }

    /// Ends the recording.
    pub(super) fn finish(self, name: &'static str) -> Recording {
        Recording {
            name,
            events: self.recorder.events(),
            from: self.from,
            revisions: self.revisions,
            states: self.states,
            whole: self.whole,
        }
    }
}

/// The n-th commit: three keys, with deletes and overwrites.
pub(super) fn batch(n: u32) -> Batch {
    let key = |text: String| Key::new(text.into_bytes());
    let own: Arc<[u8]> = vec![u8::try_from(n % 251).unwrap(); 600].into();
    let shared: Arc<[u8]> = n.to_be_bytes().into();
    Batch {
        preconditions: Vec::new(),
        writes: [
            (key(format!("own/{n:04}")), Some(own)),
            (key(format!("own/{:04}", n / 2)), None),
            (key(format!("shared/{}", n % 3)), Some(shared)),
        ]
        .into(),
    }
}

/// Writes down that a commit is answered in the moment in which it is.
struct Bell {
    recorder: Arc<Recorder>,
    number: usize,
    rung: AtomicBool,
    thread: Thread,
}

impl Bell {
    fn new(recorder: &Arc<Recorder>, number: usize) -> Arc<Self> {
        Arc::new(Self {
            recorder: Arc::clone(recorder),
            number,
            rung: AtomicBool::new(false),
            thread: thread::current(),
        })
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.recorder.answered(self.number);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
        self.thread.unpark();
    }
}

/// Waits for one answer; no runtime is needed for any of them.
pub(super) fn block_on<T>(mut answer: Answer<'_, T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(found) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return found;
        }
        thread::park();
    }
}
