use proptest::prelude::*;

use super::{e164, region_of};

fn check(input: &str, region: Option<&str>, expected: &str) {
    let got = match e164(input, region) {
        Ok(number) => number,
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expected, "{input:?} {region:?}");
}

#[test]
fn written_with_a_country_code() {
    check("+15550100142", None, "+15550100142");
    check("+1 (555) 010-0142", None, "+15550100142");
    check(" tel:+1-555-010-0142 ", None, "+15550100142");
    check("+1.212.555.0142", Some("DE"), "+12125550142");
    check("+44 20 7946 0000", None, "+442079460000");
    check("＋15550100142", None, "+15550100142");
    check("+39 06 698 1234", None, "+39066981234");
}

#[test]
fn written_for_a_region() {
    check("(555) 010-0142", Some("US"), "+15550100142");
    check("1-555-010-0142", Some("us"), "+15550100142");
    check("020 7946 0000", Some("GB"), "+442079460000");
    check(
        "5550100142",
        Some("Mars"),
        "Mars is not a region; use two letters such as US",
    );
    check(
        "5550100142",
        Some("ZZ"),
        "ZZ is not a region; use two letters such as US",
    );
}

#[test]
fn the_reader_is_told_what_to_write() {
    check(
        "(555) 010-0142",
        None,
        "(555) 010-0142 looks like a national number; write it as +15550100142",
    );
    check(
        "15550100142",
        None,
        "15550100142 looks like a national number; write it as +15550100142",
    );
    check(
        "020 7946 0000",
        None,
        "020 7946 0000 looks like a national number; write it with its country code, such as +442079460000",
    );
    check(
        "00442079460000",
        None,
        "00442079460000 looks like a national number; write it as +442079460000",
    );
    check(
        "40404",
        None,
        "40404 looks like a national number; write it with a plus and its country code, such as +15550100142",
    );
    check("  ", None, "the number is empty; write it as +15550100142");
    check(
        "SHOP",
        None,
        "SHOP is not a phone number; write it as +15550100142",
    );
    check(
        "+15550100142 ext 5",
        None,
        "+15550100142 ext 5 is not a phone number; write it as +15550100142",
    );
    check(
        "+1555010",
        None,
        "+1555010 has 7 digits; a number with its country code has 8 to 15",
    );
    check(
        "+1234567890123456",
        None,
        "+1234567890123456 has 16 digits; a number with its country code has 8 to 15",
    );
    check("+15550100", None, "+15550100 is too short for its country");
    check(
        "+155501001423",
        None,
        "+155501001423 is too long for its country",
    );
    check(
        "+99999999999",
        None,
        "+99999999999 starts with a country code that does not exist",
    );
}

#[test]
fn regions() {
    for (number, expected) in [
        ("+12125550142", Some("US")),
        ("+15550100142", Some("US")),
        ("+14165550142", Some("CA")),
        ("+442079460000", Some("GB")),
        ("+33142685300", Some("FR")),
        ("12125550142", None),
        ("", None),
        ("+870301234567", None),
    ] {
        assert_eq!(region_of(number).as_deref(), expected, "{number}");
    }
}

proptest! {
    #[test]
    fn never_panics(input in "\\PC{0,30}", region in proptest::option::of("[A-Z]{0,3}")) {
        let _ = e164(&input, region.as_deref());
        let _ = region_of(&input);
    }

    #[test]
    fn what_comes_out_goes_in_again(input in "\\+?[0-9 ()-]{4,20}") {
        if let Ok(number) = e164(&input, Some("US")) {
            prop_assert!(number.starts_with('+'));
            prop_assert_eq!(e164(&number, None), Ok(number.clone()));
        }
    }
}
