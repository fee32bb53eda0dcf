//! The embedded store after damage: what is mended by a start, what is cut off,
//! and what refuses to start because going on would drop acknowledged work.

use std::fs;
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, keys};

use super::base::LAYOUT;
use super::run;
use super::tests::{all, names, test_options, work};
use super::{Sled, journal::segment};
use crate::conformance::{batch, done, key};
use crate::{Error, Store};

fn segments(dir: &Path) -> Vec<PathBuf> {
    let journal = dir.join("journal");
    let mut names = names(&journal);
    // Not the file that was made ahead.
    names.retain(|name| name.ends_with(".journal"));
    names.iter().map(|name| journal.join(name)).collect()
}

/// The length of the empty group behind the last one.
const SEAL: usize = super::journal::frame::HEADER;

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

/// Ruins sled's directory in some way; it has to come back equal, with the old
/// one kept.
async fn check_rebuilt(ruin: impl Fn(&Path), kept: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    work(&store, 0..120).await;
    store.snapshot().await.unwrap();
    work(&store, 120..180).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    for round in 1..3 {
        ruin(&dir.path().join("sled"));
        let store = Sled::open(test_options(dir.path())).unwrap();
        assert!(all(&store).await == expected);
        // Numbered through, and only the last one is kept.
        let aside = names(dir.path());
        let aside = aside
            .iter()
            .filter(|name| name.starts_with("sled.damaged-"));
        let expected = (kept * round > 0).then(|| format!("sled.damaged-{}", kept * round));
        assert!(aside.eq(&expected), "round {round}");
        assert!(!dir.path().join("sled.new").exists());
    }
    let store = Sled::open(test_options(dir.path())).unwrap();
    done(&store, batch([("more", Some(&b"1"[..]))])).await;
}

#[tokio::test]
async fn rebuilds_a_state_that_does_not_open() {
    check_rebuilt(|sled| fs::remove_dir_all(sled).unwrap(), 0).await;
    check_rebuilt(
        |sled| fs::write(sled.join("conf"), "this is no settings file").unwrap(),
        1,
    )
    .await;
    check_rebuilt(
        |sled| fs::File::create(sled.join("db")).map(drop).unwrap(),
        1,
    )
    .await;
    let garble = |sled: &Path| {
        let path = sled.join("db");
        let mut bytes = fs::read(&path).unwrap();
        bytes
            .iter_mut()
            .skip(3)
            .step_by(61)
            .for_each(|byte| *byte ^= 0x77);
        fs::write(path, bytes).unwrap();
        for name in names(sled).iter().filter(|name| name.starts_with("snap.")) {
            fs::remove_file(sled.join(name)).unwrap();
        }
    };
    check_rebuilt(garble, 1).await;
    let mark = |sled: &Path| fs::write(sled.with_file_name("rebuild"), "").unwrap();
    check_rebuilt(mark, 1).await;
}

#[tokio::test]
async fn cuts_off_a_torn_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    done(&store, batch([("a", Some(&b"1"[..]))])).await;
    drop(store);
    let path = segments(dir.path()).pop().unwrap();
    let whole = segment::read(&path).unwrap().whole;
    let store = Sled::open(test_options(dir.path())).unwrap();
    done(
        &store,
        batch([("a", Some(&b"2"[..])), ("b", Some(&b"2"[..]))]),
    )
    .await;
    drop(store);
    // The state knows the second commit by now; make it one that does not.
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    fs::write(dir.path().join("checkpoint"), "1").unwrap();
    let second = segments(dir.path())
        .into_iter()
        .find(|found| *found != path)
        .unwrap();
    let sealed = segment::read(&second).unwrap().whole;
    let frame = &sealed[..sealed.len() - SEAL];
    for cut in segment::HEADER..frame.len() {
        // What a cut wrote, with the zeros behind that were there before.
        let mut torn = frame[..cut].to_vec();
        torn.resize(64 * 1024, 0);
        fs::write(&path, &whole).unwrap();
        fs::write(&second, &torn).unwrap();
        let read = segment::read(&second).unwrap();
        let padding = frame[cut..].iter().all(|byte| *byte == 0);
        assert_eq!(read.end(), if padding { 3 } else { 2 }, "cut at {cut}");
    }
    let mut torn = frame[..frame.len() - 9].to_vec();
    torn.resize(64 * 1024, 0);
    fs::write(&second, &torn).unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert_eq!(store.health().await.revision, 1);
    assert_eq!(store.get(&key("b")).await.unwrap(), None);
    assert_eq!(done(&store, batch([("c", Some(&b"3"[..]))])).await, 2);
    drop(store);
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert_eq!(all(&store).await.len(), 2);
}

/// Damages a directory that was stopped without a checkpoint; it must not open.
async fn check_refused(damage: impl Fn(&Path), words: &str) {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let store = Sled::open(test_options(dir.path())).unwrap();
        work(&store, round * 10 + 1..round * 10 + 11).await;
        store.checkpoint().await.unwrap();
    }
    let before = names(dir.path());
    damage(dir.path());
    let error = Sled::open(test_options(dir.path())).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(
        !names(dir.path())
            .iter()
            .any(|name| name.contains("damaged"))
    );
    // A state of another boot is to be rebuilt, whatever else is found.
    let after = names(dir.path());
    assert!(
        after
            .iter()
            .all(|name| before.contains(name) || name == "rebuild")
    );
    let aside = names(&dir.path().join("journal"));
    assert!(!aside.iter().any(|name| name.contains("damaged")));
}

#[tokio::test]
async fn refuses_to_drop_acknowledged_work() {
    let last = |dir: &Path| segments(dir).pop().unwrap();
    // No state that could be believed holds what is damaged.
    let middle = |dir: &Path| {
        flip(&last(dir), segment::HEADER + 40);
        fs::write(dir.join("running"), "another boot").unwrap();
    };
    check_refused(middle, "going on would drop acknowledged work").await;
    check_refused(
        middle,
        "(at stake: commits 21 to 21; the newest whole snapshot holds those up to 0,",
    )
    .await;
    // The last group has its seal, so it cannot have been torn, whether the state
    // and the checkpoint know of it or not.
    let end = |dir: &Path| {
        let bytes = segment::read(&last(dir)).unwrap().whole.len();
        flip(&last(dir), bytes - SEAL - 20);
        fs::write(dir.join("running"), "another boot").unwrap();
    };
    check_refused(end, "what was written after it").await;
    let without_witness = |dir: &Path| {
        end(dir);
        fs::remove_dir_all(dir.join("sled")).unwrap();
        fs::create_dir(dir.join("sled")).unwrap();
        fs::write(dir.join("checkpoint"), "0").unwrap();
    };
    check_refused(without_witness, "what was written after it").await;
    // Without the seal there is the checkpoint.
    let unsealed = |dir: &Path| {
        let bytes = segment::read(&last(dir)).unwrap().whole.len();
        flip(&last(dir), bytes - SEAL - 20);
        flip(&last(dir), bytes - SEAL);
        fs::write(dir.join("running"), "another boot").unwrap();
    };
    check_refused(unsealed, "was acknowledged").await;
    check_refused(|dir| flip(&last(dir), 9), "its first bytes").await;
    let without_state = |dir: &Path| {
        fs::remove_dir_all(dir.join("sled")).unwrap();
        fs::write(dir.join("sled"), "").unwrap();
        fs::remove_file(dir.join("sled")).unwrap();
        fs::create_dir(dir.join("sled")).unwrap();
        fs::remove_file(&segments(dir)[0]).unwrap();
        fs::write(dir.join("checkpoint"), "0").unwrap();
    };
    check_refused(without_state, "is missing").await;
    let no_journal = |dir: &Path| {
        fs::write(dir.join("checkpoint"), "20").unwrap();
        segments(dir)
            .iter()
            .for_each(|path| fs::remove_file(path).unwrap());
    };
    check_refused(no_journal, "its segments are missing").await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_only_missed_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    work(&store, 0..50).await;
    store.snapshot().await.unwrap();
    work(&store, 50..60).await;
    store.close().await.unwrap();
    drop(store);
    let snapshots = dir.path().join("snapshots");
    let path = snapshots.join(&names(&snapshots)[0]);
    let middle = fs::read(&path).unwrap().len() / 2;
    flip(&path, middle);
    drop(Sled::open(test_options(dir.path())).unwrap());
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let error = Sled::open(test_options(dir.path())).unwrap_err();
    let words = error.to_string();
    let parts = ["its sum does not fit", "a portion of it cannot be read"];
    assert!(parts.iter().any(|part| words.contains(part)), "{words}");
    flip(&path, middle);
    Sled::open(test_options(dir.path())).unwrap();
}

/// What is found out while running poisons, and the next start mends it.
async fn check_found_damaged(ruined: &str, ruin: impl Fn(&Sled), fine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    let both = [(ruined, Some(&b"1"[..])), (fine, Some(&b"1"[..]))];
    done(&store, batch(both)).await;
    store.checkpoint().await.unwrap();
    ruin(&store);
    let error = store.get(&key(ruined)).await.unwrap_err();
    assert!(matches!(error, Error::Rotten(_)), "{error}");
    assert!(
        store.get(&key(fine)).await.unwrap().is_some(),
        "reads go on"
    );
    let error = store
        .commit(batch([(fine, Some(&b"2"[..]))]))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Poisoned(_)), "{error}");
    drop(store);
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert_eq!(
        &*store.get(&key(ruined)).await.unwrap().unwrap().value,
        b"1"
    );
    assert!(!dir.path().join("rebuild").exists());
    assert_eq!(done(&store, batch([(fine, Some(&b"2"[..]))])).await, 2);
}

#[tokio::test]
async fn a_state_found_damaged_is_rebuilt_by_the_next_start() {
    let run = |store: &Sled| flip(&run::path(&store.shared.dir.join("sled"), 1), 10);
    check_found_damaged("b", run, "a").await;
    let block = |store: &Sled| {
        let view = store.shared.view();
        let tree = view.as_ref().unwrap().base.db();
        assert!(tree.insert(b"\x03a", b"?").unwrap().is_some());
    };
    check_found_damaged("a", block, "b").await;
}

/// Nothing is wrong with a state of another layout: it is built anew, and nothing
/// is kept of it.
#[tokio::test]
async fn a_state_in_another_layout_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    work(&store, 0..120).await;
    store.snapshot().await.unwrap();
    work(&store, 120..180).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    for layout in [None, Some(&[0, 0, 0, 1])] {
        let sled = sled::open(dir.path().join("sled")).unwrap();
        match layout {
            None => drop(sled.remove([0, 1]).unwrap().unwrap()),
            Some(layout) => drop(sled.insert([0, 1], layout).unwrap().unwrap()),
        }
        // What would be seen if it were believed.
        sled.insert(b"\x03tzeta", &[0; 12]).unwrap();
        drop(sled);
        let store = Sled::open(test_options(dir.path())).unwrap();
        assert!(all(&store).await == expected);
        store.close().await.unwrap();
        drop(store);
        let names = names(dir.path());
        assert!(
            !names.iter().any(|name| name.starts_with("sled.")),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn rebuilds_from_a_snapshot_with_nothing_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    work(&store, 0..60).await;
    store.snapshot().await.unwrap();
    let expected = all(&store).await;
    drop(store);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    assert!(all(&store).await == expected);
    assert_eq!(done(&store, batch([("a", Some(&b"1"[..]))])).await, 61);
}

/// A state that is laid out by another list must not be believed.
#[test]
fn another_list_of_tables_is_another_layout() {
    let in_blocks = (0..=u8::MAX).filter(|table| keys::is_in_order_of_time(&Key::new([*table])));
    let in_blocks: Vec<u8> = in_blocks.collect();
    let layout = (LAYOUT, &*in_blocks);
    assert_eq!(layout, (3, &b"aceijmoqrtu"[..]), "change LAYOUT with it");
}
