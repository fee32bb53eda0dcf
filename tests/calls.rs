//! Incoming calls: what Twilio is told to do with them, and which of them count
//! as missed.

use crate::support::{Answer, Host, OURS, OWNER, PUBLIC, TEXT_BACK, Twilio, config, contact};
use crate::texts::call;

async fn started(calls: &str) -> (Twilio, Host) {
    let twilio = Twilio::start().await;
    let config = config(&twilio, &format!("calls = {calls}"), "");
    let host = Host::start(&config, &[("workflows/text-back.yaml", TEXT_BACK)]).await;
    (twilio, host)
}

fn forwarded() -> String {
    format!("{{ forward_to = \"{OWNER}\", ring_for = \"25s\" }}")
}

/// Twilio asks what to do with a call.
async fn asks(twilio: &Twilio, host: &Host, sid: &str, from: &str) -> Answer {
    let mut form = call(sid, from, "ringing");
    form.retain(|(name, _)| !matches!(*name, "CallbackSource" | "SequenceNumber" | "Timestamp"));
    let answer = twilio
        .tell(host, "voice", &form)
        .await
        .expect("an answer")
        .expect(200);
    assert!(answer.kind.starts_with("text/xml"), "{}", answer.kind);
    answer
}

/// Twilio reports how the leg to the owner ended.
async fn dialled(twilio: &Twilio, host: &Host, sid: &str, from: &str, outcome: &str) {
    let mut form = call(sid, from, "in-progress");
    form.retain(|(name, _)| !matches!(*name, "CallbackSource" | "SequenceNumber" | "CallDuration"));
    form.extend([
        ("DialCallStatus", outcome),
        ("DialCallSid", "CA9"),
        ("DialBridged", "false"),
    ]);
    let answer = twilio
        .tell(host, "call?leg=forwarded", &form)
        .await
        .expect("an answer");
    // Twilio wants TwiML here: an empty body is its warning 12100.
    assert!(answer.expect(200).text.contains("<Response"));
    let form = call(sid, from, "completed");
    let answer = twilio.tell(host, "call", &form).await.expect("an answer");
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn a_forwarded_call_is_dialled_through_to_the_owner() {
    let (twilio, host) = started(&forwarded()).await;
    let twiml = asks(&twilio, &host, "CA1", &contact(60)).await.text;
    assert!(twiml.contains("<Dial timeout=\"25\""), "{twiml}");
    assert!(
        twiml.contains(&format!("<Number>{OWNER}</Number>")),
        "{twiml}"
    );
    assert!(
        twiml.contains(&format!(
            "action=\"{PUBLIC}/hooks/main/call?leg=forwarded\""
        )),
        "{twiml}"
    );
    assert!(twilio.texts_to(&contact(60)).is_empty());
}

#[tokio::test]
async fn only_a_dial_that_nobody_took_is_a_missed_call() {
    let (twilio, mut host) = started(&forwarded()).await;
    let cases = [
        ("no-answer", 1),
        ("busy", 1),
        ("failed", 1),
        ("completed", 0),
        ("answered", 0),
    ];
    for (number, (outcome, _)) in (61..).zip(cases) {
        let (sid, caller) = (twilio.sid("CA"), contact(number));
        asks(&twilio, &host, &sid, &caller).await;
        dialled(&twilio, &host, &sid, &caller, outcome).await;
    }
    assert!(host.stop().await.success());
    for (number, (outcome, texts)) in (61..).zip(cases) {
        assert_eq!(twilio.texts_to(&contact(number)).len(), texts, "{outcome}");
    }
}

#[tokio::test]
async fn a_call_that_was_missed_elsewhere_is_texted_back_at_once() {
    let (twilio, mut host) = started("\"missed\"").await;
    let (sid, caller) = (twilio.sid("CA"), contact(70));
    let twiml = asks(&twilio, &host, &sid, &caller).await.text;
    assert!(
        twiml.contains("<Say>") && !twiml.contains("<Dial"),
        "{twiml}"
    );
    twilio.texted(&caller, 1).await;
    let form = call(&sid, &caller, "completed");
    twilio.tell(&host, "call", &form).await.expect("an answer");
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn a_call_from_a_hidden_number_is_answered_and_texts_nobody() {
    let (twilio, mut host) = started(&forwarded()).await;
    for from in ["anonymous", "+266696687", "Restricted"] {
        let sid = twilio.sid("CA");
        asks(&twilio, &host, &sid, from).await;
        dialled(&twilio, &host, &sid, from, "no-answer").await;
    }
    assert!(host.stop().await.success());
    let texts: Vec<_> = twilio
        .asked()
        .into_iter()
        .filter(|one| one.method == "POST")
        .collect();
    assert!(texts.is_empty(), "{texts:?}");
}

#[tokio::test]
async fn a_call_to_a_number_that_nobody_owns_is_answered_and_warned_about() {
    let (twilio, host) = started(&forwarded()).await;
    let mut form = call("CA7", OURS, "ringing");
    for pair in &mut form {
        if pair.0 == "To" {
            pair.1 = "+15125550177";
        }
    }
    let answer = twilio
        .tell(&host, "voice", &form)
        .await
        .expect("an answer")
        .expect(200);
    assert!(answer.text.contains("<Say>"), "{}", answer.text);
    host.logs("+15125550177, which no agent owns").await;
}
