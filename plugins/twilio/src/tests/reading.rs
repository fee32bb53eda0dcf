use ringback_guest::calling::{CallPlan, Forwarding, Leg, Outcome};
use ringback_guest::http::Failure;
use ringback_guest::message::reason;
use ringback_guest::texting::{Delivery, OptOutWord};
use ringback_guest::types::Direction;
use ringback_guest::webhook::ParseError;
use ringback_guest::{Calling, Texting};

use super::webhook;
use crate::Twilio;

#[test]
fn reads_a_text() {
    let body = "MessageSid=SM1&From=%2B15551234567&To=%2B15557654321&Body=Hi+%26+bye&NumMedia=2\
                &MediaUrl0=https%3A%2F%2Fm%2F0&MediaContentType0=image%2Fpng\
                &MediaUrl1=https%3A%2F%2Fm%2F1&OptOutType=STOP";
    let (text, reply) = Twilio::read_text(webhook("https://h/t", body)).expect("a text");
    assert_eq!(
        (text.provider_id.as_str(), text.body.as_str()),
        ("SM1", "Hi & bye")
    );
    let kinds: Vec<_> = text
        .attachments
        .iter()
        .map(|a| a.media_type.as_str())
        .collect();
    assert_eq!(kinds, ["image/png", "application/octet-stream"]);
    assert_eq!(text.opt_out, Some(OptOutWord::Stop));
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, "<Response></Response>")
    );
    assert_eq!(reply.content_type, "text/xml");
}

#[test]
fn reads_a_text_that_came_as_a_get() {
    let mut request = webhook(
        "https://h/t?MessageSid=SM1&From=%2B15551234567&To=%2B1555&Body=x",
        "",
    );
    request.method = "GET".to_owned();
    // The body of a GET is not signed, so it is not read.
    request.body = b"Body=forged".to_vec();
    let (text, _) = Twilio::read_text(request).expect("a text");
    assert_eq!(text.body, "x");
}

#[test]
fn names_what_a_text_lacks() {
    let broken = Twilio::read_text(webhook("https://h/t", "MessageSid=SM1&To=%2B1555"));
    assert_eq!(
        broken,
        Err(ParseError::Malformed("`From` is missing".to_owned()))
    );
}

#[test]
fn reads_delivery_reports() {
    let check = |body: &str, expected: Result<Delivery, ParseError>| {
        let url = "https://h/s?id=msg_1";
        let read = Twilio::read_report(webhook(url, &format!("MessageSid=SM1&{body}")));
        let read = read.map(|(reports, reply)| {
            assert_eq!(reply.status, 204);
            assert_eq!(reports[0].id.as_deref(), Some("msg_1"));
            reports[0].delivery.clone()
        });
        assert_eq!(read, expected, "{body}");
    };
    check("MessageStatus=accepted", Ok(Delivery::Queued));
    check("MessageStatus=sending", Ok(Delivery::Sending));
    check("SmsStatus=sent", Ok(Delivery::Sent));
    check("MessageStatus=delivered", Ok(Delivery::Delivered));
    check("MessageStatus=read", Ok(Delivery::Read));
    check(
        "MessageStatus=undelivered&ErrorCode=30006",
        Ok(Delivery::Undelivered(Failure::Rejected(reason(
            "30006", "",
        )))),
    );
    check(
        "MessageStatus=failed&ErrorCode=21610&ErrorMessage=stop",
        Ok(Delivery::Failed(Failure::OptedOut(reason("21610", "stop")))),
    );
    check(
        "MessageStatus=failed&ErrorCode=30001",
        Ok(Delivery::Failed(Failure::Unavailable(reason("30001", "")))),
    );
    check("MessageStatus=received", Err(ParseError::Ignore));
    check(
        "",
        Err(ParseError::Malformed(
            "`MessageStatus` is missing".to_owned(),
        )),
    );
}

#[test]
fn reads_reports_about_calls() {
    let check = |more: &str, expected: (Leg, Outcome), status: u16| {
        let body =
            format!("CallSid=CA1&From=%2B15551234567&To=%2B15557654321&Direction=inbound&{more}");
        let (report, reply) = Twilio::read_call(webhook("https://h/c", &body)).expect(more);
        assert_eq!((report.leg, report.outcome), expected, "{more}");
        assert_eq!(reply.status, status, "{more}");
        assert_eq!(report.direction, Direction::Inbound);
    };
    let status = "CallbackSource=call-progress-events&CallStatus=";
    // The question what to do with a call.
    check("CallStatus=ringing", (Leg::Whole, Outcome::Ringing), 200);
    check(
        &format!("{status}in-progress"),
        (Leg::Whole, Outcome::Answered),
        204,
    );
    check(
        &format!("{status}completed"),
        (Leg::Whole, Outcome::Completed),
        204,
    );
    check(&format!("{status}busy"), (Leg::Whole, Outcome::Busy), 204);
    check(
        &format!("{status}completed&AnsweredBy=machine_start"),
        (Leg::Whole, Outcome::Voicemail),
        204,
    );
    check(
        &format!("{status}completed&AnsweredBy=human"),
        (Leg::Whole, Outcome::Completed),
        204,
    );
    check(
        &format!("{status}no-answer&AnsweredBy=machine_start"),
        (Leg::Whole, Outcome::NoAnswer),
        204,
    );
    // The dial's outcome counts and not the call's, which goes on.
    check(
        "CallStatus=in-progress&DialCallStatus=no-answer",
        (Leg::Forwarded, Outcome::NoAnswer),
        200,
    );
    check(
        "CallStatus=completed&DialCallStatus=busy",
        (Leg::Forwarded, Outcome::Busy),
        200,
    );
    check(
        "CallStatus=in-progress&DialCallStatus=completed",
        (Leg::Forwarded, Outcome::Completed),
        200,
    );
    check(
        "CallStatus=in-progress&DialCallStatus=answered",
        (Leg::Forwarded, Outcome::Completed),
        200,
    );
}

#[test]
fn takes_no_spelled_word_for_a_caller() {
    let check = |from: &str, expected: &str| {
        let body = format!("CallSid=CA1&From={from}&To=%2B15557654321&CallStatus=ringing");
        let (report, _) = Twilio::read_call(webhook("https://h/v", &body)).expect("a call");
        assert_eq!(report.from, expected);
    };
    check("%2B266696687", "anonymous");
    check("%2B7378742833", "restricted");
    check("anonymous", "anonymous");
    check("%2B15551234567", "+15551234567");
}

#[test]
fn reads_times_and_our_id() {
    let body = "CallSid=CA1&From=%2B1555&To=%2B1556&Direction=outbound-api&CallStatus=completed\
                &CallDuration=42&Timestamp=Fri%2C+20+Nov+2026+10%3A00%3A00+%2B0000&SipResponseCode=200";
    let (report, _) = Twilio::read_call(webhook("https://h/c?id=call_1", body)).expect("a call");
    assert_eq!(report.id.as_deref(), Some("call_1"));
    assert_eq!(report.direction, Direction::Outbound);
    assert_eq!(report.ended_at.as_deref(), Some("2026-11-20T10:00:00Z"));
    assert_eq!(report.duration, Some(42));
    assert_eq!(report.cause.as_deref(), Some("200"));
}

#[test]
fn answers_calls() {
    let check = |plan: CallPlan, expected: &str| {
        let reply = Twilio::answer_call(webhook("https://h/v", ""), plan).expect("a reply");
        assert_eq!(reply.content_type, "text/xml");
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        assert_eq!(reply.body, format!("{head}<Response>{expected}</Response>"));
    };
    check(
        CallPlan::Forward(Forwarding {
            to: "+15550001111".to_owned(),
            ring_for: 20,
            report_url: "https://h/c?id=1&leg=2".to_owned(),
        }),
        "<Dial timeout=\"20\" action=\"https://h/c?id=1&amp;leg=2\" answerOnBridge=\"true\">\
         <Number>+15550001111</Number></Dial>",
    );
    check(
        CallPlan::Say("We're <closed> & \"away\"\u{7}".to_owned()),
        "<Say>We&apos;re &lt;closed&gt; &amp; &quot;away&quot;</Say><Hangup/>",
    );
}
