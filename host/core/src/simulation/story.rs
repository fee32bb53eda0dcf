//! What happened, for the person who reads a failure.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

use crate::engine::{Command, Input};
use crate::model::Entry;

/// How many of the last happenings are kept.
const KEPT: usize = 30;

/// A happening; it becomes words only when somebody reads it.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A sentence.
    Line(String),
    /// A commit: what led to it, and what came of it.
    Commit(Box<Input>, Vec<Entry>, Vec<Command>),
}

/// The last happenings, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    told: VecDeque<(Timestamp, Told)>,
}

impl Story {
    pub(super) fn tell(&mut self, now: Timestamp, told: Told) {
        if self.told.len() >= KEPT {
            self.told.pop_front();
        }
        self.told.push_back((now, told));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(now, told): &(Timestamp, Told)| match told {
            Told::Line(line) => format!("{now:.3}  {line}"),
            Told::Commit(input, entries, commands) => {
                format!("{now:.3}  {}", commit(input, entries, commands))
            }
        };
        self.told.iter().map(line).collect()
    }
}

/// A commit in words.
fn commit(input: &Input, entries: &[Entry], commands: &[Command]) -> String {
    let mut line = match input {
        Input::Text(text) => format!(
            "{} writes {:?} ({})",
            text.from, text.body, text.provider_id
        ),
        Input::Report(report) => format!("report on {:?}: {:?}", report.id, report.delivery),
        Input::Call(report) => format!("call {} is {:?}", report.provider_id, report.outcome),
        Input::Send(request) => format!("send to {}: {:?}", request.to, request.body),
        Input::Define(workflow) => format!("define {}", workflow.definition.id),
        Input::Place(request) => format!("place a call to {}", request.to),
        Input::Start(request) => format!("start {} for {:?}", request.workflow, request.contact),
        other => format!("{other:?}"),
    };
    for entry in entries {
        let name = entry.message.as_ref().map(ToString::to_string);
        let name = name.or_else(|| entry.run.as_ref().map(ToString::to_string));
        let name = name.unwrap_or_default();
        line.push_str(&format!("\n      {} {name} {}", entry.kind, entry.data));
    }
    for command in commands {
        line.push_str(&format!("\n      -> {command:?}"));
    }
    line
}

/// An invariant that did not hold.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// After how many events.
    pub events: u64,
    /// Which invariant, and the record.
    pub what: String,
    /// The last happenings, oldest first.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} after {} events: {}",
            self.seed, self.events, self.what
        )?;
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
