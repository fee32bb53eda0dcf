//! Stores that go through an archive or are compacted: equal in every pair and
//! revision, whatever was going on meanwhile; and archives that are none.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringback_core::model::{Key, Precondition, Versioned};

use super::archive::{self, Summary};
use super::tests::{all, names, test_options, work};
use super::{Options, Sled};
use crate::conformance::{batch, done, key};
use crate::{Commit, Error, Memory, Store};

/// What `work` leaves after so many commits.
async fn model(commits: u64) -> Vec<(Key, Versioned)> {
    let memory = Memory::new();
    work(&memory, 0..u32::try_from(commits).unwrap()).await;
    all(&memory).await
}

/// Imports in a thread where blocking is allowed, and opens what came of it.
async fn imported(bytes: Vec<u8>, dir: &Path) -> (Summary, Sled) {
    let options = test_options(dir);
    blocking(move || {
        let summary = archive::import(&*bytes, Path::new("a.ringback"), options.clone()).unwrap();
        (summary, Sled::open(options).unwrap())
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn export(store: &Arc<Sled>) -> (Summary, Vec<u8>) {
    let store = Arc::clone(store);
    blocking(move || {
        let mut bytes = Vec::new();
        (archive::export(&store, &mut bytes).unwrap(), bytes)
    })
    .await
}

#[tokio::test]
async fn an_imported_store_is_equal_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    for commits in [0, 1, 200_u64] {
        let from = dir.path().join(format!("from-{commits}"));
        let store = Arc::new(Sled::open(test_options(&from)).unwrap());
        work(&*store, 0..u32::try_from(commits).unwrap()).await;
        let (told, bytes) = export(&store).await;
        assert_eq!((told.revision, told.groups), (commits, 0));
        assert_eq!(told.bytes, bytes.len() as u64);
        let seen = archive::verify(&*bytes, Path::new("a.ringback")).unwrap();
        assert_eq!(seen, told);
        let to = dir.path().join(format!("to-{commits}"));
        let (summary, copy) = imported(bytes, &to).await;
        assert_eq!(summary, told);
        let pairs = all(&*store).await;
        assert!(all(&copy).await == pairs, "{commits}");
        assert_eq!(pairs.len() as u64, told.pairs);
        assert_eq!(copy.health().await.revision, commits);
        assert!(
            !names(dir.path())
                .iter()
                .any(|name| name.contains("importing"))
        );
        // Revisions are those of the original, for preconditions too.
        let mut next = batch([("own/000000", Some(&b"1"[..]))]);
        if let Some((name, last)) = pairs.last() {
            let guard = Precondition::At(name.clone(), last.revision);
            next.preconditions.push(guard);
        }
        assert_eq!(done(&copy, next).await, commits + 1);
        // And it stands on its own feet: sled can be rebuilt from what is there.
        let expected = all(&copy).await;
        drop(copy);
        fs::remove_dir_all(to.join("sled")).unwrap();
        assert!(all(&Sled::open(test_options(&to)).unwrap()).await == expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_under_load_is_exact_at_its_last_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sled::open(test_options(&dir.path().join("from"))).unwrap());
    work(&*store, 0..300).await;
    let enough = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, enough) = (Arc::clone(&store), Arc::clone(&enough));
        tokio::spawn(async move {
            let mut next = 300;
            while !enough.load(Ordering::SeqCst) {
                work(&*store, next..next + 20).await;
                next += 20;
            }
        })
    };
    let mut groups = 0;
    for round in 0..100 {
        let (told, bytes) = export(&store).await;
        // What the archive needs is not pruned under it, and is afterwards.
        store.snapshot().await.unwrap();
        let (summary, copy) = imported(bytes, &dir.path().join(format!("{round}"))).await;
        assert_eq!(summary, told);
        let found = all(&copy).await;
        assert!(found == model(told.revision).await, "{told:?}");
        groups += told.groups;
        // On a busy machine none may come while the first ones are written.
        if round >= 3 && groups > 0 {
            break;
        }
    }
    enough.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    assert!(groups > 0, "no commit came between: not the case to test");
}

#[tokio::test]
async fn says_why_an_archive_cannot_be_imported() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sled::open(test_options(&dir.path().join("from"))).unwrap());
    work(&*store, 0..60).await;
    let (_, whole) = export(&store).await;
    let to = dir.path().join("to");
    let check = async |bytes: Vec<u8>, words: &str| {
        let options = test_options(&to);
        let (input, path) = (bytes.clone(), Path::new("a.ringback"));
        let answer = blocking(move || archive::import(&*input, path, options)).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("a.ringback cannot be imported: {words}")
        );
        assert!(!to.exists(), "nothing may be taken for a store");
        let error = archive::verify(&*bytes, path).unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
    };
    let again = "export it again, or fetch it again from where it was copied";
    for cut in [8, 9, 30, 500, whole.len() - 24, whole.len() - 1] {
        let words = format!("it ends too early; {again}");
        check(whole[..cut].to_vec(), &words).await;
    }
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        bytes
    };
    let sum = format!("its sum does not fit its content; {again}");
    for at in [whole.len() - 1, whole.len() - 5] {
        check(changed(at), &sum).await;
    }
    // The length of what a portion is when it is not compressed.
    check(
        changed(31),
        &format!("a portion of it cannot be read; {again}"),
    )
    .await;
    check(Vec::new(), "it is not an export of ringback").await;
    check(
        b"PK\x03\x04 something else".to_vec(),
        "it is not an export of ringback",
    )
    .await;
    let mut newer = whole.clone();
    newer[6] = b'3';
    let words = "a newer ringback wrote it; import it with that one or a later one";
    check(newer, words).await;
    let words = "it is a snapshot out of a store's folder, which is whole only together with the \
                 journal beside it; copy the whole folder, or export the store";
    check(whole[8..].to_vec(), words).await;
    let mut longer = whole.clone();
    longer.push(0);
    check(longer, &format!("something stands behind its end; {again}")).await;
    // And after all these tries, the whole one.
    let (_, copy) = imported(whole, &to).await;
    assert!(all(&copy).await == all(&*store).await);
}

#[tokio::test]
async fn imports_into_an_empty_place_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sled::open(test_options(&dir.path().join("from"))).unwrap());
    work(&*store, 0..5).await;
    let (_, bytes) = export(&store).await;
    let to = dir.path().join("to");
    fs::create_dir(&to).unwrap();
    let (_, copy) = imported(bytes.clone(), &to).await;
    drop(copy);
    let options = test_options(&to);
    let answer = blocking(move || archive::import(&*bytes, Path::new("a"), options)).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        format!(
            "{} is not empty, and an import makes a new store; move what is there aside, or name \
             another folder",
            to.display()
        )
    );
    assert_eq!(all(&Sled::open(test_options(&to)).unwrap()).await.len(), 8);
}

#[tokio::test]
async fn exports_a_store_that_nobody_works_on() {
    let dir = tempfile::tempdir().unwrap();
    let (from, file) = (dir.path().join("from"), dir.path().join("a.ringback"));
    let store = Sled::open(test_options(&from)).unwrap();
    work(&store, 0..40).await;
    let options = test_options(&from);
    let to = file.clone();
    let (again, path) = (options.clone(), to.clone());
    let busy = blocking(move || archive::export_offline(again, &path)).await;
    assert!(matches!(busy, Err(Error::InUse { .. })), "{busy:?}");
    assert!(!file.exists());
    store.close().await.unwrap();
    drop(store);
    blocking(move || archive::export_offline(options, &to))
        .await
        .unwrap();
    let (_, copy) = imported(fs::read(&file).unwrap(), &dir.path().join("to")).await;
    assert!(all(&copy).await == model(40).await);
    assert_eq!(names(dir.path()), ["a.ringback", "from", "to"]);
}

#[tokio::test]
async fn compacting_changes_no_pair_and_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        boot: Some("one".into()),
        ..test_options(dir.path())
    };
    let store = Sled::open(options.clone()).unwrap();
    work(&store, 0..1500).await;
    let gone: Vec<_> = (0..1000).map(|n| format!("own/{n:06}")).collect();
    done(&store, batch(gone.iter().map(|name| (&**name, None)))).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    let again = options.clone();
    let told = blocking(move || archive::compact(again)).await.unwrap();
    assert_eq!(told.revision, 1501);
    assert!(told.after < told.before, "{told:?}");
    assert_eq!(
        names(dir.path()),
        [
            "checkpoint",
            "format",
            "journal",
            "lock",
            "sled",
            "snapshots"
        ]
    );
    // It counts as closed cleanly: another boot believes it.
    fs::create_dir(dir.path().join("sled.replaced")).unwrap();
    let other = Options {
        boot: Some("two".into()),
        ..options
    };
    let store = Sled::open(other).unwrap();
    assert!(all(&store).await == expected);
    let left = names(dir.path());
    assert!(
        !left.iter().any(|name| name.starts_with("sled.")),
        "{left:?}"
    );
    let mut next = batch([("own/000000", Some(&b"1"[..]))]);
    let (name, last) = expected.last().unwrap();
    next.preconditions
        .push(Precondition::At(name.clone(), last.revision));
    assert!(matches!(store.commit(next).await, Ok(Commit::Done(_))));
    drop(store);
    // And the snapshot it was built from serves a rebuild.
    let expected = {
        let store = Sled::open(test_options(dir.path())).unwrap();
        assert_eq!(
            store
                .get(&key("own/000000"))
                .await
                .unwrap()
                .unwrap()
                .revision,
            1502
        );
        all(&store).await
    };
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(all(&Sled::open(test_options(dir.path())).unwrap()).await == expected);
}

#[tokio::test]
async fn an_empty_store_can_be_snapshotted_and_compacted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    store.snapshot().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let options = test_options(dir.path());
    blocking(move || archive::compact(options)).await.unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert_eq!(done(&store, batch([("a", Some(&b"1"[..]))])).await, 1);
    assert!(store.get(&key("a")).await.unwrap().is_some());
}
