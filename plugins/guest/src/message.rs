//! Requests, answers and replies: what every connector would write again.

use serde_json::Value;

use crate::http::{Ask, Body, Credential, Failure, Method, Reason, Request, Response};
use crate::webhook::{ParseError, Reply};

/// The first value of a header. Names of headers are in lower case.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.as_str())
}

/// A request that changes something at the provider.
pub fn post(url: String, credential: Credential, body: Body) -> Ask {
    Ask {
        request: Request {
            method: Method::Post,
            url,
            headers: Vec::new(),
            credential,
            body,
        },
        effect: true,
        state: Vec::new(),
    }
}

/// A look-up, which changes nothing. `state` comes back with the answer.
pub fn get(url: String, credential: Credential, state: Vec<u8>) -> Ask {
    Ask {
        request: Request {
            method: Method::Get,
            url,
            headers: Vec::new(),
            credential,
            body: Body::Empty,
        },
        effect: false,
        state,
    }
}

/// A reason of the provider's.
pub fn reason(code: impl Into<String>, text: impl Into<String>) -> Reason {
    Reason {
        code: code.into(),
        text: text.into(),
    }
}

/// Seconds of a `Retry-After` header, when it is a number.
pub fn retry_after(response: &Response) -> Option<u32> {
    header(&response.headers, "retry-after")?
        .trim()
        .parse()
        .ok()
}

/// What a refused request means when the provider's code says nothing more: the
/// rule that most APIs follow. A status that may hide an effect is uncertain. Where
/// the provider gave no reason in words, the status is one.
pub fn refusal(response: &Response, mut reason: Reason) -> Failure {
    if reason.text.trim().is_empty() {
        reason.text = format!("it answered {} and gave no reason", response.status);
    }
    match response.status {
        401 | 403 => Failure::Misconfigured(reason),
        408 => Failure::Uncertain(reason),
        429 => Failure::RateLimited(retry_after(response)),
        300..=399 => Failure::Misconfigured(reason),
        400..=499 => Failure::Rejected(reason),
        _ => Failure::Uncertain(reason),
    }
}

/// A JSON body; `None` when it is none.
pub fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// A text field of a JSON object; `None` when absent, null or of another kind.
pub fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str()
}

/// A field that must be there.
pub fn needed<'a>(object: &'a Value, field: &str) -> Result<&'a str, ParseError> {
    text(object, field).ok_or_else(|| missing(field))
}

/// The error for a webhook without a field that it must have.
pub fn missing(field: &str) -> ParseError {
    ParseError::Malformed(format!("`{field}` is missing"))
}

/// A reply with a body.
pub fn reply(content_type: &str, body: impl Into<String>) -> Reply {
    Reply {
        status: 200,
        content_type: content_type.to_owned(),
        body: body.into(),
    }
}

/// A reply with nothing to say.
pub fn nothing() -> Reply {
    Reply {
        status: 204,
        content_type: String::new(),
        body: String::new(),
    }
}
