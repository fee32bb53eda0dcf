//! The form of a block: what was packed comes back, and nothing else is taken for
//! a block.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Block, Builder, size};

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

fn pack(pairs: &Pairs) -> Vec<u8> {
    let mut builder = Builder::default();
    for (key, cell) in pairs {
        builder.add(key, cell);
    }
    builder.pack()
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let bytes = |longest| vec(any::<u8>(), 0..longest);
    btree_map(bytes(6), bytes(40), 0..40)
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(pairs in pairs(), other in vec(any::<u8>(), 0..6)) {
        let block = Block::unpack(&pack(&pairs)).unwrap();
        let all: Vec<_> = pairs.iter().map(|(key, cell)| (&**key, &**cell)).collect();
        prop_assert_eq!(block.pairs().collect::<Vec<_>>(), all);
        prop_assert_eq!(block.len(), pairs.len());
        for (key, cell) in &pairs {
            prop_assert_eq!(block.find(key), Some(&**cell));
        }
        prop_assert_eq!(block.find(&other), pairs.get(&other).map(|cell| &**cell));
        prop_assert_eq!(block.before(&other), pairs.range(..other).count());
        prop_assert_eq!(block.pair(pairs.len()), None);
    }

    #[test]
    fn garbage_is_no_block_and_no_panic(mut packed in vec(any::<u8>(), 0..80), size in 0..200_u8) {
        drop(Block::unpack(&packed));
        if let Some(first) = packed.first_chunk_mut::<4>() {
            *first = u32::from(size).to_le_bytes();
        }
        drop(Block::unpack(&packed));
    }

    #[test]
    fn a_block_that_was_cut_off_is_none(pairs in pairs(), cut in 1..30_usize) {
        let packed = pack(&pairs);
        let cut = packed.len().saturating_sub(cut).max(1);
        prop_assert!(Block::unpack(&packed[..cut]).is_none());
    }
}

/// Bytes that are no block although they decompress.
fn check_refused(plain: &[u8]) {
    let packed = lz4_flex::block::compress_prepend_size(plain);
    assert!(Block::unpack(&packed).is_none(), "{plain:?}");
}

#[test]
fn takes_ascending_pairs_alone() {
    check_refused(&[0]);
    check_refused(&[0, 1, 0, 0, 0, 0]);
    check_refused(&[0, 1, 0, 0, 0, 1, b'a']);
    let (a, b) = ([0, 1, 0, 0, 0, 0, b'a'], [0, 1, 0, 0, 0, 0, b'b']);
    check_refused(&[b, a].concat());
    check_refused(&[a, a].concat());
    let packed = lz4_flex::block::compress_prepend_size(&[a, b].concat());
    assert_eq!(Block::unpack(&packed).unwrap().len(), 2);
}

#[test]
fn does_not_believe_a_huge_length() {
    let mut packed = pack(&Pairs::from([(vec![1], vec![2])]));
    packed[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(Block::unpack(&packed).is_none());
}

#[test]
fn counts_what_a_pair_takes() {
    let mut builder = Builder::default();
    builder.add(b"key", b"cell");
    assert_eq!(builder.plain.len(), size(b"key", 4));
}
