//! The network against a small server that plays the host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use jiff::Timestamp;
use ringback_core::model::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::webhooks::SIGNATURE;
use super::*;

const SECRET: &str = "s3cret";
const CONTACT: &str = "+15125550142";
const NUMBER: &str = "+15125550100";

/// A webhook as the host saw it, with the address it was sent to.
type Hook = (String, Value);

/// What the host answers: by path, one answer after the other, then 200 `{}`.
type Answers = Arc<Mutex<HashMap<String, Vec<(u16, Value)>>>>;

struct World {
    base: String,
    client: reqwest::Client,
    hooks: mpsc::UnboundedReceiver<Hook>,
    answers: Answers,
}

#[derive(Clone)]
struct Host {
    base: String,
    seen: mpsc::UnboundedSender<Hook>,
    answers: Answers,
}

/// Checks the signature, remembers the webhook and gives the next answer.
async fn host(State(host): State<Host>, request: Request) -> (StatusCode, Json<Value>) {
    let path = request.uri().path().to_owned();
    let url = format!("{}{}", host.base, request.uri());
    let given = request.headers()[SIGNATURE].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 100_000)
        .await
        .unwrap();
    assert_eq!(given, webhooks::sign(&Secret::new(SECRET), &url, &body));
    let body = serde_json::from_slice(&body).unwrap();
    let path = path.trim_start_matches("/hooks/sim/").to_owned();
    let mut answers = host.answers.lock().unwrap();
    let mine = answers.entry(path.clone()).or_default();
    let (status, answer) = if mine.is_empty() {
        (200, json!({}))
    } else {
        mine.remove(0)
    };
    host.seen.send((path, body)).unwrap();
    (StatusCode::from_u16(status).unwrap(), Json(answer))
}

impl World {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let pace = Pace {
            report: Duration::ZERO,
            backoff: Duration::ZERO,
            silence: Duration::ZERO,
        };
        let options = NetworkOptions {
            secret: Secret::new(SECRET),
            hooks_base: format!("{base}/hooks/sim/"),
            client: client.clone(),
            pace,
        };
        let clock = || Timestamp::from_second(1_800_000_000).unwrap();
        let network = Network::new(options, clock);
        let (seen, hooks) = mpsc::unbounded_channel();
        let answers = Answers::default();
        let state = Host {
            base: base.clone(),
            seen,
            answers: answers.clone(),
        };
        let routes = Router::new()
            .fallback(host)
            .with_state(state)
            .nest("/v1", network.provider_routes())
            .nest("/phone", network.phone_routes());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            base,
            client,
            hooks,
            answers,
        }
    }

    fn will_answer(&self, path: &str, status: u16, body: Value) {
        let mut answers = self.answers.lock().unwrap();
        answers
            .entry(path.to_owned())
            .or_default()
            .push((status, body));
    }

    async fn ask(&self, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let request = match body {
            Some(body) => self.client.post(url).body(body.to_string()),
            None => self.client.get(url),
        };
        let request = request
            .header("authorization", format!("Bearer {SECRET}"))
            .header("content-type", "application/json");
        let mut response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            body.extend(chunk);
        }
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn send(&self, id: &str, to: &str) -> (u16, Value) {
        let text = json!({
            "id": id, "from": NUMBER, "to": to, "body": "Sorry we missed you", "media": [],
            "status_url": format!("{}/hooks/sim/status?id={id}", self.base), "valid_for": 600,
        });
        self.ask("/v1/texts", Some(&text)).await
    }

    async fn next(&mut self) -> Hook {
        let next = tokio::time::timeout(Duration::from_secs(10), self.hooks.recv());
        next.await.expect("a webhook in time").unwrap()
    }

    /// The next webhooks: their paths, and one field of each.
    async fn saw(&mut self, field: &str, expected: &[(&str, &str)]) {
        for (path, value) in expected {
            let (at, body) = self.next().await;
            let seen = body[field].as_str().unwrap_or_default();
            assert_eq!((at.as_str(), seen), (*path, *value), "{body}");
        }
    }

    async fn state(&self) -> Value {
        let phone = CONTACT.replace('+', "%2B");
        let (status, state) = self.ask(&format!("/phone/state?phone={phone}"), None).await;
        assert_eq!(status, 200);
        state
    }
}

#[test]
fn signs_as_the_connector_expects() {
    let url = "http://host/hooks/sim/text";
    let tag = webhooks::sign(&Secret::new(SECRET), url, b"{}");
    let by_openssl = "3faecb84cd60c62a7a11e1171e17811ad4d17a2e2f583ae81694970e651a3369";
    assert_eq!(tag, by_openssl);
}

#[tokio::test]
async fn delivers_a_text_once_and_reports_it() {
    let mut world = World::new().await;
    let (status, first) = world.send("msg_1", CONTACT).await;
    assert_eq!((status, &first["segments"]), (201, &json!(1)));
    let (status, again) = world.send("msg_1", CONTACT).await;
    assert_eq!((status, &again), (201, &first));
    world
        .saw("status", &[("status", "sent"), ("status", "delivered")])
        .await;
    let (_, found) = world.ask("/v1/texts?id=msg_1", None).await;
    assert_eq!(found, json!({ "texts": [first] }));
    let (_, found) = world.ask("/v1/texts?id=msg_2", None).await;
    assert_eq!(found, json!({ "texts": [] }));
    let state = world.state().await;
    assert_eq!(state["texts"].as_array().unwrap().len(), 1);
    let text = &state["texts"][0];
    assert_eq!(
        (&text["direction"], &text["status"]),
        (&json!("in"), &json!("delivered"))
    );
}

#[tokio::test]
async fn wants_the_secret() {
    let world = World::new().await;
    for (key, expected) in [(None, 401), (Some("Bearer other"), 403)] {
        let mut request = world.client.get(format!("{}/v1/texts?id=x", world.base));
        if let Some(key) = key {
            request = request.header("authorization", key);
        }
        assert_eq!(request.send().await.unwrap().status(), expected);
    }
}

#[tokio::test]
async fn plays_the_faults() {
    let mut world = World::new().await;
    let check = async |world: &World, ending: &str, expected: &[(u16, &str)]| {
        for (status, code) in expected {
            let id = format!("msg_{ending}");
            let (seen, body) = world.send(&id, &format!("+1512555{ending}")).await;
            let seen_code = body["code"].as_str().unwrap_or_default();
            assert_eq!((seen, seen_code), (*status, *code), "{ending}");
        }
    };
    check(&world, "0001", &[(400, "rejected")]).await;
    check(&world, "0005", &[(410, "opted-out")]).await;
    check(&world, "0003", &[(503, "unavailable"), (201, "")]).await;
    world
        .saw("status", &[("status", "sent"), ("status", "delivered")])
        .await;
    check(&world, "0006", &[(429, "slow"), (201, "")]).await;
    world
        .saw("status", &[("status", "sent"), ("status", "delivered")])
        .await;
    check(&world, "0002", &[(201, "")]).await;
    world
        .saw("status", &[("status", "sent"), ("status", "undelivered")])
        .await;
    check(&world, "0007", &[(201, "")]).await;
    let jumbled = ["delivered", "sent", "delivered", "sent"].map(|status| ("status", status));
    world.saw("status", &jumbled).await;
}

#[tokio::test]
async fn stays_silent_about_a_text_until_it_is_looked_up() {
    let mut world = World::new().await;
    let (status, body) = world.send("msg_4", "+15125550004").await;
    assert_eq!((status, &body["code"]), (504, &json!("timeout")));
    assert!(world.hooks.try_recv().is_err());
    let (_, found) = world.ask("/v1/texts?id=msg_4", None).await;
    let found = &found["texts"][0]["provider_id"];
    let (_, report) = world.next().await;
    assert_eq!(&report["provider_id"], found);
    world.saw("status", &[("status", "delivered")]).await;
    let (status, again) = world.send("msg_4", "+15125550004").await;
    assert_eq!((status, &again["provider_id"]), (201, found));
}

#[tokio::test]
async fn tries_a_webhook_again_until_it_is_taken() {
    let mut world = World::new().await;
    for status in [500, 429, 503] {
        world.will_answer("status", status, json!({}));
    }
    world.will_answer("status", 200, json!({}));
    // A refusal is final.
    world.will_answer("status", 403, json!({}));
    world.send("msg_1", CONTACT).await;
    let expected = ["sent", "sent", "sent", "sent", "delivered"].map(|status| ("status", status));
    world.saw("status", &expected).await;
    world.send("msg_2", CONTACT).await;
    let expected = ["sent", "delivered"].map(|status| ("status", status));
    world.saw("status", &expected).await;
}

async fn dial(world: &World, ending: &str) -> Value {
    let dial = json!({ "from": CONTACT, "to": NUMBER, "ending": ending });
    let (status, told) = world.ask("/phone/call", Some(&dial)).await;
    assert_eq!(status, 200, "{told}");
    told
}

#[tokio::test]
async fn forwards_a_call_and_reports_both_legs() {
    for (ending, outcome, seconds) in [
        ("no-answer", "no-answer", 0),
        ("busy", "busy", 0),
        ("canceled", "canceled", 0),
        ("answered", "completed", 30),
    ] {
        let mut world = World::new().await;
        let report_url = format!("{}/hooks/sim/leg?of=1", world.base);
        let plan = json!({ "to": "+15125550111", "ring_for": 20, "report_url": report_url });
        world.will_answer("voice", 200, json!({ "forward": plan }));
        let told = dial(&world, ending).await;
        assert_eq!(told["host"]["ok"], true, "{told}");
        let (path, asked) = world.next().await;
        assert_eq!((path.as_str(), &asked["from"]), ("voice", &json!(CONTACT)));
        let (path, leg) = world.next().await;
        assert_eq!((path.as_str(), &leg["outcome"]), ("leg", &json!(outcome)));
        assert_eq!(
            (&leg["leg"], &leg["duration"]),
            (&json!("forwarded"), &json!(seconds))
        );
        let (path, whole) = world.next().await;
        assert_eq!(
            (path.as_str(), &whole["outcome"]),
            ("call", &json!("completed"))
        );
        assert_eq!(whole["leg"], "whole");
        assert_eq!(whole["provider_id"], asked["provider_id"]);
        assert_eq!(world.state().await["calls"][0]["state"], outcome);
    }
}

#[tokio::test]
async fn speaks_to_a_caller() {
    let mut world = World::new().await;
    world.will_answer("voice", 200, json!({ "say": "Please text us" }));
    let told = dial(&world, "no-answer").await;
    assert_eq!(told["said"], "Please text us");
    world
        .saw("outcome", &[("voice", ""), ("call", "completed")])
        .await;
    assert_eq!(world.state().await["calls"][0]["said"], "Please text us");
}

#[tokio::test]
async fn reports_the_ending_when_the_host_has_no_plan() {
    let mut world = World::new().await;
    let why = json!({ "error": { "code": "not_found", "message": "no such number" } });
    world.will_answer("voice", 404, why);
    let told = dial(&world, "busy").await;
    assert_eq!(told["host"]["status"], 404);
    assert_eq!(told["host"]["message"], "no such number");
    world
        .saw("outcome", &[("voice", ""), ("call", "busy")])
        .await;
}

#[tokio::test]
async fn brings_a_text_to_the_host() {
    let mut world = World::new().await;
    world.will_answer("text", 200, json!({}));
    world.will_answer(
        "text",
        403,
        json!({ "error": { "message": "bad signature" } }),
    );
    world.will_answer("text", 503, json!({}));
    let text = json!({ "from": CONTACT, "to": NUMBER, "body": "Yes" });
    for (status, message) in [(200, ""), (403, "bad signature"), (503, "{}")] {
        let (_, told) = world.ask("/phone/text", Some(&text)).await;
        assert_eq!(told["host"]["status"], status);
        assert_eq!(told["host"]["message"], message);
        world.saw("body", &[("text", "Yes")]).await;
    }
    // The third is tried again.
    world.saw("body", &[("text", "Yes")]).await;
    let state = world.state().await;
    let texts = state["texts"].as_array().unwrap();
    let seen: Vec<_> = texts
        .iter()
        .map(|text| text["direction"].as_str())
        .collect();
    assert_eq!(seen, [Some("out"); 3]);
    assert_eq!(texts[0]["status"], "delivered");
    assert_eq!(texts[1]["status"], "failed");
    let (status, problem) = world
        .ask(
            "/phone/text",
            Some(&json!({ "from": "12", "to": NUMBER, "body": "x" })),
        )
        .await;
    assert_eq!(
        (status, &problem["error"]["code"]),
        (400, &json!("invalid"))
    );
}

#[tokio::test]
async fn calls_a_contact() {
    for (to, expected) in [
        (CONTACT, &["ringing", "answered", "completed"][..]),
        ("+15125550002", &["ringing", "no-answer"]),
        ("+15125550008", &["busy"]),
        ("+15125550009", &["ringing", "voicemail"]),
    ] {
        let mut world = World::new().await;
        let call = json!({
            "id": "c1", "from": NUMBER, "to": to, "script": { "say": "Hello" },
            "variables": {}, "ring_for": 20, "detect_machine": false,
            "status_url": format!("{}/hooks/sim/outbound?id=c1", world.base),
        });
        let (status, first) = world.ask("/v1/calls", Some(&call)).await;
        assert_eq!(status, 201, "{first}");
        let (_, again) = world.ask("/v1/calls", Some(&call)).await;
        assert_eq!(first, again);
        let expected: Vec<_> = expected
            .iter()
            .map(|outcome| ("outbound", *outcome))
            .collect();
        world.saw("outcome", &expected).await;
    }
}
