//! Conversations: opening one, and handing it to a person and back.

use jiff::SignedDuration;
use serde_json::json;

use super::{Answer, Step, Tx, World, runs, texts};
use crate::model::{
    Contact, Conversation, ConversationId, Handoff, Key, Origin, PhoneNumber, RunId, Task, Thread,
    keys,
};
use crate::workflow::{CancelOn, Intent};

/// The conversation of an agent with a contact; a new one where there is none.
pub(super) fn open(tx: &mut Tx<'_>, agent: &str, phone: &PhoneNumber) -> Step<Conversation> {
    let mut contact: Contact = tx.contact(phone)?;
    if let Some(thread) = contact.threads.iter().find(|thread| thread.agent == agent) {
        let known = tx.get(&keys::conversation(&thread.conversation))?;
        if let Some(conversation) = known {
            return Ok(conversation);
        }
    }
    let conversation = Conversation {
        id: tx.ids.conversation(),
        agent: agent.to_owned(),
        contact: phone.clone(),
        created_at: tx.now,
        last_at: tx.now,
        last_inbound_at: None,
        number: None,
        last_text: None,
        handoff: None,
        lane: Vec::new(),
        deferred: Vec::new(),
        in_flight: None,
    };
    contact.threads.retain(|thread| thread.agent != agent);
    contact.threads.push(Thread {
        agent: agent.to_owned(),
        conversation: conversation.id.clone(),
    });
    tx.put_contact(&contact)?;
    put(tx, &conversation)?;
    Ok(conversation)
}

/// Stores the head of a conversation.
pub(super) fn put(tx: &mut Tx<'_>, conversation: &Conversation) -> Step<()> {
    tx.put(keys::conversation(&conversation.id), conversation)
}

/// A person takes a conversation: runs that end by that end, the person is told.
pub(super) fn take(
    world: World<'_>,
    tx: &mut Tx<'_>,
    conversation: &mut Conversation,
    to: &str,
    reason: &str,
    by: Option<&RunId>,
    release_after: Option<u64>,
) -> Step<()> {
    if let Some(earlier) = conversation.handoff.take() {
        tx.drop_timer(earlier.release);
    }
    let release = match release_after {
        Some(seconds) => {
            let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            let due = tx.now.checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
            let task = Task::Release {
                conversation: conversation.id.clone(),
            };
            Some(tx.set_timer(due, task)?)
        }
        None => None,
    };
    conversation.handoff = Some(Handoff {
        to: to.to_owned(),
        reason: reason.to_owned(),
        since: tx.now,
        run: by.cloned(),
        release,
    });
    put(tx, conversation)?;
    let (contact, id) = (conversation.contact.clone(), conversation.id.clone());
    tx.tell("conversation.handoff", |entry| {
        entry.contact = Some(contact.clone());
        entry.conversation = Some(id);
        entry.run = by.cloned();
        entry.data = json!({ "to": to, "reason": reason });
    });
    runs::cancel_by_event(world, tx, &contact, &CancelOn::Handoff, "handoff", by)?;
    notify(world, tx, conversation, to, reason)
}

/// Tells a person of the business, by text, what they are asked to take over.
fn notify(
    world: World<'_>,
    tx: &mut Tx<'_>,
    conversation: &Conversation,
    to: &str,
    reason: &str,
) -> Step<()> {
    let Some(person) = world.setup.people.get(to) else {
        return Ok(());
    };
    // What the contact wrote may be as long as a text can be; the notice is one too.
    let room = texts::LONGEST - 200;
    let reason: String = reason.chars().take(room).collect();
    let why = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    let body = format!(
        "{} needs a person{why}. Reply to them at {0}.",
        conversation.contact
    );
    if person.phone == conversation.contact {
        return Ok(());
    }
    let Some(agent) = world.setup.agents.get(&conversation.agent) else {
        return Ok(());
    };
    let thread = open(tx, &agent.id, &person.phone)?;
    texts::queue(
        tx,
        thread,
        texts::Draft::new(agent, body, Origin::Notice, Intent::Transactional),
    )?;
    Ok(())
}

/// A person or program takes a conversation, by its id.
pub(super) fn take_by_id(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &ConversationId,
    to: &str,
    reason: &str,
) -> Step<Answer> {
    let Some(mut conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
        return Ok(Answer::Unknown);
    };
    take(world, tx, &mut conversation, to, reason, None, None)?;
    Ok(Answer::Done)
}

/// A conversation is free again, because somebody says so.
pub(super) fn release(tx: &mut Tx<'_>, id: &ConversationId) -> Step<Answer> {
    let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
        return Ok(Answer::Unknown);
    };
    free(tx, conversation)?;
    Ok(Answer::Done)
}

/// A conversation is free again, because its time is over.
pub(super) fn release_due(tx: &mut Tx<'_>, id: &ConversationId, timer: &Key) -> Step<()> {
    let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))? else {
        return Ok(());
    };
    let current = conversation
        .handoff
        .as_ref()
        .and_then(|handoff| handoff.release.as_ref());
    if current == Some(timer) {
        free(tx, conversation)?;
    }
    Ok(())
}

fn free(tx: &mut Tx<'_>, mut conversation: Conversation) -> Step<()> {
    let Some(handoff) = conversation.handoff.take() else {
        return Ok(());
    };
    tx.drop_timer(handoff.release);
    put(tx, &conversation)?;
    tx.tell("conversation.released", |entry| {
        entry.contact = Some(conversation.contact.clone());
        entry.conversation = Some(conversation.id.clone());
        entry.data = json!({ "to": handoff.to });
    });
    Ok(())
}
