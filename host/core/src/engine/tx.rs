//! What a step reads and writes: a transaction over facts that were handed in.
//! Reading a fact that is not there stops the step, which then answers with what
//! it needs. Every fact that was read becomes a precondition of the batch.
//!
//! Records are decoded once, however often a step reads them or is taken again,
//! and encoded once, at its end: a step writes the same record several times.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Command, Notice};
use crate::model::{
    Batch, CallId, Contact, ConversationId, Entries, Entry, Ids, Key, MessageId, Note, Notes,
    PhoneNumber, Precondition, Revision, RunId, Task, Timer, Versioned, keys, record,
};
use crate::planted::{Planted, planted};
use crate::policy::pace::{Granted, Wanted};
use crate::workflow::expression::{Brought, Rows};

/// What is known: of the store, by key (a key that is not in it is not known),
/// and of the schedules of the sending numbers.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    stored: HashMap<Key, Fact>,
    granted: HashMap<MessageId, Granted>,
    rough: bool,
}

impl Facts {
    /// Adds what the store said about a key: its value, or that it has none.
    pub fn insert(&mut self, key: Key, value: Option<Versioned>) {
        let fact = Fact {
            stored: value,
            record: OnceLock::new(),
        };
        self.stored.insert(key, fact);
    }

    /// Adds what the schedules said to a text. Whoever takes the step again after
    /// a conflict hands the same in, so that no text is charged twice.
    pub fn grant(&mut self, message: MessageId, granted: Granted) {
        self.granted.insert(message, granted);
    }

    /// Says that somewhere a provider takes nothing for now, or that settings do
    /// not work: then numbers without a rate ask for their turn, too.
    pub fn set_rough(&mut self, rough: bool) {
        self.rough = rough;
    }

    /// Whether it is known what the store holds for a key.
    pub fn knows(&self, key: &Key) -> bool {
        self.stored.contains_key(key)
    }

    /// What is known from a commit alone: the records that it wrote. Whoever else
    /// wrote them since shows as a conflict, as with any old fact.
    pub fn of_commit(records: Records, revision: Revision) -> Self {
        let facts = records.0.into_iter().map(|(key, written)| {
            let (stored, record) = match written {
                Some((value, record)) => {
                    let stored = Versioned { revision, value };
                    (Some(stored), OnceLock::from(record))
                }
                None => (None, OnceLock::new()),
            };
            (key, Fact { stored, record })
        });
        Self {
            stored: facts.collect(),
            ..Self::default()
        }
    }

    /// The record of a key, if it is known and there is one.
    pub fn record<T: Clone + 'static>(&self, key: &Key) -> Option<T> {
        let record = self.stored.get(key)?.record.get()?;
        record.downcast_ref::<T>().cloned()
    }
}

/// Records that a step wrote, for the next step of the same matter.
#[derive(Clone, Debug, Default)]
pub struct Records(Vec<(Key, Option<Kept>)>);

/// A record as bytes and as it is.
type Kept = (Arc<[u8]>, Arc<dyn Any + Send + Sync>);

/// What the store said about one key.
#[derive(Clone, Debug)]
struct Fact {
    stored: Option<Versioned>,
    /// The record, once somebody read it.
    record: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Fact {
    fn read<T: Stored + DeserializeOwned>(&self) -> Result<Option<T>, record::Error> {
        let Some(stored) = &self.stored else {
            return Ok(None);
        };
        if let Some(record) = self
            .record
            .get()
            .and_then(|known| known.downcast_ref::<T>())
        {
            return Ok(Some(record.clone()));
        }
        let record: T = record::decode(&stored.value)?;
        // A key holds one kind of record, so nobody else has set it to another.
        let _ = self.record.set(Arc::new(record.clone()));
        Ok(Some(record))
    }
}

/// What a record must be to be kept in memory until a step ends.
pub(super) trait Stored: Serialize + Clone + Send + Sync + 'static {}

impl<T: Serialize + Clone + Send + Sync + 'static> Stored for T {}

/// A record that a step wrote, as it is and not as bytes.
trait Written: Any + Send + Sync {
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<Arc<[u8]>, record::Error>;
}

impl<T: Stored> Written for T {
    fn encode(&self, buffer: &mut Vec<u8>) -> Result<Arc<[u8]>, record::Error> {
        record::encode_through(buffer, self)
    }
}

/// Why a step stopped before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// Facts are missing; they are listed in the transaction.
    Need,
    /// A stored record cannot be used.
    Broken(record::Error),
}

impl From<record::Error> for Halt {
    fn from(error: record::Error) -> Self {
        Self::Broken(error)
    }
}

/// The answer of everything that reads: a value, or the reason to stop.
pub(super) type Step<T> = Result<T, Halt>;

/// Work that one part of a step leaves for later in the same step. A queue and
/// not a call, so that texts and runs, which wake each other, do not recurse.
#[derive(Debug)]
pub(super) enum Follow {
    /// Let the next text of this conversation through, if it may.
    Pump(ConversationId),
    /// A text that this run waits for is settled.
    Resume(RunId, MessageId),
    /// A run has steps to take.
    Advance(RunId),
    /// A run that this one may be waiting for has ended.
    Join(RunId),
    /// A call that a run may be waiting for has ended.
    CallEnded(RunId, CallId),
    /// In this group of this workflow's runs it is the next one's turn.
    Next(String, String),
}

/// What a step came to, before it has an answer.
pub(super) struct Made {
    pub(super) batch: Batch,
    pub(super) records: Records,
    pub(super) commands: Vec<Command>,
    pub(super) notices: Vec<Notice>,
    pub(super) entries: Vec<Entry>,
}

/// The reads and writes of one step.
pub(super) struct Tx<'a> {
    facts: &'a Facts,
    reads: RefCell<BTreeSet<&'a Key>>,
    missing: RefCell<BTreeSet<Key>>,
    turns: RefCell<Vec<Wanted>>,
    writes: BTreeMap<Key, Option<Arc<dyn Written>>>,
    pub(super) commands: Vec<Command>,
    pub(super) notices: Vec<Notice>,
    pub(super) entries: Vec<Entry>,
    /// Additions to timelines: whose, the number of the first, and they.
    notes: Vec<(RunId, u32, Vec<Note>)>,
    follow: VecDeque<Follow>,
    /// Rows that a run's expressions asked for, while the step that asked is taken
    /// again: they come with the input and are stored by what is made of them.
    rows: Option<(RunId, Brought)>,
    /// How many entries of the feed were taken up as events.
    taken_up: usize,
    /// How many of them runs caused.
    pub(super) caused: u32,
    /// The last status that was taken up, by the id of its text or call.
    statuses: BTreeMap<String, &'static str>,
    pub(super) ids: Ids,
    pub(super) now: Timestamp,
}

impl<'a> Tx<'a> {
    pub(super) fn new(facts: &'a Facts, now: Timestamp, seed: u128) -> Self {
        Self {
            facts,
            reads: RefCell::default(),
            missing: RefCell::default(),
            turns: RefCell::default(),
            writes: BTreeMap::new(),
            commands: Vec::new(),
            notices: Vec::new(),
            entries: Vec::new(),
            notes: Vec::new(),
            follow: VecDeque::new(),
            rows: None,
            taken_up: 0,
            caused: 0,
            statuses: BTreeMap::new(),
            ids: Ids::new(now, seed),
            now,
        }
    }

    /// Says that these keys will be read, so that they are asked for together.
    pub(super) fn expect(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if !self.writes.contains_key(&key) && !self.facts.stored.contains_key(&key) {
                self.missing.borrow_mut().insert(key);
            }
        }
    }

    /// The record of a key, as this step left it.
    pub(super) fn get<T: Stored + DeserializeOwned>(&self, key: &Key) -> Step<Option<T>> {
        if let Some(written) = self.writes.get(key) {
            let Some(written) = written else {
                return Ok(None);
            };
            let record: &dyn Any = &**written;
            return match record.downcast_ref::<T>() {
                Some(record) => Ok(Some(record.clone())),
                None => Ok(Some(record::decode(&written.encode(&mut Vec::new())?)?)),
            };
        }
        let Some((key, fact)) = self.facts.stored.get_key_value(key) else {
            self.missing.borrow_mut().insert(key.clone());
            return Err(Halt::Need);
        };
        self.reads.borrow_mut().insert(key);
        Ok(fact.read()?)
    }

    /// The bytes of a record as they are stored, whatever this step wrote.
    pub(super) fn bytes(&self, key: &Key) -> Step<Option<&'a [u8]>> {
        let Some((key, fact)) = self.facts.stored.get_key_value(key) else {
            self.missing.borrow_mut().insert(key.clone());
            return Err(Halt::Need);
        };
        self.reads.borrow_mut().insert(key);
        Ok(fact.stored.as_ref().map(|versioned| &*versioned.value))
    }

    /// Writes a record. It becomes bytes when the step ends.
    pub(super) fn put<T: Stored>(&mut self, key: Key, value: &T) -> Step<()> {
        self.writes.insert(key, Some(Arc::new(value.clone())));
        Ok(())
    }

    /// Removes a record.
    pub(super) fn delete(&mut self, key: Key) {
        self.writes.insert(key, None);
    }

    /// The guard record of a number; a new one where the number was never seen.
    pub(super) fn contact(&self, number: &PhoneNumber) -> Step<Contact> {
        let stored = self.get(&keys::contact(number))?;
        Ok(stored.unwrap_or_else(|| Contact::new(number.clone(), self.now)))
    }

    /// Stores a contact.
    pub(super) fn put_contact(&mut self, contact: &Contact) -> Step<()> {
        self.put(keys::contact(&contact.phone), contact)
    }

    /// Sets a timer and gives its key. Keys count whole milliseconds, so the due
    /// time is rounded up to one: a key must never say earlier than its timer.
    pub(super) fn set_timer(&mut self, due: Timestamp, task: Task) -> Step<Key> {
        let up = TimestampRound::new()
            .smallest(Unit::Millisecond)
            .mode(RoundMode::Ceil);
        let due = due.round(up).unwrap_or(due);
        let key = keys::timer(due, self.ids.timer());
        self.put(key.clone(), &Timer { due, task })?;
        Ok(key)
    }

    /// Removes a timer that was set before, if it was.
    pub(super) fn drop_timer(&mut self, key: Option<Key>) {
        if let Some(key) = key {
            self.delete(key);
        }
    }

    /// What the schedules say to a text.
    pub(super) fn turn(&self, wanted: Wanted) -> Step<Granted> {
        if let Some(granted) = self.facts.granted.get(&wanted.message) {
            return Ok(granted.clone());
        }
        self.turns.borrow_mut().push(wanted);
        Err(Halt::Need)
    }

    /// Whether numbers without a rate must ask for their turn, too.
    pub(super) fn is_rough(&self) -> bool {
        self.facts.rough
    }

    /// The turns that were asked for, when the step stopped for them.
    pub(super) fn wanted_turns(&mut self) -> Vec<Wanted> {
        std::mem::take(self.turns.get_mut())
    }

    /// Adds an entry to the feed; it is completed by the caller.
    pub(super) fn tell(&mut self, kind: &str, fill: impl FnOnce(&mut Entry)) {
        let mut entry = Entry {
            id: self.ids.event(),
            at: self.now,
            kind: kind.to_owned(),
            contact: None,
            conversation: None,
            message: None,
            run: None,
            data: serde_json::Value::Null,
        };
        fill(&mut entry);
        self.entries.push(entry);
    }

    /// Adds a note to a run's timeline; `number` counts up with each.
    pub(super) fn note(&mut self, run: &RunId, number: u32, note: Note) {
        match self.notes.iter_mut().find(|(id, ..)| id == run) {
            Some((.., notes)) => notes.push(note),
            None => self.notes.push((run.clone(), number, vec![note])),
        }
    }

    /// Brings the rows that a run's step asked for: a list of `{of, rows}`.
    pub(super) fn bring_rows(&mut self, run: RunId, brought: &serde_json::Value) {
        let one = |one: &serde_json::Value| {
            let of: Rows = serde_json::from_value(one.get("of")?.clone()).ok()?;
            Some((of, Arc::new(one.get("rows")?.clone())))
        };
        let all = brought.as_array().into_iter().flatten();
        self.rows = Some((run, all.filter_map(one).collect()));
    }

    /// The rows that were brought for a run; none when nobody brought any.
    pub(super) fn rows(&self, run: &RunId) -> Option<Brought> {
        match &self.rows {
            Some((whose, rows)) if whose == run => Some(rows.clone()),
            _ => None,
        }
    }

    /// Leaves work for later in this step.
    pub(super) fn follow(&mut self, work: Follow) {
        self.follow.push_back(work);
    }

    /// The next piece of work that was left: the runs' first.
    pub(super) fn next_work(&mut self) -> Option<Follow> {
        let run = |work: &Follow| !matches!(work, Follow::Pump(_));
        let first = self.follow.iter().position(run)?;
        self.follow.remove(first)
    }

    /// The next conversation whose texts may leave. They leave last, so that the gate
    /// sees what the runs and events of this step came to.
    pub(super) fn next_text(&mut self) -> Option<Follow> {
        self.follow.pop_front()
    }

    /// The next entry of the feed that `wanted` is true for and that nobody has taken
    /// up as an event.
    pub(super) fn next_told(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Entry> {
        loop {
            let entry = self.entries.get(self.taken_up)?;
            self.taken_up += 1;
            if wanted(&entry.kind) {
                return Some(entry.clone());
            }
        }
    }

    /// A record as it was before this step, as far as the step knows it.
    pub(super) fn stored<T: Stored + DeserializeOwned>(&self, key: &Key) -> Step<Option<T>> {
        match self.facts.stored.get(key) {
            Some(fact) => Ok(fact.read()?),
            None => Ok(None),
        }
    }

    /// Whether a status is another than the one before: the last that was taken up in
    /// this step, else the one before the step.
    pub(super) fn is_news(
        &mut self,
        id: &str,
        status: &'static str,
        before: Option<&'static str>,
    ) -> bool {
        let last = self.statuses.insert(id.to_owned(), status);
        last.or(before) != Some(status)
    }

    /// The keys that were missing, when the step stopped for them.
    pub(super) fn into_missing(self) -> Vec<Key> {
        self.missing.into_inner().into_iter().collect()
    }

    /// The batch: what was written, under the condition of what was read.
    pub(super) fn into_batch(mut self) -> Step<Made> {
        let entries = Arc::new(std::mem::take(&mut self.entries));
        if let Some(first) = entries.first() {
            let key = keys::event(&first.id);
            self.put(key, &Entries::Many(Arc::clone(&entries)))?;
        }
        for (run, number, notes) in std::mem::take(&mut self.notes) {
            self.put(keys::note(&run, number), &Notes::Many(notes))?;
        }
        let reads = self.reads.into_inner();
        let unguarded = |key: &Key| planted(Planted::NoGuard) && key.as_bytes().starts_with(b"p/");
        let preconditions = reads
            .into_iter()
            .filter(|key| !unguarded(key))
            .filter_map(|key| {
                let fact = self.facts.stored.get(key)?;
                Some(match &fact.stored {
                    Some(versioned) => Precondition::At(key.clone(), versioned.revision),
                    None => Precondition::Absent(key.clone()),
                })
            });
        let preconditions = preconditions.collect();
        let (mut writes, mut records) = (BTreeMap::new(), Records::default());
        let mut buffer = Vec::with_capacity(2048);
        // Only a command has a next step, and that reads neither feed nor timeline.
        let goes_on = !self.commands.is_empty();
        for (key, written) in self.writes {
            let bytes = written
                .as_ref()
                .map(|one| one.encode(&mut buffer))
                .transpose()?;
            if goes_on && !keys::is_only_appended(&key) {
                let record = written.map(|one| one as Arc<dyn Any + Send + Sync>);
                records.0.push((key.clone(), bytes.clone().zip(record)));
            }
            writes.insert(key, bytes);
        }
        let batch = Batch {
            preconditions,
            writes,
        };
        Ok(Made {
            batch,
            records,
            commands: self.commands,
            notices: self.notices,
            entries: Arc::unwrap_or_clone(entries),
        })
    }
}
