//! Following what happens, with a long poll. A cursor is the id of the last
//! entry that was handed out, and no entry after it is ever skipped.
//!
//! The order of the feed is the order of commits, and not that of ids: an id is
//! made shortly before its commit, so that an entry may appear after one with a
//! later id was already handed out. Every stored record carries the number of
//! its commit. "After the cursor" therefore means: a later commit than the
//! cursor's entry, or the same commit and a later id. What a client was given is
//! always a beginning of that order, and a commit is never added before another
//! one that was seen, so nothing is left out or comes twice.
//!
//! The entries of one commit are stored together, by the first id of them, so they
//! are looked for from a little before the cursor on, and a page is closed only when nothing with a later id can belong
//! before its end. How far ids and commits can be apart is the time from the
//! start of a step to its place in the queue of commits; ten seconds are allowed.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use ringback_core::model::{Entries, Entry, EventId, Key, Versioned, keys, record};
use ringback_store::{Direction, Store};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use super::super::page::{self, Params};
use super::super::{ApiState, Error, Reader};

/// How far ids and commits are apart at most, in milliseconds.
const APART: u128 = 10_000;
/// The most entries that are looked at around the cursor.
const AROUND: usize = 4_096;
/// The longest wait, in seconds.
const LONGEST: u64 = 60;

/// The place of an entry in the feed.
type Place = (u64, EventId);

/// A key that is `shift` milliseconds before or after an entry's.
fn shifted(key: &Key, shift: impl Fn(u128) -> u128) -> Option<Key> {
    let id = page::last_part(key);
    let hex: String = id
        .strip_prefix(EventId::PREFIX)?
        .chars()
        .filter(|c| *c != '-')
        .collect();
    // The first 48 bits of an id are its time in milliseconds.
    let millis = u128::from_str_radix(&hex, 16).ok()? >> 80;
    let shifted = shift(millis).min((1 << 48) - 1) << 80;
    EventId::parse(&format!("{}{shifted:032x}", EventId::PREFIX)).map(|id| keys::event(&id))
}

/// What one commit added to the feed.
struct Group {
    revision: u64,
    entries: Vec<Entry>,
}

fn groups(found: Vec<(Key, Versioned)>) -> Result<Vec<Group>, Error> {
    let group = |(_, stored): (Key, Versioned)| -> Result<Group, Error> {
        let entries: Entries = record::decode(&stored.value)?;
        Ok(Group {
            revision: stored.revision,
            entries: entries.into_vec(),
        })
    };
    found.into_iter().map(group).collect()
}

/// The commit that an entry belongs to, if the entry is kept. All entries of a
/// commit are of one millisecond.
async fn commit_of(store: &dyn Store, id: &EventId) -> Result<Option<u64>, Error> {
    let key = keys::event(id);
    let from = shifted(&key, |millis| millis).unwrap_or_else(|| key.clone());
    let before = page::after(&key);
    let found = store.scan(&from, &before, AROUND, Direction::Backward);
    let found = groups(found.await?)?;
    let own = |group: &&Group| group.entries.iter().any(|entry| entry.id == *id);
    Ok(found.iter().find(own).map(|group| group.revision))
}

/// The next entries after a cursor, in the order of the feed; from the oldest
/// on, without one.
pub(super) async fn after(
    store: &dyn Store,
    cursor: Option<&EventId>,
    limit: usize,
) -> Result<Vec<Entry>, Error> {
    let (first, end) = keys::table(b'e');
    let (mut found, from, place): (Vec<(Key, Versioned)>, Key, Option<Place>) = match cursor {
        None => (Vec::new(), first, None),
        Some(id) => {
            let key = keys::event(id);
            let from = page::after(&key);
            match commit_of(store, id).await? {
                // The entry is no longer kept: what has a later id is all there is.
                None => (Vec::new(), from, None),
                Some(revision) => {
                    let back = shifted(&key, |millis| millis.saturating_sub(APART));
                    let back = back.unwrap_or_else(|| key.clone());
                    let late = store
                        .scan(&back, &from, AROUND, Direction::Backward)
                        .await?;
                    (late, from, Some((revision, id.clone())))
                }
            }
        }
    };
    let ahead = store.scan(&from, &end, limit, Direction::Forward).await?;
    if ahead.len() == limit
        && let Some((last, _)) = ahead.last()
        && let Some(until) = shifted(last, |millis| millis.saturating_add(APART))
    {
        found.extend(
            store
                .scan(&page::after(last), &until, AROUND, Direction::Forward)
                .await?,
        );
    }
    found.extend(ahead);
    let placed = |group: Group| {
        let place = move |entry: Entry| ((group.revision, entry.id.clone()), entry);
        group.entries.into_iter().map(place)
    };
    let mut found: Vec<(Place, Entry)> = groups(found)?
        .into_iter()
        .flat_map(placed)
        .filter(|(at, _)| place.as_ref().is_none_or(|place| at > place))
        .collect();
    found.sort_by(|(one, _), (two, _)| one.cmp(two));
    Ok(found
        .into_iter()
        .take(limit)
        .map(|(_, entry)| entry)
        .collect())
}

/// The last entry of the feed.
pub(super) async fn latest(store: &dyn Store) -> Result<Option<EventId>, Error> {
    let (first, end) = keys::table(b'e');
    let newest = store.scan(&first, &end, 1, Direction::Backward).await?;
    let Some((key, _)) = newest.first() else {
        return Ok(None);
    };
    let back = shifted(key, |millis| millis.saturating_sub(APART)).unwrap_or(first);
    let around = store.scan(&back, &end, AROUND, Direction::Backward).await?;
    let last = groups(around)?
        .into_iter()
        .max_by_key(|group| group.revision);
    Ok(last.and_then(|group| Some(group.entries.last()?.id.clone())))
}

/// Where a client wants to go on: an entry's id, or `latest`.
pub(super) async fn start(state: &ApiState, text: Option<&str>) -> Result<Option<EventId>, Error> {
    match text {
        None => Ok(None),
        Some("latest") => latest(state.host.store()).await,
        Some(text) => EventId::parse(text).map(Some).ok_or_else(|| {
            let text = "`after` must be the id of an event, or `latest`";
            Error::field("after", "invalid_cursor", text)
        }),
    }
}

/// `GET /api/v1/events?after=&wait=&limit=`: the entries after a cursor; with
/// `wait`, as soon as there is one, for at most so many seconds.
pub(super) async fn poll(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only_of(&["after", "wait", "limit"])?;
    let limit = params.limit()?;
    let wait = match params.get("wait").map(str::parse::<u64>) {
        None => 0,
        Some(Ok(seconds)) => seconds.min(LONGEST),
        Some(Err(_)) => {
            let text = format!("`wait` must be a number of seconds from 0 to {LONGEST}");
            return Err(Error::field("wait", "invalid_wait", text));
        }
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
    // Followed from before the first look, so that nothing falls in between.
    let mut feed = state.host.follow();
    let cursor = start(&state, params.get("after")).await?;
    loop {
        let entries = after(state.host.store(), cursor.as_ref(), limit).await?;
        let over = state.host.is_stopping() || tokio::time::Instant::now() >= deadline;
        if !entries.is_empty() || over {
            let next = entries.last().map(|entry| entry.id.clone()).or(cursor);
            let data = entries.iter().map(shown).collect();
            return Ok(page::answer(data, next.map(|id| id.to_string())));
        }
        let nap = deadline.min(tokio::time::Instant::now() + Duration::from_secs(1));
        if let Ok(Err(RecvError::Closed)) = tokio::time::timeout_at(nap, feed.recv()).await {
            tokio::time::sleep_until(nap).await;
        }
    }
}

/// An entry with all its keys, `null` where there is nothing to say.
pub(super) fn shown(entry: &Entry) -> Value {
    serde_json::json!({
        "id": entry.id,
        "at": entry.at,
        "type": entry.kind,
        "contact": entry.contact,
        "conversation": entry.conversation,
        "message": entry.message,
        "run": entry.run,
        "data": entry.data,
    })
}

#[cfg(test)]
mod tests;
