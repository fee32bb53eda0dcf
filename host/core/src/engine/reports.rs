//! Delivery reports: which attempt one speaks of, what it settles, and texts of
//! which two attempts arrived. They come twice, out of order, late, before the
//! answer to the request they are about, and on attempts that counted as absent.

use serde_json::json;

use super::texts::{conclude, ended, leave_lane, remember, store};
use super::{Answer, Delivery, Report, Step, Tx, World, held, inbound, outcomes};
use crate::model::{
    Attempt, Direction, Message, MessageId, OptOutSource, Outcome, Problem, Status, keys,
};
use crate::planted::{Planted, planted};

/// A provider's word on what became of a text.
pub(super) fn report(world: World<'_>, tx: &mut Tx<'_>, report: &Report) -> Step<Answer> {
    let id = match &report.id {
        Some(id) => Some(id.clone()),
        None => {
            let by_provider = keys::provider_text(&report.connection, &report.provider_id);
            tx.get::<MessageId>(&by_provider)?
        }
    };
    let Some(id) = id else {
        return Ok(Answer::Unknown);
    };
    let Some(mut message) = tx.get::<Message>(&keys::message(&id))? else {
        return Ok(Answer::Unknown);
    };
    outcomes::expect_around(tx, &message);
    if message.connection != report.connection || message.direction != Direction::Outbound {
        return Ok(Answer::Unknown);
    }
    let Some(place) = spoken_of(&message, &report.provider_id) else {
        return Ok(Answer::Unknown);
    };
    let (status, problem) = meaning(&report.delivery);
    let phone = message.contact.clone();
    let opted_out =
        matches!(report.delivery, Delivery::OptedOut(_)) && tx.contact(&phone)?.opted_out.is_none();
    let news = note(tx, &mut message, place, &report.provider_id, status)?;
    let changed = apply(tx, &mut message, place, status, problem)?;
    let doubled = look_for_two(tx, &mut message)?;
    match (changed, news || doubled) {
        (true, _) => conclude(tx, message)?,
        (false, true) => store(tx, &mut message)?,
        (false, false) if !opted_out => return Ok(Answer::Repeat),
        (false, false) => {}
    }
    if opted_out {
        // An opt-out counts, also behind a report that says the same of the text.
        inbound::stop(world, tx, &phone, OptOutSource::Provider, None)?;
    }
    Ok(Answer::Done)
}

fn meaning(delivery: &Delivery) -> (Status, Option<&Problem>) {
    match delivery {
        Delivery::Queued => (Status::Accepted, None),
        Delivery::Sent => (Status::Sent, None),
        Delivery::Delivered => (Status::Delivered, None),
        Delivery::Undelivered(problem) => (Status::Undelivered, Some(problem)),
        Delivery::Failed(problem) | Delivery::OptedOut(problem) => (Status::Failed, Some(problem)),
    }
}

/// The attempt that a provider's id belongs to: the one it is known of, else the
/// one of which least is known. `None` when nothing was ever attempted.
fn spoken_of(message: &Message, provider_id: &str) -> Option<usize> {
    let attempts = &message.attempts;
    if provider_id.is_empty() || planted(Planted::ReportsOnTheLast) {
        return attempts.len().checked_sub(1);
    }
    let is = |wanted: fn(&Option<Outcome>, &str) -> bool| {
        attempts
            .iter()
            .rposition(|one| wanted(&one.outcome, provider_id))
    };
    is(|outcome, id| matches!(outcome, Some(Outcome::Accepted { provider_id }) if provider_id == id))
        .or_else(|| is(|outcome, _| outcome.is_none()))
        .or_else(|| is(|outcome, _| may_have_left(outcome.as_ref())))
        .or_else(|| is(|outcome, _| !has_id(outcome.as_ref())))
        .or_else(|| attempts.len().checked_sub(1))
}

/// Whether the provider may have it although it did not say so.
fn may_have_left(outcome: Option<&Outcome>) -> bool {
    match outcome {
        Some(Outcome::Unknown { .. } | Outcome::Absent) => true,
        // A person said that it was sent.
        Some(Outcome::Accepted { provider_id }) => provider_id.is_empty(),
        _ => false,
    }
}

fn has_id(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Accepted { provider_id }) if !provider_id.is_empty())
}

/// Notes on an attempt what is known of it now; says whether that was news.
fn note(
    tx: &mut Tx<'_>,
    message: &mut Message,
    place: usize,
    provider_id: &str,
    status: Status,
) -> Step<bool> {
    let present = place + 1 == message.attempts.len();
    let Some(attempt) = message.attempts.get_mut(place) else {
        return Ok(false);
    };
    let mut news = false;
    if !has_id(attempt.outcome.as_ref()) && !provider_id.is_empty() {
        attempt.outcome = Some(Outcome::Accepted {
            provider_id: provider_id.to_owned(),
        });
        news = true;
    }
    // That the provider took it stands in the outcome.
    let known = attempt.delivery.unwrap_or(Status::Accepted);
    if status.rank() > known.rank() {
        attempt.delivery = Some(status);
        news = true;
    }
    if news && !provider_id.is_empty() {
        if present {
            remember(tx, message, provider_id)?;
        } else {
            let by_provider = keys::provider_text(&message.connection, provider_id);
            tx.put(by_provider, &message.id)?;
        }
    }
    Ok(news)
}

/// What a report means for the text as a whole; says whether its status changed.
/// One on an earlier attempt counts only where it says that the text went.
fn apply(
    tx: &mut Tx<'_>,
    message: &mut Message,
    place: usize,
    status: Status,
    problem: Option<&Problem>,
) -> Step<bool> {
    let present = place + 1 == message.attempts.len();
    let went = matches!(status, Status::Accepted | Status::Sent | Status::Delivered);
    if !present && (!went || message.status == Status::Sending) {
        return Ok(false);
    }
    match message.status {
        // The report settles what the attempt's own answer did not.
        Status::Sending | Status::Unknown | Status::NeedsReview => {
            let last = message.attempts.last();
            let outcome = last.and_then(|attempt| attempt.outcome.clone());
            ended(tx, message, outcome.unwrap_or(Outcome::Absent))?;
        }
        // The provider has it after all: there must be no other try.
        Status::Queued | Status::Scheduled => {
            leave_lane(tx, message)?;
            message.not_before = None;
        }
        // Nobody wanted it any more, and it had left all the same.
        Status::Canceled | Status::Expired | Status::Skipped if went => {}
        before if status.rank() > before.rank() => {}
        _ => return Ok(false),
    }
    message.status = status;
    message.reason = problem
        .map(|problem| problem.code.clone())
        .filter(|code| !code.is_empty());
    message.problem = problem.cloned();
    Ok(true)
}

/// Whether two attempts at a text reached the contact, as far as reports say; said
/// once, in the feed, in the run, and in a list until somebody has seen it.
pub(super) fn look_for_two(tx: &mut Tx<'_>, message: &mut Message) -> Step<bool> {
    let went = |attempt: &&Attempt| {
        matches!(attempt.outcome, Some(Outcome::Accepted { .. }))
            && !matches!(attempt.delivery, Some(Status::Failed | Status::Undelivered))
    };
    let arrived =
        |attempt: &Attempt| matches!(attempt.delivery, Some(Status::Sent | Status::Delivered));
    let two =
        message.attempts.iter().filter(went).count() > 1 && message.attempts.iter().any(arrived);
    if !two || message.aside.twice || planted(Planted::KeepDoublesQuiet) {
        return Ok(false);
    }
    message.aside.twice = true;
    let text = "the provider reports an earlier attempt as sent, too: the contact got it twice";
    held::note_in_run(tx, message, "sent_twice", text)?;
    let (id, contact) = (message.id.clone(), message.contact.clone());
    let (conversation, reason) = (message.conversation.clone(), text);
    tx.tell("message.sent_twice", |entry| {
        entry.contact = Some(contact);
        entry.conversation = Some(conversation);
        entry.message = Some(id);
        entry.data = json!({ "reason": reason });
    });
    Ok(true)
}

/// The answer to an attempt that a report had settled before. Where it has another
/// id than that report, the report spoke of an earlier attempt.
pub(super) fn late_answer(tx: &mut Tx<'_>, message: &mut Message, provider_id: &str) -> Step<bool> {
    let known = Some(Outcome::Accepted {
        provider_id: provider_id.to_owned(),
    });
    if message.attempts.iter().any(|one| one.outcome == known) {
        return Ok(false);
    }
    if message.provider_id.is_none() {
        remember(tx, message, provider_id)?;
        if let Some(last) = message.attempts.last_mut() {
            last.outcome = known;
        }
        return Ok(true);
    }
    let Some((last, earlier)) = message.attempts.split_last_mut() else {
        return Ok(false);
    };
    let meant = earlier
        .iter_mut()
        .rev()
        .find(|one| may_have_left(one.outcome.as_ref()));
    let Some(meant) = meant else {
        return Ok(false);
    };
    meant.outcome = std::mem::replace(&mut last.outcome, known);
    meant.delivery = last.delivery.take();
    remember(tx, message, provider_id)?;
    if matches!(message.status, Status::Failed | Status::Undelivered) {
        message.status = Status::Accepted;
        message.reason = None;
        message.problem = None;
    }
    look_for_two(tx, message)?;
    Ok(true)
}
