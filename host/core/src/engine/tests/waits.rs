//! `wait`, over days, windows and both nights on which clocks change.

use super::build::{missed, workflow};
use super::*;
use crate::workflow::expression::{Expression, Value};
use crate::workflow::{Action, DayWindow, TimeOfDay, Wait};

fn time(text: &str) -> TimeOfDay {
    let (hour, minute) = text.split_once(':').unwrap();
    TimeOfDay {
        hour: hour.parse().unwrap(),
        minute: minute.parse().unwrap(),
    }
}

/// A run that starts at `now` waits until `expected`; the contact is in Chicago.
#[track_caller]
fn checked(now: &str, wait: Wait, expected: &str) {
    let back = workflow(
        "back",
        missed(),
        vec![("w", "", Action::Wait(wait))],
        |_| {},
    );
    let mut host = Host::new(vec![back]);
    host.now = now.parse().unwrap();
    host.call("C1", CallOutcome::NoAnswer);
    let run = host.run();
    let seen = match &run.waiting {
        Some(crate::model::Waiting::Time { until, .. }) => until.to_string(),
        _ => format!("{:?}", run.outcome),
    };
    assert_eq!(seen, expected);
    host.wait(40 * 86_400);
    assert_eq!(host.run().outcome.as_deref(), Some("finished"));
}

fn seconds(seconds: u64) -> Wait {
    Wait {
        seconds,
        ..Wait::default()
    }
}

const DAY: u64 = 86_400;

#[test]
fn plain() {
    checked("2026-11-18T16:00:00Z", seconds(45), "2026-11-18T16:00:45Z");
    checked("2026-11-18T16:00:00Z", seconds(0), "Some(\"finished\")");
    // A day is 24 hours, also over the autumn night.
    checked("2026-10-31T20:00:00Z", seconds(DAY), "2026-11-01T20:00:00Z");
}

#[test]
fn at_a_time_of_day() {
    let at = |days: u64, at: &str| Wait {
        seconds: days * DAY,
        at: Some(time(at)),
        ..Wait::default()
    };
    // Without days: the next one, today or tomorrow.
    checked(
        "2026-11-18T16:00:00Z",
        at(0, "10:30"),
        "2026-11-18T16:30:00Z",
    );
    checked(
        "2026-11-18T17:00:00Z",
        at(0, "10:30"),
        "2026-11-19T16:30:00Z",
    );
    // A day: the first at least 20 hours later.
    checked(
        "2026-11-18T16:00:00Z",
        at(1, "10:30"),
        "2026-11-19T16:30:00Z",
    );
    checked(
        "2026-11-18T19:00:00Z",
        at(1, "10:30"),
        "2026-11-19T16:30:00Z",
    );
    checked(
        "2026-11-18T21:00:00Z",
        at(1, "10:30"),
        "2026-11-20T16:30:00Z",
    );
    // Over the autumn night 10:30 is an hour later in UTC.
    checked(
        "2026-10-31T16:00:00Z",
        at(1, "10:30"),
        "2026-11-01T16:30:00Z",
    );
    // 01:30 comes twice on it: the first one.
    checked(
        "2026-10-31T16:00:00Z",
        at(0, "01:30"),
        "2026-11-01T06:30:00Z",
    );
    // 02:30 does not come on the spring night: the first valid instant.
    checked(
        "2027-03-13T20:00:00Z",
        at(0, "02:30"),
        "2027-03-14T08:00:00Z",
    );
}

#[test]
fn until_a_time() {
    let until = |expression: &str| Wait {
        until: Some(Value::Expression(Expression::new(expression).unwrap())),
        ..Wait::default()
    };
    let now = "2026-11-18T16:00:00Z";
    checked(now, until("now() | plus(\"2h\")"), "2026-11-18T18:00:00Z");
    checked(now, until("now() | minus(\"2h\")"), "Some(\"finished\")");
    // A fraction of a millisecond does not make the timer fire too early.
    checked(
        now,
        until("\"2026-11-18T16:00:01.0005Z\""),
        "2026-11-18T16:00:01.0005Z",
    );
}

#[test]
fn within_a_window() {
    let window = |seconds: u64| Wait {
        seconds,
        window: Some(DayWindow {
            from: time("10:00"),
            to: time("18:00"),
        }),
        ..Wait::default()
    };
    checked("2026-11-18T16:00:00Z", window(60), "2026-11-18T16:01:00Z");
    checked("2026-11-18T12:00:00Z", window(60), "2026-11-18T16:00:00Z");
    checked("2026-11-18T23:59:30Z", window(60), "2026-11-19T16:00:00Z");
    // Both nights on which clocks change.
    checked("2026-11-01T04:00:00Z", window(60), "2026-11-01T16:00:00Z");
    checked("2027-03-14T04:00:00Z", window(60), "2027-03-14T15:00:00Z");
}
