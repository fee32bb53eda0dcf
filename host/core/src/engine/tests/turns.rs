//! Several texts that are one turn, and conversations in which nobody writes.

use super::flow::{file, said};
use super::*;

fn folding(more: &str) -> Host {
    let source = format!(
        "name: Folds\non:\n  message.received: {{ fold: 8s, skip: [opt_out_keywords, help_keywords]{more} }}\nintent: conversation\nenroll: {{ again: always }}\nsteps:\n  - send: \"{{{{ event.texts | length }}}}: {{{{ event.text | replace('\\n', '/') }}}}\"\n"
    );
    Host::new(vec![file(&source)])
}

/// Texts and the seconds before each; what is said at the end.
#[track_caller]
fn checked(mut host: Host, texts: &[(i64, &str)], expected: &[&str]) -> Host {
    for (pause, body) in texts {
        host.wait(*pause);
        host.text(body);
        host.accept();
    }
    host.wait(60);
    host.accept();
    assert_eq!(said(&host), expected);
    assert_eq!(super::retention::count(&host, b'f'), 0);
    host
}

#[test]
fn texts_of_one_turn_start_one_run() {
    checked(
        folding(""),
        &[(0, "hi"), (3, "is it"), (7, "open?")],
        &["3: hi/is it/open?"],
    );
    checked(
        folding(""),
        &[(0, "hi"), (9, "open?")],
        &["1: hi", "1: open?"],
    );
    // At most five times as long in all.
    let many: Vec<(i64, &str)> = (0..7)
        .map(|number| (if number == 0 { 0 } else { 7 }, "x"))
        .collect();
    checked(folding(""), &many, &["6: x/x/x/x/x/x", "1: x"]);
}

#[test]
fn filters_are_about_the_whole_turn() {
    let texts: &[(i64, &str)] = &[(0, "the price"), (1, "please")];
    checked(folding(", matches: price"), texts, &["2: the price/please"]);
    checked(folding(", matches: open"), texts, &[]);
    let both = ", where: \"'price' in event.text and event.texts | length == 2\"";
    checked(folding(both), texts, &["2: the price/please"]);
    checked(folding(", from: \"+15125550111\""), texts, &[]);
}

#[test]
fn words_of_the_law_and_people_end_a_turn() {
    let stopped = checked(
        folding(""),
        &[(0, "hi"), (1, "STOP")],
        &["Brightside: you will get no more texts from us. Reply START to change that."],
    );
    assert_eq!(stopped.told("turn.closed"), 1);
    let mut host = folding("");
    host.text("hi");
    let id = host.conversation().id;
    host.take(Input::Take(id, "ann".to_owned(), String::new()));
    checked(host, &[], &[]);
}

#[test]
fn a_run_that_waits_gets_its_answer_at_once() {
    let mut host = folding("");
    let asks = file(
        "name: Asks\non: call.missed\nsteps:\n  - send: \"ask\"\n  - id: a\n    wait_for: reply\n  - send: \"got {{ a.message.body }}\"\n",
    );
    host.define(asks);
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    host.text("yes");
    host.accept();
    assert_eq!(said(&host), ["ask", "got yes"]);
    assert_eq!(super::retention::count(&host, b'f'), 0);
}

#[test]
fn a_turn_is_as_long_as_a_record_can_be() {
    let mut host = folding("");
    for number in 0..51 {
        host.text(&format!("{number}"));
    }
    host.wait(60);
    host.accept();
    let all: Vec<String> = said(&host).iter().map(|one| one[..2].to_owned()).collect();
    assert_eq!(all, ["50", "1:"]);
}

#[test]
fn a_turn_of_a_workflow_that_is_gone_is_told_of() {
    let mut host = folding("");
    host.text("hi");
    host.take(Input::Undefine("folds".to_owned()));
    host.catalog.in_service.clear();
    checked(host, &[], &[]);
}

#[test]
fn what_a_turn_needs_is_kept() {
    // Nothing is kept longer than a second here, and a turn lasts for a minute.
    let source = "name: Folds\non: { message.received: { fold: 1m } }\nintent: conversation\nsteps:\n  - send: \"{{ event.text }}\"\n";
    let mut host = Host::new(vec![file(source)]);
    host.setup.retention.messages = Some(SignedDuration::from_secs(1));
    host.text("hi");
    host.now += SignedDuration::from_secs(30);
    let id = host.records::<Message>(b'o').remove(0).id;
    let wanted = vec![keys::message(&id)];
    assert_eq!(host.take(Input::Expire(wanted.clone())), Answer::Expired(0));
    host.wait(60);
    host.accept();
    assert_eq!(said(&host), ["hi"]);
    host.wait(60);
    assert_eq!(host.take(Input::Expire(wanted)), Answer::Expired(1));
}

fn idle(more: &str) -> Host {
    let source = format!(
        "name: Idle\non: {{ conversation.idle: {{ after: 2h{more} }} }}\nintent: conversation\nenroll: {{ again: always }}\nsteps:\n  - log: \"{{{{ event.last_from }}}}\"\n"
    );
    Host::new(vec![file(&source)])
}

/// How often the silence was seen, and after whose text.
fn seen(host: &Host) -> Vec<String> {
    let runs = host.runs().into_iter();
    runs.map(|run| run.results["log-1"]["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_silence_is_seen_once() {
    let mut host = idle("");
    host.text("hello");
    host.wait(7_199);
    assert_eq!(seen(&host), [""; 0]);
    host.wait(1);
    assert_eq!(seen(&host), ["them"]);
    host.wait(86_400);
    assert_eq!(seen(&host), ["them"]);
    // The next text begins the next silence, and later ones put its end off.
    host.text("still there?");
    host.wait(5_000);
    host.send("yes");
    host.accept();
    host.wait(5_000);
    assert_eq!(seen(&host), ["them"]);
    host.wait(2_200);
    assert_eq!(seen(&host), ["them", "us"]);
    assert_eq!(super::retention::count(&host, b't'), 0);
    assert_eq!(super::retention::count(&host, b'f'), 0);
}

#[test]
fn a_silence_is_of_one_side() {
    for (from, expected) in [("us", vec!["us"]), ("them", vec!["them"])] {
        let mut host = idle(&format!(", last_from: {from}"));
        host.text("hello");
        host.wait(10_000);
        host.send("hi");
        host.accept();
        host.wait(10_000);
        assert_eq!(seen(&host), expected);
    }
}

#[test]
fn a_silence_after_a_text_of_its_own_starts_nothing() {
    let mut host = Host::new(vec![file(
        "name: Nudge\non: { conversation.idle: { after: 2h } }\nintent: conversation\nenroll: { again: always }\nsteps:\n  - send: \"Still there?\"\n",
    )]);
    host.setup.limits.quiet_hours = false;
    host.text("hello");
    for _ in 0..5 {
        host.wait(7_200);
        host.accept();
    }
    assert_eq!(said(&host), ["Still there?"]);
    host.text("yes");
    host.wait(7_200);
    host.accept();
    assert_eq!(said(&host), ["Still there?"; 2]);
}

#[test]
fn who_said_stop_is_not_missed() {
    let mut host = idle("");
    host.text("hello");
    host.text("STOP");
    host.accept();
    host.wait(10_000);
    assert_eq!(seen(&host), [""; 0]);
}

#[test]
fn words_of_the_law_are_no_conversation() {
    let mut host = idle(", last_from: us");
    host.text("HELP");
    host.accept();
    host.wait(10_000);
    assert_eq!(seen(&host), [""; 0]);
}
