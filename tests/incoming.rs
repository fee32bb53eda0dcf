//! What other programs tell: workflows' own webhooks, contacts, events.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Host, Twilio, config, contact, eventually};

const CALENDAR: &str = r#"name: No-show
on:
  webhook:
    path: calendar
    verify: { hmac_sha256: "secret:CALENDAR", header: X-Signature }
    where: event.body.type == "no_show"
    dedupe: ${{ event.body.id }}
contact: ${{ event.body.phone | e164("US") }}
intent: customer_care
steps:
  - send: "We missed you, {{ event.body.name }}. ({{ event.query.from }})"
"#;

fn sign(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the calendar's secret").expect("a key");
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_signed_webhook_starts_a_run_once() {
    let twilio = Twilio::start().await;
    let host = Host::start(
        &config(
            &twilio,
            "",
            "[secrets]\nCALENDAR = { file = \"calendar.txt\" }\n",
        ),
        &[
            ("calendar.txt", "the calendar's secret"),
            ("workflows/no-show.yaml", CALENDAR),
        ],
    )
    .await;
    let who = contact(181);
    let body = json!({ "id": "A1", "type": "no_show", "phone": who, "name": "Jo" }).to_string();
    let post = async |body: &str, headers: &[(&str, &str)], path: &str| {
        host.raw("POST", path, headers, body.as_bytes())
            .await
            .expect("an answer")
    };
    let json = ("content-type", "application/json");
    let signature = sign(&body);
    let path = "/in/calendar?from=here";
    post(&body, &[json], path).await.expect(403);
    post(&body, &[json, ("x-signature", "00")], path)
        .await
        .expect(403);
    post("{}", &[json, ("x-signature", &signature)], path)
        .await
        .expect(403);
    assert!(host.runs_for(&who).await.is_empty());
    let first = post(
        &body,
        &[json, ("x-signature", &format!("sha256={signature}"))],
        path,
    )
    .await;
    assert_eq!(
        first.expect(202).json()["data"]["runs"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let again = post(&body, &[json, ("x-signature", &signature)], path).await;
    assert_eq!(
        again.expect(202).json()["data"]["repeated"],
        Value::Bool(true)
    );
    let texts = twilio.texted(&who, 1).await;
    assert_eq!(texts[0].field("Body"), "We missed you, Jo. (here)");
    // Another kind of event is taken, and starts nothing.
    let other = json!({ "id": "A2", "type": "moved", "phone": who, "name": "Jo" }).to_string();
    let none = post(&other, &[json, ("x-signature", &sign(&other))], path).await;
    assert_eq!(none.expect(202).json()["data"]["runs"], json!([]));
    post(&body, &[json], "/in/nothing").await.expect(404);
    assert_eq!(twilio.texts_to(&who).len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_missing_lets_callers_try_again() {
    let twilio = Twilio::start().await;
    let secrets = "[secrets]\nCALENDAR = { file = \"calendar.txt\" }\n";
    let host = Host::start(
        &config(&twilio, "", secrets),
        &[
            ("calendar.txt", "the calendar's secret"),
            ("workflows/no-show.yaml", CALENDAR),
        ],
    )
    .await;
    // It is taken out of the configuration under the file that serves.
    host.files()
        .write("ringback.toml", config(&twilio, "", "").as_bytes());
    eventually("callers are told to try again", async || {
        let answer = host.raw("POST", "/in/calendar", &[("x-signature", "00")], b"{}");
        let answer = answer.await.expect("an answer");
        (answer.status == 503 && answer.code() == "not_checked").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lead_is_followed_up_when_it_agreed_and_until_it_books() {
    let twilio = Twilio::start().await;
    let workflow = r#"name: Nurture
on:
  lead.created:
    where: lead.source in ["website"]
  lead.updated: { changed: source }
intent: customer_care
requires_consent: marketing
enroll: { key: "${{ lead.id }}", again: never }
goal: lead.status == "booked"
steps:
  - send: "Hi {{ lead.first_name }}"
  - wait: 1h
  - send: "still there?"
"#;
    let host = Host::start(
        &config(&twilio, "", ""),
        &[("workflows/nurture.yaml", workflow)],
    )
    .await;
    let who = contact(182);
    let lead = |more: Value| {
        let mut lead = json!({ "phone": who });
        for (name, value) in more.as_object().expect("an object") {
            lead[name] = value.clone();
        }
        lead
    };
    let tell = async |more: Value| host.post("/api/v1/contacts", &lead(more)).await;
    // Nobody who did not agree is followed up.
    let fields = json!({ "first_name": "Jo", "source": "phone" });
    tell(json!({ "fields": fields })).await.expect(201);
    assert!(host.runs_for(&who).await.is_empty());
    let consent = json!([{ "intent": "marketing", "source": "form" }]);
    let known = tell(json!({ "consent": consent, "tag": ["new"] }))
        .await
        .expect(200);
    assert_eq!(known.json()["data"]["tags"], json!(["new"]));
    tell(json!({ "fields": { "source": "website" } }))
        .await
        .expect(200);
    let texts = twilio.texted(&who, 1).await;
    assert_eq!(texts[0].field("Body"), "Hi Jo");
    tell(json!({ "fields": { "status": "booked" } }))
        .await
        .expect(200);
    let run = host.run_becomes(&who, "finished").await;
    assert_eq!(run["outcome"], "goal_reached");
    tell(json!({ "fields": {}, "colour": "red" }))
        .await
        .expect(400);
    tell(json!({ "consent": [{ "intent": "gossip" }] }))
        .await
        .expect(400);
}

#[tokio::test]
async fn an_event_of_a_program_starts_a_run() {
    let twilio = Twilio::start().await;
    let workflow = "name: Paid\non:\n  plugin.event: { name: paid }\nintent: transactional\nsteps:\n  - send: \"Thanks for {{ event.data.amount }}\"\n";
    let host = Host::start(
        &config(&twilio, "", ""),
        &[("workflows/paid.yaml", workflow)],
    )
    .await;
    let who = contact(183);
    let event = json!({ "type": "plugin.event", "name": "paid", "contact": who, "data": { "amount": "$5" } });
    host.post("/api/v1/events", &event).await.expect(202);
    let texts = twilio.texted(&who, 1).await;
    assert_eq!(texts[0].field("Body"), "Thanks for $5");
}
