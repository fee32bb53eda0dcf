//! Calls: placing them, and what Twilio reports about them.

use ringback_guest::calling::{CallReport, Leg, Outcome, OutgoingCall, Receipt, Script};
use ringback_guest::form::Form;
use ringback_guest::http::{Ask, Body, Failure, Response};
use ringback_guest::message::{json, missing, nothing, post, reason, text};
use ringback_guest::types::Direction;
use ringback_guest::webhook::{ParseError, Reply, Request};

use crate::{date, params, refusal, twiml};

/// Longest TwiML that a call may be placed with, in characters.
const TWIML_LIMIT: usize = 4000;

/// `CreateCall`.
pub(crate) fn request(call: OutgoingCall) -> Result<Ask, Failure> {
    let (url, credential) = crate::resource("Calls.json")?;
    let script = match &call.script {
        Script::Address(url) => ("Url", url.clone()),
        Script::Say(words) => ("Twiml", twiml::say(words)),
        Script::Agent(_) => {
            let why = "Twilio has no voice agents; give words to say or an address";
            return Err(Failure::Misconfigured(reason("", why)));
        }
    };
    if script.0 == "Twiml" && script.1.chars().count() > TWIML_LIMIT {
        let why = format!("the words make more than {TWIML_LIMIT} characters of TwiML");
        return Err(Failure::Rejected(reason("", why)));
    }
    let ring_for = call.ring_for.clamp(1, twiml::RING_LIMIT);
    let mut fields = vec![
        ("To", call.to),
        ("From", call.from),
        script,
        ("Timeout", ring_for.to_string()),
    ];
    if call.detect_machine {
        fields.push(("MachineDetection", "Enable".to_owned()));
    }
    if !call.status_url.is_empty() {
        fields.push(("StatusCallback", call.status_url));
        for event in ["initiated", "ringing", "answered", "completed"] {
            fields.push(("StatusCallbackEvent", event.to_owned()));
        }
    }
    let Form(pairs) = fields.into_iter().collect();
    Ok(post(url, credential, Body::Form(pairs)))
}

/// The answer to `CreateCall`.
pub(crate) fn receipt(response: &Response) -> Result<Receipt, Failure> {
    if !(200..300).contains(&response.status) {
        return Err(refusal::of_response(response));
    }
    let sid = json(&response.body).and_then(|body| text(&body, "sid").map(str::to_owned));
    match sid {
        Some(provider_id) => Ok(Receipt { provider_id }),
        None => {
            let why = "accepted, but the answer could not be read";
            Err(Failure::Uncertain(reason("", why)))
        }
    }
}

/// Any webhook about a call: the question what to do with it, a status callback,
/// or the outcome of a `<Dial>` (its `action`), which alone says whether a
/// forwarded call was missed.
pub(crate) fn read_call(request: &Request) -> Result<(CallReport, Reply), ParseError> {
    let params = params::read(request);
    let needed = |name| params.filled(name).ok_or_else(|| missing(name));
    let (leg, status) = match params.filled("DialCallStatus") {
        Some(status) => (Leg::Forwarded, status),
        None => (Leg::Whole, needed("CallStatus")?),
    };
    let seconds = |name| params.filled(name).and_then(|text| text.parse().ok());
    let outcome = outcome(leg, status, params.filled("AnsweredBy"))?;
    let ended = !matches!(outcome, Outcome::Ringing | Outcome::Answered);
    let at = params.filled("Timestamp").and_then(date::rfc2822);
    let report = CallReport {
        provider_id: needed("CallSid")?.to_owned(),
        id: params::our_id(request),
        direction: match params.filled("Direction") {
            // "outbound-api" and "outbound-dial".
            Some(direction) if direction.starts_with("outbound") => Direction::Outbound,
            _ => Direction::Inbound,
        },
        from: caller(needed("From")?).to_owned(),
        to: needed("To")?.to_owned(),
        leg,
        outcome,
        started_at: None,
        ended_at: at.filter(|_| ended).map(date::to_rfc3339),
        duration: match leg {
            Leg::Forwarded => seconds("DialCallDuration"),
            Leg::Whole => seconds("CallDuration"),
        },
        summary: None,
        transcript: None,
        recording_url: params.filled("RecordingUrl").map(str::to_owned),
        cause: ["ErrorCode", "SipResponseCode", "DialSipResponseCode"]
            .iter()
            .find_map(|name| params.filled(name))
            .map(str::to_owned),
    };
    // A status callback wants nothing; the others ask what to do next.
    let reply = match params.filled("CallbackSource") {
        Some(_) => nothing(),
        None => twiml::silence(),
    };
    Ok((report, reply))
}

/// Words for a hidden caller, as Twilio gives them: spelled on the keys of a
/// telephone, and so in the shape of a number that must never be texted.
const HIDDEN: [(&str, &str); 5] = [
    ("+266696687", "anonymous"),
    ("+7378742833", "restricted"),
    ("+2562533", "blocked"),
    ("+8656696", "unknown"),
    ("+86282452253", "unavailable"),
];

/// The caller, or the word for one who hides.
fn caller(from: &str) -> &str {
    let hidden = HIDDEN.iter().find(|(spelled, _)| *spelled == from);
    hidden.map_or(from, |(_, word)| word)
}

/// `call_enum_status` of the OpenAPI description, the names of the events, and
/// the values of `DialCallStatus`.
fn outcome(leg: Leg, status: &str, answered_by: Option<&str>) -> Result<Outcome, ParseError> {
    let outcome = match status {
        "queued" | "initiated" | "ringing" => Outcome::Ringing,
        // A dial reports only once it is over.
        "answered" if leg == Leg::Forwarded => Outcome::Completed,
        "answered" | "in-progress" => Outcome::Answered,
        "completed" => Outcome::Completed,
        "busy" => Outcome::Busy,
        "no-answer" => Outcome::NoAnswer,
        "canceled" => Outcome::Canceled,
        "failed" => Outcome::Failed,
        other => {
            return Err(ParseError::Malformed(format!(
                "unknown call status `{other}`"
            )));
        }
    };
    let spoken = matches!(outcome, Outcome::Answered | Outcome::Completed);
    let machine = answered_by.is_some_and(|who| who.starts_with("machine_"));
    Ok(if spoken && machine {
        Outcome::Voicemail
    } else {
        outcome
    })
}
