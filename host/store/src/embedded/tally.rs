//! How many pairs there should be, and a sum over which ones: the second opinion on
//! everything that is read out of sled. It is kept by what is written, and never
//! asks how pairs lie; so it sees what any way of reading them leaves out.
//!
//! The sum is that of one hash per pair, of its key and its revision, and knows no
//! order. It is no protection against somebody who wants it to be right.

use std::collections::HashMap;

use ringback_core::model::Revision;

use super::bytes::Reader;
use super::journal::frame::Group;
use crate::Error;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) pairs: u64,
    sum: u64,
}

impl Tally {
    /// A pair came.
    pub(super) fn add(&mut self, key: &[u8], revision: Revision) {
        self.add_hashed(hash(key), revision);
    }

    /// A pair went.
    pub(super) fn remove(&mut self, key: &[u8], revision: Revision) {
        self.pairs = self.pairs.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(pair(hash(key), revision));
    }

    fn add_hashed(&mut self, key: u64, revision: Revision) {
        self.pairs = self.pairs.wrapping_add(1);
        self.sum = self.sum.wrapping_add(pair(key, revision));
    }

    /// What both hold, which have no key in common.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            pairs: self.pairs.wrapping_add(other.pairs),
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    /// As it is kept, with the commit after which it holds.
    pub(super) fn encode(&self, revision: Revision) -> Vec<u8> {
        let numbers = [revision, self.pairs, self.sum];
        numbers.iter().flat_map(|one| one.to_be_bytes()).collect()
    }

    /// The other way round; `None` if it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Revision, Self)> {
        let mut reader = Reader(bytes);
        let (revision, pairs, sum) = (reader.u64()?, reader.u64()?, reader.u64()?);
        Some((revision, Self { pairs, sum }))
    }

    /// Compares what was read with what there should be.
    ///
    /// # Errors
    /// Something was left out, or is there that should not be.
    pub(super) fn check(&self, read: Self) -> Result<(), Error> {
        if *self == read {
            return Ok(());
        }
        Err(Error::Rotten(format!(
            "it should hold {} pairs, and other ones were read out of it, {} in all",
            self.pairs, read.pairs
        )))
    }
}

/// What a snapshot has to come to together with the commits after its start.
pub(super) struct Expected {
    tally: Tally,
    /// The last write of each key by those commits: the hash of the key, and the
    /// revision unless it was deleted.
    since: HashMap<u64, Option<Revision>>,
    read: Tally,
}

impl Expected {
    /// `tally` is that of a later commit; the groups between are to be given to
    /// `follow`.
    pub(super) fn new(tally: Tally) -> Self {
        Self {
            tally,
            since: HashMap::new(),
            read: Tally::default(),
        }
    }

    /// Takes a group of commits after the snapshot's start.
    pub(super) fn follow(&mut self, group: &Group) {
        for (revision, writes) in (group.first..).zip(&group.commits) {
            for (key, value) in writes {
                let left = value.as_ref().map(|_| revision);
                self.since.insert(hash(key.as_bytes()), left);
            }
        }
    }

    /// Takes a pair of the snapshot.
    pub(super) fn pair(&mut self, key: &[u8], revision: Revision) {
        let key = hash(key);
        if !self.since.contains_key(&key) {
            self.read.add_hashed(key, revision);
        }
    }

    /// After the last pair.
    ///
    /// # Errors
    /// As [`Tally::check`].
    pub(super) fn check(mut self) -> Result<(), Error> {
        for (key, revision) in &self.since {
            if let Some(revision) = revision {
                self.read.add_hashed(*key, *revision);
            }
        }
        self.tally.check(self.read)
    }
}

/// FNV-1a. Kept in sled by way of the sum, so it may never change: not the
/// standard library's, which may.
pub(super) fn hash(key: &[u8]) -> u64 {
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The hash of a pair. What sums are made of must look random in every bit.
fn pair(key: u64, revision: Revision) -> u64 {
    mix(key ^ mix(revision.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom
/// Number Generators, 2014).
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
