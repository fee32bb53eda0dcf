//! Runs that the clock starts.

use super::build::{wait, workflow};
use super::*;
use crate::model::Tick;
use crate::workflow::{Missed, On, Overlap, Schedule};

const HOUR: i64 = 3_600;

fn hourly(seconds: u64, missed: Missed, overlap: Overlap) -> Arc<Workflow> {
    scheduled("0 * * * *", seconds, missed, overlap)
}

fn scheduled(cron: &str, seconds: u64, missed: Missed, overlap: Overlap) -> Arc<Workflow> {
    let on = On::Schedule(Schedule {
        cron: cron.to_owned(),
        zone: None,
        missed,
        overlap,
    });
    workflow("clock", on, vec![("w", "", wait(seconds))], |_| {})
}

/// The host is down for so long: timers come late.
fn sleep(host: &mut Host, seconds: i64) {
    host.now += SignedDuration::from_secs(seconds);
    host.wait(0);
}

fn starts(host: &Host) -> Vec<String> {
    let starts = host.runs().into_iter().map(|run| {
        let at = run.event.get("at").unwrap().as_str().unwrap();
        at.get(11..16).unwrap().to_owned()
    });
    starts.collect()
}

#[test]
fn it_fires_on_time() {
    let mut host = Host::new(vec![hourly(60, Missed::Skip, Overlap::Skip)]);
    host.wait(3 * HOUR);
    assert_eq!(starts(&host), ["17:00", "18:00", "19:00"]);
}

#[test]
fn what_was_missed() {
    let checked = |missed: Missed, down: i64, expected: &[&str]| {
        let mut host = Host::new(vec![hourly(60, missed, Overlap::Allow)]);
        sleep(&mut host, down);
        let mut seen = starts(&host);
        seen.sort();
        assert_eq!(seen, expected, "{missed:?} {down}");
        // And the next one comes on time.
        host.wait(HOUR);
        assert_eq!(starts(&host).len(), expected.len() + 1);
    };
    checked(Missed::Skip, 3 * HOUR + 600, &[]);
    checked(Missed::Skip, 3 * HOUR + 10, &["19:00"]);
    checked(Missed::RunOnce, 3 * HOUR + 600, &["19:00"]);
    checked(Missed::All, 3 * HOUR + 600, &["17:00", "18:00", "19:00"]);
    checked(Missed::All, HOUR + 10, &["17:00"]);
}

#[test]
fn firings_close_together_are_made_up_for_too() {
    let every_ten = scheduled("*/10 * * * * *", 0, Missed::All, Overlap::Allow);
    let mut host = Host::new(vec![every_ten]);
    sleep(&mut host, 35);
    assert_eq!(host.runs().len(), 3);
}

/// With a rule about overlaps, what was missed follows one after another.
#[test]
fn what_was_missed_waits_for_its_turn() {
    let checked = |overlap: Overlap, expected: &[&str]| {
        let mut host = Host::new(vec![hourly(600, Missed::All, overlap)]);
        sleep(&mut host, 3 * HOUR + 600);
        assert_eq!(starts(&host), ["17:00"], "{overlap:?}: one at a time");
        host.wait(600);
        assert_eq!(starts(&host).len(), 2);
        host.wait(HOUR);
        let mut seen = starts(&host);
        seen.sort();
        assert_eq!(seen, expected, "{overlap:?}");
        assert!(host.get::<Tick>(&keys::tick("clock", 0)).owed.is_empty());
    };
    checked(Overlap::Skip, &["17:00", "18:00", "19:00", "20:00"]);
    checked(Overlap::Queue, &["17:00", "18:00", "19:00", "20:00"]);
}

#[test]
fn a_firing_on_time_does_not_overtake_what_is_owed() {
    let checked = |overlap: Overlap, expected: &[&str]| {
        // Each takes forty minutes: at 20:00 one is under way and one is owed.
        let mut host = Host::new(vec![hourly(2_400, Missed::All, overlap)]);
        sleep(&mut host, 3 * HOUR + 600);
        host.wait(3 * HOUR);
        assert_eq!(starts(&host), expected, "{overlap:?}");
    };
    checked(Overlap::Skip, &["17:00", "18:00", "19:00", "22:00"]);
    // The one that had to wait is named by when it started, as ever.
    checked(
        Overlap::Queue,
        &["17:00", "18:00", "19:00", "21:10", "22:00"],
    );
}

#[test]
fn runs_that_end_at_once_are_all_made_up_for_in_one_step() {
    let mut host = Host::new(vec![hourly(0, Missed::All, Overlap::Skip)]);
    sleep(&mut host, 3 * HOUR + 600);
    assert_eq!(starts(&host).len(), 3);
}

#[test]
fn at_most_a_hundred_are_made_up_for() {
    let mut host = Host::new(vec![hourly(60, Missed::All, Overlap::Allow)]);
    sleep(&mut host, 200 * HOUR + 600);
    assert_eq!(host.runs().len(), 100);
}

#[test]
fn an_earlier_run_is_still_under_way() {
    let checked = |overlap: Overlap, expected: &[&str]| {
        let mut host = Host::new(vec![hourly(2 * 3_600 + 60, Missed::Skip, overlap)]);
        host.wait(4 * HOUR + 60);
        let mut seen = starts(&host);
        seen.sort();
        assert_eq!(seen, expected, "{overlap:?}");
    };
    checked(Overlap::Skip, &["17:00", "20:00"]);
    // The one that waited starts when the first has ended.
    checked(Overlap::Queue, &["17:00", "19:01"]);
    checked(Overlap::Allow, &["17:00", "18:00", "19:00", "20:00"]);
}

#[test]
fn an_edit_keeps_or_changes_the_timer() {
    let mut host = Host::new(vec![hourly(60, Missed::Skip, Overlap::Skip)]);
    let tick = |host: &Host| host.get::<Tick>(&keys::tick("clock", 0));
    let before = tick(&host);
    host.wait(60);
    host.define(hourly(120, Missed::Skip, Overlap::Skip));
    assert_eq!(tick(&host), before);
    host.define(scheduled("30 * * * *", 60, Missed::Skip, Overlap::Skip));
    let after = tick(&host);
    assert!(host.state.get(&before.timer).is_none());
    assert_eq!(after.next.to_string(), "2026-11-18T16:30:00Z");
    host.take(Input::Undefine("clock".to_owned()));
    assert!(host.state.get(&after.timer).is_none());
    host.catalog.in_service.clear();
    host.wait(5 * HOUR);
    assert!(host.runs().is_empty());
}

#[test]
fn an_edit_of_the_rule_does_not_forget_the_run_under_way() {
    let mut host = Host::new(vec![hourly(10 * 3_600, Missed::Skip, Overlap::Skip)]);
    host.wait(HOUR);
    host.define(scheduled("30 * * * *", 60, Missed::Skip, Overlap::Skip));
    host.wait(HOUR);
    assert_eq!(starts(&host), ["17:00"]);
}

#[test]
fn a_clock_that_jumps_back_fires_nothing_twice() {
    let mut host = Host::new(vec![hourly(60, Missed::RunOnce, Overlap::Allow)]);
    host.wait(HOUR);
    host.now -= SignedDuration::from_secs(1_800);
    let tick: Tick = host.get(&keys::tick("clock", 0));
    host.take(Input::Timer(tick.timer.clone()));
    assert!(host.state.get(&tick.timer).is_some(), "it keeps its time");
    host.wait(1_800);
    assert_eq!(starts(&host), ["17:00"]);
}

#[test]
fn nor_does_it_when_the_file_was_away_or_edited_meanwhile() {
    let back = |host: &mut Host| host.now -= SignedDuration::from_secs(1_800);
    let again = hourly(60, Missed::RunOnce, Overlap::Allow);
    // Gone and there again.
    let mut host = Host::new(vec![Arc::clone(&again)]);
    host.wait(HOUR + 600);
    host.take(Input::Undefine("clock".to_owned()));
    back(&mut host);
    host.define(Arc::clone(&again));
    host.wait(2 * HOUR);
    assert_eq!(starts(&host), ["17:00", "18:00"]);
    // Another rule with the same instant, and one instant that is new.
    let mut host = Host::new(vec![Arc::clone(&again)]);
    host.wait(HOUR + 600);
    back(&mut host);
    host.define(scheduled(
        "*/30 * * * *",
        60,
        Missed::RunOnce,
        Overlap::Allow,
    ));
    host.wait(HOUR);
    assert_eq!(starts(&host), ["17:00", "17:30"]);
    // A clock that was wrong by days is not believed when it is right again.
    let mut host = Host::new(vec![Arc::clone(&again)]);
    host.wait(72 * HOUR);
    let fired = host.runs().len();
    host.take(Input::Undefine("clock".to_owned()));
    host.now -= SignedDuration::from_hours(48);
    host.define(again);
    host.wait(HOUR);
    assert_eq!(host.runs().len(), fired + 1);
}
