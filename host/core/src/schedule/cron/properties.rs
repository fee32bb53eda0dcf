use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Cron;

const NEW_YORK: &str = "America/New_York";

/// A field as text and as the values it allows.
fn field(low: i8, high: i8) -> impl Strategy<Value = (String, Vec<i8>)> {
    prop_oneof![
        Just(("*".to_owned(), (low..=high).collect::<Vec<_>>())),
        (low..=high).prop_map(|value| (value.to_string(), vec![value])),
        (low..=high, low..=high).prop_map(|(a, b)| {
            let (from, to) = (a.min(b), a.max(b));
            (format!("{from}-{to}"), (from..=to).collect())
        }),
        (2..=high).prop_map(move |step| {
            (
                format!("*/{step}"),
                (low..=high).step_by(step as usize).collect(),
            )
        }),
        (low..=high, low..=high).prop_map(|(a, b)| (format!("{a},{b}"), vec![a, b])),
    ]
}

const NIGHTS: [(&str, &str); 8] = [
    (NEW_YORK, "2027-03-13T12:00"),
    (NEW_YORK, "2027-11-06T12:00"),
    ("Europe/London", "2027-03-27T12:00"),
    ("Europe/London", "2027-10-30T12:00"),
    ("Australia/Lord_Howe", "2026-10-03T12:00"),
    ("Australia/Lord_Howe", "2027-04-03T12:00"),
    ("Asia/Kolkata", "2027-03-13T12:00"),
    ("UTC", "2027-03-13T12:00"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The rule once more, written as a walk over the real minutes of two days.
    #[test]
    fn agrees_with_a_walk_over_minutes(
        (minute, minutes) in field(0, 59),
        // Mostly hours near the changes.
        (hour, hours) in prop_oneof![field(0, 3), field(0, 23)],
        (weekday, weekdays) in field(0, 6),
        night in proptest::sample::select(&NIGHTS[..]),
    ) {
        // `field(0, 3)` writes its wildcards as if they were all hours.
        let hours: Vec<i8> = match hour.strip_prefix('*') {
            Some("") => (0..24).collect(),
            Some(step) => (0..24).step_by(step[1..].parse().unwrap()).collect(),
            None => hours,
        };
        let cron = Cron::parse(&format!("{minute} {hour} * * {weekday}")).unwrap();
        let matches = |wall: DateTime| {
            minutes.contains(&wall.minute())
                && hours.contains(&wall.hour())
                && weekdays.contains(&wall.weekday().to_sunday_zero_offset())
        };
        let zone = TimeZone::get(night.0).unwrap();
        let start = zone.to_timestamp(night.1.parse().unwrap()).unwrap();
        let one = SignedDuration::from_mins(1);
        let mut expected = Vec::new();
        let mut at = start;
        for _ in 0..2 * 24 * 60 {
            let before = zone.to_datetime(at);
            at = at.checked_add(one).unwrap();
            let wall = zone.to_datetime(at);
            let second = matches!(
                zone.to_ambiguous_timestamp(wall).offset(),
                AmbiguousOffset::Fold { after, .. } if after == zone.to_offset(at)
            );
            let fires = if hour.starts_with('*') {
                matches(wall)
            } else {
                let mut skipped = before.checked_add(one).unwrap();
                let mut in_gap = false;
                while skipped < wall {
                    in_gap |= matches(skipped);
                    skipped = skipped.checked_add(one).unwrap();
                }
                in_gap || (matches(wall) && !second)
            };
            if fires {
                expected.push(at);
            }
        }
        let missed = cron.missed(start, at, &zone, usize::MAX);
        let got: Vec<Timestamp> = missed.firings.iter().map(|firing| firing.at).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn never_panics(
        text in "\\PC{0,40}",
        fields in "([0-9*?/,-]{1,6} ){4,6}(mon|[0-9*/,-]{1,5}|sun-tue)",
    ) {
        let _ = Cron::parse(&text);
        if let Ok(cron) = Cron::parse(&fields) {
            let firing = cron.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC).unwrap();
            prop_assert!(firing.at > Timestamp::UNIX_EPOCH);
        }
    }
}
