//! The feed: nothing is skipped, nothing comes twice.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use ringback_core::model::{Batch, Entries, Entry, EventId, Ids, keys, record};
use ringback_store::{Memory, Outcome, Store};
use serde_json::{Value, json};

use super::{after, latest};
use crate::api::tests::{ALICE, KEY, OURS, World};

fn entry(id: &EventId, at: Timestamp) -> Entry {
    Entry {
        id: id.clone(),
        at,
        kind: "test".to_owned(),
        contact: None,
        conversation: None,
        message: None,
        run: None,
        data: Value::Null,
    }
}

async fn commit(store: &Memory, first: &EventId, value: Arc<[u8]>) {
    let mut batch = Batch::default();
    batch.writes.insert(keys::event(first), Some(value));
    let done = store.commit(batch).await.unwrap();
    assert!(matches!(done, Outcome::Done(_)));
}

/// Commits so many entries whose ids were made at this time.
async fn put_many(store: &Memory, millis: i64, count: usize) -> Vec<EventId> {
    let at = Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap();
    let mut ids = Ids::new(at, u128::from(millis.unsigned_abs()));
    let entries: Vec<Entry> = (0..count).map(|_| entry(&ids.event(), at)).collect();
    let ids: Vec<EventId> = entries.iter().map(|entry| entry.id.clone()).collect();
    let value = record::encode(&Entries::Many(entries.into())).unwrap();
    commit(store, &ids[0], value).await;
    ids
}

/// Commits one entry as version 0.1.0 did.
async fn put(store: &Memory, millis: i64) -> EventId {
    let at = Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap();
    let id = Ids::new(at, u128::from(millis.unsigned_abs())).event();
    let value = record::encode(&entry(&id, at)).unwrap();
    commit(store, &id, value).await;
    id
}

/// Reads on from a cursor to the end, in pages.
async fn read(store: &Memory, cursor: &mut Option<EventId>, limit: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    loop {
        let page = after(store, cursor.as_ref(), limit).await.unwrap();
        assert!(page.len() <= limit);
        match page.last() {
            None => return ids,
            Some(last) => *cursor = Some(last.id.clone()),
        }
        ids.extend(page.into_iter().map(|entry| entry.id));
    }
}

#[tokio::test]
async fn entries_come_once_in_the_order_of_commits() {
    for limit in [1, 2, 3, 100] {
        let store = Memory::new();
        let mut cursor = None;
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        // Times of ids, in the order of commits; the reader comes by now and then.
        for (number, millis) in [5, 3, 9, 1, 8, 20, 12, 11, 9_000, 30, 40]
            .into_iter()
            .enumerate()
        {
            match number % 4 {
                3 => expected.push(put(&store, millis).await),
                more => expected.extend(put_many(&store, millis, more * 2 + 1).await),
            }
            if number % 3 == 0 {
                found.extend(read(&store, &mut cursor, limit).await);
            }
        }
        found.extend(read(&store, &mut cursor, limit).await);
        assert_eq!(found, expected, "limit {limit}");
        assert_eq!(latest(&store).await.unwrap(), expected.last().cloned());
    }
}

#[tokio::test]
async fn a_cursor_that_is_no_longer_kept_goes_on_by_id() {
    let store = Memory::new();
    let gone = Ids::new(Timestamp::from_millisecond(1_700_000_000_004).unwrap(), 1).event();
    put(&store, 3).await;
    let later = put(&store, 5).await;
    assert_eq!(read(&store, &mut Some(gone), 10).await, [later]);
}

fn missed() -> Value {
    json!({ "type": "call.missed", "from": ALICE, "to": OURS })
}

#[tokio::test]
async fn a_long_poll_ends_with_the_next_entry() {
    let world = Arc::new(World::new().await);
    let start = world.get("/api/v1/events?after=latest").await;
    assert_eq!(start["data"], json!([]));
    let cursor = start["next_cursor"].as_str().unwrap().to_owned();
    let asked = Arc::clone(&world);
    let path = format!("/api/v1/events?wait=20&after={cursor}");
    let poll = tokio::spawn(async move { asked.get(&path).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.post("/api/v1/events", missed()).await;
    let page = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .unwrap()
        .unwrap();
    let kinds: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].clone())
        .collect();
    assert_eq!(kinds, ["call.missed", "run.started", "run.waits"]);
    assert_eq!(page["next_cursor"], page["data"][2]["id"]);
    assert_eq!(page["data"][0]["contact"], ALICE);
}

#[tokio::test]
async fn a_stream_begins_now_and_goes_on_after_its_last_id() {
    let world = World::new().await;
    world.post("/api/v1/events", missed()).await;
    let open = async |last: Option<&str>| {
        let mut request = Request::get("/api/v1/events/stream").header("x-api-key", KEY);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.into_body().into_data_stream()
    };
    let mut live = open(None).await;
    world.post("/api/v1/events", missed()).await;
    let next = async |stream: &mut axum::body::BodyDataStream| {
        let next = tokio::time::timeout(Duration::from_secs(5), stream.next())
            .await
            .unwrap();
        String::from_utf8(next.unwrap().unwrap().to_vec()).unwrap()
    };
    let first = next(&mut live).await;
    assert!(
        first.starts_with("event: call.missed\n") && first.ends_with("\n\n"),
        "{first}"
    );
    let second = next(&mut live).await;
    assert!(second.starts_with("event: run.started\n"), "{second}");
    let id = first
        .lines()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap();
    let mut again = open(Some(id)).await;
    assert_eq!(next(&mut again).await, second);
}
