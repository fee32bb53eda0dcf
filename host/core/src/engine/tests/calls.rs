//! What providers report of calls, and when one counts as missed.

use super::build::{self, missed, send, wait, workflow};
use super::*;
use crate::workflow::{CallFilter, CancelOn, On};

fn text_back() -> Arc<Workflow> {
    workflow("back", missed(), vec![("text", "", send("Sorry!"))], |_| {})
}

#[test]
fn a_missed_call_is_one_batch_with_event_run_gate_and_attempt() {
    let mut host = Host::new(vec![text_back()]);
    let act = host.decide(&Input::Call(call("C1", CallOutcome::NoAnswer)));
    assert!(matches!(act.commands.as_slice(), [Command::Send(_)]));
    let tables: std::collections::BTreeSet<u8> = act
        .batch
        .writes
        .keys()
        .map(|key| key.as_bytes()[0])
        .collect();
    let expected = b"abceijlmopr".iter().copied().collect();
    assert_eq!(
        tables, expected,
        "call, conversation, feed, mark, text, contact, run"
    );
    host.state.commit(&act.batch).unwrap();
    check(&host, &[("Sorry!", "sending", "")]);
}

#[test]
fn the_same_report_ten_times_is_one_text() {
    let mut host = Host::new(vec![text_back()]);
    let first = host.call("C1", CallOutcome::NoAnswer);
    assert!(matches!(first, Answer::Runs(runs) if runs.len() == 1));
    for _ in 0..9 {
        assert_eq!(host.call("C1", CallOutcome::NoAnswer), Answer::Repeat);
    }
    host.accept();
    check(&host, &[("Sorry!", "accepted", "")]);
    assert_eq!(host.told("call.missed"), 1);
}

#[test]
fn an_id_of_ours_that_is_not_known_falls_back_to_the_providers() {
    let mut host = Host::new(vec![text_back()]);
    for _ in 0..3 {
        host.take(Input::Call(CallReport {
            id: CallId::parse("01a1950878857371a1d7574b5b0083d6"),
            ..call("C1", CallOutcome::NoAnswer)
        }));
    }
    assert_eq!(host.told("call.missed"), 1);
}

#[test]
fn which_outcomes_are_missed() {
    let check = |plan: Option<Calls>, outcome, forwarded, expected: &str| {
        let mut setup = build::setup();
        setup.agents.get_mut("desk").unwrap().calls = plan.clone();
        let mut host = Host::with(setup, vec![]);
        host.take(Input::Call(CallReport {
            forwarded,
            ..call("C1", outcome)
        }));
        let last = host.told.last().unwrap();
        assert_eq!(last, expected, "{plan:?} {outcome:?} {forwarded}");
    };
    let forward = Some(Calls::Forward {
        to: phone("+15125550111"),
        ring_for: 20,
    });
    check(None, CallOutcome::NoAnswer, false, "call.missed");
    check(None, CallOutcome::Busy, false, "call.missed");
    check(None, CallOutcome::Canceled, false, "call.missed");
    check(None, CallOutcome::Voicemail, false, "call.missed");
    check(None, CallOutcome::Completed, false, "call.completed");
    check(None, CallOutcome::Ringing, false, "call.status");
    check(None, CallOutcome::Rejected, false, "call.status");
    // The provider answered it: only the leg to the owner counts.
    check(
        forward.clone(),
        CallOutcome::Completed,
        false,
        "call.status",
    );
    check(
        forward.clone(),
        CallOutcome::Completed,
        true,
        "call.completed",
    );
    check(forward.clone(), CallOutcome::NoAnswer, true, "call.missed");
    check(forward, CallOutcome::Voicemail, true, "call.missed");
    check(
        Some(Calls::Missed),
        CallOutcome::Ringing,
        false,
        "call.missed",
    );
    check(
        Some(Calls::Missed),
        CallOutcome::Completed,
        false,
        "call.missed",
    );
}

#[test]
fn a_forwarded_call_stays_what_its_leg_said() {
    let mut setup = build::setup();
    setup.agents.get_mut("desk").unwrap().calls = Some(Calls::Forward {
        to: phone("+15125550111"),
        ring_for: 20,
    });
    // The parent's word may come before or after that of the leg.
    for leg_first in [true, false] {
        let mut host = Host::with(setup.clone(), vec![text_back()]);
        let leg = CallReport {
            forwarded: true,
            ..call("C1", CallOutcome::NoAnswer)
        };
        host.call("C1", CallOutcome::Ringing);
        if leg_first {
            host.take(Input::Call(leg.clone()));
        }
        host.call("C1", CallOutcome::Completed);
        host.take(Input::Call(leg));
        let calls: Vec<crate::model::Call> = host.records(b'a');
        assert_eq!(
            calls[0].status.word(),
            "NO_ANSWER",
            "leg first: {leg_first}"
        );
        assert_eq!(host.told("call.missed"), 1);
        assert_eq!(host.told("call.completed"), 0);
    }
}

#[test]
fn an_answering_machine_of_ours_is_not_an_answer() {
    let mut setup = build::setup();
    setup.agents.get_mut("desk").unwrap().calls = Some(Calls::Missed);
    let later = workflow(
        "later",
        missed(),
        vec![("settle", "", wait(45)), ("text", "", send("Sorry!"))],
        |one| one.cancel_on = vec![CancelOn::CallAnswered],
    );
    let mut host = Host::with(setup, vec![later]);
    host.call("C1", CallOutcome::Ringing);
    host.call("C1", CallOutcome::Answered);
    host.call("C1", CallOutcome::Completed);
    host.wait(60);
    host.accept();
    check(&host, &[("Sorry!", "accepted", "")]);
}

#[test]
fn an_answered_call_ends_the_follow_up() {
    let later = workflow(
        "later",
        missed(),
        vec![("settle", "", wait(45)), ("text", "", send("Sorry!"))],
        |one| one.cancel_on = vec![CancelOn::CallAnswered],
    );
    let mut host = Host::new(vec![later]);
    host.call("C1", CallOutcome::NoAnswer);
    host.call("C2", CallOutcome::Answered);
    host.wait(60);
    check(&host, &[]);
    assert_eq!(host.run().outcome.as_deref(), Some("call.answered"));
}

#[test]
fn a_hidden_caller_is_noted_and_nobody_is_texted() {
    let mut host = Host::new(vec![text_back()]);
    host.take(Input::Call(CallReport {
        from: None,
        ..call("C1", CallOutcome::NoAnswer)
    }));
    assert_eq!(host.told("call.missed"), 1);
    assert!(host.leaving().is_empty());
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Failed)
    );
}

#[test]
fn a_call_to_nobodys_number_is_only_told() {
    let mut host = Host::new(vec![text_back()]);
    let answer = host.take(Input::Call(CallReport {
        to: Some(phone("+15125550777")),
        ..call("C1", CallOutcome::NoAnswer)
    }));
    assert_eq!(answer, Answer::Unknown);
    assert_eq!(host.told, ["workflow.defined", "call.unrouted"]);
}

#[test]
fn filters_choose_calls() {
    let check = |filter: CallFilter, expected: usize| {
        let wanted = workflow(
            "w",
            On::CallMissed(filter),
            vec![("w", "", wait(60))],
            |_| {},
        );
        let mut host = Host::new(vec![wanted]);
        host.call("C1", CallOutcome::NoAnswer);
        assert_eq!(host.runs().len(), expected);
    };
    let any = CallFilter::default;
    check(any(), 1);
    check(
        CallFilter {
            direction: Some(crate::workflow::Direction::Outbound),
            ..any()
        },
        0,
    );
    check(
        CallFilter {
            direction: Some(crate::workflow::Direction::Inbound),
            ..any()
        },
        1,
    );
    check(
        CallFilter {
            to: vec!["+15125550100".to_owned()],
            ..any()
        },
        1,
    );
    check(
        CallFilter {
            to: vec!["+15125550101".to_owned()],
            ..any()
        },
        0,
    );
    check(
        CallFilter {
            from: vec!["+13125550123".to_owned()],
            ..any()
        },
        1,
    );
    check(
        CallFilter {
            agent: Some("desk".to_owned()),
            ..any()
        },
        1,
    );
    check(
        CallFilter {
            agent: Some("night".to_owned()),
            ..any()
        },
        0,
    );
}

#[test]
fn a_call_of_ours_is_marked_until_its_outcome_is_known() {
    let place = || {
        Input::Place(PlaceRequest {
            idempotency: None,
            agent: "desk".to_owned(),
            connection: "main".to_owned(),
            from: phone("+15125550100"),
            to: caller(),
            variables: serde_json::Map::new(),
            ring_for: 20,
        })
    };
    let check = |result: Option<PlaceResult>, expected: &str| {
        let mut host = Host::new(vec![]);
        let Answer::Call(id) = host.take(place()) else {
            panic!("no call");
        };
        let mark = keys::call_in_flight(&id);
        assert!(host.state.get(&mark).is_some());
        match result {
            Some(result) => host.take(Input::Placed(id.clone(), result)),
            None => host.take(Input::LostCall(id.clone())),
        };
        assert!(host.state.get(&mark).is_none());
        let stored: crate::model::Call = host.get(&keys::call(&id));
        assert_eq!(stored.status.word(), expected);
    };
    let provider_id = "O1".to_owned();
    check(Some(PlaceResult::Accepted { provider_id }), "INITIATED");
    check(Some(PlaceResult::Refused(problem("no"))), "FAILED");
    check(Some(PlaceResult::Unknown(problem("lost"))), "UNKNOWN");
    check(None, "UNKNOWN");
    let mut host = Host::new(vec![]);
    host.take(Input::OptOut(
        caller(),
        true,
        crate::model::OptOutSource::Api,
    ));
    assert!(matches!(
        host.take(place()),
        Answer::Refused {
            code: "opted_out",
            ..
        }
    ));
}
