//! Layers over a base, compared with one map that was written in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use proptest::prelude::*;
use ringback_core::model::{Key, Revision, Versioned};

use super::{Layers, Memtable, over};
use crate::embedded::journal::frame::Writes;

/// What happens to the layers.
#[derive(Clone, Debug)]
enum Step {
    /// A commit puts, or deletes.
    Write(u8, Option<u8>),
    /// A checkpoint begins.
    Freeze,
    /// It ends: what it set aside is in the base.
    Thaw,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0..12_u8, proptest::option::of(any::<u8>()));
    let step = prop_oneof![
        8 => write.prop_map(|(key, value)| Step::Write(key, value)),
        1 => Just(Step::Freeze),
        1 => Just(Step::Thaw),
    ];
    proptest::collection::vec(step, 0..60)
}

fn key(number: u8) -> Key {
    Key::new([number])
}

/// Layers, and beneath them what sled would have.
#[derive(Default)]
struct World {
    layers: Layers,
    base: BTreeMap<Key, Versioned>,
    model: BTreeMap<Key, Versioned>,
    revision: Revision,
}

impl World {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(number, value) => {
                self.revision += 1;
                let value = value.map(|byte| Arc::from([byte]));
                self.layers
                    .add(self.revision, Writes::from([(key(*number), value.clone())]));
                write(&mut self.model, key(*number), self.revision, value);
            }
            Step::Freeze => drop(self.layers.freeze(self.revision)),
            Step::Thaw => {
                let frozen = self.layers.freeze(self.revision);
                assert!(frozen.upto <= self.revision);
                for (key, written) in frozen.table.iter() {
                    let value = written.value.clone();
                    write(&mut self.base, key.clone(), written.revision, value);
                }
                self.layers.thaw();
            }
        }
    }

    fn pairs(&self, from: &Key, to: &Key, backward: bool) -> Vec<(Key, Versioned)> {
        let below = self.base.range(from.clone()..to.clone());
        let below = below.map(|(key, pair)| Ok::<_, Infallible>((key.clone(), pair.clone())));
        let read = |_: &Key, pair: Versioned| Ok(pair);
        let pairs: Result<Vec<_>, _> = if backward {
            let layers = self.layers.backward(from, Some(to));
            over(layers, below.rev(), |a, b| a > b, read).collect()
        } else {
            let layers = self.layers.forward(from, Some(to));
            over(layers, below, |a, b| a < b, read).collect()
        };
        pairs.unwrap()
    }
}

fn write(
    map: &mut BTreeMap<Key, Versioned>,
    key: Key,
    revision: Revision,
    value: Option<Arc<[u8]>>,
) {
    match value {
        Some(value) => drop(map.insert(key, Versioned { revision, value })),
        None => drop(map.remove(&key)),
    }
}

proptest! {
    #[test]
    fn layers_read_like_one_map(steps in steps(), from in 0..12_u8, length in 0..12_u8) {
        let mut world = World::default();
        let (from, to) = (key(from), key(from.saturating_add(length)));
        for step in &steps {
            world.step(step);
            let expected: Vec<_> = world
                .model
                .range(from.clone()..to.clone())
                .map(|(key, pair)| (key.clone(), pair.clone()))
                .collect();
            prop_assert_eq!(world.pairs(&from, &to, false), expected.clone());
            let backward: Vec<_> = expected.into_iter().rev().collect();
            prop_assert_eq!(world.pairs(&from, &to, true), backward);
            for number in 0..12 {
                let found = match world.layers.get(&key(number)) {
                    Some(written) => written.versioned(),
                    None => world.base.get(&key(number)).cloned(),
                };
                prop_assert_eq!(found.as_ref(), world.model.get(&key(number)));
            }
        }
    }
}

#[test]
fn what_a_snapshot_gave_never_shares_a_place_with_a_commit() {
    let mut table = Memtable::default();
    let pair = |byte: u8| Versioned {
        revision: 7,
        value: Arc::from([byte]),
    };
    let Versioned { revision, value } = pair(1);
    table.restore(key(1), revision, 0, Some(value));
    table.add(7, Writes::from([(key(2), Some(Arc::from([2])))]));
    let places: Vec<u32> = table.iter().map(|(_, written)| written.place).collect();
    assert_ne!(places[0], places[1]);
}
