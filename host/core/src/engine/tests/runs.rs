//! Enrolling, conditions, values, ends.

use super::build::{manual, missed, received, reply, send, wait, workflow};
use super::*;
use crate::workflow::expression::{Expression, Template, Value};
use crate::workflow::{Action, Again, Definition, Set, Stop};
use serde_json::json;

#[test]
fn who_may_be_enrolled_again() {
    /// Calls at these seconds; how many runs there are in the end.
    fn checked(change: impl FnOnce(&mut Definition), calls: &[i64], expected: usize) {
        let back = workflow("back", missed(), vec![("wait", "", wait(60))], change);
        let mut host = Host::new(vec![back]);
        for (number, at) in calls.iter().enumerate() {
            host.wait(*at);
            host.call(&format!("C{number}"), CallOutcome::NoAnswer);
        }
        assert_eq!(host.runs().len(), expected);
        assert_eq!(host.told("run.not_started"), calls.len() - expected);
    }
    checked(|_| {}, &[0, 30], 1);
    checked(|_| {}, &[0, 61], 2);
    checked(|one| one.enroll.again = Again::Never, &[0, 61, 86_400], 1);
    checked(|one| one.enroll.again = Again::Always, &[0, 1, 1], 3);
    checked(
        |one| one.enroll.again_after = Some(3_600),
        &[0, 61, 3_538],
        1,
    );
    checked(
        |one| one.enroll.again_after = Some(3_600),
        &[0, 61, 3_539],
        2,
    );
    let by_call = Value::Expression(Expression::new("event.id").unwrap());
    checked(|one| one.enroll.key = Some(by_call), &[0, 1], 2);
}

#[test]
fn conditions_choose_steps_and_triggers() {
    let back = workflow(
        "back",
        missed(),
        vec![
            ("no", "contact.region == \"GB\"", send("Cheerio")),
            (
                "yes",
                "contact.region == \"US\" and no.skipped",
                send("Howdy {{ agent.business }}"),
            ),
        ],
        |_| {},
    );
    let never = workflow("never", missed(), vec![("t", "", send("never"))], |one| {
        one.triggers[0].condition = Some(Expression::new("event.voicemail").unwrap());
    });
    let mut host = Host::new(vec![back, never]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    check(&host, &[("Howdy Brightside", "accepted", "")]);
}

#[test]
fn values_and_a_stop() {
    let set = Action::Set(Set {
        values: vec![
            ("a".to_owned(), Value::Literal(json!(2))),
            (
                "b".to_owned(),
                Value::Expression(Expression::new("1 + 1").unwrap()),
            ),
        ],
    });
    let stop = Action::Stop(Stop {
        reason: Some(Value::Template(Template::new("a is {{ vars.a }}").unwrap())),
    });
    let back = workflow(
        "back",
        missed(),
        vec![
            ("set", "", set),
            ("stop", "vars.a == vars.b", stop),
            ("t", "", send("never")),
        ],
        |one| {
            one.vars.insert("a".to_owned(), json!(1));
        },
    );
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    check(&host, &[]);
    assert_eq!(host.run().outcome.as_deref(), Some("a is 2"));
    assert!(host.contact().runs.is_empty());
}

#[test]
fn a_step_that_cannot_be_done_fails_its_run_and_says_why() {
    let checked = |action: Action, expected: &str| {
        let back = workflow("back", missed(), vec![("it", "", action)], |_| {});
        let mut host = Host::new(vec![back]);
        host.call("C1", CallOutcome::NoAnswer);
        let run = host.run();
        assert_eq!(run.status, RunStatus::Failed);
        let outcome = run.outcome.unwrap();
        assert!(outcome.contains(expected), "{outcome}");
        let notes: Vec<Notes> = host.records(b'j');
        let notes: Vec<Note> = notes.into_iter().flat_map(Notes::into_vec).collect();
        assert_eq!(notes.last().unwrap().what, "failed");
    };
    checked(send("{{ nobody.knows }}"), "step it");
    checked(send("  "), "the text is empty");
    checked(
        super::build::send_with("x", |send| send.agent = Some("nobody".to_owned())),
        "there is no agent \"nobody\"",
    );
}

#[test]
fn a_person_ends_a_run_and_its_text() {
    let back = workflow("back", missed(), vec![("t", "", send("Sorry!"))], |_| {});
    let mut host = Host::new(vec![back]);
    host.send("in flight");
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.run().id;
    assert_eq!(host.take(Input::Cancel(id.clone())), Answer::Done);
    let again = host.take(Input::Cancel(id));
    assert!(matches!(
        again,
        Answer::Refused {
            code: "not_running",
            ..
        }
    ));
    host.accept();
    check(
        &host,
        &[
            ("in flight", "accepted", ""),
            ("Sorry!", "canceled", "cancelled"),
        ],
    );
}

#[test]
fn a_run_keeps_the_version_it_began_with() {
    let version = |words: &str| {
        workflow(
            "back",
            missed(),
            vec![("w", "", wait(60)), ("t", "", send(words))],
            |_| {},
        )
    };
    let mut host = Host::new(vec![version("old")]);
    host.call("C1", CallOutcome::NoAnswer);
    assert_eq!(host.define(version("new")), 2);
    assert_eq!(host.define(version("new")), 2);
    host.wait(60);
    host.accept();
    host.call("C2", CallOutcome::NoAnswer);
    host.wait(60);
    host.accept();
    check(&host, &[("old", "accepted", ""), ("new", "accepted", "")]);
}

#[test]
fn a_file_that_is_gone_starts_nothing_and_its_runs_go_on() {
    let back = workflow(
        "back",
        missed(),
        vec![("w", "", wait(60)), ("t", "", send("Sorry!"))],
        |_| {},
    );
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    host.take(Input::Undefine("back".to_owned()));
    host.catalog.in_service.clear();
    host.call("C2", CallOutcome::NoAnswer);
    host.wait(60);
    host.accept();
    check(&host, &[("Sorry!", "accepted", "")]);
    assert_eq!(host.runs().len(), 1);
}

#[test]
fn a_manual_start_needs_a_manual_trigger() {
    let hand = workflow("hand", manual(), vec![("t", "", send("Hi"))], |_| {});
    let text = workflow("text", received(), vec![("t", "", send("Hi"))], |_| {});
    let mut host = Host::new(vec![hand, text]);
    assert!(matches!(host.start("hand"), Answer::Runs(runs) if runs.len() == 1));
    assert!(matches!(
        host.start("hand"),
        Answer::Refused {
            code: "already_enrolled",
            ..
        }
    ));
    assert!(matches!(
        host.start("text"),
        Answer::Refused {
            code: "not_manual",
            ..
        }
    ));
    assert_eq!(host.start("none"), Answer::Unknown);
}

#[test]
fn a_wait_for_ever_has_no_timer_and_hears_an_answer() {
    let back = workflow(
        "back",
        missed(),
        vec![("w", "", reply(None)), ("t", "", send("Thanks"))],
        |_| {},
    );
    let mut host = Host::new(vec![back]);
    host.call("C1", CallOutcome::NoAnswer);
    host.wait(400 * 86_400);
    host.text("hello");
    host.accept();
    check(&host, &[("Thanks", "accepted", "")]);
}
