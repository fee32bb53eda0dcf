//! Texts that a person sees before they are sent: nothing leaves without an answer or
//! the file's own default, whatever happens meanwhile.

use serde_json::json;

use super::build::{self};
use super::*;
use crate::model::{Attention, Timer, Waiting};
use crate::workflow::parse;

/// A missed call runs this file up to the draft.
fn drafted(approve: &str, more: &str) -> Host {
    drafted_as("", approve, more)
}

fn drafted_as(head: &str, approve: &str, more: &str) -> Host {
    let mut host = Host::new(vec![file(head, approve, more)]);
    host.call("C1", CallOutcome::NoAnswer);
    writes(&mut host, "Hello you");
    host
}

fn file(head: &str, approve: &str, more: &str) -> Arc<Workflow> {
    let source = format!(
        "name: Out\non: call.missed\nintent: customer_care\n{head}\nsteps:\n  - id: it\n    compose:\n      prompt: Write\n      approve: {approve}\n{more}"
    );
    let parsed = parse(&source, "test.yaml", &build::setup().known());
    let workflow = parsed.result.unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(|one| one.render()).collect();
        panic!("{}", all.join("\n"));
    });
    Arc::new(workflow)
}

/// The model answers.
fn writes(host: &mut Host, words: &str) {
    let commands = std::mem::take(&mut host.commands);
    let works: Vec<Work> = commands
        .into_iter()
        .filter_map(|command| match command {
            Command::Work(work) => Some(*work),
            _ => None,
        })
        .collect();
    let [work] = works.as_slice() else {
        panic!("{works:?}");
    };
    let result = WorkResult::Done(json!({ "text": words }));
    host.take(Input::Worked(work.run.clone(), work.number, result));
}

/// Those that wait, oldest first, as the list shows them.
fn waiting(host: &Host) -> Vec<Message> {
    let (from, to) = keys::under(b'q', Attention::PendingApproval.word());
    host.state
        .range(&from, &to)
        .map(|(key, _)| {
            let name = String::from_utf8_lossy(key.as_bytes()).into_owned();
            let id = MessageId::parse(name.rsplit('/').next().unwrap()).unwrap();
            host.message(&id)
        })
        .collect()
}

fn draft(host: &Host) -> Message {
    let mut all = waiting(host);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn yes() -> Approve {
    Approve {
        by: "rob".to_owned(),
        send: true,
        body: None,
        reason: None,
    }
}

fn no(reason: &str) -> Approve {
    Approve {
        send: false,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        ..yes()
    }
}

fn edit(words: &str) -> Approve {
    Approve {
        body: Some(words.to_owned()),
        ..yes()
    }
}

/// The texts that were handed to the provider for the caller.
fn sent(host: &Host) -> Vec<String> {
    let all = host.outgoing().into_iter();
    all.filter(|(_, status, _)| *status == "accepted")
        .map(|(body, ..)| body)
        .collect()
}

/// The texts to Ann, newest last.
fn told(host: &Host) -> Vec<String> {
    let ann = phone("+15125550199");
    let mut all: Vec<Message> = host.records(b'o');
    all.retain(|one| one.direction == Direction::Outbound && one.contact == ann);
    all.into_iter().map(|one| one.body).collect()
}

fn timeline(host: &Host) -> Vec<String> {
    let notes: Vec<Notes> = host.records(b'j');
    notes
        .into_iter()
        .flat_map(Notes::into_vec)
        .map(|note| format!("{}: {}", note.what, note.text))
        .collect()
}

/// Ann writes to the desk.
fn ann(host: &mut Host, body: &str) -> Answer {
    host.issued += 1;
    host.take(Input::Text(IncomingText {
        connection: "main".to_owned(),
        provider_id: format!("I{}", host.issued),
        from: phone("+15125550199"),
        to: phone("+15125550100"),
        body: body.to_owned(),
        media: Vec::new(),
        keyword: None,
    }))
}

fn code(host: &Host) -> String {
    let approval = draft(host).aside.approval.unwrap();
    approval.told.unwrap().code
}

const LATER: &str = "  - send: \"{{ it.approved }} {{ it.by }} {{ it.edited }} {{ it.ok }} {{ it.status }} {{ it.reason }}\"\n";

#[test]
fn a_draft_waits_and_says_for_whom() {
    let mut host = drafted("{ by: ann, timeout: 10m, default: send }", LATER);
    host.accept();
    let message = draft(&host);
    check(&host, &[("Hello you", "pending_approval", "")]);
    assert_eq!(sent(&host), Vec::<String>::new());
    let until = Some(message.created_at + SignedDuration::from_mins(10));
    assert_eq!(
        host.run().waiting,
        Some(Waiting::Approval {
            message: message.id.clone(),
            by: "ann".to_owned(),
            until,
        })
    );
    let approval = message.aside.approval.unwrap();
    assert_eq!((approval.by.as_str(), approval.until), ("ann", until));
    assert_eq!(message.verdicts[0].reason, "held for approval by ann");
    let held = "held: for approval by ann until 2026-11-18T16:10:00Z; then it is sent";
    assert!(
        timeline(&host).contains(&held.to_owned()),
        "{:?}",
        timeline(&host)
    );
    let code = approval.told.unwrap().code;
    assert_eq!(
        told(&host),
        [format!(
            "A text to +13125550123 waits for you and goes by itself at Wed 10:10 AM: \"Hello you\" \
             Reply SEND {code} to send it, SKIP {code} to drop it, or EDIT {code} and your own words."
        )]
    );
    assert_eq!(host.told("approval.asked"), 1);
}

/// The answer, what the caller gets, and where the draft stands.
#[test]
fn an_answer_decides() {
    fn checked(given: Approve, expected: &[&str], status: &str, reason: &str) {
        let mut host = drafted("ann", LATER);
        let message = draft(&host);
        host.wait(86_400);
        host.accept();
        assert_eq!(sent(&host), Vec::<String>::new());
        assert_eq!(
            host.take(Input::Approve(message.id.clone(), given)),
            Answer::Done
        );
        host.accept();
        assert_eq!(sent(&host), expected);
        let message = host.message(&message.id);
        assert_eq!(message.status.word(), status);
        assert_eq!(message.reason.unwrap_or_default(), reason);
        assert_eq!(host.run().status, RunStatus::Finished);
        assert!(waiting(&host).is_empty());
        assert!(host.conversation().deferred.is_empty());
        assert_eq!(host.told("approval.answered"), 1);
    }
    checked(
        yes(),
        &["Hello you", "True rob False True accepted None"],
        "accepted",
        "",
    );
    checked(
        edit("  Hello there "),
        &["Hello there", "True rob True True accepted None"],
        "accepted",
        "",
    );
    // The same words are no change.
    checked(
        edit("Hello you"),
        &["Hello you", "True rob False True accepted None"],
        "accepted",
        "",
    );
    let rejected = "False rob False False canceled rejected";
    checked(no("too pushy"), &[rejected], "canceled", "rejected");
}

#[test]
fn who_answered_what_is_kept() {
    let mut host = drafted("ann", LATER);
    let id = draft(&host).id;
    host.wait(60);
    host.take(Input::Approve(id.clone(), edit("Hello there")));
    host.accept();
    let message = host.message(&id);
    let verdict = &message.verdicts[0];
    assert_eq!(
        (&*verdict.rule, &*verdict.verdict, verdict.reason.as_str()),
        ("approval", "passed", "rob approved it in other words")
    );
    assert!(message.verdicts.iter().any(|one| one.rule == "opt_out"));
    let answer = message.aside.approval.unwrap().answer.unwrap();
    assert_eq!(answer.original.as_deref(), Some("Hello you"));
    assert_eq!(answer.by.as_deref(), Some("rob"));
    assert!(timeline(&host).contains(&"approved: rob approved it in other words".to_owned()));

    let mut host = drafted("ann", LATER);
    let id = draft(&host).id;
    host.take(Input::Approve(id.clone(), no(" too pushy ")));
    let message = host.message(&id);
    assert_eq!(message.problem.unwrap().text, "rob rejected it: too pushy");
    assert_eq!(&*message.verdicts[0].verdict, "refused");
    assert!(timeline(&host).contains(&"rejected: rob rejected it: too pushy".to_owned()));
}

/// What the file says for the case that nobody answers.
#[test]
fn nobody_answers() {
    fn checked(default: &str, more: &str, expected: &[&str], outcome: &str) {
        let approve = format!("{{ by: ann, timeout: 10m{default} }}");
        let mut host = drafted(&approve, more);
        host.wait(599);
        host.accept();
        assert_eq!(sent(&host), Vec::<String>::new());
        host.wait(1);
        host.accept();
        assert_eq!(sent(&host), expected);
        assert_eq!(host.run().outcome.as_deref(), Some(outcome));
        assert!(waiting(&host).is_empty());
        assert!(host.records::<Timer>(b't').is_empty());
    }
    checked(
        ", default: send",
        LATER,
        &["Hello you", "None None False True accepted None"],
        "finished",
    );
    let skipped = "None None False False canceled not_approved";
    checked(", default: skip", LATER, &[skipped], "finished");
    // Silence rather than a text that nobody has seen.
    checked("", LATER, &[skipped], "finished");
    let why = "step it: ann did not approve its text in time";
    checked(", default: fail", LATER, &[], why);
    // Its fallback was not approved either.
    checked(", default: fail", "      fallback: Hi\n", &[], why);
    checked(
        ", default: fail",
        "    on_error: continue\n  - send: \"{{ it.error }} {{ it.approved }}\"\n",
        &["ann did not approve its text in time None"],
        "finished",
    );
}

#[test]
fn what_cannot_be_sent_is_not_an_answer() {
    let mut host = drafted("ann", "");
    let id = draft(&host).id;
    for words in ["  ".to_owned(), "x".repeat(1_601)] {
        let answer = host.take(Input::Approve(id.clone(), edit(&words)));
        assert!(
            matches!(answer, Answer::Refused { code: "body", .. }),
            "{answer:?}"
        );
        assert_eq!(draft(&host).body, "Hello you");
    }
    // A person may use more segments than the model.
    let long = "x".repeat(900);
    assert_eq!(
        host.take(Input::Approve(id.clone(), edit(&long))),
        Answer::Done
    );
    host.accept();
    assert_eq!(sent(&host), [long]);
    assert_eq!(host.message(&id).segments, 6);
}

#[test]
fn an_answer_counts_once() {
    let mut host = drafted("{ by: ann, timeout: 10m, default: skip }", "");
    let id = draft(&host).id;
    assert_eq!(host.take(Input::Approve(id.clone(), yes())), Answer::Done);
    for _ in 0..2 {
        assert_eq!(host.take(Input::Approve(id.clone(), yes())), Answer::Repeat);
        host.accept();
    }
    assert_eq!(sent(&host), ["Hello you"]);
    for other in [no(""), edit("Other words")] {
        let answer = host.take(Input::Approve(id.clone(), other));
        let Answer::Refused { code, text } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(code, "answered");
        let text = text.replace(id.as_str(), "msg");
        assert_eq!(
            text,
            "msg does not wait any more: rob approved it (2026-11-18T16:00:00Z); it is accepted"
        );
    }
    // What never waited is not there.
    let plain = host.send("Hi");
    assert_eq!(host.take(Input::Approve(plain, yes())), Answer::Unknown);
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut host = drafted("{ by: ann, timeout: 10m }", "");
    let id = draft(&host).id;
    host.wait(600);
    let answer = host.take(Input::Approve(id.clone(), yes()));
    let Answer::Refused { text, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        text.replace(id.as_str(), "msg"),
        "msg does not wait any more: ann did not answer in time, so it is not sent \
         (2026-11-18T16:10:00Z); it is canceled"
    );
    host.accept();
    assert_eq!(sent(&host), Vec::<String>::new());
}

/// What happens while a draft waits, and why it never leaves.
#[test]
fn a_draft_ends_with_its_run() {
    fn checked(head: &str, happens: impl Fn(&mut Host), reason: &str) {
        let mut host = drafted_as(head, "{ by: ann, timeout: 1h, default: send }", LATER);
        let id = draft(&host).id;
        happens(&mut host);
        assert_eq!(host.message(&id).status, Status::Canceled);
        assert_eq!(host.message(&id).reason.as_deref(), Some(reason));
        let answer = host.take(Input::Approve(id.clone(), yes()));
        let Answer::Refused { text, .. } = answer else {
            panic!("{answer:?}");
        };
        assert!(text.contains(&format!("called off ({reason})")), "{text}");
        host.accept();
        host.wait(7_200);
        host.accept();
        assert!(!sent(&host).contains(&"Hello you".to_owned()));
        assert!(host.conversation().deferred.is_empty());
        assert!(host.records::<Timer>(b't').is_empty());
        assert!(waiting(&host).is_empty());
    }
    checked("", |host| drop(host.text("STOP")), "opted_out");
    checked(
        "cancel_on: [reply]",
        |host| drop(host.text("I called somebody else")),
        "reply",
    );
    checked(
        "cancel_on: [handoff]",
        |host| {
            let id = host.conversation().id;
            host.take(Input::Take(id, "ann".to_owned(), String::new()));
            host.accept();
        },
        "handoff",
    );
    checked(
        "",
        |host| drop(host.take(Input::Cancel(host.run().id))),
        "cancelled",
    );
    checked(
        "goal: lead.status == \"booked\"",
        |host| {
            let mut request = LeadRequest::new(caller());
            request.fields.insert("status".to_owned(), json!("booked"));
            host.take(Input::Lead(request));
        },
        "goal_reached",
    );
}

/// The gate is asked when it leaves, not when it was written.
#[test]
fn the_gate_is_asked_after_the_answer() {
    // Others' conversations end no run of this file, and keep its texts back.
    let mut host = drafted("ann", "");
    let id = draft(&host).id;
    let conversation = host.conversation().id;
    host.take(Input::Take(conversation, "ann".to_owned(), String::new()));
    host.accept();
    host.take(Input::Approve(id.clone(), yes()));
    host.accept();
    check(&host, &[("Hello you", "skipped", "human_handoff")]);
}

#[test]
fn an_approval_at_night_waits_for_the_morning() {
    let mut host = drafted_as("window: { between: \"09:00-12:00\" }", "ann", LATER);
    let id = draft(&host).id;
    // Eight in the evening in Chicago.
    host.wait(36_000);
    host.take(Input::Approve(id.clone(), yes()));
    host.accept();
    let message = host.message(&id);
    assert_eq!(message.status, Status::Scheduled);
    let rules: Vec<&str> = message.verdicts.iter().map(|one| &*one.rule).collect();
    assert_eq!(rules.first(), Some(&"approval"));
    assert_eq!(rules.last(), Some(&"window"));
    assert_eq!(sent(&host), Vec::<String>::new());
    // A STOP still counts.
    host.text("STOP");
    host.accept();
    host.wait(86_400);
    host.accept();
    assert_eq!(host.message(&id).status, Status::Canceled);
    assert!(!sent(&host).contains(&"Hello you".to_owned()));
}

#[test]
fn a_newer_run_throws_the_draft_away() {
    let mut host = drafted_as(
        "concurrency: { group: \"${{ contact.phone }}\", on_new: restart }",
        "{ by: ann, timeout: 10m, default: send }",
        "",
    );
    let first = draft(&host).id;
    host.call("C2", CallOutcome::NoAnswer);
    writes(&mut host, "Once more");
    host.accept();
    assert_eq!(host.message(&first).status, Status::Canceled);
    assert_eq!(draft(&host).body, "Once more");
    host.wait(600);
    host.accept();
    assert_eq!(sent(&host), ["Once more"]);
}

/// Other texts of the conversation do not wait for a draft.
#[test]
fn a_draft_holds_nothing_up() {
    let mut host = drafted("ann", "");
    let id = draft(&host).id;
    host.send("Meanwhile");
    host.accept();
    assert_eq!(sent(&host), ["Meanwhile"]);
    host.take(Input::Approve(id, yes()));
    host.accept();
    assert_eq!(sent(&host).len(), 2);
}

/// The guard is asked before a person is, and what stands in for the model's words is
/// approved like them.
#[test]
fn a_person_sees_what_the_guard_let_through() {
    let guard = "      guard: { never_say: [you] }\n";
    let mut host = drafted("ann", &format!("{guard}      fallback: Call us\n"));
    assert_eq!(draft(&host).body, "Call us");
    host.accept();
    assert_eq!(sent(&host), Vec::<String>::new());
    let host = drafted("ann", &format!("{guard}      on_guard_fail: skip\n"));
    assert!(waiting(&host).is_empty());
    assert_eq!(host.run().status, RunStatus::Finished);
}

#[test]
fn the_person_answers_by_text() {
    fn checked(written: &str, expected: &[&str]) {
        let mut host = drafted("ann", LATER);
        let code = code(&host);
        assert_eq!(
            ann(&mut host, &written.replace("CODE", &code)),
            Answer::Done
        );
        host.accept();
        assert_eq!(sent(&host), expected, "{written}");
        assert_eq!(told(&host).len(), 1);
        // It is no text of a contact: it starts nothing and answers nothing.
        assert_eq!(host.runs().len(), 1);
    }
    let approved = ["Hello you", "True ann False True accepted None"];
    checked("SEND CODE", &approved);
    checked(" send  CODE. ", &approved);
    // What is said beside a yes is not for the contact.
    checked("Ok CODE, thanks!", &approved);
    checked("SKIP CODE", &["False ann False False canceled rejected"]);
    checked(
        "Edit CODE Hello Mrs. Miller,\nSTOP by any time",
        &[
            "Hello Mrs. Miller,\nSTOP by any time",
            "True ann True True accepted None",
        ],
    );
}

#[test]
fn what_is_no_answer_by_text_is_a_text_like_any_other() {
    let mut host = drafted("ann", "");
    let code = code(&host);
    let wrong = if code == "BBBB" { "CCCC" } else { "BBBB" };
    for written in [
        format!("SEND {wrong}"),
        "SEND".to_owned(),
        format!("Perhaps {code}"),
        code.clone(),
    ] {
        ann(&mut host, &written);
        assert_eq!(waiting(&host).len(), 1, "{written}");
    }
    // The letters are Ann's alone.
    host.text(&format!("SEND {code}"));
    assert_eq!(waiting(&host).len(), 1);
    host.accept();
    assert_eq!(told(&host).len(), 1);
    assert_eq!(sent(&host), Vec::<String>::new());
}

#[test]
fn a_late_answer_by_text_is_told_so() {
    let mut host = drafted("{ by: ann, timeout: 10m, default: send }", "");
    let code = code(&host);
    host.wait(600);
    host.accept();
    ann(&mut host, &format!("SKIP {code}"));
    host.accept();
    let told = told(&host);
    assert_eq!(
        told.last().unwrap(),
        &format!(
            "{code} does not wait any more: ann did not answer in time, so it is sent \
             (2026-11-18T16:10:00Z); it is accepted"
        )
    );
    assert_eq!(sent(&host), ["Hello you"]);
}

/// Nobody can be told, and the draft waits all the same.
#[test]
fn a_person_without_a_number_of_their_own() {
    let mut host = drafted_as("enroll: { again: always }", "ann", "");
    host.setup.people.clear();
    host.call("C2", CallOutcome::NoAnswer);
    writes(&mut host, "Another");
    let all = waiting(&host);
    assert_eq!(all.len(), 2);
    assert!(all[0].id < all[1].id, "oldest first");
    assert!(all[1].aside.approval.as_ref().unwrap().told.is_none());
    assert_eq!(
        host.take(Input::Approve(all[1].id.clone(), yes())),
        Answer::Done
    );
}

#[test]
fn a_draft_is_kept_as_long_as_its_run_and_its_letters_go_with_it() {
    let mut host = drafted("ann", "");
    let code = code(&host);
    let id = draft(&host).id;
    let letters = keys::approval(&phone("+15125550199"), &code);
    host.accept();
    let expire = |host: &mut Host| {
        host.setup.retention.messages = Some(SignedDuration::from_hours(24));
        let all: Vec<Key> = {
            let (from, to) = keys::table(b'o');
            host.state
                .range(&from, &to)
                .map(|(key, _)| key.clone())
                .collect()
        };
        host.take(Input::Expire(all));
    };
    host.wait(100 * 86_400);
    expire(&mut host);
    assert_eq!(draft(&host).body, "Hello you");
    ann(&mut host, &format!("SEND {code}"));
    host.accept();
    assert_eq!(sent(&host), ["Hello you"]);
    assert!(host.state.get(&letters).is_some());
    host.wait(100 * 86_400);
    expire(&mut host);
    assert!(host.state.get(&keys::message(&id)).is_none());
    assert!(host.state.get(&letters).is_none());
}

/// What a person does with the run while its draft waits.
#[test]
fn a_run_whose_draft_waits_is_moved_and_not_woken() {
    let mut host = drafted("ann", "  - send: First version\n");
    let id = host.run().id;
    let answer = host.take(Input::Wake(id.clone()));
    let Answer::Refused { text, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(text, "it waits until ann approves its text; answer that");
    host.define(file(
        "",
        "{ by: ann, timeout: 1h }",
        "  - send: Second version\n",
    ));
    assert_eq!(host.take(Input::Move(id)), Answer::Done);
    let draft = draft(&host);
    // Who was asked stays who is asked.
    assert_eq!(draft.aside.approval.unwrap().by, "ann");
    host.take(Input::Approve(draft.id, yes()));
    host.accept();
    assert_eq!(sent(&host), ["Hello you", "Second version"]);
}
