use ringback_guest::host::pretend;
use ringback_guest::http::{Method, Reason};
use ringback_guest::message::header;
use ringback_guest::texting::Delivery;

use super::*;

fn outgoing() -> OutgoingText {
    pretend::settings(
        &[("base_url", "http://127.0.0.1:9/sim/")],
        &[(SECRET, "s3cret")],
    );
    OutgoingText {
        id: "msg_1".to_owned(),
        from: None,
        to: "+15551234567".to_owned(),
        body: "Sorry we missed you".to_owned(),
        media: Vec::new(),
        status_url: "http://host/hooks/sim/status?id=msg_1".to_owned(),
        valid_for: Some(600),
    }
}

fn answer(status: u16, body: &str) -> Option<Answer> {
    Some(Answer {
        response: Response {
            status,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            body: body.as_bytes().to_vec(),
        },
        state: Vec::new(),
    })
}

fn webhook(body: Value) -> Request {
    Request {
        method: "POST".to_owned(),
        url: "http://host/hooks/sim/text".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
        received_at: 1_800_000_000,
    }
}

#[test]
fn asks_the_network_to_send() {
    let Ok(SendStep::Ask(ask)) = Simulator::send(outgoing(), None) else {
        panic!("no request");
    };
    assert!(ask.effect);
    assert_eq!(ask.request.method, Method::Post);
    assert_eq!(ask.request.url, "http://127.0.0.1:9/sim/texts");
    assert_eq!(
        ask.request.credential,
        Credential::Bearer("secret".to_owned())
    );
    let Body::Json(body) = ask.request.body else {
        panic!("no JSON");
    };
    assert_eq!(
        body,
        r#"{"id":"msg_1","from":null,"to":"+15551234567","body":"Sorry we missed you","media":[],"status_url":"http://host/hooks/sim/status?id=msg_1","valid_for":600}"#
    );
}

#[test]
fn reads_every_kind_of_answer() {
    let check = |status, body: &str, expected: Result<SendStep, Failure>| {
        assert_eq!(
            Simulator::send(outgoing(), answer(status, body)),
            expected,
            "{status} {body}"
        );
    };
    let why = |code: &str| Reason {
        code: code.to_owned(),
        text: "why".to_owned(),
    };
    let refused = |code: &str| format!(r#"{{"code":"{code}","message":"why"}}"#);
    let receipt = Receipt {
        provider_id: "SIM1".to_owned(),
        segments: Some(2),
    };
    check(
        201,
        r#"{"provider_id":"SIM1","segments":2}"#,
        Ok(SendStep::Done(receipt)),
    );
    check(201, "oops", Err(unreadable()));
    check(
        400,
        &refused("bad-number"),
        Err(Failure::Rejected(why("bad-number"))),
    );
    check(410, &refused("stop"), Err(Failure::OptedOut(why("stop"))));
    check(
        401,
        &refused("key"),
        Err(Failure::Misconfigured(why("key"))),
    );
    check(
        403,
        &refused("key"),
        Err(Failure::Misconfigured(why("key"))),
    );
    check(429, &refused("slow"), Err(Failure::RateLimited(Some(7))));
    check(
        503,
        &refused("unavailable"),
        Err(Failure::Unavailable(why("unavailable"))),
    );
    check(
        503,
        &refused("crashed"),
        Err(Failure::Uncertain(why("crashed"))),
    );
    let silent = reason("", "it answered 500 and gave no reason");
    check(500, "<html>", Err(Failure::Uncertain(silent)));
}

#[test]
fn looks_up_a_text_by_our_id() {
    let step = Simulator::find(outgoing(), String::new(), None);
    let Ok(FindStep::Ask(ask)) = step else {
        panic!("no request");
    };
    assert!(!ask.effect);
    assert_eq!(ask.request.url, "http://127.0.0.1:9/sim/texts?id=msg_1");
    let found = answer(200, r#"{"texts":[{"provider_id":"SIM1","segments":1}]}"#);
    let step = Simulator::find(outgoing(), String::new(), found);
    assert!(matches!(step, Ok(FindStep::Candidates(list)) if list.len() == 1));
}

#[test]
fn refuses_a_webhook_that_is_not_signed_right() {
    outgoing();
    let mut request = webhook(json!({}));
    assert_eq!(Simulator::verify(request.clone()), Ok(false));
    // HMAC-SHA256("s3cret", "http://host/hooks/sim/text\n{}"), by OpenSSL.
    let tag = "3faecb84cd60c62a7a11e1171e17811ad4d17a2e2f583ae81694970e651a3369";
    request.headers = vec![("x-simulator-signature".to_owned(), tag.to_owned())];
    assert!(header(&request.headers, "x-simulator-signature").is_some());
    assert_eq!(Simulator::verify(request.clone()), Ok(true));
    request.body = b"{ }".to_vec();
    assert_eq!(Simulator::verify(request), Ok(false));
}

#[test]
fn reads_texts_and_reports() {
    let (text, _) = Simulator::read_text(webhook(json!({
        "provider_id": "SIM2", "from": "+15551234567", "to": "+15557654321", "body": "Hi",
        "media": [{"url": "http://x/y", "media_type": "image/png"}],
    })))
    .expect("a text");
    assert_eq!((text.body.as_str(), text.attachments.len()), ("Hi", 1));
    let missing = Simulator::read_text(webhook(json!({"provider_id": "SIM2"})));
    assert_eq!(
        missing,
        Err(ParseError::Malformed("`from` is missing".to_owned()))
    );
    let (reports, _) = Simulator::read_report(webhook(json!({
        "provider_id": "SIM1", "id": "msg_1", "status": "undelivered", "code": "30005", "message": "gone",
    })))
    .expect("a report");
    let failure = Failure::Rejected(reason("30005", "gone"));
    assert_eq!(reports[0].delivery, Delivery::Undelivered(failure));
}

#[test]
fn reads_calls_and_answers_them() {
    let asked = webhook(json!({"provider_id": "C1", "from": "+15551234567", "to": "+15557654321"}));
    let (report, _) = Simulator::read_call(asked.clone()).expect("a call");
    assert_eq!(report.outcome, calling::Outcome::Ringing);
    let (report, _) = Simulator::read_call(webhook(json!({
        "provider_id": "C1", "direction": "inbound", "from": "+15551234567", "to": "+15557654321",
        "outcome": "no-answer", "leg": "forwarded",
    })))
    .expect("a call");
    assert_eq!(
        (report.outcome, report.leg),
        (calling::Outcome::NoAnswer, calling::Leg::Forwarded)
    );
    let plan = CallPlan::Forward(calling::Forwarding {
        to: "+15550001111".to_owned(),
        ring_for: 20,
        report_url: "http://host/r".to_owned(),
    });
    let reply = Simulator::answer_call(asked, plan).expect("a reply");
    assert_eq!(
        reply.body,
        r#"{"forward":{"to":"+15550001111","ring_for":20,"report_url":"http://host/r"}}"#
    );
}
