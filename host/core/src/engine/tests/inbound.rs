//! Texts from contacts, and who answers them.

use super::build::{self, missed, received, reply, send, wait, workflow};
use super::*;
use crate::model::OptOutSource;
use crate::workflow::expression::Template;
use crate::workflow::{Action, Again, CancelOn, Handoff};

const CONFIRMED: &str =
    "Brightside: you will get no more texts from us. Reply START to change that.";
const BACK: &str = "Brightside: you will get texts from us again. Reply STOP to end them.";
const HELP: &str = "Brightside: reply here and we will answer. Reply STOP to get no more texts.";

fn echo() -> Arc<Workflow> {
    workflow(
        "echo",
        received(),
        vec![("say", "", send("You said {{ event.text }}"))],
        |one| {
            one.enroll.again = Again::Always;
        },
    )
}

/// Texts first, then waits for an answer, then thanks for it.
fn asks() -> Arc<Workflow> {
    let steps = vec![
        ("ask", "", send("How can we help?")),
        ("answer", "", reply(Some(3_600))),
        (
            "thanks",
            "not answer.timed_out",
            send("Got: {{ answer.message.body }}"),
        ),
        ("late", "answer.timed_out", send("Still there?")),
    ];
    workflow("asks", missed(), steps, |_| {})
}

#[test]
fn a_text_is_stored_once() {
    let mut host = Host::new(vec![echo()]);
    host.text_as("I1", "+15125550100", "hi");
    assert_eq!(host.text_as("I1", "+15125550100", "hi"), Answer::Repeat);
    host.accept();
    assert_eq!(host.told("message.received"), 1);
    check(&host, &[("You said hi", "accepted", "")]);
}

#[test]
fn a_waiting_run_answers_before_workflows_do() {
    let mut host = Host::new(vec![asks(), echo()]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.wait(60);
    host.text("a crown");
    host.accept();
    host.wait(60);
    host.text("and thanks");
    host.accept();
    check(
        &host,
        &[
            ("How can we help?", "accepted", ""),
            ("Got: a crown", "accepted", ""),
            ("You said and thanks", "accepted", ""),
        ],
    );
}

#[test]
fn an_answer_may_be_faster_than_the_providers_own() {
    let mut host = Host::new(vec![asks(), echo()]);
    host.call("C1", CallOutcome::NoAnswer);
    // The text is on the phone; the provider has not said so yet.
    host.text("a crown");
    host.accept();
    check(
        &host,
        &[
            ("How can we help?", "accepted", ""),
            ("Got: a crown", "accepted", ""),
        ],
    );
}

#[test]
fn nothing_came_in_time() {
    let mut host = Host::new(vec![asks()]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.wait(3_599);
    assert_eq!(host.run().status, RunStatus::Running);
    host.wait(1);
    host.accept();
    check(
        &host,
        &[
            ("How can we help?", "accepted", ""),
            ("Still there?", "accepted", ""),
        ],
    );
    assert_eq!(host.run().outcome.as_deref(), Some("finished"));
}

#[test]
fn stop_ends_runs_and_later_texts_are_refused_with_their_verdicts() {
    let mut host = Host::new(vec![asks(), echo()]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.wait(60);
    host.text("STOP");
    assert_eq!(host.notices, [Notice::Stopped(caller())]);
    assert_eq!(host.run().outcome.as_deref(), Some("opt_out"));
    host.accept();
    let refused = host.send("From a program");
    let verdicts = host.message(&refused).verdicts;
    assert_eq!(verdicts.len(), 1);
    assert_eq!(
        (&*verdicts[0].rule, &*verdicts[0].verdict),
        ("opt_out", "refused")
    );
    host.call("C2", CallOutcome::NoAnswer);
    assert!(host.leaving().is_empty());
    check(
        &host,
        &[
            ("How can we help?", "accepted", ""),
            (CONFIRMED, "accepted", ""),
            ("From a program", "skipped", "opted_out"),
            ("How can we help?", "skipped", "opted_out"),
        ],
    );
    // A second STOP gets no second confirmation.
    host.text("stop");
    assert!(host.leaving().is_empty());
}

#[test]
fn stop_calls_off_what_waits_in_the_lane() {
    let mut host = Host::new(vec![]);
    host.send("one");
    host.send("two");
    host.text("STOP");
    host.accept();
    check(
        &host,
        &[
            ("one", "accepted", ""),
            ("two", "canceled", "opted_out"),
            (CONFIRMED, "accepted", ""),
        ],
    );
}

#[test]
fn stop_calls_off_what_was_deferred() {
    let mut host = Host::new(vec![]);
    host.now = "2026-11-18T05:00:00Z".parse().unwrap();
    host.send_as("sale", |request| request.intent = Intent::Marketing);
    check(&host, &[("sale", "scheduled", "quiet_hours")]);
    host.text("STOP");
    host.accept();
    host.wait(60);
    host.text("START");
    host.accept();
    host.wait(86_400);
    host.accept();
    check(
        &host,
        &[
            ("sale", "canceled", "opted_out"),
            (CONFIRMED, "accepted", ""),
            (BACK, "accepted", ""),
        ],
    );
}

#[test]
fn start_opts_in_again() {
    let mut host = Host::new(vec![]);
    host.text("STOP");
    host.accept();
    host.wait(60);
    host.text("START");
    host.accept();
    host.send("hello again");
    host.accept();
    check(
        &host,
        &[
            (CONFIRMED, "accepted", ""),
            (BACK, "accepted", ""),
            ("hello again", "accepted", ""),
        ],
    );
    assert_eq!(host.notices.last(), Some(&Notice::Resumed(caller())));
}

#[test]
fn yes_is_an_ordinary_word_unless_opted_out() {
    let mut host = Host::new(vec![echo()]);
    host.text("yes");
    host.accept();
    host.wait(200);
    host.text("STOP");
    host.accept();
    host.wait(1);
    host.text("yes");
    host.accept();
    check(
        &host,
        &[
            ("You said yes", "accepted", ""),
            (CONFIRMED, "accepted", ""),
            (BACK, "accepted", ""),
        ],
    );
}

#[test]
fn help_is_answered_also_after_a_stop() {
    let after = "Brightside: you get no texts from us because you opted out. \
                 Reply START to change that.";
    let mut host = Host::new(vec![]);
    host.text("HELP");
    host.accept();
    host.wait(200);
    host.text("STOP");
    host.accept();
    host.wait(200);
    host.text("HELP");
    let sends: Vec<&Gated> = host
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Send(gated) => Some(gated),
            _ => None,
        })
        .collect();
    // The last look before the first byte must not call it off.
    assert!(matches!(sends.as_slice(), [one] if one.contact().is_none()));
    host.accept();
    host.send("From a program");
    check(
        &host,
        &[
            (HELP, "accepted", ""),
            (CONFIRMED, "accepted", ""),
            (after, "accepted", ""),
            ("From a program", "skipped", "opted_out"),
        ],
    );
}

/// The network of a toll-free number answers, and lets nothing of ours through.
#[test]
fn help_after_a_stop_is_not_answered_from_a_toll_free_number() {
    let mut setup = build::setup();
    let desk = setup.agents.get_mut("desk").unwrap();
    desk.numbers = vec![phone("+18885550100")];
    let mut host = Host::with(setup, vec![]);
    host.text_as("I1", "+18885550100", "STOP");
    host.accept();
    host.text_as("I2", "+18885550100", "HELP");
    assert!(host.leaving().is_empty());
    check(&host, &[(CONFIRMED, "accepted", "")]);
}

#[test]
fn a_provider_that_answers_stop_leaves_us_silent_and_informed() {
    let mut setup = build::setup();
    setup.connections.get_mut("main").unwrap().handles_opt_out = true;
    let mut host = Host::with(setup, vec![]);
    host.text("STOP");
    assert!(host.contact().opted_out.is_some());
    check(&host, &[]);
    host.text("START");
    assert!(host.contact().opted_out.is_none());
    check(&host, &[]);
}

#[test]
fn a_provider_that_blocks_a_number_opts_it_out() {
    let mut host = Host::new(vec![asks()]);
    host.call("C1", CallOutcome::NoAnswer);
    host.result(SendResult::OptedOut(problem("21610")));
    let out = host.contact().opted_out.unwrap();
    assert_eq!(out.how, OptOutSource::Provider);
    assert_eq!(host.run().outcome.as_deref(), Some("opt_out"));
    check(&host, &[("How can we help?", "failed", "21610")]);
}

#[test]
fn an_opt_out_by_report_counts_after_another_final_report() {
    let mut host = Host::new(vec![]);
    let id = host.send("one");
    host.accept();
    for delivery in [
        Delivery::Undelivered(problem("30007")),
        Delivery::OptedOut(problem("21610")),
    ] {
        host.take(Input::Report(Report {
            connection: "main".to_owned(),
            provider_id: "P1".to_owned(),
            id: Some(id.clone()),
            delivery,
        }));
    }
    assert!(host.contact().opted_out.is_some());
}

#[test]
fn a_stop_to_a_number_that_no_agent_owns_counts() {
    let mut host = Host::new(vec![]);
    host.text_as("I1", "+15125550777", "STOP");
    assert_eq!(host.told("message.unrouted"), 1);
    assert!(host.contact().opted_out.is_some());
    assert_eq!(host.notices, [Notice::Stopped(caller())]);
    host.send("one");
    check(&host, &[("one", "skipped", "opted_out")]);
}

#[test]
fn a_text_to_a_number_that_no_agent_owns_is_only_told() {
    let mut host = Host::new(vec![echo()]);
    assert_eq!(host.text_as("I1", "+15125550777", "hi"), Answer::Done);
    assert_eq!(host.text_as("I1", "+15125550777", "hi"), Answer::Repeat);
    assert_eq!(host.told, ["workflow.defined", "message.unrouted"]);
}

fn hands_over(reply: Option<&str>, release_after: Option<u64>) -> Arc<Workflow> {
    let handoff = Action::Handoff(Handoff {
        to: "ann".to_owned(),
        reason: None,
        reply: reply.map(|text| Template::new(text).unwrap()),
        release_after,
    });
    workflow(
        "over",
        missed(),
        vec![("over", "", handoff), ("more", "", send("More."))],
        |_| {},
    )
}

#[test]
fn a_handoff_tells_the_person_says_its_last_words_and_blocks_the_rest() {
    let mut host = Host::new(vec![
        hands_over(Some("A person will answer."), None),
        echo(),
    ]);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    let notices: Vec<Message> = host.records(b'o');
    let told = notices
        .iter()
        .find(|one| one.contact == phone("+15125550199"));
    assert!(told.unwrap().body.contains("+13125550123 needs a person"));
    host.text("hello?");
    host.send("From a program");
    host.send_as("From Ann", |request| request.origin = Origin::Person);
    host.accept();
    check(
        &host,
        &[
            ("A person will answer.", "accepted", ""),
            ("More.", "skipped", "human_handoff"),
            ("From a program", "skipped", "human_handoff"),
            ("From Ann", "accepted", ""),
        ],
    );
    let id = host.conversation().id;
    host.take(Input::Release(id));
    host.wait(1);
    host.text("hello again");
    host.accept();
    assert_eq!(host.outgoing().last().unwrap().0, "You said hello again");
}

/// As the README says: without a `reply`, the `send` right behind it is the last words.
#[test]
fn a_send_right_behind_a_handoff_without_reply_goes_out_and_no_later_one() {
    let mut steps = hands_over(None, None).definition.steps.clone();
    let over = workflow(
        "over",
        missed(),
        vec![
            ("over", "", steps.swap_remove(0).action),
            ("more", "", send("More.")),
            ("last", "", send("Last.")),
        ],
        |_| {},
    );
    let mut host = Host::new(vec![over]);
    host.call("C1", CallOutcome::NoAnswer);
    host.wait(1);
    host.accept();
    check(
        &host,
        &[
            ("More.", "accepted", ""),
            ("Last.", "skipped", "human_handoff"),
        ],
    );
}

#[test]
fn a_handoff_is_released_after_its_time() {
    let mut host = Host::new(vec![hands_over(None, Some(7_200))]);
    host.call("C1", CallOutcome::NoAnswer);
    host.wait(7_199);
    assert!(host.conversation().handoff.is_some());
    host.wait(1);
    assert!(host.conversation().handoff.is_none());
    assert_eq!(host.told("conversation.released"), 1);
}

/// The lane is read again after other runs were ended by the handoff.
#[test]
fn a_handoff_does_not_bring_back_what_it_called_off() {
    let other = workflow(
        "other",
        missed(),
        vec![("text", "", send("Other."))],
        |one| {
            one.cancel_on = vec![CancelOn::Handoff];
        },
    );
    let mut host = Host::new(vec![other, hands_over(Some("A person will answer."), None)]);
    host.send("In flight.");
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.accept();
    check(
        &host,
        &[
            ("In flight.", "accepted", ""),
            ("Other.", "canceled", "handoff"),
            ("A person will answer.", "accepted", ""),
            ("More.", "skipped", "human_handoff"),
        ],
    );
}

#[test]
fn a_person_takes_a_conversation() {
    let later = workflow(
        "later",
        missed(),
        vec![("wait", "", wait(60)), ("t", "", send("Hi"))],
        |one| {
            one.cancel_on = vec![CancelOn::Handoff];
        },
    );
    let mut host = Host::new(vec![later]);
    host.text("hello");
    host.call("C1", CallOutcome::NoAnswer);
    let id = host.conversation().id;
    host.take(Input::Take(id, "ann".to_owned(), "curious".to_owned()));
    host.wait(100);
    check(&host, &[]);
    assert_eq!(host.run().outcome.as_deref(), Some("handoff"));
}

#[test]
fn a_reply_ends_the_runs_that_say_so() {
    let later = workflow(
        "later",
        missed(),
        vec![("wait", "", wait(60)), ("t", "", send("Hi"))],
        |one| {
            one.cancel_on = vec![CancelOn::Reply];
        },
    );
    let mut host = Host::new(vec![later]);
    host.call("C1", CallOutcome::NoAnswer);
    host.text("never mind");
    host.wait(100);
    check(&host, &[]);
    assert_eq!(host.run().outcome.as_deref(), Some("reply"));
}
