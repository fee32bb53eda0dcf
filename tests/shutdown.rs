//! The order to stop: nothing new is taken, what is under way is finished.

use std::time::Duration;

use crate::support::{Behaviour, Host, TEXT_BACK, Twilio, config, contact, eventually};

#[tokio::test]
async fn sigterm_finishes_what_is_under_way_and_exits_with_0() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let numbers = 160..180;
    for number in numbers.clone() {
        host.miss(&contact(number)).await.expect(202);
    }
    let status = host.stop().await;
    assert_eq!(status.code(), Some(0));
    let before = twilio.asked().len();
    host.restart().await;
    for number in numbers {
        let text = host.text_becomes(&contact(number), "accepted").await;
        assert_eq!(twilio.texts_to(&contact(number)).len(), 1, "{text}");
        assert_eq!(text["attempts"].as_array().map(Vec::len), Some(1), "{text}");
    }
    assert_eq!(
        twilio.asked().len(),
        before,
        "something was under way after the end"
    );
}

#[tokio::test]
async fn a_stopping_host_does_not_wait_for_ever_and_the_next_one_settles_the_rest() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let caller = contact(181);
    twilio.next(Behaviour::Silence(true));
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 1).await;
    let begun = std::time::Instant::now();
    assert_eq!(host.stop().await.code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
    host.restart().await;
    host.text_becomes(&caller, "accepted").await;
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn an_open_feed_does_not_keep_the_process_alive() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let url = format!("{}/api/v1/events?wait=60&after=latest", host.url());
    let key = host.local_key().to_owned();
    let poll = tokio::spawn(async move {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        client
            .get(url)
            .header("x-api-key", key)
            .send()
            .await
            .map(|answer| answer.status())
    });
    let metrics = async || {
        host.raw("GET", "/metrics", &[], b"")
            .await
            .expect("an answer")
            .text
    };
    eventually("the metrics are served", async || {
        metrics().await.contains("ringback_").then_some(())
    })
    .await;
    assert_eq!(host.stop().await.code(), Some(0));
    // Answered or cut off, but over.
    let _ = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("the poll is over");
}

#[tokio::test]
async fn two_hosts_on_one_store_are_one_too_many() {
    let twilio = Twilio::start().await;
    let host = Host::start(&config(&twilio, "", ""), &[("workflows/a.yaml", TEXT_BACK)]).await;
    let output = host.files().run(&["serve"]).await;
    assert!(matches!(output.status.code(), Some(1 | 3)), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("another") || said.contains("holds") || said.contains("use"),
        "{said}"
    );
    assert_eq!(
        host.raw("GET", "/readyz", &[], b"")
            .await
            .expect("an answer")
            .status,
        200
    );
    // The first one can still be found.
    host.files().ends(0, &["runs", "list"]).await;
}
