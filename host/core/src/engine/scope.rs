//! What expressions see: the names of the workflow language, filled from
//! records. Text from contacts is only ever a value here.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{Agent, Setup, leads};
use crate::model::{Call, Contact, Conversation, Direction, Message, PhoneNumber, Run};
use crate::sms;
use crate::workflow::expression::Scope;

/// Collects what is known and makes a scope of it. Most expressions read little,
/// so values are made when they are read.
pub(super) struct Names<'a> {
    setup: &'a Setup,
    scope: Scope,
}

impl<'a> Names<'a> {
    pub(super) fn new(setup: &'a Setup, now: Timestamp) -> Self {
        let mut scope = Scope::new(now, setup.hours.clone());
        scope.business_zone_named(setup.business.zone.clone());
        Self { setup, scope }
    }

    pub(super) fn value(mut self, name: &str, value: impl Into<Arc<Json>>) -> Self {
        self.scope.set(name, value);
        self
    }

    fn lazily(mut self, name: &str, make: impl FnOnce() -> Json + Send + 'static) -> Self {
        self.scope.set_lazily(name, move || Arc::new(make()));
        self
    }

    /// `contact` and `lead`.
    pub(super) fn contact(self, contact: &Contact) -> Self {
        let (phone, known) = (contact.phone.clone(), contact.zone.clone());
        let (business, opted_out) = (
            self.setup.business.zone.clone(),
            contact.opted_out.is_some(),
        );
        let (name, consent) = (
            contact.fields.get("name").cloned(),
            leads::consent_value(contact),
        );
        let (own, fields) = (contact.phone.clone(), contact.fields.clone());
        let (tags, since) = (contact.tags.clone(), contact.lead_since);
        self.lazily("contact", move || {
            let zone = zone_for(&phone, known.as_deref(), &business);
            json!({
                "phone": phone,
                "zone": zone,
                "zones": sms::zones::zones_of(phone.as_str()),
                "region": sms::phone::region_of(phone.as_str()),
                "opted_out": opted_out,
                "name": name,
                "consent": consent,
            })
        })
        .lazily("lead", move || leads::value(&own, &fields, &tags, since))
    }

    /// `agent`.
    pub(super) fn agent(self, agent: &Agent) -> Self {
        let (id, name) = (agent.id.clone(), agent.name.clone());
        let (business, number) = (
            self.setup.business.name.clone(),
            agent.numbers.first().cloned(),
        );
        self.lazily(
            "agent",
            move || json!({ "id": id, "name": name, "business": business, "number": number }),
        )
    }

    /// `convo`.
    pub(super) fn conversation(self, conversation: &Conversation) -> Self {
        let (id, last) = (conversation.id.clone(), conversation.last_inbound_at);
        let to = conversation.handoff.as_ref().map(|one| one.to.clone());
        self.lazily("convo", move || {
            json!({
                "id": id,
                "handoff": { "active": to.is_some(), "to": to },
                "last_inbound_at": last,
            })
        })
    }

    /// `run`, `event`, `vars`, `call`, and the results of steps by their ids.
    pub(super) fn run(mut self, run: &Run, constants: Map<String, Json>) -> Self {
        let mut vars = constants;
        vars.extend(run.vars.clone());
        for (step, result) in &run.results {
            self.scope.set(step, Arc::clone(result));
        }
        let (id, workflow) = (run.id.clone(), run.workflow.clone());
        let (version, started_at) = (run.version, run.started_at);
        let (attempt, error) = (run.tries.saturating_add(1), run.failing.clone());
        self.event(&run.event)
            .value("vars", Json::Object(vars))
            .lazily("run", move || {
                json!({
                    "id": id,
                    "workflow": workflow,
                    "version": version,
                    "started_at": started_at,
                    "attempt": attempt,
                    "error": error,
                })
            })
    }

    /// The thing that a run is about, and those that its `for_each` steps are at. They come last: what
    /// the author named stands above what is there anyway.
    pub(super) fn things(mut self, run: &Run) -> Self {
        if let Some((name, item)) = &run.item {
            self.scope.set(name.as_str(), Arc::clone(item));
        }
        for one in &run.loops {
            if let Some(item) = one.items.get(one.at) {
                self.scope.set(one.name.as_str(), item.clone());
            }
        }
        self
    }

    /// `event`, and the `call` that is in it.
    pub(super) fn event(self, event: &Arc<Json>) -> Self {
        let named = self.value("event", Arc::clone(event));
        if event.get("call").is_none() {
            return named;
        }
        let event = Arc::clone(event);
        named.lazily("call", move || {
            event.get("call").cloned().unwrap_or_default()
        })
    }

    /// The scope.
    pub(super) fn scope(self) -> Scope {
        self.scope
    }
}

/// The contact's zone: as known, else by the number where that is one zone, else
/// the business's.
pub(super) fn zone_of(contact: &Contact, setup: &Setup) -> String {
    zone_for(
        &contact.phone,
        contact.zone.as_deref(),
        &setup.business.zone,
    )
}

fn zone_for(phone: &PhoneNumber, known: Option<&str>, business: &str) -> String {
    known
        .or_else(|| sms::zones::zone_of(phone.as_str()))
        .unwrap_or(business)
        .to_owned()
}

/// A text as expressions see it.
pub(super) fn message_value(message: &Message) -> Json {
    let (contact, ours) = (json!(message.contact), json!(message.number));
    let (from, to) = match message.direction {
        Direction::Inbound => (contact, ours),
        Direction::Outbound => (ours, contact),
    };
    json!({
        "id": message.id,
        "from": from,
        "to": to,
        "body": message.body,
        "text": message.body,
        "media": message.media,
        "at": message.created_at,
    })
}

/// A call as expressions see it, in RevRing's names.
pub(super) fn call_value(call: &Call) -> Json {
    let (from, to) = match call.direction {
        Direction::Inbound => (call.contact.as_ref(), Some(&call.number)),
        Direction::Outbound => (Some(&call.number), call.contact.as_ref()),
    };
    json!({
        "id": call.id,
        "direction": match call.direction {
            Direction::Inbound => "INBOUND",
            Direction::Outbound => "OUTBOUND",
        },
        "status": call.status.word(),
        "fromNumber": from,
        "toNumber": to,
        "voicemail": call.voicemail,
        "startedAt": call.started_at,
        "endedAt": call.ended_at,
        "durationSeconds": call.duration,
        "summary": call.summary,
        "transcript": call.transcript,
        "recordingUrl": call.recording_url,
        "hangupCause": call.cause,
    })
}
