//! The embedded store where nothing is damaged: reopening, rotation, snapshots,
//! the claim on a directory, a disk that refuses.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ringback_core::model::{Key, Precondition, Versioned};

use super::{Options, Sled};
use crate::conformance::{batch, done, key};
use crate::{Commit, Direction, Error, Store};

/// Small files, so that a test sees many of them.
pub(crate) fn test_options(dir: &Path) -> Options {
    Options {
        cache_bytes: 8 * 1024 * 1024,
        segment_bytes: 64 * 1024,
        checkpoint_bytes: 128 * 1024,
        snapshot_bytes: 512 * 1024,
        block_bytes: 1024,
        fan_in: 3,
        reserve_bytes: 0,
        reserve_percent: 0,
        reserve_percent_limit: u64::MAX,
        ..Options::new(dir)
    }
}

pub(super) async fn all(store: &impl Store) -> Vec<(Key, Versioned)> {
    let (low, high) = (Key::new([]), Key::new([255; 64]));
    store
        .scan(&low, &high, usize::MAX, Direction::Forward)
        .await
        .unwrap()
}

/// Commits of three keys each, with some deletes, overwrites and long values.
pub(super) async fn work(store: &impl Store, commits: std::ops::Range<u32>) {
    for n in commits {
        let (own, shared, gone) = (
            format!("own/{n:06}"),
            format!("shared/{}", n % 7),
            format!("own/{:06}", n / 3),
        );
        let long = vec![n as u8; if n % 50 == 0 { 70_000 } else { 150 }];
        let writes = [
            (&*own, Some(&*long)),
            (&*shared, Some(&n.to_be_bytes()[..])),
            (&*gone, None),
        ];
        done(store, batch(writes)).await;
    }
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn reopens_after_close_and_after_drop() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..6 {
        let store = Sled::open(test_options(dir.path())).unwrap();
        assert_eq!(all(&store).await, expected, "round {round}");
        assert_eq!(store.health().await.revision, u64::from(round) * 10);
        work(&store, round * 10..round * 10 + 10).await;
        expected = all(&store).await;
        if round % 2 == 0 {
            store.close().await.unwrap();
            assert_eq!(
                super::start::read_checkpoint(dir.path()).unwrap(),
                u64::from(round + 1) * 10
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotates_snapshots_and_removes_what_they_replace() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    // More journal than a snapshot needs to be due, several times over.
    work(&store, 0..1500).await;
    store.checkpoint().await.unwrap();
    let health = store.health().await;
    assert!(health.journal_bytes < 1_500_000, "{health:?}");
    assert_eq!(health.upkeep, None);
    let snapshots = names(&dir.path().join("snapshots"));
    let full = |name: &&String| name.ends_with(".snapshot");
    assert_eq!(snapshots.iter().filter(full).count(), 1, "{snapshots:?}");
    let journal = names(&dir.path().join("journal"));
    assert!(
        !journal.contains(&"00000000000000000001.journal".into()),
        "{journal:?}"
    );
    let expected = all(&store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert!(all(&store).await == expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_taken_under_load_is_exact_with_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sled::open(test_options(dir.path())).unwrap());
    work(&*store, 0..200).await;
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { work(&*store, 200..600).await })
    };
    while !writer.is_finished() {
        store.snapshot().await.unwrap();
    }
    writer.await.unwrap();
    let expected = all(&*store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert!(all(&store).await == expected);
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    let error = Sled::open(test_options(dir.path())).unwrap_err();
    let words = format!(
        "the store in {} is in use by another ringback, process {}; stop that one first",
        dir.path().display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), words);
    store.close().await.unwrap();
    Sled::open(test_options(dir.path())).unwrap();
}

#[tokio::test]
async fn refuses_a_newer_format() {
    let dir = tempfile::tempdir().unwrap();
    drop(Sled::open(test_options(dir.path())).unwrap());
    fs::write(dir.path().join("format"), "ringback store, format 2\n").unwrap();
    let error = Sled::open(test_options(dir.path())).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    fs::remove_file(dir.path().join("format")).unwrap();
    Sled::open(test_options(dir.path())).unwrap_err();
}

#[tokio::test]
async fn says_when_the_disk_is_nearly_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = test_options(dir.path());
    let store = Sled::open(options.clone()).unwrap();
    let health = store.health().await;
    assert!(!health.nearly_full && health.free_bytes.unwrap() > 0);
    drop(store);
    options.reserve_bytes = health.total_bytes.unwrap();
    assert!(
        Sled::open(options.clone())
            .unwrap()
            .health()
            .await
            .nearly_full
    );
    (options.reserve_bytes, options.reserve_percent) = (0, 100);
    assert!(Sled::open(options).unwrap().health().await.nearly_full);
}

#[tokio::test]
async fn a_failed_sync_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = test_options(dir.path());
    let (fails, ended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    options.disk.sync = {
        let fails = Arc::clone(&fails);
        Arc::new(move |file| {
            if fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("the cable is out"));
            }
            file.sync_data()
        })
    };
    options.disk.on_sync_error = {
        let ended = Arc::clone(&ended);
        Arc::new(move || {
            ended.fetch_add(1, Ordering::SeqCst);
        })
    };
    let store = Sled::open(options).unwrap();
    done(&store, batch([("a", Some(&b"1"[..]))])).await;
    // The keeper made its file before this answers.
    store.checkpoint().await.unwrap();
    fails.store(true, Ordering::SeqCst);
    let error = store
        .commit(batch([("a", Some(&b"2"[..]))]))
        .await
        .unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    assert_eq!(ended.load(Ordering::SeqCst), 1, "the process would be gone");
    // Once more would call it a success.
    fails.store(false, Ordering::SeqCst);
    let error = store
        .commit(batch([("a", Some(&b"3"[..]))]))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Poisoned(_)), "{error}");
    assert!(store.health().await.poisoned.is_some());
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().revision, 1);
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_answered_when_the_winner_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = test_options(dir.path());
    let syncs = Arc::new(AtomicU32::new(0));
    options.disk.sync = {
        let syncs = Arc::clone(&syncs);
        Arc::new(move |file| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            syncs.fetch_add(1, Ordering::SeqCst);
            file.sync_data()
        })
    };
    let store = Sled::open(options).unwrap();
    let attempt = |value: &'static [u8]| {
        let mut batch = batch([("a", Some(value))]);
        batch.preconditions.push(Precondition::Absent(key("a")));
        store.commit(batch)
    };
    // The first occupies the committer; the others wait and form one group.
    let (_, one, two) = tokio::join!(store.commit(batch([])), attempt(b"1"), attempt(b"2"));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert!(
        matches!(&outcomes, [Commit::Done(_), Commit::Conflict(_)]),
        "{outcomes:?}"
    );
    assert_eq!(&*store.get(&key("a")).await.unwrap().unwrap().value, b"1");
}

#[test]
fn closing_needs_no_runtime_thread() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Sled::open(test_options(dir.path())).unwrap();
        let commits = (0..600_u32).map(|n| {
            let name = n.to_string();
            store.commit(batch([(&*name, Some(&b"1"[..]))]))
        });
        let commits = futures_join(commits.collect());
        let (answers, closed) = tokio::join!(commits, store.close());
        closed.unwrap();
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Ok(_) | Err(Error::Closed)))
        );
        drop(store);
        let store = Sled::open(test_options(dir.path())).unwrap();
        assert_eq!(all(&store).await.len(), done);
    });
}

/// All answers, polling all commits together.
async fn futures_join<T>(mut work: Vec<crate::Answer<'_, T>>) -> Vec<T> {
    let mut answers: Vec<_> = work.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (work, answer) in work.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = work.as_mut().poll(context)
            {
                *answer = Some(done);
            }
        }
        if answers.iter().any(Option::is_none) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(answers.drain(..).flatten().collect())
    })
    .await
}

#[tokio::test]
async fn a_start_after_a_snapshot_needs_only_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        checkpoint_bytes: u64::MAX,
        snapshot_bytes: u64::MAX,
        ..test_options(dir.path())
    };
    let store = Sled::open(options.clone()).unwrap();
    work(&store, 0..600).await;
    store.snapshot().await.unwrap();
    work(&store, 600..610).await;
    let expected = all(&store).await;
    drop(store);
    assert!(all(&Sled::open(options).unwrap()).await == expected);
}

#[tokio::test]
async fn a_long_value_leaves_no_pieces_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    let entries = async || {
        store.checkpoint().await.unwrap();
        let view = store.shared.view();
        view.as_ref().map(|view| view.base.db().len()).unwrap()
    };
    // One in a block, one in a run, which has no pieces.
    let long = vec![7; 100_000];
    done(
        &store,
        batch([("a", Some(&long[..])), ("b", Some(&long[..]))]),
    )
    .await;
    // Revision, layout and tally, a block and five pieces.
    assert_eq!(entries().await, 3 + 1 + 5);
    done(
        &store,
        batch([("a", Some(&long[..])), ("b", Some(&b"short"[..]))]),
    )
    .await;
    assert_eq!(entries().await, 3 + 1 + 5);
    done(&store, batch([("a", None)])).await;
    assert_eq!(entries().await, 3);
}

/// A checkpoint replaces cell and pieces of a long value one after the other:
/// whoever reads meanwhile finds it in memory and must not look at either.
#[tokio::test]
async fn reads_no_cell_that_a_checkpoint_is_replacing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        checkpoint_bytes: u64::MAX,
        ..test_options(dir.path())
    };
    let store = Sled::open(options).unwrap();
    for byte in [1, 2] {
        let long = vec![byte; 100_000];
        done(
            &store,
            batch([("a", Some(&long[..])), ("b", Some(&[byte][..]))]),
        )
        .await;
        if byte == 1 {
            store.checkpoint().await.unwrap();
        }
    }
    // The pieces of the one in a block.
    let ruin = |tree: &sled::Tree| {
        for piece in tree.range([2]..[3]).keys() {
            tree.remove(piece.unwrap()).unwrap();
        }
    };
    let view = |store: &Sled| {
        store
            .shared
            .view()
            .as_ref()
            .map(|view| ruin(view.base.db()))
    };
    view(&store).unwrap();
    let found = all(&store).await;
    assert_eq!(found.len(), 2);
    assert_eq!(&*found[0].1.value, vec![2; 100_000]);
    assert_eq!(
        store.get(&key("a")).await.unwrap().as_ref(),
        Some(&found[0].1)
    );
    assert_eq!(store.health().await.poisoned, None);
}

/// In memory a delete takes far more than in the journal: what asks for a
/// checkpoint and what waits for one must go by the same measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_writes_do_not_wait_for_a_checkpoint_that_nobody_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    let work = async {
        for round in 0..400_u32 {
            let names: Vec<String> = (0..50).map(|n| format!("gone/{round}/{n}")).collect();
            done(&store, batch(names.iter().map(|name| (&**name, None)))).await;
        }
    };
    let most = std::time::Duration::from_secs(60);
    tokio::time::timeout(most, work).await.expect("it hangs");
    store.checkpoint().await.unwrap();
    assert!(store.health().await.journal_bytes > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upkeep_that_panics_ends_the_store_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = test_options(dir.path());
    let panics = Arc::new(AtomicBool::new(false));
    options.disk.sync = {
        let panics = Arc::clone(&panics);
        Arc::new(move |file| {
            assert!(
                !panics.swap(false, Ordering::SeqCst),
                "as sled does now and then"
            );
            file.sync_data()
        })
    };
    let store = Sled::open(options).unwrap();
    done(&store, batch([("a", Some(&b"1"[..]))])).await;
    panics.store(true, Ordering::SeqCst);
    assert!(store.checkpoint().await.is_err());
    // Whoever asked sees it a moment before it is noted.
    let noted = async {
        while store.health().await.poisoned.is_none() {
            tokio::task::yield_now().await;
        }
    };
    let most = std::time::Duration::from_secs(30);
    tokio::time::timeout(most, noted)
        .await
        .expect("it is not noted");
    let error = store.commit(batch([("a", None)])).await.unwrap_err();
    assert!(matches!(error, Error::Poisoned(_)), "{error}");
    drop(store);
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert_eq!(&*store.get(&key("a")).await.unwrap().unwrap().value, b"1");
}
