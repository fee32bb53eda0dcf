//! A year of firings against a walk over its minutes. Nothing of the module is used
//! to say what is right: each line stands beside a function that reads a wall clock,
//! gaps and repeated hours are seen on the clock itself as it is walked.

use std::time::Instant;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Cron;

const ZONES: [&str; 5] = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
];

/// A line, whether its hour field is `*` or `*/n`, when it fires by the wall clock,
/// and at which seconds of such a minute.
struct Line {
    text: &'static str,
    interval: bool,
    minute: fn(&DateTime) -> bool,
    second: fn(i8) -> bool,
}

/// A line of five fields, which fires at the full minute.
const fn five(text: &'static str, interval: bool, minute: fn(&DateTime) -> bool) -> Line {
    six(text, interval, minute, |second| second == 0)
}

const fn six(
    text: &'static str,
    interval: bool,
    minute: fn(&DateTime) -> bool,
    second: fn(i8) -> bool,
) -> Line {
    Line {
        text,
        interval,
        minute,
        second,
    }
}

fn at(wall: &DateTime, hour: i8, minute: i8) -> bool {
    wall.hour() == hour && wall.minute() == minute
}

fn workday(wall: &DateTime) -> bool {
    !matches!(wall.weekday(), Weekday::Saturday | Weekday::Sunday)
}

const LINES: [Line; 30] = [
    five("* * * * *", true, |_| true),
    five("*/15 * * * *", true, |w| w.minute() % 15 == 0),
    five("7 * * * *", true, |w| w.minute() == 7),
    five("0 */2 * * *", true, |w| {
        w.minute() == 0 && w.hour() % 2 == 0
    }),
    five("10-20/5 */3 * * *", true, |w| {
        matches!(w.minute(), 10 | 15 | 20) && w.hour() % 3 == 0
    }),
    five("30 * * * sun", true, |w| {
        w.minute() == 30 && w.weekday() == Weekday::Sunday
    }),
    five("0 0 * * *", false, |w| at(w, 0, 0)),
    five("30 0 * * *", false, |w| at(w, 0, 30)),
    five("59 23 * * *", false, |w| at(w, 23, 59)),
    five("15 1 * * *", false, |w| at(w, 1, 15)),
    five("30 1 * * *", false, |w| at(w, 1, 30)),
    five("45 1 * * 0", false, |w| {
        at(w, 1, 45) && w.weekday() == Weekday::Sunday
    }),
    five("0 2 * * *", false, |w| at(w, 2, 0)),
    five("15 2 * * *", false, |w| at(w, 2, 15)),
    five("30 2 * * *", false, |w| at(w, 2, 30)),
    five("*/10 2 * * *", false, |w| {
        w.hour() == 2 && w.minute() % 10 == 0
    }),
    five("*/20 0-3 * * *", false, |w| {
        (0..=3).contains(&w.hour()) && w.minute() % 20 == 0
    }),
    five("0 0-23 * * *", false, |w| w.minute() == 0),
    five("0,30 1,2,3 * * *", false, |w| {
        matches!(w.hour(), 1..=3) && matches!(w.minute(), 0 | 30)
    }),
    five("0 3 * * 7", false, |w| {
        at(w, 3, 0) && w.weekday() == Weekday::Sunday
    }),
    five("0 9 * * mon-fri", false, |w| at(w, 9, 0) && workday(w)),
    five("0 10 * * tue", false, |w| {
        at(w, 10, 0) && w.weekday() == Weekday::Tuesday
    }),
    five("30 17 1 * *", false, |w| at(w, 17, 30) && w.day() == 1),
    five("0 12 13 * fri", false, |w| {
        at(w, 12, 0) && (w.day() == 13 || w.weekday() == Weekday::Friday)
    }),
    five("0 6 31 jan-mar,12 *", false, |w| {
        at(w, 6, 0) && w.day() == 31 && matches!(w.month(), 1..=3 | 12)
    }),
    five("30 2 */7 3,4,10,11 *", false, |w| {
        at(w, 2, 30) && w.day() % 7 == 1 && matches!(w.month(), 3 | 4 | 10 | 11)
    }),
    six("30 15 2 * * *", false, |w| at(w, 2, 15), |s| s == 30),
    six("*/20 59 1 * * *", false, |w| at(w, 1, 59), |s| s % 20 == 0),
    six(
        "5,45 */30 * * * *",
        true,
        |w| w.minute() % 30 == 0,
        |s| s == 5 || s == 45,
    ),
    six(
        "0-2 0 */6 * * sat,sun",
        true,
        |w| w.minute() == 0 && w.hour() % 6 == 0 && !workday(w),
        |s| s <= 2,
    ),
];

/// What a walk over the year's minutes shows of one zone: each minute with its wall
/// time, the wall times that were skipped before it, and whether it was there before.
fn walk(zone: &TimeZone, mut see: impl FnMut(Timestamp, DateTime, &[DateTime], bool)) {
    let minute = SignedDuration::from_mins(1);
    let start: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
    let mut now = start;
    let mut latest = zone.to_datetime(start - minute);
    while now < end {
        let wall = zone.to_datetime(now);
        assert_eq!(wall.second(), 0, "clocks change by whole minutes");
        let again = wall <= latest;
        let mut skipped = Vec::new();
        let mut expected = latest.checked_add(minute).unwrap();
        while expected < wall {
            skipped.push(expected);
            expected = expected.checked_add(minute).unwrap();
        }
        see(now, wall, &skipped, again);
        latest = latest.max(wall);
        now += minute;
    }
}

#[test]
fn proof_cron_year() {
    let began = Instant::now();
    let (mut firings, mut in_gaps, mut again_kept, mut again_left) = (0, 0, 0, 0);
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let mut expected: Vec<Vec<Timestamp>> = LINES.iter().map(|_| Vec::new()).collect();
        let (mut gaps, mut folds) = (0, 0);
        walk(&zone, |now, wall, skipped, again| {
            gaps += usize::from(!skipped.is_empty());
            folds += usize::from(again);
            for (line, fires) in LINES.iter().zip(&mut expected) {
                let missed = |wall: &DateTime| (line.minute)(wall) && (0..60).any(line.second);
                let from_gap = !line.interval && skipped.iter().any(missed);
                if from_gap {
                    in_gaps += 1;
                    fires.push(now);
                }
                if !(line.minute)(&wall) {
                    continue;
                }
                if again && !line.interval {
                    again_left += 1;
                    continue;
                }
                again_kept += usize::from(again);
                for second in (0..60).filter(|second| (line.second)(*second)) {
                    let fire = now + SignedDuration::from_secs(i64::from(second));
                    if !(from_gap && second == 0) {
                        fires.push(fire);
                    }
                }
            }
        });
        let nights = if matches!(name, "Asia/Kolkata" | "UTC") {
            0
        } else {
            1
        };
        let repeated = if name == "Australia/Lord_Howe" {
            30
        } else {
            60
        };
        assert_eq!(
            (gaps, folds),
            (nights, nights * repeated),
            "both nights of {name}"
        );
        for (line, expected) in LINES.iter().zip(expected) {
            let cron = Cron::parse(line.text).unwrap();
            let mut at: Timestamp = "2026-12-31T23:59:59Z".parse().unwrap();
            for expected in &expected {
                at = cron.next_after(at, &zone).unwrap().at;
                let told = format!(
                    "{} in {name} around {}",
                    line.text,
                    expected.to_zoned(zone.clone())
                );
                assert_eq!(at, *expected, "{told}");
            }
            let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
            assert!(
                cron.next_after(at, &zone).unwrap().at >= end,
                "{} in {name}",
                line.text
            );
            firings += expected.len();
        }
    }
    assert!(in_gaps > 10 && again_kept > 10 && again_left > 10);
    println!(
        "cron: {} lines in {} zones for a year: {firings} firings as calculated, {in_gaps} out of a gap, \
         {again_kept} in a repeated hour twice, {again_left} not; {:?}",
        LINES.len(),
        ZONES.len(),
        began.elapsed()
    );
}
