//! What may be merged while something is committed, and while nothing is.

use std::time::{Duration, Instant};

use super::{CALM, CROWD, LEAST, MOST, Pace, RATE};

const SLICE: u64 = 16 * 1024;

/// What may be merged in all, asked for slice by slice, at a moment after the start.
fn taken(pace: &Pace, start: Instant, after: Duration, revision: u64, runs: usize) -> u64 {
    let slices = (0..100).map(|_| pace.take(SLICE, revision, runs, start + after));
    slices.take_while(|slice| *slice > 0).sum()
}

#[test]
fn what_is_committed_pays_for_merges() {
    let start = Instant::now();
    let pace = Pace::new(start);
    let check = |pairs: &[u64], expected: u64| {
        for pairs in pairs {
            pace.earn(*pairs);
        }
        assert_eq!(
            taken(&pace, start, Duration::ZERO, 1, 10),
            expected,
            "{pairs:?}"
        );
    };
    check(&[], 0);
    check(&[0], LEAST);
    check(&[5000], 5000 * RATE + LEAST);
    check(&[], 0);
    // Not saved up without end.
    check(&[5000; 100], MOST);
    // But one that adds much pays for much.
    check(&[50_000], 50_000 * RATE + LEAST);
}

#[test]
fn while_nothing_is_committed_it_waits_for_nothing() {
    let start = Instant::now();
    let pace = Pace::new(start);
    let check = |after: Duration, revision: u64, runs: usize, expected: u64| {
        assert_eq!(
            taken(&pace, start, after, revision, runs),
            expected,
            "{after:?}"
        );
    };
    let all = 100 * SLICE;
    check(Duration::ZERO, 7, 10, 0);
    check(CALM / 2, 7, 10, 0);
    check(CALM, 7, 10, all);
    // One commit, and it is no longer calm.
    check(CALM, 8, 10, 0);
    check(CALM * 3 / 2, 8, 10, 0);
    check(CALM * 2, 8, 10, all);
    // Nor does it wait when there are far too many of them.
    check(CALM * 2, 9, CROWD - 1, 0);
    check(CALM * 2, 10, CROWD, all);
}
