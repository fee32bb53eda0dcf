use ringback_guest::calling::{CallStep, OutgoingCall, Script};
use ringback_guest::form::Form;
use ringback_guest::http::{Answer, Body, Credential, Failure, Method, Reason, Response};
use ringback_guest::message::reason;
use ringback_guest::texting::{FindStep, OutgoingText, Receipt, SendStep};
use ringback_guest::{Calling, Texting};

use super::account;
use crate::Twilio;

const SID: &str = "AC0123456789abcdef0123456789abcdef";

fn text() -> OutgoingText {
    OutgoingText {
        id: "msg_1".to_owned(),
        from: Some("+15557654321".to_owned()),
        to: "+15551234567".to_owned(),
        body: "Sorry we missed you".to_owned(),
        media: vec![
            "https://x.y/1.png".to_owned(),
            "https://x.y/2.png".to_owned(),
        ],
        status_url: "https://h.example/status?id=msg_1".to_owned(),
        valid_for: Some(99_999),
    }
}

fn answer(status: u16, body: &str, state: &[u8]) -> Option<Answer> {
    Some(Answer {
        response: Response {
            status,
            headers: vec![("retry-after".to_owned(), "3".to_owned())],
            body: body.as_bytes().to_vec(),
        },
        state: state.to_vec(),
    })
}

fn form(body: Body) -> String {
    match body {
        Body::Form(pairs) => Form(pairs).encode(),
        other => panic!("no form: {other:?}"),
    }
}

#[test]
fn sends_a_form() {
    account(&[]);
    let Ok(SendStep::Ask(ask)) = Twilio::send(text(), None) else {
        panic!("no request");
    };
    assert!(ask.effect);
    assert_eq!(ask.request.method, Method::Post);
    assert_eq!(
        ask.request.url,
        format!("https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json")
    );
    assert_eq!(
        ask.request.credential,
        Credential::Basic((SID.to_owned(), "auth_token".to_owned()))
    );
    assert_eq!(
        form(ask.request.body),
        "To=%2B15551234567&From=%2B15557654321&Body=Sorry+we+missed+you\
         &MediaUrl=https%3A%2F%2Fx.y%2F1.png&MediaUrl=https%3A%2F%2Fx.y%2F2.png\
         &StatusCallback=https%3A%2F%2Fh.example%2Fstatus%3Fid%3Dmsg_1&ValidityPeriod=36000"
    );
}

#[test]
fn needs_a_sender_or_a_service() {
    let anonymous = || OutgoingText {
        from: None,
        media: Vec::new(),
        status_url: String::new(),
        valid_for: None,
        ..text()
    };
    account(&[]);
    assert!(matches!(
        Twilio::send(anonymous(), None),
        Err(Failure::Misconfigured(_))
    ));
    account(&[
        ("messaging_service_sid", "MG1"),
        ("base_url", "http://127.0.0.1:1/"),
    ]);
    let Ok(SendStep::Ask(ask)) = Twilio::send(anonymous(), None) else {
        panic!("no request");
    };
    assert!(
        ask.request
            .url
            .starts_with("http://127.0.0.1:1/2010-04-01/")
    );
    assert_eq!(
        form(ask.request.body),
        "To=%2B15551234567&MessagingServiceSid=MG1&Body=Sorry+we+missed+you"
    );
}

fn silent(status: u16) -> Reason {
    reason("", format!("it answered {status} and gave no reason"))
}

#[test]
fn reads_every_kind_of_answer() {
    account(&[]);
    let check = |status, body: &str, expected: Result<SendStep, Failure>| {
        let step = Twilio::send(text(), answer(status, body, b""));
        assert_eq!(step, expected, "{status} {body}");
    };
    let refused = |code: u32| format!(r#"{{"code":{code},"message":"why","status":400}}"#);
    let why = |code: &str| reason(code, "why");
    let receipt = |segments| {
        Ok(SendStep::Done(Receipt {
            provider_id: "SM1".to_owned(),
            segments,
        }))
    };
    check(
        201,
        r#"{"sid":"SM1","num_segments":"2","status":"queued"}"#,
        receipt(Some(2)),
    );
    check(201, r#"{"sid":"SM1","num_segments":"0"}"#, receipt(None));
    let unreadable = reason("", "accepted, but the answer could not be read");
    check(201, "<html>", Err(Failure::Uncertain(unreadable.clone())));
    check(200, "{}", Err(Failure::Uncertain(unreadable)));
    check(400, &refused(21610), Err(Failure::OptedOut(why("21610"))));
    check(400, &refused(21211), Err(Failure::Rejected(why("21211"))));
    check(404, "", Err(Failure::Rejected(silent(404))));
    check(429, &refused(20429), Err(Failure::RateLimited(Some(3))));
    check(429, "", Err(Failure::RateLimited(Some(3))));
    check(
        401,
        &refused(20003),
        Err(Failure::Misconfigured(why("20003"))),
    );
    check(403, "{}", Err(Failure::Misconfigured(silent(403))));
    check(408, "{}", Err(Failure::Uncertain(silent(408))));
    check(500, &refused(20500), Err(Failure::Uncertain(why("20500"))));
    check(503, &refused(20429), Err(Failure::Uncertain(why("20429"))));
}

fn listed(sid: &str, body: &str, created: &str) -> String {
    format!(
        r#"{{"sid":"{sid}","num_segments":"1","direction":"outbound-api","to":"+15551234567",
            "from":"+15557654321","body":"{body}","date_created":"{created}"}}"#
    )
}

#[test]
fn looks_through_the_list_of_messages() {
    account(&[]);
    let at = "2026-11-20T00:01:00Z".to_owned();
    let Ok(FindStep::Ask(ask)) = Twilio::find(text(), at.clone(), None) else {
        panic!("no request");
    };
    assert!(!ask.effect);
    // Two minutes of doubt about the clocks reach into the day before.
    assert!(
        ask.request
            .url
            .ends_with("Messages.json?To=%2B15551234567&DateSent%3E=2026-11-19&PageSize=100"),
        "{}",
        ask.request.url
    );
    let page = |next: &str, messages: &[String]| {
        format!(
            r#"{{"messages":[{}],"next_page_uri":{next}}}"#,
            messages.join(",")
        )
    };
    let fresh = "Fri, 20 Nov 2026 00:01:02 +0000";
    let first = page(
        r#""/2010-04-01/Accounts/AC/Messages.json?Page=1""#,
        &[
            listed("SM1", "Sorry we missed you", fresh),
            listed("SM2", "Something else", fresh),
            listed(
                "SM3",
                "Sorry we missed you",
                "Thu, 19 Nov 2026 23:00:00 +0000",
            ),
        ],
    );
    let step = Twilio::find(text(), at.clone(), answer(200, &first, &ask.state));
    let Ok(FindStep::Ask(next)) = step else {
        panic!("no second page: {step:?}");
    };
    assert_eq!(
        next.request.url,
        "https://api.twilio.com/2010-04-01/Accounts/AC/Messages.json?Page=1"
    );
    let last = page("null", &[listed("SM4", "Sorry we missed you", fresh)]);
    let step = Twilio::find(text(), at.clone(), answer(200, &last, &next.state));
    let Ok(FindStep::Candidates(found)) = step else {
        panic!("no candidates: {step:?}");
    };
    let found: Vec<_> = found
        .iter()
        .map(|r| (r.provider_id.as_str(), r.segments))
        .collect();
    assert_eq!(found, [("SM1", Some(1)), ("SM4", Some(1))]);
    // A look-up that fails had no effect.
    let step = Twilio::find(text(), at.clone(), answer(500, "", &ask.state));
    assert_eq!(step, Err(Failure::Unavailable(silent(500))));
    let endless = answer(200, &first, br#"{"page":5,"found":[]}"#);
    assert!(matches!(
        Twilio::find(text(), at, endless),
        Err(Failure::Rejected(_))
    ));
}

fn call(script: Script) -> OutgoingCall {
    OutgoingCall {
        id: "call_1".to_owned(),
        from: "+15557654321".to_owned(),
        to: "+15551234567".to_owned(),
        script,
        variables: "{}".to_owned(),
        ring_for: 25,
        detect_machine: true,
        status_url: "https://h.example/call?id=call_1".to_owned(),
    }
}

#[test]
fn places_calls() {
    account(&[]);
    let Ok(CallStep::Ask(ask)) = Twilio::place(call(Script::Say("A & B".to_owned())), None) else {
        panic!("no request");
    };
    assert!(ask.request.url.ends_with("/Calls.json"));
    let Body::Form(pairs) = ask.request.body else {
        panic!("no form");
    };
    let form = Form(pairs);
    assert_eq!(
        form.get("Twiml"),
        Some(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>A &amp; B</Say><Hangup/></Response>"
        )
    );
    assert_eq!(form.get("Timeout"), Some("25"));
    assert_eq!(form.get("MachineDetection"), Some("Enable"));
    let events = form
        .0
        .iter()
        .filter(|(name, _)| name == "StatusCallbackEvent");
    assert_eq!(events.count(), 4);
    let step = Twilio::place(call(Script::Agent("a".to_owned())), None);
    assert!(matches!(step, Err(Failure::Misconfigured(_))));
    let done = Twilio::place(
        call(Script::Address("https://x".to_owned())),
        answer(201, r#"{"sid":"CA1"}"#, b""),
    );
    assert!(matches!(done, Ok(CallStep::Done(receipt)) if receipt.provider_id == "CA1"));
}
