//! TwiML: Twilio's words for what to do (twilio.com/docs/voice/twiml).

use ringback_guest::calling::CallPlan;
use ringback_guest::message;
use ringback_guest::webhook::Reply;

/// Longest ringing that `<Dial>` takes, in seconds.
pub(crate) const RING_LIMIT: u32 = 600;

/// A document with these instructions; none is an answer with nothing to say.
pub(crate) fn document(instructions: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{instructions}</Response>")
}

/// The document as a reply.
pub(crate) fn reply(document: &str) -> Reply {
    message::reply("text/xml", document)
}

/// A reply with nothing to say. Twilio wants TwiML and not an empty body here,
/// or it raises warning 11200.
pub(crate) fn silence() -> Reply {
    reply("<Response></Response>")
}

/// Reads words aloud and hangs up.
pub(crate) fn say(words: &str) -> String {
    document(&format!("<Say>{}</Say><Hangup/>", escape(words)))
}

/// What to do with a call. `answerOnBridge` lets the caller hear ringing, and
/// leaves the call unanswered, until somebody picks up.
pub(crate) fn plan(plan: &CallPlan) -> String {
    match plan {
        CallPlan::Say(words) => say(words),
        CallPlan::Forward(forwarding) => document(&format!(
            "<Dial timeout=\"{}\" action=\"{}\" answerOnBridge=\"true\"><Number>{}</Number></Dial>",
            forwarding.ring_for.clamp(1, RING_LIMIT),
            escape(&forwarding.report_url),
            escape(&forwarding.to),
        )),
    }
}

/// Text as it may stand in an element or an attribute. Control characters that
/// XML 1.0 has no way to write are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c < ' ' => {}
            c => escaped.push(c),
        }
    }
    escaped
}
