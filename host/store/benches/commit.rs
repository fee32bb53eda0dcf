//! What a durable commit costs, alone and in company: batches as a missed call
//! makes them, on the disk of the target folder. So many are under way at once;
//! the time is for all of them.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringback_core::model::{Batch, Key, Precondition};
use ringback_store::{Options, Outcome, Sled, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Records that the first commit of a missed call writes, and their bytes.
const RECORDS: u64 = 10;
const BYTES: usize = 350;

/// New records, with the precondition that the first of them is new.
fn batch(number: u64) -> Batch {
    let key = |record: u64| Key::new(format!("b/{record}/{number:016x}").into_bytes());
    let value: Arc<[u8]> = vec![b'x'; BYTES].into();
    let writes = (0..RECORDS).map(|record| (key(record), Some(Arc::clone(&value))));
    Batch {
        preconditions: vec![Precondition::Absent(key(0))],
        writes: writes.collect(),
    }
}

fn commits(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    // Not the system's folder for temporary files: that may be memory.
    let folder = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let store = Arc::new(Sled::open(Options::new(folder.path())).unwrap());
    let next = Arc::new(AtomicU64::new(0));
    let mut group = c.benchmark_group("commit");
    for company in [1, 8, 64] {
        group.throughput(Throughput::Elements(company));
        let id = BenchmarkId::from_parameter(company);
        group.bench_function(id, |b| {
            b.to_async(&runtime).iter(|| async {
                let mut tasks = JoinSet::new();
                for _ in 0..company {
                    let (store, next) = (Arc::clone(&store), Arc::clone(&next));
                    tasks.spawn(async move {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        store.commit(batch(number)).await.unwrap()
                    });
                }
                while let Some(done) = tasks.join_next().await {
                    assert!(matches!(done.unwrap(), Outcome::Done(_)));
                }
            });
        });
    }
    group.finish();
    runtime.block_on(store.close()).unwrap();
}

criterion_group!(benches, commits);
criterion_main!(benches);
