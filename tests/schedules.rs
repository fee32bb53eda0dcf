//! The clock as a trigger.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Host, Twilio, config, contact, within};

/// Every second, and one run a firing, so that firings can be counted.
fn every_second(caller: &str) -> String {
    format!(
        r#"name: Every second
on:
  schedule: {{ cron: "* * * * * *", zone: UTC, overlap: allow, missed: skip }}
contact: "{caller}"
intent: transactional
enroll: {{ again: always }}
steps:
  - send: "It is {{{{ event.at }}}}"
"#
    )
}

async fn runs(host: &Host, caller: &str) -> Vec<Value> {
    let path = format!(
        "/api/v1/runs?limit=100&contact={}",
        caller.replace('+', "%2B")
    );
    host.list(&path).await
}

#[tokio::test]
async fn a_schedule_fires_every_second_and_a_crash_doubles_no_firing() {
    let twilio = Twilio::start().await;
    let caller = contact(140);
    let workflow = every_second(&caller);
    let mut host = Host::start(
        &config(&twilio, "", ""),
        &[("workflows/tick.yaml", &workflow)],
    )
    .await;
    within(Duration::from_secs(2), "the first firing", async || {
        (!runs(&host, &caller).await.is_empty()).then_some(())
    })
    .await;
    for _ in 0..3 {
        let before = runs(&host, &caller).await.len();
        within(Duration::from_secs(5), "the next firing", async || {
            (runs(&host, &caller).await.len() > before).then_some(())
        })
        .await;
        host.restart().await;
    }
    within(
        Duration::from_secs(5),
        "firings after the last start",
        async || (runs(&host, &caller).await.len() > 5).then_some(()),
    )
    .await;
    let mut firings = Vec::new();
    for run in runs(&host, &caller).await {
        let id = run["id"].as_str().expect("an id");
        let run = host.data(&format!("/api/v1/runs/{id}")).await;
        firings.push(run["event"]["at"].as_str().expect("an instant").to_owned());
    }
    let count = firings.len();
    firings.sort();
    firings.dedup();
    assert_eq!(firings.len(), count, "a firing happened twice");
    let mut words: Vec<String> = twilio
        .texts_to(&caller)
        .iter()
        .map(|text| text.field("Body"))
        .collect();
    let count = words.len();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), count, "a text went out twice");
}
