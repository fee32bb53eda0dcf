//! What a person does with a run, from files as an author writes them.

use super::flow::{file, said};
use super::*;
use crate::model::RunId;

const HEAD: &str = "name: Flow\non: call.missed\nintent: customer_care\n";

/// A run of this file, after a missed call; the provider takes everything.
fn missed_call(source: &str) -> Host {
    let mut host = Host::new(vec![file(&format!("{HEAD}{source}"))]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host
}

fn first(host: &Host) -> Run {
    let runs = host.runs();
    let mut runs = runs.into_iter().filter(|run| run.parent.is_none());
    runs.next().unwrap()
}

#[track_caller]
fn refused(answer: Answer, code: &str, text: &str) {
    match answer {
        Answer::Refused {
            code: is,
            text: says,
        } => {
            assert_eq!(is, code, "{says}");
            assert!(says.contains(text), "{says}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wait_is_ended_by_hand() {
    for wait in [
        "wait: 2d",
        "wait_for: reply\n    timeout: 2d",
        "wait_for: reply",
    ] {
        let mut host = missed_call(&format!("steps:\n  - {wait}\n  - send: \"Now.\"\n"));
        let id = first(&host).id;
        assert_eq!(host.take(Input::Wake(id.clone())), Answer::Done, "{wait}");
        host.accept();
        assert_eq!(said(&host), ["Now."], "{wait}");
        let notes: Vec<Notes> = host.records(b'j');
        let mut notes = notes.into_iter().flat_map(Notes::into_vec);
        assert!(notes.any(|note| note.what == "woken"), "{wait}");
        // And the timer that it had does nothing more.
        host.wait(3 * 86_400);
        assert_eq!(said(&host), ["Now."], "{wait}");
        refused(host.take(Input::Wake(id)), "not_running", "finished");
    }
    let mut host = missed_call("steps:\n  - send: \"Hi\"\n  - log: x\n");
    let id = first(&host).id;
    refused(host.take(Input::Wake(id)), "not_running", "finished");
    let nobody = RunId::parse("run_00000000-0000-7000-8000-000000000000").unwrap();
    assert_eq!(host.take(Input::Wake(nobody)), Answer::Unknown);
}

#[test]
fn a_wait_for_a_text_is_not_ended_by_hand() {
    let mut host = Host::new(vec![file(&format!("{HEAD}steps:\n  - send: \"Hi\"\n"))]);
    host.call("C1", CallOutcome::NoAnswer);
    let id = first(&host).id;
    refused(host.take(Input::Wake(id)), "not_waiting", "ringback why");
}

/// Edits a file under a run that waits in it, and moves the run; what it says from
/// then on, or why it cannot be moved.
fn moved(old: &str, new: &str, then: impl FnOnce(&mut Host)) -> Result<Vec<String>, String> {
    let mut host = missed_call(old);
    let id = first(&host).id;
    assert_eq!(
        host.take(Input::Move(id.clone())),
        Answer::Repeat,
        "it is there"
    );
    host.define(file(&format!("{HEAD}{new}")));
    let may = may_move(&host.catalog, &first(&host));
    match host.take(Input::Move(id)) {
        Answer::Done => assert_eq!(may, Ok(true)),
        Answer::Refused { code, text } => {
            assert_eq!((code, Err(text.clone())), ("cannot_move", may));
            return Err(text);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first(&host).version, 2);
    then(&mut host);
    host.accept();
    Ok(said(&host))
}

#[test]
fn a_run_goes_on_in_the_new_version_at_its_step() {
    let old = "steps:\n  - id: answer\n    wait_for: reply\n    timeout: 1d\n  - if: answer.timed_out\n    send: \"Old.\"\n";
    let new = "steps:\n  - id: sort\n    set: { x: 1 }\n  - id: answer\n    wait_for: reply\n    timeout: 9d\n  - if: answer.timed_out and not sort.ok\n    send: \"New.\"\n";
    // The time that it waits for stays; the step that it never came by counts as
    // one that was not taken.
    let said = moved(old, new, |host| host.wait(86_401));
    assert_eq!(said, Ok(vec!["New.".to_owned()]));
    // In a loop, whose things it has.
    let old = "steps:\n  - for_each: { in: [1, 2], as: n, steps: [{ id: pause, wait: 1h }, { send: \"old {{ n }}\" }] }\n";
    let new = "steps:\n  - log: first\n  - for_each: { in: [7], as: n, steps: [{ id: pause, wait: 1h }, { send: \"new {{ n }}\" }] }\n";
    let said = moved(old, new, |host| {
        host.wait(3_601);
        host.accept();
        host.wait(3_601);
    });
    assert_eq!(said, Ok(vec!["new 1".to_owned(), "new 2".to_owned()]));
}

#[test]
fn a_run_whose_step_is_gone_stays_and_says_why() {
    let check = |old: &str, new: &str, why: &str| {
        assert_eq!(moved(old, new, |_| {}), Err(why.to_owned()));
    };
    let waits = "steps:\n  - id: pause\n    wait: 1d\n  - send: Old.\n";
    check(
        waits,
        "steps:\n  - send: New.\n",
        "there is no step pause in v2",
    );
    check(
        waits,
        "steps:\n  - id: pause\n    wait_for: reply\n",
        "step pause is a `wait_for` in v2",
    );
    check(
        waits,
        "steps:\n  - for_each: { in: [1], as: n, steps: [{ id: pause, wait: 1d }] }\n",
        "its step is not in a `for_each` of the same things",
    );
    check(
        waits,
        "steps:\n  - log: x\non_failure:\n  - id: pause\n    wait: 1d\n",
        "its step is in `on_failure` in one of the versions only",
    );
    // The first wait of the one is not the first of the other.
    check(
        "steps:\n  - wait: 1d\n  - send: Old.\n",
        "steps:\n  - wait: 2d\n  - wait: 1d\n",
        "step wait-1 has no `id` of its own, and is another one in v2",
    );
    check(
        "steps:\n  - parallel:\n      - [{ wait: 1d }]\n      - [{ wait: 2d }]\n",
        "steps:\n  - parallel:\n      - [{ wait: 1d }]\n      - [{ wait: 3d }]\n",
        "it is in a `parallel`",
    );
}

#[test]
fn a_run_that_failed_goes_on_at_the_step_that_failed() {
    let mut host = missed_call(
        "steps:\n  - set: { n: 1 }\n  - id: it\n    http: https://example.com/\n  - send: \"Done.\"\n",
    );
    let run = first(&host);
    let fail = |host: &mut Host| {
        let run = first(host);
        let problem = Problem {
            code: "down".to_owned(),
            text: "down for an hour".to_owned(),
        };
        let failed = WorkResult::Failed {
            problem,
            again: false,
        };
        host.take(Input::Worked(run.id.clone(), run.works, failed));
    };
    refused(
        host.take(Input::Retry(run.id.clone())),
        "not_failed",
        "under way",
    );
    fail(&mut host);
    assert_eq!(first(&host).status, RunStatus::Failed);
    assert_eq!(host.take(Input::Retry(run.id.clone())), Answer::Done);
    let again = first(&host);
    assert_eq!(
        (again.status, again.outcome.clone()),
        (RunStatus::Running, None)
    );
    host.take(Input::Worked(
        run.id.clone(),
        again.works,
        WorkResult::Done(serde_json::json!({ "status": 200 })),
    ));
    host.accept();
    assert_eq!(said(&host), ["Done."]);
    assert_eq!(first(&host).status, RunStatus::Finished);
    refused(host.take(Input::Retry(run.id)), "not_failed", "finished");
}

#[test]
fn a_run_with_on_failure_goes_back_to_where_it_failed() {
    let mut host = missed_call(
        "steps:\n  - id: it\n    http: https://example.com/\n  - send: \"Done.\"\non_failure:\n  - send: \"Sorry.\"\n",
    );
    let run = first(&host);
    host.take(Input::Worked(
        run.id.clone(),
        run.works,
        WorkResult::Failed {
            problem: Problem {
                code: "down".to_owned(),
                text: "down".to_owned(),
            },
            again: false,
        },
    ));
    host.accept();
    assert_eq!(first(&host).status, RunStatus::Failed);
    assert_eq!(host.take(Input::Retry(run.id.clone())), Answer::Done);
    let again = first(&host);
    host.take(Input::Worked(
        run.id,
        again.works,
        WorkResult::Done(serde_json::json!({ "status": 200 })),
    ));
    host.accept();
    assert_eq!(said(&host), ["Sorry.", "Done."]);
}

#[test]
fn a_later_run_for_the_same_contact_is_not_joined_by_an_earlier_one() {
    let mut host = missed_call("steps:\n  - send: \"{{ event.nothing.there }}\"\n");
    let run = first(&host);
    assert_eq!(run.status, RunStatus::Failed);
    host.call("C2", CallOutcome::NoAnswer);
    refused(
        host.take(Input::Retry(run.id)),
        "superseded",
        "began after it for the same contact",
    );
}
