//! What expressions see: the names of the workflow language, filled from
//! records. Text from contacts is only ever a value here.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::{Agent, Setup};
use crate::model::{Call, Contact, Conversation, Direction, Message, Run};
use crate::sms;
use crate::workflow::expression::Scope;

/// Collects what is known and makes a scope of it.
pub(super) struct Names<'a> {
    setup: &'a Setup,
    now: Timestamp,
    values: Vec<(String, Json)>,
    contact_zone: Option<String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(setup: &'a Setup, now: Timestamp) -> Self {
        Self {
            setup,
            now,
            values: Vec::new(),
            contact_zone: None,
        }
    }

    pub(super) fn value(mut self, name: &str, value: Json) -> Self {
        self.values.push((name.to_owned(), value));
        self
    }

    /// `contact` and `lead`.
    pub(super) fn contact(mut self, contact: &Contact) -> Self {
        let zones: Vec<&str> = sms::zones::zones_of(contact.phone.as_str()).to_vec();
        let zone = zone_of(contact, self.setup);
        let mut lead = contact.fields.clone();
        lead.entry("phone").or_insert_with(|| json!(contact.phone));
        let seen = json!({
            "phone": contact.phone,
            "zone": zone,
            "zones": zones,
            "region": sms::phone::region_of(contact.phone.as_str()),
            "opted_out": contact.opted_out.is_some(),
        });
        self.contact_zone = Some(zone);
        self.value("contact", seen)
            .value("lead", Json::Object(lead))
    }

    /// `agent`.
    pub(super) fn agent(self, agent: &Agent) -> Self {
        let business = self.setup.business.name.clone();
        self.value(
            "agent",
            json!({
                "id": agent.id,
                "name": agent.name,
                "business": business,
                "number": agent.numbers.first(),
            }),
        )
    }

    /// `convo`.
    pub(super) fn conversation(self, conversation: &Conversation) -> Self {
        let handoff = conversation.handoff.as_ref();
        self.value(
            "convo",
            json!({
                "id": conversation.id,
                "handoff": {
                    "active": handoff.is_some(),
                    "to": handoff.map(|handoff| &handoff.to),
                },
                "last_inbound_at": conversation.last_inbound_at,
            }),
        )
    }

    /// `run`, `event`, `vars`, `call`, and the results of steps by their ids.
    pub(super) fn run(mut self, run: &Run, constants: Map<String, Json>) -> Self {
        let mut vars = constants;
        vars.extend(run.vars.clone());
        for (step, result) in &run.results {
            self.values.push((step.clone(), result.clone()));
        }
        if let Some(call) = run.event.get("call") {
            self.values.push(("call".to_owned(), call.clone()));
        }
        self.value("event", run.event.clone())
            .value("vars", Json::Object(vars))
            .value(
                "run",
                json!({
                    "id": run.id,
                    "workflow": run.workflow,
                    "version": run.version,
                    "started_at": run.started_at,
                    "attempt": 1,
                }),
            )
    }

    /// The scope.
    pub(super) fn scope(self) -> Scope {
        let mut scope = Scope::new(self.now, self.setup.hours.clone());
        if let Ok(zone) = TimeZone::get(&self.setup.business.zone) {
            scope.business_zone(zone);
        }
        if let Some(zone) = self.contact_zone.and_then(|name| TimeZone::get(&name).ok()) {
            scope.contact_zone(zone);
        }
        for (name, value) in self.values {
            scope.set(&name, value);
        }
        scope
    }
}

/// The contact's zone: as known, else by the number where that is one zone, else
/// the business's.
pub(super) fn zone_of(contact: &Contact, setup: &Setup) -> String {
    contact
        .zone
        .clone()
        .or_else(|| sms::zones::zone_of(contact.phone.as_str()).map(str::to_owned))
        .unwrap_or_else(|| setup.business.zone.clone())
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
