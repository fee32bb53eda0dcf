//! How many leave when, without an engine.

use super::*;
use crate::engine::tests::build;
use crate::workflow::{Definition, Window};

fn times(count: u32, per: Per) -> Option<Times> {
    Some(Times { count, per })
}

fn marketing(zone: Option<&str>, days: Option<u8>) -> Calendar {
    let definition = Definition {
        window: zone.map(|zone| Window {
            days,
            between: None,
            zone: WindowZone::Named(zone.to_owned()),
        }),
        ..Definition::default()
    };
    Calendar::of(&definition, &build::setup())
}

/// Lets texts leave as fast as they may, from a time until another, and gives the
/// times.
fn leave(rate: &Rate, calendar: &Calendar, from: &str, to: &str) -> Vec<Timestamp> {
    let (mut now, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
    let mut campaign = Campaign::new("c", "C", now);
    let mut left = Vec::new();
    while now < to {
        match ask(rate, calendar, &campaign, "a", false, now) {
            Ok(()) => {
                take(rate, calendar, &mut campaign, "a", false, now);
                left.push(now);
            }
            Err(not_yet) => {
                assert!(not_yet.until > now, "{not_yet:?} at {now}");
                now = not_yet.until;
            }
        }
    }
    left
}

#[test]
fn never_more_than_the_rate_in_any_stretch() {
    let calendar = marketing(None, None);
    for (count, per, seconds) in [
        (20, Per::Minute, 60),
        (7, Per::Minute, 60),
        (3, Per::Second, 1),
        (1_000, Per::Hour, 3_600),
    ] {
        for rate in [
            Rate {
                total: times(count, per),
                ..Rate::default()
            },
            Rate {
                per_number: times(count, per),
                ..Rate::default()
            },
        ] {
            let left = leave(
                &rate,
                &calendar,
                "2026-11-18T16:00:00Z",
                "2026-11-18T19:00:00Z",
            );
            let stretch = SignedDuration::from_secs(seconds);
            let most = (0..left.len())
                .map(|first| {
                    let end = later(left[first], stretch);
                    left[first..].iter().take_while(|at| **at < end).count()
                })
                .max();
            assert_eq!(most, Some(count as usize), "{rate:?}");
        }
    }
}

#[test]
fn days_are_those_of_the_zone() {
    let rate = Rate {
        total: times(3, Per::Day),
        ..Rate::default()
    };
    fn check(rate: &Rate, calendar: &Calendar, expected: &[&str]) {
        let left = leave(
            rate,
            calendar,
            "2026-11-18T16:00:00Z",
            "2026-11-22T05:00:00Z",
        );
        let shown: Vec<String> = left.iter().step_by(3).map(|at| at.to_string()).collect();
        assert_eq!(shown, expected);
        assert_eq!(left.len() % 3, 0);
    }
    // The business is in Chicago; the next day's texts may leave from eight on.
    check(
        &rate,
        &marketing(None, None),
        &[
            "2026-11-18T16:00:00Z",
            "2026-11-19T14:00:00Z",
            "2026-11-20T14:00:00Z",
            "2026-11-21T14:00:00Z",
        ],
    );
    // Where it is two o'clock in the night, and on Mondays to Fridays.
    check(
        &rate,
        &marketing(Some("Australia/Sydney"), Some(0b001_1111)),
        &["2026-11-18T16:00:00Z", "2026-11-19T21:00:00Z"],
    );
}

#[test]
fn a_spread_total_takes_the_whole_day() {
    let rate = Rate {
        total: times(13, Per::Day),
        spread: Some(Spread::Even),
        ..Rate::default()
    };
    // Thirteen hours, thirteen texts: one an hour, also when the day is half over.
    let calendar = marketing(None, None);
    let left = leave(
        &rate,
        &calendar,
        "2026-11-18T14:00:00Z",
        "2026-11-19T03:00:00Z",
    );
    assert_eq!(left.len(), 13);
    let gaps: Vec<i64> = left
        .windows(2)
        .map(|two| two[1].duration_since(two[0]).as_mins())
        .collect();
    assert!(gaps.iter().all(|gap| *gap == 60), "{gaps:?}");
    let late = leave(
        &rate,
        &calendar,
        "2026-11-18T23:00:00Z",
        "2026-11-19T03:00:00Z",
    );
    assert_eq!(late.len(), 4);
}

#[test]
fn a_clock_that_was_set_back_neither_frees_nor_blocks() {
    let rate = Rate {
        total: times(2, Per::Day),
        per_number: times(1, Per::Hour),
        spread: None,
    };
    let calendar = marketing(None, None);
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let mut campaign = Campaign::new("c", "C", at("2026-11-18T16:00:00Z"));
    for day in [
        "2026-11-18T16:00:00Z",
        "2026-11-18T17:00:00Z",
        "2027-11-18T16:00:00Z",
    ] {
        assert_eq!(
            ask(&rate, &calendar, &campaign, "a", false, at(day)),
            Ok(())
        );
        take(&rate, &calendar, &mut campaign, "a", false, at(day));
    }
    // A year ahead was a mistake of the clock: the day is full as it was before.
    let back = at("2026-11-18T20:00:00Z");
    let told = ask(&rate, &calendar, &campaign, "a", false, back).unwrap_err();
    assert_eq!(told.rate, "2 a day");
    // The next day the number does not wait for a year.
    let next = at("2026-11-19T15:00:00Z");
    assert_eq!(ask(&rate, &calendar, &campaign, "a", false, next), Ok(()));
    take(&rate, &calendar, &mut campaign, "a", false, next);
    let soon = at("2026-11-19T15:30:00Z");
    let told = ask(&rate, &calendar, &campaign, "a", false, soon).unwrap_err();
    assert_eq!(
        (told.until, told.rate.as_str()),
        (at("2026-11-19T16:00:00Z"), "1 an hour")
    );
    assert_eq!(ask(&rate, &calendar, &campaign, "b", false, soon), Ok(()));
}

#[test]
fn an_estimate_is_what_comes_of_it() {
    for (total, spread) in [(10, None), (10, Some(Spread::Even)), (500, None)] {
        let rate = Rate {
            total: times(total, Per::Day),
            per_number: times(1, Per::Minute),
            spread,
        };
        let calendar = marketing(None, None);
        let now = "2026-11-18T16:00:00Z".parse().unwrap();
        let left = leave(
            &rate,
            &calendar,
            "2026-11-18T16:00:00Z",
            "2026-11-25T16:00:00Z",
        );
        let campaign = Campaign::new("c", "C", now);
        for before in [0_u64, 1, 9, 10, 25] {
            let guess = estimate(&rate, &calendar, &campaign, before, now, now);
            let real = left[before as usize];
            let off = guess.duration_since(real).abs();
            let allowed = if spread.is_some() { 24 } else { 1 };
            assert!(
                off < SignedDuration::from_hours(allowed),
                "{before}: {guess}, and it was {real}"
            );
        }
    }
}
