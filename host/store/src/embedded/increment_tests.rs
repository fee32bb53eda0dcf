//! Snapshots that grow: what is in them, that the folder stays small, and what becomes
//! of one that cannot be added to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::conformance::{batch, done};
use crate::embedded::keeper::Task;
use crate::embedded::tests::{all, names, test_options, work};
use crate::embedded::{Options, Sled};
use crate::{Error, Store};

/// Snapshots come when they are asked for.
fn options(dir: &Path) -> Options {
    Options {
        snapshot_bytes: u64::MAX,
        snapshot_percent: 1000,
        ..test_options(dir)
    }
}

async fn grow(store: &Sled) {
    store.ask(Task::Grow).await.unwrap();
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let folder = dir.join("snapshots");
    let names = names(&folder).into_iter();
    let names = names.filter(|name| name.ends_with(extension));
    names.map(|name| folder.join(name)).collect()
}

fn bytes(dir: &Path) -> u64 {
    let files = files(dir, "");
    files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum()
}

/// A full snapshot and three increments, with deletes, overwrites and long values.
async fn grown(dir: &Path) -> Sled {
    let store = Sled::open(options(dir)).unwrap();
    for part in 0..4 {
        work(&store, part * 400..part * 400 + 400).await;
        grow(&store).await;
    }
    let (full, increments) = (files(dir, "snapshot").len(), files(dir, "increment").len());
    assert_eq!((full, increments), (1, 3));
    store
}

#[tokio::test]
async fn a_state_is_rebuilt_from_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path()).await;
    work(&store, 1600..1620).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    let journal = names(&dir.path().join("journal"));
    // Those that the last increment has are gone.
    assert!(*journal[0] > *format!("{:020}", 1500), "{journal:?}");
    for _ in 0..2 {
        fs::remove_dir_all(dir.path().join("sled")).unwrap();
        let store = Sled::open(options(dir.path())).unwrap();
        assert!(all(&store).await == expected);
        assert_eq!(done(&store, batch([])).await, store.health().await.revision);
        store.close().await.unwrap();
    }
    // And it goes on growing.
    let store = Sled::open(options(dir.path())).unwrap();
    work(&store, 1620..2000).await;
    grow(&store).await;
    assert_eq!(files(dir.path(), "increment").len(), 4);
    let expected = all(&store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(all(&Sled::open(options(dir.path())).unwrap()).await == expected);
}

#[tokio::test]
async fn a_new_one_that_is_asked_for_replaces_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path()).await;
    store.snapshot().await.unwrap();
    assert_eq!(files(dir.path(), "").len(), 1);
    let expected = all(&store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(all(&Sled::open(options(dir.path())).unwrap()).await == expected);
}

#[tokio::test]
async fn what_is_overwritten_again_and_again_takes_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let set = Options {
        snapshot_percent: 200,
        ..options(dir.path())
    };
    let store = Sled::open(set).unwrap();
    let mut most = 0;
    for round in 0..40_u32 {
        for number in 0..40_u32 {
            // Noise, so that packing it takes nothing away.
            let noise = (0..2500_u32)
                .map(|at| (at ^ (round << 16) ^ (number << 8)).wrapping_mul(0x9E37_79B9) >> 13);
            let noise: Vec<u8> = noise.map(|word| word as u8).collect();
            done(&store, batch([(&*format!("key/{number}"), Some(&*noise))])).await;
        }
        grow(&store).await;
        most = most.max(bytes(dir.path()));
    }
    store.snapshot().await.unwrap();
    let least = bytes(dir.path());
    assert!(most <= 3 * least, "{most} bytes for {least}");
    assert!(
        most >= 2 * least - least / 4,
        "{most} bytes for {least}: it never grew"
    );
}

#[tokio::test]
async fn with_too_little_in_the_journal_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(options(dir.path())).unwrap();
    work(&store, 0..20).await;
    grow(&store).await;
    let before = names(&dir.path().join("snapshots"));
    assert_eq!(before.len(), 1, "the first is a full one");
    work(&store, 20..30).await;
    grow(&store).await;
    assert_eq!(names(&dir.path().join("snapshots")), before);
}

/// An increment that cannot be read stops a rebuild and is named; as long as the state
/// is there, nobody needs it.
#[tokio::test]
async fn a_damaged_increment_is_only_missed_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path()).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    let second = files(dir.path(), "increment").remove(1);
    let whole = fs::read(&second).unwrap();
    let mut damaged = whole.clone();
    damaged[40] ^= 1;
    fs::write(&second, damaged).unwrap();
    let store = Sled::open(options(dir.path())).unwrap();
    assert!(all(&store).await == expected);
    store.close().await.unwrap();
    drop(store);
    let (sled, away) = (dir.path().join("sled"), dir.path().join("away"));
    fs::rename(&sled, &away).unwrap();
    let error = Sled::open(options(dir.path())).unwrap_err();
    let Error::Damaged { file, what } = &error else {
        panic!("{error}");
    };
    assert_eq!(file, &second);
    let advice = "put this file back from a backup, or import the latest export into a new folder";
    assert!(what.contains(advice), "{what}");
    fs::write(&second, whole).unwrap();
    assert!(all(&Sled::open(options(dir.path())).unwrap()).await == expected);
}

/// Where the journal does not go on from what there is, a new one is made of the state.
#[tokio::test]
async fn one_that_cannot_be_added_to_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path()).await;
    work(&store, 1600..2000).await;
    fs::remove_file(files(dir.path(), "increment").pop().unwrap()).unwrap();
    grow(&store).await;
    assert_eq!(files(dir.path(), "").len(), 1);
    let expected = all(&store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(all(&Sled::open(options(dir.path())).unwrap()).await == expected);
}
