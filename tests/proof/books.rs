//! What was promised to whom: every request that was answered with yes, and from
//! that what the provider may have seen.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::load::{ANSWER, FIRST, REMINDER};
use crate::support::Taken;

/// A request whose text arrived at this moment may have left before STOP was
/// answered: it is on its way from the last look to the provider's end of the wire.
const ON_THE_WIRE: SignedDuration = SignedDuration::from_secs(2);

/// What was asked on behalf of one person.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    /// A missed call was reported; whether with a yes.
    pub(crate) call: Option<bool>,
    /// Texts of the API, by their words.
    pub(crate) sends: BTreeMap<String, bool>,
    /// Replies, by their words.
    pub(crate) replies: BTreeMap<String, bool>,
    /// STOP was said.
    pub(crate) stop: bool,
    /// When the yes to STOP had come.
    pub(crate) stopped: Option<Timestamp>,
    /// Ids of texts that were reported as delivered, with a yes.
    pub(crate) delivered: Vec<String>,
}

impl Person {
    /// How many requests were answered with yes.
    pub(crate) fn acknowledged(&self) -> usize {
        let yes = |events: &BTreeMap<String, bool>| events.values().filter(|yes| **yes).count();
        usize::from(self.call == Some(true))
            + yes(&self.sends)
            + yes(&self.replies)
            + usize::from(self.stopped.is_some())
            + self.delivered.len()
    }
}

/// What the host says of one person.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) runs: Vec<Value>,
    pub(crate) messages: Vec<Value>,
}

/// The figures of a proof.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: usize,
    pub(crate) texts: usize,
    pub(crate) stops: usize,
    /// Texts of which it was not known for a while what had become of them.
    pub(crate) unknown: usize,
    pub(crate) review: usize,
    pub(crate) runs: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.texts += other.texts;
        self.stops += other.stops;
        self.unknown += other.unknown;
        self.review += other.review;
        self.runs += other.runs;
    }
}

/// Compares what was promised with what happened. Everything that is wrong, one
/// sentence each.
pub(crate) fn audit(
    people: &HashMap<String, Person>,
    seen: &HashMap<String, Seen>,
    ledger: &[Taken],
) -> (Figures, Vec<String>) {
    let mut taken: HashMap<&str, Vec<&Taken>> = HashMap::new();
    for one in ledger {
        taken.entry(&one.to).or_default().push(one);
    }
    let nothing = Seen::default();
    let (mut figures, mut wrong) = (Figures::default(), Vec::new());
    for (number, person) in people {
        let texts = taken.remove(number.as_str()).unwrap_or_default();
        let seen = seen.get(number).unwrap_or(&nothing);
        figures.acknowledged += person.acknowledged();
        figures.texts += texts.len();
        figures.stops += usize::from(person.stopped.is_some());
        figures.runs += seen.runs.len();
        for message in &seen.messages {
            figures.review += usize::from(message["status"] == "needs_review");
        }
        let problems = examine(person, &texts, seen);
        wrong.extend(problems.into_iter().map(|problem| {
            format!("{number}: {problem}\n  {person:?}\n  taken: {texts:?}\n  host: {seen:?}")
        }));
    }
    for (number, texts) in taken {
        wrong.push(format!("{number} was texted unasked: {texts:?}"));
    }
    (figures, wrong)
}

fn examine(person: &Person, texts: &[&Taken], seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let count = |body: &str| texts.iter().filter(|one| one.body == body).count();
    for one in texts {
        let same = texts.iter().filter(|other| other.id == one.id).count();
        if same > 1 || count(&one.body) > 1 {
            wrong.push(format!("doubled: {:?}", one.body));
        }
    }
    let held = seen
        .messages
        .iter()
        .any(|one| one["status"] == "needs_review");
    if held {
        wrong.push("held for a person, though the provider has a list".to_owned());
    }
    // What is owed; somebody who said STOP is owed nothing any more.
    let owed = !person.stop;
    let (first, second) = (count(FIRST), count(ANSWER) + count(REMINDER));
    let expected = match (person.call, seen.runs.len()) {
        (None | Some(false), 0) => 0,
        (Some(_), 1) => 1,
        (call, runs) => {
            wrong.push(format!("{runs} runs for the call {call:?}"));
            1
        }
    };
    if first > expected || second > expected || (owed && (first, second) != (expected, expected)) {
        wrong.push(format!("the call led to {first} and {second} texts"));
    }
    for (body, yes) in &person.sends {
        if owed && *yes && count(body) != 1 {
            wrong.push(format!("lost: the text {body:?} of the API"));
        }
    }
    let known = |body: &str| {
        let inbound = seen
            .messages
            .iter()
            .filter(|one| one["direction"] == "inbound");
        inbound.filter(|one| one["body"] == body).count()
    };
    for (body, yes) in &person.replies {
        if known(body) > 1 || (*yes && known(body) == 0) {
            wrong.push(format!("the reply {body:?} is there {} times", known(body)));
        }
    }
    for id in &person.delivered {
        let message = seen.messages.iter().find(|one| one["id"] == id.as_str());
        if message.is_none_or(|one| one["status"] != "delivered") {
            wrong.push(format!("lost: the report that {id} was delivered"));
        }
    }
    if let Some(stopped) = person.stopped {
        wrong.extend(after_stop(stopped, texts, seen));
    }
    wrong
}

fn after_stop(stopped: Timestamp, texts: &[&Taken], seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let attempts = seen
        .messages
        .iter()
        .flat_map(|one| one["attempts"].as_array().into_iter().flatten());
    for attempt in attempts {
        let at = attempt["at"].as_str().and_then(|at| at.parse().ok());
        if at.is_none_or(|at: Timestamp| at > stopped) {
            wrong.push(format!("an attempt after STOP: {attempt}"));
        }
    }
    for one in texts {
        if one.at > stopped + ON_THE_WIRE {
            wrong.push(format!("texted after STOP: {one:?}"));
        }
    }
    if seen.runs.iter().any(|run| run["status"] == "running") {
        wrong.push("a run outlived STOP".to_owned());
    }
    wrong
}
