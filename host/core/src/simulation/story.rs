//! What happened, for the person who reads a failure: one line for each thing
//! that somebody did, with what the host wrote and sent because of it.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

use crate::engine::{Command, Input};
use crate::model::{Entry, MessageId};

/// How many of the last happenings are kept.
const KEPT: usize = 60;

/// A happening; it becomes words only when somebody reads it.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A sentence.
    Line(String),
    /// A commit: what led to it, and what came of it.
    Commit {
        input: Box<Input>,
        entries: Vec<Entry>,
        commands: Vec<Command>,
        /// The words of the texts that were asked for.
        bodies: Vec<(MessageId, String)>,
    },
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
        let line = |(now, told): &(Timestamp, Told)| {
            let words = match told {
                Told::Line(line) => line.clone(),
                Told::Commit {
                    input,
                    entries,
                    commands,
                    bodies,
                } => commit(input, entries, commands, bodies),
            };
            format!("{}  {words}", now.strftime("%d %b %H:%M:%S%.3f"))
        };
        self.told.iter().map(line).collect()
    }
}

/// Who did what.
fn deed(input: &Input) -> String {
    match input {
        Input::Text(text) => format!("{} writes {:?}", text.from, text.body),
        Input::Report(report) => format!("the provider reports {:?}", report.delivery),
        Input::Call(report) => match &report.from {
            Some(from) => format!("the call of {from} is {:?}", report.outcome),
            None => format!("a hidden call is {:?}", report.outcome),
        },
        Input::Send(request) => format!("a program sends to {}", request.to),
        Input::Lead(request) => format!("a program tells of {}", request.phone),
        Input::Webhook(call) => format!("a program calls {}: {}", call.path, call.body),
        Input::Event(event) => format!("{} tells of {}", event.plugin, event.name),
        Input::Define(workflow) => format!("the file of {} is read", workflow.definition.id),
        Input::Undefine(workflow) => format!("the file of {workflow} is gone"),
        Input::Place(request) => format!("a program calls {}", request.to),
        Input::Start(request) => match &request.contact {
            Some(contact) => format!("a program starts {} for {contact}", request.workflow),
            None => format!("a program starts {}", request.workflow),
        },
        Input::Pause(campaign, _) => format!("a person pauses {campaign}"),
        Input::Resume(campaign) => format!("a person lets {campaign} go on"),
        Input::Timer(_) => "a timer is due".to_owned(),
        Input::Sent(id, result) => format!("the host sees of {id}: {result:?}"),
        Input::Looked(id, finding) => format!("the host sees of {id}: {finding:?}"),
        Input::LostText(id) => format!("the host finds {id} open"),
        Input::LostCall(_) => "the host finds a call open".to_owned(),
        Input::Decide(id, decision) => format!("a person decides about {id}: {decision:?}"),
        Input::Approve(id, given) => match given.send {
            true => format!("{} lets {id} go", given.by),
            false => format!("{} rejects {id}", given.by),
        },
        Input::OptOut(phone, out, _) => {
            let way = if *out { "out" } else { "in" };
            format!("a program opts {phone} {way}")
        }
        other => format!("{other:?}"),
    }
}

/// A commit in words.
fn commit(
    input: &Input,
    entries: &[Entry],
    commands: &[Command],
    bodies: &[(MessageId, String)],
) -> String {
    let mut parts = vec![deed(input)];
    for entry in entries {
        let word = |name: &str| entry.data.get(name).and_then(|value| value.as_str());
        let id = entry.message.as_ref().map(ToString::to_string);
        let id = id.or_else(|| entry.run.as_ref().map(ToString::to_string));
        let id = id.unwrap_or_default();
        let part = match entry.kind.as_str() {
            "message.queued" => {
                let body = bodies.iter().find(|(one, _)| one.as_str() == id);
                let body = body.map(|(_, body)| body.as_str()).unwrap_or_default();
                format!("{id} {body:?} is asked for")
            }
            "message.status" => {
                let reason = word("reason").map(|reason| format!(" ({reason})"));
                let status = word("status").unwrap_or_default();
                format!("{id} is {status}{}", reason.unwrap_or_default())
            }
            "run.started" => format!("{id} of {} starts", word("workflow").unwrap_or_default()),
            "run.waits" => format!("{id} waits"),
            "run.finished" | "run.cancelled" | "run.failed" => {
                format!("{id} ends: {}", word("outcome").unwrap_or_default())
            }
            "contact.opted_out" => "the opt-out is stored".to_owned(),
            "contact.opted_in" => "the opt-in is stored".to_owned(),
            "message.received" | "call.status" | "workflow.defined" => continue,
            other => other.to_owned(),
        };
        parts.push(part);
    }
    for command in commands {
        parts.push(match command {
            Command::Send(gated) => format!("{} may leave", gated.message()),
            Command::Look(id) => format!("the list is asked for {id}"),
            Command::Place(_) => "the call may be placed".to_owned(),
            Command::Work(work) => format!("step {} asks for {:?}", work.step, work.ask),
        });
    }
    parts.join("; ")
}

/// How much of a seed a failure needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The happenings that are left, and how many there were.
    pub happenings: (usize, usize),
    /// The faults that are left, and how many there were.
    pub faults: (usize, usize),
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// After how many happenings outside.
    pub happenings: u32,
    /// Which invariant, and the record.
    pub what: String,
    /// The last happenings, oldest first.
    pub story: Vec<String>,
    /// What the story was shrunk to, when it was.
    pub shrunk: Option<Shrunk>,
}

impl Failure {
    /// The name of the invariant: `I3`.
    pub fn invariant(&self) -> &str {
        self.what.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Names::default();
        // Names are given in the order of the story.
        let story: Vec<String> = self.story.iter().map(|line| names.put(line)).collect();
        writeln!(f, "{}", names.put(&self.what))?;
        match &self.shrunk {
            Some(shrunk) => writeln!(
                f,
                "seed {}, {} of {} happenings and {} of {} faults are enough:",
                self.seed,
                shrunk.happenings.0,
                shrunk.happenings.1,
                shrunk.faults.0,
                shrunk.faults.1
            )?,
            None => writeln!(f, "seed {}, {} happenings:", self.seed, self.happenings)?,
        }
        for line in &story {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "again: RINGBACK_SEED={} cargo test -p ringback-core proof_seeds -- --nocapture",
            self.seed
        )
    }
}

/// Short names for ids, in the order in which they are met.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    /// The line with every id replaced: `text 1`, `run 2`, `conversation 1`.
    fn put(&mut self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((at, word)) = first_id(rest) {
            let (before, found) = rest.split_at(at);
            let (id, after) = found.split_at_checked(36).unwrap_or((found, ""));
            let same_kind = |one: &&String| one.get(..4) == id.get(..4);
            let known = self.0.iter().filter(same_kind).position(|one| one == id);
            let number = known.unwrap_or_else(|| {
                self.0.push(id.to_owned());
                self.0.iter().filter(same_kind).count() - 1
            });
            out.push_str(before);
            out.push_str(&format!("{word} {}", number + 1));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// Where the next id stands, and what it names.
fn first_id(line: &str) -> Option<(usize, &'static str)> {
    [("msg_", "text"), ("run_", "run"), ("con_", "conversation")]
        .into_iter()
        .filter_map(|(prefix, word)| Some((line.find(prefix)?, word)))
        .min()
}
