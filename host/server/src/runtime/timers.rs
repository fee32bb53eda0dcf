//! The timers of the next hour, in memory. The store holds them all; what is
//! here is only when to look. A jump of the clock forward fires what is due, a
//! jump back fires nothing early.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringback_core::engine::Input;
use ringback_core::model::{Key, keys};
use ringback_store::Direction;
use tokio::sync::{Notify, Semaphore};
use tracing::{error, info};

use super::{Host, clock};

/// How far ahead timers are held in memory.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// How often the next hour is loaded again.
const RELOAD: Duration = Duration::from_mins(20);
/// The longest sleep: the wall clock may jump meanwhile.
const NAP: Duration = Duration::from_secs(10);
/// How many due timers are acted on at once.
const AT_ONCE: usize = 64;
/// How many keys are read from the store at a time.
const PAGE: usize = 1_000;

/// The timers of the next hour.
#[derive(Default)]
pub(super) struct Timers {
    /// In order of time: a timer's key starts with its due time.
    held: Mutex<BTreeSet<Key>>,
    changed: Notify,
    stopped: AtomicBool,
}

impl Timers {
    /// Holds a timer, if it is due within the next hour.
    pub(super) fn add(&self, key: Key) {
        let soon = clock::now().checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        if keys::timer_due(&key).is_none_or(|due| due > soon) {
            return;
        }
        let first = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(key.clone());
            held.first() == Some(&key)
        };
        if first {
            self.changed.notify_one();
        }
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Fires no more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Takes out the first timer, if it is due; else says how long to sleep.
    fn next(&self, now: Timestamp) -> Result<Key, Duration> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = held.first() else {
            return Err(NAP);
        };
        let due = keys::timer_due(first).unwrap_or(now);
        if due > now {
            let left = now.duration_until(due);
            return Err(Duration::try_from(left).unwrap_or(NAP).min(NAP));
        }
        held.pop_first().ok_or(NAP)
    }
}

/// Loads the timers of the next hour from the store.
pub(super) async fn load(host: &Host) -> Result<usize, ringback_store::Error> {
    let until = clock::now().checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let (mut from, to) = keys::timers_until(until);
    let mut loaded = 0;
    loop {
        let page = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        let full = page.len() == PAGE;
        loaded += page.len();
        if let Some((last, _)) = page.last() {
            from = Key::new([last.as_bytes(), &[0]].concat());
        }
        for (key, _) in page {
            host.timers.add(key);
        }
        if !full {
            return Ok(loaded);
        }
    }
}

/// Fires timers as they come due, until the host stops.
pub(super) async fn run(host: Arc<Host>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut reload = tokio::time::interval(RELOAD);
    reload.tick().await;
    while !host.timers.stopped.load(Ordering::Acquire) {
        match host.timers.next(clock::now()) {
            Ok(key) => {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                let host = Arc::clone(&host);
                tokio::spawn(async move {
                    fire(&host, key).await;
                    drop(permit);
                });
            }
            Err(nap) => {
                tokio::select! {
                    () = tokio::time::sleep(nap) => {}
                    () = host.timers.changed.notified() => {}
                    _ = reload.tick() => {
                        if let Err(problem) = load(&host).await {
                            error!("could not load the timers of the next hour: {problem}");
                        }
                    }
                }
            }
        }
    }
    info!("timers are stopped");
}

async fn fire(host: &Arc<Host>, key: Key) {
    if let Err(problem) = host.take(&Input::Timer(key.clone())).await {
        if host.is_stopping() {
            return;
        }
        error!("could not act on a timer, it is tried again: {problem}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        host.timers.add(key);
    }
}
