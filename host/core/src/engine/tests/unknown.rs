//! Attempts whose outcome nobody knows.

use super::build::{self, missed, send, send_with, workflow};
use super::*;
use crate::workflow::OnUnknown;

/// A host with one text of unknown outcome, and one behind it.
fn lost(change: impl FnOnce(&mut Setup)) -> (Host, MessageId) {
    let mut setup = build::setup();
    change(&mut setup);
    let mut host = Host::with(setup, vec![]);
    let id = host.send("one");
    host.send("two");
    host.result(SendResult::Unknown(problem("timeout")));
    check(&host, &[("one", "unknown", ""), ("two", "queued", "")]);
    (host, id)
}

fn looks(host: &mut Host) -> usize {
    let commands = std::mem::take(&mut host.commands);
    let looks = commands
        .iter()
        .filter(|command| matches!(command, Command::Look(_)))
        .count();
    host.commands = commands
        .into_iter()
        .filter(|command| !matches!(command, Command::Look(_)))
        .collect();
    looks
}

#[test]
fn the_providers_list_settles_it() {
    let (mut host, id) = lost(|_| {});
    host.wait(3);
    assert_eq!(looks(&mut host), 1);
    let finding = Finding::Candidates(vec!["P7".to_owned()]);
    host.take(Input::Looked(id.clone(), finding));
    check(&host, &[("one", "accepted", ""), ("two", "sending", "")]);
    assert_eq!(host.message(&id).provider_id.as_deref(), Some("P7"));
}

#[test]
fn a_text_of_the_list_that_is_anothers_does_not_count() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.result(SendResult::Accepted {
        provider_id: "P1".to_owned(),
    });
    host.wait(200);
    let id = host.send("one");
    host.result(SendResult::Unknown(problem("timeout")));
    host.wait(3);
    let finding = Finding::Candidates(vec!["P1".to_owned()]);
    host.take(Input::Looked(id.clone(), finding));
    assert_eq!(host.message(&id).status, Status::Unknown);
}

#[test]
fn a_report_settles_it() {
    let (mut host, id) = lost(|_| {});
    host.take(Input::Report(Report {
        connection: "main".to_owned(),
        provider_id: "P7".to_owned(),
        id: Some(id),
        delivery: Delivery::Sent,
    }));
    check(&host, &[("one", "sent", ""), ("two", "sending", "")]);
}

#[test]
fn an_idempotent_provider_is_asked_again() {
    let (mut host, id) = lost(|setup| {
        setup.connections.get_mut("main").unwrap().idempotent = true;
    });
    host.wait(3);
    assert_eq!(looks(&mut host), 0);
    host.accept();
    check(&host, &[("one", "accepted", ""), ("two", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 2);
}

#[test]
fn an_idempotent_repeat_needs_an_open_gate() {
    let (mut host, _) = lost(|setup| {
        setup.connections.get_mut("main").unwrap().idempotent = true;
    });
    host.take(Input::OptOut(
        caller(),
        true,
        crate::model::OptOutSource::Api,
    ));
    host.wait(3);
    assert!(host.leaving().is_empty());
    check(
        &host,
        &[
            ("one", "needs_review", "gate_closed"),
            ("two", "canceled", "opted_out"),
        ],
    );
}

#[test]
fn absent_after_the_settle_time_is_sent_again_in_its_place() {
    let (mut host, id) = lost(|_| {});
    let mut times = 0;
    while host.message(&id).status == Status::Unknown {
        host.wait(1);
        times += 1;
        assert!(times < 200, "it is never settled");
        if looks(&mut host) > 0 {
            host.take(Input::Looked(id.clone(), Finding::Candidates(vec![])));
        }
    }
    assert!((60..=62).contains(&times), "after {times} s");
    host.wait(1);
    host.accept();
    check(&host, &[("one", "accepted", ""), ("two", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 2);
}

/// A provider without a list: held for a person, who decides.
#[test]
fn held_for_review() {
    let decided = |decision: Decide, expected: &str, attempts: usize| {
        let (mut host, id) = lost(|_| {});
        for _ in 0..70 {
            host.wait(1);
            if looks(&mut host) > 0 {
                host.take(Input::Looked(id.clone(), Finding::Unsupported));
            }
        }
        check(
            &host,
            &[("one", "needs_review", "unknown"), ("two", "sending", "")],
        );
        host.accept();
        assert_eq!(host.take(Input::Decide(id.clone(), decision)), Answer::Done);
        host.wait(1);
        host.accept();
        assert_eq!(host.message(&id).status.word(), expected);
        assert_eq!(host.message(&id).attempts.len(), attempts);
        let again = host.take(Input::Decide(id, decision));
        assert!(matches!(
            again,
            Answer::Refused {
                code: "not_in_review",
                ..
            }
        ));
    };
    decided(Decide::Sent, "accepted", 1);
    decided(Decide::Resend, "accepted", 2);
    decided(Decide::Drop, "canceled", 1);
}

#[test]
fn the_timeline_of_a_run_does_not_say_what_nobody_knows() {
    let back = workflow("back", missed(), vec![("t", "", send("Sorry!"))], |_| {});
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.result(SendResult::Unknown(problem("timeout")));
    for _ in 0..70 {
        host.wait(1);
        if looks(&mut host) > 0 {
            host.take(Input::Looked(id.clone(), Finding::Unsupported));
        }
    }
    assert_eq!(host.message(&id).status, Status::NeedsReview);
    assert_eq!(host.notices, [Notice::Undecided(id)]);
    let notes: Vec<Notes> = host.records(b'j');
    let notes: Vec<Note> = notes.into_iter().flat_map(Notes::into_vec).collect();
    let words: Vec<&str> = notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        words,
        ["started", "waits", "finding_out", "unknown", "finished"]
    );
}

#[test]
fn the_author_may_prefer_a_double() {
    let mut host = Host::new(vec![]);
    let id = host.send_as("one", |request| request.on_unknown = OnUnknown::Resend);
    host.result(SendResult::Unknown(problem("timeout")));
    for _ in 0..70 {
        host.wait(1);
        if looks(&mut host) > 0 {
            host.take(Input::Looked(id.clone(), Finding::Unsupported));
        }
    }
    assert_eq!(host.notices, [Notice::SentAgain(id.clone())]);
    host.accept();
    check(&host, &[("one", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 2);
}

/// Whatever the provider's list does, later texts wait no longer than the settle
/// time and the answer of one last look.
#[test]
fn a_list_that_is_down_ends_in_review_at_the_settle_time() {
    let held_up = || {
        // The attempt itself took 25 s.
        let mut host = Host::new(vec![]);
        let id = host.send("one");
        host.send("two");
        host.now += SignedDuration::from_secs(25);
        host.result(SendResult::Unknown(problem("timeout")));
        let mut seconds = 0;
        while host.message(&id).status == Status::Unknown {
            host.wait(1);
            seconds += 1;
            assert!(seconds < 200, "it is never settled");
            if looks(&mut host) > 0 {
                let finding = Finding::Unavailable(problem("503"));
                host.take(Input::Looked(id.clone(), finding));
            }
        }
        check(
            &host,
            &[("one", "needs_review", "unknown"), ("two", "sending", "")],
        );
        seconds
    };
    assert_eq!(held_up(), 60);
}

/// An answer of the last look that takes a moment is waited for.
#[test]
fn a_slow_last_look_still_counts() {
    let (mut host, id) = lost(|setup| {
        setup.connections.get_mut("main").unwrap().settle_ms = 1_000;
    });
    // Nothing answers for three seconds, then the list says that it is not there.
    host.wait(3);
    assert!(looks(&mut host) > 2);
    assert_eq!(host.message(&id).status, Status::Unknown);
    for _ in 0..4 {
        let finding = Finding::Candidates(vec![]);
        host.take(Input::Looked(id.clone(), finding));
    }
    host.wait(1);
    host.accept();
    check(&host, &[("one", "accepted", ""), ("two", "accepted", "")]);
}

/// Repeats do not start the settle time again.
#[test]
fn an_idempotent_provider_that_never_answers_ends_in_review_at_the_settle_time() {
    let (mut host, id) = lost(|setup| {
        setup.connections.get_mut("main").unwrap().idempotent = true;
    });
    let begin = host.now;
    while host.message(&id).status != Status::NeedsReview {
        host.wait(1);
        let seconds = host.now.duration_since(begin).as_secs();
        assert!(seconds <= 70, "after {seconds} s");
        if host.message(&id).status == Status::Sending {
            host.wait(10);
            host.result(SendResult::Unknown(problem("timeout")));
        }
    }
    assert_eq!(host.message(&id).aside.unknown_since, Some(begin));
    check(
        &host,
        &[("one", "needs_review", "unknown"), ("two", "sending", "")],
    );
}

/// Its time ran out while the host was down: the provider is asked all the same.
#[test]
fn a_host_that_was_down_asks_before_it_gives_up() {
    let (mut host, id) = lost(|_| {});
    host.wait(20);
    host.commands.clear();
    host.now += SignedDuration::from_hours(5);
    let mut seconds = 0;
    while host.message(&id).status == Status::Unknown {
        host.wait(1);
        seconds += 1;
        assert!(seconds < 60, "it is never settled");
        if looks(&mut host) > 0 {
            host.take(Input::Looked(id.clone(), Finding::Candidates(vec![])));
        }
    }
    host.wait(1);
    host.accept();
    check(&host, &[("one", "accepted", ""), ("two", "accepted", "")]);
}

#[test]
fn a_look_that_was_never_answered_does_not_count() {
    let (mut host, id) = lost(|_| {});
    for _ in 0..300 {
        // The host is killed before any of them comes back.
        host.wait(1);
        host.commands.clear();
    }
    assert_eq!(host.message(&id).status, Status::Unknown);
    for _ in 0..120 {
        host.wait(1);
        if looks(&mut host) > 0 {
            host.take(Input::Looked(id.clone(), Finding::Candidates(vec![])));
        }
    }
    assert_eq!(host.message(&id).attempts.len(), 2, "it is sent again");
}

#[test]
fn a_crash_makes_it_unknown_once() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.commands.clear();
    host.take(Input::LostText(id.clone()));
    assert_eq!(host.message(&id).status, Status::Unknown);
    assert!(host.state.get(&keys::text_in_flight(&id)).is_none());
    assert_eq!(host.take(Input::LostText(id.clone())), Answer::Repeat);
}

/// The author of a file decides it in the step.
#[test]
fn a_step_may_prefer_a_double() {
    let back = workflow(
        "back",
        missed(),
        vec![(
            "one",
            "",
            send_with("one", |send| send.on_unknown = OnUnknown::Resend),
        )],
        |_| {},
    );
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.result(SendResult::Unknown(problem("timeout")));
    host.wait(60);
    host.take(Input::Looked(id.clone(), Finding::Unsupported));
    host.wait(1);
    host.accept();
    check(&host, &[("one", "accepted", "")]);
    assert_eq!(host.message(&id).attempts.len(), 2);
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn a_run_goes_on_when_its_text_is_held() {
    let back = workflow(
        "back",
        missed(),
        vec![
            ("one", "", send("one")),
            (
                "two",
                "not one.ok",
                send_with("two", |send| send.on_unknown = OnUnknown::Resend),
            ),
        ],
        |_| {},
    );
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.result(SendResult::Unknown(problem("timeout")));
    host.wait(60);
    host.take(Input::Looked(id, Finding::Unsupported));
    check(
        &host,
        &[("one", "needs_review", "unknown"), ("two", "sending", "")],
    );
}
