//! One byte of sled's files changed, at many places one after another: whatever is
//! read out of such a store then is right to the last byte, or refused; and nothing
//! is lost by having tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::stage::{batch, block_on};
use crate::embedded::archive;
use crate::embedded::disk::Disk;
use crate::embedded::keeper::Task;
use crate::embedded::tests::{names, test_options};
use crate::embedded::{Options, Sled};
use crate::{Commit, Error, Store as _};

/// How far the changed bytes are from one another: in the short form about a block
/// of the file system, and no multiple of anything.
const SHORT: usize = 4096 + 13;
const LONG: usize = 509;

fn options(dir: &Path) -> Options {
    Options {
        disk: Disk {
            sync: Arc::new(|_| Ok(())),
            ..Disk::default()
        },
        boot: Some("one".into()),
        snapshot_bytes: u64::MAX,
        ..test_options(dir)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// The files of a directory with their content.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (name.clone(), fs::read(dir.join(name)).unwrap());
    let names = names(dir).into_iter();
    names
        .filter(|name| dir.join(name).is_file())
        .map(read)
        .collect()
}

/// What is done to a damaged store.
const TRIED: [(&str, Attempt); 3] = [
    ("export", |options, to| {
        archive::export_offline(options, to).map(drop)
    }),
    ("compact", |options, _| archive::compact(options).map(drop)),
    ("snapshot", |options, _| {
        let store = Sled::open(options)?;
        let made = store.wait(Task::Snapshot);
        made.and(store.shut())
    }),
];

type Attempt = fn(Options, &Path) -> Result<(), Error>;

/// A small store that was closed, with its last snapshot some commits behind.
struct Original {
    dir: PathBuf,
    /// What an export of it is.
    export: Vec<u8>,
}

fn original(root: &Path) -> Original {
    let dir = root.join("store");
    let store = Sled::open(options(&dir)).unwrap();
    let fill = |range: std::ops::Range<u32>| {
        for n in range {
            let mut next = batch(n);
            // In every table, those in blocks and the others.
            for table in b'a'..=b'z' {
                let key = [&[table], &n.to_be_bytes()[..]].concat();
                let value = [n.to_be_bytes(); 8].concat();
                next.writes
                    .insert(ringback_core::model::Key::new(key), Some(value.into()));
            }
            let done = block_on(store.commit(next)).unwrap();
            assert!(matches!(done, Commit::Done(_)), "{done:?}");
        }
    };
    fill(1..120);
    store.wait(Task::Snapshot).unwrap();
    fill(120..160);
    store.shut().unwrap();
    drop(store);
    let path = root.join("whole");
    archive::export_offline(options(&dir), &path).unwrap();
    let export = fs::read(path).unwrap();
    Original { dir, export }
}

/// Tries one thing with one byte changed. Whether it was refused.
fn check(original: &Original, file: &str, at: usize, number: usize) -> bool {
    let (name, attempt) = TRIED[number];
    let what = format!("{name}, byte {at} of {file}");
    let root = tempfile::tempdir().unwrap();
    let (dir, to) = (root.path().join("store"), root.path().join("out"));
    copy(&original.dir, &dir);
    let path = dir.join("sled").join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    let snapshots = contents(&dir.join("snapshots"));
    let tried = attempt(options(&dir), &to);
    if let Err(error) = &tried {
        assert!(matches!(error, Error::Rotten(_)), "{what}: {error}");
        let advice = "start ringback, or give the command again";
        assert!(error.to_string().contains(advice), "{what}: {error}");
        assert!(contents(&dir.join("snapshots")) == snapshots, "{what}");
        assert!(!to.exists() && names(root.path()) == ["store"], "{what}");
    } else if name == "export" {
        assert!(fs::read(&to).unwrap() == original.export, "{what}");
    } else {
        // An export of a store at rest begins with its name and holds a snapshot.
        let snapshots = contents(&dir.join("snapshots"));
        assert_eq!(snapshots.len(), 1, "{what}");
        assert!(original.export[8..].starts_with(&snapshots[0].1), "{what}");
    }
    // And what was there is there, after a refusal and after a success.
    let again = root.path().join("again");
    archive::export_offline(options(&dir), &again).unwrap();
    assert!(fs::read(&again).unwrap() == original.export, "{what}");
    tried.is_err()
}

#[test]
fn proof_no_flipped_byte_leaves_anything_out() {
    let root = tempfile::tempdir().unwrap();
    let original = original(root.path());
    let step = if super::long() { LONG } else { SHORT };
    let mut cases = Vec::new();
    for (file, bytes) in contents(&original.dir.join("sled")) {
        // Behind its last byte that is not zero, the file only takes room.
        let used = bytes.iter().rposition(|byte| *byte != 0);
        for at in (0..used.map_or(0, |last| last + 1)).step_by(step) {
            // One of the three at each place; all of them in the long form.
            let turn = cases.len() % TRIED.len();
            let tried = (0..TRIED.len()).filter(|number| super::long() || *number == turn);
            cases.extend(tried.map(|number| (file.clone(), at, number)));
        }
    }
    let (next, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Closing sled is waiting for the most part.
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((file, at, number)) = cases.get(next.fetch_add(1, SeqCst)) {
                    let is_refused = check(&original, file, *at, *number);
                    refused.fetch_add(usize::from(is_refused), SeqCst);
                }
            });
        }
    });
    let (flips, refused) = (cases.len(), refused.into_inner());
    println!(
        "flipped bytes in the state: {flips} tries to read a store with one, {} right to the last \
         byte, {refused} refused, 0 that left anything out",
        flips - refused
    );
    assert!(
        flips > 60 && refused > 0,
        "{flips} tries, {refused} refused"
    );
}
