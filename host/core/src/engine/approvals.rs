//! Texts that a person sees before they are sent. A draft is a text like any other,
//! with its place in the conversation, but outside the lane: only an answer, or its
//! timer, lets it in, and then the gate is asked as for every text. Who answered what
//! stands in the text's own record and in the timeline of its run. How people are told,
//! and answer, by text stands in `notice`.

mod notice;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

pub(super) use notice::{by_text, forget};

use super::texts::{self, Draft, conclude, leave_lane, rejoin, store, tell};
use super::{Answer, Approve, Step, Tx, World, inbound, runs, threads};
use crate::model::{
    Answered, Approval, Conversation, Message, MessageId, Origin, Problem, Run, RunStatus, Status,
    Task, Verdict, Waiting, keys,
};
use crate::planted::{Planted, planted};
use crate::workflow::{self, Unanswered};

/// The name of the rule among the verdicts of the gate.
const RULE: &str = "approval";
/// Keeps a text until a person has answered, and tells them. What the run waits for.
pub(super) fn keep(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &str,
    approve: &workflow::Approve,
    conversation: Conversation,
    draft: Draft,
) -> Step<Waiting> {
    let until = approve.timeout.map(|seconds| {
        let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        tx.now.checked_add(span).unwrap_or(Timestamp::MAX)
    });
    let mut message = texts::record(tx, &conversation, draft);
    let id = message.id.clone();
    let mut approval = Approval {
        by: approve.by.clone(),
        since: tx.now,
        until,
        default: approve.default,
        told: None,
        answer: None,
    };
    park(tx, conversation, &id)?;
    approval.told = notice::ask(world, tx, &message, &approval)?;
    message.status = Status::PendingApproval;
    message.verdicts = vec![Verdict {
        at: tx.now,
        rule: RULE.into(),
        verdict: "deferred".into(),
        reason: format!("held for approval by {}", approval.by),
        until,
    }];
    if let Some(until) = until {
        let task = Task::Text {
            message: id.clone(),
        };
        message.timer = Some(tx.set_timer(until, task)?);
    }
    message.aside.approval = Some(Box::new(approval));
    store(tx, &mut message)?;
    tell(tx, "message.status", &message);
    feed(tx, "approval.asked", &message);
    let after = match (until, approve.default) {
        (None, _) => String::new(),
        (Some(until), Unanswered::Send) => format!(" until {until:.0}; then it is sent"),
        (Some(until), Unanswered::Skip) => format!(" until {until:.0}; then it is not sent"),
        (Some(until), Unanswered::Fail) => format!(" until {until:.0}; then the step fails"),
    };
    let text = format!("for approval by {}{after}", approve.by);
    runs::note(tx, run, Some(step), "held", &text)?;
    Ok(Waiting::Approval {
        message: id,
        by: approve.by.clone(),
        until,
    })
}

/// Gives a draft its place in the conversation, outside the lane.
fn park(tx: &mut Tx<'_>, mut conversation: Conversation, id: &MessageId) -> Step<()> {
    tx.put(keys::place(&conversation.id, id), &())?;
    conversation.deferred.push(id.clone());
    threads::put(tx, &conversation)
}

/// Adds what became of a draft to the feed.
fn feed(tx: &mut Tx<'_>, kind: &str, message: &Message) {
    let Some(approval) = message.aside.approval.clone() else {
        return;
    };
    tx.tell(kind, |entry| {
        entry.contact = Some(message.contact.clone());
        entry.conversation = Some(message.conversation.clone());
        entry.message = Some(message.id.clone());
        if let Origin::Run { run, .. } = &message.origin {
            entry.run = Some(run.clone());
        }
        let answer = approval.answer.as_ref();
        entry.data = json!({
            "by": approval.by,
            "until": approval.until,
            "answeredBy": answer.and_then(|one| one.by.as_ref()),
            "approved": approval.approved(),
            "sent": answer.map(|one| one.send),
            "edited": approval.edited(),
            "reason": answer.and_then(|one| one.reason.as_ref()),
        });
    });
}

/// Somebody answers.
pub(super) fn answered(tx: &mut Tx<'_>, id: &MessageId, given: &Approve) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    let Some(approval) = message.aside.approval.clone() else {
        return Ok(Answer::Unknown);
    };
    if message.status != Status::PendingApproval {
        return Ok(match says_the_same(&message, &approval, given) {
            true => Answer::Repeat,
            false => Answer::Refused {
                code: "answered",
                text: too_late(&message, &approval),
            },
        });
    }
    let mut answer = Answered {
        at: tx.now,
        by: Some(given.by.clone()),
        send: given.send,
        original: None,
        reason: None,
    };
    if given.send {
        let words = given.body.as_deref().map(str::trim);
        if let Some(words) = words.filter(|words| *words != message.body) {
            let problem = match words.is_empty() {
                true => Some("the text is empty; reject it so that nothing is sent".to_owned()),
                false => texts::too_long(words),
            };
            if let Some(text) = problem {
                return Ok(Answer::Refused { code: "body", text });
            }
            message.segments = inbound::count(words);
            let before = std::mem::replace(&mut message.body, words.to_owned());
            answer.original = Some(before);
        }
    } else {
        let reason = given.reason.as_deref().map(str::trim);
        answer.reason = reason
            .filter(|text| !text.is_empty())
            .map(|text| text.chars().take(500).collect());
    }
    decided(tx, message, approval, answer)?;
    Ok(Answer::Done)
}

/// The time of a draft is over without an answer.
pub(super) fn due(tx: &mut Tx<'_>, message: Message) -> Step<()> {
    let Some(approval) = message.aside.approval.clone() else {
        return Ok(());
    };
    let answer = Answered {
        at: tx.now,
        by: None,
        send: approval.default == Unanswered::Send || planted(Planted::DraftsLeave),
        original: None,
        reason: None,
    };
    decided(tx, message, approval, answer)
}

/// Lets a draft go into its lane, or ends it; its run hears of both.
fn decided(
    tx: &mut Tx<'_>,
    mut message: Message,
    mut approval: Box<Approval>,
    answer: Answered,
) -> Step<()> {
    let send = answer.send;
    approval.answer = Some(answer);
    let sentence = sentence(&approval);
    message.aside.approval = Some(approval);
    message.updated_at = tx.now;
    tx.drop_timer(message.timer.take());
    feed(tx, "approval.answered", &message);
    let waits = Waiting::Text {
        message: message.id.clone(),
    };
    let what = match (send, by(&message)) {
        (true, Some(_)) => "approved",
        (false, Some(_)) => "rejected",
        (_, None) => "unanswered",
    };
    note_in_run(tx, &message, what, &sentence, waits)?;
    if send {
        message.status = Status::Queued;
        message.verdicts = with_approval(&message, Vec::new());
        store(tx, &mut message)?;
        tell(tx, "message.queued", &message);
        return rejoin(tx, &message, false);
    }
    leave_lane(tx, &mut message)?;
    let word = if what == "rejected" {
        "rejected"
    } else {
        "not_approved"
    };
    message.status = Status::Canceled;
    message.reason = Some(word.to_owned());
    message.problem = Some(Problem {
        code: word.to_owned(),
        text: sentence,
    });
    message.verdicts = with_approval(&message, Vec::new());
    conclude(tx, message)
}

fn by(message: &Message) -> Option<&str> {
    let answer = message.aside.approval.as_ref()?.answer.as_ref()?;
    answer.by.as_deref()
}

/// What became of a draft, in words.
fn sentence(approval: &Approval) -> String {
    let Some(answer) = &approval.answer else {
        return format!("held for approval by {}", approval.by);
    };
    match (&answer.by, answer.send) {
        (Some(by), true) if answer.original.is_some() => {
            format!("{by} approved it in other words")
        }
        (Some(by), true) => format!("{by} approved it"),
        (Some(by), false) => match &answer.reason {
            Some(reason) => format!("{by} rejected it: {reason}"),
            None => format!("{by} rejected it"),
        },
        (None, true) => format!("{} did not answer in time, so it is sent", approval.by),
        (None, false) => format!("{} did not answer in time, so it is not sent", approval.by),
    }
}

/// Adds to the timeline of the run that waits for an answer, and lets it wait for the
/// text.
fn note_in_run(
    tx: &mut Tx<'_>,
    message: &Message,
    what: &str,
    text: &str,
    waits: Waiting,
) -> Step<()> {
    let Origin::Run { run, step } = &message.origin else {
        return Ok(());
    };
    let Some(mut run) = tx.get::<Run>(&keys::run(run))? else {
        return Ok(());
    };
    let for_it = matches!(
        &run.waiting,
        Some(Waiting::Approval { message: one, .. }) if *one == message.id
    );
    if run.status != RunStatus::Running || !for_it {
        return Ok(());
    }
    run.waiting = Some(waits);
    runs::note(tx, &mut run, Some(step), what, text)?;
    runs::put(tx, &run)
}

/// The verdicts of the gate, behind that of whoever approved the text.
pub(super) fn with_approval(message: &Message, gate: Vec<Verdict>) -> Vec<Verdict> {
    let Some(approval) = &message.aside.approval else {
        return gate;
    };
    let Some(answer) = &approval.answer else {
        return gate;
    };
    let own = Verdict {
        at: answer.at,
        rule: RULE.into(),
        verdict: if answer.send { "passed" } else { "refused" }.into(),
        reason: sentence(approval),
        until: None,
    };
    std::iter::once(own).chain(gate).collect()
}

/// Why the step of a text fails that nobody approved, if it does.
pub(super) fn failure(message: &Message) -> Option<String> {
    let approval = message.aside.approval.as_ref()?;
    let answer = approval.answer.as_ref()?;
    let fails = approval.default == Unanswered::Fail && answer.by.is_none();
    fails.then(|| format!("{} did not approve its text in time", approval.by))
}

/// Adds to a step's result who approved its text.
pub(super) fn add_to(result: &mut Json, message: &Message) {
    let approval = message.aside.approval.as_ref();
    if let (Some(approval), Some(result)) = (approval, result.as_object_mut()) {
        let answer = approval.answer.as_ref();
        let by = answer.and_then(|answer| answer.by.as_ref());
        result.insert("approved".to_owned(), json!(approval.approved()));
        result.insert("by".to_owned(), json!(by));
        result.insert("edited".to_owned(), json!(approval.edited()));
    }
}

/// Whether a draft was answered like this already.
fn says_the_same(message: &Message, approval: &Approval, given: &Approve) -> bool {
    let Some(answer) = approval.answer.as_ref().filter(|one| one.by.is_some()) else {
        return false;
    };
    let words = given.body.as_deref().map(str::trim);
    answer.send == given.send
        && match words.filter(|_| given.send) {
            Some(words) => words == message.body,
            None => answer.original.is_none(),
        }
}

/// What is said to an answer that comes too late.
fn too_late(message: &Message, approval: &Approval) -> String {
    let id = &message.id;
    let Some(answer) = &approval.answer else {
        let why = message.reason.as_deref().unwrap_or("its run has ended");
        return format!("{id} does not wait any more: it was called off ({why})");
    };
    let status = message.status.word();
    format!(
        "{id} does not wait any more: {} ({:.0}); it is {status}",
        sentence(approval),
        answer.at
    )
}
