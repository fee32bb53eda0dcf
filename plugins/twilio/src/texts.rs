//! Messages: sending, looking up, and what Twilio reports about them.

use ringback_guest::form::Form;
use ringback_guest::http::{Answer, Ask, Body, Failure, Response};
use ringback_guest::message::{self, get, missing, post, reason, text};
use ringback_guest::texting::{
    Delivery, DeliveryReport, FindStep, IncomingText, OptOutWord, OutgoingText, Receipt,
};
use ringback_guest::types::Attachment;
use ringback_guest::webhook::{ParseError, Reply, Request};
use ringback_guest::{form, host};
use serde_json::{Value, json};

use crate::{MESSAGING_SERVICE, date, params, refusal, twiml};

/// Seconds a text may wait at Twilio (`ValidityPeriod`, API reference).
const VALIDITY: std::ops::RangeInclusive<u32> = 1..=36_000;

/// Pages of the list of messages that a look-up reads at most.
const PAGES: u64 = 5;

/// Seconds by which Twilio's clock may be behind the host's.
const SKEW: i64 = 120;

/// `CreateMessage`.
pub(crate) fn request(text: OutgoingText) -> Result<Ask, Failure> {
    let (url, credential) = crate::resource("Messages.json")?;
    let mut fields = vec![("To", text.to)];
    match (text.from, host::setting(MESSAGING_SERVICE)) {
        (Some(from), _) => fields.push(("From", from)),
        (None, Some(service)) => fields.push(("MessagingServiceSid", service)),
        (None, None) => {
            let why = format!("a text without a sender needs the setting `{MESSAGING_SERVICE}`");
            return Err(Failure::Misconfigured(reason("", why)));
        }
    }
    if !text.body.is_empty() {
        fields.push(("Body", text.body));
    }
    fields.extend(text.media.into_iter().map(|url| ("MediaUrl", url)));
    if !text.status_url.is_empty() {
        fields.push(("StatusCallback", text.status_url));
    }
    if let Some(seconds) = text.valid_for {
        let seconds = seconds.clamp(*VALIDITY.start(), *VALIDITY.end());
        fields.push(("ValidityPeriod", seconds.to_string()));
    }
    let Form(pairs) = fields.into_iter().collect();
    Ok(post(url, credential, Body::Form(pairs)))
}

/// The answer to `CreateMessage`.
pub(crate) fn receipt(response: &Response) -> Result<Receipt, Failure> {
    if !(200..300).contains(&response.status) {
        return Err(refusal::of_response(response));
    }
    message::json(&response.body)
        .and_then(|body| receipt_of(&body))
        .ok_or_else(|| Failure::Uncertain(reason("", "accepted, but the answer could not be read")))
}

/// A message resource. Counts are written as text.
fn receipt_of(message: &Value) -> Option<Receipt> {
    let segments = text(message, "num_segments").and_then(|count| count.parse().ok());
    Some(Receipt {
        provider_id: text(message, "sid")?.to_owned(),
        // Zero until Twilio has counted, as with a messaging service.
        segments: segments.filter(|count| *count > 0),
    })
}

/// `ListMessage`, page by page: what was sent to the same number since the
/// attempt, with the same words.
pub(crate) fn find(
    text: &OutgoingText,
    attempted_at: &str,
    answer: Option<Answer>,
) -> Result<FindStep, Failure> {
    let (list, credential) = crate::resource("Messages.json")?;
    let since = date::rfc3339(attempted_at).unwrap_or_default() - SKEW;
    let Some(answer) = answer else {
        let url = format!(
            "{list}?To={}&DateSent%3E={}&PageSize=100",
            form::escape(&text.to),
            date::to_date(since),
        );
        let state = json!({ "page": 1, "found": [] }).to_string().into_bytes();
        return Ok(FindStep::Ask(get(url, credential, state)));
    };
    let page = page(&answer.response)?;
    let state = message::json(&answer.state).unwrap_or(Value::Null);
    let number = state.get("page").and_then(Value::as_u64).unwrap_or(PAGES);
    let mut found = receipts(state.get("found"));
    let messages = page.get("messages").and_then(Value::as_array);
    let alike = messages
        .into_iter()
        .flatten()
        .filter(|m| is_alike(m, text, since));
    found.extend(alike.filter_map(receipt_of));
    let Some(next) = message::text(&page, "next_page_uri").filter(|uri| uri.starts_with('/'))
    else {
        return Ok(FindStep::Candidates(found));
    };
    if number >= PAGES {
        // Half a list could make a stranger's text look like ours.
        let why = format!("more than {PAGES} pages of texts to this number since the attempt");
        return Err(Failure::Rejected(reason("", why)));
    }
    let found: Vec<Value> = found
        .iter()
        .map(|r| json!({ "sid": r.provider_id, "num_segments": r.segments.map(|n| n.to_string()) }))
        .collect();
    let state = json!({ "page": number + 1, "found": found })
        .to_string()
        .into_bytes();
    let url = format!("{}{next}", crate::base());
    Ok(FindStep::Ask(get(url, credential, state)))
}

/// A page of the list. A look-up has no effect, so a failure of it may be tried
/// again.
fn page(response: &Response) -> Result<Value, Failure> {
    let unavailable = |why: &str| Failure::Unavailable(reason("", why));
    if !(200..300).contains(&response.status) {
        return Err(match refusal::of_response(response) {
            Failure::Uncertain(reason) => Failure::Unavailable(reason),
            failure => failure,
        });
    }
    message::json(&response.body).ok_or_else(|| unavailable("the list could not be read"))
}

fn receipts(found: Option<&Value>) -> Vec<Receipt> {
    let found = found.and_then(Value::as_array);
    found.into_iter().flatten().filter_map(receipt_of).collect()
}

fn is_alike(message: &Value, wanted: &OutgoingText, since: date::Seconds) -> bool {
    let field = |name| text(message, name).unwrap_or_default();
    let created = date::rfc2822(field("date_created"));
    field("direction").starts_with("outbound")
        && field("to") == wanted.to
        && field("body") == wanted.body
        && wanted
            .from
            .as_ref()
            .is_none_or(|from| field("from") == from)
        && created.is_none_or(|created| created >= since)
}

/// An incoming message (twilio.com/docs/messaging/guides/webhook-request).
pub(crate) fn read_text(request: &Request) -> Result<(IncomingText, Reply), ParseError> {
    let params = params::read(request);
    let needed = |name| {
        params
            .filled(name)
            .map(str::to_owned)
            .ok_or_else(|| missing(name))
    };
    let count: usize = params
        .get("NumMedia")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    // Twilio sends at most ten; a request that claims more is not trusted.
    let attachments = (0..count.min(10)).filter_map(|index| {
        Some(Attachment {
            url: params.filled(&format!("MediaUrl{index}"))?.to_owned(),
            media_type: params
                .filled(&format!("MediaContentType{index}"))
                .unwrap_or("application/octet-stream")
                .to_owned(),
        })
    });
    let incoming = IncomingText {
        provider_id: needed("MessageSid").or_else(|_| needed("SmsSid"))?,
        from: needed("From")?,
        to: needed("To")?,
        body: params.get("Body").unwrap_or_default().to_owned(),
        attachments: attachments.collect(),
        // Only with advanced opt-out on a messaging service.
        opt_out: match params.get("OptOutType") {
            Some("STOP") => Some(OptOutWord::Stop),
            Some("START") => Some(OptOutWord::Start),
            Some("HELP") => Some(OptOutWord::Help),
            _ => None,
        },
    };
    Ok((incoming, twiml::silence()))
}

/// A status callback (the statuses: OpenAPI `message_enum_status`).
pub(crate) fn read_report(request: &Request) -> Result<(Vec<DeliveryReport>, Reply), ParseError> {
    let params = params::read(request);
    let first = |names: [&'static str; 2]| {
        let [name, older] = names;
        let value = params.filled(name).or_else(|| params.filled(older));
        value.ok_or_else(|| missing(name))
    };
    let failure = || {
        let code = params.get("ErrorCode").unwrap_or_default();
        refusal::of_report(code, params.get("ErrorMessage").unwrap_or_default())
    };
    let delivery = match first(["MessageStatus", "SmsStatus"])? {
        "accepted" | "scheduled" | "queued" => Delivery::Queued,
        "sending" => Delivery::Sending,
        "sent" => Delivery::Sent,
        "delivered" => Delivery::Delivered,
        "read" => Delivery::Read,
        "undelivered" | "partially_delivered" => Delivery::Undelivered(failure()),
        "failed" => Delivery::Failed(failure()),
        "canceled" => Delivery::Failed(Failure::Rejected(reason("canceled", "canceled at Twilio"))),
        // Of incoming texts, and whatever Twilio adds.
        _ => return Err(ParseError::Ignore),
    };
    let report = DeliveryReport {
        provider_id: first(["MessageSid", "SmsSid"])?.to_owned(),
        id: params::our_id(request),
        delivery,
    };
    Ok((vec![report], message::nothing()))
}
