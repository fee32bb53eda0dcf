//! The blocks that were read lately, decompressed. Scans and repeated reads come
//! to the same block again and again.
//!
//! It needs no word from whoever changes a block. A block in sled is found by its
//! compressed bytes, which are read from sled first every time; one of a run by
//! its place, since a run never changes. So it can be of no use, and never wrong.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use sled::IVec;

use super::block::Block;

/// How many blocks are kept: one to two MiB.
const KEPT: usize = 64;

/// See the module. `N` is what a block is found by.
#[derive(Debug)]
pub(super) struct Cache<N> {
    hasher: RandomState,
    kept: Mutex<Kept<N>>,
}

#[derive(Debug)]
struct Kept<N> {
    slots: Vec<Slot<N>>,
    /// Counts the uses.
    clock: u64,
}

#[derive(Debug)]
struct Slot<N> {
    hash: u64,
    used: u64,
    name: N,
    block: Arc<Block>,
}

impl<N> Default for Cache<N> {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            kept: Mutex::new(Kept {
                slots: Vec::new(),
                clock: 0,
            }),
        }
    }
}

impl Cache<IVec> {
    /// The block that these bytes are; `None` if they are none.
    pub(super) fn unpack(&self, packed: &IVec) -> Option<Arc<Block>> {
        // Both ends tell blocks apart well enough; all of it is compared below.
        let ends = (
            packed.len(),
            packed.first_chunk::<64>(),
            packed.last_chunk::<64>(),
        );
        let hash = self.hasher.hash_one(ends);
        let same = |name: &IVec| {
            let same = name.as_ptr() == packed.as_ptr() && name.len() == packed.len();
            same || name == packed
        };
        if let Some(found) = self.find(hash, same) {
            return Some(found);
        }
        let block = Arc::new(Block::unpack(packed)?);
        self.keep(hash, packed.clone(), &block);
        Some(block)
    }
}

impl<N: Copy + Eq + Hash> Cache<N> {
    /// The block of this name; read if it is not kept.
    ///
    /// # Errors
    /// Those of reading it.
    pub(super) fn get<E>(
        &self,
        name: N,
        read: impl FnOnce() -> Result<Arc<Block>, E>,
    ) -> Result<Arc<Block>, E> {
        let hash = self.hasher.hash_one(name);
        if let Some(found) = self.find(hash, |one| *one == name) {
            return Ok(found);
        }
        let block = read()?;
        self.keep(hash, name, &block);
        Ok(block)
    }
}

impl<N> Cache<N> {
    fn keep(&self, hash: u64, name: N, block: &Arc<Block>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let slot = Slot {
            hash,
            used: kept.clock,
            name,
            block: Arc::clone(block),
        };
        if kept.slots.len() < KEPT {
            kept.slots.push(slot);
        } else if let Some(oldest) = kept.slots.iter_mut().min_by_key(|slot| slot.used) {
            *oldest = slot;
        }
    }

    fn find(&self, hash: u64, same: impl Fn(&N) -> bool) -> Option<Arc<Block>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let clock = kept.clock;
        let mut slots = kept.slots.iter_mut();
        let slot = slots.find(|slot| slot.hash == hash && same(&slot.name))?;
        slot.used = clock;
        Some(Arc::clone(&slot.block))
    }
}
