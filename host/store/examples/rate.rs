//! Commits per second of the embedded store, with six writes of 200 bytes each,
//! by the number of tasks that commit at once. A measurement, not a test:
//! `cargo run --release -p ringback-store --example rate [directory]`.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::model::{Batch, Key};
use ringback_store::{Options, Sled, Store};

const SECONDS: u64 = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    for tasks in [1_u64, 8, 64, 256] {
        let dir = base.join(format!("ringback-rate-{}-{tasks}", std::process::id()));
        let store = Arc::new(Sled::open(Options::new(&dir))?);
        let start = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for task in 0..tasks {
            let store = Arc::clone(&store);
            running.spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < Duration::from_secs(SECONDS) {
                    let number = times.len() as u64;
                    let began = Instant::now();
                    if store.commit(batch(task, number)).await.is_err() {
                        break;
                    }
                    times.push(began.elapsed());
                }
                times
            });
        }
        let mut times: Vec<_> = running.join_all().await.into_iter().flatten().collect();
        let seconds = start.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |percent| {
            times
                .get(times.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        let began = Instant::now();
        store.close().await?;
        writeln!(
            std::io::stdout(),
            "{tasks:>4} tasks: {:>7.0} commits/s, p50 {:?}, p99 {:?}, close {:?}",
            times.len() as f64 / seconds,
            at(50),
            at(99),
            began.elapsed()
        )?;
        drop(store);
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}

/// A run at its next revision, and five records of its own: four in tables that
/// grow in order of time, one in a table of hashes.
fn batch(task: u64, number: u64) -> Batch {
    let write = |table: &u8| {
        let number = if *table == b'r' { 0 } else { number };
        let mut key = vec![*table, b'/'];
        if *table == b'k' {
            let spread = (task << 32 | number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            key.extend(spread.to_be_bytes());
        } else {
            key.extend(number.to_be_bytes());
            key.extend(task.to_be_bytes());
        }
        (Key::new(key), Some(Arc::from([*table; 200])))
    };
    Batch {
        preconditions: Vec::new(),
        writes: b"rcejok".iter().map(write).collect(),
    }
}
