//! Silences: a conversation in which nobody wrote for a while (`conversation.idle`).
//!
//! A trigger that counts a conversation's silence has one timer there. A text does not
//! move it: the timer, when it is due, looks at when the last text was, and is set
//! anew if that was later. So a text costs nothing beyond the first of a silence.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::enroll::{self, Cause};
use super::{Step, Tx, World, events};
use crate::model::{
    Conversation, ConversationId, Direction, Key, LastText, Message, Origin, Pending, Task, keys,
};
use crate::workflow::{Idle, On, Party};

/// A text came or leaves; the caller stores the conversation.
pub(super) fn wrote(
    world: World<'_>,
    tx: &mut Tx<'_>,
    conversation: &mut Conversation,
    message: &Message,
) -> Step<()> {
    if matches!(message.origin, Origin::Keyword | Origin::Notice) {
        return Ok(());
    }
    conversation.last_text = Some(LastText {
        at: tx.now,
        message: message.id.clone(),
        direction: message.direction,
    });
    for in_service in world.workflows.in_service.values() {
        let definition = &in_service.workflow.definition;
        for (number, trigger) in definition.triggers.iter().enumerate() {
            let On::ConversationIdle(idle) = &trigger.on else {
                continue;
            };
            let key = keys::pending(&conversation.id, &definition.id, number);
            if tx.get::<Pending>(&key)?.is_none() {
                watch(
                    tx,
                    &conversation.id,
                    &definition.id,
                    number,
                    due_at(idle, tx.now),
                )?;
            }
        }
    }
    Ok(())
}

fn due_at(idle: &Idle, since: Timestamp) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(idle.after).unwrap_or(i64::MAX));
    since.checked_add(span).unwrap_or(Timestamp::MAX)
}

fn watch(
    tx: &mut Tx<'_>,
    conversation: &ConversationId,
    workflow: &str,
    trigger: usize,
    due: Timestamp,
) -> Step<()> {
    let task = Task::Silence {
        conversation: conversation.clone(),
        workflow: workflow.to_owned(),
        trigger,
    };
    let timer = tx.set_timer(due, task)?;
    let key = keys::pending(conversation, workflow, trigger);
    tx.put(key, &Pending::Silence { timer })
}

/// It may have been silent for long enough.
pub(super) fn due(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &ConversationId,
    workflow: &str,
    number: usize,
    timer: &Key,
) -> Step<()> {
    let key = keys::pending(id, workflow, number);
    let pending: Option<Pending> = tx.get(&key)?;
    if !pending.is_some_and(|one| matches!(one, Pending::Silence { .. }) && one.timer() == timer) {
        return Ok(());
    }
    // Whatever follows: the next text begins the next silence.
    tx.delete(key);
    let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
        return Ok(());
    };
    let Some(in_service) = world.workflows.in_service.get(workflow) else {
        return Ok(());
    };
    let definition = &in_service.workflow.definition;
    let trigger = definition.triggers.get(number);
    let (Some(trigger), Some(last)) = (trigger, &conversation.last_text) else {
        return Ok(());
    };
    let On::ConversationIdle(idle) = &trigger.on else {
        return Ok(());
    };
    let due = due_at(idle, last.at);
    if due > tx.now {
        return watch(tx, id, workflow, number, due);
    }
    let last_from = match last.direction {
        Direction::Inbound => Party::Them,
        Direction::Outbound => Party::Us,
    };
    let stopped = tx.contact(&conversation.contact)?.opted_out.is_some();
    if stopped || idle.last_from.is_some_and(|wanted| wanted != last_from) {
        return Ok(());
    }
    let event = json!({
        "type": "conversation.idle",
        "contact": conversation.contact,
        "conversation": conversation.id,
        "last_from": last_from,
        "last_text_at": last.at,
        "seconds": tx.now.duration_since(last.at).as_secs(),
        "agent": conversation.agent,
        "at": tx.now,
    });
    let cause = Cause {
        event: event.into(),
        contact: Some(conversation.contact.clone()),
        agent: Some(conversation.agent.clone()),
        number: conversation.number.clone(),
        conversation: Some(conversation.id.clone()),
        // A silence after a run's own text is that run's doing.
        by: events::sender(tx, &last.message)?,
        ..Cause::default()
    };
    if enroll::holds(world, tx, definition, trigger, &cause)?
        && let Err(refusal) = enroll::start(world, tx, in_service, cause.clone())?
    {
        enroll::not_started(tx, definition, &cause, &refusal);
    }
    Ok(())
}
