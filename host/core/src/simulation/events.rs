//! Programs that tell of leads and call our addresses, and what must hold of it: a
//! call starts its workflow once, what is told is kept once, a text that is folded
//! into a turn is in it until the turn is over, and whoever waits for a turn in a
//! group gets it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};

use super::driver::Simulation;
use super::invariants::Checked;
use crate::engine::{Act, Answer, ConsentChange, Idempotency, IncomingWebhook, Input, LeadRequest};
use crate::model::{
    Contact, ContactNote, Group, Key, MessageId, Pending, PhoneNumber, Run, RunStatus, keys,
};
use crate::workflow::Intent;

/// What the simulator saw of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// How many runs each call of an address started.
    called: BTreeMap<String, u32>,
    /// The notes that were acknowledged.
    noted: BTreeSet<String>,
    /// The texts of each turn that is not over.
    turns: BTreeMap<Key, Vec<MessageId>>,
    /// The texts of turns that are over, with their workflow.
    over: BTreeSet<(String, MessageId)>,
}

impl Simulation {
    /// A program tells of a contact.
    pub(super) fn tells_of(&mut self, contact: &PhoneNumber) {
        let key = self.provider.issue("L");
        let mut request = LeadRequest::new(contact.clone());
        let status = match self.random.below(4) {
            0 => "booked",
            1 => "cold",
            _ => "new",
        };
        request.fields.insert("status".to_owned(), json!(status));
        request.note = Some(key.clone());
        request.consent.push(ConsentChange {
            intent: Intent::Marketing,
            given: self.random.chance(700),
            source: "form".to_owned(),
            at: None,
        });
        request.idempotency = Some(Idempotency {
            source: "leads".to_owned(),
            key,
            digest: String::new(),
        });
        self.hook(0, Input::Lead(request));
    }

    /// A program calls one of our addresses.
    pub(super) fn calls_in(&mut self, contact: &PhoneNumber) {
        let id = self.provider.issue("W");
        let workflows = self.catalog.webhooks("calendar");
        let workflows = workflows
            .iter()
            .map(|one| one.workflow.to_owned())
            .collect();
        self.hook(
            0,
            Input::Webhook(IncomingWebhook {
                path: "calendar".to_owned(),
                workflows,
                body: json!({ "id": id, "phone": contact }),
                headers: Map::new(),
                query: Map::new(),
            }),
        );
    }

    /// I5: a call of an address starts one run.
    pub(super) fn note_called(&mut self, run: &Run) -> Checked {
        let body = run.event.get("body").and_then(|body| body.get("id"));
        let Some(id) = body.and_then(|id| id.as_str()) else {
            return Ok(());
        };
        let times = self.truth.outside.called.entry(id.to_owned()).or_default();
        *times += 1;
        if *times > 1 {
            return Err(self.failure(format!("I5: the call {id} started two runs")));
        }
        Ok(())
    }

    /// A lead was acknowledged: from now on its note is there.
    pub(super) fn lead_acknowledged(&mut self, request: &LeadRequest, answer: &Answer) {
        if matches!(answer, Answer::Lead { .. } | Answer::Repeat) {
            self.truth.outside.noted.extend(request.note.clone());
            self.report.leads += 1;
        }
    }

    /// I1: a text that was folded is in its turn until that is over.
    pub(super) fn check_turns(&mut self, act: &Act) -> Checked {
        let mut closed: Vec<(String, MessageId)> = Vec::new();
        for entry in act.entries.iter().filter(|one| one.kind == "turn.closed") {
            let word = entry.data.get("workflow").and_then(|word| word.as_str());
            let texts = entry.data.get("texts").cloned().unwrap_or_default();
            let texts: Vec<MessageId> = serde_json::from_value(texts).unwrap_or_default();
            self.report.turns += 1;
            for text in texts {
                let one = (word.unwrap_or_default().to_owned(), text);
                if !self.truth.outside.over.insert(one.clone()) {
                    return Err(self.failure(format!("I5: {} was in two turns", one.1)));
                }
                closed.push(one);
            }
        }
        let came = act
            .entries
            .iter()
            .find(|one| one.kind == "message.received");
        let came = came.and_then(|one| one.message.clone());
        for (key, value) in &act.batch.writes {
            if key.as_bytes().first() != Some(&b'f') {
                continue;
            }
            let before = self.truth.outside.turns.remove(key).unwrap_or_default();
            let pending = match value {
                Some(_) => self.get::<Pending>(key)?,
                None => None,
            };
            let now = match pending.as_deref() {
                Some(Pending::Turn { texts, .. }) => texts.clone(),
                _ => Vec::new(),
            };
            let gone = |text: &&MessageId| {
                !now.contains(text) && !closed.iter().any(|(_, one)| one == *text)
            };
            if let Some(lost) = before
                .iter()
                .chain(&came)
                .filter(|_| !now.is_empty() || !before.is_empty())
                .find(gone)
            {
                return Err(self.failure(format!("I1: {lost} is lost from its turn")));
            }
            if !now.is_empty() {
                self.truth.outside.turns.insert(key.clone(), now);
            }
        }
        Ok(())
    }

    /// I1: whoever waits for their turn in a group waits for a run that is under way.
    pub(super) fn check_group(&self, contact: &Contact) -> Checked {
        for workflow in self.library.values() {
            let definition = &workflow.definition;
            if definition.concurrency.is_none() {
                continue;
            }
            let key = keys::group(&definition.id, contact.phone.as_str());
            let Some(group) = self.get::<Group>(&key)? else {
                continue;
            };
            let active = match &group.active {
                Some(run) => self.get::<Run>(&keys::run(run))?,
                None => None,
            };
            if active.is_none_or(|run| run.status != RunStatus::Running) {
                let text = format!("I1: {} wait in a group without a run", group.waiting());
                return Err(self.failure(text));
            }
            for number in group.first..group.next {
                let place = keys::in_line(&definition.id, contact.phone.as_str(), number);
                if self.state.get(&place).is_none() {
                    return Err(self.failure(format!("I1: number {number} in line is gone")));
                }
            }
        }
        Ok(())
    }

    /// When nothing is going to happen any more, no turn is open, and what was told
    /// is there once.
    pub(super) fn check_outside(&self) -> Checked {
        if let Some(texts) = self.truth.outside.turns.values().next() {
            return Err(self.failure(format!("I1: the turn of {texts:?} is never over")));
        }
        let (from, to) = keys::table(b'y');
        let mut notes = BTreeMap::new();
        for (key, _) in self.state.range(&from, &to) {
            if let Some(note) = self.get::<ContactNote>(key)? {
                *notes.entry(note.text.clone()).or_insert(0) += 1;
            }
        }
        for note in &self.truth.outside.noted {
            if notes.get(note) != Some(&1) {
                let text = format!("I5: the note {note} is there {:?} times", notes.get(note));
                return Err(self.failure(text));
            }
        }
        Ok(())
    }
}
