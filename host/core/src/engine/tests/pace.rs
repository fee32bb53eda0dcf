//! Texts wait for their number's turn.

use super::build::{self, missed, send, workflow};
use super::*;

/// A host whose numbers send so many segments a second.
fn paced(a_second: u64, workflows: Vec<Arc<Workflow>>) -> Host {
    let mut setup = build::setup();
    setup.connections.get_mut("main").unwrap().segment_us = Some(1_000_000 / a_second);
    Host::with(setup, workflows)
}

fn contact(number: usize) -> PhoneNumber {
    phone(&format!("+1312555{number:04}"))
}

fn to(number: usize) -> impl FnOnce(&mut SendRequest) {
    move |request| request.to = contact(number)
}

/// Lets time pass in steps of 10 ms, the provider taking everything at once, and
/// gives the texts in the order in which they left, with the time.
fn leave(host: &mut Host, seconds: i64) -> Vec<(MessageId, SignedDuration)> {
    let begin = host.now;
    let end = begin + SignedDuration::from_secs(seconds);
    let mut left = Vec::new();
    loop {
        for id in host.leaving() {
            left.push((id.clone(), host.now.duration_since(begin)));
            host.issued += 1;
            let provider_id = format!("P{}", host.issued);
            host.take(Input::Sent(id, SendResult::Accepted { provider_id }));
        }
        if host.now >= end {
            return left;
        }
        let next = host.now + SignedDuration::from_millis(10);
        host.wait(0);
        host.now = next;
        host.wait(0);
    }
}

#[test]
fn a_thousand_texts_at_ten_a_second_leave_in_order_within_a_hundred_seconds() {
    let mut host = paced(10, vec![]);
    let ids: Vec<MessageId> = (0..1_000)
        .map(|number| host.send_as("Hello", to(number)))
        .collect();
    // Three of them say STOP while they wait.
    for number in [200, 500, 999] {
        host.take(Input::OptOut(
            contact(number),
            true,
            crate::model::OptOutSource::Api,
        ));
    }
    let left = leave(&mut host, 100);
    let expected: Vec<&MessageId> = ids
        .iter()
        .enumerate()
        .filter(|(at, _)| ![200, 500, 999].contains(at))
        .map(|(_, id)| id)
        .collect();
    let order: Vec<&MessageId> = left.iter().map(|(id, _)| id).collect();
    assert_eq!(order, expected);
    let last = left.last().unwrap().1;
    assert!(
        (98_500..=99_100).contains(&last.as_millis()),
        "the last left after {last:?}"
    );
    for (at, (_, begin)) in left.iter().enumerate() {
        let within = left[at..]
            .iter()
            .take_while(|(_, time)| (*time - *begin).as_millis() < 1_000)
            .count();
        assert!(within <= 20, "{within} in the second after {begin:?}");
        // After the first second there is no burst left.
        assert!(at < 10 || within <= 10, "{within} after {begin:?}");
    }
    for number in [200, 500, 999] {
        let message = host.message(&ids[number]);
        assert_eq!(message.status, Status::Canceled);
        assert!(message.aside.turn.is_none() && message.aside.listed.is_none());
    }
    let (from, to) = keys::table(b'q');
    assert_eq!(host.state.range(&from, &to).count(), 0);
}

#[test]
fn a_text_that_waits_says_for_what() {
    let back = workflow("back", missed(), vec![("t", "", send("Sorry!"))], |_| {});
    let mut host = paced(1, vec![back]);
    let first = host.send_as("Hello", to(1));
    host.call("C1", CallOutcome::NoAnswer);
    check(&host, &[("Sorry!", "queued", "number_turn")]);
    let run = host.run();
    let notes: Vec<Notes> = host.records(b'j');
    let notes: Vec<Note> = notes.into_iter().flat_map(Notes::into_vec).collect();
    let note = notes
        .iter()
        .find(|note| note.text.contains("turn"))
        .unwrap();
    assert_eq!(
        (note.what.as_str(), note.text.as_str()),
        (
            "waits",
            "for the turn of +15125550100, until 2026-11-18T16:00:01Z"
        )
    );
    let id = match &run.waiting {
        Some(crate::model::Waiting::Text { message }) => message.clone(),
        other => panic!("{other:?}"),
    };
    let verdict = host.message(&id).verdicts.last().unwrap().clone();
    assert_eq!(verdict.rule, "number_turn");
    assert_eq!(verdict.verdict, "deferred");
    assert_eq!(
        verdict.reason,
        "it waits for the turn of +15125550100: 1 segment a second leave from it"
    );
    let left = leave(&mut host, 2);
    let order: Vec<&MessageId> = left.iter().map(|(id, _)| id).collect();
    assert_eq!(order, [&first, &id]);
    assert_eq!(host.run().status, RunStatus::Finished);
}

/// The gate is asked again when the turn comes.
#[test]
fn what_happens_while_it_waits_counts() {
    let mut host = paced(1, vec![]);
    host.send_as("Hello", to(1));
    let late = host.send_as("late", |request| {
        request.valid_until = Some("2026-11-18T16:00:00.500Z".parse().unwrap());
    });
    host.send("two");
    host.wait(5);
    assert_eq!(host.message(&late).status, Status::Expired);
    leave(&mut host, 5);
    check(
        &host,
        &[("late", "expired", "expired"), ("two", "accepted", "")],
    );
}

#[test]
fn a_conversation_keeps_its_order_while_its_head_waits() {
    let mut host = paced(1, vec![]);
    host.send_as("Hello", to(1));
    for body in ["one", "two", "three"] {
        host.send(body);
    }
    let left = leave(&mut host, 10);
    let bodies: Vec<String> = left.iter().map(|(id, _)| host.message(id).body).collect();
    assert_eq!(bodies, ["Hello", "one", "two", "three"]);
    let seconds: Vec<i128> = left.iter().map(|(_, at)| at.as_millis() / 1_000).collect();
    assert_eq!(seconds, [0, 1, 2, 3]);
}

#[test]
fn too_many_requests_slow_the_number_down_and_not_only_the_text() {
    let mut host = Host::new(vec![]);
    let first = host.send_as("Hello", to(1));
    host.result(SendResult::RateLimited(Some(30), problem("429")));
    // Others of the number wait, too; they do not try.
    let others: Vec<MessageId> = (2..6).map(|one| host.send_as("Hello", to(one))).collect();
    assert!(host.leaving().is_empty());
    let message = host.message(&others[0]);
    assert_eq!(message.reason.as_deref(), Some("number_turn"));
    assert_eq!(message.attempts.len(), 0);
    let left = leave(&mut host, 40);
    let order: Vec<&MessageId> = left.iter().map(|(id, _)| id).collect();
    let expected: Vec<&MessageId> = std::iter::once(&first).chain(&others).collect();
    assert_eq!(order, expected);
    assert!(
        left[0].1.as_secs() == 30 && left[4].1.as_secs() == 30,
        "{left:?}"
    );
    assert_eq!(host.message(&first).attempts.len(), 2);
    // Afterwards the number is as before.
    host.send_as("Hello again", to(1));
    assert_eq!(host.leaving().len(), 1);
}

/// A backlog that was there before moves by the pause, and keeps its order.
#[test]
fn a_pause_moves_a_paced_backlog() {
    let mut host = paced(1, vec![]);
    let ids: Vec<MessageId> = (0..5).map(|one| host.send_as("Hello", to(one))).collect();
    host.result(SendResult::RateLimited(Some(10), problem("429")));
    let left = leave(&mut host, 20);
    let order: Vec<&MessageId> = left.iter().map(|(id, _)| id).collect();
    assert_eq!(order, ids.iter().collect::<Vec<_>>());
    let seconds: Vec<i64> = left.iter().map(|(_, at)| at.as_secs()).collect();
    assert_eq!(seconds, [10, 11, 12, 13, 14]);
}

/// The process is gone, and with it the schedules: the turns are in the texts.
#[test]
fn a_restart_keeps_the_turns() {
    let mut host = paced(10, vec![]);
    for one in 0..50 {
        host.send_as("Hello", to(one));
    }
    let before = leave(&mut host, 2);
    host.pace = Pace::default();
    let (from, to_key) = keys::table(b'q');
    let waiting: Vec<MessageId> = host
        .state
        .range(&from, &to_key)
        .map(|(key, _)| {
            let name = String::from_utf8_lossy(key.as_bytes()).into_owned();
            MessageId::parse(name.rsplit('/').next().unwrap()).unwrap()
        })
        .collect();
    assert_eq!(waiting.len() + before.len(), 50);
    for id in waiting {
        let message = host.message(&id);
        let wanted = turn_of(&host.setup, &message);
        host.pace.restore(&wanted, host.now);
    }
    for one in 50..60 {
        host.send_as("Hello", to(one));
    }
    let after = leave(&mut host, 5);
    assert_eq!(after.len() + before.len(), 60);
    for (at, (_, begin)) in after.iter().enumerate() {
        let within = after[at..]
            .iter()
            .take_while(|(_, time)| (*time - *begin).as_millis() < 1_000)
            .count();
        assert!(within <= 10, "{within} in the second after {begin:?}");
    }
}
