//! The timers that are due next, in memory. The store holds them all; what is here
//! is only when to look, and never more than some thousands of keys, however many
//! runs wait. A jump of the clock forward fires what is due, in order; a jump back
//! fires nothing early.

mod held;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringback_core::engine::Input;
use ringback_core::model::{Key, keys};
use ringback_store::{Direction, Store};
use tokio::sync::{Notify, Semaphore};
use tracing::{error, info};

use self::held::{Held, Next};
use super::{Host, clock};

/// How often everything that is held is compared with the store.
const PATROL: Duration = Duration::from_mins(20);
/// The longest sleep: the wall clock may jump meanwhile.
const NAP: Duration = Duration::from_secs(10);
/// The pause before the store is asked again after it failed.
const RETRY: Duration = Duration::from_secs(1);
/// How many due timers are acted on at once. After a long stop thousands may be due
/// together: webhooks share the store's groups of commits with this many at most.
const AT_ONCE: usize = 64;
/// With this many requests to providers under way, due timers wait: what they
/// start would only queue up in memory.
const BUSY: u64 = 1_024;
/// How many keys are read from the store at a time.
const PAGE: usize = 1_000;

/// The timers that are due next.
#[derive(Default)]
pub(super) struct Timers {
    held: Mutex<Held>,
    changed: Notify,
    stopped: AtomicBool,
}

impl Timers {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a timer that was just stored, if it is among the next ones.
    pub(super) fn add(&self, key: Key) {
        if self.held().add(key) {
            self.changed.notify_one();
        }
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held().len()
    }

    /// Fires no more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// Holds the next timers of the store: one page, from the first one that is not held.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn load(timers: &Timers, store: &dyn Store) -> Result<(), ringback_store::Error> {
    let Some(from) = timers.held().begin_load() else {
        return Ok(());
    };
    let (_, end) = keys::table(b't');
    let page = store.scan(&from, &end, PAGE, Direction::Forward).await;
    let page = page.inspect_err(|_| timers.held().give_up_load())?;
    let full = page.len() == PAGE;
    let found = page.into_iter().map(|(key, _)| key).collect();
    timers.held().end_load(found, full);
    Ok(())
}

/// Fires timers as they come due, until the host stops.
pub(super) async fn run(host: Arc<Host>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut patrol = tokio::time::interval(PATROL);
    patrol.tick().await;
    while !host.timers.stopped.load(Ordering::Acquire) {
        let next = host.timers.held().next(clock::now());
        match next {
            Next::Due(key) => {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                while host.requests_in_flight() >= BUSY && !host.is_stopping() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let host = Arc::clone(&host);
                tokio::spawn(async move {
                    fire(&host, key).await;
                    drop(permit);
                });
            }
            Next::Load => {
                if let Err(problem) = load(&host.timers, host.store.as_ref()).await {
                    error!("could not load the next timers: {problem}");
                    tokio::time::sleep(RETRY).await;
                }
            }
            Next::At(due) => {
                let left = clock::now().duration_until(due);
                let nap = Duration::try_from(left).unwrap_or(Duration::ZERO).min(NAP);
                sleep(&host, nap, &mut patrol).await;
            }
            Next::Nothing => sleep(&host, NAP, &mut patrol).await,
        }
    }
    info!("timers are stopped");
}

/// Sleeps until something changes. Now and then everything is looked at anew, so
/// that no mistake of memory outlives that.
async fn sleep(host: &Host, nap: Duration, patrol: &mut tokio::time::Interval) {
    tokio::select! {
        () = tokio::time::sleep(nap) => {}
        () = host.timers.changed.notified() => {}
        _ = patrol.tick() => host.timers.held().forget(),
    }
}

async fn fire(host: &Arc<Host>, key: Key) {
    let taken = host.take(&Input::Timer(key.clone())).await;
    let early = keys::timer_due(&key).is_some_and(|due| due > clock::now());
    match taken {
        // The clock was set back between the look and the step, which left it alone.
        Ok(_) if early => host.timers.add(key),
        Ok(_) => {}
        Err(_) if host.is_stopping() => {}
        Err(problem) => {
            error!("could not act on a timer, it is tried again: {problem}");
            tokio::time::sleep(RETRY).await;
            host.timers.add(key);
        }
    }
}

#[cfg(test)]
mod tests;
