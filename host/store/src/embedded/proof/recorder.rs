//! Writes down everything that happens while a scenario runs: every effect of
//! ours, what sled left in its directory by then, and which commits were
//! answered by then.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::embedded::disk::{Effect, Watch};

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Effect(Did),
    /// The files of a directory of sled's, as they are now; `None` if it is gone.
    Sled(String, Option<Files>),
    /// The commit of this number has its answer.
    Answered(usize),
}

pub(super) type Files = BTreeMap<String, Arc<[u8]>>;

/// An effect, with paths below the place that is watched.
#[derive(Clone, Debug)]
pub(super) enum Did {
    CreateDir(PathBuf),
    Create(PathBuf),
    Write(PathBuf, usize, Arc<[u8]>),
    Sync(PathBuf),
    /// The disk refused; what was written since counts as clean and is not.
    SyncFailed(PathBuf),
    SyncDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    RemoveAll(PathBuf),
    Flush,
}

/// See the module.
pub(super) struct Recorder {
    root: PathBuf,
    log: Mutex<Log>,
    failing: AtomicBool,
    gate: Mutex<Gate>,
    moved: Condvar,
}

/// Where the committer stands, when it is held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// The next write into a segment waits.
    Shut,
    /// One waits.
    Reached,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    sled: BTreeMap<String, Files>,
}

/// The directories that sled writes into.
const SLED: [&str; 6] = [
    "store/sled",
    "store/sled.new",
    "store/sled.replaced",
    "store.importing/sled",
    "store.importing/sled.new",
    "store.importing/sled.replaced",
];

impl Recorder {
    /// Watches a place; the store lies in `store` below it.
    pub(super) fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_path_buf(),
            log: Mutex::default(),
            failing: AtomicBool::new(false),
            gate: Mutex::new(Gate::Open),
            moved: Condvar::new(),
        })
    }

    pub(super) fn answered(&self, number: usize) {
        self.log
            .lock()
            .unwrap()
            .events
            .push(Event::Answered(number));
    }

    /// The next sync of a file fails.
    pub(super) fn fail_a_sync(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// Lets the committer go no further than to its next write.
    pub(super) fn hold(&self) {
        *self.gate.lock().unwrap() = Gate::Shut;
    }

    /// Waits until it stands there.
    pub(super) fn held(&self) {
        let gate = self.gate.lock().unwrap();
        let shut = |gate: &mut Gate| *gate == Gate::Shut;
        drop(self.moved.wait_while(gate, shut).unwrap());
    }

    pub(super) fn release(&self) {
        *self.gate.lock().unwrap() = Gate::Open;
        self.moved.notify_all();
    }

    fn wait_at_gate(&self) {
        let mut gate = self.gate.lock().unwrap();
        if *gate == Gate::Shut {
            *gate = Gate::Reached;
            self.moved.notify_all();
            drop(
                self.moved
                    .wait_while(gate, |gate| *gate != Gate::Open)
                    .unwrap(),
            );
        }
    }

    /// How many events there are by now.
    pub(super) fn len(&self) -> usize {
        self.log.lock().unwrap().events.len()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.log.lock().unwrap().events.clone()
    }

    /// Notes what changed in sled's directories. It writes when it likes; that is
    /// looked at before and after each effect of ours.
    fn look(&self, log: &mut Log) {
        for name in SLED {
            let dir = self.root.join(name);
            let files = dir.is_dir().then(|| files(&dir));
            if files.as_ref() == log.sled.get(name) {
                continue;
            }
            match &files {
                Some(files) => log.sled.insert(name.into(), files.clone()),
                None => log.sled.remove(name),
            };
            log.events.push(Event::Sled(name.into(), files));
        }
    }

    fn own(&self, effect: Effect<'_>) -> Did {
        let below = |path: &Path| path.strip_prefix(&self.root).unwrap().to_path_buf();
        match effect {
            Effect::CreateDir(path) => Did::CreateDir(below(path)),
            Effect::Create(path) => Did::Create(below(path)),
            Effect::Write(path, at, bytes) => {
                Did::Write(below(path), usize::try_from(at).unwrap(), bytes.into())
            }
            Effect::Sync(path) => Did::Sync(below(path)),
            Effect::SyncDir(path) => Did::SyncDir(below(path)),
            Effect::Rename(from, to) => Did::Rename(below(from), below(to)),
            Effect::Remove(path) => Did::Remove(below(path)),
            Effect::RemoveAll(path) => Did::RemoveAll(below(path)),
            Effect::Flush => Did::Flush,
        }
    }
}

fn files(dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // sled may rename or remove one of its own meanwhile.
        if let Ok(bytes) = fs::read(entry.path()) {
            files.insert(name, bytes.into());
        }
    }
    files
}

impl Watch for Recorder {
    fn before(&self, effect: Effect<'_>) -> io::Result<()> {
        if let Effect::Write(path, ..) = effect
            && path.extension().is_some_and(|found| found == "journal")
        {
            self.wait_at_gate();
        }
        let mut log = self.log.lock().unwrap();
        self.look(&mut log);
        if let (Effect::Sync(_), Did::Sync(path)) = (effect, self.own(effect))
            && self.failing.swap(false, Ordering::SeqCst)
        {
            log.events.push(Event::Effect(Did::SyncFailed(path)));
            return Err(io::Error::other("the cable is out"));
        }
        Ok(())
    }

    fn after(&self, effect: Effect<'_>) {
        let did = self.own(effect);
        let mut log = self.log.lock().unwrap();
        // What was renamed is not seen as written anew.
        if let Did::Rename(from, _) | Did::RemoveAll(from) = &did {
            let old = std::mem::take(&mut log.sled);
            for (name, files) in old {
                match (Path::new(&name).strip_prefix(from), &did) {
                    (Err(_), _) => drop(log.sled.insert(name, files)),
                    (Ok(rest), Did::Rename(_, to)) => {
                        let name = to
                            .components()
                            .chain(rest.components())
                            .collect::<PathBuf>();
                        let name = name.to_str().unwrap().to_owned();
                        if SLED.contains(&&*name) {
                            log.sled.insert(name, files);
                        }
                    }
                    (Ok(_), _) => {}
                }
            }
        }
        log.events.push(Event::Effect(did));
        self.look(&mut log);
    }
}
