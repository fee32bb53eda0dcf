//! Events: what they wake, what they end and what they start. What is told in the
//! feed is what workflows see, so an event is made of the entry that tells of it,
//! after the runs of the step have come to rest.
//!
//! It must not decide who answers a text ([`super::inbound`]) or when a call counts
//! as missed ([`super::calls`]); those raise their events by themselves.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::enroll::{By, Cause};
use super::inbound::{wanted, wants_call};
use super::scope::{call_value, message_value};
use super::{Step, Tx, World, enroll, leads, runs, steps};
use crate::model::{
    Call, CallId, CallStatus, Contact, Conversation, Entry, Message, MessageId, Parent,
    PhoneNumber, Run, RunId, RunStatus, Status, keys,
};
use crate::workflow::{Action, Awaited, CancelOn, Definition, On};

/// The most events that runs may cause in one step; more is a circle of some kind.
const MOST: u32 = 256;

/// What happened, as filters look at it.
pub(super) enum Subject<'s> {
    /// A contact's text.
    Text(&'s Message),
    CallMissed(&'s Call),
    CallCompleted(&'s Call),
    CallStatus(&'s Call, CallStatus),
    /// A text of ours came to this status.
    Status(Status),
    /// The same, where it says that the text did not arrive.
    Failed(Status),
    LeadCreated(&'s [String]),
    LeadUpdated(&'s [String]),
    Handoff,
    OptedOut,
    OptedIn,
    Finished(&'s Run, &'s str),
    Plugin(&'s str, &'s str),
}

/// An event.
pub(super) struct Happened<'s> {
    pub(super) subject: Subject<'s>,
    /// As runs get it.
    pub(super) cause: Cause,
    /// A field of the result of a wait beside `event`: a text or a call.
    pub(super) more: Option<(&'static str, Json)>,
    /// What stands in the timeline of a run that it wakes.
    pub(super) sentence: String,
    /// The run that did it, which it does not concern.
    pub(super) own: Option<RunId>,
}

/// Whether a trigger or a wait means this event, its condition aside.
pub(super) fn fits(on: &On, subject: &Subject<'_>) -> bool {
    let one_of =
        |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
    let any_of = |list: &[String], words: &[String]| {
        list.is_empty() || list.iter().any(|one| words.contains(one))
    };
    match (on, subject) {
        (On::MessageReceived(filter), Subject::Text(message)) => {
            wanted(filter, message, &message.body)
        }
        (On::CallMissed(filter), Subject::CallMissed(call))
        | (On::CallCompleted(filter), Subject::CallCompleted(call)) => wants_call(filter, call),
        (On::CallStatus(filter), Subject::CallStatus(call, status)) => {
            wants_call(filter, call) && one_of(&filter.status, status.word())
        }
        (On::MessageStatus(filter), Subject::Status(status)) => {
            one_of(&filter.status, status.word())
        }
        (On::MessageFailed(filter), Subject::Failed(status)) => {
            one_of(&filter.status, status.word())
        }
        (On::LeadCreated(filter), Subject::LeadCreated(changed))
        | (On::LeadUpdated(filter), Subject::LeadUpdated(changed)) => {
            any_of(&filter.changed, changed)
        }
        (On::WorkflowFinished(filter), Subject::Finished(run, name)) => {
            let outcome = run.outcome.as_deref().unwrap_or_default();
            let named = |one: &String| *one == run.workflow || one == name;
            filter.workflow.as_ref().is_none_or(named)
                && (one_of(&filter.outcome, outcome)
                    || one_of(&filter.outcome, status_word(run.status)))
        }
        (On::PluginEvent(filter), Subject::Plugin(plugin, name)) => {
            filter.plugin.as_deref().is_none_or(|one| one == *plugin)
                && filter.name.as_deref().is_none_or(|one| one == *name)
        }
        (On::ConversationHandoff, Subject::Handoff)
        | (On::ContactOptedOut, Subject::OptedOut)
        | (On::ContactOptedIn, Subject::OptedIn) => true,
        _ => false,
    }
}

fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Finished => "finished",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Failed => "failed",
    }
}

/// Whether some workflow would hear of an event of this word: mostly none does, and
/// then nothing is read for it.
fn heard(world: World<'_>, word: &str) -> bool {
    let starts =
        |definition: &Definition| definition.triggers.iter().any(|one| one.on.word() == word);
    let in_service = &world.workflows.in_service;
    in_service
        .values()
        .any(|one| starts(&one.workflow.definition))
        || world
            .workflows
            .by_hash
            .values()
            .any(|one| listens(&one.definition, word))
}

/// Whether runs of a definition may be woken or ended by such an event.
fn listens(definition: &Definition, word: &str) -> bool {
    let ends = definition.cancel_on.iter().any(|one| match one {
        CancelOn::MessageFailed => word == "message.failed",
        CancelOn::LeadUpdated => word == "lead.updated",
        _ => false,
    });
    let lead = matches!(word, "lead.created" | "lead.updated")
        && (definition.goal.is_some() || definition.requires_consent.is_some());
    ends || lead
        || definition.steps.iter().any(|step| match &step.action {
            Action::WaitFor(wait) => wait.events.iter().any(|one| one.on.word() == word),
            _ => false,
        })
}

/// Hands an event to the runs of its contact that wait for it: to the first, or to
/// all of them.
pub(super) fn wake(
    world: World<'_>,
    tx: &mut Tx<'_>,
    happened: &Happened<'_>,
    all: bool,
) -> Step<Vec<RunId>> {
    let mut woken = Vec::new();
    let Some(phone) = &happened.cause.contact else {
        return Ok(woken);
    };
    for mut run in runs::of_contact(tx, phone)? {
        if happened.own.as_ref() == Some(&run.id) {
            continue;
        }
        let early = runs::awaited_next(world, tx, &run)?;
        let Some(wait) = runs::awaited(world, &run).or(early) else {
            continue;
        };
        if !concerns(&run, happened) {
            continue;
        }
        let mut wants = false;
        for event in wait
            .events
            .iter()
            .filter(|one| fits(&one.on, &happened.subject))
        {
            wants = wants || condition(world, tx, &mut run, event, happened)?;
        }
        if !wants {
            continue;
        }
        let step = runs::step_at(world, &run).map(|step| step.id.clone());
        runs::note(
            tx,
            &mut run,
            step.as_deref(),
            "answered",
            &happened.sentence,
        )?;
        woken.push(run.id.clone());
        let result = result(tx.now, happened);
        if early.is_some() {
            run.early = Some(result);
            runs::put(tx, &run)?;
        } else {
            runs::pass(world, tx, &mut run, result)?;
        }
        if !all {
            break;
        }
    }
    Ok(woken)
}

/// A text is an answer only in the conversation that the run is in.
fn concerns(run: &Run, happened: &Happened<'_>) -> bool {
    match happened.subject {
        Subject::Text(message) => run
            .conversation
            .as_ref()
            .is_none_or(|one| *one == message.conversation),
        _ => true,
    }
}

/// Whether the `where` of a wait holds. One that cannot be evaluated does not, and
/// the timeline says why.
fn condition(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    awaited: &Awaited,
    happened: &Happened<'_>,
) -> Step<bool> {
    let Some(condition) = &awaited.condition else {
        return Ok(true);
    };
    let Some(workflow) = world.workflows.by_hash.get(&run.definition) else {
        return Ok(false);
    };
    let mut scope = steps::scope(world, tx, &workflow.definition, run)?;
    scope.set("event", Arc::clone(&happened.cause.event));
    if let Some((name @ "call", value)) = &happened.more {
        scope.set(*name, value.clone());
    }
    match condition.truthy(&scope) {
        Ok(holds) => Ok(holds),
        Err(error) => {
            let step = runs::step_at(world, run).map(|step| step.id.clone());
            let text = format!("`where` of {}: {error}", awaited.on.word());
            runs::note(tx, run, step.as_deref(), "where_failed", &text)?;
            runs::put(tx, run)?;
            Ok(false)
        }
    }
}

/// The result of a wait that this event ends.
fn result(now: Timestamp, happened: &Happened<'_>) -> Json {
    let mut result = json!({
        "ok": true, "timed_out": false, "at": now, "event": happened.cause.event,
    });
    if let (Some(result), Some((name, value))) = (result.as_object_mut(), &happened.more) {
        result.insert((*name).to_owned(), value.clone());
    }
    result
}

/// Starts the workflows that want an event.
pub(super) fn start(
    world: World<'_>,
    tx: &mut Tx<'_>,
    happened: &Happened<'_>,
) -> Step<Vec<RunId>> {
    enroll::start_all(world, tx, &happened.cause, |trigger| {
        fits(&trigger.on, &happened.subject)
    })
}

/// The run behind an event, and those that led to it.
pub(super) fn by(tx: &Tx<'_>, run: Option<&RunId>) -> Step<Option<By>> {
    let Some(id) = run else {
        return Ok(None);
    };
    let run: Option<Run> = tx.get(&keys::run(id))?;
    Ok(run.map(|run| By::of(&run)))
}

/// Takes up what was told: whom it wakes, what it ends, what it starts.
pub(super) fn told(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    if entry.run.is_some() {
        tx.caused += 1;
        if tx.caused > MOST {
            if tx.caused == MOST + 1 {
                tx.tell("events.dropped", |dropped| {
                    dropped.contact = entry.contact.clone();
                    dropped.data = json!({
                        "reason": format!("runs caused more than {MOST} events at once"),
                    });
                });
            }
            return Ok(());
        }
    }
    match entry.kind.as_str() {
        "message.status" => text_status(world, tx, entry),
        "call.status" | "call.missed" | "call.completed" => call_status(world, tx, entry),
        "lead.created" | "lead.updated" => lead(world, tx, entry),
        "run.finished" | "run.cancelled" | "run.failed" => finished(world, tx, entry),
        _ => plain(world, tx, entry),
    }
}

/// Whether somebody may hear of what an entry of this kind tells.
pub(super) fn tells(world: World<'_>, kind: &str) -> bool {
    match kind {
        "message.status" => heard(world, "message.status") || heard(world, "message.failed"),
        "call.status" | "call.missed" | "call.completed" => heard(world, "call.status"),
        "lead.created" | "lead.updated" => heard(world, kind),
        "run.finished" | "run.cancelled" | "run.failed" => heard(world, "workflow.finished"),
        "conversation.handoff" | "contact.opted_out" | "contact.opted_in" => heard(world, kind),
        _ => false,
    }
}

fn text_status(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    let Some(id) = &entry.message else {
        return Ok(());
    };
    let status = entry.data.get("status").cloned().unwrap_or_default();
    let Ok(status) = serde_json::from_value::<Status>(status) else {
        return Ok(());
    };
    let key = keys::message(id);
    let before = tx.stored::<Message>(&key)?.map(|one| one.status.word());
    // The same status may be told again, with other news.
    if !tx.is_news(id.as_str(), status.word(), before) {
        return Ok(());
    }
    let Some(message) = tx.get::<Message>(&key)? else {
        return Ok(());
    };
    let failed = matches!(status, Status::Failed | Status::Undelivered);
    if failed {
        let phone = &message.contact;
        let event = CancelOn::MessageFailed;
        runs::cancel_by_event(world, tx, phone, &event, "message.failed", None)?;
    }
    let by = by(tx, entry.run.as_ref())?;
    for kind in ["message.status", "message.failed"] {
        let of_failure = kind == "message.failed";
        if !heard(world, kind) || (of_failure && !failed) {
            continue;
        }
        let mut value = message_value(&message);
        if let Some(value) = value.as_object_mut() {
            value.insert("status".to_owned(), json!(status.word()));
        }
        let event = json!({
            "type": kind,
            "id": id,
            "status": status.word(),
            "reason": message.reason,
            "error": message.problem.as_ref().map(|one| &one.text),
            "contact": message.contact,
            "message": value,
            "agent": message.agent,
            "at": tx.now,
        });
        let happened = Happened {
            subject: match of_failure {
                true => Subject::Failed(status),
                false => Subject::Status(status),
            },
            cause: Cause {
                event: event.into(),
                contact: Some(message.contact.clone()),
                agent: Some(message.agent.clone()),
                number: message.number.clone(),
                conversation: Some(message.conversation.clone()),
                by: by.clone(),
                ..Cause::default()
            },
            more: Some(("message", value)),
            sentence: format!("a text to {} is {}", message.contact, status.word()),
            own: None,
        };
        take_up(world, tx, &happened, kind)?;
    }
    Ok(())
}

fn call_status(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    let named = |name| entry.data.get(name).cloned().unwrap_or_default();
    let Some(id) = named("id").as_str().and_then(CallId::parse) else {
        return Ok(());
    };
    let Ok(status) = serde_json::from_value::<CallStatus>(named("status")) else {
        return Ok(());
    };
    let key = keys::call(&id);
    let before = tx.stored::<Call>(&key)?.map(|one| one.status.word());
    if !tx.is_news(id.as_str(), status.word(), before) {
        return Ok(());
    }
    let Some(call) = tx.get::<Call>(&key)? else {
        return Ok(());
    };
    let event = call_event("call.status", &call, tx.now);
    let happened = Happened {
        subject: Subject::CallStatus(&call, status),
        more: Some(("call", call_value(&call))),
        cause: call_cause(tx, &call, event)?,
        sentence: format!("a call is {}", status.word()),
        own: None,
    };
    take_up(world, tx, &happened, "call.status")?;
    Ok(())
}

/// A call as triggers see it.
pub(super) fn call_event(kind: &str, call: &Call, now: Timestamp) -> Json {
    let value = call_value(call);
    let mut event = json!({
        "type": kind,
        "id": call.id,
        "call_id": call.id,
        "from": value.get("fromNumber"),
        "to": value.get("toNumber"),
        "direction": call.direction,
        "status": call.status.word(),
        "voicemail": call.voicemail,
        "duration": call.duration,
        "agent": call.agent,
        "at": now,
    });
    if let Some(event) = event.as_object_mut() {
        event.insert("call".to_owned(), value);
    }
    event
}

/// What a call starts runs with.
pub(super) fn call_cause(tx: &Tx<'_>, call: &Call, event: Json) -> Step<Cause> {
    Ok(Cause {
        event: event.into(),
        contact: call.contact.clone(),
        agent: call.agent.clone(),
        number: Some(call.number.clone()),
        call: Some(call.id.clone()),
        // A call that a run placed is that run's doing.
        by: by(tx, call.run.as_ref())?,
        ..Cause::default()
    })
}

fn lead(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    let Some(phone) = &entry.contact else {
        return Ok(());
    };
    let changed = entry.data.get("changed").cloned().unwrap_or_default();
    let changed: Vec<String> = serde_json::from_value(changed).unwrap_or_default();
    let by = by(tx, entry.run.as_ref())?;
    // The run that did it asks for its goal itself; it is about the others.
    let own = entry.run.as_ref();
    let updated = entry.kind == "lead.updated";
    if updated {
        let event = CancelOn::LeadUpdated;
        runs::cancel_by_event(world, tx, phone, &event, "lead.updated", own)?;
    }
    leads::look_at_runs(world, tx, phone, own)?;
    let contact = tx.contact(phone)?;
    let event = json!({
        "type": entry.kind,
        "contact": phone,
        "changed": changed,
        "before": entry.data.get("before"),
        "lead": leads::value(&contact.phone, &contact.fields, &contact.tags, contact.lead_since),
        "at": tx.now,
    });
    let happened = Happened {
        subject: match updated {
            true => Subject::LeadUpdated(&changed),
            false => Subject::LeadCreated(&changed),
        },
        cause: about(world, tx, &contact, event, by)?,
        more: None,
        sentence: format!("{} of {phone} changed", changed.join(", ")),
        own: entry.run.clone(),
    };
    take_up(world, tx, &happened, &entry.kind)?;
    Ok(())
}

/// What an event that is about a contact and nothing else starts runs with: the
/// agent is the one they talk with, where there is only one.
pub(super) fn about(
    world: World<'_>,
    tx: &Tx<'_>,
    contact: &Contact,
    event: Json,
    by: Option<By>,
) -> Step<Cause> {
    let thread = match contact.threads.as_slice() {
        [thread] => tx.get::<Conversation>(&keys::conversation(&thread.conversation))?,
        _ => None,
    };
    let only = world.setup.agent_or_only(None).map(|one| one.id.clone());
    Ok(Cause {
        event: event.into(),
        contact: Some(contact.phone.clone()),
        agent: thread.as_ref().map(|one| one.agent.clone()).or(only),
        number: thread.as_ref().and_then(|one| one.number.clone()),
        conversation: thread.map(|one| one.id),
        by,
        ..Cause::default()
    })
}

fn finished(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    let Some(id) = &entry.run else {
        return Ok(());
    };
    let Some(run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    if run.parent.as_ref().is_some_and(Parent::is_branch) {
        // A branch ends with the run that it is a part of.
        return Ok(());
    }
    let definition = world.workflows.by_hash.get(&run.definition);
    let name = definition.map_or(run.workflow.as_str(), |one| one.definition.name.as_str());
    let event = json!({
        "type": "workflow.finished",
        "workflow": run.workflow,
        "name": name,
        "run": run.id,
        "status": status_word(run.status),
        "outcome": run.outcome,
        "contact": run.contact,
        "vars": run.vars,
        "at": tx.now,
    });
    let happened = Happened {
        subject: Subject::Finished(&run, name),
        cause: Cause {
            event: event.into(),
            contact: run.contact.clone(),
            agent: run.agent.clone(),
            number: run.number.clone(),
            conversation: run.conversation.clone(),
            call: run.call.clone(),
            item: None,
            parent: None,
            by: Some(By::of(&run)),
        },
        more: None,
        sentence: String::new(),
        own: Some(run.id.clone()),
    };
    start(world, tx, &happened)?;
    Ok(())
}

/// Events of which their entry says everything.
fn plain(world: World<'_>, tx: &mut Tx<'_>, entry: &Entry) -> Step<()> {
    let Some(phone) = &entry.contact else {
        return Ok(());
    };
    let subject = match entry.kind.as_str() {
        "conversation.handoff" => Subject::Handoff,
        "contact.opted_out" => Subject::OptedOut,
        "contact.opted_in" => Subject::OptedIn,
        _ => return Ok(()),
    };
    let by = by(tx, entry.run.as_ref())?;
    let mut event = json!({ "type": entry.kind, "contact": phone, "at": tx.now });
    if let (Some(event), Some(data)) = (event.as_object_mut(), entry.data.as_object()) {
        event.extend(data.clone());
        if let Some(conversation) = &entry.conversation {
            event.insert("conversation".to_owned(), json!(conversation));
        }
    }
    let contact = tx.contact(phone)?;
    let mut cause = about(world, tx, &contact, event, by)?;
    if let Some(id) = &entry.conversation
        && let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))?
    {
        cause.agent = Some(conversation.agent.clone());
        cause.number.clone_from(&conversation.number);
        cause.conversation = Some(id.clone());
    }
    let happened = Happened {
        subject,
        cause,
        more: None,
        sentence: format!("{} of {phone}", entry.kind),
        own: entry.run.clone(),
    };
    take_up(world, tx, &happened, &entry.kind)?;
    Ok(())
}

/// Wakes all who wait for an event of this word and starts the workflows on it.
pub(super) fn take_up(
    world: World<'_>,
    tx: &mut Tx<'_>,
    happened: &Happened<'_>,
    word: &str,
) -> Step<Vec<RunId>> {
    let waits = world
        .workflows
        .by_hash
        .values()
        .any(|one| listens(&one.definition, word));
    let mut runs = match waits {
        true => wake(world, tx, happened, true)?,
        false => Vec::new(),
    };
    runs.extend(start(world, tx, happened)?);
    Ok(runs)
}

/// The run that sent a text, where one did.
pub(super) fn sender(tx: &Tx<'_>, id: &MessageId) -> Step<Option<By>> {
    let message: Option<Message> = tx.get(&keys::message(id))?;
    match message.map(|one| one.origin) {
        Some(crate::model::Origin::Run { run, .. }) => by(tx, Some(&run)),
        _ => Ok(None),
    }
}

/// A number as a contact that is looked up: for events of programs.
pub(super) fn remembered(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<Contact> {
    let known: Option<Contact> = tx.get(&keys::contact(phone))?;
    match known {
        Some(contact) => Ok(contact),
        None => {
            let contact = tx.contact(phone)?;
            tx.put_contact(&contact)?;
            Ok(contact)
        }
    }
}
