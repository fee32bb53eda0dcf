//! What a store goes through, each scenario recorded once. A scenario begins
//! where its own part begins; what led there is recorded as well, so that a
//! crash finds the disk as it would be.

use super::stage::{Stage, block_on, let_go};
use crate::embedded::Sled;
use crate::embedded::archive;
use crate::embedded::disk::{Effect, Watch as _};
use crate::embedded::keeper::Task;
use crate::embedded::tests::test_options;
use crate::{Commit, Error, Store as _};

/// How a scenario is played.
pub(super) type Play = fn(&mut Stage) -> Result<(), Error>;

/// All of them, in the order in which they are told.
pub(super) const ALL: [(&str, Play); 19] = [
    ("first open", first_open),
    ("open what a kill left of a first open", first_open_again),
    ("commits", commits),
    ("rotation", rotation),
    ("checkpoint", checkpoint),
    ("merging runs", merge_runs),
    ("merging runs beside checkpoints", merge_runs_later),
    ("snapshot", snapshot),
    ("increment", increment),
    ("clean close", clean_close),
    ("open after a clean close", open_after_close),
    ("open after a kill", open_after_kill),
    ("open after a failed sync", open_after_failed_sync),
    ("open after another boot", open_after_boot),
    ("rebuild by the mark", rebuild),
    ("compaction", compaction),
    ("import", import),
    ("open over damage that a snapshot covers", open_over_damage),
    (
        "open over damage that the state covers",
        open_over_later_damage,
    ),
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

/// Three runs become one.
fn merge_runs(stage: &mut Stage) -> Result<(), Error> {
    checkpoints(stage, 3)
}

/// Three runs and an older one become one, not with the checkpoint but after it.
fn merge_runs_later(stage: &mut Stage) -> Result<(), Error> {
    stage.merge_pairs = 0;
    checkpoints(stage, 6)
}

/// So many checkpoints, with the last of which it begins.
fn checkpoints(stage: &mut Stage, count: u32) -> Result<(), Error> {
    let store = stage.open("one")?;
    for number in 1..=count {
        if number == count {
            stage.begin();
        }
        stage.commits(&store, 2)?;
        store.wait(Task::Checkpoint)?;
        // What was left for later comes right after it.
        store.wait(Task::Idle)?;
    }
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

/// The second one. A crash finds a snapshot, an increment and the journal.
fn increment(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.fill(&store, 1)?;
    store.wait(Task::Snapshot)?;
    stage.fill(&store, 2)?;
    store.wait(Task::Grow)?;
    stage.fill(&store, 2)?;
    stage.begin();
    store.wait(Task::Grow)?;
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

fn open_after_failed_sync(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 2)?;
    stage.recorder.fail_a_sync();
    let error = stage.commits(&store, 1).unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    drop(store);
    let_go(&stage.root.join("store/sled"));
    stage.begin();
    // It is read back and counts as done from here on.
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

fn open_over_damage(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 2)?;
    store.wait(Task::Snapshot)?;
    stage.commits(&store, 2)?;
    damaged(stage, store)
}

fn open_over_later_damage(stage: &mut Stage) -> Result<(), Error> {
    let store = stage.open("one")?;
    stage.commits(&store, 4)?;
    damaged(stage, store)
}

/// Closes, changes a byte of the first commit in the journal, and goes on.
fn damaged(stage: &mut Stage, store: Sled) -> Result<(), Error> {
    store.shut()?;
    drop(store);
    let path = stage
        .root
        .join("store/journal/00000000000000000001.journal");
    let (at, mut bytes) = (64, std::fs::read(&path).unwrap());
    bytes[at] ^= 0x55;
    std::fs::write(&path, &bytes).unwrap();
    let effect = Effect::Write(&path, at as u64, &bytes[at..=at]);
    stage.recorder.after(effect);
    stage.recorder.after(Effect::Sync(&path));
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
