use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Cron, Firing};

/// The firings after local midnight `from`, each as wall time with offset,
/// after its nominal time where the two differ.
fn check(expression: &str, zone: &str, from: &str, expected: &[&str]) {
    let cron = Cron::parse(expression).unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let mut cursor = zone.to_timestamp(from.parse().unwrap()).unwrap();
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let firing = cron.next_after(cursor, &zone).unwrap();
        assert!(firing.at > cursor);
        cursor = firing.at;
        let wall = firing.at.to_zoned(zone.clone());
        let mut text = wall.strftime("%d %H:%M%:z").to_string();
        if wall.datetime() != firing.nominal {
            text = format!("{} as {text}", firing.nominal.strftime("%H:%M"));
        }
        if firing.repeated {
            text += " again";
        }
        got.push(text);
    }
    assert_eq!(got, expected, "{expression} {from}");
}

fn check_error(expression: &str, expected: &str) {
    let error = Cron::parse(expression).unwrap_err();
    assert_eq!(error.to_string(), expected, "{expression}");
}

const NEW_YORK: &str = "America/New_York";

#[test]
fn plain_days() {
    check(
        "0 9 * * *",
        "UTC",
        "2026-11-20T09:00",
        &["21 09:00+00:00", "22 09:00+00:00"],
    );
    check(
        "30 0 9 * * *",
        "UTC",
        "2026-11-20T09:00",
        &["20 09:00+00:00"],
    );
    check(
        "0 9 * * mon-fri",
        "Asia/Kolkata",
        "2026-11-20T10:00",
        &["23 09:00+05:30"],
    );
    check("0 9 29 2 *", "UTC", "2026-11-20T00:00", &["29 09:00+00:00"]);
    check(
        "@hourly",
        "UTC",
        "2026-11-20T09:30",
        &["20 10:00+00:00", "20 11:00+00:00"],
    );
    check("@weekly", "UTC", "2026-11-20T09:30", &["22 00:00+00:00"]);
    check("@midnight", "UTC", "2026-11-20T09:30", &["21 00:00+00:00"]);
}

#[test]
fn weekdays_are_posix() {
    // 2026-11-22 is a Sunday.
    for sunday in ["0", "7", "sun", "SUN", "Sunday"] {
        check(
            &format!("0 9 * * {sunday}"),
            "UTC",
            "2026-11-20T00:00",
            &["22 09:00+00:00", "29 09:00+00:00"],
        );
    }
    check("0 9 * * 1", "UTC", "2026-11-20T00:00", &["23 09:00+00:00"]);
    check(
        "0 9 * * 5-7",
        "UTC",
        "2026-11-21T10:00",
        &["22 09:00+00:00", "27 09:00+00:00"],
    );
    check(
        "0 9 * * fri-mon",
        "UTC",
        "2026-11-22T10:00",
        &["23 09:00+00:00", "27 09:00+00:00"],
    );
    check(
        "0 9 * * 1-5/2",
        "UTC",
        "2026-11-22T10:00",
        &[
            "23 09:00+00:00",
            "25 09:00+00:00",
            "27 09:00+00:00",
            "30 09:00+00:00",
        ],
    );
    check(
        "0 9 * * 2,thu",
        "UTC",
        "2026-11-22T10:00",
        &["24 09:00+00:00", "26 09:00+00:00"],
    );
    check(
        "0 0 9 * * 1",
        "UTC",
        "2026-11-20T00:00",
        &["23 09:00+00:00"],
    );
}

#[test]
fn two_restricted_day_fields_are_either() {
    check(
        "0 9 25 * mon",
        "UTC",
        "2026-11-22T00:00",
        &["23 09:00+00:00", "25 09:00+00:00", "30 09:00+00:00"],
    );
    check(
        "0 9 */2 * mon",
        "UTC",
        "2026-11-21T00:00",
        &["23 09:00+00:00", "07 09:00+00:00"],
    );
}

#[test]
fn a_fixed_time_in_the_gap_runs_once_after_it() {
    check(
        "30 2 * * *",
        NEW_YORK,
        "2027-03-13T00:00",
        &[
            "13 02:30-05:00",
            "02:30 as 14 03:00-04:00",
            "15 02:30-04:00",
        ],
    );
    check(
        "30 2 * * sun",
        NEW_YORK,
        "2027-03-13T00:00",
        &["02:30 as 14 03:00-04:00", "21 02:30-04:00"],
    );
    check(
        "*/20 2 * * *",
        NEW_YORK,
        "2027-03-14T00:00",
        &["02:00 as 14 03:00-04:00", "15 02:00-04:00"],
    );
    check(
        "0 2,3 * * *",
        NEW_YORK,
        "2027-03-14T00:00",
        &["02:00 as 14 03:00-04:00", "15 02:00-04:00"],
    );
    check(
        "30 1 * * *",
        "Europe/London",
        "2027-03-28T00:00",
        &["01:30 as 28 02:00+01:00", "29 01:30+01:00"],
    );
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-04T00:00",
        &["02:15 as 04 02:30+11:00", "05 02:15+11:00"],
    );
    // Samoa had no 30 December 2011.
    check(
        "0 9 * * *",
        "Pacific/Apia",
        "2011-12-29T08:00",
        &[
            "29 09:00-10:00",
            "09:00 as 31 00:00+14:00",
            "31 09:00+14:00",
        ],
    );
}

#[test]
fn a_fixed_time_in_the_overlap_runs_once_at_the_first() {
    check(
        "30 1 * * *",
        NEW_YORK,
        "2027-11-06T02:00",
        &["07 01:30-04:00", "08 01:30-05:00"],
    );
    check(
        "30 1 * * *",
        "Europe/London",
        "2027-10-31T00:00",
        &["31 01:30+01:00", "01 01:30+00:00"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2027-04-04T00:00",
        &["04 01:45+11:00", "05 01:45+10:30"],
    );
}

#[test]
fn an_interval_runs_at_every_real_occurrence() {
    check(
        "*/30 * * * *",
        NEW_YORK,
        "2027-11-07T00:30",
        &[
            "07 01:00-04:00",
            "07 01:30-04:00",
            "07 01:00-05:00 again",
            "07 01:30-05:00 again",
            "07 02:00-05:00",
        ],
    );
    check(
        "*/30 * * * *",
        NEW_YORK,
        "2027-03-14T01:00",
        &["14 01:30-05:00", "14 03:00-04:00", "14 03:30-04:00"],
    );
    check(
        "30 */2 * * *",
        NEW_YORK,
        "2027-03-14T00:00",
        &["14 00:30-05:00", "14 04:30-04:00"],
    );
    check(
        "@hourly",
        "Australia/Lord_Howe",
        "2027-04-04T00:30",
        &["04 01:00+11:00", "04 02:00+10:30"],
    );
    check(
        "45 * * * *",
        "Australia/Lord_Howe",
        "2027-04-04T00:50",
        &["04 01:45+11:00", "04 01:45+10:30 again", "04 02:45+10:30"],
    );
}

#[test]
fn keys_differ_within_a_schedule() {
    let cron = Cron::parse("30 * * * *").unwrap();
    let zone = TimeZone::get(NEW_YORK).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let missed = cron.missed(
        at("2027-11-07T04:00:00Z"),
        at("2027-11-07T06:30:00Z"),
        &zone,
        100,
    );
    let keys: Vec<String> = missed.firings.iter().map(Firing::key).collect();
    assert_eq!(
        keys,
        [
            "2027-11-07T00:30:00",
            "2027-11-07T01:30:00",
            "2027-11-07T01:30:00 again"
        ]
    );
}

#[test]
fn missed_keeps_the_latest() {
    let cron = Cron::parse("0 * * * *").unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let missed = cron.missed(
        at("2026-11-20T00:00:00Z"),
        at("2026-11-20T05:00:00Z"),
        &TimeZone::UTC,
        2,
    );
    let instants: Vec<Timestamp> = missed.firings.iter().map(|f| f.at).collect();
    assert_eq!(
        instants,
        [at("2026-11-20T04:00:00Z"), at("2026-11-20T05:00:00Z")]
    );
    assert_eq!(missed.dropped, 3);
}

#[test]
fn fractions_of_a_second_and_times_before_1970() {
    let cron = Cron::parse("* * * * * *").unwrap();
    for (after, expected) in [
        ("2026-11-20T00:00:00.5Z", "2026-11-20T00:00:01Z"),
        ("2026-11-20T00:00:00Z", "2026-11-20T00:00:01Z"),
        ("1969-11-20T00:00:00.5Z", "1969-11-20T00:00:01Z"),
        ("1969-11-20T00:00:00Z", "1969-11-20T00:00:01Z"),
    ] {
        let firing = cron
            .next_after(after.parse().unwrap(), &TimeZone::UTC)
            .unwrap();
        assert_eq!(firing.at, expected.parse::<Timestamp>().unwrap(), "{after}");
    }
}

#[test]
fn errors_name_the_field() {
    check_error(
        "",
        "a cron expression has five fields (minute hour day month weekday), or six with seconds first; this one has 0",
    );
    check_error(
        "* * * * * * 2027",
        "a cron expression has five fields (minute hour day month weekday), or six with seconds first; this one has 7",
    );
    check_error(
        "75 * * * *",
        "the minute field 75 is wrong; use 0 to 59, *, a list, a range or a step such as */15",
    );
    check_error(
        "0 24 * * *",
        "the hour field 24 is wrong; use 0 to 23, *, a list, a range or a step such as */2",
    );
    check_error(
        "*5 * * * *",
        "the minute field *5 is wrong; use 0 to 59, *, a list, a range or a step such as */15",
    );
    check_error(
        "*/0 * * * *",
        "the minute field */0 is wrong; use 0 to 59, *, a list, a range or a step such as */15",
    );
    check_error(
        "0 0 L * *",
        "the day field L is wrong; use 1 to 31, *, a list, a range or a step such as */2",
    );
    check_error(
        "0 0 * foo *",
        "the month field foo is wrong; use 1 to 12, jan to dec, *, a list, a range or a step",
    );
    for weekday in [
        "8", "1/2", "fr", "mon#1", "+1", "1-5/0", "1-5/+2", ",", "mon-",
    ] {
        check_error(
            &format!("0 0 * * {weekday}"),
            &format!(
                "the weekday field {weekday} is wrong; use 0 to 7 (0 and 7 are Sunday), sun to sat, *, a list or a range such as mon-fri"
            ),
        );
    }
    check_error(
        "@reboot",
        "@reboot is not a known schedule; use @hourly, @daily, @weekly, @monthly or @yearly",
    );
    check_error("0 0 30 2 *", "0 0 30 2 * names a date that never comes");
}
