//! The timelines of runs, told to people: what each entry means, and which of them
//! say what another entry says better.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::transcript::By;
use super::watch::Watch;
use crate::engine::Catalog;
use crate::model::{Message, Note, Origin, Run, RunId, Waiting};
use crate::workflow::Action;

/// What one commit wrote, as far as it is not told yet.
pub(super) struct Commit<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) runs: &'c BTreeMap<RunId, Run>,
    pub(super) texts: &'c mut Vec<Message>,
    pub(super) handoffs: &'c mut Vec<(String, String)>,
    /// Timelines of other runs.
    pub(super) pending: &'c mut Vec<(RunId, Vec<Note>)>,
}

impl Watch {
    /// What a commit added to a run's timeline. Runs that one started are told of
    /// where it started them.
    pub(super) fn timeline(&mut self, now: &mut Commit<'_>, id: &RunId, notes: Vec<Note>) {
        let run = now.runs.get(id);
        let last = notes.iter().rposition(|note| note.what == "waits");
        for (place, note) in notes.into_iter().enumerate() {
            let text = note.text.clone();
            self.run_note(now, run, note, last == Some(place));
            let started = |one: &(RunId, Vec<Note>)| text.contains(one.0.as_str());
            while let Some(place) = now.pending.iter().position(started) {
                let (id, notes) = now.pending.remove(place);
                self.timeline(now, &id, notes);
            }
        }
    }

    /// An entry of a run's timeline.
    fn run_note(&mut self, now: &mut Commit<'_>, run: Option<&Run>, note: Note, last: bool) {
        let Commit {
            catalog,
            texts,
            handoffs,
            ..
        } = now;
        let own = run.is_none_or(|run| run.workflow == self.id);
        if own && let Some(step) = note.step.as_ref().filter(|_| note.what != "skipped") {
            self.taken.insert(step.clone());
        }
        // What is said of a text stands where the run hears of it.
        let about_text = matches!(note.what.as_str(), "sent" | "not_sent" | "unknown")
            || note.what == "skipped" && !note.text.starts_with("it");
        if about_text {
            let of = |message: &Message| match &message.origin {
                Origin::Run { run: by, step } => {
                    run.is_some_and(|run| run.id == *by) && note.step.as_ref() == Some(step)
                }
                _ => false,
            };
            if own && let Some(step) = &note.step {
                self.taken.insert(step.clone());
            }
            if let Some(place) = texts.iter().position(of) {
                let message = texts.remove(place);
                self.text(note.at, &message);
            }
        }
        if note.what == "handed_over" && !handoffs.is_empty() {
            let (to, reason) = handoffs.remove(0);
            self.handoff(note.at, to, reason);
        }
        let asked = run.and_then(|run| match &run.waiting {
            Some(Waiting::Approval { message, by, until }) => {
                let draft = texts.iter().find(|one| one.id == *message)?;
                Some((by.clone(), *until, draft.body.clone()))
            }
            _ => None,
        });
        let waiting = run.and_then(|run| run.waiting.as_ref()).filter(|_| last);
        let unsent = note.text.ends_with("not sent");
        let (until, body) = match (note.what.as_str(), waiting) {
            ("waits", Some(Waiting::Time { until, .. })) => (Some(*until), "waits".to_owned()),
            ("waits", Some(Waiting::Event { until, .. })) => {
                let what = run.map(|run| awaited(catalog, run)).unwrap_or_default();
                (*until, format!("waits for {what}"))
            }
            ("waits", Some(Waiting::Runs { .. })) if note.text.contains("branches") => {
                (None, "waits for its branches".to_owned())
            }
            ("waits", _) => (None, format!("waits {}", note.text)),
            ("held", _) if asked.is_some() => {
                let (by, until, draft) = asked.unwrap_or_default();
                (until, format!("waits for approval by {by}\n{draft}"))
            }
            ("approved", _) if self.unsaid => {
                (None, format!("{} (nothing else is said)", note.text))
            }
            ("started", _) => (None, started(run)),
            // Ids of runs are of no use here.
            ("called", _) => {
                let called = note.text.split(" as run_").next().unwrap_or_default();
                (None, called.to_owned())
            }
            ("finished" | "failed" | "cancelled", _) if note.text == note.what => (None, note.text),
            ("skipped", _) => (None, format!("skipped: {}", note.text)),
            ("finished" | "failed" | "cancelled", _) => {
                (None, format!("{}: {}", note.what, note.text))
            }
            ("found", _) => (None, format!("finds {}", note.text)),
            ("log", _) => (None, format!("log: {}", note.text)),
            _ => (None, note.text),
        };
        // These are said by the entry beside them.
        let outside = matches!(
            waiting,
            None | Some(Waiting::Text { .. } | Waiting::Work { .. } | Waiting::Call { .. })
        );
        let quiet = match note.what.as_str() {
            "waits" => outside,
            "answered" | "handed_over" | "done" | "rejected" => true,
            // It is said of the text.
            "unanswered" => unsent,
            _ => about_text,
        };
        let mut entry = self.entry(note.at, By::Note, &note.what, body);
        entry.step = note.step;
        entry.until = until;
        entry.quiet = quiet;
        entry.workflow = run
            .filter(|run| run.workflow != self.id)
            .map(|run| run.workflow.clone());
        self.push(entry);
    }
}

/// What a run began on, in words.
fn started(run: Option<&Run>) -> String {
    let Some(run) = run else {
        return "starts".to_owned();
    };
    if run.parent.as_ref().is_some_and(|one| one.until.is_some()) {
        return "a branch starts".to_owned();
    }
    if let (Some(_), Some(phone)) = (&run.item, &run.contact) {
        return format!("starts for {phone}");
    }
    let kind = run.event.get("type").and_then(Json::as_str);
    format!("starts, on {}", kind.unwrap_or("an event"))
}

/// What a run waits for, in words.
fn awaited(catalog: &Catalog, run: &Run) -> String {
    let workflow = catalog.by_hash.get(&run.definition);
    let step = workflow.and_then(|one| one.definition.steps.get(run.cursor));
    let Some(Action::WaitFor(wait)) = step.map(|step| &step.action) else {
        return "an event".to_owned();
    };
    let words = wait.events.iter().map(|event| match event.on.word() {
        "message.received" => "a text",
        "call.missed" => "a missed call",
        "call.completed" => "a call",
        word => word,
    });
    words.collect::<Vec<_>>().join(" or ")
}
