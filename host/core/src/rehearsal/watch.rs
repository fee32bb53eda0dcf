//! Watching what is committed: every change that a person would want to see becomes
//! an entry, and is counted for the expectations of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::plan::Plan;
use super::texts::Sent;
use super::timeline::Commit;
use super::transcript::{By, End, Entry, Transcript};
use crate::engine::{Catalog, Setup};
use crate::model::{
    Batch, Call, Contact, Direction, Entry as Feed, Key, Message, MessageId, Note, Notes,
    PhoneNumber, Run, RunId, RunStatus, keys, record,
};
use crate::sms;
use crate::workflow::Workflow;

/// The run whose timeline stands under a key: behind it is the number of its first
/// entry.
fn whose(key: &Key) -> Option<RunId> {
    let bytes = key.as_bytes();
    let id = bytes.get(2..bytes.len().checked_sub(5)?)?;
    RunId::parse(std::str::from_utf8(id).ok()?)
}

/// A run of the workflow.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) branch: bool,
    pub(super) status: RunStatus,
    pub(super) outcome: Option<String>,
    pub(super) results: BTreeMap<String, Arc<Json>>,
}

/// Whoever watches.
pub(super) struct Watch {
    name: String,
    pub(super) id: String,
    pub(super) contact: PhoneNumber,
    pub(super) people: BTreeMap<PhoneNumber, String>,
    contact_zone: (String, TimeZone),
    business_zone: (String, TimeZone),
    started_at: Timestamp,
    /// Whether it is known whom the runs are about.
    met: bool,
    /// Whether the file starts runs for several people, who are all meant then.
    pub(super) everybody: bool,
    /// Whether only texts are counted, and no entries made.
    pub(super) quiet: bool,
    /// Whether somebody approves a text because the plan says nothing of it.
    pub(super) unsaid: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) texts: BTreeMap<MessageId, Sent>,
    pub(super) seen: BTreeMap<RunId, Seen>,
    /// Steps of the workflow that were taken, or skipped.
    pub(super) taken: BTreeSet<String>,
    pub(super) handoffs: Vec<(String, String)>,
    pub(super) opted_out: bool,
    pub(super) lead: Map<String, Json>,
    /// The connection and number with which each person was last spoken to.
    pub(super) spoke: BTreeMap<PhoneNumber, (String, PhoneNumber)>,
}

fn zone(name: &str) -> (String, TimeZone) {
    match TimeZone::get(name) {
        Ok(zone) => (name.to_owned(), zone),
        Err(_) => ("UTC".to_owned(), TimeZone::UTC),
    }
}

/// What a commit wrote under a table.
fn written<T: DeserializeOwned>(batch: &Batch, table: u8) -> impl Iterator<Item = (&Key, T)> {
    batch.writes.iter().filter_map(move |(key, value)| {
        let value = value
            .as_ref()
            .filter(|_| keys::table_of(key) == Some(table))?;
        Some((key, record::decode(value).ok()?))
    })
}

impl Watch {
    pub(super) fn new(setup: &Setup, workflow: &Workflow, plan: &Plan) -> Self {
        let business = match setup.business.zone.as_str() {
            "" => "UTC",
            zone => zone,
        };
        let phone = &plan.person.phone;
        let known = plan.person.zone.as_deref();
        let theirs = known.or_else(|| sms::zones::zone_of(phone.as_str()));
        let people = setup.people.iter();
        Self {
            name: workflow.definition.name.clone(),
            id: workflow.definition.id.clone(),
            contact: phone.clone(),
            people: people
                .map(|(name, person)| (person.phone.clone(), name.clone()))
                .collect(),
            contact_zone: zone(theirs.unwrap_or(business)),
            business_zone: zone(business),
            started_at: plan.at,
            met: false,
            everybody: workflow.definition.for_each.is_some(),
            quiet: false,
            unsaid: false,
            entries: Vec::new(),
            texts: BTreeMap::new(),
            seen: BTreeMap::new(),
            taken: BTreeSet::new(),
            handoffs: Vec::new(),
            opted_out: plan.person.opted_out,
            lead: plan.person.fields.clone(),
            spoke: BTreeMap::new(),
        }
    }

    /// Whether a text counts as one to the contact.
    pub(super) fn is_meant(&self, text: &Sent) -> bool {
        text.to == self.contact || self.everybody && text.own
    }

    /// How many runs there were.
    pub(super) fn runs(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn entry(&self, at: Timestamp, by: By, what: &str, body: String) -> Entry {
        let told = |zone: &TimeZone| {
            let zoned = at.to_zoned(zone.clone());
            zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        };
        Entry {
            at,
            contact_time: told(&self.contact_zone.1),
            business_time: told(&self.business_zone.1),
            by,
            what: what.to_owned(),
            body,
            step: None,
            workflow: None,
            to: None,
            segments: None,
            status: None,
            reason: None,
            until: None,
            quiet: false,
        }
    }

    pub(super) fn push(&mut self, entry: Entry) -> Option<usize> {
        if self.quiet {
            return None;
        }
        self.entries.push(entry);
        Some(self.entries.len() - 1)
    }

    /// A time on the contact's clock.
    pub(super) fn told(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.contact_zone.1.clone());
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Says what happened.
    pub(super) fn note(&mut self, at: Timestamp, what: &str, text: String) {
        let entry = self.entry(at, By::Note, what, text);
        self.push(entry);
    }

    /// A contact wrote.
    pub(super) fn heard(&mut self, at: Timestamp, from: &PhoneNumber, text: &str) {
        let mut entry = self.entry(at, By::Them, "text", text.to_owned());
        entry.segments = u32::try_from(sms::segments(text).count).ok();
        entry.to = (*from != self.contact).then(|| from.as_str().to_owned());
        self.push(entry);
    }

    /// A call with a contact.
    pub(super) fn heard_call(&mut self, at: Timestamp, from: &PhoneNumber, way: &str) {
        let mut entry = self.entry(at, By::Them, "call", format!("({way})"));
        entry.to = (*from != self.contact).then(|| from.as_str().to_owned());
        self.push(entry);
    }

    /// A step calls.
    pub(super) fn calls(&mut self, at: Timestamp, step: Option<&str>, call: &Call, goes: &str) {
        let to = call.contact.as_ref().filter(|to| **to != self.contact);
        let mut entry = self.entry(at, By::Us, "call", format!("(calls: {goes})"));
        entry.to = to.map(|to| to.as_str().to_owned());
        entry.step = step.map(str::to_owned);
        self.push(entry);
    }

    /// Something that a step wanted outside was answered.
    pub(super) fn worked(&mut self, at: Timestamp, step: &str, text: String) {
        let mut entry = self.entry(at, By::Note, "work", text);
        entry.step = Some(step.to_owned());
        self.push(entry);
    }

    /// Looks at what a commit wrote.
    pub(super) fn committed(
        &mut self,
        now: Timestamp,
        catalog: &Catalog,
        batch: &Batch,
        feed: &[Feed],
    ) {
        let mut texts: Vec<Message> = written::<Message>(batch, b'o')
            .map(|(_, message)| message)
            .filter(|message| message.direction == Direction::Outbound)
            .collect();
        let asked = |id: &MessageId| feed.iter().position(|one| one.message.as_ref() == Some(id));
        texts.sort_by_key(|one| asked(&one.id).unwrap_or(usize::MAX));
        let runs: BTreeMap<RunId, Run> = written::<Run>(batch, b'r')
            .map(|(_, run)| (run.id.clone(), run))
            .collect();
        runs.values().for_each(|run| self.meet(run));
        for (_, contact) in written::<Contact>(batch, b'p') {
            if contact.phone == self.contact {
                self.opted_out = contact.opted_out.is_some();
                self.lead = contact.fields;
                if !contact.tags.is_empty() {
                    self.lead.insert("tags".to_owned(), contact.tags.into());
                }
            }
        }
        self.feed(now, feed);
        let mut handoffs: Vec<(String, String)> = Vec::new();
        for one in feed.iter().filter(|one| one.kind == "conversation.handoff") {
            let word = |name: &str| {
                one.data
                    .get(name)
                    .and_then(Json::as_str)
                    .unwrap_or_default()
            };
            handoffs.push((word("to").to_owned(), word("reason").to_owned()));
        }
        let mut pending: Vec<(RunId, Vec<Note>)> = written::<Notes>(batch, b'j')
            .filter_map(|(key, notes)| Some((whose(key)?, notes.into_vec())))
            .collect();
        while !pending.is_empty() {
            let (id, notes) = pending.remove(0);
            let mut now = Commit {
                catalog,
                runs: &runs,
                texts: &mut texts,
                handoffs: &mut handoffs,
                pending: &mut pending,
            };
            self.timeline(&mut now, &id, notes);
        }
        for (to, reason) in handoffs {
            self.handoff(now, to, reason);
        }
        for message in texts {
            self.text(now, &message);
        }
        for run in runs.into_values() {
            self.run(run);
        }
    }

    /// What no run's timeline says.
    fn feed(&mut self, now: Timestamp, feed: &[Feed]) {
        for one in feed {
            let word = |name: &str| {
                one.data
                    .get(name)
                    .and_then(Json::as_str)
                    .unwrap_or_default()
            };
            match one.kind.as_str() {
                "contact.opted_out" => {
                    self.note(now, "opted_out", "the contact has opted out".to_owned());
                }
                "contact.opted_in" => {
                    self.note(now, "opted_in", "the contact has opted in again".to_owned());
                }
                "run.not_started" => {
                    let text = format!("{} does not start: {}", word("workflow"), word("reason"));
                    self.note(now, "not_started", text);
                }
                "schedule.skipped" => {
                    let text = "a firing is left out: the run before it is under way";
                    self.note(now, "not_started", text.to_owned());
                }
                "campaign.paused" => {
                    let text = format!("the campaign {} is {}", word("campaign"), word("reason"));
                    self.note(now, "paused", text);
                }
                "conversation.released" => {
                    let text = format!("{} gives the conversation back", word("to"));
                    self.note(now, "released", text);
                }
                _ => {}
            }
        }
    }

    pub(super) fn handoff(&mut self, at: Timestamp, to: String, reason: String) {
        let text = match reason.is_empty() {
            true => format!("{to} gets the conversation"),
            false => format!("{to} gets the conversation: {reason}"),
        };
        self.note(at, "handoff", text);
        self.handoffs.push((to, reason));
    }

    /// The file may say itself whom it is about: the contact of its first run that
    /// has one.
    fn meet(&mut self, run: &Run) {
        let own = run.workflow == self.id && !self.quiet && !self.met;
        let Some(phone) = run.contact.as_ref().filter(|_| own) else {
            return;
        };
        self.met = true;
        if *phone != self.contact {
            let theirs = sms::zones::zone_of(phone.as_str());
            self.contact_zone = zone(theirs.unwrap_or(&self.business_zone.0));
            self.contact = phone.clone();
        }
    }

    fn run(&mut self, run: Run) {
        if run.workflow != self.id {
            return;
        }
        for (step, result) in &run.results {
            if result.get("skipped").and_then(Json::as_bool) != Some(true) {
                self.taken.insert(step.clone());
            }
        }
        let seen = Seen {
            branch: run.parent.as_ref().is_some_and(|one| one.until.is_some()),
            status: run.status,
            outcome: run.outcome,
            results: run.results,
        };
        self.seen.insert(run.id, seen);
    }

    /// Everything that was seen.
    pub(super) fn finish(
        self,
        now: Timestamp,
        cut: Option<String>,
        contact: Option<&Contact>,
    ) -> Transcript {
        let zone = contact.and_then(|contact| contact.zone.clone());
        let texts = self.texts.values();
        let left: Vec<&Sent> = texts
            .filter(|one| one.at.is_some() && self.is_meant(one))
            .collect();
        let ends = self.seen.values().filter(|run| !run.branch);
        Transcript {
            workflow: self.name.clone(),
            contact: self.contact.as_str().to_owned(),
            contact_zone: zone.unwrap_or_else(|| self.contact_zone.0.clone()),
            business_zone: self.business_zone.0.clone(),
            started_at: self.started_at,
            ended_at: now,
            runs: ends
                .map(|run| End {
                    status: word(run.status).to_owned(),
                    outcome: run.outcome.clone(),
                })
                .collect(),
            texts: u32::try_from(left.len()).unwrap_or(u32::MAX),
            segments: left.iter().map(|one| one.segments).sum(),
            entries: self.entries,
            cut,
        }
    }
}

/// The word of a run's status.
pub(super) fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Finished => "finished",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Failed => "failed",
    }
}
