//! What a power cut leaves of sled's own files: whatever was synced, and of the
//! pages written since any mix of old and new. The journal was synced, so the
//! store has to come back equal each time, mended or rebuilt.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::tests::{all, names, test_options, work};
use super::{Options, Sled};
use crate::Store;

const PAGE: usize = 4096;

/// A small generator; the seed stands in the message of a failure.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from).iter().filter(|name| from.join(name).is_file()) {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// Mixes the pages of one file; `old` is what was synced.
fn mix(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let share = 1 + dice.roll(9);
    let mut mixed = new.to_vec();
    for (number, page) in mixed.chunks_mut(PAGE).enumerate() {
        if dice.roll(10) < share {
            continue;
        }
        let at = number * PAGE;
        for (place, byte) in page.iter_mut().enumerate() {
            // Past its old end a file that grew has zeros.
            *byte = old.get(at + place).copied().unwrap_or(0);
        }
    }
    // The new length may not have reached the disk either.
    if dice.roll(3) == 0 {
        mixed.truncate(old.len().max(mixed.len() / 2));
    }
    mixed
}

async fn check_cuts(rounds: u64, before: Range<u32>, after: Range<u32>) {
    for seed in 1..=rounds {
        let dir = tempfile::tempdir().unwrap();
        // Only the checkpoint that is asked for.
        let options = Options {
            checkpoint_bytes: u64::MAX,
            snapshot_bytes: u64::MAX,
            ..test_options(dir.path())
        };
        let (sled, synced) = (dir.path().join("sled"), dir.path().join("synced"));
        let store = Sled::open(options.clone()).unwrap();
        work(&store, before.clone()).await;
        store.checkpoint().await.unwrap();
        copy(&sled, &synced);
        work(&store, after.clone()).await;
        let expected = all(&store).await;
        drop(store);
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let both: BTreeSet<_> = names(&sled).into_iter().chain(names(&synced)).collect();
        for name in both {
            let (old, new) = (fs::read(synced.join(&name)), fs::read(sled.join(&name)));
            match (old, new) {
                (Ok(old), Ok(new)) => {
                    fs::write(sled.join(&name), mix(&old, &new, &mut dice)).unwrap()
                }
                (Ok(old), Err(_)) if dice.roll(2) == 0 => fs::write(sled.join(&name), old).unwrap(),
                (Err(_), Ok(_)) if dice.roll(2) == 0 => fs::remove_file(sled.join(&name)).unwrap(),
                _ => {}
            }
        }
        let again = Options {
            boot: Some("another".into()),
            ..options
        };
        let store = Sled::open(again).unwrap();
        let found = all(&store).await;
        assert!(
            found == expected,
            "seed {seed}: {} of {} pairs",
            found.len(),
            expected.len()
        );
        work(&store, 0..20).await;
        let aside = names(dir.path())
            .iter()
            .any(|name| name.starts_with("sled.damaged"));
        assert!(
            aside,
            "seed {seed}: a state that cannot be believed was used"
        );
    }
}

#[tokio::test]
async fn comes_back_equal_after_a_power_cut() {
    check_cuts(6, 0..300, 300..500).await;
}

/// A kill is not a power cut: what it leaves is believed, and costs no rebuild.
#[tokio::test]
async fn believes_its_state_after_a_clean_close_and_within_one_boot() {
    let dir = tempfile::tempdir().unwrap();
    let open = |boot: Option<&str>| {
        let mut options = test_options(dir.path());
        options.boot = boot.map(Into::into);
        Sled::open(options).unwrap()
    };
    // The number of the one that is kept.
    let aside = || {
        let names = names(dir.path());
        let mut kept = names
            .iter()
            .filter_map(|name| name.strip_prefix("sled.damaged-"));
        let number = kept.next().map_or(0, |number| number.parse().unwrap());
        assert_eq!(kept.next(), None, "more than one is kept");
        number
    };
    let store = open(Some("one"));
    work(&store, 0..30).await;
    let expected = all(&store).await;
    drop(store);
    let store = open(Some("one"));
    assert_eq!(aside(), 0, "within one boot");
    store.close().await.unwrap();
    drop(store);
    drop(open(Some("two")));
    assert_eq!(aside(), 0, "after a clean close");
    drop(open(Some("three")));
    assert_eq!(aside(), 1, "after a drop and another boot");
    drop(open(None));
    assert_eq!(aside(), 2, "who cannot tell rebuilds");
    let store = open(None);
    assert_eq!(aside(), 3);
    assert_eq!(all(&store).await, expected);
}
