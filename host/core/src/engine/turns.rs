//! Turns: the texts of a contact that start a run, one by one or several at once
//! (`fold`). A text that is folded is kept in a record with a timer from the commit
//! that takes it, so that it is as durable as the run that it will start.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::enroll::{self, Cause};
use super::events::{Subject, fits};
use super::inbound::{wanted, wanted_from};
use super::{InService, Step, Tx, World};
use crate::model::{Conversation, ConversationId, Key, Message, Pending, RunId, Task, keys};
use crate::planted::{Planted, planted};
use crate::workflow::{On, TextFilter};

/// A turn lasts at most so many times as long as two of its texts may be apart.
const LONGEST: i64 = 5;
/// The most texts of a turn: they are all in the record of its run.
const MOST: usize = 50;

/// What texts start runs with: they are one turn, the last of them is its name.
pub(super) fn cause(texts: &[Message], conversation: &Conversation, now: Timestamp) -> Cause {
    let Some(last) = texts.last() else {
        return Cause::default();
    };
    let each: Vec<&str> = texts.iter().map(|one| one.body.as_str()).collect();
    let all = each.join("\n");
    let media: Vec<_> = texts.iter().flat_map(|one| &one.media).collect();
    let event = json!({
        "type": "message.received",
        "id": last.id,
        "from": last.contact,
        "to": last.number,
        "body": all,
        "text": all,
        "texts": each,
        "media": media,
        "agent": last.agent,
        "at": now,
    });
    Cause {
        event: event.into(),
        contact: Some(last.contact.clone()),
        agent: Some(last.agent.clone()),
        number: last.number.clone(),
        conversation: Some(conversation.id.clone()),
        ..Cause::default()
    }
}

/// Starts the workflows that want a text, and keeps it for those that fold.
pub(super) fn take(
    world: World<'_>,
    tx: &mut Tx<'_>,
    message: &Message,
    cause: &Cause,
) -> Step<Vec<RunId>> {
    for in_service in world.workflows.in_service.values() {
        let definition = &in_service.workflow.definition;
        let first = definition
            .triggers
            .iter()
            .enumerate()
            .find_map(|(number, one)| {
                let filter = folding(&one.on)?;
                wanted_from(filter, message).then_some((number, filter.fold?))
            });
        if let Some((number, seconds)) = first {
            fold(world, tx, in_service, number, seconds, message)?;
        }
    }
    let subject = Subject::Text(message);
    enroll::start_all(world, tx, cause, |trigger| {
        folding(&trigger.on).is_none() && fits(&trigger.on, &subject)
    })
}

/// The filter of a trigger that folds.
fn folding(on: &On) -> Option<&TextFilter> {
    match on {
        On::MessageReceived(filter) if filter.fold.is_some() => Some(filter),
        _ => None,
    }
}

fn fold(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    number: usize,
    seconds: u64,
    message: &Message,
) -> Step<()> {
    let (id, workflow) = (&message.conversation, &in_service.workflow.definition.id);
    let key = keys::pending(id, workflow, number);
    let (since, mut texts) = match tx.get::<Pending>(&key)? {
        Some(Pending::Turn {
            since,
            texts,
            timer,
        }) => {
            tx.drop_timer(Some(timer));
            (since, texts)
        }
        Some(Pending::Silence { timer }) => {
            // The file was another one when that began.
            tx.drop_timer(Some(timer));
            (tx.now, Vec::new())
        }
        None => (tx.now, Vec::new()),
    };
    if texts.is_empty() || !planted(Planted::ForgetFolded) {
        texts.push(message.id.clone());
    }
    if texts.len() >= MOST {
        tx.delete(key);
        return close(world, tx, id, workflow, number, &texts);
    }
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let after = |time: Timestamp, times: i64| {
        let times = i32::try_from(times).unwrap_or(1);
        let span = span.checked_mul(times).unwrap_or(SignedDuration::MAX);
        time.checked_add(span).unwrap_or(Timestamp::MAX)
    };
    let due = after(tx.now, 1).min(after(since, LONGEST));
    let task = Task::Turn {
        conversation: id.clone(),
        workflow: workflow.clone(),
        trigger: number,
    };
    let timer = tx.set_timer(due, task)?;
    let turn = Pending::Turn {
        since,
        texts,
        timer,
    };
    tx.put(key, &turn)
}

/// A turn is over.
pub(super) fn due(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &ConversationId,
    workflow: &str,
    number: usize,
    due: &Key,
) -> Step<()> {
    let key = keys::pending(id, workflow, number);
    match tx.get::<Pending>(&key)? {
        Some(Pending::Turn { texts, timer, .. }) if timer == *due => {
            tx.delete(key);
            close(world, tx, id, workflow, number, &texts)
        }
        _ => Ok(()),
    }
}

/// Starts the run of a turn, or says why it does not start. Whatever was answered by
/// somebody else meanwhile needs none.
fn close(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &ConversationId,
    workflow: &str,
    number: usize,
    texts: &[crate::model::MessageId],
) -> Step<()> {
    let became = start(world, tx, id, workflow, number, texts)?;
    tx.tell("turn.closed", |entry| {
        entry.conversation = Some(id.clone());
        entry.data = json!({ "workflow": workflow, "texts": texts, "became": became });
    });
    Ok(())
}

/// What became of a turn, in a word.
fn start(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &ConversationId,
    workflow: &str,
    number: usize,
    texts: &[crate::model::MessageId],
) -> Step<&'static str> {
    let Some(in_service) = world.workflows.in_service.get(workflow) else {
        return Ok("not_in_service");
    };
    let definition = &in_service.workflow.definition;
    let trigger = definition.triggers.get(number);
    let Some((trigger, On::MessageReceived(filter))) = trigger.map(|one| (one, &one.on)) else {
        return Ok("not_in_service");
    };
    let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
        return Ok("conversation_gone");
    };
    if conversation.handoff.is_some() {
        return Ok("handed_over");
    }
    if tx.contact(&conversation.contact)?.opted_out.is_some() {
        return Ok("opted_out");
    }
    tx.expect(texts.iter().map(keys::message));
    let mut messages: Vec<Message> = Vec::with_capacity(texts.len());
    for text in texts {
        messages.extend(tx.get::<Message>(&keys::message(text))?);
    }
    let cause = cause(&messages, &conversation, tx.now);
    let words = cause.event.get("text").and_then(|text| text.as_str());
    let Some(last) = messages.last() else {
        return Ok("texts_gone");
    };
    if !wanted(filter, last, words.unwrap_or_default())
        || !enroll::holds(world, tx, definition, trigger, &cause)?
    {
        return Ok("not_wanted");
    }
    Ok(match enroll::start(world, tx, in_service, cause.clone())? {
        Ok(_) => "run",
        Err(refusal) => {
            enroll::not_started(tx, definition, &cause, &refusal);
            refusal.code
        }
    })
}
