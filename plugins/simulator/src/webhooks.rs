//! What the pretend network tells us, as JSON.

use ringback_guest::calling::{CallPlan, CallReport, Leg, Outcome};
use ringback_guest::host::{self, Algorithm, KeyForm};
use ringback_guest::http::Failure;
use ringback_guest::message::{header, json, missing, needed, reason, reply, text};
use ringback_guest::signature::{hex, same};
use ringback_guest::texting::{Delivery, DeliveryReport, IncomingText};
use ringback_guest::types::{Attachment, Direction};
use ringback_guest::webhook::{ParseError, Reply, Request};
use serde_json::{Value, json};

/// Header `x-simulator-signature`: HMAC-SHA256 over the address, a line break
/// and the raw body, in lower hexadecimal.
pub(crate) fn verify(request: &Request) -> Result<bool, String> {
    let Some(given) = header(&request.headers, "x-simulator-signature") else {
        return Ok(false);
    };
    let data = [request.url.as_bytes(), b"\n", &request.body].concat();
    let tag = host::hmac(crate::SECRET, KeyForm::Plain, Algorithm::HmacSha256, &data)?;
    Ok(same(hex(&tag).as_bytes(), given.as_bytes()))
}

pub(crate) fn read_text(request: &Request) -> Result<(IncomingText, Reply), ParseError> {
    let body = body(request)?;
    let media = body.get("media").and_then(Value::as_array);
    let attachments = media.into_iter().flatten().map(|item| {
        Ok(Attachment {
            url: owned(item, "url")?,
            media_type: owned(item, "media_type")?,
        })
    });
    let incoming = IncomingText {
        provider_id: owned(&body, "provider_id")?,
        from: owned(&body, "from")?,
        to: owned(&body, "to")?,
        body: text(&body, "body").unwrap_or_default().to_owned(),
        attachments: attachments.collect::<Result<_, ParseError>>()?,
        opt_out: None,
    };
    Ok((incoming, done()))
}

pub(crate) fn read_report(request: &Request) -> Result<(Vec<DeliveryReport>, Reply), ParseError> {
    let body = body(request)?;
    let field = |name| text(&body, name).unwrap_or_default();
    let failure = || {
        let reason = reason(field("code"), field("message"));
        match reason.code.as_str() {
            "opted-out" => Failure::OptedOut(reason),
            "unavailable" => Failure::Unavailable(reason),
            _ => Failure::Rejected(reason),
        }
    };
    let delivery = match needed(&body, "status")? {
        "queued" => Delivery::Queued,
        "sending" => Delivery::Sending,
        "sent" => Delivery::Sent,
        "delivered" => Delivery::Delivered,
        "read" => Delivery::Read,
        "undelivered" => Delivery::Undelivered(failure()),
        "failed" => Delivery::Failed(failure()),
        other => return Err(ParseError::Malformed(format!("unknown status `{other}`"))),
    };
    let report = DeliveryReport {
        provider_id: owned(&body, "provider_id")?,
        id: text(&body, "id").map(str::to_owned),
        delivery,
    };
    Ok((vec![report], done()))
}

/// Reads a report about a call, and also the question what to do with one,
/// which has no outcome yet.
pub(crate) fn read_call(request: &Request) -> Result<(CallReport, Reply), ParseError> {
    let body = body(request)?;
    let optional = |name| text(&body, name).map(str::to_owned);
    let duration = body.get("duration").and_then(Value::as_u64);
    let report = CallReport {
        provider_id: owned(&body, "provider_id")?,
        id: optional("id"),
        direction: match text(&body, "direction") {
            Some("outbound") => Direction::Outbound,
            _ => Direction::Inbound,
        },
        from: owned(&body, "from")?,
        to: owned(&body, "to")?,
        leg: match text(&body, "leg") {
            Some("forwarded") => Leg::Forwarded,
            _ => Leg::Whole,
        },
        outcome: outcome(text(&body, "outcome").unwrap_or("ringing"))?,
        started_at: optional("started_at"),
        ended_at: optional("ended_at"),
        duration: duration.and_then(|seconds| u32::try_from(seconds).ok()),
        summary: None,
        transcript: None,
        recording_url: None,
        cause: optional("cause"),
    };
    Ok((report, done()))
}

fn outcome(word: &str) -> Result<Outcome, ParseError> {
    Ok(match word {
        "ringing" => Outcome::Ringing,
        "answered" => Outcome::Answered,
        "completed" => Outcome::Completed,
        "no-answer" => Outcome::NoAnswer,
        "busy" => Outcome::Busy,
        "canceled" => Outcome::Canceled,
        "failed" => Outcome::Failed,
        "rejected" => Outcome::Rejected,
        "voicemail" => Outcome::Voicemail,
        other => return Err(ParseError::Malformed(format!("unknown outcome `{other}`"))),
    })
}

pub(crate) fn answer_call(plan: &CallPlan) -> Reply {
    let words = match plan {
        CallPlan::Say(words) => json!({ "say": words }),
        CallPlan::Forward(forwarding) => json!({ "forward": {
            "to": forwarding.to,
            "ring_for": forwarding.ring_for,
            "report_url": forwarding.report_url,
        }}),
    };
    reply("application/json", words.to_string())
}

fn body(request: &Request) -> Result<Value, ParseError> {
    json(&request.body)
        .filter(Value::is_object)
        .ok_or_else(|| ParseError::Malformed("the body is not a JSON object".to_owned()))
}

fn owned(object: &Value, field: &str) -> Result<String, ParseError> {
    match text(object, field) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(missing(field)),
    }
}

fn done() -> Reply {
    reply("application/json", "{}")
}
