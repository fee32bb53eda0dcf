//! What has happened, as a workflow can be played against it: taken from the feed,
//! with the texts, calls and contacts that its entries are about. Changes nothing.
//!
//! Records hold what is so now. What was so then is found by going backwards from
//! now and undoing every change on the way.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use ringback_core::model::{
    Call, CallId, Contact, Direction as Way, Entries, Entry, Message, OptOutSource, PhoneNumber,
    Run, keys, record,
};
use ringback_core::rehearsal::{Event, Person};
use ringback_core::workflow::Starting;
use ringback_store::Direction;
use serde_json::{Map, Value as Json, json};

use super::{Error, Host};

/// The most events that are played.
pub(crate) const MOST: usize = 20_000;
/// How many records are read from the store at a time: writers wait meanwhile.
const PAGE: usize = 250;

/// Events in the order of their times.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// What happened.
    pub events: Vec<Event>,
    /// What is known not to be in it, as sentences without their full stop.
    pub missing: Vec<String>,
}

/// What happened since a time, beside what a workflow itself did: that is done
/// again by whoever plays it.
///
/// # Errors
/// When the store cannot be read, or a record cannot be used.
pub(crate) async fn history(
    host: &Arc<Host>,
    since: Timestamp,
    workflow: &str,
) -> Result<History, Error> {
    let mut history = History::default();
    let (mut entries, cut) = entries(host, since).await?;
    if let Some(oldest) = cut {
        let text =
            format!("more than {MOST} events were stored: those before {oldest:.0} are left out");
        history.missing.push(text);
    }
    entries.sort_by(|one, two| (two.at, &two.id).cmp(&(one.at, &one.id)));
    let mut then = Then::default();
    let mut gone = 0_usize;
    for entry in entries {
        let changed = then.undo(host, &entry).await?;
        match event(host, &entry, workflow, changed, &mut then).await? {
            Found::Event(event) => history.events.push(*event),
            Found::Gone => gone += 1,
            Found::Nothing => {}
        }
    }
    if gone > 0 {
        let text = format!("{gone} of the events are about texts or calls that are no longer kept");
        history.missing.push(text);
    }
    history.events.reverse();
    Ok(history)
}

/// Whether an entry of this kind can be of use.
fn is_wanted(kind: &str) -> bool {
    matches!(
        kind,
        "message.received"
            | "call.missed"
            | "call.completed"
            | "lead.created"
            | "lead.updated"
            | "contact.opted_out"
            | "contact.opted_in"
            | "plugin.event"
            | "run.started"
    )
}

/// The entries since a time, and the time of the first one where they are too many.
async fn entries(
    host: &Arc<Host>,
    since: Timestamp,
) -> Result<(Vec<Entry>, Option<Timestamp>), Error> {
    let (first, end) = keys::table(b'e');
    // An entry's key is of the millisecond in which its id was made.
    let from = keys::made_before(b'e', since).map_or(first, |(_, from)| from);
    let mut to = end;
    let mut found = Vec::new();
    loop {
        let page = host
            .store()
            .scan(&from, &to, PAGE, Direction::Backward)
            .await?;
        for (_, stored) in &page {
            let some: Entries = record::decode(&stored.value)?;
            let some = some.into_vec().into_iter();
            found.extend(some.filter(|entry| entry.at >= since && is_wanted(&entry.kind)));
        }
        if found.len() > MOST {
            found.sort_by(|one: &Entry, two: &Entry| (two.at, &two.id).cmp(&(one.at, &one.id)));
            found.truncate(MOST);
            let oldest = found.last().map(|entry| entry.at);
            return Ok((found, oldest));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => to = last.clone(),
            _ => return Ok((found, None)),
        }
    }
}

/// What an entry comes to.
enum Found {
    Event(Box<Event>),
    /// What it is about is no longer kept.
    Gone,
    /// Nothing that could be played.
    Nothing,
}

async fn event(
    host: &Arc<Host>,
    entry: &Entry,
    workflow: &str,
    changed: Map<String, Json>,
    then: &mut Then,
) -> Result<Found, Error> {
    let mut agent = None;
    let what = match entry.kind.as_str() {
        "message.received" => {
            let Some(id) = &entry.message else {
                return Ok(Found::Nothing);
            };
            let Some(text) = host.read::<Message>(&keys::message(id)).await? else {
                return Ok(Found::Gone);
            };
            agent = Some(text.agent);
            Starting::Receive(text.body)
        }
        "call.missed" | "call.completed" => {
            let id = entry.data.get("id").and_then(Json::as_str);
            let Some(id) = id.and_then(CallId::parse) else {
                return Ok(Found::Nothing);
            };
            let Some(call) = host.read::<Call>(&keys::call(&id)).await? else {
                return Ok(Found::Gone);
            };
            agent.clone_from(&call.agent);
            Starting::Event {
                kind: entry.kind.clone(),
                fields: fields(&call),
            }
        }
        // What the workflow changed itself it changes again.
        "lead.created" | "lead.updated" if !is_own(host, entry, workflow).await? => {
            Starting::Event {
                kind: entry.kind.clone(),
                fields: changed,
            }
        }
        // A STOP stops again when it is played.
        "contact.opted_out" | "contact.opted_in" if is_recorded(entry) => Starting::Event {
            kind: entry.kind.clone(),
            fields: Map::new(),
        },
        "plugin.event" => Starting::Event {
            kind: entry.kind.clone(),
            fields: entry.data.as_object().cloned().unwrap_or_default(),
        },
        "run.started" if entry.data.get("workflow") == Some(&json!(workflow)) => {
            match started(host, entry).await? {
                Some(what) => what,
                None => return Ok(Found::Nothing),
            }
        }
        _ => return Ok(Found::Nothing),
    };
    let Some(phone) = &entry.contact else {
        return Ok(Found::Nothing);
    };
    Ok(Found::Event(Box::new(Event {
        at: entry.at,
        person: then.person(host, phone, entry.at).await?,
        agent,
        what,
    })))
}

/// What a call was like.
fn fields(call: &Call) -> Map<String, Json> {
    let told = json!({
        "direction": match call.direction { Way::Inbound => "inbound", Way::Outbound => "outbound" },
        "voicemail": call.voicemail,
        "duration": call.duration,
        "summary": call.summary,
        "transcript": call.transcript,
        "recording_url": call.recording_url,
        "cause": call.cause,
    });
    let told = told.as_object().cloned().unwrap_or_default();
    told.into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}

/// Whether a run of the workflow did it.
async fn is_own(host: &Arc<Host>, entry: &Entry, workflow: &str) -> Result<bool, Error> {
    let Some(id) = &entry.run else {
        return Ok(false);
    };
    let run: Option<Run> = host.read(&keys::run(id)).await?;
    Ok(run.is_some_and(|run| run.workflow == workflow))
}

/// Whether a person or program recorded it: everything else follows from what else
/// is played.
fn is_recorded(entry: &Entry) -> bool {
    let how = entry.data.get("how").cloned().unwrap_or_default();
    match serde_json::from_value(how) {
        Ok(OptOutSource::Api | OptOutSource::Provider) => true,
        Ok(OptOutSource::Text | OptOutSource::Workflow) => false,
        // An opt-in does not say; a START has a text.
        Err(_) => entry.message.is_none(),
    }
}

/// What started a run that only its own record tells of.
async fn started(host: &Arc<Host>, entry: &Entry) -> Result<Option<Starting>, Error> {
    let Some(id) = &entry.run else {
        return Ok(None);
    };
    let Some(run) = host.read::<Run>(&keys::run(id)).await? else {
        return Ok(None);
    };
    if run.parent.is_some() || run.item.is_some() {
        return Ok(None);
    }
    let told = run.event.as_object().cloned().unwrap_or_default();
    Ok(match told.get("type").and_then(Json::as_str) {
        Some("webhook") => Some(Starting::Event {
            kind: "webhook".to_owned(),
            fields: told,
        }),
        Some("manual") => {
            let input = told.get("input").and_then(Json::as_object).cloned();
            Some(Starting::Input(input.unwrap_or_default()))
        }
        _ => None,
    })
}

/// Contacts as they were at the time that was come to on the way back.
#[derive(Default)]
struct Then(HashMap<PhoneNumber, Contact>);

impl Then {
    async fn contact(
        &mut self,
        host: &Arc<Host>,
        phone: &PhoneNumber,
    ) -> Result<&mut Contact, Error> {
        if !self.0.contains_key(phone) {
            let now = host.contact(phone).await?;
            self.0.insert(phone.clone(), now);
        }
        let made = || Contact::new(phone.clone(), Timestamp::UNIX_EPOCH);
        Ok(self.0.entry(phone.clone()).or_insert_with(made))
    }

    /// Whom an event is about, as they were known just before it.
    async fn person(
        &mut self,
        host: &Arc<Host>,
        phone: &PhoneNumber,
        at: Timestamp,
    ) -> Result<Person, Error> {
        let contact = self.contact(host, phone).await?;
        let consent = contact.consent.iter();
        let consent = consent.filter(|(_, given)| given.at <= at);
        Ok(Person {
            zone: contact.zone.clone(),
            fields: contact.fields.clone(),
            opted_out: contact.opted_out.as_ref().is_some_and(|out| out.at < at),
            consent: consent.map(|(intent, _)| *intent).collect(),
            ..Person::new(phone.clone())
        })
    }

    /// Takes back what an entry changed; the fields that it gave, where it is about
    /// a lead.
    async fn undo(&mut self, host: &Arc<Host>, entry: &Entry) -> Result<Map<String, Json>, Error> {
        let mut told = Map::new();
        let Some(phone) = &entry.contact else {
            return Ok(told);
        };
        match entry.kind.as_str() {
            "lead.created" | "lead.updated" => {
                let contact = self.contact(host, phone).await?;
                for name in names(entry) {
                    let value = match name {
                        "tags" => Some(json!(contact.tags)),
                        _ => contact.fields.get(name).cloned(),
                    };
                    told.extend(value.map(|value| (name.to_owned(), value)));
                }
                undo_fields(contact, entry);
            }
            "contact.opted_out" => self.contact(host, phone).await?.opted_out = None,
            _ => {}
        }
        Ok(told)
    }
}

/// The names that a change of a lead is about.
fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    let changed = entry.data.get("changed").and_then(Json::as_array);
    changed.into_iter().flatten().filter_map(Json::as_str)
}

fn undo_fields(contact: &mut Contact, entry: &Entry) {
    let before = entry.data.get("before").and_then(Json::as_object);
    for name in names(entry) {
        let was = before.and_then(|before| before.get(name));
        match (name, was) {
            ("tags", Some(was)) => {
                contact.tags = serde_json::from_value(was.clone()).unwrap_or_default();
            }
            ("zone", was) => {
                contact.zone = was.and_then(Json::as_str).map(str::to_owned);
            }
            ("tags" | "consent", _) => {}
            (name, Some(was)) if !was.is_null() => {
                contact.fields.insert(name.to_owned(), was.clone());
            }
            (name, _) => {
                contact.fields.remove(name);
            }
        }
    }
}
