//! The test of the tests: faults planted one at a time, each of which the crash
//! points, the conformance suite or a look during a commit has to catch.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::crash_points::{Tally, crash_everywhere, record};
use super::scenarios::ALL;
use super::stage::{batch, block_on};
use crate::Store;
use crate::conformance;
use crate::embedded::base::tests::{stops_at_damage, survives};
use crate::embedded::disk::{Disk, Effect, Watch};
use crate::embedded::plant::Plant;
use crate::embedded::tests::test_options;
use crate::embedded::{Options, Sled};

/// A disk with a fault.
fn planted(plant: Option<Plant>) -> Disk {
    Disk {
        plant,
        ..Disk::default()
    }
}

/// Whether a fault is caught.
type Catch = fn(Plant) -> bool;

/// Whether crashes of these scenarios show something.
fn crashes(plant: Plant, scenarios: &[&str]) -> bool {
    let mut tally = Tally::default();
    for (name, play) in ALL.iter().filter(|(name, _)| scenarios.contains(name)) {
        // A fault may show before any crash does.
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            record(name, *play, planted(Some(plant)))
        }));
        match recorded {
            Ok(recording) => crash_everywhere(&recording, 1, &mut tally),
            Err(_) => return true,
        }
    }
    !tally.bad.is_empty()
}

/// Whether the suite that every store has to pass fails.
fn conforms(plant: Option<Plant>) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), planted(plant));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let suite = || {
        let store = Arc::new(Sled::open(options).unwrap());
        runtime.block_on(conformance::names_the_first_conflict(store));
    };
    catch_unwind(AssertUnwindSafe(suite)).is_ok()
}

fn options(dir: &Path, disk: Disk) -> Options {
    Options {
        disk,
        ..test_options(dir)
    }
}

/// Holds the sync of a segment up until it is told to go on.
struct Gate {
    reached: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Watch for Gate {
    fn before(&self, effect: Effect<'_>) -> io::Result<()> {
        if let Effect::Sync(path) = effect
            && path.extension().is_some_and(|found| found == "journal")
        {
            let _ = self.reached.lock().unwrap().send(());
            let _ = self.go_on.lock().unwrap().recv();
        }
        Ok(())
    }

    fn after(&self, _effect: Effect<'_>) {}
}

/// Whether a reader sees nothing of a commit that is not durable yet.
fn reads_durable_commits_only(plant: Option<Plant>) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (reached, waits) = channel();
    let (go, go_on) = channel();
    let gate = Gate {
        reached: Mutex::new(reached),
        go_on: Mutex::new(go_on),
    };
    let disk = Disk {
        watch: Some(Arc::new(gate)),
        ..planted(plant)
    };
    let store = Arc::new(Sled::open(options(dir.path(), disk)).unwrap());
    let commit = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || block_on(store.commit(batch(1))))
    };
    waits.recv().unwrap();
    let key = ringback_core::model::Key::new(*b"own/0001");
    let early = block_on(store.get(&key)).unwrap();
    drop(go);
    let done = commit.join().unwrap();
    assert!(done.is_ok(), "{done:?}");
    assert!(block_on(store.get(&key)).unwrap().is_some());
    early.is_none()
}

#[test]
fn reads_see_durable_commits_only() {
    assert!(reads_durable_commits_only(None));
}

#[test]
fn proof_planted_faults_are_caught() {
    assert!(conforms(None) && survives(None), "nothing is planted");
    let faults: [(Plant, Catch); 19] = [
        (Plant::SkipJournalSync, |plant| crashes(plant, &["commits"])),
        (Plant::AcknowledgeFirst, |plant| {
            crashes(plant, &["commits"])
        }),
        (Plant::ApplyFirst, |plant| {
            !reads_durable_commits_only(Some(plant))
        }),
        (Plant::PruneFirst, |plant| {
            crashes(plant, &["snapshot"]) && crashes(plant, &["increment"])
        }),
        (Plant::CheckpointFirst, |plant| {
            crashes(plant, &["checkpoint"])
        }),
        (Plant::IgnorePreconditions, |plant| !conforms(Some(plant))),
        (Plant::MissPage, |plant| crashes(plant, &["snapshot"])),
        (Plant::ForgetDeletes, |plant| crashes(plant, &["increment"])),
        (Plant::ReplayLate, |plant| {
            crashes(plant, &["open after a kill"])
        }),
        (Plant::SkipDirSync, |plant| crashes(plant, &["rotation"])),
        (Plant::TrustSled, |plant| {
            crashes(plant, &["checkpoint", "snapshot"])
        }),
        (Plant::ReplaceInPlace, |plant| {
            crashes(plant, &["open after a kill"])
        }),
        (Plant::SkipSettle, |plant| {
            crashes(plant, &["open after a failed sync"])
        }),
        (Plant::ForgetRightHalf, |plant| !survives(Some(plant))),
        (Plant::OverwriteEdge, |plant| !survives(Some(plant))),
        (Plant::PassOverErrors, |plant| !stops_at_damage(Some(plant))),
        (Plant::RemoveRunsFirst, |plant| {
            crashes(plant, &["merging runs"])
        }),
        (Plant::ForgetTombstones, |plant| !survives(Some(plant))),
        (Plant::DenyKeys, |plant| !survives(Some(plant))),
    ];
    let caught: Vec<_> = faults
        .iter()
        .filter(|(plant, catch)| catch(*plant))
        .collect();
    println!(
        "planted faults in the store: {} of {} caught",
        caught.len(),
        faults.len()
    );
    let missed: Vec<_> = faults
        .iter()
        .map(|(plant, _)| plant)
        .filter(|plant| !caught.iter().any(|(found, _)| found == *plant))
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
