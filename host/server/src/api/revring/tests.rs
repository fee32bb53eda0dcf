//! RevRing's documented behaviours, by their numbers.

use std::time::Duration;

use ringback_core::model::{Message, Problem, Status};
use serde_json::{Value, json};

use crate::api::Options;
use crate::api::tests::{ALICE, OURS, World};
use crate::api::wait::outcome;

const TO: &str = "/v1/messages";

fn text(body: &str) -> Value {
    json!({ "to": ALICE, "agentId": "front-desk", "body": body })
}

/// A refused request: its status, code and field.
async fn check(world: &World, path: &str, body: Value, expected: (u16, &str, &str)) {
    let (status, code, field) = world.refused(path, body.clone()).await;
    assert_eq!((status, code.as_str(), field.as_str()), expected, "{body}");
}

#[tokio::test]
async fn a_text_comes_back_with_the_providers_id() {
    let world = World::new().await;
    for path in ["/v1/messages", "/revring/v1/messages"] {
        let (status, body) = world.post(path, text(path)).await;
        assert_eq!(status, 200, "{body}");
        let data = &body["data"];
        for (name, value) in [
            ("status", json!("accepted")),
            ("providerMessageId", json!("SM1")),
            ("fromNumber", json!(OURS)),
            ("toNumber", json!(ALICE)),
            ("agentId", json!("front-desk")),
            ("messagingConnectionId", json!("main")),
            ("callId", Value::Null),
            ("channel", json!("sms")),
            ("generatedByLlm", json!(false)),
            ("errorMessage", Value::Null),
            ("direction", json!("outbound")),
        ] {
            assert_eq!(data[name], value, "{name}");
        }
        assert!(data["createdAt"].as_str().unwrap().ends_with('Z'));
        assert!(body.get("warnings").is_none());
        let again = world
            .get(&format!("{path}/{}", data["id"].as_str().unwrap()))
            .await;
        assert_eq!(&again["data"], data);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_text_is_named() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut body = text("hi");
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = text("hi");
        body.as_object_mut().unwrap().shift_remove(name);
        body
    };
    check(
        &world,
        TO,
        with("to", json!("5125550142")),
        (400, "invalid_number", "to"),
    )
    .await;
    check(
        &world,
        TO,
        with("to", json!(5)),
        (400, "invalid_type", "to"),
    )
    .await;
    check(
        &world,
        TO,
        with("from", json!("+15125550109")),
        (400, "unknown_number", "from"),
    )
    .await;
    check(
        &world,
        TO,
        with("from", json!("+15125550101")),
        (400, "unknown_number", "from"),
    )
    .await;
    check(
        &world,
        TO,
        with("agentId", json!("x")),
        (404, "unknown_agent", "agentId"),
    )
    .await;
    let field = "messagingConnectionId";
    check(
        &world,
        TO,
        with(field, json!("x")),
        (404, "unknown_connection", field),
    )
    .await;
    check(
        &world,
        TO,
        without("agentId"),
        (400, "connection_required", field),
    )
    .await;
    check(
        &world,
        TO,
        with("body", json!("")),
        (400, "invalid_length", "body"),
    )
    .await;
    check(
        &world,
        TO,
        with("body", json!("é".repeat(1601))),
        (400, "invalid_length", "body"),
    )
    .await;
    check(
        &world,
        TO,
        without("body"),
        (400, "body_or_generate", "body"),
    )
    .await;
    check(
        &world,
        TO,
        with("generate", json!(true)),
        (400, "body_or_generate", ""),
    )
    .await;
    let mut generated = without("body");
    generated["generate"] = json!(true);
    check(&world, TO, generated, (400, "not_available", "generate")).await;
    check(
        &world,
        TO,
        with("sender_id", json!("usr_1")),
        (400, "dialect", ""),
    )
    .await;
    check(&world, TO, without("to"), (400, "dialect", "")).await;
    check(
        &world,
        TO,
        json!({ "sender_id": "usr_1", "text": "hi" }),
        (400, "not_available", ""),
    )
    .await;
    check(
        &world,
        "/revring/v1/messages",
        without("to"),
        (400, "required", "to"),
    )
    .await;
}

#[tokio::test]
async fn the_longest_text_and_a_connection_without_an_agent_are_fine() {
    let world = World::new().await;
    let (status, body) = world.post(TO, text(&"é".repeat(1600))).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = world
        .post(TO, json!({ "to": ALICE, "messagingConnectionId": "main", "body": "hi", "generate": false }))
        .await;
    assert_eq!(
        (status.as_u16(), &body["data"]["fromNumber"]),
        (200, &json!(OURS))
    );
    // T13: it joins the agent's conversation.
    assert_eq!(body["data"]["agentId"], "front-desk");
}

#[tokio::test]
async fn fields_that_are_not_known_are_warned_of() {
    let world = World::new().await;
    let mut body = text("hi");
    body["agentid"] = json!("x");
    body["smsPrompt"] = json!("be kind");
    let (status, answer) = world.post(TO, body.clone()).await;
    assert_eq!(status, 200);
    let codes: Vec<_> = answer["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["path"], &one["code"]))
        .collect();
    assert_eq!(
        codes,
        [
            (&json!("smsPrompt"), &json!("ignored_unused")),
            (&json!("agentid"), &json!("ignored_unknown")),
        ]
    );
    let (status, _) = world
        .with_headers("POST /v1/messages", &[("x-strict", "true")], body)
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn the_same_key_has_one_effect() {
    let world = World::new().await;
    let headers = [("idempotency-key", "k1")];
    let line = "POST /v1/messages";
    let (status, first) = world.with_headers(line, &headers, text("hi")).await;
    assert_eq!(status, 200);
    // Another order of the fields and another address are the same request.
    let same = json!({ "body": "hi", "agentId": "front-desk", "to": ALICE });
    let (status, second) = world
        .with_headers("POST /revring/v1/messages", &headers, same)
        .await;
    assert_eq!(
        (status.as_u16(), &second["data"]["id"]),
        (200, &first["data"]["id"])
    );
    let (status, other) = world.with_headers(line, &headers, text("ho")).await;
    assert_eq!(
        (status.as_u16(), &other["error"]["code"]),
        (409, &json!("idempotency_conflict"))
    );
    let all = world.get("/api/v1/messages").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_gate_and_the_provider_may_refuse() {
    let world = World::new().await;
    check(
        &world,
        TO,
        text("please refuse"),
        (422, "provider_refused", ""),
    )
    .await;
    assert_eq!(world.post(TO, text("hi")).await.0, 200);
    check(&world, TO, text("hi"), (409, "duplicate", "")).await;
    let talk = world.get("/api/v1/conversations").await["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, _) = world
        .post(
            &format!("/api/v1/conversations/{talk}/take"),
            json!({ "to": "kim" }),
        )
        .await;
    assert_eq!(status, 200);
    check(&world, TO, text("ho"), (409, "human_handoff", "")).await;
    world
        .post(
            &format!("/api/v1/conversations/{talk}/release"),
            Value::Null,
        )
        .await;
    let stop = json!({ "type": "message.received", "from": ALICE, "to": OURS, "body": "STOP" });
    assert_eq!(world.post("/api/v1/events", stop).await.0, 202);
    check(&world, TO, text("ho"), (409, "opted_out", "")).await;
    let call = json!({ "agentId": "front-desk", "toNumber": ALICE });
    check(&world, "/v1/calls", call, (409, "opted_out", "")).await;
}

#[tokio::test]
async fn a_provider_that_takes_its_time_is_not_waited_for() {
    let world = World::with(Options {
        send_wait: Duration::from_millis(100),
        ..Options::default()
    })
    .await;
    let (status, body) = world.post(TO, text("slow")).await;
    assert_eq!(
        (status.as_u16(), &body["data"]["status"]),
        (200, &json!("sending"))
    );
}

#[tokio::test]
async fn a_deferred_text_is_a_202() {
    let world = World::new().await;
    let (_, body) = world.post(TO, text("hi")).await;
    let id = ringback_core::model::MessageId::parse(body["data"]["id"].as_str().unwrap()).unwrap();
    let mut message: Message = world
        .host
        .read(&ringback_core::model::keys::message(&id))
        .await
        .unwrap()
        .unwrap();
    message.status = Status::Scheduled;
    message.not_before = Some("2026-01-01T09:00:00Z".parse().unwrap());
    assert_eq!(outcome(&message).unwrap(), 202);
    assert_eq!(
        crate::api::records::message(&message)["scheduledFor"],
        "2026-01-01T09:00:00Z"
    );
    message.status = Status::Expired;
    message.reason = Some("expired".to_owned());
    message.problem = Some(Problem {
        code: "expired".to_owned(),
        text: "too late".to_owned(),
    });
    let error = outcome(&message).unwrap_err();
    assert_eq!(
        (error.parts(), error.to_string().as_str()),
        ((409, "expired"), "too late")
    );
}

#[tokio::test]
async fn a_call_has_every_key_of_the_seed() {
    let world = World::new().await;
    let body = json!({ "agentId": "front-desk", "toNumber": ALICE, "variables": { "name": "Al" } });
    let (status, body) = world.post("/v1/calls", body).await;
    assert_eq!(status, 200, "{body}");
    let keys: Vec<&String> = body["data"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "organizationId",
            "direction",
            "status",
            "fromNumber",
            "toNumber",
            "initiatedAt",
            "createdAt",
            "updatedAt",
            "agentId",
            "sipTrunkId",
            "agentCallerIdName",
            "agentName",
            "variables",
            "recordingUrl",
            "hangupCause",
            "errorMessage",
            "transcript",
            "summary",
            "metrics",
            "startedAt",
            "endedAt",
            "durationSeconds",
            "postCallWebhookStatus",
            "preCallWebhookStatus",
        ]
    );
    assert_eq!(body["data"]["status"], "INITIATED");
    assert_eq!(body["data"]["direction"], "OUTBOUND");
    assert_eq!(body["data"]["variables"], json!({ "name": "Al" }));
    assert_eq!(body["warnings"][0]["path"], "fromNumber");
    let id = body["data"]["id"].as_str().unwrap();
    for path in ["/v1/calls", "/revring/v1/calls", "/api/v1/calls"] {
        assert_eq!(world.get(&format!("{path}/{id}")).await["data"]["id"], id);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_named() {
    let world = World::new().await;
    let call = |agent: &str, to: &str, from: Value| json!({ "agentId": agent, "toNumber": to, "fromNumber": from });
    check(
        &world,
        "/v1/calls",
        call("x", ALICE, Value::Null),
        (404, "unknown_agent", "agentId"),
    )
    .await;
    check(
        &world,
        "/v1/calls",
        call("front-desk", "1", Value::Null),
        (400, "invalid_number", "toNumber"),
    )
    .await;
    let other = json!("+15125550101");
    check(
        &world,
        "/v1/calls",
        call("front-desk", ALICE, other),
        (400, "unknown_number", "fromNumber"),
    )
    .await;
    check(
        &world,
        "/v1/calls",
        json!({ "toNumber": ALICE }),
        (400, "required", "agentId"),
    )
    .await;
}
