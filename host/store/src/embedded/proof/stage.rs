//! Where a scenario is played: a real directory, a watched disk, commits whose
//! every state is known, and the moment in which each of them is answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use ringback_core::model::{Batch, Key, Precondition, Revision, State};

use super::recorder::{Event, Recorder};
use super::verdict::Truth;
use crate::embedded::disk::{Disk, Watch};
use crate::embedded::keeper::Task;
use crate::embedded::plant::Plant;
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
    pub(super) plant: Option<Plant>,
    /// The state is built anew on purpose.
    pub(super) replaces: bool,
}

/// Where a scenario is played.
pub(super) struct Stage {
    pub(super) recorder: Arc<Recorder>,
    disk: Disk,
    pub(super) root: PathBuf,
    from: usize,
    made: u32,
    pub(super) revisions: Vec<Option<Revision>>,
    states: Vec<State>,
    pub(super) whole: bool,
    /// How large merges may be that are done at once.
    pub(super) merge_pairs: u64,
}

impl Stage {
    /// A stage on a real directory; the disk is watched by the recorder, or by
    /// whoever is given.
    pub(super) fn new(root: &Path, disk: Disk, watch: Option<Arc<dyn Watch>>) -> Self {
        let recorder = Recorder::new(root);
        let disk = Disk {
            watch: Some(watch.unwrap_or_else(|| Arc::clone(&recorder) as Arc<dyn Watch>)),
            // The scenario ends the process in its own way.
            on_sync_error: Arc::new(|| {}),
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
            merge_pairs: u64::MAX,
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
            // What is asked for is an increment, however much of it is of use.
            snapshot_percent: 10_000,
            merge_pairs: self.merge_pairs,
            ..test_options(&self.root.join("store"))
        }
    }

    pub(super) fn truth(self) -> Arc<Truth> {
        Arc::new(Truth {
            states: self.states,
            whole: self.whole,
            plant: self.disk.plant,
        })
    }

    /// The last commit that was acknowledged.
    pub(super) fn acknowledged(&self) -> Revision {
        self.revisions.iter().flatten().copied().max().unwrap_or(0)
    }

    pub(super) fn begin(&mut self) {
        self.from = self.recorder.len();
    }

    pub(super) fn open(&self, boot: &str) -> Result<Sled, Error> {
        let store = Sled::open(self.options(boot))?;
        // The keeper makes its file ahead; after that only what is asked for.
        store.wait(Task::Idle)?;
        Ok(store)
    }

    pub(super) fn next(&mut self) -> Batch {
        self.made += 1;
        batch(self.made)
    }

    pub(super) fn commits(&mut self, store: &Sled, count: u32) -> Result<(), Error> {
        for _ in 0..count {
            let next = self.next();
            self.together(store, vec![next])?;
        }
        Ok(())
    }

    /// Commits that reach the committer together, one of which loses.
    pub(super) fn group(&mut self, store: &Sled, count: u32) -> Result<(), Error> {
        let mut batches: Vec<_> = (0..count).map(|_| self.next()).collect();
        let absent = Precondition::Absent(Key::new(*b"shared/0"));
        batches[2].preconditions.push(absent);
        self.together(store, batches)
    }

    pub(super) fn long(&mut self, store: &Sled) -> Result<(), Error> {
        let mut next = self.next();
        let value = Some(Arc::from(vec![7; 70_000]));
        next.writes.insert(Key::new(*b"long"), value);
        self.together(store, vec![next])
    }

    /// Commits until so many segments more were begun.
    pub(super) fn fill(&mut self, store: &Sled, segments: usize) -> Result<(), Error> {
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
        if work.len() > 1 {
            // The first is on its way; the others wait and form one group.
            self.recorder.hold();
            let (future, bell, _) = &mut work[0];
            let waker = Waker::from(Arc::clone(bell));
            assert!(
                future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            self.recorder.held();
        }
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
            self.recorder.release();
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
                    self.revisions.push(None);
                    return Err(error);
                }
            }
        }
        // The committer answers first and asks for upkeep then; a commit that loses
        // comes after that, and writes nothing.
        let never = Precondition::At(Key::new(*b"never"), Revision::MAX);
        let _ = block_on(store.commit(Batch {
            preconditions: vec![never],
            ..Batch::default()
        }));
        store.wait(Task::Idle)
    }

    pub(super) fn done(&mut self, batch: &Batch, revision: Revision) {
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
            plant: self.disk.plant,
            replaces: matches!(
                name,
                "open after another boot" | "rebuild by the mark" | "compaction" | "import"
            ),
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

/// A store that was poisoned leaves sled open, with its lock, since the process
/// is about to end. Here it goes on, so sled's files become others of the same
/// content.
pub(super) fn let_go(state: &Path) {
    for entry in std::fs::read_dir(state).into_iter().flatten() {
        let path = entry.unwrap().path();
        let copy = path.with_extension("copy");
        if path.is_file() && std::fs::copy(&path, &copy).is_ok() {
            std::fs::rename(&copy, &path).unwrap();
        }
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
