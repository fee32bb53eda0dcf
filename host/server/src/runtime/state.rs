//! What a host is made of and how it stands: its parts, whether it takes work, what
//! it counts. What it does with an input stands in [`super::shell`].

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use ringback_core::engine::{self, Catalog, Setup};
use ringback_core::model::{Contact, Entry, Key, PhoneNumber, Secret, Versioned, keys, record};
use ringback_store::{Health, Store};
use tokio::sync::{Notify, broadcast};
use tracing::{error, warn};

use super::clock;
use super::connectors::Connectors;
use super::files::Files;
use super::files::stored::Remembered;
use super::outside::Outside;
use super::pacing::Pacing;
use super::timers::Timers;

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
    /// What steps may reach beside texts and calls.
    pub outside: Outside,
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
    pub(super) outside: ArcSwap<Outside>,
    pub(super) files: ArcSwap<Files>,
    /// What the store knows of the files.
    pub(super) remembered: ArcSwap<Remembered>,
    pub(super) timers: Timers,
    pub(super) base_url: ArcSwap<String>,
    /// Whether the workflows folder could not be read when it was last looked at.
    pub(super) folder_missing: AtomicBool,
    pub(super) stopped: RwLock<HashSet<PhoneNumber>>,
    pub(super) pacing: Pacing,
    pub(super) feed: broadcast::Sender<Entry>,
    pub(super) stopping: AtomicBool,
    pub(super) ready: AtomicBool,
    pub(super) disk_full: AtomicBool,
    pub(super) store_failed: AtomicBool,
    pub(super) in_flight: AtomicU64,
    pub(super) idle: Notify,
    pub(super) counts: RwLock<HashMap<&'static str, u64>>,
}

impl Host {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            store: parts.store,
            setup: ArcSwap::from_pointee(parts.setup),
            catalog: ArcSwap::default(),
            connectors: ArcSwap::from_pointee(parts.connectors),
            outside: ArcSwap::from_pointee(parts.outside),
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

    /// What steps may reach beside texts and calls.
    pub(super) fn outside(&self) -> Arc<Outside> {
        self.outside.load_full()
    }

    /// The folder that paths of files of rows are relative to.
    pub(crate) fn rows_folder(&self) -> PathBuf {
        self.outside.load().folder().to_path_buf()
    }

    /// A secret that workflow files name.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret> {
        self.outside.load().secret(name)
    }

    /// Where providers reach us, without a slash at the end.
    pub(crate) fn base_url(&self) -> Arc<String> {
        self.base_url.load_full()
    }

    /// Takes another configuration into use, for everything that is decided from
    /// now on. Workflow files that had problems are read again: it may have been
    /// the configuration that lacked a name.
    pub(crate) fn configure(
        &self,
        setup: Setup,
        connectors: Connectors,
        outside: Outside,
        base_url: String,
    ) {
        self.setup.store(Arc::new(setup));
        self.connectors.store(Arc::new(connectors));
        self.outside.store(Arc::new(outside));
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
