//! The form of a snapshot: what is written comes back, damage is noticed, and the
//! form of earlier versions still reads.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use ringback_core::model::{Key, Revision, Versioned};

use super::{Encoder, Kind, PORTION, Reader, Wrote, open};
use crate::Store;
use crate::embedded::archive;
use crate::embedded::snapshots::list;
use crate::embedded::tests::{all, test_options, work};
use crate::embedded::{Options, Sled};
use crate::{Error, MAX_VALUE};

type Pairs = Vec<(Key, Versioned)>;

fn encode(start: Revision, end: Revision, pairs: &Pairs) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Kind::Full, Path::new("s"), start).unwrap();
    for (key, value) in pairs {
        encoder.pair(key, value).unwrap();
    }
    let (bytes, count, length) = encoder.finish(end).unwrap();
    assert_eq!((count, length), (pairs.len() as u64, bytes.len() as u64));
    bytes
}

fn decode(bytes: &[u8]) -> Result<(Revision, Revision, Pairs), Error> {
    let mut reader = Reader::new(bytes, Kind::Full, Path::new("s"))?;
    let mut pairs = Pairs::new();
    while let Some(pair) = reader.next()? {
        pairs.push(pair);
    }
    Ok((reader.start(), reader.end()?, pairs))
}

/// An increment of these writes.
fn increment(start: Revision, end: Revision, writes: &[Wrote]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), Kind::Increment, Path::new("i"), start).unwrap();
    for (key, revision, value) in writes {
        encoder.write(key, *revision, value.as_deref()).unwrap();
    }
    encoder.finish(end).unwrap().0
}

fn read_increment(bytes: &[u8]) -> Result<(Revision, Revision, Vec<Wrote>), Error> {
    let mut reader = Reader::new(bytes, Kind::Increment, Path::new("i"))?;
    let mut writes = Vec::new();
    while let Some(write) = reader.next_write()? {
        writes.push(write);
    }
    Ok((reader.start(), reader.end()?, writes))
}

/// As earlier versions wrote it.
fn first_form(start: Revision, end: Revision, pairs: &Pairs) -> Vec<u8> {
    let mut bytes = [&b"RBSNAP1\n"[..], &start.to_be_bytes()].concat();
    for (key, pair) in pairs {
        let (key, value) = (key.as_bytes(), &pair.value);
        bytes.extend(u32::try_from(key.len()).unwrap().to_be_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(pair.revision.to_be_bytes());
        bytes.extend(key);
        bytes.extend(value.iter());
    }
    bytes.extend([0; 4]);
    bytes.extend((pairs.len() as u64).to_be_bytes());
    bytes.extend(end.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn pairs() -> impl Strategy<Value = Pairs> {
    let length = prop_oneof![8 => 0..300_usize, 1 => 0..2 * PORTION];
    let value = (any::<u8>(), length).prop_map(|(byte, length)| Arc::from(vec![byte; length]));
    let pair = (vec(any::<u8>(), 1..20), any::<u64>(), value);
    let pair =
        pair.prop_map(|(key, revision, value)| (Key::new(key), Versioned { revision, value }));
    vec(pair, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_comes_back(pairs in pairs(), start in any::<u64>(), end in any::<u64>()) {
        let expected = (start, end, pairs);
        let bytes = encode(start, end, &expected.2);
        prop_assert_eq!(Reader::new(&*bytes, Kind::Full, Path::new("s")).unwrap().verify().unwrap(), end);
        prop_assert_eq!(&decode(&encode(start, end, &expected.2)).unwrap(), &expected);
        prop_assert_eq!(&decode(&first_form(start, end, &expected.2)).unwrap(), &expected);
    }

    #[test]
    fn an_increment_comes_back_with_what_was_deleted(
        pairs in pairs(),
        deleted in vec(any::<bool>(), 30),
        start in any::<u64>(),
        end in any::<u64>(),
    ) {
        let pairs = pairs.into_iter().zip(deleted);
        let writes: Vec<Wrote> = pairs
            .map(|((key, pair), gone)| (key, pair.revision, (!gone).then_some(pair.value)))
            .collect();
        let bytes = increment(start, end, &writes);
        prop_assert_eq!(&read_increment(&bytes).unwrap(), &(start, end, writes.clone()));
        let mut seen = Vec::new();
        let reader = Reader::new(&*bytes, Kind::Increment, Path::new("i")).unwrap();
        let verified = reader.verify_with(|key, revision, is_value| {
            seen.push((Key::new(key), revision, is_value));
        });
        prop_assert_eq!(verified.unwrap(), end);
        let expected = writes.iter().map(|(key, revision, value)| {
            (key.clone(), *revision, value.is_some())
        });
        prop_assert!(expected.eq(seen));
    }

    #[test]
    fn notices_any_changed_byte(pairs in pairs(), at in any::<proptest::sample::Index>(), bit in 0..8) {
        let mut bytes = encode(3, 5, &pairs);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let found = decode(&bytes).map(|(_, _, pairs)| pairs.len());
        let noticed = matches!(found, Err(Error::Damaged { .. }));
        prop_assert!(noticed, "{found:?}");
        let seen = Reader::new(&*bytes, Kind::Full, Path::new("s")).and_then(Reader::verify);
        let noticed = matches!(seen, Err(Error::Damaged { .. }));
        prop_assert!(noticed, "{seen:?}");
    }
}

#[test]
fn one_is_not_taken_for_the_other() {
    let check = |bytes: &[u8], kind, words: &str| {
        let error = Reader::new(bytes, kind, Path::new("s"))
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    check(&increment(1, 2, &[]), Kind::Full, "it is not a snapshot;");
    let words = "it is not an increment of a snapshot;";
    check(&encode(1, 2, &Vec::new()), Kind::Increment, words);
    // What an increment alone may say is damage in a snapshot.
    let mut bytes = increment(1, 2, &[(Key::new(*b"a"), 1, None)]);
    bytes[..8].copy_from_slice(b"RBSNAP2\n");
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_be_bytes());
    let error = decode(&bytes).unwrap_err().to_string();
    assert!(error.contains("a pair in it cannot be read"), "{error}");
}

#[test]
fn takes_the_longest_pair_behind_a_portion_that_is_nearly_full() {
    let pair = |byte: u8, length: usize| {
        let noise = (0..length).map(|n| (n.wrapping_mul(0x9E37_79B9) >> 11) as u8 ^ byte);
        let value = noise.collect();
        (Key::new(vec![byte; 900]), Versioned { revision: 1, value })
    };
    let pairs = vec![pair(1, PORTION - 2000), pair(2, MAX_VALUE), pair(3, 5)];
    assert!(decode(&encode(1, 1, &pairs)).unwrap().2 == pairs);
}

/// A store and a snapshot of it as an earlier version left them.
#[tokio::test]
async fn a_store_with_a_snapshot_of_the_first_form_is_rebuilt_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options {
        snapshot_bytes: u64::MAX,
        ..test_options(dir.path())
    };
    let store = Sled::open(options()).unwrap();
    work(&store, 0..120).await;
    store.snapshot().await.unwrap();
    work(&store, 120..150).await;
    let expected = all(&store).await;
    store.close().await.unwrap();
    drop(store);
    let path = list(&dir.path().join("snapshots")).unwrap().pop().unwrap();
    let (start, end, pairs) = decode(&fs::read(&path).unwrap()).unwrap();
    let old = first_form(start, end, &pairs);
    assert!(
        old.len() > 2 * fs::read(&path).unwrap().len(),
        "it is compressed"
    );
    fs::write(&path, old).unwrap();
    assert_eq!(open(Kind::Full, &path).unwrap().verify().unwrap(), end);
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(all(&Sled::open(options()).unwrap()).await == expected);
}

#[tokio::test]
async fn an_archive_of_the_first_form_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sled::open(test_options(&dir.path().join("from"))).unwrap();
    work(&store, 0..60).await;
    let expected = all(&store).await;
    let mut bytes = [&b"RBARCH1\n"[..], &first_form(60, 60, &expected)].concat();
    bytes.extend([0; 4]);
    bytes.extend(0_u64.to_be_bytes());
    bytes.extend(60_u64.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    let options = test_options(&dir.path().join("to"));
    let copy = tokio::task::spawn_blocking(move || {
        archive::verify(&*bytes, Path::new("a")).unwrap();
        let summary = archive::import(&*bytes, Path::new("a"), options.clone()).unwrap();
        assert_eq!((summary.revision, summary.groups), (60, 0));
        Sled::open(options).unwrap()
    });
    assert!(all(&copy.await.unwrap()).await == expected);
}
