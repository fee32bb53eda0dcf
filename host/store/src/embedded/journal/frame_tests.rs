//! Frames: what goes in comes out, and nothing else is taken for a frame.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use ringback_core::model::{Batch, Key};

use super::{decode, encode, find_later};

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let value = proptest::option::of(vec(any::<u8>(), 0..40));
    let writes = btree_map(vec(any::<u8>(), 1..20), value, 0..4);
    let batch = writes.prop_map(|writes| Batch {
        preconditions: Vec::new(),
        writes: writes
            .into_iter()
            .map(|(k, v)| (Key::new(k), v.map(Into::into)))
            .collect(),
    });
    vec(batch, 1..5)
}

proptest! {
    #[test]
    fn comes_out_as_it_went_in(batches in batches(), salt: u64, first in 1..u64::MAX / 2) {
        let mut bytes = Vec::new();
        encode(salt, first, batches.iter(), &mut bytes);
        let (group, taken) = decode(salt, &bytes).unwrap();
        prop_assert_eq!((group.first, taken), (first, bytes.len()));
        let expected: Vec<_> = batches.iter().map(|batch| batch.writes.clone()).collect();
        prop_assert_eq!(group.commits, expected);
        prop_assert!(decode(salt ^ 1, &bytes).is_none());
    }

    #[test]
    fn notices_any_changed_byte(batches in batches(), at: prop::sample::Index, by in 1..=255_u8) {
        let mut bytes = Vec::new();
        encode(7, 1, batches.iter(), &mut bytes);
        let whole = decode(7, &bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        // Only the padding behind a frame does not matter.
        prop_assert!(decode(7, &bytes).is_none_or(|found| found == whole && at + 8 > bytes.len()));
    }

    #[test]
    fn takes_nothing_else_for_a_frame(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(7, &bytes).is_none());
        prop_assert!(find_later(7, &bytes).is_none());
    }
}

#[test]
fn finds_a_whole_frame_behind_a_broken_one() {
    let batch = Batch::default();
    let mut bytes = Vec::new();
    encode(7, 1, std::iter::once(&batch), &mut bytes);
    let second = bytes.len();
    encode(7, 2, std::iter::once(&batch), &mut bytes);
    bytes[4] ^= 1;
    assert!(decode(7, &bytes).is_none());
    let (at, group) = find_later(7, &bytes).unwrap();
    assert_eq!((at, group.first), (second, 2));
}
