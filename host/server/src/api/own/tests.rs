//! The product's own routes.

use serde_json::{Value, json};

use crate::api::tests::{ALICE, OURS, World};

/// A refused request: its status, code and field.
async fn check(world: &World, path: &str, body: Value, expected: (u16, &str, &str)) {
    let (status, code, field) = world.refused(path, body.clone()).await;
    assert_eq!((status, code.as_str(), field.as_str()), expected, "{body}");
}

fn missed(id: &str) -> Value {
    json!({ "type": "call.missed", "from": ALICE, "to": OURS, "call_id": id })
}

#[tokio::test]
async fn a_missed_call_starts_a_run_once() {
    let world = World::new().await;
    let (status, first) = world.post("/api/v1/events", missed("CA1")).await;
    assert_eq!(status, 202, "{first}");
    let run = first["data"]["runs"][0].as_str().unwrap().to_owned();
    let (_, again) = world.post("/api/v1/events", missed("CA1")).await;
    assert_eq!(
        again["data"],
        json!({ "id": first["data"]["id"], "runs": [], "repeated": true })
    );
    let call = world
        .get(&format!(
            "/api/v1/calls/{}",
            first["data"]["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(call["data"]["status"], "NO_ANSWER");
    let shown = world.get(&format!("/api/v1/runs/{run}")).await;
    let data = &shown["data"];
    assert_eq!(data["step"], "pause");
    assert_eq!(data["waiting"]["for"], "time");
    assert_eq!(data["event"]["type"], "call.missed");
    assert_eq!(data["timeline"][0]["what"], "started");
    let (status, ended) = world
        .post(&format!("/api/v1/runs/{run}/cancel"), json!({}))
        .await;
    assert_eq!(
        (
            status.as_u16(),
            &ended["data"]["status"],
            &ended["data"]["step"]
        ),
        (200, &json!("cancelled"), &Value::Null)
    );
    check(
        &world,
        &format!("/api/v1/runs/{run}/cancel"),
        Value::Null,
        (409, "not_running", ""),
    )
    .await;
    check(
        &world,
        "/api/v1/runs/run_x/cancel",
        Value::Null,
        (404, "not_found", ""),
    )
    .await;
}

#[tokio::test]
async fn an_idempotency_key_makes_one_event() {
    let world = World::new().await;
    let event = json!({ "type": "call.missed", "from": ALICE, "to": OURS });
    let headers = [("idempotency-key", "k")];
    let (_, first) = world
        .with_headers("POST /api/v1/events", &headers, event.clone())
        .await;
    let (_, second) = world
        .with_headers("POST /api/v1/events", &headers, event)
        .await;
    assert_eq!(first["data"]["id"], second["data"]["id"]);
    assert_eq!(second["data"]["repeated"], true);
    let other = json!({ "type": "call.completed", "from": ALICE, "to": OURS });
    let (status, _) = world
        .with_headers("POST /api/v1/events", &headers, other)
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_named() {
    let world = World::new().await;
    let path = "/api/v1/events";
    check(
        &world,
        path,
        json!({ "type": "call.lost" }),
        (400, "unknown_type", "type"),
    )
    .await;
    check(
        &world,
        path,
        json!({ "from": ALICE, "to": OURS }),
        (400, "required", "type"),
    )
    .await;
    let lost = json!({ "type": "call.missed", "from": ALICE, "to": "+15125550199" });
    let (status, body) = world.post(path, lost).await;
    assert_eq!(status, 422);
    let text = body["error"]["message"].as_str().unwrap();
    assert!(
        text.contains(OURS) && text.contains("+15125550101"),
        "{text}"
    );
    let odd = json!({ "type": "call.missed", "from": ALICE, "to": OURS, "answered": true });
    check(&world, path, odd, (400, "contradiction", "answered")).await;
    let odd = json!({ "type": "call.missed", "from": ALICE, "to": OURS, "duratoin": 3 });
    check(&world, path, odd, (400, "unknown_field", "duratoin")).await;
}

#[tokio::test]
async fn a_conversation_is_listed_taken_answered_and_freed() {
    let world = World::new().await;
    let text = json!({ "type": "message.received", "from": ALICE, "to": OURS, "body": "Are you open?", "id": "SM9" });
    let (status, event) = world.post("/api/v1/events", text).await;
    assert_eq!(status, 202);
    assert!(event["data"]["id"].as_str().unwrap().starts_with("msg_"));
    let list = world.get("/api/v1/conversations?limit=1").await;
    assert_eq!(list["next_cursor"], Value::Null);
    let talk = &list["data"][0];
    assert_eq!(
        (&talk["contact"], &talk["number"], &talk["optedOut"]),
        (&json!(ALICE), &json!(OURS), &json!(false))
    );
    let path = format!("/api/v1/conversations/{}", talk["id"].as_str().unwrap());
    check(
        &world,
        &format!("{path}/take"),
        json!({ "to": "nobody" }),
        (400, "unknown_person", "to"),
    )
    .await;
    let (_, taken) = world
        .post(
            &format!("{path}/take"),
            json!({ "to": "kim", "reason": "angry" }),
        )
        .await;
    assert_eq!(
        (
            &taken["data"]["handoff"]["to"],
            &taken["data"]["handoff"]["reason"]
        ),
        (&json!("kim"), &json!("angry"))
    );
    let (status, answer) = world
        .post(&format!("{path}/messages"), json!({ "body": "We are." }))
        .await;
    assert_eq!(
        (status.as_u16(), &answer["data"]["status"]),
        (202, &json!("sending"))
    );
    let (_, free) = world.post(&format!("{path}/release"), Value::Null).await;
    assert_eq!(free["data"]["handoff"], Value::Null);
    let texts = world.get(&format!("{path}/messages?limit=1")).await;
    assert_eq!(texts["data"][0]["body"], "Are you open?");
    let cursor = texts["next_cursor"].as_str().unwrap();
    let texts = world
        .get(&format!("{path}/messages?limit=1&cursor={cursor}"))
        .await;
    assert_eq!(texts["data"][0]["body"], "We are.");
    let contact = world
        .get(&format!("/api/v1/contacts/{}", ALICE.replace('+', "%2B")))
        .await;
    assert_eq!(contact["data"]["conversations"][0]["agentId"], "front-desk");
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let body = json!({ "to": ALICE, "agent": if number % 2 == 0 { "front-desk" } else { "sales" }, "body": format!("n {number}") });
        let (status, body) = world.post("/api/v1/messages", body).await;
        assert_eq!(status, 202, "{body}");
        ids.push(body["data"]["id"].as_str().unwrap().to_owned());
        world
            .post("/api/v1/events", missed(&format!("CA{number}")))
            .await;
        // Ids are in the order of time by the millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    ids.reverse();
    let alice = ALICE.replace('+', "%2B");
    for query in ["limit=2".to_owned(), format!("limit=2&contact={alice}")] {
        assert_eq!(
            walk(&world, &format!("/api/v1/messages?{query}")).await,
            ids,
            "{query}"
        );
    }
    let runs = walk(
        &world,
        &format!("/api/v1/runs?limit=2&contact={alice}&status=running"),
    )
    .await;
    assert_eq!(runs.len(), 5);
    assert!(runs.is_sorted_by(|a, b| a > b));
    assert!(walk(&world, "/api/v1/runs?workflow=other").await.is_empty());
}

/// The ids of a whole list, page by page.
async fn walk(world: &World, path: &str) -> Vec<String> {
    let (mut ids, mut more) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}{more}")).await;
        ids.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => more = format!("&cursor={cursor}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn workflows_are_listed_with_their_problems_and_started() {
    let world = World::new().await;
    let list = world.get("/api/v1/workflows").await;
    let list = list["data"].as_array().unwrap();
    let broken = list
        .iter()
        .find(|one| one["file"] == "broken.yaml")
        .unwrap();
    assert_eq!(broken["active"], false);
    assert!(
        broken["problems"][0]["rendered"]
            .as_str()
            .unwrap()
            .contains("broken.yaml:"),
        "{broken}"
    );
    let sound = list.iter().find(|one| one["id"] == "call-back").unwrap();
    assert_eq!(
        (&sound["version"], &sound["active"], &sound["steps"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(sound["triggers"], json!(["call.missed", "manual"]));
    let path = "/api/v1/workflows/call-back/runs";
    check(&world, path, json!({}), (400, "required", "input.offer")).await;
    check(
        &world,
        path,
        json!({ "input": { "offer": 1 } }),
        (400, "invalid_type", "input.offer"),
    )
    .await;
    check(
        &world,
        path,
        json!({ "input": { "offer": "x", "y": 1 } }),
        (400, "unknown_field", "input.y"),
    )
    .await;
    check(
        &world,
        "/api/v1/workflows/x/runs",
        json!({}),
        (404, "not_found", ""),
    )
    .await;
    let (status, run) = world
        .post(
            path,
            json!({ "contact": ALICE, "input": { "offer": "x", "times": 2 } }),
        )
        .await;
    assert_eq!(status, 201, "{run}");
    let run = world
        .get(&format!(
            "/api/v1/runs/{}",
            run["data"]["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        run["data"]["event"]["input"],
        json!({ "offer": "x", "times": 2 })
    );
}

#[tokio::test]
async fn a_contact_is_opted_out_and_in_again() {
    let world = World::new().await;
    let path = format!("/api/v1/contacts/{}", ALICE.replace('+', "%2B"));
    let (status, _) = world
        .with_headers(&format!("GET {path}"), &[], Value::Null)
        .await;
    assert_eq!(status, 404);
    let (_, out) = world.post(&format!("{path}/opt-out"), Value::Null).await;
    assert_eq!(out["data"]["optedOut"]["how"], "api");
    let (_, back) = world.post(&format!("{path}/opt-in"), Value::Null).await;
    assert_eq!(back["data"]["optedOut"], Value::Null);
    check(
        &world,
        "/api/v1/messages/msg_x/decide",
        json!({ "decision": "maybe" }),
        (400, "invalid_decision", "decision"),
    )
    .await;
    check(
        &world,
        "/api/v1/messages/msg_x/decide",
        json!({ "decision": "sent" }),
        (404, "not_found", ""),
    )
    .await;
}

#[tokio::test]
async fn a_text_is_answered_at_once_or_when_the_provider_has_it() {
    let world = World::new().await;
    let line = "POST /api/v1/messages";
    let text = |body: &str| json!({ "to": ALICE, "agent": "front-desk", "body": body });
    let (status, now) = world.with_headers(line, &[], text("slow")).await;
    assert_eq!(
        (status.as_u16(), &now["data"]["status"]),
        (202, &json!("sending"))
    );
    let bob = json!({ "to": "+15125550143", "agent": "front-desk", "body": "hi" });
    let headers = [("prefer", "respond-async, wait=5")];
    let (status, waited) = world.with_headers(line, &headers, bob).await;
    assert_eq!(
        (status.as_u16(), &waited["data"]["status"]),
        (200, &json!("accepted"))
    );
    world
        .post(
            &format!("/api/v1/contacts/{}/opt-out", "%2B15125550143"),
            Value::Null,
        )
        .await;
    let again = json!({ "to": "+15125550143", "agent": "front-desk", "body": "ho" });
    check(&world, "/api/v1/messages", again, (409, "opted_out", "")).await;
}
