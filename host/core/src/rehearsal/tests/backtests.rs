//! An edited file against stored events.

use super::*;
use crate::engine::tests::build::phone;
use crate::workflow::{CallEnd, Starting};

const OLD: &str = r#"
name: Text back
on: call.missed
enroll: { again_after: 4h }
steps:
  - send: "Sorry we missed you!"
  - id: answer
    wait_for: reply
    timeout: 1d
  - if: answer.timed_out
    send: "Still there?"
"#;

fn events() -> Vec<Event> {
    let event = |minutes: i64, number: &str, what: Starting| Event {
        at: morning() + jiff::SignedDuration::from_mins(minutes),
        person: Person::new(phone(number)),
        agent: None,
        what,
    };
    let missed = || Starting::Call(CallEnd::Missed);
    vec![
        event(0, "+13125550101", missed()),
        event(5, "+13125550102", missed()),
        // Within four hours: not again.
        event(60, "+13125550101", missed()),
        // This one answers the text of the run.
        event(90, "+13125550102", Starting::Receive("Friday?".to_owned())),
        event(3_000, "+13125550103", missed()),
    ]
}

fn difference(new: &str) -> Difference {
    let (old, new) = (file(OLD), file(new));
    on_stage(|stage| backtest(stage, Some(&old), &new, events().into_iter()))
}

#[test]
fn the_same_file_differs_in_nothing() {
    let same = difference(OLD);
    assert_eq!(same.old, same.new);
    assert_eq!((same.events, same.differing, same.cut), (5, 0, None));
    // Three people, and two of them get the second text.
    assert_eq!((same.old.runs, same.old.texts, same.old.people), (3, 5, 3));
}

#[test]
fn an_edit_shows_what_would_differ() {
    let new = OLD
        .replace("timeout: 1d", "timeout: 1h")
        .replace("again_after: 4h", "again_after: 30m");
    snapshot!(difference(&new));
}

#[test]
fn no_events_no_difference() {
    let (old, new) = (file(OLD), file(OLD));
    let nothing = on_stage(|stage| backtest(stage, Some(&old), &new, std::iter::empty()));
    assert_eq!((nothing.events, nothing.differing), (0, 0));
}

#[test]
fn schedules_fire_between_the_events() {
    let source = "name: a\non: { schedule: { cron: '0 9 * * *' } }\ncontact: \"+13125550109\"\nintent: transactional\nsteps:\n  - send: \"Good morning {{ event.at | date }}\"\n";
    let (old, new) = (file(source), file(&source.replace("0 9", "0 8,9")));
    let told = on_stage(|stage| backtest(stage, Some(&old), &new, events().into_iter()));
    // The events span two mornings.
    assert_eq!((told.old.texts, told.new.texts), (2, 4), "{told}");
}
