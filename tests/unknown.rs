//! Attempts whose outcome nobody knows: never repeated blindly, looked up in the
//! provider's list, and sent again only when they certainly are not there.

use crate::support::{Behaviour, Host, Twilio, contact, eventually};

/// Plays one behaviour of the provider, and says what must come of it: how often
/// the text is requested in all. In the end the text is accepted, once.
async fn check(number: u32, behaviour: Behaviour, requests: usize) {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let caller = contact(number);
    let shown = format!("{behaviour:?}");
    twilio.next(behaviour);
    host.miss(&caller).await.expect(202);
    let text = eventually(&format!("{shown}: the text is settled"), async || {
        let texts = host.texts_to(&caller).await;
        let [one] = texts.as_slice() else { return None };
        matches!(
            one["status"].as_str(),
            Some("accepted" | "needs_review" | "failed")
        )
        .then(|| one.clone())
    })
    .await;
    assert_eq!(text["status"], "accepted", "{shown}: {text}");
    assert!(twilio.looks_for(&caller) > 0, "{shown}: nobody looked");
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), requests, "{shown}");
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_is_not_repeated_when_the_text_is_listed() {
    check(40, Behaviour::Close(true), 1).await;
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_is_repeated_once_when_the_text_is_absent() {
    check(41, Behaviour::Close(false), 2).await;
}

#[tokio::test]
async fn a_500_after_the_request_is_not_repeated_when_the_text_is_listed() {
    check(42, Behaviour::Stumble(true), 1).await;
}

#[tokio::test]
async fn a_500_after_the_request_is_repeated_once_when_the_text_is_absent() {
    check(43, Behaviour::Stumble(false), 2).await;
}

#[tokio::test]
async fn half_an_answer_is_looked_up() {
    check(44, Behaviour::HalfAnAnswer, 1).await;
}

/// The provider's timeout is half a minute: the slowest test, and the outcome that
/// really happens.
#[tokio::test]
async fn a_request_that_is_never_answered_is_looked_up() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let (listed, absent) = (contact(45), contact(46));
    twilio.next(Behaviour::Silence(true));
    host.miss(&listed).await.expect(202);
    twilio.texted(&listed, 1).await;
    twilio.next(Behaviour::Silence(false));
    host.miss(&absent).await.expect(202);
    twilio.texted(&absent, 1).await;
    let patience = std::time::Duration::from_secs(60);
    for (caller, requests) in [(&listed, 1), (&absent, 2)] {
        crate::support::within(patience, "both are accepted", async || {
            let texts = host.texts_to(caller).await;
            let status = texts[0]["status"].as_str().expect("a word").to_owned();
            assert!(
                !matches!(status.as_str(), "needs_review" | "failed"),
                "{}",
                texts[0]
            );
            (status == "accepted").then_some(())
        })
        .await;
        assert_eq!(twilio.texts_to(caller).len(), requests, "to {caller}");
    }
}

#[tokio::test]
async fn a_text_is_shown_as_unknown_while_nobody_knows() {
    let twilio = Twilio::start().await;
    let config = crate::support::config(&twilio, "", "").replace("\"1s\"", "\"120s\"");
    let host = Host::start(
        &config,
        &[("workflows/text-back.yaml", crate::support::TEXT_BACK)],
    )
    .await;
    let caller = contact(47);
    twilio.next(Behaviour::Close(false));
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "unknown").await;
    assert!(text["errorMessage"].is_string(), "{text}");
    // A person may end the uncertainty.
    let id = text["id"].as_str().expect("an id");
    let body = serde_json::json!({ "decision": "resend" });
    host.post(&format!("/api/v1/messages/{id}/decide"), &body)
        .await
        .expect(200);
    host.text_becomes(&caller, "accepted").await;
    assert_eq!(twilio.texts_to(&caller).len(), 2);
}

#[tokio::test]
async fn a_delivery_report_settles_what_no_answer_did() {
    let twilio = Twilio::start().await;
    let config = crate::support::config(&twilio, "", "").replace("\"1s\"", "\"120s\"");
    let host = Host::start(
        &config,
        &[("workflows/text-back.yaml", crate::support::TEXT_BACK)],
    )
    .await;
    let caller = contact(48);
    twilio.next(Behaviour::Close(false));
    host.miss(&caller).await.expect(202);
    let [request] = twilio.texted(&caller, 1).await.try_into().expect("one");
    host.text_becomes(&caller, "unknown").await;
    let sid = twilio.sid("SM");
    twilio
        .report(&host, &request, &sid, "delivered")
        .await
        .expect(204);
    let text = host.text_becomes(&caller, "delivered").await;
    assert_eq!(text["providerMessageId"], sid.as_str());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

/// Sent again by a person, with the right id each, late and in any order: what the
/// provider says of one attempt is not taken for the other.
#[tokio::test]
async fn a_late_report_counts_for_its_own_attempt_and_a_double_is_shown() {
    let twilio = Twilio::start().await;
    let config = crate::support::config(&twilio, "", "").replace("\"1s\"", "\"120s\"");
    let host = Host::start(
        &config,
        &[("workflows/text-back.yaml", crate::support::TEXT_BACK)],
    )
    .await;
    for (number, late) in [(49, "failed"), (50, "delivered")] {
        let caller = contact(number);
        twilio.next(Behaviour::Close(false));
        host.miss(&caller).await.expect(202);
        let [request] = twilio.texted(&caller, 1).await.try_into().expect("one");
        let text = host.text_becomes(&caller, "unknown").await;
        let id = text["id"].as_str().expect("an id").to_owned();
        let body = serde_json::json!({ "decision": "resend" });
        host.post(&format!("/api/v1/messages/{id}/decide"), &body)
            .await
            .expect(200);
        let text = host.text_becomes(&caller, "accepted").await;
        let second = text["providerMessageId"].clone();
        let first = twilio.sid("SM");
        twilio
            .report(&host, &request, &first, late)
            .await
            .expect(204);
        let texts = host.texts_to(&caller).await;
        assert_eq!(texts[0]["providerMessageId"], second, "{late}");
        let listed = host.list("/api/v1/messages?status=twice").await;
        if late == "failed" {
            assert_eq!(texts[0]["status"], "accepted", "{}", texts[0]);
            assert!(listed.is_empty(), "{listed:?}");
            continue;
        }
        assert_eq!(texts[0]["status"], "delivered", "{}", texts[0]);
        assert_eq!(listed.len(), 1, "{listed:?}");
        let seen = format!("/api/v1/dead-letters/{id}/drop");
        host.post(&seen, &serde_json::json!({})).await.expect(200);
        let open = host.data("/api/v1/attention").await;
        assert_eq!(open["twice"], 0, "{open}");
    }
}
