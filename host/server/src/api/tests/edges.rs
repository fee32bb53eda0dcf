//! What is the same for all routes: keys, sessions, bodies, errors, health.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{ALICE, KEY, World, json_of};
use crate::api::Options;
use crate::api::keys::Scope;

/// A raw request and the status and code it must be answered with.
async fn check(world: &World, request: Request<Body>, expected: (u16, &str)) {
    let (status, body) = json_of(world.ask(request).await).await;
    let code = body["error"]["code"].as_str().unwrap_or_default();
    assert_eq!((status.as_u16(), code), expected, "{body}");
}

fn post(headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post("/api/v1/messages");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn bodies_and_routes_are_refused_in_one_shape() {
    let world = World::new().await;
    let key = ("x-api-key", KEY);
    let kind = ("content-type", "application/json");
    check(&world, post(&[key], "{}"), (415, "content_type")).await;
    check(
        &world,
        post(&[key, ("content-type", "text/plain")], "{}"),
        (415, "content_type"),
    )
    .await;
    check(&world, post(&[key, kind], "[1]"), (400, "invalid_json")).await;
    check(&world, post(&[key, kind], "{"), (400, "invalid_json")).await;
    check(&world, post(&[key, kind], ""), (400, "invalid_json")).await;
    let large = format!("{{\"body\":\"{}\"}}", "x".repeat(1024 * 1024));
    check(&world, post(&[key, kind], large), (413, "too_large")).await;
    let get = |path: &str| {
        Request::get(path)
            .header("x-api-key", KEY)
            .body(Body::empty())
            .unwrap()
    };
    check(&world, get("/api/v1/nothing"), (404, "not_found")).await;
    check(&world, get("/nothing"), (404, "not_found")).await;
    check(&world, get("/v1/calls"), (405, "method_not_allowed")).await;
    check(
        &world,
        get("/api/v1/messages?limit=0"),
        (400, "invalid_limit"),
    )
    .await;
    check(
        &world,
        get("/api/v1/messages?cursor=x"),
        (400, "invalid_cursor"),
    )
    .await;
    check(
        &world,
        get("/api/v1/runs?status=odd"),
        (400, "invalid_status"),
    )
    .await;
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_named_with_a_suggestion() {
    let world = World::new().await;
    let check = async |path: &str, expected: &str| {
        let request = Request::get(format!("/api/v1/{path}"))
            .header("x-api-key", KEY)
            .body(Body::empty())
            .unwrap();
        let (status, body) = json_of(world.ask(request).await).await;
        assert_eq!(status, 400, "{path}: {body}");
        assert_eq!(body["error"]["code"], "unknown_parameter", "{path}");
        assert_eq!(body["error"]["message"], expected, "{path}");
    };
    let stauts = "there is no parameter `stauts`; did you mean `status`?";
    check("messages?stauts=failed", stauts).await;
    check("runs?limit=2&stauts=failed", stauts).await;
    let other = "there is no parameter `x` in this request";
    for list in [
        "conversations",
        "workflows",
        "keys",
        "dead-letters",
        "events",
        "events/stream",
    ] {
        check(&format!("{list}?x=1"), other).await;
    }
    let cursor = "there is no parameter `cursor` in this request";
    check("events?cursor=1", cursor).await;
}

#[tokio::test]
async fn a_plus_that_is_not_encoded_is_understood() {
    let world = World::new().await;
    let text = json!({ "to": ALICE, "body": "hi", "agent": "front-desk" });
    world.post("/api/v1/messages", text).await;
    for (contact, count) in [
        (ALICE.to_owned(), 1),
        (ALICE.replace('+', "%2B"), 1),
        ("+1 512 555 0142".replace(' ', "%20"), 1),
        ("+15125550143".to_owned(), 0),
    ] {
        let answer = world
            .get(&format!("/api/v1/messages?contact={contact}"))
            .await;
        assert_eq!(answer["data"].as_array().unwrap().len(), count, "{contact}");
        world.get(&format!("/api/v1/runs?contact={contact}")).await;
    }
    // A number without its plus stays a mistake: it may be a national one.
    let request = Request::get("/api/v1/messages?contact=15125550142")
        .header("x-api-key", KEY)
        .body(Body::empty())
        .unwrap();
    check(&world, request, (400, "invalid_number")).await;
    let of = async |way: &str| {
        let answer = world
            .get(&format!("/api/v1/messages?direction={way}"))
            .await;
        answer["data"].as_array().unwrap().len()
    };
    assert_eq!((of("outbound").await, of("inbound").await), (1, 0));
}

#[tokio::test]
async fn a_field_that_is_not_known_gets_a_suggestion() {
    let world = World::new().await;
    let body = json!({ "to": ALICE, "body": "hi", "agnet": "front-desk" });
    let (status, body) = world.post("/api/v1/messages", body).await;
    // `agent` is asked for first, as there are two.
    assert_eq!(
        (status.as_u16(), &body["error"]["field"]),
        (400, &json!("agent"))
    );
    let body = json!({ "to": ALICE, "body": "hi", "agent": "sales", "form": "+15125550101" });
    let (_, body) = world.post("/api/v1/messages", body).await;
    assert_eq!(
        body["error"]["message"],
        "there is no field `form`; did you mean `from`?"
    );
}

#[tokio::test]
async fn keys_and_sessions_open_what_they_should() {
    let world = World::new().await;
    let send = |headers: &[(&str, &str)]| {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        // Other words each time: the same ones would be held to be a mistake.
        let words = format!("hi {:x}", crate::runtime::clock::seed());
        post(
            &all,
            json!({ "to": ALICE, "body": words, "agent": "front-desk" }).to_string(),
        )
    };
    let (_, reader) = world
        .keys
        .create(world.store(), "r", &[Scope::Read])
        .await
        .unwrap();
    let (record, sender) = world
        .keys
        .create(world.store(), "s", &[Scope::Send])
        .await
        .unwrap();
    check(&world, send(&[]), (401, "unauthorized")).await;
    check(
        &world,
        send(&[("x-api-key", "wrong")]),
        (401, "unauthorized"),
    )
    .await;
    check(
        &world,
        send(&[("authorization", "Basic x")]),
        (401, "unauthorized"),
    )
    .await;
    check(
        &world,
        send(&[("x-api-key", &reader)]),
        (403, "scope_missing"),
    )
    .await;
    check(&world, send(&[("x-api-key", &sender)]), (202, "")).await;
    check(
        &world,
        send(&[("authorization", &format!("bearer {sender}"))]),
        (202, ""),
    )
    .await;
    check(&world, send(&[("cookie", "s=1")]), (403, "csrf")).await;
    check(
        &world,
        send(&[("cookie", "s=1"), ("x-csrf-token", "t")]),
        (202, ""),
    )
    .await;
    // A wrong key is not made good by a session.
    let both = [
        ("x-api-key", "wrong"),
        ("cookie", "s=1"),
        ("x-csrf-token", "t"),
    ];
    check(&world, send(&both), (401, "unauthorized")).await;
    let path = format!("DELETE /api/v1/keys/{}", record.id);
    let (status, _) = world.with_headers(&path, &[], Value::Null).await;
    assert_eq!(status, 200);
    check(
        &world,
        send(&[("x-api-key", &sender)]),
        (401, "unauthorized"),
    )
    .await;
    let (status, _) = world
        .with_headers(&path, &[("x-api-key", &reader)], Value::Null)
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn keys_are_made_over_http_and_shown_once() {
    let world = World::new().await;
    let (status, made) = world
        .post("/api/v1/keys", json!({ "name": "crm", "scopes": ["read"] }))
        .await;
    assert_eq!(status, 201);
    let key = made["data"]["key"].as_str().unwrap();
    let (status, _) = world
        .with_headers("GET /api/v1/runs", &[("x-api-key", key)], Value::Null)
        .await;
    assert_eq!(status, 200);
    let list = world.get("/api/v1/keys").await.to_string();
    assert!(list.contains("crm") && !list.contains(key), "{list}");
    let odd = json!({ "name": "crm", "scopes": ["reed"] });
    let refused = world.refused("/api/v1/keys", odd).await;
    assert_eq!(
        refused,
        (400, "unknown_scope".to_owned(), "scopes".to_owned())
    );
}

#[tokio::test]
async fn a_key_that_comes_too_often_is_told_when_to_come_again() {
    let world = World::with(Options {
        rate: (1, 3),
        ..Options::default()
    })
    .await;
    for _ in 0..3 {
        world.get("/api/v1/runs").await;
    }
    let request = Request::get("/api/v1/runs")
        .header("x-api-key", KEY)
        .body(Body::empty())
        .unwrap();
    let response = world.ask(request).await;
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn health_is_open_and_says_what_is_missing() {
    let world = World::new().await;
    let ask = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    check(&world, ask("/healthz"), (200, "")).await;
    check(&world, ask("/readyz"), (200, "")).await;
    let (_, metrics) = json_of(world.ask(ask("/metrics")).await).await;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "ringback_inputs_total{kind=\"workflow\"} 1\n",
        "ringback_ready 1\n",
        "ringback_store_up 1\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let host = Arc::clone(&world.host);
    host.stop(std::time::Duration::from_secs(1)).await;
    let (status, body) = json_of(world.ask(ask("/readyz")).await).await;
    assert_eq!(
        (status.as_u16(), &body["missing"][0]),
        (503, &json!("the host is shutting down"))
    );
}
