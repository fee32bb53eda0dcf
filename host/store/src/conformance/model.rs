//! Random work, compared with the model after every step. The embedded store
//! is also closed, dropped, checkpointed, snapshotted and rebuilt in between.

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use ringback_core::model::{Batch, Key, Precondition, State};

use crate::embedded::test_options;
use crate::{Commit, Direction, Memory, Sled, Store};

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Guard>, Vec<(u8, Option<Value>)>),
    Scan(u8, u8, usize, bool),
    Upkeep(Upkeep),
}

/// What a precondition claims, by what the model says at that moment.
#[derive(Clone, Debug)]
enum Guard {
    True(u8),
    Absent(u8),
    Old(u8),
}

#[derive(Clone, Debug)]
struct Value(u8, usize);

#[derive(Clone, Copy, Debug)]
enum Upkeep {
    Close,
    Drop,
    Checkpoint,
    Snapshot,
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..12_u8;
    let guard = prop_oneof![
        6 => name.clone().prop_map(Guard::True),
        1 => name.clone().prop_map(Guard::Absent),
        1 => name.clone().prop_map(Guard::Old),
    ];
    let length = prop_oneof![8 => 0..300_usize, 1 => 30_000..80_000_usize];
    let value = (any::<u8>(), length).prop_map(|(byte, length)| Value(byte, length));
    let writes = btree_map(name, option::weighted(0.8, value), 0..5);
    let upkeep = prop_oneof![
        Just(Upkeep::Close),
        Just(Upkeep::Drop),
        Just(Upkeep::Checkpoint),
        Just(Upkeep::Snapshot),
        Just(Upkeep::Rebuild),
    ];
    prop_oneof![
        12 => (vec(guard, 0..3), writes)
            .prop_map(|(guards, writes)| Step::Commit(guards, writes.into_iter().collect())),
        4 => (0..13_u8, 0..13_u8, 0..14_usize, any::<bool>())
            .prop_map(|(from, to, limit, back)| Step::Scan(from, to, limit, back)),
        1 => upkeep.prop_map(Step::Upkeep),
    ]
}

fn name(n: u8) -> Key {
    // Prefixes of one another, and bytes at both ends; in tables of either layout,
    // and several keys in each.
    let table = b'a' + n / 4;
    Key::new(match n % 4 {
        0 => vec![table],
        1 => vec![table, 0],
        2 => vec![table, 0, n],
        _ => vec![table, 255, 255],
    })
}

fn batch(state: &State, guards: &[Guard], writes: &[(u8, Option<Value>)]) -> Batch {
    let guard = |guard: &Guard| match guard {
        Guard::True(n) => match state.get(&name(*n)) {
            Some(found) => Precondition::At(name(*n), found.revision),
            None => Precondition::Absent(name(*n)),
        },
        Guard::Absent(n) => Precondition::Absent(name(*n)),
        Guard::Old(n) => {
            let revision = state.get(&name(*n)).map_or(1, |found| found.revision - 1);
            Precondition::At(name(*n), revision)
        }
    };
    let value = |value: &Value| Arc::from(vec![value.0; value.1]);
    Batch {
        preconditions: guards.iter().map(guard).collect(),
        writes: writes
            .iter()
            .map(|(n, v)| (name(*n), v.as_ref().map(value)))
            .collect(),
    }
}

async fn run<S: Store>(mut store: S, steps: Vec<Step>, upkeep: impl AsyncFn(S, Upkeep) -> S) {
    let mut state = State::default();
    for step in steps {
        match step {
            Step::Commit(guards, writes) => {
                let batch = batch(&state, &guards, &writes);
                let expected = state.commit(&batch);
                match (store.commit(batch).await.unwrap(), expected) {
                    (Commit::Done(proof), Ok(revision)) => assert_eq!(proof.revision(), revision),
                    (Commit::Conflict(found), Err(expected)) => assert_eq!(found, expected),
                    (found, expected) => panic!("expected {expected:?}, found {found:?}"),
                }
            }
            Step::Scan(from, to, limit, back) => {
                let (from, to) = (name(from), name(to));
                let direction = if back {
                    Direction::Backward
                } else {
                    Direction::Forward
                };
                let mut expected: Vec<_> = if from < to {
                    state
                        .range(&from, &to)
                        .map(|(k, v)| (k.clone(), v.clone()))
                        .collect()
                } else {
                    Vec::new()
                };
                if back {
                    expected.reverse();
                }
                expected.truncate(limit);
                assert_eq!(
                    store.scan(&from, &to, limit, direction).await.unwrap(),
                    expected
                );
            }
            Step::Upkeep(what) => store = upkeep(store, what).await,
        }
        let (low, high) = (Key::new([0]), Key::new([255; 9]));
        let all = store
            .scan(&low, &high, 99, Direction::Forward)
            .await
            .unwrap();
        let expected = state
            .range(&low, &high)
            .map(|(k, v)| (k.clone(), v.clone()));
        assert!(all.into_iter().eq(expected));
        assert_eq!(store.health().await.revision, state.revision());
    }
    store.close().await.unwrap();
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn memory_is_the_model(steps in vec(step(), 1..60)) {
        block_on(run(Memory::new(), steps, async |store, _| store));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::with_cases(16)
    })]
    #[test]
    fn sled_is_the_model(steps in vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let open = || Sled::open(test_options(dir.path())).unwrap();
        let upkeep = async |store: Sled, what| match what {
            Upkeep::Close => {
                store.close().await.unwrap();
                open()
            }
            Upkeep::Drop => {
                drop(store);
                open()
            }
            Upkeep::Checkpoint => {
                store.checkpoint().await.unwrap();
                store
            }
            Upkeep::Snapshot => {
                store.snapshot().await.unwrap();
                store
            }
            Upkeep::Rebuild => {
                drop(store);
                std::fs::remove_dir_all(dir.path().join("sled")).unwrap();
                open()
            }
        };
        block_on(run(open(), steps, upkeep));
    }
}
