//! Outgoing texts: the lane of a conversation, the gate, and attempts. How an
//! attempt ends stands in [`super::outcomes`], what happens when nobody knows how
//! in [`super::unknown`].

use jiff::SignedDuration;
use serde_json::json;

pub(super) use super::draft::{Draft, LONGEST, queue, record, too_long};
use super::line::{self, Leave};
use super::tx::Follow;
use super::{Command, Gated, Notice, Step, Tx, World, approvals, breaker, held, idle, threads};
use crate::model::{
    Attempt, Contact, Conversation, ConversationId, Key, Message, MessageId, Origin, Outcome,
    Problem, Recent, Status, Task, keys,
};
use crate::planted::{Planted, planted};
use crate::policy::{self, Known, Ruling};

/// How many of a contact's last texts are kept for the duplicate rule.
const RECENT: usize = 16;

/// Lets the first text of a lane through the gate, if nothing is in flight.
pub(super) fn pump(world: World<'_>, tx: &mut Tx<'_>, id: &ConversationId) -> Step<()> {
    loop {
        let Some(mut conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
            return Ok(());
        };
        if conversation.in_flight.is_some() && !planted(Planted::IgnoreLane) {
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
            message.problem = None;
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
        message.verdicts = approvals::with_approval(&message, verdicts);
        message.updated_at = tx.now;
        match ruling {
            Ruling::Pass => {
                let counting = match line::ask(world, tx, &mut message, &conversation)? {
                    Leave::Now(counting) => counting,
                    // It keeps its place at the head of the lane, with a timer.
                    Leave::Again => return Ok(()),
                    Leave::InLine(joining) => {
                        conversation.deferred.push(message.id.clone());
                        threads::put(tx, &conversation)?;
                        line::join(tx, message, *joining)?;
                        continue;
                    }
                };
                if !held::may_leave(world, tx, &mut message)? {
                    // It keeps its place at the head of the lane, with a timer.
                    return Ok(());
                }
                threads::put(tx, &conversation)?;
                line::count(tx, counting, &mut message)?;
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
                message.aside.turn = None;
                tell(tx, "message.status", &message);
                store(tx, &mut message)?;
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
    if let Some(mine) = &message.aside.campaign {
        breaker::texted(tx, &mut contact, mine);
    }
    tx.put_contact(&contact)?;
    conversation.in_flight = Some(message.id.clone());
    idle::wrote(world, tx, &mut conversation, &message)?;
    threads::put(tx, &conversation)?;
    message.status = Status::Sending;
    message.reason = None;
    message.problem = None;
    message.not_before = None;
    message.aside.turn = None;
    message.updated_at = now;
    message.attempts.push(Attempt {
        at: now,
        outcome: None,
        limited: false,
        delivery: None,
    });
    // It gets an id of its own; reports on an earlier one are of that attempt.
    message.provider_id = None;
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
    store(tx, &mut message)
}

/// Makes another attempt at a text whose provider suppresses repeats by our id.
/// It passes the gate like any other.
pub(super) fn repeat(world: World<'_>, tx: &mut Tx<'_>, message: Message) -> Step<Option<Message>> {
    let conversation = tx.get::<Conversation>(&keys::conversation(&message.conversation))?;
    let paused = line::is_paused(tx, &message)?;
    let Some(conversation) = conversation.filter(|_| message.called_off.is_none() && !paused)
    else {
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

/// Notes how the present attempt ended and frees the lane.
pub(super) fn ended(tx: &mut Tx<'_>, message: &mut Message, outcome: Outcome) -> Step<()> {
    if let Some(attempt) = message.attempts.last_mut() {
        attempt.outcome = Some(outcome);
    }
    message.updated_at = tx.now;
    message.looked = 0;
    message.aside.unknown_since = None;
    message.aside.held_since = None;
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

/// Stores an outgoing text, and keeps the short lists: each of them has a mark
/// for the texts that are in it.
pub(super) fn store(tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
    let listed = message.attention();
    if message.aside.listed != listed {
        if let Some(before) = message.aside.listed {
            tx.delete(keys::attention(before, &message.id));
        }
        if let Some(now) = listed {
            tx.put(keys::attention(now, &message.id), &())?;
        }
        message.aside.listed = listed;
    }
    tx.put(keys::message(&message.id), message)
}

/// Stores a text that a run may be waiting for, and tells everybody.
pub(super) fn conclude(tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
    message.updated_at = tx.now;
    if message.status != Status::Queued {
        message.aside.turn = None;
    }
    breaker::changed(tx, &mut message)?;
    store(tx, &mut message)?;
    tell(tx, "message.status", &message);
    if let Origin::Run { run, .. } = &message.origin
        && message.status.settled()
    {
        tx.follow(Follow::Resume(run.clone(), message.id.clone()));
    }
    Ok(())
}

/// Puts a text back into its lane: at its head, or in the order of asking.
pub(super) fn rejoin(tx: &mut Tx<'_>, message: &Message, first: bool) -> Step<()> {
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
    let waits = matches!(
        message.status,
        Status::Scheduled | Status::Queued | Status::PendingApproval
    );
    if !waits || message.timer.as_ref() != Some(timer) {
        return Ok(());
    }
    message.timer = None;
    if message.status == Status::PendingApproval {
        return approvals::due(tx, message);
    }
    message.not_before = None;
    message.status = Status::Queued;
    line::may_ask(tx, &mut message);
    store(tx, &mut message)?;
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
        return store(tx, &mut message);
    }
    if !matches!(
        message.status,
        Status::Scheduled | Status::Queued | Status::PendingApproval
    ) {
        return Ok(());
    }
    leave_lane(tx, &mut message)?;
    message.status = Status::Canceled;
    message.reason = Some(reason.to_owned());
    message.problem = None;
    conclude(tx, message)
}

/// Takes a text that waits out of its lane, with its timer.
pub(super) fn leave_lane(tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
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
