//! What an input, a start and an idle host read does not grow with what was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use ringback_core::engine::{Answer, IncomingText, Input};

use super::world::*;
use crate::runtime::clock;

fn ago(days: i64) -> jiff::Timestamp {
    clock::now() - SignedDuration::from_hours(24 * days)
}

fn text(number: u64, provider_id: &str) -> Input {
    Input::Text(IncomingText {
        connection: "main".to_owned(),
        provider_id: provider_id.to_owned(),
        from: person(number),
        to: phone(OURS),
        body: "Tomorrow at ten?".to_owned(),
        media: Vec::new(),
        keyword: None,
    })
}

/// What a missed call, a text and a repeat read, for somebody who was here before.
async fn reads(store: &Arc<Counting>, world: &World) -> Vec<[u64; 3]> {
    let host = &world.host;
    host.take(&missed("before", person(1))).await.unwrap();
    host.take(&text(1, "before")).await.unwrap();
    let mut seen = Vec::new();
    for input in [
        missed("C1", person(1)),
        text(1, "I-1"),
        text(1, "I-1"),
        missed("C2", person(9_999_999)),
    ] {
        store.read();
        let answer = host.take(&input).await.unwrap();
        assert_ne!(answer, Answer::Unknown);
        seen.push(store.read());
    }
    seen
}

/// A million finished runs with RINGBACK_PROOF=long, ten thousand otherwise.
#[tokio::test]
async fn proof_an_input_reads_as_much_as_in_an_empty_store() {
    let count = if long() { 1_000_000 } else { 10_000 };
    let empty = Counting::over(memory());
    let world = World::over(empty.clone()).await;
    let expected = reads(&empty, &world).await;
    drop(world);

    let full = Counting::over(memory());
    put(full.as_ref(), finished(count, ago(3))).await;
    let world = World::over(full.clone()).await;
    // A long conversation and many calls of the same person, too.
    for number in 0..500 {
        world
            .host
            .take(&text(1, &format!("L{number}")))
            .await
            .unwrap();
    }
    assert_eq!(reads(&full, &world).await, expected);
    // Nothing is read while nothing happens, once everything has begun.
    tokio::time::sleep(Duration::from_millis(300)).await;
    full.read();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = full.read();
    assert_eq!(idle, [0, 0, 0]);
    println!(
        "flat: keys, scans, rows of a call, a text, a repeat, a new caller: {expected:?}, with {count} finished runs the same; idle {idle:?}"
    );
}

/// A million waiting runs on the real store with RINGBACK_PROOF=long.
// On one thread, so that nothing that the start leaves to the background runs
// before it is over.
#[tokio::test]
async fn proof_a_start_reads_as_much_with_many_runs_as_with_few() {
    let soon = clock::now() + SignedDuration::from_mins(30);
    let mut seen = Vec::new();
    for count in [2_000, 20_000] {
        let store = Counting::over(memory());
        put(
            store.as_ref(),
            waiting(count, soon, SignedDuration::from_millis(10)),
        )
        .await;
        put(store.as_ref(), finished(count, ago(3))).await;
        store.read();
        let world = World::over(store.clone()).await;
        seen.push(store.read());
        assert!(world.host.is_ready());
        assert!(world.host.timers_held() <= 20_000);
    }
    assert_eq!(seen[0], seen[1], "keys, scans, rows of a start");
    if !long() {
        println!("start: reads {:?} whatever waits", seen[0]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = sled(folder.path()).await;
    put(
        store.as_ref(),
        waiting(1_000_000, soon, SignedDuration::from_millis(3)),
    )
    .await;
    store.close().await.unwrap();
    drop(store);
    let begun = Instant::now();
    let store = sled(folder.path()).await;
    let opened = begun.elapsed();
    let world = World::over(Arc::clone(&store)).await;
    let ready = begun.elapsed();
    println!(
        "start: a million waiting runs, store open after {opened:?}, ready after {ready:?}, {} timers held, {} MiB resident",
        world.host.timers_held(),
        resident() / 1_048_576,
    );
    assert!(ready < Duration::from_secs(10), "{ready:?}");
}

/// Bytes of this process in memory, where that can be known.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// The definition of the runs under way is named in the log, and a file that goes
/// ends them, though the start does not wait for that.
#[tokio::test]
async fn a_file_that_goes_ends_its_runs_also_after_a_crash() {
    let store = memory();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asks.yaml");
    let words = "name: asks\non: call.missed\non_delete: cancel\nsteps:\n  - wait: 2h\n";
    std::fs::write(&file, words).unwrap();
    let world = World::of(Arc::clone(&store), folder).await;
    for number in 0..3 {
        let id = format!("C{number}");
        world.host.take(&missed(&id, person(number))).await.unwrap();
    }
    // The process ends right after the workflow went out of service: nothing was cancelled.
    world
        .host
        .take(&Input::Undefine("asks".to_owned()))
        .await
        .unwrap();
    assert_eq!(under_way(store.as_ref()).await, 3);
    drop(world);
    let empty = tempfile::tempdir().unwrap();
    let _world = World::of(Arc::clone(&store), empty).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while under_way(store.as_ref()).await > 0 {
        assert!(Instant::now() < deadline, "they go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn under_way(store: &dyn ringback_store::Store) -> usize {
    use ringback_core::model::{Run, RunStatus, keys, record};
    let (from, to) = keys::table(b'r');
    let runs = store
        .scan(&from, &to, 1_000, ringback_store::Direction::Forward)
        .await
        .unwrap();
    let runs = runs
        .iter()
        .map(|(_, one)| record::decode::<Run>(&one.value).unwrap());
    runs.filter(|run| run.status == RunStatus::Running).count()
}
