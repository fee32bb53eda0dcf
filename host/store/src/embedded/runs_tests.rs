//! The list of runs, and their files, when something is wrong with them; and that
//! fences and filters find what is there.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use ringback_core::model::Key;

use super::{Found, LIST, Options, Runs, Set, decode, encode, hashed, run};
use crate::embedded::tally::Tally;
use crate::{Direction, Error};

fn runs(dir: &std::path::Path) -> Runs {
    let options = Options {
        block_bytes: 200,
        ..Options::new(dir)
    };
    Runs::new(dir, &options)
}

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Writes pairs as the newest run.
fn add(runs: &Runs, pairs: &Pairs) {
    let mut writer = runs.writer(0, pairs.len() as u64).unwrap();
    for (key, cell) in pairs {
        writer.add(key, cell, hashed(key)).unwrap();
    }
    let set = runs.set();
    let mut list: Vec<_> = writer.finish().unwrap().map(Arc::new).into_iter().collect();
    list.extend(set.runs.iter().cloned());
    let mut tally = set.tally;
    tally.add(b"a", 1);
    runs.switch(Set { runs: list, tally }).unwrap();
}

fn cell(found: &Found, key: &Key) -> Vec<u8> {
    found.cell(key).unwrap().to_vec()
}

fn check(runs: &Runs, model: &Pairs, asked: &[Vec<u8>]) {
    for key in model.keys().chain(asked) {
        let found = runs.get(key).unwrap();
        let found = found.map(|found| cell(&found, &Key::new(&**key)));
        assert_eq!(found.as_ref(), model.get(key), "{key:?}");
    }
    let mut bounds: Vec<_> = asked.to_vec();
    bounds.sort();
    let (low, high) = (bounds.first(), bounds.last());
    for (from, to) in [(None, None), (low, None), (low, high)] {
        let from = from.cloned().unwrap_or_default();
        let expected = model
            .iter()
            .filter(|(key, _)| **key >= from && to.is_none_or(|to| *key < to));
        let expected: Vec<_> = expected.map(|(a, b)| (a.clone(), b.clone())).collect();
        let (from, to) = (Key::new(from), to.map(|to| Key::new(&**to)));
        for direction in [Direction::Forward, Direction::Backward] {
            let pairs = runs
                .range(&from, to.as_ref(), direction)
                .map(Result::unwrap);
            let pairs = pairs.map(|(key, found)| (key.as_bytes().to_vec(), cell(&found, &key)));
            let mut pairs: Vec<_> = pairs.collect();
            if direction == Direction::Backward {
                pairs.reverse();
            }
            assert_eq!(pairs, expected);
        }
    }
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let key = vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 1..6);
    // An empty cell deletes.
    btree_map(key, vec(any::<u8>(), 0..40), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_newest_run_counts(
        all in vec(pairs(), 0..5),
        asked in vec(vec(any::<u8>(), 0..4), 0..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let written = runs(dir.path());
        written.begin().unwrap();
        let mut model = Pairs::new();
        for pairs in &all {
            add(&written, pairs);
            model.extend(pairs.clone());
        }
        model.retain(|_, cell| !cell.is_empty());
        check(&written, &model, &asked);
        let opened = runs(dir.path());
        opened.load().unwrap();
        check(&opened, &model, &asked);
    }
}

fn two_runs() -> (tempfile::TempDir, Pairs) {
    let dir = tempfile::tempdir().unwrap();
    let written = runs(dir.path());
    written.begin().unwrap();
    let pairs = |from: u8| (from..from + 50).map(|n| (vec![b'b', n], vec![n; 20]));
    let (one, two): (Pairs, Pairs) = (pairs(0).collect(), pairs(30).collect());
    add(&written, &one);
    add(&written, &two);
    (dir, one.into_iter().chain(two).collect())
}

#[test]
fn no_changed_list_is_believed() {
    let (dir, _) = two_runs();
    let path = dir.path().join(LIST);
    let whole = fs::read(&path).unwrap();
    let (tally, list) = decode(&whole).unwrap();
    let mut expected = Tally::default();
    (0..2).for_each(|_| expected.add(b"a", 1));
    assert_eq!((tally, list.len()), (expected, 2));
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = runs(dir.path()).load().unwrap_err();
        assert!(matches!(error, Error::Rotten(_)), "{error}");
    };
    for at in 0..whole.len() {
        refused(&whole[..at]);
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        refused(&bytes);
    }
    assert_eq!(encode(&Set::default()).len(), 32);
    fs::remove_file(&path).unwrap();
    let error = runs(dir.path()).load().unwrap_err().to_string();
    assert!(error.contains("runs is missing"), "{error}");
}

#[test]
fn a_run_that_is_missing_or_cut_short_is_noticed() {
    let (dir, _) = two_runs();
    let path = run::path(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = runs(dir.path()).load().unwrap_err();
    assert!(matches!(error, Error::Rotten(_)), "{error}");
    fs::remove_file(&path).unwrap();
    let error = runs(dir.path()).load().unwrap_err().to_string();
    assert!(error.contains("run-0000000001 is missing"), "{error}");
}

#[test]
fn what_is_left_over_goes() {
    let (dir, model) = two_runs();
    let stray = run::path(dir.path(), 3);
    let fresh = dir.path().join("runs.new");
    for path in [&stray, &fresh] {
        fs::write(path, "half a").unwrap();
    }
    let opened = runs(dir.path());
    opened.load().unwrap();
    assert!(!stray.exists() && !fresh.exists());
    check(&opened, &model, &[]);
    // And its number is used again, by one that counts.
    add(&opened, &[(vec![b'b', 7], vec![])].into());
    let opened = runs(dir.path());
    opened.load().unwrap();
    assert!(opened.get(&[b'b', 7]).unwrap().is_none());
    assert!(opened.get(&[b'b', 8]).unwrap().is_some());
}
