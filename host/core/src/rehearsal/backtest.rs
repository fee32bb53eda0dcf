//! An edited file against what has happened: the same events through both versions,
//! and the difference in texts, people and segments.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::plan::{Person, Plan};
use super::texts::Sent;
use super::world::{MOST, Ticks, World};
use super::{Stage, plan, starting};
use crate::model::PhoneNumber;
use crate::workflow::{Starting, Workflow};

/// The most examples of what would differ.
const EXAMPLES: usize = 10;

/// Something that was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// Whom it was about, as they are known.
    pub person: Person,
    /// Whose number it concerned, when that is known.
    pub agent: Option<String>,
    /// What it was.
    pub what: Starting,
}

/// What one version would send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Runs that would start.
    pub runs: u64,
    /// Texts that would be sent.
    pub texts: u64,
    /// People who would get one.
    pub people: u64,
    /// Segments that they would take.
    pub segments: u64,
}

/// Somebody for whom the two versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The end of their number.
    pub contact: String,
    /// When the first event was about them.
    pub at: Timestamp,
    /// What they would get from the version in service.
    pub old: Vec<String>,
    /// What they would get from the edited one.
    pub new: Vec<String>,
}

/// What would differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How many events were played.
    pub events: u64,
    /// What the version in service sends.
    pub old: Sum,
    /// What the edited one would send.
    pub new: Sum,
    /// People for whom it is not the same.
    pub differing: u64,
    /// Some of them.
    pub examples: Vec<Example>,
    /// Why it was cut off, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// Plays stored events, in the order of their times, through two versions of a
/// workflow; without an old one, through the new one beside one that does nothing.
/// Texts and calls reach runs that wait for them, as they did in life.
pub fn backtest(
    stage: &Stage<'_>,
    old: Option<&Workflow>,
    new: &Workflow,
    events: impl Iterator<Item = Event>,
) -> Difference {
    let nothing = starting::empty(&new.definition.id, &[]);
    let old = old.unwrap_or(&nothing);
    let mut worlds: Option<(World<'_>, World<'_>)> = None;
    let mut count = 0_u64;
    let mut first: BTreeMap<PhoneNumber, Timestamp> = BTreeMap::new();
    for event in events {
        count += 1;
        first.entry(event.person.phone.clone()).or_insert(event.at);
        let (old, new) = worlds.get_or_insert_with(|| {
            // The clock of both begins with the first event.
            let at = plan::whole(event.at);
            let start = Plan::new(at, event.person.clone(), event.what.clone());
            (quiet(stage, old, &start), quiet(stage, new, &start))
        });
        for world in [old, new] {
            if world.trigger("schedule").is_some() {
                world.ticks = Ticks::Until(event.at);
            }
            world.left = world.left.saturating_add(MOST);
            world.run(Some(event.at));
            let (person, agent) = (event.person.clone(), event.agent.clone());
            world.add(event.at, person, agent, event.what.clone());
        }
    }
    let Some((mut old, mut new)) = worlds else {
        return Difference {
            events: 0,
            old: Sum::default(),
            new: Sum::default(),
            differing: 0,
            examples: Vec::new(),
            cut: None,
        };
    };
    old.run(None);
    new.run(None);
    let (before, after) = (by_person(&old), by_person(&new));
    let people: BTreeSet<&PhoneNumber> = before.keys().chain(after.keys()).collect();
    let bodies = |of: &BTreeMap<PhoneNumber, Vec<String>>, phone: &PhoneNumber| {
        of.get(phone).cloned().unwrap_or_default()
    };
    let differing: Vec<Example> = people
        .into_iter()
        .map(|phone| Example {
            contact: shortened(phone),
            at: first.get(phone).copied().unwrap_or(old.now),
            old: bodies(&before, phone),
            new: bodies(&after, phone),
        })
        .filter(|example| example.old != example.new)
        .collect();
    Difference {
        events: count,
        old: sum(&old),
        new: sum(&new),
        differing: u64::try_from(differing.len()).unwrap_or(u64::MAX),
        examples: differing.into_iter().take(EXAMPLES).collect(),
        cut: old.cut.or(new.cut),
    }
}

fn quiet<'a>(stage: &Stage<'a>, workflow: &Workflow, start: &Plan) -> World<'a> {
    let mut world = World::new(stage, workflow, start);
    world.watch.quiet = true;
    world
}

fn left<'w>(world: &'w World<'_>) -> impl Iterator<Item = &'w Sent> {
    let texts = world.watch.texts.values();
    texts.filter(|one| one.own && one.at.is_some())
}

fn by_person(world: &World<'_>) -> BTreeMap<PhoneNumber, Vec<String>> {
    let mut all: Vec<&Sent> = left(world).collect();
    all.sort_by_key(|one| one.at);
    let mut people: BTreeMap<PhoneNumber, Vec<String>> = BTreeMap::new();
    for text in all {
        let bodies = people.entry(text.to.clone()).or_default();
        bodies.push(text.body.clone());
    }
    people
}

fn sum(world: &World<'_>) -> Sum {
    let people: BTreeSet<&PhoneNumber> = left(world).map(|one| &one.to).collect();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Sum {
        runs: count(world.watch.seen.values().filter(|run| !run.branch).count()),
        texts: count(left(world).count()),
        people: count(people.len()),
        segments: left(world).map(|one| u64::from(one.segments)).sum(),
    }
}

/// The end of a number, enough to know one's own contacts by.
fn shortened(phone: &PhoneNumber) -> String {
    let digits = phone.as_str();
    let from = digits.len().saturating_sub(4);
    format!("…{}", digits.get(from..).unwrap_or_default())
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} stored events, nothing sent", self.events)?;
        writeln!(f, "            in service      edited")?;
        let rows = [
            ("runs", self.old.runs, self.new.runs),
            ("texts", self.old.texts, self.new.texts),
            ("people", self.old.people, self.new.people),
            ("segments", self.old.segments, self.new.segments),
        ];
        for (what, old, new) in rows {
            writeln!(f, "  {what:<10}{old:>10}{new:>12}")?;
        }
        match self.differing {
            0 => write!(f, "Nobody would get anything else.")?,
            1 => write!(f, "1 person would get something else:")?,
            many => write!(f, "{many} people would get something else:")?,
        }
        for example in &self.examples {
            write!(f, "\n  {} (from {:.0})", example.contact, example.at)?;
            for (mark, texts) in [("-", &example.old), ("+", &example.new)] {
                if texts.is_empty() {
                    write!(f, "\n    {mark} nothing")?;
                }
                for text in texts {
                    write!(f, "\n    {mark} {}", text.replace('\n', "\n      "))?;
                }
            }
        }
        if let Some(cut) = &self.cut {
            write!(f, "\nCut off: {cut}.")?;
        }
        Ok(())
    }
}
