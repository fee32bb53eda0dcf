//! Dead letters, and texts that are held because settings do not work.

use super::build::{missed, send, workflow};
use super::*;
use crate::model::Attention;

/// The short lists: word and number of texts.
fn listed(host: &Host) -> Vec<(&'static str, usize)> {
    let all = [
        Attention::NeedsReview,
        Attention::Unknown,
        Attention::Failed,
        Attention::Held,
        Attention::Turn,
    ];
    let count = |why: Attention| {
        let (from, to) = keys::under(b'q', why.word());
        (why.word(), host.state.range(&from, &to).count())
    };
    all.map(count).into_iter().filter(|one| one.1 > 0).collect()
}

fn failed(host: &mut Host, body: &str) -> MessageId {
    let id = host.send(body);
    host.result(SendResult::Rejected(problem("21211")));
    assert_eq!(host.message(&id).status, Status::Failed);
    id
}

#[test]
fn a_text_that_failed_is_sent_again_once_however_often_one_asks() {
    let mut host = Host::new(vec![]);
    let id = failed(&mut host, "one");
    assert_eq!(listed(&host), [("failed", 1)]);
    assert_eq!(host.take(Input::Replay(id.clone())), Answer::Done);
    assert_eq!(host.take(Input::Replay(id.clone())), Answer::Repeat);
    assert_eq!(host.leaving(), std::slice::from_ref(&id));
    host.take(Input::Sent(
        id.clone(),
        SendResult::Accepted {
            provider_id: "P1".to_owned(),
        },
    ));
    assert_eq!(host.take(Input::Replay(id.clone())), Answer::Repeat);
    assert!(host.leaving().is_empty());
    check(&host, &[("one", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 2);
    assert_eq!(listed(&host), []);
}

#[test]
fn a_replay_has_all_its_tries_again() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    let exhaust = |host: &mut Host| {
        for _ in 0..8 {
            host.result(SendResult::Unavailable(problem("503")));
            host.wait(700);
        }
    };
    exhaust(&mut host);
    check(&host, &[("one", "failed", "503")]);
    host.take(Input::Replay(id.clone()));
    exhaust(&mut host);
    check(&host, &[("one", "failed", "503")]);
    assert_eq!(host.message(&id).attempts.len(), 16);
}

#[test]
fn a_replay_passes_the_gate() {
    let mut host = Host::new(vec![]);
    let id = failed(&mut host, "one");
    host.text("STOP");
    host.accept();
    assert_eq!(host.take(Input::Replay(id.clone())), Answer::Done);
    assert!(host.leaving().is_empty());
    assert_eq!(host.message(&id).reason.as_deref(), Some("opted_out"));
}

#[test]
fn only_what_failed_is_sent_again() {
    let refused =
        |host: &mut Host, id: &MessageId, code: &str| match host.take(Input::Replay(id.clone())) {
            Answer::Refused { code: seen, .. } => assert_eq!(seen, code),
            other => panic!("{other:?}"),
        };
    let mut host = Host::new(vec![]);
    let sent = host.send("one");
    host.accept();
    refused(&mut host, &sent, "not_failed");
    let unknown = host.send("two");
    host.result(SendResult::Unknown(problem("timeout")));
    refused(&mut host, &unknown, "not_failed");
    let missing = MessageId::parse("msg_01890a5d-ac96-774b-bcce-b302099a8057");
    if let Some(missing) = missing {
        assert_eq!(host.take(Input::Replay(missing)), Answer::Unknown);
    }
}

/// What was reported of the attempt that failed does not touch the new one.
#[test]
fn a_late_report_on_the_failed_attempt_is_past() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.result(SendResult::Accepted {
        provider_id: "P1".to_owned(),
    });
    let report = |provider_id: &str, delivery: Delivery| {
        Input::Report(Report {
            connection: "main".to_owned(),
            provider_id: provider_id.to_owned(),
            id: Some(id.clone()),
            delivery,
        })
    };
    let lost = || Delivery::Failed(problem("30008"));
    host.take(report("P1", lost()));
    check(&host, &[("one", "failed", "30008")]);
    host.take(Input::Replay(id.clone()));
    assert_eq!(host.take(report("P1", lost())), Answer::Repeat);
    assert_eq!(host.message(&id).status, Status::Sending);
    host.result(SendResult::Accepted {
        provider_id: "P2".to_owned(),
    });
    host.take(report("P2", Delivery::Delivered));
    check(&host, &[("one", "delivered", "")]);
}

#[test]
fn the_run_went_on_and_its_timeline_tells_of_the_replay() {
    let back = workflow("back", missed(), vec![("t", "", send("Sorry!"))], |_| {});
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.result(SendResult::Rejected(problem("21211")));
    assert_eq!(host.run().status, RunStatus::Finished);
    host.take(Input::Replay(id));
    host.accept();
    let notes: Vec<Notes> = host.records(b'j');
    let notes: Vec<Note> = notes.into_iter().flat_map(Notes::into_vec).collect();
    let words: Vec<&str> = notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        words,
        ["started", "waits", "not_sent", "finished", "sent_again"]
    );
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn a_dead_letter_can_be_left_at_that() {
    let mut host = Host::new(vec![]);
    let id = failed(&mut host, "one");
    assert_eq!(host.take(Input::Dismiss(id.clone())), Answer::Done);
    assert_eq!(host.take(Input::Dismiss(id.clone())), Answer::Repeat);
    assert_eq!(listed(&host), []);
    check(&host, &[("one", "failed", "21211")]);
    // And sent again all the same, later.
    host.take(Input::Replay(id));
    host.accept();
    check(&host, &[("one", "accepted", "")]);
}

#[test]
fn settings_that_do_not_work_hold_texts_and_lose_none() {
    let mut host = Host::new(vec![]);
    let first = host.send("one");
    host.send("two");
    host.result(SendResult::Misconfigured(problem("20003")));
    check(
        &host,
        &[("one", "queued", "misconfigured"), ("two", "queued", "")],
    );
    // Another conversation does not even try.
    let other = host.send_as("hello", |request| request.to = phone("+13125550177"));
    assert!(host.leaving().is_empty());
    assert_eq!(
        host.message(&other).reason.as_deref(),
        Some("misconfigured")
    );
    assert_eq!(listed(&host), [("held", 2)]);
    // Hours pass; it is tried now and then, by one at a time.
    let mut tries = 0;
    for _ in 0..(4 * 60 * 60) {
        host.wait(1);
        for id in host.leaving() {
            tries += 1;
            let result = SendResult::Misconfigured(problem("20003"));
            host.take(Input::Sent(id, result));
        }
    }
    assert!((15..=30).contains(&tries), "{tries} tries in four hours");
    assert_eq!(listed(&host), [("held", 2)]);
    // Somebody mends the settings.
    host.pace.try_again(None);
    assert_eq!(host.take(Input::Replay(first)), Answer::Done);
    host.accept();
    let works = host
        .notices
        .iter()
        .filter(|one| matches!(one, Notice::Works(_)))
        .count();
    assert!(works > 0, "nobody is told that it works again");
    host.take(Input::Replay(other.clone()));
    host.accept();
    check(&host, &[("one", "accepted", ""), ("two", "accepted", "")]);
    assert_eq!(host.message(&other).status, Status::Accepted);
    assert_eq!(listed(&host), []);
}

#[test]
fn a_held_text_fails_after_a_day_and_expires_when_its_time_is_over() {
    let mut host = Host::new(vec![]);
    let end = host.now + SignedDuration::from_mins(10);
    host.send_as("one", |request| request.valid_until = Some(end));
    host.result(SendResult::Misconfigured(problem("20003")));
    host.send("two");
    let still_wrong = |host: &mut Host| {
        for id in host.leaving() {
            let result = SendResult::Misconfigured(problem("20003"));
            host.take(Input::Sent(id, result));
        }
    };
    for _ in 0..20 {
        still_wrong(&mut host);
        host.wait(30);
    }
    check(
        &host,
        &[
            ("one", "expired", "expired"),
            ("two", "queued", "misconfigured"),
        ],
    );
    for _ in 0..(25 * 60) {
        still_wrong(&mut host);
        host.wait(60);
    }
    check(
        &host,
        &[("one", "expired", "expired"), ("two", "failed", "20003")],
    );
    assert_eq!(listed(&host), [("failed", 1)]);
}

#[test]
fn stop_calls_off_what_is_held() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.result(SendResult::Misconfigured(problem("20003")));
    host.take(Input::OptOut(
        caller(),
        true,
        crate::model::OptOutSource::Api,
    ));
    check(&host, &[("one", "canceled", "opted_out")]);
    assert_eq!(listed(&host), []);
}
