use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{Decision, US_SAFE, Window, marketing_window, next_allowed, rule, rules, zones_for};

/// `now` and the answer are wall times in the first zone.
fn check_in(window: &Window, zones: &[&str], now: &str, expected: &str) {
    let zone = TimeZone::get(zones[0]).unwrap();
    let at = |text: &str| zone.to_timestamp(text.parse().unwrap()).unwrap();
    let got = match next_allowed(at(now), zones, window) {
        Decision::Allowed => "now".to_owned(),
        Decision::NotBefore(at) => zone.to_datetime(at).strftime("%F %R").to_string(),
        Decision::Never => "never".to_owned(),
    };
    assert_eq!(got, expected, "{zones:?} {now}");
}

fn check(zones: &[&str], now: &str, expected: &str) {
    check_in(&US_SAFE, zones, now, expected);
}

const NEW_YORK: &str = "America/New_York";
const LOS_ANGELES: &str = "America/Los_Angeles";

#[test]
fn one_zone() {
    check(&[NEW_YORK], "2026-11-20T08:59:59", "2026-11-20 09:00");
    check(&[NEW_YORK], "2026-11-20T09:00", "now");
    check(&[NEW_YORK], "2026-11-20T19:54:59", "now");
    check(&[NEW_YORK], "2026-11-20T19:55", "2026-11-21 09:00");
    check(&[NEW_YORK], "2026-11-20T23:00", "2026-11-21 09:00");
    check(&[NEW_YORK], "2026-11-21T00:30", "2026-11-21 09:00");
}

#[test]
fn all_candidates_must_allow() {
    let zones = [NEW_YORK, LOS_ANGELES];
    check(&zones, "2026-11-20T09:00", "2026-11-20 12:00");
    check(&zones, "2026-11-20T12:00", "now");
    check(&zones, "2026-11-20T19:55", "2026-11-21 12:00");
}

#[test]
fn without_a_common_hour_most_of_them_must_allow() {
    // New York and Los Angeles share hours, Perth shares none with both.
    let zones = [NEW_YORK, LOS_ANGELES, "Australia/Perth"];
    check(&zones, "2026-11-20T09:00", "2026-11-20 12:00");
    check(&zones, "2026-11-20T12:00", "now");
    // New York is late, but Los Angeles and Perth are two of three.
    check(&zones, "2026-11-20T20:30", "now");
}

#[test]
fn no_zone_is_never() {
    let now = Timestamp::UNIX_EPOCH;
    assert_eq!(next_allowed(now, &[], &US_SAFE), Decision::Never);
    assert_eq!(next_allowed(now, &["Mars/Base"], &US_SAFE), Decision::Never);
}

#[test]
fn clock_changes() {
    // The gap of 2026-03-08 and the overlap of 2026-11-01 move the instants,
    // not the wall times.
    check(&[NEW_YORK], "2026-03-07T20:00", "2026-03-08 09:00");
    check(&[NEW_YORK], "2026-10-31T20:00", "2026-11-01 09:00");
    // A limit inside the gap or the overlap: the narrower reading.
    let window = Window::daily(time(1, 30, 0, 0), time(2, 30, 0, 0)).unwrap();
    check_in(&window, &[NEW_YORK], "2026-11-01T00:00", "2026-11-01 01:30");
    let second = "2026-11-01T06:30:00Z".parse::<Timestamp>().unwrap();
    let first = "2026-11-01T05:30:00Z".parse::<Timestamp>().unwrap();
    let got = next_allowed(first, &[NEW_YORK], &window);
    assert_eq!(got, Decision::NotBefore(second));
}

#[test]
fn an_allowed_midnight_is_no_end() {
    let window = Window::daily(time(0, 0, 0, 0), time(0, 0, 0, 0)).unwrap();
    check_in(&window, &[NEW_YORK], "2026-11-20T23:58", "now");
    let window = Window::daily(time(8, 0, 0, 0), time(0, 0, 0, 0)).unwrap();
    check_in(&window, &[NEW_YORK], "2026-11-20T23:54", "now");
    check_in(&window, &[NEW_YORK], "2026-11-20T23:55", "2026-11-21 08:00");
    assert!(Window::daily(time(20, 0, 0, 0), time(8, 0, 0, 0)).is_err());
}

#[test]
fn stricter_places() {
    // 2026-11-22 is a Sunday.
    let texas = marketing_window("+15125550142");
    check_in(
        &texas,
        &["America/Chicago"],
        "2026-11-22T09:00",
        "2026-11-22 12:00",
    );
    check_in(&texas, &["America/Chicago"], "2026-11-23T09:00", "now");
    let rhode_island = marketing_window("+14015550142");
    check_in(
        &rhode_island,
        &[NEW_YORK],
        "2026-11-20T17:56",
        "2026-11-21 10:00",
    );
    let france = marketing_window("+33142685300");
    check_in(
        &france,
        &["Europe/Paris"],
        "2026-11-21T20:00",
        "2026-11-23 09:00",
    );
    // Christmas and Saint Stephen's: only the first is a holiday.
    check_in(
        &france,
        &["Europe/Paris"],
        "2026-12-25T12:00",
        "2026-12-26 09:00",
    );
    assert_eq!(marketing_window("+12125550142"), US_SAFE);
    assert_eq!(marketing_window("not a number"), US_SAFE);
}

#[test]
fn the_safe_preset_satisfies_all_rows_but_three() {
    let stricter: Vec<&str> = rules()
        .iter()
        .filter(|rule| US_SAFE.intersect(&rule.window) != US_SAFE)
        .map(|rule| rule.place)
        .collect();
    assert_eq!(stricter, ["US-RI", "US-TX", "FR"]);
    assert!(rule("US-FL").is_some() && rule("XX").is_none());
}

#[test]
fn which_zones_count() {
    let business = "America/Denver";
    assert_eq!(
        zones_for(Some(NEW_YORK), "+13125550142", business),
        [NEW_YORK]
    );
    assert_eq!(
        zones_for(None, "+13125550142", business),
        ["America/Chicago"]
    );
    assert_eq!(zones_for(None, "+15550100142", business), [business]);
    assert_eq!(zones_for(None, "+18005550142", business), [business]);
    assert_eq!(zones_for(None, "", business), [business]);
    assert!(zones_for(None, "+447700900142", business).contains(&"Europe/London"));
}

proptest! {
    /// What is allowed is inside the window by the wall clock of every zone,
    /// and the promised instant is allowed when it comes.
    #[test]
    fn the_wall_clock_agrees(
        now in 1_767_225_600_i64..1_800_000_000,
        zones in proptest::sample::subsequence(
            vec![NEW_YORK, LOS_ANGELES, "America/Chicago", "America/Phoenix", "America/Halifax"], 1..4),
    ) {
        let now = Timestamp::from_second(now).unwrap();
        let inside = |at: Timestamp| zones.iter().all(|name| {
            let wall = TimeZone::get(name).unwrap().to_datetime(at).time();
            wall >= time(9, 0, 0, 0) && wall < time(19, 55, 0, 0)
        });
        match next_allowed(now, &zones, &US_SAFE) {
            Decision::Allowed => prop_assert!(inside(now)),
            Decision::NotBefore(at) => {
                prop_assert!(!inside(now) && at > now && inside(at));
                prop_assert_eq!(next_allowed(at, &zones, &US_SAFE), Decision::Allowed);
                let before = at.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
                prop_assert!(!inside(before));
            }
            Decision::Never => prop_assert!(false, "never"),
        }
    }
}
