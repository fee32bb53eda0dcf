//! Texts of ours: how far each came, and what is said of it.

use jiff::Timestamp;

use super::transcript::{By, Entry};
use super::watch::Watch;
use crate::model::{Message, Origin, PhoneNumber, Status};

/// A text of ours, as far as it came.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: PhoneNumber,
    /// When it left, once it did.
    pub(super) at: Option<Timestamp>,
    pub(super) body: String,
    pub(super) segments: u32,
    pub(super) step: Option<String>,
    /// Whether a run of the workflow sent it, and not a word of the law.
    pub(super) own: bool,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    /// Until when it was put off.
    pub(super) deferred: Vec<Timestamp>,
    /// Its entry.
    pub(super) entry: Option<usize>,
}

impl Watch {
    /// A text of ours came further.
    pub(super) fn text(&mut self, now: Timestamp, message: &Message) {
        let (own, step) = match &message.origin {
            Origin::Run { step, .. } => (true, Some(step.clone())),
            _ => (false, None),
        };
        let known = self.texts.remove(&message.id);
        let before = known.as_ref().map(|known| known.status);
        let mut sent = known.unwrap_or(Sent {
            to: message.contact.clone(),
            at: None,
            body: message.body.clone(),
            segments: message.segments,
            step: step.clone(),
            own,
            status: message.status,
            reason: None,
            deferred: Vec::new(),
            entry: None,
        });
        // Whoever approves a text may change it.
        sent.body.clone_from(&message.body);
        sent.segments = message.segments;
        sent.status = message.status;
        sent.reason = reason(message);
        let to = (message.contact != self.contact).then(|| self.who(&message.contact));
        let changed = before != Some(message.status);
        let mut entry = self.entry(now, By::Note, "delivery", String::new());
        entry.step = step;
        entry.to = to;
        entry.reason.clone_from(&sent.reason);
        let why = sent
            .reason
            .clone()
            .unwrap_or_else(|| "nobody says why".to_owned());
        if message.status.handed_over() && sent.at.is_none() {
            let at = message.attempts.last().map_or(now, |attempt| attempt.at);
            sent.at = Some(at);
            if let Some(number) = &message.number {
                let by = (message.connection.clone(), number.clone());
                self.spoke.insert(message.contact.clone(), by);
            }
            let said = self.entry(at, By::Us, "text", message.body.clone());
            sent.entry = self.push(Entry {
                segments: Some(message.segments),
                status: Some(message.status.word().to_owned()),
                step: entry.step.clone(),
                to: entry.to.clone(),
                ..said
            });
            if message.status == Status::Undelivered {
                entry.body = format!("it does not arrive: {why}");
                self.push(entry);
            }
        } else if sent.at.is_some() {
            let shown = sent.entry.and_then(|place| self.entries.get_mut(place));
            if let Some(shown) = shown {
                shown.status = Some(message.status.word().to_owned());
            }
            if changed && matches!(message.status, Status::Undelivered | Status::Failed) {
                entry.body = format!("it does not arrive: {why}");
                self.push(entry);
            }
        } else if message.status == Status::Scheduled {
            if let Some(until) = message
                .not_before
                .filter(|at| sent.deferred.last() != Some(at))
            {
                sent.deferred.push(until);
                entry.what = "deferred".to_owned();
                entry.body = format!("the text has to wait: {why}");
                entry.until = Some(until);
                self.push(entry);
            }
        } else if message.status.settled() && changed {
            entry.what = "not_sent".to_owned();
            entry.body = format!(
                "not sent ({}): {why}\n{}",
                message.status.word(),
                message.body
            );
            self.push(entry);
        } else if message.status == Status::Queued && message.problem.is_some() && changed {
            entry.body = format!("it is tried again: {why}");
            entry.until = message.not_before;
            self.push(entry);
        }
        self.texts.insert(message.id.clone(), sent);
    }

    fn who(&self, phone: &PhoneNumber) -> String {
        let person = self.people.get(phone);
        person.map_or_else(|| phone.as_str().to_owned(), Clone::clone)
    }
}

/// Why a text was not sent, or not yet: the sentence of the rule that said so.
fn reason(message: &Message) -> Option<String> {
    let problem = message.problem.as_ref().map(|problem| problem.text.clone());
    let verdict = message
        .verdicts
        .iter()
        .rev()
        .find(|verdict| !verdict.reason.is_empty())
        .map(|verdict| verdict.reason.clone());
    problem.or(verdict).or_else(|| message.reason.clone())
}
