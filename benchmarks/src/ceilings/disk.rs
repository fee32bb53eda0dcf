//! What it costs to know that a record is on the disk.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::figures::Latency;

/// Bytes of a record.
pub(super) const RECORD: usize = 500;
/// Bytes of a file that has its size already.
const SIZED: usize = 16 * 1024 * 1024;

/// One write of a record and its `fdatasync`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// How long one takes.
    pub(crate) latency: Latency,
    /// How many there are in a second, one after the other.
    pub(crate) per_second: f64,
}

/// Writes records one by one for so long, at the end of a growing file or inside
/// one that has its size.
pub(crate) fn measure(folder: &Path, sized: bool, time: Duration) -> anyhow::Result<Cost> {
    let path = folder.join("disk.bin");
    let mut file = File::create(&path).context("could not create a file to write to")?;
    if sized {
        file.write_all(&vec![0; SIZED])?;
        file.sync_all()?;
        file.rewind()?;
    }
    let record = [7_u8; RECORD];
    let mut micros = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time && micros.len() < SIZED / RECORD {
        let one = Instant::now();
        file.write_all(&record)?;
        file.sync_data().context("could not write to the disk")?;
        micros.push(u64::try_from(one.elapsed().as_micros())?);
    }
    let per_second = micros.len() as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    let latency = Latency::of(micros).context("there was no time for a single write")?;
    Ok(Cost {
        latency,
        per_second,
    })
}

/// Whether a folder is kept in memory, where `fdatasync` does nothing.
#[cfg(target_os = "linux")]
pub(crate) fn in_memory(folder: &Path) -> bool {
    /// `TMPFS_MAGIC` and `RAMFS_MAGIC` (statfs(2)).
    const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    rustix::fs::statfs(folder).is_ok_and(|found| MEMORY.contains(&(found.f_type as u64)))
}

/// Whether a folder is kept in memory; unknown here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_memory(_: &Path) -> bool {
    false
}
