//! What every store must do, run over each of them. A new store joins by adding
//! a fixture and one line of `suite!`.

mod model;

use std::sync::Arc;

use ringback_core::model::{Batch, Key, Precondition, Revision, Versioned};

use crate::embedded::test_options;
use crate::{
    Commit, Direction, Error, MAX_BATCH, MAX_KEY, MAX_VALUE, Memory, Outcome, Sled, Store,
    commit_with,
};

/// A store and the directory it lives in, if it does.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    _dir: Option<tempfile::TempDir>,
}

fn memory() -> Fixture {
    Fixture {
        store: Arc::new(Memory::new()),
        _dir: None,
    }
}

fn sled() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(dir.path())).unwrap();
    Fixture {
        store: Arc::new(store),
        _dir: Some(dir),
    }
}

macro_rules! suite {
    ($fixture:ident: $($check:ident)*) => {
        mod $fixture {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let fixture = super::$fixture();
                super::$check(Arc::clone(&fixture.store)).await;
            })*
            use std::sync::Arc;
        }
    };
    ($($fixture:ident)*) => {
        $(suite!($fixture:
            commits_and_reads names_the_first_conflict scans_pages keeps_to_the_limits
            keeps_long_values commits_nothing_too loses_no_update is_closed_after_close
            permits_what_is_durable
        );)*
    };
}

suite!(memory sled);

pub(crate) fn key(text: &str) -> Key {
    Key::new(text.as_bytes())
}

pub(crate) fn batch<'a>(writes: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Batch {
    let write = |(name, value): (&str, Option<&[u8]>)| (key(name), value.map(Arc::from));
    Batch {
        preconditions: Vec::new(),
        writes: writes.into_iter().map(write).collect(),
    }
}

pub(crate) async fn done(store: &dyn Store, batch: Batch) -> Revision {
    match store.commit(batch).await {
        Ok(Commit::Done(proof)) => proof.revision(),
        other => panic!("expected a commit, got {other:?}"),
    }
}

fn versioned(revision: Revision, value: &[u8]) -> Option<Versioned> {
    Some(Versioned {
        revision,
        value: value.into(),
    })
}

async fn commits_and_reads(store: Arc<dyn Store>) {
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    let writes = [("a", Some(&b"1"[..])), ("b", Some(&b""[..]))];
    assert_eq!(done(&*store, batch(writes)).await, 1);
    let writes = [("a", None), ("c", Some(&b"3"[..])), ("never", None)];
    assert_eq!(done(&*store, batch(writes)).await, 2);
    let keys = [key("c"), key("a"), key("b"), key("c")];
    let expected = vec![
        versioned(2, b"3"),
        None,
        versioned(1, b""),
        versioned(2, b"3"),
    ];
    assert_eq!(store.get_many(&keys).await.unwrap(), expected);
    assert_eq!(store.get(&key("c")).await.unwrap(), versioned(2, b"3"));
    let health = store.health().await;
    assert_eq!((health.revision, health.poisoned), (2, None));
    store.checkpoint().await.unwrap();
    assert_eq!(store.health().await.checkpointed, 2);
}

pub(crate) async fn names_the_first_conflict(store: Arc<dyn Store>) {
    done(&*store, batch([("a", Some(&b"1"[..]))])).await;
    let check = async |preconditions: Vec<Precondition>, lost: Option<Precondition>| {
        let before = store.get(&key("b")).await.unwrap();
        let mut batch = batch([("b", Some(&b"2"[..]))]);
        batch.preconditions = preconditions;
        match (store.commit(batch).await.unwrap(), lost) {
            (Commit::Done(_), None) => {}
            (Commit::Conflict(found), Some(lost)) => {
                assert_eq!(found, lost);
                assert_eq!(store.get(&key("b")).await.unwrap(), before);
            }
            (found, lost) => panic!("expected {lost:?}, found {found:?}"),
        }
    };
    let absent = |name| Precondition::Absent(key(name));
    let at = |name, revision| Precondition::At(key(name), revision);
    check(vec![absent("a")], Some(absent("a"))).await;
    check(vec![at("a", 1), at("a", 2), absent("a")], Some(at("a", 2))).await;
    check(vec![at("b", 1)], Some(at("b", 1))).await;
    check(vec![at("b", 0)], Some(at("b", 0))).await;
    assert_eq!(store.health().await.revision, 1, "a conflict is no commit");
    check(vec![at("a", 1), absent("b"), absent("z")], None).await;
    check(vec![absent("b")], Some(absent("b"))).await;
    check(vec![at("b", 2)], None).await;
}

async fn scans_pages(store: Arc<dyn Store>) {
    let names = ["a", "aa", "b", "b\0", "ba", "c", "\u{ff}"];
    done(
        &*store,
        batch(names.map(|name| (name, Some(name.as_bytes())))),
    )
    .await;
    let check = async |from: &str, to: &str, limit, direction, expected: &[&str]| {
        let (from, to) = (key(from), key(to));
        let page = store.scan(&from, &to, limit, direction).await.unwrap();
        let found: Vec<_> = page.iter().map(|(key, _)| key.clone()).collect();
        let expected: Vec<_> = expected.iter().map(|name| key(name)).collect();
        assert_eq!(found, expected, "{from:?}..{to:?} {limit} {direction:?}");
        for (key, value) in page {
            assert_eq!((key.as_bytes(), value.revision), (&*value.value, 1));
        }
    };
    let (forward, backward) = (Direction::Forward, Direction::Backward);
    check(
        "",
        "\u{fff}",
        99,
        forward,
        &["a", "aa", "b", "b\0", "ba", "c", "\u{ff}"],
    )
    .await;
    check(
        "",
        "\u{fff}",
        99,
        backward,
        &["\u{ff}", "c", "ba", "b\0", "b", "aa", "a"],
    )
    .await;
    check("a", "b", 99, forward, &["a", "aa"]).await;
    check("aa", "b\0", 99, backward, &["b", "aa"]).await;
    check("", "c", 2, forward, &["a", "aa"]).await;
    check("", "c", 2, backward, &["ba", "b\0"]).await;
    check("b", "b", 99, forward, &[]).await;
    check("c", "a", 99, forward, &[]).await;
    check("c", "a", 99, backward, &[]).await;
    check("a", "c", 0, forward, &[]).await;
    check("x", "y", 99, backward, &[]).await;
}

async fn keeps_to_the_limits(store: Arc<dyn Store>) {
    let refused = async |batch: Batch| {
        let answer = store.commit(batch).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    };
    refused(batch([("", Some(&b"1"[..]))])).await;
    let long = "k".repeat(MAX_KEY + 1);
    refused(batch([(&*long, None)])).await;
    let mut asks = batch([]);
    asks.preconditions.push(Precondition::Absent(key(&long)));
    refused(asks).await;
    refused(batch([("a", Some(&*vec![0; MAX_VALUE + 1]))])).await;
    let names: Vec<_> = (0..=MAX_BATCH / MAX_VALUE).map(|n| n.to_string()).collect();
    let value = vec![0; MAX_VALUE];
    refused(batch(names.iter().map(|name| (&**name, Some(&*value))))).await;
    assert_eq!(store.health().await.revision, 0);
    done(&*store, batch([(&long[1..], Some(&*value))])).await;
    assert_eq!(
        store.get(&key(&long[1..])).await.unwrap(),
        versioned(1, &value)
    );
}

async fn keeps_long_values(store: Arc<dyn Store>) {
    // Around every place where a store may cut: powers of two, and not.
    let lengths = [
        0,
        1,
        24 * 1024,
        32 * 1024,
        32 * 1024 + 1,
        48 * 1024,
        200_000,
        MAX_VALUE,
    ];
    let value = |length: usize, seed: usize| -> Vec<u8> {
        (0..length)
            .map(|n| ((n * 31 + n / 251 + seed) % 251) as u8)
            .collect()
    };
    for (seed, length) in lengths
        .into_iter()
        .chain(lengths.into_iter().rev())
        .enumerate()
    {
        let (one, two) = (value(length, seed), value(length, seed + 1));
        let writes = [
            ("one", Some(&*one)),
            ("two", Some(&*two)),
            ("small", Some(&b"s"[..])),
        ];
        let revision = done(&*store, batch(writes)).await;
        let page = store
            .scan(&key("a"), &key("z"), 9, Direction::Forward)
            .await
            .unwrap();
        let found: Vec<_> = page.iter().map(|(_, value)| Some(value.clone())).collect();
        let expected = [
            versioned(revision, &one),
            versioned(revision, b"s"),
            versioned(revision, &two),
        ];
        assert!(found == expected, "length {length}");
    }
    done(&*store, batch([("one", Some(&*value(100_000, 1)))])).await;
    done(&*store, batch([("one", None), ("two", None)])).await;
    assert_eq!(
        store.get_many(&[key("one"), key("two")]).await.unwrap(),
        [None, None]
    );
}

async fn commits_nothing_too(store: Arc<dyn Store>) {
    assert_eq!(done(&*store, Batch::default()).await, 1);
    let mut asks = Batch::default();
    asks.preconditions.push(Precondition::At(key("a"), 1));
    assert!(matches!(store.commit(asks).await, Ok(Commit::Conflict(_))));
    assert_eq!(store.health().await.revision, 1);
}

async fn loses_no_update(store: Arc<dyn Store>) {
    const TASKS: u64 = 8;
    const EACH: u64 = 20;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut conflicts = 0;
            let mut left = EACH;
            while left > 0 {
                let old = store.get(&key("counter")).await.unwrap();
                let count = old.as_ref().map_or(0, |old| {
                    u64::from_be_bytes((*old.value).try_into().unwrap())
                });
                let mut batch = batch([("counter", Some(&(count + 1).to_be_bytes()[..]))]);
                batch.preconditions.push(match &old {
                    Some(old) => Precondition::At(key("counter"), old.revision),
                    None => Precondition::Absent(key("counter")),
                });
                match store.commit(batch).await.unwrap() {
                    Commit::Done(_) => left -= 1,
                    Commit::Conflict(_) => {
                        conflicts += 1;
                        let seen = store.get(&key("counter")).await.unwrap();
                        assert_ne!(seen, old, "what it lost to must be visible");
                    }
                }
            }
            conflicts
        });
    }
    let conflicts: u64 = tasks.join_all().await.into_iter().sum();
    let end = store.get(&key("counter")).await.unwrap();
    let count = TASKS * EACH;
    assert_eq!(
        end,
        versioned(count, &count.to_be_bytes()),
        "{conflicts} conflicts"
    );
}

async fn is_closed_after_close(store: Arc<dyn Store>) {
    done(&*store, batch([("a", Some(&b"1"[..]))])).await;
    let (one, two) = tokio::join!(store.close(), store.close());
    one.unwrap();
    two.unwrap();
    let (a, z) = (key("a"), key("z"));
    let closed =
        |answer: Option<Error>| assert!(matches!(answer, Some(Error::Closed)), "{answer:?}");
    closed(store.commit(Batch::default()).await.err());
    closed(store.get(&a).await.err());
    closed(store.get_many(std::slice::from_ref(&a)).await.err());
    closed(store.scan(&a, &z, 1, Direction::Forward).await.err());
    closed(store.checkpoint().await.err());
    store.close().await.unwrap();
}

async fn permits_what_is_durable(store: Arc<dyn Store>) {
    let first = batch([("a", Some(&b"1"[..]))]);
    let Ok(Outcome::Done(permits)) = commit_with(&*store, first.clone(), vec!["x", "y"]).await
    else {
        panic!("no conflict can be");
    };
    let revisions: Vec<_> = permits.iter().map(|permit| permit.revision()).collect();
    let commands: Vec<_> = permits
        .into_iter()
        .map(|permit| permit.into_command())
        .collect();
    assert_eq!((revisions, commands), (vec![1, 1], vec!["x", "y"]));
    let mut again = first;
    again.preconditions.push(Precondition::Absent(key("a")));
    let lost = commit_with(&*store, again, vec!["x"]).await.unwrap();
    assert!(matches!(lost, Outcome::Conflict(Precondition::Absent(_))));
}
