use proptest::prelude::*;

use super::{Encoding, segments};

fn check(body: &str, encoding: Encoding, units: usize, count: usize) {
    let got = segments(body);
    let shown: String = body.chars().take(12).collect();
    assert_eq!(
        (got.encoding, got.units, got.count),
        (encoding, units, count),
        "{shown}…"
    );
}

fn gsm(body: &str, units: usize, count: usize) {
    check(body, Encoding::Gsm7, units, count);
}

fn ucs(body: &str, units: usize, count: usize) {
    check(body, Encoding::Ucs2, units, count);
}

#[test]
fn gsm7_alone_and_in_parts() {
    gsm("", 0, 1);
    gsm(&"a".repeat(160), 160, 1);
    gsm(&"a".repeat(161), 161, 2);
    gsm(&"a".repeat(306), 306, 2);
    gsm(&"a".repeat(307), 307, 3);
    gsm(&("é".repeat(80) + &"ñ".repeat(80)), 160, 1);
}

#[test]
fn extension_characters_cost_two_and_stay_whole() {
    gsm("\u{c}^{}\\[~]|€", 20, 1);
    gsm(&"€".repeat(80), 160, 1);
    gsm(&("a".repeat(159) + "€"), 161, 2);
    // Fits by the sum, not by the parts: the pair does not end the first one.
    gsm(&("a".repeat(152) + "€" + &"a".repeat(152)), 306, 3);
    gsm(&("a".repeat(152) + "€" + &"a".repeat(10)), 164, 2);
}

#[test]
fn ucs2_alone_and_in_parts() {
    ucs(&"ж".repeat(70), 70, 1);
    ucs(&"ж".repeat(71), 71, 2);
    ucs(&"ж".repeat(134), 134, 2);
    ucs(&"ж".repeat(135), 135, 3);
    ucs(&("a".repeat(152) + "😀"), 154, 3);
}

#[test]
fn graphemes_and_surrogate_pairs_stay_whole() {
    ucs(&"😀".repeat(35), 70, 1);
    ucs(&"😀".repeat(36), 72, 2);
    ucs(&"😀".repeat(67), 134, 3);
    // 11 units each: six in a part of 67.
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    ucs(&family.repeat(7), 77, 2);
    ucs(&family.repeat(12), 132, 2);
    ucs(&family.repeat(13), 143, 3);
}

#[test]
fn characters_just_outside_the_alphabet() {
    ucs("ç", 1, 1);
    gsm("Ç", 1, 1);
    ucs("`", 1, 1);
    ucs("’", 1, 1);
    ucs("\t", 1, 1);
}

#[test]
fn a_line_break_of_two_characters_counts_twice() {
    gsm("a\r\nb", 4, 1);
    ucs(&("ж".repeat(66) + "\r\n" + &"ж".repeat(66)), 134, 2);
}

#[test]
fn a_grapheme_larger_than_a_part_is_taken_apart() {
    let tower = "e".to_owned() + &"\u{301}".repeat(200);
    ucs(&tower, 201, 3);
}

proptest! {
    #[test]
    fn the_count_has_room_for_the_units(body in "(\\PC|[a-z€{}😀\r\n]){0,400}") {
        let got = segments(&body);
        if got.count == 1 {
            prop_assert!(got.units <= got.encoding.units_alone());
        } else {
            prop_assert!(got.units > got.encoding.units_alone());
            prop_assert!(got.units <= got.count * got.encoding.units_per_part());
        }
    }

    #[test]
    fn a_longer_body_never_costs_less(body in "[a-z€😀ж]{0,300}", more in "[a-z€😀ж]{0,20}") {
        let longer = body.clone() + &more;
        prop_assert!(segments(&longer).count >= segments(&body).count);
    }
}
