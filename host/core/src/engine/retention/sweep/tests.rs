//! Rounds and laps over a made-up store.

use std::collections::BTreeSet;

use super::*;
use crate::model::{EventId, Ids, RunId};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event(time: Timestamp) -> Key {
    let id: EventId = Ids::new(time, 7).event();
    keys::event(&id)
}

fn run(time: Timestamp) -> Key {
    let id: RunId = Ids::new(time, 7).run();
    keys::run(&id)
}

/// One round over these keys, two at a time; what was looked at.
fn round(sweep: &mut Sweep, store: &BTreeSet<Key>, now: Timestamp) -> Vec<Key> {
    let mut seen = Vec::new();
    sweep.begin(now);
    while let Some(page) = sweep.next(&Retention::default(), now) {
        let found: Vec<Key> = store
            .range(page.from.clone()..page.to.clone())
            .take(2)
            .cloned()
            .collect();
        let full = found.len() == 2;
        sweep.looked(&page, found.last().filter(|_| full));
        seen.extend(found);
        assert!(seen.len() <= 2 * store.len(), "it goes in circles");
    }
    seen
}

#[test]
fn only_what_is_old_is_looked_at_and_once_a_lap() {
    let now = at("2026-11-18T16:00:00Z");
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let old_events: Vec<Key> = (31..36).map(|age| event(now - days(age))).collect();
    let mut store: BTreeSet<Key> = old_events.iter().cloned().collect();
    store.extend((0..30).map(|age| event(now - days(age))));
    let old_run = run(now - days(91));
    store.extend([old_run.clone(), run(now - days(89))]);
    let repeat = keys::taken("main", "SM1");
    store.insert(repeat.clone());

    let mut expected: Vec<Key> = old_events.iter().rev().cloned().collect();
    expected.extend([old_run.clone(), repeat.clone()]);
    let mut sweep = Sweep::default();
    assert_eq!(round(&mut sweep, &store, now), expected);
    // A minute later there is nothing to do, though everything is still there.
    let later = now + SignedDuration::from_mins(1);
    assert_eq!(round(&mut sweep, &store, later), Vec::<Key>::new());
    // What came of age since is looked at without the rest.
    let later = now + SignedDuration::from_hours(23);
    store.insert(event(now - days(30) + SignedDuration::from_hours(1)));
    let come_of_age = round(&mut sweep, &store, later);
    assert_eq!(come_of_age.len(), 1, "{come_of_age:?}");
    // The next lap looks at everything that is old by then.
    let later = now + SignedDuration::from_hours(24);
    let again = round(&mut sweep, &store, later);
    assert!(expected.iter().all(|key| again.contains(key)), "{again:?}");
}

#[test]
fn it_goes_on_where_it_stopped() {
    let now = at("2026-11-18T16:00:00Z");
    let store: BTreeSet<Key> = (0..7)
        .map(|one| keys::taken("main", &format!("SM{one}")))
        .collect();
    let mut sweep = Sweep::default();
    sweep.begin(now);
    let all = Retention::default();
    // The tables in the order of time hold nothing; the first page of the repeats.
    let mut seen: Vec<Key> = Vec::new();
    while seen.is_empty() {
        let page = sweep.next(&all, now).unwrap();
        let found: Vec<Key> = store
            .range(page.from.clone()..page.to.clone())
            .take(3)
            .cloned()
            .collect();
        sweep.looked(&page, found.last().filter(|_| found.len() == 3));
        seen.extend(found);
    }
    let stored = serde_json::to_string(&sweep).unwrap();
    let mut sweep: Sweep = serde_json::from_str(&stored).unwrap();
    seen.extend(round(
        &mut sweep,
        &store,
        now + SignedDuration::from_mins(1),
    ));
    assert_eq!(seen, store.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_is_kept_for_ever_is_not_looked_at() {
    let now = at("2026-11-18T16:00:00Z");
    let for_ever = Retention {
        finished_runs: None,
        messages: None,
        calls: None,
        events: None,
        webhooks: None,
        repeats: None,
    };
    let mut sweep = Sweep::default();
    sweep.begin(now);
    assert_eq!(sweep.next(&for_ever, now), None);
}

#[test]
fn the_limit_of_every_table_lies_between_what_came_before_and_after() {
    let now = at("2026-11-18T16:00:00Z");
    let moment = SignedDuration::from_millis(1);
    let made = |time: Timestamp| {
        let mut ids = Ids::new(time, 3);
        [
            (b'a', keys::call(&ids.call())),
            (b'e', keys::event(&ids.event())),
            (b'o', keys::message(&ids.message())),
            (b'r', keys::run(&ids.run())),
            (b'u', keys::raw_webhook(&ids.event())),
        ]
    };
    for ((table, before), (_, after)) in made(now - moment).into_iter().zip(made(now)) {
        let (from, to) = keys::made_before(table, now).unwrap();
        assert!(
            from < before && before < to && to <= after,
            "{before:?} {to:?} {after:?}"
        );
    }
    let id = Ids::new(now, 3).call();
    assert_eq!(id.at(), Some(now));
}
