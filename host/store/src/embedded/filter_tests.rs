//! What was taken up is never denied, and little else is owned to.

use super::{Filter, hashed};

fn key(number: u32) -> Vec<u8> {
    format!("k/{number}").into_bytes()
}

fn check(keys: u32, most_wrong: u32) {
    let mut filter = Filter::new(u64::from(keys));
    (0..keys).for_each(|number| filter.add(hashed(&key(number))));
    let kept: Vec<u8> = filter.bytes().collect();
    let filter = Filter::read(&kept).unwrap();
    assert!((0..keys).all(|number| filter.may_hold(hashed(&key(number)))));
    let others = 1_000_000..1_010_000;
    let wrong = others.filter(|number| filter.may_hold(hashed(&key(*number))));
    let wrong = u32::try_from(wrong.count()).unwrap();
    assert!(wrong <= most_wrong, "{wrong} of 10000, with {keys} keys");
}

#[test]
fn denies_nothing_that_it_holds() {
    check(0, 0);
    check(1, 0);
    check(100, 100);
    check(30_000, 60);
}

#[test]
fn takes_nothing_else_for_a_filter() {
    for length in [0, 1, 8, 63, 65] {
        assert!(Filter::read(&vec![1; length]).is_none(), "{length}");
    }
    assert!(Filter::read(&[0; 128]).is_some());
}

/// It is on disks: changing it takes a new layout.
#[test]
fn stays_as_it_is() {
    let mut filter = Filter::new(3);
    for key in ["b/one", "k/two", "p/three"] {
        filter.add(hashed(key.as_bytes()));
    }
    let sum = crc32fast::hash(&filter.bytes().collect::<Vec<_>>());
    assert_eq!(sum, 700_504_159, "change LAYOUT with it");
}
