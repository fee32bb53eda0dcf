//! Timers of a host: what was due while it was down, and how late others are.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use ringback_core::model::{Key, keys};

use crate::runtime::clock;
use crate::runtime::tests::world::*;

async fn fired(store: &Counting, count: usize) -> Vec<(Key, jiff::Timestamp)> {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let fired = store.fired.lock().unwrap().clone();
        if fired.len() >= count {
            return fired;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {count} fired",
            fired.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything fires, once and in the order of time, and calls are answered meanwhile. A hundred thousand with RINGBACK_PROOF=long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_what_came_due_during_a_stop_fires_in_order_beside_calls() {
    let count = if long() { 100_000 } else { 2_000 };
    let folder = tempfile::tempdir().unwrap();
    let store = Counting::over(sled(folder.path()).await);
    let first = clock::now() - SignedDuration::from_hours(48);
    put(
        store.as_ref(),
        waiting(count, first, SignedDuration::from_millis(10)),
    )
    .await;
    let begun = Instant::now();
    let world = World::over(store.clone()).await;
    let mut times = Vec::new();
    while store.fired.lock().unwrap().len() < usize::try_from(count).unwrap() {
        let asked = Instant::now();
        let id = format!("C{}", times.len());
        world.host.take(&missed(&id, person(7))).await.unwrap();
        times.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < Duration::from_secs(300));
    }
    let took = begun.elapsed();
    let fired = fired(&store, usize::try_from(count).unwrap()).await;
    let keys: Vec<&Key> = fired.iter().map(|(key, _)| key).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), keys.len(), "none fires twice");
    // They are begun in order, and end in another only while under way together: one
    // that the machine lets wait may be overtaken by more than its neighbours.
    let place = |key: &Key| sorted.binary_search(&key).unwrap();
    let moved = keys
        .iter()
        .enumerate()
        .map(|(at, key)| place(key).abs_diff(at));
    let mut moved: Vec<usize> = moved.collect();
    moved.sort_unstable();
    let most = moved[moved.len() * 99 / 100];
    assert!(
        most <= 4 * super::AT_ONCE,
        "one in a hundred fired {most} places off"
    );
    let worst = percentile(&mut times, 99);
    println!(
        "timers: {count} that came due during a stop fired in {took:?}; a call meanwhile: p99 {worst:?}"
    );
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

/// Ten thousand in ten seconds with RINGBACK_PROOF=long, a thousand in two otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_timers_are_on_time() {
    let (count, millis) = if long() { (10_000, 1) } else { (1_000, 2) };
    let folder = tempfile::tempdir().unwrap();
    let store = Counting::over(sled(folder.path()).await);
    let first = clock::now() + SignedDuration::from_secs(5);
    put(
        store.as_ref(),
        waiting(count, first, SignedDuration::from_millis(millis)),
    )
    .await;
    let _world = World::over(store.clone()).await;
    let fired = fired(&store, usize::try_from(count).unwrap()).await;
    let mut late: Vec<Duration> = fired
        .iter()
        .map(|(key, at)| {
            let due = keys::timer_due(key).unwrap();
            assert!(*at >= due, "{key:?} fired early");
            Duration::try_from(at.duration_since(due)).unwrap()
        })
        .collect();
    let (half, worst) = (percentile(&mut late, 50), percentile(&mut late, 99));
    println!(
        "timers: {count} due at one every {millis} ms, late by {half:?} (p50), {worst:?} (p99)"
    );
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}
