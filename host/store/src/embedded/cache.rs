//! The blocks that were read lately, decompressed. Scans and repeated reads come
//! to the same block again and again.
//!
//! It needs no word from whoever changes a block: what it keeps is found by the
//! compressed bytes themselves, which are read from sled first every time. So it
//! can be of no use, and never wrong.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use sled::IVec;

use super::block::Block;

/// How many blocks are kept: one to two MiB.
const KEPT: usize = 64;

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    slots: Vec<Slot>,
    /// Counts the uses.
    clock: u64,
}

struct Slot {
    hash: u64,
    used: u64,
    packed: IVec,
    block: Arc<Block>,
}

impl Cache {
    /// The block that these bytes are; `None` if they are none.
    pub(super) fn unpack(&self, packed: &IVec) -> Option<Arc<Block>> {
        // Both ends tell blocks apart well enough; all of it is compared below.
        let hash = self.hasher.hash_one((
            packed.len(),
            packed.first_chunk::<64>(),
            packed.last_chunk::<64>(),
        ));
        if let Some(found) = self.find(hash, packed) {
            return Some(found);
        }
        let block = Arc::new(Block::unpack(packed)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let slot = Slot {
            hash,
            used: kept.clock,
            packed: packed.clone(),
            block: Arc::clone(&block),
        };
        if kept.slots.len() < KEPT {
            kept.slots.push(slot);
        } else if let Some(oldest) = kept.slots.iter_mut().min_by_key(|slot| slot.used) {
            *oldest = slot;
        }
        Some(block)
    }

    fn find(&self, hash: u64, packed: &IVec) -> Option<Arc<Block>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let clock = kept.clock;
        let slot = kept.slots.iter_mut().find(|slot| {
            let same = slot.packed.as_ptr() == packed.as_ptr() && slot.packed.len() == packed.len();
            slot.hash == hash && (same || slot.packed == *packed)
        })?;
        slot.used = clock;
        Some(Arc::clone(&slot.block))
    }
}
