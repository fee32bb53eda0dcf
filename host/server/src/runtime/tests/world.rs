//! A host without plugins over a store that counts what is read, and stores that
//! hold as much as years of business leave.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringback_core::engine::{Agent, CallOutcome, CallReport, Inbound, Input, Setup};
use ringback_core::model::{
    Batch, Conversation, Direction as Way, Enrollment, Ids, Key, Message, Note, PhoneNumber, Run,
    RunStatus, Task, Timer, Versioned, Waiting, keys, record,
};
use ringback_store::{
    Answer, Commit, Direction, Error, Health, Memory, Options, Outcome, Sled, Store,
};

use crate::runtime::{Connectors, Host, Parts, Requests, clock, start};

/// Whether the long form was asked for.
pub(crate) fn long() -> bool {
    std::env::var("RINGBACK_PROOF").is_ok_and(|how| how == "long")
}

/// A store that counts what is read of it, and remembers the timers that went.
pub(crate) struct Counting {
    inner: Arc<dyn Store>,
    /// Keys that were asked for by name.
    pub(crate) keys: AtomicU64,
    /// Records that scans gave.
    pub(crate) rows: AtomicU64,
    /// Scans.
    pub(crate) scans: AtomicU64,
    /// Timers in the order in which they were removed, and when.
    pub(crate) fired: Mutex<Vec<(Key, Timestamp)>>,
}

impl Counting {
    pub(crate) fn over(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            keys: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            scans: AtomicU64::new(0),
            fired: Mutex::default(),
        })
    }

    /// Keys, scans and rows read since the last call.
    pub(crate) fn read(&self) -> [u64; 3] {
        [&self.keys, &self.scans, &self.rows].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

impl Store for Counting {
    fn commit(&self, batch: Batch) -> Answer<'_, Result<Commit, Error>> {
        Box::pin(async move {
            let removed = batch.writes.iter().filter(|(_, value)| value.is_none());
            let timers = removed.filter(|(key, _)| keys::timer_due(key).is_some());
            let timers: Vec<Key> = timers.map(|(key, _)| key.clone()).collect();
            let outcome = self.inner.commit(batch).await?;
            if matches!(outcome, Outcome::Done(_)) {
                let now = clock::now();
                let fired = timers.into_iter().map(|key| (key, now));
                self.fired.lock().unwrap().extend(fired);
            }
            Ok(outcome)
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Result<Option<Versioned>, Error>> {
        self.keys.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key)
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [Key],
    ) -> Answer<'a, Result<Vec<Option<Versioned>>, Error>> {
        self.keys.fetch_add(keys.len() as u64, Ordering::SeqCst);
        self.inner.get_many(keys)
    }

    fn scan<'a>(
        &'a self,
        from: &'a Key,
        to: &'a Key,
        limit: usize,
        direction: Direction,
    ) -> Answer<'a, Result<Vec<(Key, Versioned)>, Error>> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let found = self.inner.scan(from, to, limit, direction).await?;
            self.rows.fetch_add(found.len() as u64, Ordering::SeqCst);
            Ok(found)
        })
    }

    fn health(&self) -> Answer<'_, Health> {
        self.inner.health()
    }

    fn checkpoint(&self) -> Answer<'_, Result<(), Error>> {
        self.inner.checkpoint()
    }

    fn close(&self) -> Answer<'_, Result<(), Error>> {
        self.inner.close()
    }
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

/// The real store, in a folder.
pub(crate) async fn sled(folder: &Path) -> Arc<dyn Store> {
    let options = Options::new(folder);
    let store = tokio::task::spawn_blocking(move || Sled::open(options).unwrap());
    Arc::new(store.await.unwrap())
}

pub(crate) const OURS: &str = "+15125550100";

pub(crate) fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

/// The n-th person who calls.
pub(crate) fn person(number: u64) -> PhoneNumber {
    phone(&format!("+1312{number:07}"))
}

const WORKFLOW: &str =
    "name: asks\non: call.missed\nenroll: { again: always }\nsteps:\n  - id: pause\n    wait: 2h\n";

/// A host over a store, and its workflows folder.
pub(crate) struct World {
    pub(crate) host: Arc<Host>,
    folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("asks.yaml"), WORKFLOW).unwrap();
        Self::of(store, folder).await
    }

    pub(crate) async fn of(store: Arc<dyn Store>, folder: tempfile::TempDir) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let desk = Agent {
            id: "desk".to_owned(),
            name: "Ava".to_owned(),
            numbers: vec![phone(OURS)],
            connection: Some("main".to_owned()),
            calls: None,
            voice: None,
            inbound: Inbound::Off,
        };
        let setup = Setup {
            agents: BTreeMap::from([("desk".to_owned(), desk)]),
            ..Setup::default()
        };
        let requests = Requests::new(Duration::from_secs(30)).unwrap();
        let parts = Parts {
            store,
            setup,
            connectors: Connectors::new(BTreeMap::new(), requests),
            outside: crate::runtime::Outside::new(&crate::config::Config::demo(
                &crate::config::Overrides::default(),
                &crate::config::System,
            ))
            .unwrap(),
            base_url: "http://127.0.0.1:1".to_owned(),
        };
        let host = start(parts, folder.path().to_owned()).await.unwrap();
        let folder = Some(folder);
        Self { host, folder }
    }

    pub(crate) fn workflows(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Ends the host, and gives its folder for another one.
    pub(crate) fn into_folder(mut self) -> tempfile::TempDir {
        self.folder.take().unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.host.refuse();
    }
}

/// A missed call.
pub(crate) fn missed(provider_id: &str, from: PhoneNumber) -> Input {
    Input::Call(CallReport {
        connection: "main".to_owned(),
        provider_id: provider_id.to_owned(),
        id: None,
        direction: Way::Inbound,
        from: Some(from),
        to: Some(phone(OURS)),
        outcome: CallOutcome::NoAnswer,
        forwarded: false,
        started_at: None,
        ended_at: None,
        duration: None,
        summary: None,
        transcript: None,
        recording_url: None,
        cause: None,
    })
}

/// Commits records in large batches.
pub(crate) async fn put(store: &dyn Store, records: impl IntoIterator<Item = (Key, Arc<[u8]>)>) {
    let mut batch = Batch::default();
    for (key, value) in records {
        batch.writes.insert(key, Some(value));
        if batch.writes.len() == 2_000 {
            let batch = std::mem::take(&mut batch);
            assert!(matches!(store.commit(batch).await, Ok(Outcome::Done(_))));
        }
    }
    assert!(matches!(store.commit(batch).await, Ok(Outcome::Done(_))));
}

fn bytes<T: serde::Serialize>(record: &T) -> Arc<[u8]> {
    record::encode(record).unwrap()
}

fn golden() -> Run {
    let json = include_bytes!("../../../../core/src/engine/tests/golden/run.json");
    serde_json::from_slice(json).unwrap()
}

/// The records of so many runs that ended at a time, each with a timeline, a text
/// and the last enrollment of its contact.
pub(crate) fn finished(
    count: u64,
    ended: Timestamp,
) -> impl Iterator<Item = (Key, Arc<[u8]>)> + use<> {
    let json = include_bytes!("../../../../core/src/engine/tests/golden/message.json");
    let text: Message = serde_json::from_slice(json).unwrap();
    let template = golden();
    (0..count).flat_map(move |number| {
        let mut ids = Ids::new(ended, u128::from(number) | 1 << 80);
        let contact = person(number % 1_000_000);
        let mut run = template.clone();
        run.id = ids.run();
        run.contact = Some(contact.clone());
        run.key = contact.to_string();
        run.status = RunStatus::Finished;
        run.waiting = None;
        run.notes = 3;
        run.finished_at = Some(ended);
        let mut text = text.clone();
        text.id = ids.message();
        text.contact = contact.clone();
        text.status = ringback_core::model::Status::Delivered;
        text.updated_at = ended;
        text.conversation = ids.conversation();
        let thread = Conversation {
            id: text.conversation.clone(),
            agent: "desk".to_owned(),
            contact: contact.clone(),
            created_at: ended,
            last_at: ended,
            last_inbound_at: None,
            last_text: None,
            number: None,
            handoff: None,
            lane: Vec::new(),
            deferred: Vec::new(),
            in_flight: None,
        };
        let enrollment = Enrollment {
            run: run.id.clone(),
            at: ended,
            active: false,
        };
        let mut records = vec![
            (keys::conversation(&thread.id), bytes(&thread)),
            (keys::place(&thread.id, &text.id), bytes(&())),
            (keys::message(&text.id), bytes(&text)),
            (keys::taken("main", &format!("I{number}")), bytes(&text.id)),
            (
                keys::enrollment("asks", contact.as_str()),
                bytes(&enrollment),
            ),
        ];
        for one in 0..run.notes {
            let note = Note {
                at: ended,
                step: None,
                what: "sent".to_owned(),
                text: "main took it (accepted)".to_owned(),
            };
            records.push((keys::note(&run.id, one), bytes(&note)));
        }
        records.push((keys::run(&run.id), bytes(&run)));
        records
    })
}

/// The records of so many runs that wait, each with its timer, the first one due at
/// a time and each next one a little later.
pub(crate) fn waiting(
    count: u64,
    first: Timestamp,
    apart: SignedDuration,
) -> impl Iterator<Item = (Key, Arc<[u8]>)> + use<> {
    let template = golden();
    (0..count).flat_map(move |number| {
        let mut ids = Ids::new(first, u128::from(number) | 1 << 81);
        let due = first + apart * i32::try_from(number).unwrap();
        let mut run = template.clone();
        run.id = ids.run();
        run.contact = None;
        run.conversation = None;
        run.key = String::new();
        // At its end when it wakes: no definition, no next step.
        run.event = Arc::new(serde_json::json!({ "type": "manual" }));
        let timer = keys::timer(due, ids.timer());
        run.waiting = Some(Waiting::Time {
            until: due,
            timer: timer.clone(),
        });
        let task = Task::Wake {
            run: run.id.clone(),
        };
        [
            (keys::run(&run.id), bytes(&run)),
            (timer, bytes(&Timer { due, task })),
        ]
    })
}

/// The share of sorted times that are at most this.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len() - 1);
    times[at]
}
