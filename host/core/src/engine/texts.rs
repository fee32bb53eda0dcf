//! Outgoing texts: the lane of a conversation, the gate, attempts and their
//! outcomes, delivery reports. What happens to an attempt whose outcome nobody
//! knows stands in [`super::unknown`].

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::tx::Follow;
use super::{
    Agent, Answer, Command, Delivery, Gated, Notice, Report, SendResult, Step, Tx, World, inbound,
    threads,
};
use crate::model::{
    Attachment, Attempt, CallId, Contact, Conversation, ConversationId, Direction, Key, Message,
    MessageId, OptOutSource, Origin, Outcome, PhoneNumber, Problem, Recent, Status, Task, keys,
};
use crate::policy::{self, Known, Ruling};
use crate::workflow::{Intent, OnUnknown};

/// How many of a contact's last texts are kept for the duplicate rule.
const RECENT: usize = 16;
/// The first delay before another try, doubled each time up to the last.
const BACKOFF: SignedDuration = SignedDuration::from_secs(2);
const BACKOFF_LIMIT: SignedDuration = SignedDuration::from_mins(10);
/// How many times the attempts are allowed when the provider limits the rate.
const LIMITED: u32 = 8;

/// A text that somebody wants sent, before it is a record.
pub(super) struct Draft {
    pub(super) connection: String,
    pub(super) number: Option<PhoneNumber>,
    pub(super) body: String,
    pub(super) media: Vec<Attachment>,
    pub(super) origin: Origin,
    pub(super) intent: Intent,
    pub(super) call: Option<CallId>,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) on_unknown: OnUnknown,
}

impl Draft {
    /// A plain text of an agent, from its first number.
    pub(super) fn new(agent: &Agent, body: String, origin: Origin, intent: Intent) -> Self {
        Self {
            connection: agent.connection.clone().unwrap_or_default(),
            number: agent.numbers.first().cloned(),
            body,
            media: Vec::new(),
            origin,
            intent,
            call: None,
            valid_until: None,
            on_unknown: OnUnknown::default(),
        }
    }
}

/// Makes a text of a draft and puts it at the end of its conversation's lane.
pub(super) fn queue(
    tx: &mut Tx<'_>,
    mut conversation: Conversation,
    draft: Draft,
) -> Step<MessageId> {
    let id = tx.ids.message();
    let message = Message {
        id: id.clone(),
        direction: Direction::Outbound,
        conversation: conversation.id.clone(),
        agent: conversation.agent.clone(),
        connection: draft.connection,
        contact: conversation.contact.clone(),
        number: draft.number,
        segments: inbound::count(&draft.body),
        body: draft.body,
        media: draft.media,
        status: Status::Queued,
        reason: None,
        problem: None,
        provider_id: None,
        origin: draft.origin,
        intent: draft.intent,
        call: draft.call,
        valid_until: draft.valid_until,
        not_before: None,
        on_unknown: draft.on_unknown,
        attempts: Vec::new(),
        verdicts: Vec::new(),
        looked: 0,
        called_off: None,
        timer: None,
        created_at: tx.now,
        updated_at: tx.now,
    };
    tx.put(keys::message(&id), &message)?;
    tx.put(keys::place(&conversation.id, &id), &())?;
    tell(tx, "message.queued", &message);
    conversation.lane.push(id.clone());
    conversation.last_at = tx.now;
    threads::put(tx, &conversation)?;
    tx.follow(Follow::Pump(conversation.id));
    Ok(id)
}

/// Lets the first text of a lane through the gate, if nothing is in flight.
pub(super) fn pump(world: World<'_>, tx: &mut Tx<'_>, id: &ConversationId) -> Step<()> {
    loop {
        let Some(mut conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
            return Ok(());
        };
        if conversation.in_flight.is_some() {
            return Ok(());
        }
        let Some(head) = conversation.lane.first().cloned() else {
            return Ok(());
        };
        let Some(mut message) = tx.get::<Message>(&keys::message(&head))? else {
            conversation.lane.remove(0);
            threads::put(tx, &conversation)?;
            continue;
        };
        if message.not_before.is_some_and(|time| time > tx.now) {
            // It waits for another try, and its timer takes the lane up again.
            return Ok(());
        }
        conversation.lane.remove(0);
        if message.status != Status::Queued {
            // Never so by design; a text that ended must not leave again.
            threads::put(tx, &conversation)?;
            continue;
        }
        if let Some(reason) = message.called_off.clone() {
            threads::put(tx, &conversation)?;
            message.status = Status::Canceled;
            message.reason = Some(reason);
            message.not_before = None;
            conclude(tx, message)?;
            continue;
        }
        let contact = tx.contact(&message.contact)?;
        let known = Known {
            message: &message,
            contact: &contact,
            conversation: &conversation,
            setup: world.setup,
        };
        let (ruling, verdicts) = policy::gate(&known, tx.now);
        message.verdicts = verdicts;
        message.updated_at = tx.now;
        match ruling {
            Ruling::Pass => {
                threads::put(tx, &conversation)?;
                begin(world, tx, message, contact, conversation)?;
                return Ok(());
            }
            Ruling::Refuse { word, text } => {
                threads::put(tx, &conversation)?;
                message.status = if word == "expired" {
                    Status::Expired
                } else {
                    Status::Skipped
                };
                message.reason = Some(word.to_owned());
                message.problem = Some(Problem {
                    code: word.to_owned(),
                    text,
                });
                conclude(tx, message)?;
            }
            Ruling::Defer { until, word, .. } => {
                // Parked outside the lane: an answer may overtake an advertisement.
                conversation.deferred.push(message.id.clone());
                threads::put(tx, &conversation)?;
                message.status = Status::Scheduled;
                message.reason = Some(word.to_owned());
                message.not_before = Some(until);
                let task = Task::Text {
                    message: message.id.clone(),
                };
                message.timer = Some(tx.set_timer(until, task)?);
                tell(tx, "message.status", &message);
                tx.put(keys::message(&message.id), &message)?;
            }
        }
    }
}

/// Starts an attempt: from here on the record says that bytes may have left.
fn begin(
    world: World<'_>,
    tx: &mut Tx<'_>,
    mut message: Message,
    mut contact: Contact,
    mut conversation: Conversation,
) -> Step<()> {
    let window = SignedDuration::from_millis(
        i64::try_from(world.setup.limits.duplicates_ms).unwrap_or(i64::MAX),
    );
    let now = tx.now;
    contact
        .recent
        .retain(|recent| recent.message != message.id && now.duration_since(recent.at) < window);
    if contact.recent.len() >= RECENT {
        contact.recent.remove(0);
    }
    contact.recent.push(Recent {
        digest: policy::digest(message.number.as_ref(), &message.body),
        at: now,
        message: message.id.clone(),
    });
    tx.put_contact(&contact)?;
    conversation.in_flight = Some(message.id.clone());
    threads::put(tx, &conversation)?;
    message.status = Status::Sending;
    message.reason = None;
    message.problem = None;
    message.not_before = None;
    message.updated_at = now;
    message.attempts.push(Attempt {
        at: now,
        outcome: None,
        limited: false,
    });
    tx.put(keys::text_in_flight(&message.id), &now)?;
    // What passed the gate of a contact who opted out is the confirmation of that;
    // everything else is called off when the contact opts out from here on.
    let stopped_counts = contact.opted_out.is_none();
    tx.commands.push(Command::Send(Gated::new(
        message.id.clone(),
        message.contact.clone(),
        stopped_counts,
    )));
    tell(tx, "message.status", &message);
    tx.put(keys::message(&message.id), &message)
}

/// Makes another attempt at a text whose provider suppresses repeats by our id.
/// It passes the gate like any other.
pub(super) fn repeat(world: World<'_>, tx: &mut Tx<'_>, message: Message) -> Step<Option<Message>> {
    let conversation = tx.get::<Conversation>(&keys::conversation(&message.conversation))?;
    let Some(conversation) = conversation.filter(|_| message.called_off.is_none()) else {
        return Ok(Some(message));
    };
    let contact = tx.contact(&message.contact)?;
    let known = Known {
        message: &message,
        contact: &contact,
        conversation: &conversation,
        setup: world.setup,
    };
    match policy::gate(&known, tx.now) {
        (Ruling::Pass, _) => {
            begin(world, tx, message, contact, conversation)?;
            Ok(None)
        }
        _ => Ok(Some(message)),
    }
}

/// An attempt ended.
pub(super) fn sent(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &MessageId,
    result: &SendResult,
) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    if message.status != Status::Sending {
        // A delivery report was faster. The provider's id is still worth having.
        if let SendResult::Accepted { provider_id } = result
            && message.provider_id.is_none()
        {
            remember(tx, &mut message, provider_id)?;
            tx.put(keys::message(id), &message)?;
        }
        return Ok(Answer::Repeat);
    }
    let attempts = world.setup.limits.attempts;
    match result {
        SendResult::Accepted { provider_id } => {
            remember(tx, &mut message, provider_id)?;
            ended(
                tx,
                &mut message,
                Outcome::Accepted {
                    provider_id: provider_id.clone(),
                },
            )?;
            message.status = Status::Accepted;
            conclude(tx, message)?;
        }
        SendResult::Rejected(problem) | SendResult::Misconfigured(problem) => {
            ended(
                tx,
                &mut message,
                Outcome::Refused {
                    problem: problem.clone(),
                },
            )?;
            fail(tx, message, problem)?;
        }
        SendResult::OptedOut(problem) => {
            ended(
                tx,
                &mut message,
                Outcome::Refused {
                    problem: problem.clone(),
                },
            )?;
            let phone = message.contact.clone();
            fail(tx, message, problem)?;
            inbound::stop(world, tx, &phone, OptOutSource::Provider, None)?;
        }
        SendResult::RateLimited(after, problem) => {
            if let Some(attempt) = message.attempts.last_mut() {
                attempt.limited = true;
            }
            ended(
                tx,
                &mut message,
                Outcome::Refused {
                    problem: problem.clone(),
                },
            )?;
            retry(tx, message, problem, *after, attempts)?;
        }
        SendResult::Unavailable(problem) => {
            ended(
                tx,
                &mut message,
                Outcome::Refused {
                    problem: problem.clone(),
                },
            )?;
            retry(tx, message, problem, None, attempts)?;
        }
        SendResult::Unknown(problem) => {
            super::unknown::begin(world, tx, message, problem)?;
        }
        SendResult::CalledOff => {
            let reason = "opted_out".to_owned();
            ended(
                tx,
                &mut message,
                Outcome::CalledOff {
                    reason: reason.clone(),
                },
            )?;
            message.status = Status::Canceled;
            message.reason = Some(reason);
            conclude(tx, message)?;
        }
    }
    Ok(Answer::Done)
}

/// Notes how the present attempt ended and frees the lane.
pub(super) fn ended(tx: &mut Tx<'_>, message: &mut Message, outcome: Outcome) -> Step<()> {
    if let Some(attempt) = message.attempts.last_mut() {
        attempt.outcome = Some(outcome);
    }
    message.updated_at = tx.now;
    message.looked = 0;
    tx.drop_timer(message.timer.take());
    tx.delete(keys::text_in_flight(&message.id));
    let key = keys::conversation(&message.conversation);
    if let Some(mut conversation) = tx.get::<Conversation>(&key)?
        && conversation.in_flight.as_ref() == Some(&message.id)
    {
        conversation.in_flight = None;
        threads::put(tx, &conversation)?;
        tx.follow(Follow::Pump(conversation.id));
    }
    Ok(())
}

/// Keeps the provider's id, both ways.
pub(super) fn remember(tx: &mut Tx<'_>, message: &mut Message, provider_id: &str) -> Step<()> {
    message.provider_id = Some(provider_id.to_owned());
    tx.put(
        keys::provider_text(&message.connection, provider_id),
        &message.id,
    )
}

/// Stores a text that a run may be waiting for, and tells everybody.
pub(super) fn conclude(tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
    message.updated_at = tx.now;
    tx.put(keys::message(&message.id), &message)?;
    tell(tx, "message.status", &message);
    if let Origin::Run { run, .. } = &message.origin
        && message.status.settled()
    {
        tx.follow(Follow::Resume(run.clone(), message.id.clone()));
    }
    Ok(())
}

fn fail(tx: &mut Tx<'_>, mut message: Message, problem: &Problem) -> Step<()> {
    // The contact never saw these words: they may be said again.
    let mut contact = tx.contact(&message.contact)?;
    contact.recent.retain(|recent| recent.message != message.id);
    tx.put_contact(&contact)?;
    message.status = Status::Failed;
    message.reason = Some(problem.code.clone()).filter(|code| !code.is_empty());
    message.problem = Some(problem.clone());
    conclude(tx, message)
}

/// Puts a text that certainly was not sent back to the head of its lane.
fn retry(
    tx: &mut Tx<'_>,
    message: Message,
    problem: &Problem,
    after: Option<u32>,
    limit: u32,
) -> Step<()> {
    let all = u32::try_from(message.attempts.len()).unwrap_or(u32::MAX);
    let limited = message.attempts.iter().filter(|one| one.limited).count();
    let tried = all.saturating_sub(u32::try_from(limited).unwrap_or(u32::MAX));
    if tried >= limit || all >= limit.saturating_mul(LIMITED) {
        return fail(tx, message, problem);
    }
    let doubled = BACKOFF * 2_i32.saturating_pow(all.saturating_sub(1).min(12));
    let delay = match after {
        Some(seconds) => SignedDuration::from_secs(i64::from(seconds.max(1))),
        // Full jitter over the upper half, so that many do not come back at once.
        None => doubled
            .min(BACKOFF_LIMIT)
            .mul_f64(0.5 + tx.ids.fraction() / 2.0),
    };
    again(tx, message, Some(problem.clone()), delay)
}

/// Queues a text at the head of its lane, after a delay.
pub(super) fn again(
    tx: &mut Tx<'_>,
    mut message: Message,
    problem: Option<Problem>,
    delay: SignedDuration,
) -> Step<()> {
    let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let due = tx
        .now
        .checked_add(SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MAX);
    message.status = Status::Queued;
    message.problem = problem;
    if message.called_off.is_some() {
        // Nobody wants it any more; the lane lets it go.
        tx.put(keys::message(&message.id), &message)?;
        return rejoin(tx, &message, true);
    }
    message.not_before = Some(due);
    message.timer = Some(tx.set_timer(
        due,
        Task::Text {
            message: message.id.clone(),
        },
    )?);
    message.updated_at = tx.now;
    tx.put(keys::message(&message.id), &message)?;
    tell(tx, "message.status", &message);
    // It was the first of the lane, and nothing has overtaken it.
    rejoin(tx, &message, true)
}

/// Puts a text back into its lane: at its head, or in the order of asking.
fn rejoin(tx: &mut Tx<'_>, message: &Message, first: bool) -> Step<()> {
    let key = keys::conversation(&message.conversation);
    let Some(mut conversation) = tx.get::<Conversation>(&key)? else {
        return Ok(());
    };
    if !conversation.lane.contains(&message.id) {
        let place = match first {
            true => 0,
            false => conversation
                .lane
                .partition_point(|other| other < &message.id),
        };
        conversation.lane.insert(place, message.id.clone());
        conversation.deferred.retain(|other| *other != message.id);
        threads::put(tx, &conversation)?;
    }
    tx.follow(Follow::Pump(conversation.id));
    Ok(())
}

/// A deferred text, or one that waits for another try, is due.
pub(super) fn due(_world: World<'_>, tx: &mut Tx<'_>, id: &MessageId, timer: &Key) -> Step<()> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(());
    };
    let waits = matches!(message.status, Status::Scheduled | Status::Queued);
    if !waits || message.timer.as_ref() != Some(timer) {
        return Ok(());
    }
    message.timer = None;
    message.not_before = None;
    message.status = Status::Queued;
    tx.put(keys::message(id), &message)?;
    rejoin(tx, &message, false)
}

/// Calls off a text: at once when it has not left, else what would follow the
/// attempt that is under way.
pub(super) fn call_off(tx: &mut Tx<'_>, id: &MessageId, reason: &str) -> Step<()> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(());
    };
    if matches!(message.status, Status::Sending | Status::Unknown) {
        message.called_off = Some(reason.to_owned());
        return tx.put(keys::message(id), &message);
    }
    if !matches!(message.status, Status::Scheduled | Status::Queued) {
        return Ok(());
    }
    leave_lane(tx, &mut message)?;
    message.status = Status::Canceled;
    message.reason = Some(reason.to_owned());
    conclude(tx, message)
}

/// Takes a text that waits out of its lane, with its timer.
fn leave_lane(tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
    tx.drop_timer(message.timer.take());
    let key = keys::conversation(&message.conversation);
    if let Some(mut conversation) = tx.get::<Conversation>(&key)?
        && (conversation.lane.contains(&message.id) || conversation.deferred.contains(&message.id))
    {
        conversation.lane.retain(|other| *other != message.id);
        conversation.deferred.retain(|other| *other != message.id);
        threads::put(tx, &conversation)?;
        tx.follow(Follow::Pump(conversation.id));
    }
    Ok(())
}

/// A delivery report: may come twice, out of order, and before the answer to the
/// request it is about.
pub(super) fn report(world: World<'_>, tx: &mut Tx<'_>, report: &Report) -> Step<Answer> {
    let by_provider = keys::provider_text(&report.connection, &report.provider_id);
    let id = match &report.id {
        Some(id) => Some(id.clone()),
        None => tx.get::<MessageId>(&by_provider)?,
    };
    let Some(id) = id else {
        return Ok(Answer::Unknown);
    };
    let Some(mut message) = tx.get::<Message>(&keys::message(&id))? else {
        return Ok(Answer::Unknown);
    };
    if message.connection != report.connection || message.direction != Direction::Outbound {
        return Ok(Answer::Unknown);
    }
    let (status, problem) = match &report.delivery {
        Delivery::Queued => (Status::Accepted, None),
        Delivery::Sent => (Status::Sent, None),
        Delivery::Delivered => (Status::Delivered, None),
        Delivery::Undelivered(problem) => (Status::Undelivered, Some(problem)),
        Delivery::Failed(problem) | Delivery::OptedOut(problem) => (Status::Failed, Some(problem)),
    };
    if message.provider_id.is_none() && !report.provider_id.is_empty() {
        remember(tx, &mut message, &report.provider_id)?;
    }
    let open = matches!(
        message.status,
        Status::Sending | Status::Unknown | Status::NeedsReview
    );
    let waits = matches!(message.status, Status::Queued | Status::Scheduled)
        && !message.attempts.is_empty();
    if open {
        // The report settles what the attempt's own answer did not.
        let provider_id = report.provider_id.clone();
        ended(tx, &mut message, Outcome::Accepted { provider_id })?;
    } else if waits {
        // The provider has it after all: there must be no other try.
        leave_lane(tx, &mut message)?;
        message.not_before = None;
    }
    let phone = message.contact.clone();
    let opted_out =
        matches!(report.delivery, Delivery::OptedOut(_)) && tx.contact(&phone)?.opted_out.is_none();
    if status.rank() <= message.status.rank() {
        if !opted_out {
            return Ok(Answer::Repeat);
        }
        // An opt-out counts, also behind a report that says the same of the text.
        inbound::stop(world, tx, &phone, OptOutSource::Provider, None)?;
        return Ok(Answer::Done);
    }
    message.status = status;
    message.reason = problem
        .map(|problem| problem.code.clone())
        .filter(|code| !code.is_empty());
    message.problem = problem.cloned();
    conclude(tx, message)?;
    if opted_out {
        inbound::stop(world, tx, &phone, OptOutSource::Provider, None)?;
    }
    Ok(Answer::Done)
}

/// Puts a change of a text into the feed.
pub(super) fn tell(tx: &mut Tx<'_>, kind: &str, message: &Message) {
    tx.tell(kind, |entry| {
        entry.contact = Some(message.contact.clone());
        entry.conversation = Some(message.conversation.clone());
        entry.message = Some(message.id.clone());
        if let Origin::Run { run, .. } = &message.origin {
            entry.run = Some(run.clone());
        }
        entry.data = json!({ "status": message.status, "reason": message.reason });
    });
}

/// Tells the shell that a number must, or may again, be left alone.
pub(super) fn notice(tx: &mut Tx<'_>, notice: Notice) {
    tx.notices.push(notice);
}
