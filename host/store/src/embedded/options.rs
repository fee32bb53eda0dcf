//! What can be set about the embedded store, and its defaults.

use std::path::PathBuf;

use super::claim;
use super::disk::Disk;

/// Settings of a [`super::Sled`] store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory; created if it is missing. On a local disk.
    pub dir: PathBuf,
    /// sled's cache, in bytes. The memory it really takes is two to three times
    /// that. 32 MiB: what was written lately is in memory anyway.
    pub cache_bytes: u64,
    /// The size of a journal segment, in bytes. 16 MiB.
    pub segment_bytes: u64,
    /// After how many bytes in memory a checkpoint is made. 8 MiB; a start replays
    /// at most about twice that, since what is in memory takes less in the journal.
    pub checkpoint_bytes: u64,
    /// After how many bytes of journal they are brought into the snapshot. 32 MiB: some
    /// thousands of runs, and a tenth of a second's work.
    pub snapshot_bytes: u64,
    /// When the snapshot and the increments to it have so many percent of the bytes that
    /// a new one would have, about, that one is written. 200: half of them is of use.
    pub snapshot_percent: u64,
    /// The least free bytes of the disk. 512 MiB.
    pub reserve_bytes: u64,
    /// And the least free percentage of the disk. 10.
    pub reserve_percent: u64,
    /// The most bytes that the share of the disk comes to: a tenth of a large one
    /// is far more than the store needs to stay safe.
    pub reserve_percent_limit: u64,
    /// How many bytes a block of pairs should have, before it is compressed.
    pub(crate) block_bytes: usize,
    /// How many runs of a level become one of the next.
    pub(crate) fan_in: usize,
    /// Up to how many pairs they become it with the checkpoint that makes them so
    /// many. Larger ones are merged beside it, a piece at a time.
    pub(crate) merge_pairs: u64,
    pub(crate) disk: Disk,
    pub(crate) boot: Option<String>,
}

/// The most commits of one group.
pub(super) const GROUP: usize = 256;

/// No commit is added to a group of this many bytes.
pub(super) const GROUP_BYTES: usize = 4 * 1024 * 1024;

const MIB: u64 = 1024 * 1024;

impl Options {
    /// The defaults for a store in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            cache_bytes: 32 * MIB,
            segment_bytes: 16 * MIB,
            checkpoint_bytes: 8 * MIB,
            snapshot_bytes: 32 * MIB,
            snapshot_percent: 200,
            reserve_bytes: 512 * MIB,
            reserve_percent: 10,
            reserve_percent_limit: 4096 * MIB,
            block_bytes: 16 * 1024,
            fan_in: 8,
            merge_pairs: 64 * 1024,
            disk: Disk::default(),
            boot: claim::boot_id(),
        }
    }
}
