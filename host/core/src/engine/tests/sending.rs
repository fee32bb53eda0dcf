//! The lane of a conversation, attempts, delivery reports.

use super::build::{missed, send, workflow};
use super::*;
use crate::workflow::CancelOn;

fn accepted(provider_id: &str) -> SendResult {
    SendResult::Accepted {
        provider_id: provider_id.to_owned(),
    }
}

#[test]
fn one_text_of_a_conversation_is_under_way_at_a_time() {
    let mut host = Host::new(vec![]);
    for body in ["one", "two", "three"] {
        host.send(body);
    }
    let statuses = |host: &Host| {
        let words: Vec<&str> = host.outgoing().iter().map(|one| one.1).collect();
        words.join(" ")
    };
    assert_eq!(statuses(&host), "sending queued queued");
    host.result(accepted("P1"));
    assert_eq!(statuses(&host), "accepted sending queued");
    host.result(SendResult::Rejected(problem("21211")));
    assert_eq!(statuses(&host), "accepted failed sending");
    host.result(accepted("P3"));
    assert_eq!(statuses(&host), "accepted failed accepted");
}

#[test]
fn texts_of_one_step_keep_their_order_through_a_retry() {
    // Two runs of one event text in the same millisecond.
    for seed in 0..20 {
        let a = workflow("a", missed(), vec![("t", "", send("first"))], |_| {});
        let b = workflow("b", missed(), vec![("t", "", send("second"))], |_| {});
        let mut host = Host::new(vec![a, b]);
        host.steps = seed * 1_000;
        host.call("C1", CallOutcome::NoAnswer);
        host.result(SendResult::Unavailable(problem("503")));
        host.wait(5);
        host.result(accepted("P1"));
        check(
            &host,
            &[("first", "accepted", ""), ("second", "sending", "")],
        );
    }
}

#[test]
fn what_certainly_had_no_effect_is_tried_again_with_growing_pauses() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    for attempt in 1..8_u32 {
        host.result(SendResult::Unavailable(problem("503")));
        let message = host.message(&id);
        assert_eq!(message.status, Status::Queued);
        let pause = message.not_before.unwrap().duration_since(host.now);
        let most = (2_i64 << (attempt - 1)).min(600);
        let least = most / 2;
        assert!(
            (least..=most).contains(&pause.as_secs()) || pause == SignedDuration::from_secs(most),
            "attempt {attempt}: {pause:?}"
        );
        host.wait(most + 1);
    }
    host.result(SendResult::Unavailable(problem("503")));
    check(&host, &[("one", "failed", "503")]);
    assert_eq!(host.message(&id).attempts.len(), 8);
}

#[test]
fn a_rate_limit_is_waited_for_as_the_provider_says_and_not_counted() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    for _ in 0..12 {
        host.result(SendResult::RateLimited(Some(30), problem("429")));
        host.wait(29);
        assert!(host.leaving().is_empty());
        host.wait(1);
    }
    // Being down once after so many limits is no reason to give up.
    host.result(SendResult::Unavailable(problem("503")));
    assert_eq!(host.message(&id).status, Status::Queued);
    host.wait(600);
    host.accept();
    check(&host, &[("one", "accepted", "")]);
}

#[test]
fn a_text_that_failed_may_be_said_again() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.result(SendResult::Rejected(problem("21211")));
    host.wait(1);
    host.send("one");
    host.accept();
    check(
        &host,
        &[("one", "failed", "21211"), ("one", "accepted", "")],
    );
}

#[test]
fn called_off_before_the_first_byte() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.result(SendResult::CalledOff);
    check(&host, &[("one", "canceled", "opted_out")]);
}

#[test]
fn a_text_whose_run_was_ended_meanwhile_is_not_tried_again() {
    let back = || {
        workflow("back", missed(), vec![("t", "", send("Sorry!"))], |one| {
            one.cancel_on = vec![CancelOn::Reply];
        })
    };
    // Refused for now, and the contact answers before it is known or after.
    for reply_first in [true, false] {
        let mut host = Host::new(vec![back()]);
        host.call("C1", CallOutcome::NoAnswer);
        if reply_first {
            host.text("never mind");
        }
        host.result(SendResult::Unavailable(problem("503")));
        host.text("never mind");
        host.wait(600);
        assert!(host.leaving().is_empty(), "reply first: {reply_first}");
        check(&host, &[("Sorry!", "canceled", "reply")]);
    }
    // Unknown, and found absent after the run was ended.
    let mut host = Host::new(vec![back()]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.result(SendResult::Unknown(problem("timeout")));
    host.text("never mind");
    for _ in 0..12 {
        host.wait(10);
        host.take(Input::Looked(id.clone(), Finding::Candidates(vec![])));
    }
    assert!(host.leaving().is_empty());
    check(&host, &[("Sorry!", "canceled", "reply")]);
}
