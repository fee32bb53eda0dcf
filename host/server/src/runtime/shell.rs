//! One input at a time: facts, decision, commit, and what follows from it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use ringback_core::engine::{
    self, Act, Answer, Catalog, Command, Decision, Facts, Input, Notice, Records, Setup, World,
};
use ringback_core::model::{Contact, Entry, Key, MessageId, PhoneNumber, Versioned, keys, record};
use ringback_core::policy::pace::Granted;
use ringback_store::{Health, Outcome, Permit, Store, commit_with};
use tokio::sync::{Notify, broadcast};
use tracing::{error, info, warn};

use super::connectors::Connectors;
use super::files::Files;
use super::files::stored::Remembered;
use super::pacing::Pacing;
use super::timers::Timers;
use super::{clock, perform};

/// How often a step is taken again after it lost to another one.
const TRIES: u32 = 64;
/// How many feed entries a slow follower may be behind before it is told so.
const FEED: usize = 4096;

/// Why an input could not be taken. The caller may try again: nothing of it
/// happened, or it will be seen as a repeat.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store could not read or write.
    #[error(transparent)]
    Store(#[from] ringback_store::Error),
    /// A stored record cannot be used.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A stored record cannot be used.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// Other steps kept changing the same records.
    #[error("take this now: too many others are changing the same records")]
    Contended,
    /// The host is shutting down.
    #[error("take more work: the host is shutting down")]
    Stopping,
    /// The disk is nearly full.
    #[error("take more work: the disk is nearly full")]
    DiskFull,
    /// The store takes nothing more until the next start.
    #[error("take more work: the store stopped after a failure")]
    StoreFailed,
}

/// What a host is made of.
pub(crate) struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The configuration, as the engine sees it.
    pub setup: Setup,
    /// Accounts at providers, with their components.
    pub connectors: Connectors,
    /// Where providers reach us, without a slash at the end.
    pub base_url: String,
}

/// A running host. Cheap to share; everything that happens goes through
/// [`Host::take`].
pub(crate) struct Host {
    pub(super) store: Arc<dyn Store>,
    pub(super) setup: ArcSwap<Setup>,
    pub(super) catalog: ArcSwap<Catalog>,
    pub(super) connectors: ArcSwap<Connectors>,
    pub(super) files: ArcSwap<Files>,
    /// What the store knows of the files.
    pub(super) remembered: ArcSwap<Remembered>,
    pub(super) timers: Timers,
    pub(super) base_url: ArcSwap<String>,
    /// Whether the workflows folder could not be read when it was last looked at.
    pub(super) folder_missing: AtomicBool,
    stopped: RwLock<HashSet<PhoneNumber>>,
    pub(super) pacing: Pacing,
    feed: broadcast::Sender<Entry>,
    stopping: AtomicBool,
    ready: AtomicBool,
    disk_full: AtomicBool,
    store_failed: AtomicBool,
    in_flight: AtomicU64,
    idle: Notify,
    counts: RwLock<HashMap<&'static str, u64>>,
}

impl Host {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            store: parts.store,
            setup: ArcSwap::from_pointee(parts.setup),
            catalog: ArcSwap::default(),
            connectors: ArcSwap::from_pointee(parts.connectors),
            files: ArcSwap::default(),
            remembered: ArcSwap::default(),
            timers: Timers::default(),
            base_url: ArcSwap::from_pointee(parts.base_url),
            folder_missing: AtomicBool::new(false),
            stopped: RwLock::default(),
            pacing: Pacing::default(),
            feed: broadcast::channel(FEED).0,
            stopping: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            disk_full: AtomicBool::new(false),
            store_failed: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            idle: Notify::new(),
            counts: RwLock::default(),
        })
    }

    /// The store, for reading. Writing goes through [`Host::take`], except for
    /// records that the engine does not know (API keys, raw webhooks).
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The configuration as the engine sees it.
    pub(crate) fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// The workflows.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The workflow files and their problems.
    pub(crate) fn files(&self) -> Arc<Files> {
        self.files.load_full()
    }

    /// Accounts at providers, with their components.
    pub(crate) fn connectors(&self) -> Arc<Connectors> {
        self.connectors.load_full()
    }

    /// Where providers reach us, without a slash at the end.
    pub(crate) fn base_url(&self) -> Arc<String> {
        self.base_url.load_full()
    }

    /// Takes another configuration into use, for everything that is decided from
    /// now on. Workflow files that had problems are read again: it may have been
    /// the configuration that lacked a name.
    pub(crate) fn configure(&self, setup: Setup, connectors: Connectors, base_url: String) {
        self.setup.store(Arc::new(setup));
        self.connectors.store(Arc::new(connectors));
        self.base_url.store(Arc::new(base_url));
        self.files
            .store(Arc::new(self.files.load().to_read_again()));
    }

    /// Follows the feed from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Entry> {
        self.feed.subscribe()
    }

    /// Whether everything is loaded and the host takes work.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_stopping()
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Takes no more work from now on; what is under way goes on.
    pub(crate) fn refuse(&self) {
        self.stopping.store(true, Ordering::Release);
        self.timers.stop();
    }

    /// Whether the host takes no more work.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Notes how the store is: with what it cannot take, nothing is begun.
    pub(super) fn note(&self, health: &Health) {
        // Why it failed is said by whoever ends the process for it.
        let failed = health.poisoned.is_some();
        self.store_failed.store(failed, Ordering::Release);
        let full = health.nearly_full;
        if self.disk_full.swap(full, Ordering::AcqRel) != full {
            if full {
                error!("the disk is nearly full: no more texts are started, webhooks get 503");
            } else {
                warn!("the disk has space again: texts are started again");
            }
        }
    }

    /// How often each kind of input was taken, for `/metrics`.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = counts.iter().map(|(name, count)| (*name, *count)).collect();
        counts.sort_unstable();
        counts
    }

    /// How many timers are held in memory.
    pub(crate) fn timers_held(&self) -> usize {
        self.timers.len()
    }

    /// How many provider requests are under way.
    pub(crate) fn requests_in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Takes an input from outside: refused while the host stops or the disk is
    /// nearly full, so that nobody is told yes who cannot be served.
    ///
    /// # Errors
    /// See [`Error`]; nothing of the input happened, or it will be seen as a repeat.
    pub(crate) async fn take(self: &Arc<Self>, input: &Input) -> Result<Answer, Error> {
        if self.is_stopping() {
            return Err(Error::Stopping);
        }
        if self.store_failed.load(Ordering::Acquire) {
            return Err(Error::StoreFailed);
        }
        if self.disk_full.load(Ordering::Acquire) {
            return Err(Error::DiskFull);
        }
        self.take_anyway(input).await
    }

    /// Takes an input that must not be refused: the outcome of what was begun.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn take_anyway(self: &Arc<Self>, input: &Input) -> Result<Answer, Error> {
        self.take_knowing(input, Facts::default()).await
    }

    /// Takes an input about which something is known already. What is old by now
    /// shows as a conflict, and is read anew.
    async fn take_knowing(
        self: &Arc<Self>,
        input: &Input,
        mut known: Facts,
    ) -> Result<Answer, Error> {
        let seed = clock::seed();
        // Kept over conflicts, so that no text is charged for a turn twice.
        let mut granted = Vec::new();
        for attempt in 0..TRIES {
            let facts = std::mem::take(&mut known);
            let act = self.decide(input, seed, facts, &mut granted).await?;
            if act.batch.is_empty() && act.commands.is_empty() {
                self.notice(&act.notices);
                return Ok(act.answer);
            }
            let Act {
                batch,
                records,
                commands,
                notices,
                entries,
                answer,
            } = act;
            let timers: Vec<Key> = batch
                .writes
                .iter()
                .filter(|(key, value)| value.is_some() && keys::timer_due(key).is_some())
                .map(|(key, _)| key.clone())
                .collect();
            match commit_with(self.store.as_ref(), batch, commands).await? {
                Outcome::Done(permits) => {
                    self.count(kind(input));
                    self.after(permits, records, &notices, entries, timers);
                    return Ok(answer);
                }
                Outcome::Conflict(_) => {
                    self.count("conflict");
                    if attempt > 8 {
                        tokio::time::sleep(Duration::from_millis(u64::from(attempt))).await;
                    }
                }
            }
        }
        Err(Error::Contended)
    }

    /// Loads facts until the engine can decide.
    async fn decide(
        &self,
        input: &Input,
        seed: u128,
        mut facts: Facts,
        granted: &mut Vec<(MessageId, Granted)>,
    ) -> Result<Act, Error> {
        let setup = self.setup.load();
        let catalog = self.catalog.load();
        let world = World {
            setup: &setup,
            workflows: &catalog,
        };
        let now = clock::now();
        facts.set_rough(self.pacing.is_rough());
        for (message, one) in granted.iter() {
            facts.grant(message.clone(), one.clone());
        }
        let mut expected = engine::expected(input);
        expected.retain(|key| !facts.knows(key));
        self.load(&mut facts, expected).await?;
        loop {
            match engine::step(world, &facts, input, now, seed)? {
                Decision::Act(act) => return Ok(act),
                Decision::Need(wanted) => self.load(&mut facts, wanted).await?,
                Decision::Turns(wanted) => {
                    for (message, one) in self.pacing.turns(wanted, now) {
                        facts.grant(message.clone(), one.clone());
                        granted.push((message, one));
                    }
                }
            }
        }
    }

    async fn load(&self, facts: &mut Facts, wanted: Vec<Key>) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let found = self.store.get_many(&wanted).await?;
        for (key, value) in wanted.into_iter().zip(found) {
            facts.insert(key, value);
        }
        Ok(())
    }

    /// What follows from a durable batch, in this order: what must be known
    /// before anybody is told, then the timers, then the world outside.
    fn after(
        self: &Arc<Self>,
        permits: Vec<Permit<Command>>,
        records: Records,
        notices: &[Notice],
        entries: Vec<Entry>,
        timers: Vec<Key>,
    ) {
        self.notice(notices);
        self.pace(notices);
        for key in timers {
            self.timers.add(key);
        }
        for entry in entries {
            // An error only says that nobody follows.
            let _ = self.feed.send(entry);
        }
        for permit in permits {
            let host = Arc::clone(self);
            let known = Facts::of_commit(records.clone(), permit.revision());
            self.in_flight.fetch_add(1, Ordering::AcqRel);
            tokio::spawn(async move {
                perform::perform(&host, permit, known).await;
                if host.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
                    host.idle.notify_waiters();
                }
            });
        }
    }

    pub(super) fn notice(&self, notices: &[Notice]) {
        if notices.is_empty() {
            return;
        }
        let mut stopped = self.stopped.write().unwrap_or_else(PoisonError::into_inner);
        for notice in notices {
            match notice {
                Notice::Stopped(phone) => stopped.insert(phone.clone()),
                Notice::Resumed(phone) => stopped.remove(phone),
                Notice::Undecided(id) => {
                    warn!(
                        "nobody could say whether the text {id} was sent: decide with `ringback \
                         messages decide {id} sent|resend|drop`, or in the dashboard"
                    );
                    continue;
                }
                Notice::SentAgain(id) => {
                    info!(
                        "nobody could say whether the text {id} was sent: it is sent again, as its \
                         `on_unknown: resend` says; the contact may get it twice"
                    );
                    continue;
                }
                Notice::Slowed(..) | Notice::Broken(..) | Notice::Works(_) => continue,
            };
        }
    }

    /// Whether a number was stopped since the host started: the last look before
    /// the first byte of a text.
    pub(super) fn was_stopped(&self, phone: &PhoneNumber) -> bool {
        self.stopped
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(phone)
    }

    pub(super) fn count(&self, name: &'static str) {
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name).or_default() += 1;
    }

    /// Stores the outcome of something that was begun, for as long as it takes:
    /// if the process dies before, the next start settles it. `known` is what the
    /// commit that began it wrote.
    pub(super) async fn conclude(self: &Arc<Self>, input: Input, mut known: Facts) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.take_knowing(&input, std::mem::take(&mut known)).await {
                Ok(_) => return,
                Err(problem) => {
                    error!("could not store an outcome: {problem}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    /// A record by its key.
    ///
    /// # Errors
    /// When the store cannot be read, or the record cannot be used.
    pub(crate) async fn read<T: serde::de::DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<T>, Error> {
        match self.store.get(key).await? {
            Some(Versioned { value, .. }) => Ok(Some(record::decode(&value)?)),
            None => Ok(None),
        }
    }

    /// A contact; a new one where the number was never seen.
    ///
    /// # Errors
    /// When the store cannot be read, or the record cannot be used.
    pub(crate) async fn contact(&self, phone: &PhoneNumber) -> Result<Contact, Error> {
        let stored = self.read(&keys::contact(phone)).await?;
        Ok(stored.unwrap_or_else(|| Contact::new(phone.clone(), clock::now())))
    }

    /// Stops taking work, and waits for requests under way, at most this long.
    /// What is not finished by then is settled at the next start.
    pub(crate) async fn stop(&self, patience: Duration) {
        self.refuse();
        let drained = async {
            loop {
                let idle = self.idle.notified();
                if self.requests_in_flight() == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(patience, drained).await.is_err() {
            let left = match self.requests_in_flight() {
                1 => "1 request was".to_owned(),
                left => format!("{left} requests were"),
            };
            warn!("{left} still under way; what became of it is found out at the next start");
        }
    }
}

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Text(_) => "text",
        Input::Report(_) => "report",
        Input::Call(_) => "call",
        Input::Send(_) => "send",
        Input::Place(_) => "place",
        Input::Start(_) => "start",
        Input::Timer(_) => "timer",
        Input::Sent(..) => "sent",
        Input::Looked(..) => "looked",
        Input::Placed(..) => "placed",
        Input::LostText(_) | Input::LostCall(_) => "lost",
        Input::Cancel(_) => "cancel",
        Input::Release(_) | Input::Take(..) => "handoff",
        Input::OptOut(..) => "opt_out",
        Input::Decide(..) => "decide",
        Input::Replay(_) | Input::Dismiss(_) => "replay",
        Input::Define(_) | Input::Undefine(_) => "workflow",
        Input::Expire(_) => "expire",
    }
}
