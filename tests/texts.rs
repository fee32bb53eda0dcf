//! The way of a missed call through Twilio: one webhook, one text, however often
//! and in whatever order the provider speaks.

use serde_json::json;

use crate::support::{Behaviour, Host, OURS, PUBLIC, SORRY, Specs, Twilio, contact, eventually};

/// The form of a status callback about a call.
pub(crate) fn call<'a>(sid: &'a str, from: &'a str, status: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Called", OURS),
        ("CallStatus", status),
        ("From", from),
        ("To", OURS),
        ("CallSid", sid),
        ("CallDuration", "0"),
        ("Direction", "inbound"),
        ("AccountSid", "AC0123456789abcdef0123456789abcdef"),
        ("Timestamp", "Fri, 20 Nov 2026 12:00:00 +0000"),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", "3"),
        ("ApiVersion", "2010-04-01"),
    ]
}

#[tokio::test]
async fn a_missed_call_becomes_exactly_one_correct_text() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let (caller, sid) = (contact(1), twilio.sid("CA"));
    let form = call(&sid, &caller, "no-answer");
    let answer = twilio.tell(&host, "call", &form).await.expect("an answer");
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    let stored = host.text_becomes(&caller, "accepted").await;
    let mut form = text.form();
    form.sort_unstable();
    let id = stored["id"].as_str().expect("an id");
    let expected = [
        ("Body", SORRY.to_owned()),
        ("From", OURS.to_owned()),
        (
            "StatusCallback",
            format!("{PUBLIC}/hooks/main/status?id={id}"),
        ),
        ("To", caller.clone()),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(form, expected);
    assert!(text.authorized, "the credential was wrong");
    assert_eq!(stored["body"], SORRY);
    assert_eq!(
        stored["runId"],
        host.run_becomes(&caller, "finished").await["id"]
    );
    // In order to an end, so that nothing can still be under way.
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn the_same_webhook_ten_times_at_once_and_ten_times_later_is_one_text() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let (caller, sid) = (contact(2), twilio.sid("CA"));
    let form = call(&sid, &caller, "no-answer");
    let at_once = (0..10).map(|_| twilio.tell(&host, "call", &form));
    for answer in futures_util::future::join_all(at_once).await {
        assert!((200..300).contains(&answer.expect("an answer").status));
    }
    host.text_becomes(&caller, "accepted").await;
    host.restart().await;
    for _ in 0..10 {
        let answer = twilio.tell(&host, "call", &form).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(host.runs_for(&caller).await.len(), 1);
    assert_eq!(host.texts_to(&caller).await.len(), 1);
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn every_ending_without_a_talk_is_a_missed_call_and_a_talk_is_none() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let cases = [
        ("no-answer", 1),
        ("busy", 1),
        ("canceled", 1),
        ("failed", 1),
        ("completed", 0),
    ];
    for (number, (status, _)) in (10..).zip(cases) {
        let (caller, sid) = (contact(number), twilio.sid("CA"));
        for status in ["ringing", status] {
            let form = call(&sid, &caller, status);
            let answer = twilio.tell(&host, "call", &form).await.expect("an answer");
            assert!((200..300).contains(&answer.status), "{status}: {answer:?}");
        }
    }
    assert!(host.stop().await.success());
    for (number, (status, texts)) in (10..).zip(cases) {
        assert_eq!(twilio.texts_to(&contact(number)).len(), texts, "{status}");
    }
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_leaves_no_trace() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let (caller, sid) = (contact(3), twilio.sid("CA"));
    let form = call(&sid, &caller, "no-answer");
    let wrong_key = "GvWf1cFY/Q7PnoempGyD5oXAezc=";
    for (path, signature) in [
        ("/hooks/main/call", wrong_key),
        ("/hooks/main/call", ""),
        ("/hooks/main/text", wrong_key),
        ("/hooks/main/status?id=msg_1", wrong_key),
        ("/hooks/main/voice", wrong_key),
    ] {
        let answer = twilio.tell_signed(&host, path, &form, signature).await;
        assert_eq!(
            answer.expect("an answer").status,
            403,
            "{path} with {signature:?}"
        );
    }
    // The right signature of another address is as wrong as any.
    let right = crate::support::sign(&format!("{PUBLIC}/hooks/main/call"), &form);
    let answer = twilio
        .tell_signed(&host, "/hooks/main/text", &form, &right)
        .await;
    assert_eq!(answer.expect("an answer").status, 403);
    assert_eq!(
        host.runs_for(&caller).await,
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(
        host.list("/api/v1/conversations").await,
        Vec::<serde_json::Value>::new()
    );
    let feed = host.list("/api/v1/events").await;
    assert!(
        feed.iter().all(|entry| entry["contact"].is_null()),
        "{feed:?}"
    );
    assert!(twilio.asked().is_empty());
    host.logs("signature is wrong").await;
}

#[tokio::test]
async fn delivery_reports_move_a_text_forward_and_never_back() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let caller = contact(4);
    host.miss(&caller).await.expect(202);
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    let stored = host.text_becomes(&caller, "accepted").await;
    let sid = stored["providerMessageId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let report = async |status| {
        let answer = twilio.report(&host, &text, &sid, status).await;
        assert!((200..300).contains(&answer.status), "{status}: {answer:?}");
        host.texts_to(&caller).await[0]["status"].clone()
    };
    assert_eq!(report("queued").await, "accepted");
    assert_eq!(report("sent").await, "sent");
    assert_eq!(report("delivered").await, "delivered");
    assert_eq!(report("delivered").await, "delivered");
    assert_eq!(report("sent").await, "delivered");
    assert_eq!(report("sending").await, "delivered");
}

#[tokio::test]
async fn a_report_of_a_text_that_is_not_ours_changes_nothing() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let form = [
        ("MessageSid", "SM1"),
        ("MessageStatus", "delivered"),
        ("To", OURS),
        ("From", OURS),
    ];
    let id = "status?id=msg_01890000-0000-7000-8000-000000000000";
    for hook in ["status", id] {
        let answer = twilio.tell(&host, hook, &form).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{hook}: {answer:?}");
    }
    assert_eq!(
        host.list("/api/v1/messages").await,
        Vec::<serde_json::Value>::new()
    );
}

#[tokio::test]
async fn a_rate_limit_is_obeyed_and_the_text_goes_out_once() {
    let twilio = Twilio::start().await;
    let host = Host::with_text_back(&twilio).await;
    let caller = contact(5);
    let body = json!({ "code": 20429, "message": "Too Many Requests", "status": 429 });
    twilio.next(Behaviour::Refuse(429, body, vec![("retry-after", "1")]));
    let begun = std::time::Instant::now();
    host.miss(&caller).await.expect(202);
    twilio.texted(&caller, 2).await;
    let waited = begun.elapsed();
    assert!(
        waited.as_millis() >= 1000,
        "Retry-After said a second, and it was {waited:?}"
    );
    let text = host.text_becomes(&caller, "accepted").await;
    assert_eq!(text["attempts"].as_array().map(Vec::len), Some(2), "{text}");
    assert_eq!(twilio.texts_to(&caller).len(), 2);
}

#[tokio::test]
async fn a_clear_refusal_is_final_and_says_why() {
    let twilio = Twilio::start().await;
    let mut host = Host::with_text_back(&twilio).await;
    let caller = contact(6);
    twilio.next(Behaviour::refuse(
        400,
        21211,
        "Invalid 'To' Phone Number: +1512555XXXX",
    ));
    host.miss(&caller).await.expect(202);
    let text = host.text_becomes(&caller, "failed").await;
    assert_eq!(text["reason"], "21211");
    assert!(
        text["errorMessage"]
            .as_str()
            .expect("a sentence")
            .contains("Invalid 'To'"),
        "{text}"
    );
    assert!(host.stop().await.success());
    assert_eq!(twilio.texts_to(&caller).len(), 1);
}

#[tokio::test]
async fn what_is_sent_fits_the_provider_s_own_description() {
    let Some(specs) = Specs::load() else { return };
    let twilio = Twilio::start().await;
    let config = crate::support::config(&twilio, "voice = { say = \"Hello & goodbye\" }", "");
    let host = Host::start(
        &config,
        &[("workflows/text-back.yaml", crate::support::TEXT_BACK)],
    )
    .await;
    let caller = contact(7);
    host.miss(&caller).await.expect(202);
    let [text] = twilio.texted(&caller, 1).await.try_into().expect("one");
    assert_eq!(specs.problems(&text), Vec::<String>::new());
    let body = json!({ "agentId": "front-desk", "toNumber": caller });
    host.post("/v1/calls", &body).await.expect(200);
    let [call] = twilio.calls_to(&caller).try_into().expect("one");
    assert_eq!(specs.problems(&call), Vec::<String>::new());
    // And it can fail: an unknown field, a wrong kind, a missing one.
    let mut wrong = text.clone();
    wrong.body = b"Body=Hi&ValidityPeriod=soon&Colour=red".to_vec();
    let problems = specs.problems(&wrong);
    assert_eq!(problems.len(), 3, "{problems:?}");
    eventually("the text is done", async || {
        (!host.texts_to(&caller).await.is_empty()).then_some(())
    })
    .await;
}
