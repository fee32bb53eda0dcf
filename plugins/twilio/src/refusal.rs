//! What Twilio's error codes mean for a text or a call.
//!
//! Twilio advises against programs that know many codes (changelog of
//! 2024-07-10), so only those are listed whose meaning decides what happens
//! next; anything else goes by the status.

use ringback_guest::http::{Failure, Response};
use ringback_guest::message::{json, reason, refusal, retry_after, text};
use serde_json::Value;

/// What a refused request means (twilio.com/docs/api/errors).
pub(crate) fn of_response(response: &Response) -> Failure {
    let body = json(&response.body).unwrap_or(Value::Null);
    // Newer errors follow RFC 9457 and say `title` for `message`.
    let message = text(&body, "message").or_else(|| text(&body, "title"));
    let code = match body.get("code") {
        Some(Value::Number(code)) => code.to_string(),
        Some(Value::String(code)) => code.clone(),
        _ => String::new(),
    };
    let reason = reason(code, message.unwrap_or_default());
    if response.status >= 500 {
        return refusal(response, reason);
    }
    match reason.code.as_str() {
        // The contact has texted STOP.
        "21610" => Failure::OptedOut(reason),
        // "Never processed and always safe to retry."
        "20429" => Failure::RateLimited(retry_after(response)),
        "20003" => Failure::Misconfigured(reason),
        _ => refusal(response, reason),
    }
}

/// What the error code of a delivery report means.
pub(crate) fn of_report(code: &str, message: &str) -> Failure {
    let reason = reason(code, message);
    match code {
        "21610" => Failure::OptedOut(reason),
        // The queue was full: it never left Twilio.
        "30001" => Failure::Unavailable(reason),
        // The account is suspended; the number is not registered to send.
        "30002" | "30034" => Failure::Misconfigured(reason),
        _ => Failure::Rejected(reason),
    }
}
