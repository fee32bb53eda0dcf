//! Housekeeping: which records have been kept long enough. [`Sweep`] says which
//! part of the store is to be looked at next, [`ripe`] whether a record is old
//! enough by itself, and the step for [`super::Input::Expire`] whether anything
//! still needs it. What was read for that becomes a precondition, so that a record
//! that is needed after all is not removed.
//!
//! It must not remove a contact (opt-outs are kept for ever) or what is noted of them,
//! a conversation, a timer, or anything that a run under way, a turn that is not over or
//! an unsettled text refers to. Turns, silences and places in line go when they have
//! been acted on.

mod sweep;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

pub use sweep::{Page, Sweep};

use super::requests::Taken;
use super::{Answer, Retention, Step, Tx, World, approvals};
use crate::model::{
    Binding, Call, CallId, Contact, Conversation, Direction, Enrollment, EventId, Head, Key,
    Message, MessageId, Origin, Pending, Run, RunId, RunStatus, Status, StoredBinding,
    StoredDefinition, keys, record,
};
use crate::workflow::{Again, Definition, On};

/// A definition that no run refers to is kept for so long after another took its
/// place: its file may come back.
pub const DEFINITIONS: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Before this time a record is old; `None` when it never is.
fn limit(kept: Option<SignedDuration>, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(kept?).ok()
}

fn is_before(at: Option<Timestamp>, limit: Option<Timestamp>) -> bool {
    at.zip(limit).is_some_and(|(at, limit)| at < limit)
}

/// Whether a record is old enough to go, as far as it can be seen from itself. One
/// that cannot be read stays.
pub fn ripe(retention: &Retention, key: &Key, value: &[u8], now: Timestamp) -> bool {
    let name = keys::name_of(key);
    let made = |kept| {
        is_before(
            name.and_then(EventId::parse).and_then(|id| id.at()),
            limit(kept, now),
        )
    };
    match keys::table_of(key) {
        Some(b'e') => made(retention.events),
        Some(b'u') => made(retention.webhooks),
        Some(b'r') => read(value).is_some_and(|run: Run| run_is_old(retention, &run, now)),
        Some(b'o') => read(value).is_some_and(|text: Message| text_is_old(retention, &text, now)),
        Some(b'a') => read(value).is_some_and(|call: Call| {
            is_before(Some(call.updated_at), limit(retention.calls, now))
        }),
        Some(b'b') => is_before(
            read(value).and_then(|id: CallId| id.at()),
            limit(retention.calls, now),
        ),
        Some(b'v') => is_before(
            read(value).and_then(|id: MessageId| id.at()),
            limit(retention.messages, now),
        ),
        Some(b'k') => match taken_at(value) {
            At::Known(at) => is_before(Some(at), limit(retention.repeats, now)),
            At::Unknown(_) => retention.repeats.is_some(),
            At::Unreadable => false,
        },
        Some(b'l') => read(value).is_some_and(|one: Enrollment| {
            !one.active && is_before(Some(one.at), limit(retention.finished_runs, now))
        }),
        _ => false,
    }
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    record::decode(value).ok()
}

fn run_is_old(retention: &Retention, run: &Run, now: Timestamp) -> bool {
    let ended = run.finished_at.unwrap_or(run.updated_at);
    run.status != RunStatus::Running && is_before(Some(ended), limit(retention.finished_runs, now))
}

/// A text whose life is over, long enough ago. One whose fate nobody knows waits
/// for a person, however long that takes.
fn text_is_old(retention: &Retention, text: &Message, now: Timestamp) -> bool {
    let over = text.status.settled() && text.status != Status::NeedsReview;
    over && is_before(Some(text.updated_at), limit(retention.messages, now))
}

/// When something was taken, by what is kept of it.
enum At {
    Known(Timestamp),
    /// Only the hash of a body is kept, without a time.
    Unknown(String),
    Unreadable,
}

fn taken_at(value: &[u8]) -> At {
    if let Some(at) = read(value).and_then(|taken: Taken| taken.at()) {
        return At::Known(at);
    }
    match read(value) {
        Some(StoredBinding::Dated(binding)) => At::Known(binding.at),
        Some(StoredBinding::Bare(text)) => match MessageId::parse(&text).map(|id| id.at()) {
            Some(Some(at)) => At::Known(at),
            Some(None) => At::Unreadable,
            None => At::Unknown(text),
        },
        None => At::Unreadable,
    }
}

/// Removes those of these records that are old and that nothing needs.
pub(super) fn expire(world: World<'_>, tx: &mut Tx<'_>, wanted: &[Key]) -> Step<Answer> {
    let of = |table: u8| {
        wanted
            .iter()
            .filter(move |key| keys::table_of(key) == Some(table))
    };
    tx.expect(
        wanted
            .iter()
            // What these are is in their keys: they are written once.
            .filter(|key| !matches!(keys::table_of(key), Some(b'e' | b'u')))
            .cloned(),
    );
    let mut removed = 0;
    for key in of(b'e').chain(of(b'u')) {
        if ripe(&world.setup.retention, key, &[], tx.now) {
            tx.delete(key.clone());
            removed += 1;
        }
    }
    for key in of(b'r') {
        removed += usize::from(expire_run(world, tx, key)?);
    }
    removed += expire_texts(world, tx, of(b'o'))?;
    removed += expire_calls(world, tx, of(b'a'))?;
    for key in of(b'b') {
        let id = old::<CallId>(world, tx, key)?;
        removed += usize::from(orphaned(tx, key, id.map(|id| keys::call(&id)))?);
    }
    for key in of(b'v') {
        let id = old::<MessageId>(world, tx, key)?;
        removed += usize::from(orphaned(tx, key, id.map(|id| keys::message(&id)))?);
    }
    for key in of(b'k') {
        removed += usize::from(expire_repeat(world, tx, key)?);
    }
    for key in of(b'l') {
        removed += usize::from(expire_enrollment(world, tx, key)?);
    }
    for key in of(b'd') {
        removed += usize::from(expire_definition(world, tx, key)?);
    }
    Ok(Answer::Expired(removed))
}

/// The record of a key, when it is old.
fn old<T: DeserializeOwned>(world: World<'_>, tx: &Tx<'_>, key: &Key) -> Step<Option<T>> {
    let Some(value) = tx.bytes(key)? else {
        return Ok(None);
    };
    if !ripe(&world.setup.retention, key, value, tx.now) {
        return Ok(None);
    }
    Ok(Some(record::decode(value)?))
}

/// A run goes with its timeline.
fn expire_run(world: World<'_>, tx: &mut Tx<'_>, key: &Key) -> Step<bool> {
    let Some(run) = old::<Run>(world, tx, key)? else {
        return Ok(false);
    };
    // One that waits for it reads what it came to.
    if let Some(parent) = &run.parent
        && tx
            .get::<Run>(&keys::run(&parent.run))?
            .is_some_and(|parent| parent.status == RunStatus::Running)
    {
        return Ok(false);
    }
    for number in 0..run.notes {
        tx.delete(keys::note(&run.id, number));
    }
    tx.delete(key.clone());
    Ok(true)
}

/// Texts go with their places and with the provider's names for them.
fn expire_texts<'k>(
    world: World<'_>,
    tx: &mut Tx<'_>,
    wanted: impl Iterator<Item = &'k Key>,
) -> Step<usize> {
    let mut texts: Vec<Message> = Vec::new();
    for key in wanted {
        texts.extend(old::<Message>(world, tx, key)?);
    }
    tx.expect(texts.iter().map(|one| keys::contact(&one.contact)));
    tx.expect(
        texts
            .iter()
            .map(|one| keys::conversation(&one.conversation)),
    );
    tx.expect(texts.iter().filter_map(|one| match &one.origin {
        Origin::Run { run, .. } => Some(keys::run(run)),
        _ => None,
    }));
    let mut removed = 0;
    for text in &texts {
        if text_is_needed(world, tx, text)? {
            continue;
        }
        tx.delete(keys::place(&text.conversation, &text.id));
        // Only texts of ours are found by the provider's name for them.
        let ours = text.direction == Direction::Outbound;
        if let Some(provider_id) = text.provider_id.as_ref().filter(|_| ours) {
            tx.delete(keys::provider_text(&text.connection, provider_id));
        }
        if let Some(listed) = text.aside.listed {
            tx.delete(keys::attention(listed, &text.id));
        }
        approvals::forget(tx, text)?;
        tx.delete(keys::message(&text.id));
        removed += 1;
    }
    Ok(removed)
}

fn text_is_needed(world: World<'_>, tx: &Tx<'_>, text: &Message) -> Step<bool> {
    if let Origin::Run { run, .. } = &text.origin
        && is_running(tx, run)?
    {
        return Ok(true);
    }
    let conversation: Option<Conversation> = tx.get(&keys::conversation(&text.conversation))?;
    let waits = conversation.is_some_and(|one| {
        one.in_flight.as_ref() == Some(&text.id)
            || one.lane.contains(&text.id)
            || one.deferred.contains(&text.id)
    });
    let contact: Contact = tx.contact(&text.contact)?;
    // What the contact said when they opted out is the proof of it.
    let proves = contact.opted_out.as_ref().is_some_and(|out| {
        out.message.as_ref() == Some(&text.id) || out.confirmation.as_ref() == Some(&text.id)
    });
    Ok(waits
        || proves
        || is_in_turn(world, tx, text)?
        || is_mentioned(tx, &contact, text.id.as_str())?)
}

/// Whether a text is one of a turn that is not over: its run will read it.
fn is_in_turn(world: World<'_>, tx: &Tx<'_>, text: &Message) -> Step<bool> {
    if text.direction == Direction::Outbound {
        return Ok(false);
    }
    for in_service in world.workflows.in_service.values() {
        let definition = &in_service.workflow.definition;
        for (number, trigger) in definition.triggers.iter().enumerate() {
            if !matches!(&trigger.on, On::MessageReceived(filter) if filter.fold.is_some()) {
                continue;
            }
            let key = keys::pending(&text.conversation, &definition.id, number);
            if let Some(Pending::Turn { texts, .. }) = tx.get::<Pending>(&key)?
                && texts.contains(&text.id)
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_running(tx: &Tx<'_>, id: &RunId) -> Step<bool> {
    let run: Option<Run> = tx.get(&keys::run(id))?;
    Ok(run.is_some_and(|run| run.status == RunStatus::Running))
}

/// Whether a run of the contact that is under way mentions an id, wherever: what
/// started it, what it waits for, its results.
fn is_mentioned(tx: &Tx<'_>, contact: &Contact, id: &str) -> Step<bool> {
    tx.expect(contact.runs.iter().map(|one| keys::run(&one.run)));
    for one in &contact.runs {
        let key = keys::run(&one.run);
        let Some(bytes) = tx.bytes(&key)? else {
            continue;
        };
        let mentions = bytes.windows(id.len()).any(|part| part == id.as_bytes());
        if mentions && is_running(tx, &one.run)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Calls go with the provider's names for them.
fn expire_calls<'k>(
    world: World<'_>,
    tx: &mut Tx<'_>,
    wanted: impl Iterator<Item = &'k Key>,
) -> Step<usize> {
    let mut calls: Vec<Call> = Vec::new();
    for key in wanted {
        calls.extend(old::<Call>(world, tx, key)?);
    }
    tx.expect(calls.iter().map(|one| keys::call_in_flight(&one.id)));
    tx.expect(
        calls
            .iter()
            .filter_map(|one| one.contact.as_ref().map(keys::contact)),
    );
    let mut removed = 0;
    for call in &calls {
        if tx.bytes(&keys::call_in_flight(&call.id))?.is_some() {
            continue;
        }
        if let Some(phone) = &call.contact {
            let contact = tx.contact(phone)?;
            if is_mentioned(tx, &contact, call.id.as_str())? {
                continue;
            }
        }
        if let Some(provider_id) = &call.provider_id {
            tx.delete(keys::provider_call(&call.connection, provider_id));
        }
        tx.delete(keys::call(&call.id));
        removed += 1;
    }
    Ok(removed)
}

/// A provider's name for something goes when what it names is gone: one text may
/// have had several.
fn orphaned(tx: &mut Tx<'_>, key: &Key, named: Option<Key>) -> Step<bool> {
    let Some(named) = named else {
        return Ok(false);
    };
    if tx.bytes(&named)?.is_some() {
        return Ok(false);
    }
    tx.delete(key.clone());
    Ok(true)
}

/// What is kept to see repeats. One without a time is given one, and goes when
/// that is over.
fn expire_repeat(world: World<'_>, tx: &mut Tx<'_>, key: &Key) -> Step<bool> {
    let Some(value) = tx.bytes(key)? else {
        return Ok(false);
    };
    if !ripe(&world.setup.retention, key, value, tx.now) {
        return Ok(false);
    }
    match taken_at(value) {
        At::Known(_) => {
            tx.delete(key.clone());
            Ok(true)
        }
        At::Unknown(digest) => {
            let at = tx.now;
            tx.put(key.clone(), &Binding { digest, at })?;
            Ok(false)
        }
        At::Unreadable => Ok(false),
    }
}

/// The last enrollment of a key goes when it forbids nothing any more, also not
/// under a rule that would be written today.
fn expire_enrollment(world: World<'_>, tx: &mut Tx<'_>, key: &Key) -> Step<bool> {
    let Some(enrollment) = old::<Enrollment>(world, tx, key)? else {
        return Ok(false);
    };
    let Some(workflow) = workflow_of(key) else {
        return Ok(false);
    };
    let in_service = world.workflows.in_service.get(&workflow);
    let definition = match in_service {
        Some(one) => Some(&one.workflow.definition),
        // Its file is away, and may come back.
        None => {
            let head: Option<Head> = tx.get(&keys::workflow(&workflow))?;
            let last = head.and_then(|head| world.workflows.by_hash.get(&head.definition));
            last.map(|one| &one.definition)
        }
    };
    if definition.is_some_and(|one| forbids(one, &enrollment, tx.now)) {
        return Ok(false);
    }
    tx.delete(key.clone());
    Ok(true)
}

/// The workflow's id in an enrollment's key; what follows it are 20 bytes.
fn workflow_of(key: &Key) -> Option<String> {
    let name = key.as_bytes().strip_prefix(b"l/")?;
    let id = name.get(..name.len().checked_sub(21)?)?;
    String::from_utf8(id.to_vec()).ok()
}

fn forbids(definition: &Definition, enrollment: &Enrollment, now: Timestamp) -> bool {
    let rule = &definition.enroll;
    let age = now.duration_since(enrollment.at).as_secs();
    rule.again == Again::Never
        || rule
            .again_after
            .is_some_and(|seconds| age < seconds.cast_signed())
}

/// A definition goes when another has long taken its place. That no run refers to
/// it was seen by whoever asks.
fn expire_definition(world: World<'_>, tx: &mut Tx<'_>, key: &Key) -> Step<bool> {
    let (Some(stored), Some(hash)) = (tx.get::<StoredDefinition>(key)?, keys::name_of(key)) else {
        return Ok(false);
    };
    let limit = limit(Some(DEFINITIONS), tx.now);
    let id = &stored.definition.id;
    let head: Option<Head> = tx.get(&keys::workflow(id))?;
    let replaced =
        head.is_some_and(|head| head.definition != hash && is_before(Some(head.since), limit));
    let serves = world
        .workflows
        .in_service
        .values()
        .any(|one| one.workflow.hash == hash);
    if !replaced || serves || !is_before(Some(stored.created_at), limit) {
        return Ok(false);
    }
    tx.delete(key.clone());
    Ok(true)
}
