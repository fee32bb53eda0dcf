//! Dead letters over HTTP.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringback_core::model::{Batch, EventId, Ids, RawWebhook, keys, record};
use serde_json::{Value, json};

use crate::api::tests::{ALICE, OURS, World};
use crate::runtime::clock;

/// A text that the provider refuses.
async fn refused(world: &World, body: &str) -> String {
    let text = json!({ "to": ALICE, "body": body, "agent": "front-desk" });
    let wait = [("prefer", "wait=10")];
    let (status, answer) = world
        .with_headers("POST /api/v1/messages", &wait, text)
        .await;
    assert_eq!(status, 422, "{answer}");
    answer["error"]["messageId"].as_str().unwrap().to_owned()
}

async fn letters(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/api/v1/dead-letters{query}")).await;
    answer["data"].as_array().unwrap().clone()
}

/// A webhook that is kept.
async fn kept(world: &World, hook: &str, body: &Value, verified: bool) -> EventId {
    let now = clock::now();
    let id = Ids::new(now, clock::seed()).event();
    let raw = RawWebhook {
        at: now,
        connection: "main".to_owned(),
        hook: hook.to_owned(),
        url: format!("http://127.0.0.1:1/hooks/main/{hook}"),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: BASE64_STANDARD.encode(body.to_string()),
        problem: "the plugin of that day could not read it".to_owned(),
        verified,
    };
    let mut batch = Batch::default();
    let bytes = record::encode(&raw).unwrap();
    batch.writes.insert(keys::raw_webhook(&id), Some(bytes));
    drop(world.store().commit(batch).await.unwrap());
    id
}

#[tokio::test]
async fn a_text_that_failed_is_listed_with_its_reason_and_sent_again() {
    let world = World::new().await;
    let id = refused(&world, "refuse this").await;
    let counts = world.get("/api/v1/attention").await;
    assert_eq!(
        counts["data"],
        json!({ "needsReview": 0, "unknown": 0, "failed": 1, "held": 0, "waiting": 0, "pendingApproval": 0,
                "twice": 0,
                "webhooks": 0, "connections": [], "workflows": [{ "file": "broken.yaml", "line": 1,
                "problem": "a workflow needs `on`", "inService": [], "certain": true }] })
    );
    let all = letters(&world, "").await;
    let [one] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(one["id"], id.as_str());
    assert_eq!(one["reason"], "bad_words");
    assert_eq!(one["problem"], "these words are not allowed");
    assert_eq!(one["kind"], "text");
    let by_status = world.get("/api/v1/messages?status=failed").await;
    assert_eq!(by_status["data"][0]["id"], id.as_str());
    for none in [
        "?kind=webhook",
        "?connection=pool",
        "?reason=other",
        "?since=2999-01-01T00:00:00Z",
    ] {
        assert_eq!(letters(&world, none).await, Vec::<Value>::new(), "{none}");
    }
    for some in [
        "?kind=text",
        "?connection=main",
        "?reason=not%20allowed",
        "?since=2h",
        "?since=1d",
    ] {
        assert_eq!(letters(&world, some).await.len(), 1, "{some}");
    }
    // The provider still does not like it: it is tried once and listed again.
    let path = format!("/api/v1/dead-letters/{id}/replay");
    let (status, answer) = world.post(&path, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let message = loop {
        let message = world.get(&format!("/api/v1/messages/{id}")).await;
        if message["data"]["status"] == "failed" {
            break message;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(message["data"]["attempts"].as_array().unwrap().len(), 2);
    let drop = format!("/api/v1/dead-letters/{id}/drop");
    for _ in 0..2 {
        let (status, answer) = world.post(&drop, json!({})).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(letters(&world, "").await, Vec::<Value>::new());
    assert_eq!(
        world.get(&format!("/api/v1/messages/{id}")).await["data"]["status"],
        "failed"
    );
}

#[tokio::test]
async fn a_kept_webhook_is_read_again_with_the_plugin_of_today() {
    let world = World::new().await;
    let text =
        json!({ "provider_id": "SIM1", "from": ALICE, "to": OURS, "body": "Hi", "media": [] });
    let id = kept(&world, "text", &text, true).await;
    let unsigned = kept(&world, "text", &text, false).await;
    let broken = kept(&world, "text", &json!({ "provider_id": "SIM2" }), true).await;
    assert_eq!(letters(&world, "?kind=webhook").await.len(), 3);
    let replay = async |id: &EventId| {
        let path = format!("/api/v1/dead-letters/{id}/replay");
        let (status, answer) = world.post(&path, json!({})).await;
        let said = answer["error"]["message"].as_str().unwrap_or_default();
        (status.as_u16(), said.to_owned())
    };
    assert_eq!(replay(&id).await, (200, String::new()));
    let texts = world.get("/api/v1/messages").await;
    assert_eq!(texts["data"][0]["body"], "Hi");
    assert_eq!(replay(&id).await.0, 404);
    // Whether it was genuine is not known: it is checked, and is not.
    assert_eq!(
        replay(&unsigned).await,
        (
            409,
            "it still cannot be read: its signature does not fit any more".to_owned()
        )
    );
    assert_eq!(
        replay(&broken).await,
        (409, "it still cannot be read: `from` is missing".to_owned())
    );
    let left = letters(&world, "").await;
    let mut problems: Vec<&str> = left
        .iter()
        .map(|one| one["problem"].as_str().unwrap())
        .collect();
    // Both came within a millisecond.
    problems.sort_unstable();
    assert_eq!(
        problems,
        ["`from` is missing", "its signature does not fit any more"]
    );
    let drop = format!("/api/v1/dead-letters/{broken}/drop");
    assert_eq!(world.post(&drop, json!({})).await.0, 200);
    assert_eq!(letters(&world, "").await.len(), 1);
}

#[tokio::test]
async fn many_at_once_with_a_filter() {
    let world = World::new().await;
    for number in 0..5 {
        refused(&world, &format!("refuse {number}")).await;
    }
    let text =
        json!({ "provider_id": "SIM1", "from": ALICE, "to": OURS, "body": "Hi", "media": [] });
    kept(&world, "text", &text, true).await;
    let broken = kept(&world, "text", &json!({}), true).await;
    // Pages: texts first, then webhooks.
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("/api/v1/dead-letters?limit=2{cursor}"))
            .await;
        seen.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    let kinds: Vec<&str> = seen
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["text", "text", "text", "text", "text", "webhook", "webhook"]
    );
    let bulk = async |body: Value| {
        let (status, answer) = world.post("/api/v1/dead-letters/replay", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    };
    assert_eq!(
        bulk(json!({ "connection": "pool" })).await,
        json!({ "replayed": 0, "left": [], "more": null })
    );
    assert_eq!(
        bulk(json!({ "kind": "webhook" })).await,
        json!({ "replayed": 1, "more": null,
                "left": [{ "id": broken, "why": "`provider_id` is missing" }] })
    );
    let texts = bulk(json!({ "reason": "not allowed", "since": "1h" })).await;
    assert_eq!(texts["replayed"], 5);
    let refused = world
        .refused("/api/v1/dead-letters/replay", json!({ "kind": "fax" }))
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "invalid_kind"));
    let refused = world
        .refused("/api/v1/dead-letters/replay", json!({ "since": "soon" }))
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "invalid_time"));
}

/// The agent `sales` has a connection that is not there.
#[tokio::test]
async fn a_connection_that_does_not_work_holds_its_texts_and_is_named() {
    let world = World::new().await;
    let text = json!({ "to": ALICE, "body": "Hello", "agent": "sales" });
    let wait = [("prefer", "wait=10")];
    let (status, answer) = world
        .with_headers("POST /api/v1/messages", &wait, text)
        .await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["data"]["status"], "queued");
    assert_eq!(answer["data"]["reason"], "misconfigured");
    assert!(answer["data"]["heldSince"].is_string());
    let open = world.get("/api/v1/attention").await;
    assert_eq!(open["data"]["held"], 1);
    assert_eq!(
        open["data"]["connections"],
        json!([{ "name": "pool", "code": "no_connection",
                 "problem": "there is no connection \"pool\"" }])
    );
    let held = world.get("/api/v1/messages?status=held").await;
    assert_eq!(held["data"][0]["id"], answer["data"]["id"]);
    let (status, retried) = world.post("/api/v1/messages/retry", json!({})).await;
    assert_eq!(
        (status.as_u16(), &retried["data"]["held"]),
        (200, &json!(1))
    );
    let refused = world
        .refused("/api/v1/messages/retry", json!({ "connection": "fax" }))
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "unknown_connection"));
    let refused = world.with_headers("GET /api/v1/messages?status=lost", &[], Value::Null);
    assert_eq!(refused.await.0, 400);
}

#[tokio::test]
async fn a_connection_that_never_was_is_no_empty_list() {
    let world = World::new().await;
    let ask = axum::http::Request::get("/api/v1/dead-letters?connection=nope")
        .header("x-api-key", crate::api::tests::KEY)
        .body(axum::body::Body::empty())
        .unwrap();
    let (status, said) = crate::api::tests::json_of(world.ask(ask).await).await;
    let words = "there is no connection \"nope\"; there is main and pool";
    assert_eq!(
        (status.as_u16(), &said["error"]["message"]),
        (400, &json!(words))
    );
    let refused = world
        .refused(
            "/api/v1/dead-letters/replay",
            json!({ "connection": "nope" }),
        )
        .await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "unknown_connection"));
    assert!(letters(&world, "?connection=main").await.is_empty());
    // One that is no longer configured has its letters still.
    let id = kept(&world, "text", &json!({}), true).await;
    let key = keys::raw_webhook(&id);
    let stored = world.store().get(&key).await.unwrap().unwrap();
    let mut raw: RawWebhook = record::decode(&stored.value).unwrap();
    raw.connection = "old".to_owned();
    let mut batch = Batch::default();
    batch
        .writes
        .insert(key, Some(record::encode(&raw).unwrap()));
    drop(world.store().commit(batch).await.unwrap());
    assert_eq!(letters(&world, "?connection=old").await.len(), 1);
}
