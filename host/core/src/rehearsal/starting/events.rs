//! Starts that are no text and no call: what becomes known of a contact, calls by
//! other programs, and what follows from something that came before.

use serde_json::{Map, Value as Json, json};

use super::super::plan::Person;
use super::super::world::World;
use super::{agent, empty, no_agent, receive, report};
use crate::engine::{
    Answer, CallOutcome, IncomingWebhook, Input, LeadRequest, PostedEvent, SendRequest,
    StartRequest,
};
use crate::model::{Contact, Direction, OptOutSource, Origin, PhoneNumber, keys};
use crate::workflow::{Fate, Intent, On, OnUnknown, Party};

/// What a person of the business writes where a conversation has to be there.
const OPENING: &str = "Hello, this is a person. How can we help?";

/// Parts what is known of a person before an event of this kind, and what it tells.
pub(super) fn before(
    world: &World<'_>,
    person: &Person,
    kind: &str,
    fields: &Map<String, Json>,
) -> (Person, Map<String, Json>) {
    let (mut known, mut told) = (person.clone(), fields.clone());
    match kind {
        "lead.created" => {
            for (name, value) in std::mem::take(&mut known.fields) {
                told.entry(name).or_insert(value);
            }
        }
        // What changed is what the trigger asks for, where the event does not say.
        "lead.updated" if told.is_empty() => {
            if let Some(On::LeadUpdated(filter)) = world.trigger(kind) {
                for name in &filter.changed {
                    told.extend(known.fields.remove_entry(name));
                }
            }
        }
        _ => {}
    }
    (known, told)
}

/// How soon it is known whether an event starts something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// At once.
    Now,
    /// When more has happened.
    Later,
}

/// Lets an event of this kind happen.
pub(super) fn happen(
    world: &mut World<'_>,
    phone: &PhoneNumber,
    named: Option<&str>,
    kind: &str,
    mut told: Map<String, Json>,
) -> Known {
    let word = |name: &str| told.get(name).and_then(Json::as_str).map(str::to_owned);
    let input = match kind {
        "lead.created" | "lead.updated" => {
            let mut request = LeadRequest::new(phone.clone());
            request.tag = texts(told.remove("tags"));
            request.fields = told;
            Input::Lead(request)
        }
        "webhook" => {
            let path = match world.trigger(kind) {
                Some(On::Webhook(hook)) => hook.path.clone(),
                _ => String::new(),
            };
            let map = |name: &str| told.get(name).and_then(Json::as_object).cloned();
            Input::Webhook(IncomingWebhook {
                path: word("path").unwrap_or(path),
                workflows: vec![world.workflow.definition.id.clone()],
                body: told.get("body").cloned().unwrap_or_else(|| json!({})),
                headers: map("headers").unwrap_or_default(),
                query: map("query").unwrap_or_default(),
            })
        }
        "plugin.event" => {
            let (plugin, name) = match world.trigger(kind) {
                Some(On::PluginEvent(filter)) => (filter.plugin.clone(), filter.name.clone()),
                _ => (None, None),
            };
            let named = |name: &str, wanted: Option<String>| {
                word(name).or(wanted).unwrap_or_else(|| name.to_owned())
            };
            Input::Event(PostedEvent {
                idempotency: None,
                plugin: named("plugin", plugin),
                name: named("name", name),
                contact: Some(phone.clone()),
                data: told.get("data").cloned().unwrap_or_else(|| json!({})),
            })
        }
        "call.status" => return status(world, phone, named, word("status")),
        "contact.opted_out" => Input::OptOut(phone.clone(), true, OptOutSource::Api),
        "contact.opted_in" => {
            world.take(&Input::OptOut(phone.clone(), true, OptOutSource::Api));
            Input::OptOut(phone.clone(), false, OptOutSource::Api)
        }
        "workflow.finished" => return finished(world, phone),
        _ => return after_a_text(world, phone, named, kind, &told),
    };
    if let Some(Answer::Refused { text, .. }) = world.take(&input) {
        world.watch.note(world.now, "nothing", text);
    }
    Known::Now
}

fn texts(value: Option<Json>) -> Vec<String> {
    let all = match value {
        Some(Json::Array(all)) => all,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let texts = all.iter().filter_map(Json::as_str);
    texts.map(str::to_owned).collect()
}

/// A call comes to a status.
fn status(
    world: &mut World<'_>,
    phone: &PhoneNumber,
    named: Option<&str>,
    said: Option<String>,
) -> Known {
    let wanted = match world.trigger("call.status") {
        Some(On::CallStatus(filter)) => filter.status.first().cloned(),
        _ => None,
    };
    let status = said.or(wanted).unwrap_or_else(|| "RINGING".to_owned());
    let outcome = match status.to_uppercase().replace('-', "_").as_str() {
        "IN_PROGRESS" => CallOutcome::Answered,
        "COMPLETED" => CallOutcome::Completed,
        "NO_ANSWER" => CallOutcome::NoAnswer,
        "BUSY" => CallOutcome::Busy,
        "FAILED" => CallOutcome::Failed,
        "CANCELED" => CallOutcome::Canceled,
        _ => CallOutcome::Ringing,
    };
    let Some((agent, number)) = agent(world, named, &[]) else {
        no_agent(world);
        return Known::Now;
    };
    world.issued += 1;
    let mut report = report(outcome);
    report.connection = agent.connection.clone().unwrap_or_default();
    report.provider_id = format!("C{}", world.issued);
    report.direction = Direction::Inbound;
    report.from = Some(phone.clone());
    report.to = Some(number);
    let way = format!("calls: {}", status.to_lowercase());
    world.watch.heard_call(world.now, phone, &way);
    world.take(&Input::Call(report));
    Known::Now
}

/// A run of another workflow ends: a stand-in's, which does nothing.
fn finished(world: &mut World<'_>, phone: &PhoneNumber) -> Known {
    let name = match world.trigger("workflow.finished") {
        Some(On::WorkflowFinished(filter)) => filter.workflow.clone(),
        _ => None,
    };
    let other = empty(name.as_deref().unwrap_or("another workflow"), &[]);
    let id = other.definition.id.clone();
    world.take(&Input::Define(std::sync::Arc::new(other)));
    world.take(&Input::Start(StartRequest {
        idempotency: None,
        workflow: id,
        contact: Some(phone.clone()),
        input: Map::new(),
    }));
    Known::Now
}

/// What can only happen in a conversation: it begins with a text of a person of the
/// business, or of the contact where the trigger wants that.
fn after_a_text(
    world: &mut World<'_>,
    phone: &PhoneNumber,
    named: Option<&str>,
    kind: &str,
    told: &Map<String, Json>,
) -> Known {
    let word = |name: &str| told.get(name).and_then(Json::as_str).map(str::to_owned);
    let (theirs, wanted) = match world.trigger(kind) {
        Some(On::ConversationIdle(idle)) => (idle.last_from == Some(Party::Them), None),
        Some(On::MessageStatus(filter) | On::MessageFailed(filter)) => {
            (false, filter.status.first().cloned())
        }
        _ => (false, None),
    };
    if theirs {
        receive(
            world,
            phone,
            named,
            &word("text").unwrap_or_else(|| "Hello?".to_owned()),
        );
        return Known::Later;
    }
    world.next_fate = match (kind, word("status").or(wanted).as_deref()) {
        ("message.status" | "message.failed", Some("undelivered")) => Some(Fate::Undelivered),
        ("message.failed", _) | ("message.status", Some("failed")) => Some(Fate::Failed),
        _ => None,
    };
    let Some((agent, number)) = agent(world, named, &[]) else {
        no_agent(world);
        return Known::Now;
    };
    let send = SendRequest {
        idempotency: None,
        agent: agent.id.clone(),
        connection: agent.connection.clone().unwrap_or_default(),
        from: Some(number),
        to: phone.clone(),
        body: word("text").unwrap_or_else(|| OPENING.to_owned()),
        media: Vec::new(),
        intent: Intent::Conversation,
        origin: Origin::Person,
        valid_until: None,
        on_unknown: OnUnknown::Hold,
    };
    world.take(&Input::Send(send));
    if kind != "conversation.handoff" {
        return Known::Later;
    }
    let contact = world.get::<Contact>(&keys::contact(phone));
    let thread = contact.and_then(|contact| contact.threads.into_iter().next());
    let to = word("to").or_else(|| world.setup.people.keys().next().cloned());
    if let Some(thread) = thread {
        let to = to.unwrap_or_else(|| "somebody".to_owned());
        let reason = word("reason").unwrap_or_default();
        world.take(&Input::Take(thread.conversation, to, reason));
    }
    Known::Now
}
