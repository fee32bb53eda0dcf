use proptest::prelude::*;

use super::smart_encode;
use crate::sms::segments::{Encoding, segments};

fn check(body: &str, expected: &str) {
    assert_eq!(smart_encode(body), expected, "{body:?}");
}

#[test]
fn look_alikes_become_gsm7() {
    check(
        "We’re open — call “Sam” at ½ past…",
        "We're open - call \"Sam\" at 1/2 past...",
    );
    check("`code` ‘x’ «y» „z“", "'code' 'x' \"y\" \"z\"");
    check(
        "1\u{2044}2 \u{2022} item\u{2011}one \u{2013} two",
        "1/2 - item-one - two",
    );
    check("ＳＴＯＰ！", "STOP!");
    check("no\u{a0}break\u{202f}here\u{3000}x", "no break here x");
    check("zero\u{200b}width\u{feff}\u{2060}", "zerowidth");
    check("ᴄᴀʟʟ ✱now✱", "CALL *now*");
    assert_eq!(segments(&smart_encode("’")).encoding, Encoding::Gsm7);
}

#[test]
fn a_text_that_stays_ucs2_is_left_alone() {
    check("“Привет”…", "“Привет”…");
    check("It’s ok 😀", "It’s ok 😀");
    check("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧");
    check("garçon’s", "garçon’s");
}

#[test]
fn a_gsm7_text_is_left_alone() {
    check("Ça coûte", "Ça coûte");
    check("plain {text} €5\r\n", "plain {text} €5\r\n");
    check("", "");
}

#[test]
fn never_more_segments_than_before() {
    // 70 ellipses are one UCS-2 segment and would be 210 septets.
    let dots = "…".repeat(70);
    check(&dots, &dots);
}

proptest! {
    #[test]
    fn idempotent_and_never_dearer(body in "(\\PC|[a-z’“”…—•½\u{200b}]){0,200}") {
        let once = smart_encode(&body);
        prop_assert_eq!(&smart_encode(&once), &once);
        prop_assert!(segments(&once).count <= segments(&body).count);
    }
}
