//! STOP: from that moment on nobody and nothing texts this number, and everybody
//! who asks is told why.

use serde_json::json;

use crate::support::{Behaviour, Host, Twilio, config, contact, eventually};

const ASK: &str = r#"name: Ask and remind
on: call.missed
steps:
  - send: "Sorry we missed you! What can we do for you?"
  - id: answer
    wait_for: reply
    timeout: 1h
  - send: "Are you still there?"
"#;

async fn started() -> (Twilio, Host) {
    let twilio = Twilio::start().await;
    let host = Host::start(&config(&twilio, "", ""), &[("workflows/ask.yaml", ASK)]).await;
    (twilio, host)
}

#[tokio::test]
async fn stop_ends_the_run_and_later_texts_are_skipped_with_the_reason() {
    let (twilio, mut host) = started().await;
    let caller = contact(20);
    host.miss(&caller).await.expect(202);
    host.text_becomes(&caller, "accepted").await;
    host.run_becomes(&caller, "running").await;
    twilio.text(&host, &caller, " Stop. ").await;
    let run = host.run_becomes(&caller, "cancelled").await;
    assert_eq!(run["outcome"], "opt_out");
    // The same contact calls again: the workflow starts, and its text is refused.
    host.miss(&caller).await.expect(202);
    let skipped = eventually("the second text is refused", async || {
        let texts = host.texts_to(&caller).await;
        texts
            .get(1)
            .filter(|one| one["status"] == "skipped")
            .cloned()
    })
    .await;
    assert_eq!(skipped["reason"], "opted_out");
    let verdict = skipped["verdicts"]
        .as_array()
        .expect("a list")
        .last()
        .expect("one")
        .clone();
    assert!(verdict.to_string().contains("opt"), "{verdict}");
    // Twilio answers STOP by itself; a second answer would be one too many.
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn a_client_that_texts_somebody_who_said_stop_is_refused() {
    let (twilio, host) = started().await;
    let caller = contact(21);
    twilio.text(&host, &caller, "STOPALL").await;
    let body = json!({ "to": caller, "agentId": "front-desk", "body": "But we have an offer!" });
    let refused = host.post("/v1/messages", &body).await.expect(409);
    assert_eq!(refused.code(), "opted_out");
    let message = refused.json()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        message.contains(&caller) && message.contains("opted out"),
        "{message}"
    );
    // Why: the same in the list of the contact's texts.
    let texts = host.texts_to(&caller).await;
    let [text] = texts.as_slice() else {
        panic!("{texts:?}")
    };
    assert_eq!(
        (&text["status"], &text["reason"]),
        (&json!("skipped"), &json!("opted_out"))
    );
    let call = json!({ "agentId": "front-desk", "toNumber": caller });
    let refused = host.post("/v1/calls", &call).await;
    assert!(matches!(refused.status, 400 | 409), "{refused:?}");
    let number = caller.replace('+', "%2B");
    assert!(!host.data(&format!("/api/v1/contacts/{number}")).await["optedOut"].is_null());
    assert!(twilio.asked().is_empty());
}

#[tokio::test]
async fn stop_survives_a_crash_right_after_its_webhook() {
    let (twilio, mut host) = started().await;
    let caller = contact(22);
    twilio.text(&host, &caller, "unsubscribe").await;
    host.restart().await;
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "skipped").await;
    assert_eq!(text["reason"], "opted_out");
    assert!(host.stop().await.success());
    assert!(twilio.texts_to(&caller).is_empty());
}

#[tokio::test]
async fn start_opens_the_number_again() {
    let (twilio, host) = started().await;
    let caller = contact(23);
    twilio.text(&host, &caller, "STOP").await;
    twilio.text(&host, &caller, "START").await;
    host.miss(&caller).await.expect(202);
    host.text_becomes(&caller, "accepted").await;
}

#[tokio::test]
async fn a_contact_who_said_stop_to_the_provider_is_not_tried_again() {
    let (twilio, mut host) = started().await;
    let caller = contact(24);
    twilio.next(Behaviour::refuse(
        400,
        21610,
        "Attempt to send to unsubscribed recipient",
    ));
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "failed").await;
    assert_eq!(text["reason"], "21610");
    let body = json!({ "to": caller, "agentId": "front-desk", "body": "Hello?" });
    assert_eq!(
        host.post("/v1/messages", &body).await.expect(409).code(),
        "opted_out"
    );
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn an_answer_goes_to_the_run_that_waits_for_it() {
    let (twilio, host) = started().await;
    let caller = contact(25);
    host.miss(&caller).await.expect(202);
    host.text_becomes(&caller, "accepted").await;
    let words = "Do you have time on Tuesday & is it ≥ 30 minutes? ☎";
    twilio.text(&host, &caller, words).await;
    eventually("the reminder went out", async || {
        (twilio.texts_to(&caller).len() == 2).then_some(())
    })
    .await;
    let run = host.run_becomes(&caller, "finished").await;
    let id = run["id"].as_str().expect("an id");
    let run = host.data(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(run["results"]["answer"]["message"]["body"], words, "{run}");
}
