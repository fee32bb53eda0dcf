//! Housekeeping: each thing that goes, and each that must stay.

use std::collections::BTreeMap;

use super::build::{manual, missed, received, send, wait, workflow};
use super::*;
use crate::engine::retention::{self, Sweep};
use crate::model::{Attempt, Binding, CallStatus, Enrollment, OptOutSource, StoredBinding, Task};
use crate::workflow::Again;

pub(super) const DAY: i64 = 86_400;

/// One round, in small pages, as the shell does it. How many records went.
pub(super) fn tidy(host: &mut Host, sweep: &mut Sweep) -> usize {
    let mut gone = 0;
    sweep.begin(host.now);
    while let Some(page) = sweep.next(&host.setup.retention, host.now) {
        let found: Vec<(Key, Vec<u8>)> = host
            .state
            .range(&page.from, &page.to)
            .take(16)
            .map(|(key, value)| (key.clone(), value.value.to_vec()))
            .collect();
        sweep.looked(
            &page,
            found
                .last()
                .filter(|_| found.len() == 16)
                .map(|(key, _)| key),
        );
        gone += expire(host, found);
    }
    gone
}

fn expire(host: &mut Host, found: Vec<(Key, Vec<u8>)>) -> usize {
    let retention = host.setup.retention.clone();
    let ripe = found
        .into_iter()
        .filter(|(key, value)| retention::ripe(&retention, key, value, host.now));
    let keys: Vec<Key> = ripe.map(|(key, _)| key).collect();
    if keys.is_empty() {
        return 0;
    }
    match host.take(Input::Expire(keys)) {
        Answer::Expired(gone) => gone,
        other => panic!("{other:?}"),
    }
}

/// Everything that is old, at once.
fn tidy_now(host: &mut Host) -> usize {
    tidy(host, &mut Sweep::default())
}

pub(super) fn count(host: &Host, table: u8) -> usize {
    let (from, to) = keys::table(table);
    host.state.range(&from, &to).count()
}

/// How many entries all timelines have.
pub(super) fn notes(host: &Host) -> usize {
    let all: Vec<crate::model::Notes> = host.records(b'j');
    all.into_iter()
        .flat_map(crate::model::Notes::into_vec)
        .count()
}

pub(super) fn sizes(host: &Host) -> BTreeMap<char, usize> {
    let tables = b"abcdegijklmoprstuvw";
    tables
        .iter()
        .map(|table| (char::from(*table), count(host, *table)))
        .collect()
}

fn days(host: &mut Host, days: i64) {
    host.wait(days * DAY);
}

#[test]
fn a_run_that_waits_for_years_stays_whole_and_goes_on() {
    let patient = workflow(
        "patient",
        received(),
        vec![
            ("hello", "", send("Thanks!")),
            ("long", "", wait(900 * 86_400)),
            ("again", "", send("You wrote: {{ event.body }}")),
        ],
        |_| {},
    );
    let mut host = Host::new(vec![patient]);
    host.text_as("I1", "+15125550100", "Hello");
    host.accept();
    let before = host.run();
    days(&mut host, 899);
    tidy_now(&mut host);
    // The text that started it, and the one it sent.
    assert_eq!(count(&host, b'o'), 2);
    assert_eq!(host.run(), before);
    assert_eq!(notes(&host), before.notes as usize);
    days(&mut host, 2);
    host.accept();
    assert_eq!(host.run().status, RunStatus::Finished);
    days(&mut host, 731);
    tidy_now(&mut host);
    assert_eq!(
        sizes(&host)
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(table, _)| *table)
            .collect::<String>(),
        "cdpw"
    );
}

/// Where each text is after two years, by what it was then.
#[test]
fn a_text_whose_life_is_not_over_stays() {
    let check = |status: Status, stays: bool| {
        let mut host = Host::new(vec![]);
        let id = host.send("Hello");
        host.accept();
        let mut text = host.message(&id);
        text.status = status;
        text.attempts.push(Attempt {
            at: host.now,
            outcome: None,
            limited: false,
            delivery: None,
        });
        let mut batch = crate::model::Batch::default();
        batch
            .writes
            .insert(keys::message(&id), Some(record::encode(&text).unwrap()));
        host.state.commit(&batch).unwrap();
        host.now += SignedDuration::from_hours(24 * 731);
        tidy_now(&mut host);
        assert_eq!(count(&host, b'o') == 1, stays, "{status:?}");
        assert_eq!(count(&host, b'm') == 1, stays, "{status:?}");
    };
    for status in [
        Status::Scheduled,
        Status::Queued,
        Status::Sending,
        Status::Unknown,
        Status::NeedsReview,
    ] {
        check(status, true);
    }
    for status in [
        Status::Accepted,
        Status::Sent,
        Status::Delivered,
        Status::Undelivered,
        Status::Failed,
        Status::Expired,
        Status::Canceled,
        Status::Skipped,
    ] {
        check(status, false);
    }
}

#[test]
fn a_text_in_its_lane_or_in_flight_stays_whatever_it_says_of_itself() {
    let mut host = Host::new(vec![]);
    let id = host.send("Hello");
    host.accept();
    let mut conversation = host.conversation();
    conversation.deferred.push(id.clone());
    let mut batch = crate::model::Batch::default();
    let bytes = record::encode(&conversation).unwrap();
    batch
        .writes
        .insert(keys::conversation(&conversation.id), Some(bytes));
    host.state.commit(&batch).unwrap();
    host.now += SignedDuration::from_hours(24 * 731);
    tidy_now(&mut host);
    assert_eq!(host.message(&id).id, id);
}

#[test]
fn a_repeat_is_seen_for_as_long_as_the_file_says() {
    let mut host = Host::new(vec![]);
    host.text_as("I1", "+15125550100", "Hello");
    host.call("C1", CallOutcome::NoAnswer);
    days(&mut host, 29);
    tidy_now(&mut host);
    assert_eq!(host.text_as("I1", "+15125550100", "Hello"), Answer::Repeat);
    days(&mut host, 2);
    assert_eq!(tidy_now(&mut host), 1 + count_of_old_events());
    assert_eq!(count(&host, b'k'), 0);
    // A call is known by its own record, for as long as that is kept.
    assert_eq!(host.call("C1", CallOutcome::NoAnswer), Answer::Repeat);
    days(&mut host, 731);
    tidy_now(&mut host);
    assert_eq!(
        (count(&host, b'a'), count(&host, b'b'), count(&host, b'v')),
        (0, 0, 0)
    );
}

#[test]
fn a_text_that_came_in_takes_no_name_of_another_with_it() {
    let mut host = Host::new(vec![]);
    host.text_as("P1", "+15125550100", "Hello");
    days(&mut host, 700);
    host.send("Hello again");
    // The provider counts both ways with the same numbers.
    host.accept();
    assert_eq!(count(&host, b'v'), 1);
    days(&mut host, 40);
    tidy_now(&mut host);
    assert_eq!((count(&host, b'o'), count(&host, b'v')), (1, 1));
}

/// Entries of the feed that one text and one missed call made.
fn count_of_old_events() -> usize {
    2
}

#[test]
fn an_idempotency_key_goes_with_what_it_made_or_with_its_own_time() {
    let mut host = Host::new(vec![]);
    host.send_as("Hello", |request| {
        request.idempotency = Some(Idempotency {
            source: "me".to_owned(),
            key: "1".to_owned(),
            digest: "d".to_owned(),
        });
    });
    let put = |host: &mut Host, name: &str, value: &StoredBinding| {
        let mut batch = crate::model::Batch::default();
        batch.writes.insert(
            keys::taken("me", name),
            Some(record::encode(value).unwrap()),
        );
        host.state.commit(&batch).unwrap();
    };
    let digest = "d".repeat(64);
    let dated = Binding {
        digest: digest.clone(),
        at: host.now,
    };
    put(&mut host, "2", &StoredBinding::Dated(dated));
    // As the program before this one kept it: without a time.
    put(&mut host, "3", &StoredBinding::Bare(digest.clone()));
    days(&mut host, 29);
    tidy_now(&mut host);
    assert_eq!(count(&host, b'k'), 3);
    let dated: StoredBinding = host.get(&keys::taken("me", "3"));
    assert_eq!(
        dated,
        StoredBinding::Dated(Binding {
            digest,
            at: host.now
        })
    );
    days(&mut host, 2);
    tidy_now(&mut host);
    assert_eq!(count(&host, b'k'), 1);
    days(&mut host, 29);
    tidy_now(&mut host);
    assert_eq!(count(&host, b'k'), 0);
}

#[test]
fn an_enrollment_stays_for_as_long_as_it_forbids_something() {
    let check = |again: Again, after: Option<u64>, days_kept: i64| {
        let once = workflow("once", manual(), vec![("w", "", wait(60))], |definition| {
            definition.enroll.again = again;
            definition.enroll.again_after = after;
        });
        let mut host = Host::new(vec![once]);
        host.start("once");
        days(&mut host, days_kept - 1);
        tidy_now(&mut host);
        assert_eq!(count(&host, b'l'), 1, "{again:?} {after:?}");
        days(&mut host, 2);
        tidy_now(&mut host);
        assert_eq!(count(&host, b'l'), 0, "{again:?} {after:?}");
    };
    check(Again::AfterFinished, None, 90);
    check(Again::Always, Some(200 * 86_400), 200);
    let once = |again| {
        workflow(
            "once",
            manual(),
            vec![("w", "", wait(60))],
            move |definition| {
                definition.enroll.again = again;
            },
        )
    };
    let mut host = Host::new(vec![once(Again::Never)]);
    host.start("once");
    days(&mut host, 3_000);
    tidy_now(&mut host);
    assert!(matches!(
        host.start("once"),
        Answer::Refused {
            code: "already_enrolled",
            ..
        }
    ));
    // Also while its file is away.
    host.catalog.in_service.clear();
    tidy_now(&mut host);
    assert_eq!(count(&host, b'l'), 1);
    // And one of a run under way, however old.
    let mut host = Host::new(vec![workflow(
        "once",
        manual(),
        vec![("w", "", wait(1 << 31))],
        |_| {},
    )]);
    host.start("once");
    days(&mut host, 3_000);
    tidy_now(&mut host);
    assert!(
        host.get::<Enrollment>(&keys::enrollment("once", caller().as_str()))
            .active
    );
}

#[test]
fn a_call_stays_while_it_is_being_placed_or_a_run_speaks_of_it() {
    let patient = workflow(
        "patient",
        missed(),
        vec![("w", "", wait(1_000 * 86_400))],
        |_| {},
    );
    let mut host = Host::new(vec![patient]);
    host.call("C1", CallOutcome::NoAnswer);
    host.take(Input::Place(PlaceRequest {
        idempotency: None,
        agent: "desk".to_owned(),
        connection: "main".to_owned(),
        from: phone("+15125550100"),
        to: phone("+13125550777"),
        variables: serde_json::Map::new(),
        ring_for: 20,
    }));
    let mut report = call("C2", CallOutcome::Completed);
    report.from = Some(phone("+13125550778"));
    host.take(Input::Call(report));
    days(&mut host, 731);
    tidy_now(&mut host);
    let left: Vec<crate::model::Call> = host.records(b'a');
    let mut left: Vec<CallStatus> = left.iter().map(|call| call.status).collect();
    left.sort_by_key(|status| status.word());
    assert_eq!(left, [CallStatus::Initiated, CallStatus::NoAnswer]);
    assert_eq!(count(&host, b'b'), 1);
}

#[test]
fn a_definition_goes_a_month_after_another_took_its_place() {
    let version = |words: &str| workflow("asks", missed(), vec![("ask", "", send(words))], |_| {});
    let (first, second) = (version("One"), version("Two"));
    let mut host = Host::new(vec![Arc::clone(&first)]);
    let key = keys::definition(&first.hash);
    let ask = |host: &mut Host| host.take(Input::Expire(vec![key.clone()]));
    days(&mut host, 100);
    assert_eq!(ask(&mut host), Answer::Expired(0), "it is in service");
    host.take(Input::Undefine("asks".to_owned()));
    host.catalog.in_service.clear();
    days(&mut host, 100);
    assert_eq!(ask(&mut host), Answer::Expired(0), "its file may come back");
    host.define(second);
    days(&mut host, 29);
    assert_eq!(ask(&mut host), Answer::Expired(0));
    days(&mut host, 2);
    assert_eq!(ask(&mut host), Answer::Expired(1));
    assert_eq!(count(&host, b'd'), 1);
}

#[test]
fn what_is_needed_by_the_time_of_the_commit_stays() {
    let mut host = Host::new(vec![]);
    host.text("Hello");
    host.now += SignedDuration::from_hours(24 * 731);
    let id = host.records::<Message>(b'o')[0].id.clone();
    let late = host.decide(&Input::Expire(vec![keys::message(&id)]));
    // The contact writes in the meantime: the decision was taken on old facts.
    host.text("Me again");
    assert!(host.state.commit(&late.batch).is_err());
}

#[test]
fn a_clock_that_runs_back_removes_nothing() {
    let mut host = Host::new(vec![]);
    host.text("Hello");
    host.now -= SignedDuration::from_hours(24 * 1_000);
    assert_eq!(tidy_now(&mut host), 0);
}

#[test]
fn timers_and_opt_outs_are_never_looked_at() {
    let mut host = Host::new(vec![]);
    host.take(Input::OptOut(caller(), true, OptOutSource::Api));
    let timer = keys::timer(host.now, [7; 16]);
    let mut batch = crate::model::Batch::default();
    let value = Timer {
        due: host.now,
        task: Task::Tick {
            workflow: "x".to_owned(),
            trigger: 0,
        },
    };
    batch
        .writes
        .insert(timer.clone(), Some(record::encode(&value).unwrap()));
    host.state.commit(&batch).unwrap();
    host.now += SignedDuration::from_hours(24 * 9_000);
    let all = vec![timer.clone(), keys::contact(&caller())];
    assert_eq!(host.take(Input::Expire(all)), Answer::Expired(0));
    assert!(host.state.get(&timer).is_some() && host.contact().opted_out.is_some());
}
