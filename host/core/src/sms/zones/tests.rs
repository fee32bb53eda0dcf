use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{TABLE, zone_of, zones_of};

fn check(e164: &str, expected: &[&str]) {
    assert_eq!(zones_of(e164), expected, "{e164}");
}

#[test]
fn the_longest_prefix_wins() {
    check("+12125550142", &["America/New_York"]);
    check("+13125550142", &["America/Chicago"]);
    // Idaho by default lies in two zones; some exchanges are known better.
    check("+12082010142", &["America/Denver"]);
    check("+33142685300", &["Europe/Paris"]);
    check("+442079460000", &["Europe/London"]);
    check("+919876543210", &["Asia/Calcutta"]);
}

#[test]
fn many_zones_are_candidates() {
    assert!(zones_of("+18005550142").len() > 30, "toll-free");
    assert!(zones_of("+15550100142").len() > 30, "fictional area code");
    assert_eq!(zone_of("+15550100142"), None);
    assert_eq!(zone_of("+12125550142"), Some("America/New_York"));
}

#[test]
fn what_is_not_a_number_has_no_zone() {
    for input in ["", "+", "12125550142", "+0", "SHOP", "+é1"] {
        check(input, &[]);
    }
}

#[test]
fn every_zone_of_the_table_is_known_to_jiff() {
    for zone in TABLE.lists.iter().flat_map(|list| list.iter()) {
        assert!(TimeZone::get(zone).is_ok(), "{zone}");
    }
    assert_eq!(TABLE.prefixes.len(), 3240);
}

proptest! {
    #[test]
    fn never_panics(input in "\\PC{0,30}") {
        let _ = zones_of(&input);
        let _ = zones_of(&format!("+{input}"));
    }
}
