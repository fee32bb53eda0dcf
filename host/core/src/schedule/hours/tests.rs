use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::Hours;

fn shop(zone: &str) -> Hours {
    let entries = [
        ("mon-thu", "09:00-12:30, 13:30-18:00"),
        ("fri", "18:00-02:00"),
        ("sat", "10:00-24:00"),
    ];
    Hours::parse(zone, entries, ["2026-12-25", "2026-12-24"]).unwrap()
}

/// Wall times in New York; the answer is `open` or the next opening.
fn check(hours: &Hours, at: &str, expected: &str) {
    let zone = hours.zone();
    let instant = zone.to_timestamp(at.parse().unwrap()).unwrap();
    let next = hours.next_open(instant).map(|open| {
        assert_eq!(open == instant, hours.is_open(instant));
        assert!(hours.is_open(open));
        match open == instant {
            true => "open".to_owned(),
            false => zone.to_datetime(open).strftime("%F %R").to_string(),
        }
    });
    assert_eq!(next.as_deref().unwrap_or("never"), expected, "{at}");
}

fn check_error(zone: &str, days: &str, hours: &str, closed: &str, expected: &str) {
    let closed = (!closed.is_empty()).then_some(closed);
    let error = Hours::parse(zone, [(days, hours)], closed).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_week() {
    let shop = shop("America/New_York");
    // 2026-11-16 is a Monday.
    check(&shop, "2026-11-16T08:59:59", "2026-11-16 09:00");
    check(&shop, "2026-11-16T09:00", "open");
    check(&shop, "2026-11-16T12:30", "2026-11-16 13:30");
    check(&shop, "2026-11-16T17:59:59", "open");
    check(&shop, "2026-11-16T18:00", "2026-11-17 09:00");
    check(&shop, "2026-11-20T12:00", "2026-11-20 18:00");
    check(&shop, "2026-11-21T01:59", "open");
    check(&shop, "2026-11-21T02:00", "2026-11-21 10:00");
    check(&shop, "2026-11-21T23:59", "open");
    check(&shop, "2026-11-22T00:00", "2026-11-23 09:00");
}

#[test]
fn closed_dates() {
    let shop = shop("America/New_York");
    // The Thursday and the Friday night before Christmas Saturday are gone.
    check(&shop, "2026-12-24T10:00", "2026-12-26 10:00");
    check(&shop, "2026-12-26T01:00", "2026-12-26 10:00");
    let none = Hours::parse("UTC", [("mon-sun", "closed")], []).unwrap();
    check(&none, "2026-11-20T10:00", "never");
}

#[test]
fn clock_changes() {
    let night = Hours::parse("America/New_York", [("sun", "1:30-2:30")], []).unwrap();
    // The end lies in the gap: an hour and a half becomes half an hour.
    check(&night, "2027-03-14T00:00", "2027-03-14 01:30");
    check(&night, "2027-03-14T03:00", "2027-03-21 01:30");
    // Open from the first 01:30 to 02:30, through the second one.
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert!(!night.is_open(at("2027-11-07T05:29:59Z")));
    assert!(night.is_open(at("2027-11-07T05:30:00Z")));
    assert!(night.is_open(at("2027-11-07T06:15:00Z")));
    assert!(night.is_open(at("2027-11-07T07:29:59Z")));
    assert!(!night.is_open(at("2027-11-07T07:30:00Z")));
}

#[test]
fn errors() {
    check_error(
        "Mars",
        "mon",
        "9:00-10:00",
        "",
        "Mars is not a time zone; use a name such as America/New_York",
    );
    check_error(
        "UTC",
        "moon",
        "9:00-10:00",
        "",
        "moon is not a weekday; use sun to sat, a list or a range such as mon-fri",
    );
    for hours in [
        "9-17",
        "09:00",
        "09:00-25:00",
        "09:00-09:00",
        "",
        "+9:00-10:00",
        "09:00-10:00,",
    ] {
        check_error(
            "UTC",
            "mon",
            hours,
            "",
            &format!(
                "{hours} is not a range of hours; use 09:00-18:00, several with commas, or closed"
            ),
        );
    }
    check_error(
        "UTC",
        "mon",
        "09:00-10:00",
        "25.12.",
        "25.12. is not a date; use a day such as 2026-12-25",
    );
    let twice = Hours::parse("UTC", [("mon-fri", "9:00-10:00"), ("fri", "closed")], []);
    assert_eq!(twice.unwrap_err().to_string(), "fri has hours twice");
}

proptest! {
    #[test]
    fn never_panics(days in "\\PC{0,10}", hours in "(\\PC{0,12}|[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2})") {
        let _ = Hours::parse("UTC", [(days.as_str(), hours.as_str())], []);
        let _ = Hours::parse("UTC", [("mon", hours.as_str())], []);
    }

    #[test]
    fn open_is_what_the_wall_clock_says(second in 1_767_225_600_i64..1_900_000_000) {
        let at = Timestamp::from_second(second).unwrap();
        let zone = TimeZone::get("Europe/London").unwrap();
        let hours = Hours::parse("Europe/London", [("mon-fri", "09:00-18:00")], []).unwrap();
        let wall = zone.to_datetime(at);
        let day = wall.date().weekday().to_monday_zero_offset() < 5;
        prop_assert_eq!(hours.is_open(at), day && (9..18).contains(&wall.hour()));
    }
}
