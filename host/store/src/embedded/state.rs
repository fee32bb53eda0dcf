//! Reading: sled, under what was committed since the last checkpoint.

use ringback_core::model::{Key, Revision, Versioned};

use super::base::{Base, Found};
use super::memtable::{self, Layers};
use crate::{Direction, Error};

/// The state at one moment; whoever has it keeps writers out.
#[derive(Clone, Copy)]
pub(super) struct State<'a> {
    pub(super) base: &'a Base,
    pub(super) layers: &'a Layers,
}

impl State<'_> {
    /// Which commit last wrote a key.
    pub(super) fn revision(&self, key: &Key) -> Result<Option<Revision>, Error> {
        match self.layers.get(key) {
            Some(written) => Ok(written.value.as_ref().map(|_| written.revision)),
            None => self.base.revision(key),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        match self.layers.get(key) {
            Some(written) => Ok(written.versioned()),
            None => self.base.get(key),
        }
    }

    /// A page of pairs.
    pub(super) fn scan(
        &self,
        from: &Key,
        to: &Key,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        if from >= to {
            return Ok(Vec::new());
        }
        let read = |key: &Key, found: Found| self.base.value(key, &found);
        let below = self.base.range(from, Some(to), direction);
        match direction {
            Direction::Forward => {
                let layers = self.layers.forward(from, Some(to));
                let pairs = memtable::over(layers, below, |a, b| a < b, read);
                pairs.take(limit).collect()
            }
            Direction::Backward => {
                let layers = self.layers.backward(from, Some(to));
                let pairs = memtable::over(layers, below, |a, b| a > b, read);
                pairs.take(limit).collect()
            }
        }
    }

    /// A page of all pairs, from a key on, of not much more than `bytes` in all.
    pub(super) fn scan_all(
        &self,
        from: &Key,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        let layers = self.layers.forward(from, None);
        let read = |key: &Key, found: Found| self.base.value(key, &found);
        let below = self.base.range(from, None, Direction::Forward);
        let mut found = Vec::new();
        let mut taken = 0;
        for pair in memtable::over(layers, below, |a, b| a < b, read).take(limit) {
            let (key, value) = pair?;
            taken += value.value.len();
            found.push((key, value));
            if taken >= bytes {
                break;
            }
        }
        Ok(found)
    }
}
