//! Delivery reports, and which attempt they speak of.

use super::build;
use super::*;
use crate::model::{Attention, Outcome};

fn report(id: Option<&MessageId>, provider_id: &str, delivery: Delivery) -> Input {
    Input::Report(Report {
        connection: "main".to_owned(),
        provider_id: provider_id.to_owned(),
        id: id.cloned(),
        delivery,
    })
}

fn accepted(provider_id: &str) -> SendResult {
    SendResult::Accepted {
        provider_id: provider_id.to_owned(),
    }
}

#[test]
fn reports_come_in_any_order_and_never_take_a_text_back() {
    let checked = |deliveries: &[Delivery], expected: &str| {
        let mut host = Host::new(vec![]);
        let id = host.send("one");
        host.result(accepted("P1"));
        for delivery in deliveries {
            host.take(report(None, "P1", delivery.clone()));
            host.take(report(Some(&id), "P1", delivery.clone()));
        }
        assert_eq!(host.message(&id).status.word(), expected, "{deliveries:?}");
    };
    let lost = || Delivery::Undelivered(problem("30003"));
    checked(&[Delivery::Sent, Delivery::Delivered], "delivered");
    checked(
        &[Delivery::Delivered, Delivery::Sent, Delivery::Queued],
        "delivered",
    );
    checked(&[Delivery::Delivered, lost()], "delivered");
    checked(&[lost(), Delivery::Delivered], "delivered");
    checked(&[lost(), Delivery::Sent], "undelivered");
    checked(&[Delivery::Failed(problem("30007"))], "failed");
}

#[test]
fn a_report_before_the_answer_settles_the_attempt() {
    for late in [accepted("P1"), SendResult::Unknown(problem("timeout"))] {
        let mut host = Host::new(vec![]);
        let id = host.send("one");
        host.send("two");
        let leaving = host.leaving();
        host.take(report(Some(&id), "P1", Delivery::Delivered));
        assert!(host.state.get(&keys::text_in_flight(&id)).is_none());
        host.take(Input::Sent(leaving[0].clone(), late));
        check(&host, &[("one", "delivered", ""), ("two", "sending", "")]);
        assert_eq!(host.message(&id).provider_id.as_deref(), Some("P1"));
    }
}

#[test]
fn a_report_on_a_text_that_waits_for_another_try_ends_the_waiting() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.result(SendResult::Unavailable(problem("503")));
    host.take(report(Some(&id), "P1", Delivery::Delivered));
    host.send("two");
    host.accept();
    host.wait(60);
    host.accept();
    check(&host, &[("one", "delivered", ""), ("two", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 1);
    assert!(host.conversation().lane.is_empty());
}

#[test]
fn a_report_of_another_connection_is_not_believed() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.result(accepted("P1"));
    let answer = host.take(Input::Report(Report {
        connection: "other".to_owned(),
        provider_id: "P1".to_owned(),
        id: Some(id),
        delivery: Delivery::Delivered,
    }));
    assert_eq!(answer, Answer::Unknown);
    check(&host, &[("one", "accepted", "")]);
}

/// A text whose first attempt counted as absent and whose second was accepted, as
/// P2; the first is P1 at the provider.
fn sent_again() -> (Host, MessageId) {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.result(SendResult::Unknown(problem("timeout")));
    host.take(Input::Decide(id.clone(), Decide::Resend));
    host.wait(1);
    host.result(accepted("P2"));
    check(&host, &[("one", "accepted", "")]);
    (host, id)
}

fn deliveries(host: &Host, id: &MessageId) -> String {
    let attempts = host.message(id).attempts;
    let words = attempts.iter().map(|one| {
        let of = match &one.outcome {
            Some(Outcome::Accepted { provider_id }) => provider_id.as_str(),
            Some(Outcome::Absent) => "absent",
            _ => "?",
        };
        format!("{of}:{}", one.delivery.map_or("", Status::word))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_late_report_on_an_earlier_attempt_does_not_fail_the_present_one() {
    for failing in [
        Delivery::Failed(problem("30003")),
        Delivery::Undelivered(problem("30003")),
    ] {
        let (mut host, id) = sent_again();
        host.take(report(Some(&id), "P1", failing.clone()));
        check(&host, &[("one", "accepted", "")]);
        assert!(deliveries(&host, &id).ends_with("P2:"));
        assert_eq!(host.message(&id).provider_id.as_deref(), Some("P2"));
        // The same, with the present one delivered before.
        host.take(report(Some(&id), "P2", Delivery::Delivered));
        host.take(report(None, "P1", failing));
        check(&host, &[("one", "delivered", "")]);
        assert!(!host.message(&id).aside.twice);
    }
}

#[test]
fn a_text_that_arrived_twice_is_shown_until_somebody_has_seen_it() {
    let (mut host, id) = sent_again();
    host.take(report(Some(&id), "P2", Delivery::Delivered));
    assert_eq!(host.told("message.sent_twice"), 0);
    host.take(report(Some(&id), "P1", Delivery::Sent));
    assert_eq!(host.told("message.sent_twice"), 1);
    host.take(report(None, "P1", Delivery::Delivered));
    assert_eq!(host.told("message.sent_twice"), 1);
    assert_eq!(deliveries(&host, &id), "P1:delivered P2:delivered");
    let listed = keys::attention(Attention::Twice, &id);
    assert!(host.state.get(&listed).is_some());
    assert_eq!(host.take(Input::Dismiss(id.clone())), Answer::Done);
    assert!(host.state.get(&listed).is_none());
    check(&host, &[("one", "delivered", "")]);
}

#[test]
fn reports_on_both_attempts_find_their_own_in_any_order() {
    // The report on the first comes while the second is under way, and is taken for
    // one on that until its answer says otherwise.
    for failing in [true, false] {
        let mut host = Host::new(vec![]);
        let id = host.send("one");
        host.result(SendResult::Unknown(problem("timeout")));
        host.take(Input::Decide(id.clone(), Decide::Resend));
        host.wait(1);
        let leaving = host.leaving();
        let delivery = match failing {
            true => Delivery::Failed(problem("30003")),
            false => Delivery::Delivered,
        };
        host.take(report(Some(&id), "P1", delivery));
        host.take(Input::Sent(leaving[0].clone(), accepted("P2")));
        let (status, seen) = match failing {
            true => ("accepted", "P1:failed P2:"),
            false => ("delivered", "P1:delivered P2:"),
        };
        check(&host, &[("one", status, "")]);
        assert_eq!(deliveries(&host, &id), seen);
        assert_eq!(host.message(&id).aside.twice, !failing);
    }
}

#[test]
fn a_dropped_text_that_arrived_is_shown_as_it_is() {
    let dropped = || {
        let mut host = Host::with(build::setup(), vec![]);
        let id = host.send("one");
        host.result(SendResult::Unknown(problem("timeout")));
        host.take(Input::Decide(id.clone(), Decide::Drop));
        check(&host, &[("one", "canceled", "dropped_by_person")]);
        assert_eq!(host.message(&id).problem, None);
        (host, id)
    };
    let (mut host, id) = dropped();
    host.take(report(Some(&id), "P1", Delivery::Delivered));
    check(&host, &[("one", "delivered", "")]);
    let (mut host, id) = dropped();
    host.take(report(Some(&id), "P1", Delivery::Failed(problem("30003"))));
    check(&host, &[("one", "canceled", "dropped_by_person")]);
}

#[test]
fn what_arrived_is_not_sent_again_as_a_dead_letter() {
    let (mut host, id) = sent_again();
    host.take(report(Some(&id), "P2", Delivery::Failed(problem("30003"))));
    check(&host, &[("one", "failed", "30003")]);
    host.take(report(Some(&id), "P1", Delivery::Sent));
    let answer = host.take(Input::Replay(id.clone()));
    assert!(
        matches!(
            answer,
            Answer::Refused {
                code: "may_have_been_sent",
                ..
            }
        ),
        "{answer:?}"
    );
    host.take(report(Some(&id), "P1", Delivery::Delivered));
    check(&host, &[("one", "delivered", "")]);
}
