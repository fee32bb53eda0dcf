//! Housekeeping of a host: what goes, what is read for it, and that calls do not
//! wait for it.

use std::sync::Arc;

use ringback_core::model::Key;
use ringback_store::Store;

use super::*;
use crate::runtime::tests::world::*;

fn ago(days: i64) -> Timestamp {
    clock::now() - SignedDuration::from_hours(24 * days)
}

async fn count(store: &dyn Store, table: u8) -> usize {
    let (from, to) = keys::table(table);
    let all = store.scan(&from, &to, usize::MAX, Direction::Forward).await;
    all.unwrap().len()
}

#[tokio::test]
async fn a_round_removes_what_is_old_and_the_next_one_reads_next_to_nothing() {
    let store = Counting::over(memory());
    put(store.as_ref(), finished(300, ago(100))).await;
    put(store.as_ref(), finished(30, ago(3))).await;
    let world = World::over(store.clone()).await;
    let mut sweep = Sweep::default();
    let removed = round(&world.host, &mut sweep).await.unwrap();
    // Runs and what was kept of repeats and enrollments; texts are kept for two years.
    assert!(removed >= 300, "{removed}");
    let left = async |table| count(store.as_ref(), table).await;
    assert_eq!([left(b'r').await, left(b'j').await], [30, 90]);
    assert_eq!([left(b'o').await, left(b'm').await], [330, 330]);
    assert_eq!([left(b'k').await, left(b'l').await], [30, 30]);
    store.read();
    assert_eq!(round(&world.host, &mut sweep).await.unwrap(), 0);
    let [keys, _, rows] = store.read();
    assert!(
        keys == 0 && rows == 0,
        "{keys} keys and {rows} rows were read for nothing"
    );
}

#[tokio::test]
async fn it_goes_on_where_the_last_process_stopped() {
    let store = memory();
    put(store.as_ref(), finished(50, ago(100))).await;
    let world = World::over(Arc::clone(&store)).await;
    let mut sweep = place(&world.host).await;
    assert_eq!(sweep, Sweep::default());
    round(&world.host, &mut sweep).await.unwrap();
    drop(world);
    let world = World::over(store).await;
    assert_eq!(place(&world.host).await, sweep);
}

#[tokio::test]
async fn a_definition_that_was_replaced_goes_when_no_run_refers_to_it() {
    let store = memory();
    let world = World::over(Arc::clone(&store)).await;
    world.host.take(&missed("C1", person(1))).await.unwrap();
    let file = world.workflows().join("asks.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    for hours in ["3h", "4h"] {
        std::fs::write(&file, text.replace("2h", hours)).unwrap();
        let version = |host: &Host| host.catalog().by_hash.len();
        let before = version(&world.host);
        while version(&world.host) == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(count(store.as_ref(), b'd').await, 3);
    // As if that had been long ago.
    let mut records: Vec<(Key, std::sync::Arc<[u8]>)> = Vec::new();
    for table in [b'd', b'w'] {
        let (from, to) = keys::table(table);
        for (key, one) in store
            .scan(&from, &to, 10, Direction::Forward)
            .await
            .unwrap()
        {
            let mut json: serde_json::Value = record::decode(&one.value).unwrap();
            for field in ["created_at", "since"] {
                if let Some(at) = json.get_mut(field) {
                    *at = serde_json::json!(ago(40));
                }
            }
            records.push((key, record::encode(&json).unwrap()));
        }
    }
    put(store.as_ref(), records).await;
    let removed = round(&world.host, &mut Sweep::default()).await.unwrap();
    // The one between: the first has a run under way, the last is in service.
    assert_eq!(removed, 1);
    assert_eq!(count(store.as_ref(), b'd').await, 2);
    assert_eq!(world.host.catalog().by_hash.len(), 2);
}

#[test]
fn a_clock_that_jumps_is_seen() {
    let (wall, passed) = (clock::now(), Instant::now());
    let mut watch = Watch::new(wall, passed);
    let minute = Duration::from_secs(60);
    let moved = watch.moved(wall + SignedDuration::from_secs(61), passed + minute);
    assert_eq!(moved.as_secs(), 1);
    let year = SignedDuration::from_hours(24 * 365);
    assert!(watch.moved(wall + year, passed + 2 * minute) > JUMP);
    assert!(watch.moved(wall, passed + 3 * minute).abs() > JUMP);
}

/// Calls at twenty a second, alone and beside a round that removes much.
/// 200,000 runs with RINGBACK_PROOF=long, 2,000 otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proof_calls_do_not_wait_for_housekeeping() {
    let (runs, calls) = if long() { (200_000, 400) } else { (2_000, 60) };
    let folder = tempfile::tempdir().unwrap();
    let store = sled(folder.path()).await;
    put(store.as_ref(), finished(runs, ago(100))).await;
    let world = World::over(Arc::clone(&store)).await;
    let mut alone = ring(&world.host, "A", calls).await;
    let host = Arc::clone(&world.host);
    let sweeping = tokio::spawn(async move {
        let begun = Instant::now();
        let removed = round(&host, &mut Sweep::default()).await.unwrap();
        (removed, begun.elapsed())
    });
    let mut beside = ring(&world.host, "B", calls).await;
    let (removed, took) = sweeping.await.unwrap();
    assert!(removed as u64 >= runs);
    let (alone, beside) = (percentile(&mut alone, 99), percentile(&mut beside, 99));
    println!(
        "retention: {removed} records removed in {took:?}; a call at 20/s, p99 alone {alone:?}, beside it {beside:?}"
    );
    assert!(beside < Duration::from_millis(500), "{beside:?}");
}

async fn ring(host: &Arc<Host>, prefix: &str, calls: u64) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..calls {
        let begun = Instant::now();
        let id = format!("{prefix}{number}");
        host.take(&missed(&id, person(5_000_000 + number)))
            .await
            .unwrap();
        times.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50).saturating_sub(begun.elapsed())).await;
    }
    times
}
