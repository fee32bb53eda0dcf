//! Housekeeping in the background: reads the store in small pages, as
//! [`Sweep`] says, and hands what is old to the engine, which decides what may go.
//! Paced, so that webhooks do not wait for it; what it has not done when the process
//! ends, the next one does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ringback_core::engine::retention::{DEFINITIONS, Sweep, ripe};
use ringback_core::engine::{Answer, Input};
use ringback_core::model::{Batch, Head, Key, Run, StoredDefinition, keys, record};
use ringback_store::Direction;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Error, Host, clock};

/// How many records are read from the store at a time: writers wait meanwhile.
const PAGE: usize = 250;
/// How many records are removed in one commit. A run has several more with it.
const AT_ONCE: usize = 40;
/// After each piece of work it rests this many times as long as that took, so that
/// it never has more than a third of a processor, or of the disk.
const REST: u32 = 2;
/// The least rest after each piece of work.
const BREATH: Duration = Duration::from_millis(2);
/// A wall clock that moved by so much more or less than time passed is not believed
/// for a while: what a wrong clock removes cannot be brought back.
const JUMP: SignedDuration = SignedDuration::from_mins(30);
/// The name of the record that says where the sweep stands.
const PLACE: &str = "sweep";

/// When housekeeping is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// After the start of the host: the clock may have to be set first.
    first: Duration,
    /// From the end of one round to the next.
    round: Duration,
    /// How long a clock is not believed after it jumped.
    doubt: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_mins(2),
            round: Duration::from_mins(1),
            doubt: Duration::from_hours(1),
        }
    }
}

/// Keeps house until the host stops.
pub(super) async fn run(host: Arc<Host>, pace: Pace) {
    let mut sweep = place(&host).await;
    let mut watch = Watch::new(clock::now(), Instant::now());
    let mut pause = pace.first;
    while rest(&host, pause).await {
        pause = pace.round;
        let moved = watch.moved(clock::now(), Instant::now());
        if moved.abs() > JUMP {
            let seconds = moved.as_secs();
            warn!("the clock moved by {seconds} s at once: nothing old is removed for a while");
            pause = pace.doubt;
            continue;
        }
        match round(&host, &mut sweep).await {
            Ok(0) | Err(Error::Stopping) => {}
            Ok(removed) => info!("{removed} records were kept long enough and are gone"),
            Err(problem) => error!("could not remove what was kept long enough: {problem}"),
        }
    }
}

/// Sleeps; false when the host stops.
async fn rest(host: &Host, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    while !host.is_stopping() && Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
    !host.is_stopping()
}

/// Compares the wall clock with the time that passed.
struct Watch {
    wall: Timestamp,
    passed: Instant,
}

impl Watch {
    fn new(wall: Timestamp, passed: Instant) -> Self {
        Self { wall, passed }
    }

    /// By how much the wall clock moved beyond the time that passed since the last look.
    fn moved(&mut self, wall: Timestamp, passed: Instant) -> SignedDuration {
        let shown = wall.duration_since(self.wall);
        let really = passed.saturating_duration_since(self.passed);
        *self = Self::new(wall, passed);
        shown.saturating_sub(SignedDuration::try_from(really).unwrap_or(SignedDuration::MAX))
    }
}

/// Where the last process was.
async fn place(host: &Host) -> Sweep {
    match host.read(&keys::housekeeping(PLACE)).await {
        Ok(sweep) => sweep.unwrap_or_default(),
        Err(problem) => {
            warn!("where housekeeping stood is lost, it begins anew: {problem}");
            Sweep::default()
        }
    }
}

/// One round: everything that has come of age. How many records went.
pub(super) async fn round(host: &Arc<Host>, sweep: &mut Sweep) -> Result<usize, Error> {
    let before = sweep.clone();
    // One time for the whole round: what comes of age meanwhile is for the next one.
    let now = clock::now();
    let new_lap = sweep.begin(now);
    let mut removed = 0;
    while let Some(page) = sweep.next(&host.setup().retention, now) {
        if host.is_stopping() {
            break;
        }
        let begun = Instant::now();
        let retention = host.setup().retention.clone();
        let found = host
            .store
            .scan(&page.from, &page.to, PAGE, Direction::Forward)
            .await?;
        let old: Vec<Key> = found
            .iter()
            .filter(|(key, versioned)| ripe(&retention, key, &versioned.value, now))
            .map(|(key, _)| key.clone())
            .collect();
        pause(begun).await;
        for some in old.chunks(AT_ONCE) {
            let begun = Instant::now();
            removed += expire(host, some.to_vec()).await?;
            pause(begun).await;
        }
        let last = found.last().filter(|_| found.len() == PAGE);
        sweep.looked(&page, last.map(|(key, _)| key));
    }
    if new_lap {
        removed += definitions(host).await?;
    }
    if *sweep != before {
        store_place(host, sweep).await?;
    }
    Ok(removed)
}

/// Rests in proportion to the work that was done.
async fn pause(begun: Instant) {
    tokio::time::sleep((begun.elapsed() * REST).max(BREATH)).await;
}

async fn expire(host: &Arc<Host>, old: Vec<Key>) -> Result<usize, Error> {
    match host.take(&Input::Expire(old)).await? {
        Answer::Expired(removed) => Ok(removed),
        _ => Ok(0),
    }
}

/// Only this module writes the record, so there is nothing it could lose to.
async fn store_place(host: &Host, sweep: &Sweep) -> Result<(), Error> {
    let mut batch = Batch::default();
    let value = record::encode(sweep)?;
    batch.writes.insert(keys::housekeeping(PLACE), Some(value));
    let _ = host.store.commit(batch).await?;
    Ok(())
}

/// Definitions that another one replaced long ago and that no run refers to. All
/// runs are looked through for that, but only if there is such a definition.
async fn definitions(host: &Arc<Host>) -> Result<usize, Error> {
    let mut candidates = replaced(host).await?;
    if candidates.is_empty() {
        return Ok(0);
    }
    let (mut from, to) = keys::table(b'r');
    loop {
        if host.is_stopping() {
            return Ok(0);
        }
        let begun = Instant::now();
        let page = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        for (_, versioned) in &page {
            let run: Run = record::decode(&versioned.value)?;
            candidates.remove(&run.definition);
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE && !candidates.is_empty() => {
                from = super::after(last);
            }
            _ => break,
        }
        pause(begun).await;
    }
    let mut removed = 0;
    for hash in candidates {
        let key = keys::definition(&hash);
        if expire(host, vec![key]).await? == 1 {
            removed += 1;
            host.catalog.rcu(|catalog| {
                let mut catalog = (**catalog).clone();
                catalog.by_hash.remove(&hash);
                catalog
            });
        }
    }
    Ok(removed)
}

/// The hashes of definitions that another one replaced long ago.
async fn replaced(host: &Host) -> Result<BTreeSet<String>, Error> {
    let mut old = BTreeSet::new();
    let now = clock::now();
    let (mut from, to) = keys::table(b'd');
    loop {
        let page = host
            .store
            .scan(&from, &to, PAGE, Direction::Forward)
            .await?;
        for (key, versioned) in &page {
            let stored: StoredDefinition = record::decode(&versioned.value)?;
            let id = &stored.definition.id;
            let head: Option<Head> = host.read(&keys::workflow(id)).await?;
            if let (Some(head), Some(hash)) = (head, keys::name_of(key))
                && head.definition != hash
                && now.duration_since(head.since) > DEFINITIONS
            {
                old.insert(hash.to_owned());
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = super::after(last),
            _ => return Ok(old),
        }
    }
}

#[cfg(test)]
mod tests;
