//! A journal that is damaged in each of the places where it matters, or does not.

use std::fs;
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, Versioned};

use super::segment;
use crate::conformance::{batch, done};
use crate::embedded::tests::{all, names, test_options, work};
use crate::embedded::{Options, Sled};
use crate::{Error, Store};

fn options(dir: &Path) -> Options {
    Options {
        boot: Some("one".into()),
        snapshot_bytes: u64::MAX,
        ..test_options(dir)
    }
}

/// What a store went through before its journal is damaged.
#[derive(Clone, Copy, Default)]
struct Past {
    /// Commits until the snapshot, which may be none.
    snapshot: Option<u32>,
    commits: u32,
    closed: bool,
    /// Whether it is opened in another boot.
    other_boot: bool,
}

/// What a start says: nothing, or words that are in the error.
type Expected<'a> = Result<(), &'a str>;

/// Damages the journal; the folder is given. A start then has everything, or
/// refuses and leaves the journal as it is.
async fn check(past: Past, damage: impl Fn(&Path), expected: Expected<'_>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(options(dir.path())).unwrap();
    if let Some(commits) = past.snapshot {
        work(&store, 0..commits).await;
        store.snapshot().await.unwrap();
    }
    work(&store, past.snapshot.unwrap_or(0)..past.commits).await;
    let pairs = all(&store).await;
    if past.closed {
        store.close().await.unwrap();
    } else if !past.other_boot {
        store.checkpoint().await.unwrap();
    }
    drop(store);
    let journal = dir.path().join("journal");
    damage(&journal);
    let mut options = options(dir.path());
    if past.other_boot {
        options.boot = Some("two".into());
    }
    let files = |path: &Path| -> Vec<_> {
        let names = names(path)
            .into_iter()
            .filter(|name| !name.starts_with("ahead"));
        names
            .map(|name| (name.clone(), fs::read(path.join(name)).unwrap()))
            .collect()
    };
    let before = files(&journal);
    let opened = Sled::open(options.clone());
    let Err(words) = expected else {
        check_whole(opened.unwrap(), &options, &pairs, past.commits).await;
        return;
    };
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(files(&journal) == before, "it was changed");
}

/// Everything is there; it goes on, and is there again when sled is rebuilt.
async fn check_whole(store: Sled, options: &Options, pairs: &[(Key, Versioned)], last: u32) {
    assert!(all(&store).await == pairs);
    let next = batch([("a", Some(&b"1"[..]))]);
    assert_eq!(done(&store, next).await, u64::from(last) + 1);
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    fs::remove_dir_all(options.dir.join("sled")).unwrap();
    let store = Sled::open(options.clone()).unwrap();
    assert!(all(&store).await == expected);
}

fn segments(journal: &Path) -> Vec<PathBuf> {
    let names = names(journal).into_iter();
    let names = names.filter(|name| name.ends_with(".journal"));
    names.map(|name| journal.join(name)).collect()
}

fn last(journal: &Path) -> PathBuf {
    segments(journal).pop().unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    for byte in &mut bytes[at..at + 4] {
        *byte ^= 0x55;
    }
    fs::write(path, bytes).unwrap();
}

/// A commit near the start of the last segment.
fn early(journal: &Path) {
    flip(&last(journal), segment::HEADER + 40);
}

fn header(journal: &Path) {
    flip(&last(journal), 9);
}

/// The last commit and what says that it was synced.
fn end(journal: &Path) {
    let path = last(journal);
    let whole = segment::read(&path).unwrap().whole.len();
    flip(&path, whole - 44);
    flip(&path, whole - 24);
}

fn everything(journal: &Path) {
    for path in segments(journal) {
        fs::remove_file(path).unwrap();
    }
}

const DAMAGES: [fn(&Path); 4] = [early, header, end, everything];

#[tokio::test]
async fn what_a_snapshot_holds_is_not_missed() {
    let past = Past {
        snapshot: Some(80),
        commits: 80,
        closed: true,
        ..Past::default()
    };
    for damage in DAMAGES {
        check(past, damage, Ok(())).await;
        // Closed is closed, whatever became of the machine.
        check(
            Past {
                other_boot: true,
                ..past
            },
            damage,
            Ok(()),
        )
        .await;
    }
}

#[tokio::test]
async fn commits_behind_the_damage_are_kept() {
    let past = Past {
        snapshot: Some(80),
        commits: 95,
        ..Past::default()
    };
    for (closed, other_boot) in [(true, false), (false, false), (false, true)] {
        check(
            Past {
                closed,
                other_boot,
                ..past
            },
            early,
            Ok(()),
        )
        .await;
    }
}

#[tokio::test]
async fn a_state_that_can_be_believed_stands_in() {
    let past = Past {
        commits: 60,
        closed: true,
        ..Past::default()
    };
    for damage in DAMAGES {
        check(past, damage, Ok(())).await;
    }
    for damage in [early, end] {
        check(
            Past {
                closed: false,
                ..past
            },
            damage,
            Ok(()),
        )
        .await;
    }
}

#[tokio::test]
async fn says_which_commits_are_at_stake() {
    let past = Past {
        commits: 60,
        ..Past::default()
    };
    // Nobody knows what came after what can be seen.
    let words = "(at stake: all commits from 1 on; the newest whole snapshot holds those up to 0,";
    check(past, everything, Err(words)).await;
    check(past, header, Err("its first bytes")).await;
    // A state of another boot is not believed.
    let other = Past {
        other_boot: true,
        ..past
    };
    check(other, early, Err("(at stake: commits 52 to 52; ")).await;
    let some = Past {
        snapshot: Some(20),
        ..other
    };
    let late = |journal: &Path| {
        let path = last(journal);
        let whole = segment::read(&path).unwrap().whole.len();
        flip(&path, whole - 44);
    };
    let words = "(at stake: commits 60 to 60; the newest whole snapshot holds those up to 20,";
    check(some, late, Err(words)).await;
    let words =
        "(at stake: all commits from 21 on; the newest whole snapshot holds those up to 20,";
    check(some, everything, Err(words)).await;
}

#[tokio::test]
async fn only_the_last_file_that_was_set_aside_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    for round in 1..3 {
        let store = Sled::open(options(dir.path())).unwrap();
        work(&store, 0..30).await;
        store.close().await.unwrap();
        drop(store);
        early(&journal);
        drop(Sled::open(options(dir.path())).unwrap());
        let aside = names(&journal)
            .into_iter()
            .filter(|name| name.contains("damaged"));
        let aside: Vec<_> = aside.collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(aside[0].ends_with(&format!("damaged-{round}")), "{aside:?}");
    }
}
