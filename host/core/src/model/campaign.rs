//! Campaigns: what one may do now and who waits for it, and what came of its texts.
//! Two records, because the first changes when a text leaves or waits and the second
//! when it is known what became of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Key, MessageId, RunId};

/// What a campaign may do now, and who waits. There is one from the first time that a
/// file of the campaign was in service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// The slug of its name.
    pub id: String,
    /// As a file names it.
    pub name: String,
    /// Set while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Pause>,
    /// What left of its total.
    #[serde(default)]
    pub total: Spent,
    /// What left from each of our numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, Spent>,
    /// The texts at the head of the line: looked at, and waiting for their own hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<MessageId>,
    /// The number of the first text behind them.
    #[serde(default)]
    pub first: u64,
    /// The number of the next text that joins the line.
    #[serde(default)]
    pub next: u64,
    /// The timer of the line; none while it is paused, or nobody waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Key>,
    /// Runs that start others, and wait until the line is short or it goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fans: Vec<RunId>,
    /// The number of the first thing that starts when it goes on.
    #[serde(default)]
    pub starts_first: u64,
    /// The number of the next such thing.
    #[serde(default)]
    pub starts_next: u64,
    /// Since when there is one.
    pub created_at: Timestamp,
}

impl Campaign {
    /// A new one.
    pub fn new(id: &str, name: &str, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            paused: None,
            total: Spent::default(),
            numbers: BTreeMap::new(),
            ahead: Vec::new(),
            first: 0,
            next: 0,
            timer: None,
            fans: Vec::new(),
            starts_first: 0,
            starts_next: 0,
            created_at: now,
        }
    }

    /// How many texts wait in its line; those that were called off since are counted
    /// until their turn.
    pub fn waiting(&self) -> u64 {
        let ahead = u64::try_from(self.ahead.len()).unwrap_or(u64::MAX);
        self.next.saturating_sub(self.first).saturating_add(ahead)
    }

    /// How many runs start when it goes on.
    pub fn starts_waiting(&self) -> u64 {
        self.starts_next.saturating_sub(self.starts_first)
    }
}

/// Why and since when a campaign is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Who did it.
    pub by: PausedBy,
    /// A sentence; empty when a person gave no reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Who paused a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// Its breaker.
    Breaker,
    /// A person or program.
    Person,
}

impl std::fmt::Display for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = match self.by {
            PausedBy::Breaker => "its breaker",
            PausedBy::Person => "a person",
        };
        match self.why.as_str() {
            "" => write!(f, "paused by {by}"),
            why => write!(f, "paused by {by}: {why}"),
        }
    }
}

/// What left, as far as a rate needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// How many on each of the last days (`2026-11-18`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub days: BTreeMap<String, u32>,
    /// Not before this time, where they leave one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Timestamp>,
}

/// What came of a campaign's texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// Texts that a provider took.
    pub sent: u64,
    /// Of all: those that arrived.
    pub delivered: u64,
    /// Those that could not be sent, or did not arrive.
    pub failed: u64,
    /// Those that the gate refused, that were called off, or whose time was over.
    pub dropped: u64,
    /// Radio segments of those that a provider took.
    pub segments: u64,
    /// People who were texted.
    pub people: u64,
    /// Those of them who wrote back.
    pub replied: u64,
    /// Those of them who opted out.
    pub opted_out: u64,
    /// The last texts whose outcome is known; a mark is one that failed.
    #[serde(skip_serializing_if = "Marks::is_new")]
    pub outcomes: Marks,
    /// The last people who were texted; a mark is one who opted out.
    #[serde(skip_serializing_if = "Marks::is_new")]
    pub persons: Marks,
}

/// The last of many things, some of them marked. Numbers are never used twice, so one
/// that is no longer among the last is known by its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// The number of the next one.
    pub next: u64,
    /// The last of them: `x` for a marked one, `.` for another.
    pub last: String,
}

impl Marks {
    fn is_new(&self) -> bool {
        *self == Self::default()
    }

    /// Adds one, and keeps the last so many; its number.
    pub fn push(&mut self, marked: bool, most: usize) -> u64 {
        let number = self.next;
        self.next += 1;
        self.last.push(if marked { 'x' } else { '.' });
        let surplus = self.last.len().saturating_sub(most);
        self.last.drain(..surplus);
        number
    }

    /// Whether a number is among the last.
    pub fn holds(&self, number: u64) -> bool {
        self.place(number).is_some()
    }

    fn place(&self, number: u64) -> Option<usize> {
        let kept = u64::try_from(self.last.len()).ok()?;
        let first = self.next.checked_sub(kept)?;
        let place = usize::try_from(number.checked_sub(first)?).ok()?;
        (place < self.last.len()).then_some(place)
    }

    /// Marks one that is among the last, or takes its mark away.
    pub fn mark(&mut self, number: u64, marked: bool) {
        if let Some(place) = self.place(number) {
            let sign = if marked { "x" } else { "." };
            self.last.replace_range(place..=place, sign);
        }
    }

    /// How many of the last are marked.
    pub fn marked(&self) -> u64 {
        let marked = self.last.bytes().filter(|sign| *sign == b'x').count();
        u64::try_from(marked).unwrap_or(u64::MAX)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Begins anew; numbers that were given are forgotten.
    pub fn clear(&mut self) {
        self.last.clear();
    }
}

/// How a text stands for its campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A provider has it.
    Taken,
    /// It arrived.
    Delivered,
    /// It could not be sent, or did not arrive.
    Failed,
    /// It was not sent: refused by the gate, called off, or too late.
    Dropped,
}

/// What a text knows of its campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCampaign {
    /// The campaign's id.
    pub id: String,
    /// The workflow whose `rate` and `breaker` count for it.
    pub workflow: String,
    /// The step of the engine in which it may ask to leave: only a step of a timer may
    /// change the campaign's record, because many of the others come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Timestamp>,
    /// It was called, or was under way before: it need not stand behind others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub front: bool,
    /// It stands in the line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// The timer that counts how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Key>,
    /// How it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Standing>,
    /// It was counted among those that a provider took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken: bool,
    /// Its number among the outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// What a contact knows of the campaign that texted them last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextedBy {
    /// The campaign's id.
    pub id: String,
    /// The workflow that texted.
    pub workflow: String,
    /// When the last text left.
    pub at: Timestamp,
    /// Their number among the people of the campaign, once a text was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// They wrote back since; and whether that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replied: Option<bool>,
    /// They opted out since; and whether that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<bool>,
}

/// What would have started a run while its campaign was paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The workflow's id.
    pub workflow: String,
    /// The engine's own record of what happened.
    pub cause: Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_many() {
        let mut marks = Marks::default();
        let numbers: Vec<u64> = (0..5).map(|n| marks.push(n == 1, 3)).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!((marks.last.as_str(), marks.marked()), ("...", 0));
        marks.mark(4, true);
        marks.mark(1, true);
        marks.mark(9, true);
        assert_eq!((marks.last.as_str(), marks.marked()), ("..x", 1));
        assert!(marks.holds(2) && !marks.holds(1) && !marks.holds(5));
        marks.mark(4, false);
        assert_eq!(marks.last, "...");
        marks.clear();
        assert!(!marks.holds(4));
        assert_eq!(marks.push(true, 3), 5);
        assert_eq!(marks.last, "x");
    }
}
