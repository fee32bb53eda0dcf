//! A disk that is full from some effect on, and one whose sync fails there: once
//! for every effect of a store's whole life. What was acknowledged is there after
//! the space is back, without a hand.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::stage::{Stage, block_on, let_go};
use super::verdict::{Verdict, look_with};
use crate::embedded::disk::{Disk, Effect, Watch};
use crate::embedded::keeper::Task;
use crate::{Error, Store};

/// What the disk refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No space: for everything that needs some, from one effect on.
    Full,
    /// The same for one effect; the next finds space again.
    FullOnce,
    /// A sync fails, and with it the process ends: nothing is written any more.
    Sync,
}

/// Refuses from the n-th effect of its kind on.
struct Refuse {
    kind: Kind,
    at: usize,
    seen: AtomicUsize,
    /// The process is gone.
    dead: AtomicBool,
    refused: AtomicUsize,
}

impl Refuse {
    fn new(kind: Kind, at: usize) -> Arc<Self> {
        Arc::new(Self {
            kind,
            at,
            seen: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
        })
    }
}

impl Watch for Refuse {
    fn before(&self, effect: Effect<'_>) -> io::Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(io::Error::other("the process is gone"));
        }
        let concerned = match (self.kind, effect) {
            (Kind::Sync, Effect::Sync(_) | Effect::SyncDir(_)) => true,
            (Kind::Sync, _) | (_, Effect::Sync(_) | Effect::SyncDir(_)) => false,
            (_, Effect::Remove(_) | Effect::RemoveAll(_)) => false,
            (Kind::Full | Kind::FullOnce, _) => true,
        };
        if !concerned {
            return Ok(());
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let refuse = match self.kind {
            Kind::Full => number >= self.at,
            Kind::FullOnce | Kind::Sync => number == self.at,
        };
        if !refuse {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        if self.kind == Kind::Sync {
            self.dead.store(true, Ordering::SeqCst);
            return Err(io::Error::from_raw_os_error(5));
        }
        Err(io::Error::from_raw_os_error(28))
    }

    fn after(&self, _effect: Effect<'_>) {}
}

/// A store's life: made, written to, closed, opened, upkept. Goes on after every
/// refusal that lets it, as a host would.
fn live(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 3)?;
    store.shut()?;
    drop(store);
    let store = stage.open("one")?;
    let life = |stage: &mut Stage| -> Result<(), Error> {
        stage.commits(&store, 2)?;
        stage.fill(&store, 2)?;
        // Upkeep may fail, and commits go on.
        let checkpoint = store.wait(Task::Checkpoint);
        stage.commits(&store, 1)?;
        let snapshot = store.wait(Task::Snapshot);
        stage.commits(&store, 2)?;
        stage.fill(&store, 2)?;
        let increment = store.wait(Task::Grow);
        stage.commits(&store, 1)?;
        checkpoint.and(snapshot).and(increment)
    };
    let lived = life(stage);
    if let Err(error) = &lived {
        // A commit that may have happened ends the store; one that did not, or
        // upkeep that failed, does not.
        let health = block_on(store.health());
        let told = health.poisoned.is_some() || health.upkeep.is_some();
        let plain = matches!(error, Error::Io { .. });
        assert!(told || plain, "{error}: {health:?}");
        assert!(
            !error.may_have_happened() || health.poisoned.is_some(),
            "{health:?}"
        );
    }
    lived?;
    store.shut()
}

/// Lives once with a refusal, and looks at what is there when it is over. `None`
/// when there was nothing to refuse.
fn check(kind: Kind, at: usize) -> Option<Verdict> {
    let root = tempfile::tempdir().unwrap();
    let watch = Refuse::new(kind, at);
    let disk = Disk {
        sync: Arc::new(|_| Ok(())),
        ..Disk::default()
    };
    let mut stage = Stage::new(
        root.path(),
        disk,
        Some(Arc::clone(&watch) as Arc<dyn Watch>),
    );
    let lived = live(&mut stage);
    if watch.refused.load(Ordering::SeqCst) == 0 {
        assert!(lived.is_ok(), "{lived:?}");
        return None;
    }
    let acknowledged = stage.acknowledged();
    let mut options = stage.options("one");
    options.disk = Disk {
        sync: Arc::new(|_| Ok(())),
        ..Disk::default()
    };
    let_go(&options.dir.join("sled"));
    Some(look_with(options, acknowledged, &stage.truth()))
}

#[test]
fn proof_a_disk_that_refuses() {
    let mut figures = Vec::new();
    for kind in [Kind::Full, Kind::FullOnce, Kind::Sync] {
        let mut tried = 0;
        let mut bad = Vec::new();
        // The last one finds nothing to refuse.
        while let Some(verdict) = check(kind, tried) {
            if !matches!(verdict, Verdict::Fine | Verdict::Rebuilt(_)) {
                bad.push(format!("{kind:?} at effect {tried}: {verdict:?}"));
            }
            tried += 1;
        }
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        assert!(tried > 30, "{kind:?}: only {tried} effects");
        figures.push(tried);
    }
    println!(
        "store on a bad disk: full from each of {} effects on, full at each of {}, a failed sync \
         at each of {}; 0 lost, 0 that need a hand",
        figures[0], figures[1], figures[2]
    );
}
