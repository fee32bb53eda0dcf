//! Faults that can be planted in the embedded store, to see that its tests would
//! catch them. They exist in tests alone: elsewhere none is ever planted.

use super::disk::Disk;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The journal is written and not synced.
    SkipJournalSync,
    /// A group is answered, and synced when the next one comes.
    AcknowledgeFirst,
    /// A group is applied, and can be read, before it is journaled.
    ApplyFirst,
    /// The journal is pruned before the snapshot that replaces it is written.
    PruneFirst,
    /// The checkpoint is noted before sled wrote what it stands for.
    CheckpointFirst,
    /// Preconditions count as held.
    IgnorePreconditions,
    /// A snapshot leaves out its first page.
    MissPage,
    /// An increment leaves out which keys were deleted.
    ForgetDeletes,
    /// Replay begins with the second commit.
    ReplayLate,
    /// Renaming does not sync the directory.
    SkipDirSync,
    /// sled's files are believed after a power cut.
    TrustSled,
    /// A file is replaced by writing over it.
    ReplaceInPlace,
    /// What was replayed from a segment whose sync failed is built on as it is.
    SkipSettle,
    /// A block that is cut up keeps its left part alone.
    ForgetRightHalf,
    /// What comes at the end of a table takes the place of its last block.
    OverwriteEdge,
    /// An error on one side of a merge waits behind the pairs of the other.
    PassOverErrors,
    /// Runs that were merged go before the list has what they became.
    RemoveRunsFirst,
    /// A merge drops what says that a key was deleted, whatever is older.
    ForgetTombstones,
    /// A filter denies some keys that are there.
    DenyKeys,
}

impl Disk {
    /// Whether this fault is planted.
    #[cfg(test)]
    pub(crate) fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// Whether this fault is planted: never.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "as it is in tests")]
    pub(crate) const fn planted(&self, _plant: Plant) -> bool {
        false
    }
}
