//! What connectors read, in the engine's words.

use jiff::Timestamp;
use ringback_core::engine::{CallOutcome, CallReport, Delivery};
use ringback_core::model::{CallId, Direction, PhoneNumber, Problem};
use ringback_sandbox::contract::calling::{Leg, Outcome};
use ringback_sandbox::contract::http::Failure;
use ringback_sandbox::contract::texting::Delivery as TheirDelivery;
use ringback_sandbox::contract::{self};

use super::Trouble;

/// A number in E.164; a connector may hand over what a provider wrote.
pub(super) fn number(text: &str) -> Option<PhoneNumber> {
    PhoneNumber::parse(text.trim())
}

pub(super) fn odd(field: &str, text: &str) -> Trouble {
    Trouble::Unreadable(format!(
        "`{field}` is {text:?}, which is not a phone number like +15551234567"
    ))
}

pub(super) fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Rejected(reason)
        | Failure::OptedOut(reason)
        | Failure::Misconfigured(reason)
        | Failure::Unavailable(reason)
        | Failure::Uncertain(reason) => Problem {
            code: reason.code,
            text: reason.text,
        },
        Failure::RateLimited(_) => Problem {
            code: "rate_limited".to_owned(),
            text: "the provider takes no more for now".to_owned(),
        },
    }
}

pub(super) fn delivery(delivery: TheirDelivery) -> Delivery {
    match delivery {
        TheirDelivery::Queued | TheirDelivery::Sending => Delivery::Queued,
        TheirDelivery::Sent => Delivery::Sent,
        TheirDelivery::Delivered | TheirDelivery::Read => Delivery::Delivered,
        TheirDelivery::Undelivered(failure @ Failure::OptedOut(_))
        | TheirDelivery::Failed(failure @ Failure::OptedOut(_)) => {
            Delivery::OptedOut(problem(failure))
        }
        TheirDelivery::Undelivered(failure) => Delivery::Undelivered(problem(failure)),
        TheirDelivery::Failed(failure) => Delivery::Failed(problem(failure)),
    }
}

pub(super) fn call_report(connection: &str, report: contract::calling::CallReport) -> CallReport {
    let time = |text: Option<String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    CallReport {
        connection: connection.to_owned(),
        provider_id: report.provider_id,
        id: report.id.as_deref().and_then(CallId::parse),
        direction: match report.direction {
            contract::Direction::Inbound => Direction::Inbound,
            contract::Direction::Outbound => Direction::Outbound,
        },
        from: number(&report.from),
        to: number(&report.to),
        outcome: match report.outcome {
            Outcome::Ringing => CallOutcome::Ringing,
            Outcome::Answered => CallOutcome::Answered,
            Outcome::Completed => CallOutcome::Completed,
            Outcome::NoAnswer => CallOutcome::NoAnswer,
            Outcome::Busy => CallOutcome::Busy,
            Outcome::Canceled => CallOutcome::Canceled,
            Outcome::Failed => CallOutcome::Failed,
            Outcome::Rejected => CallOutcome::Rejected,
            Outcome::Voicemail => CallOutcome::Voicemail,
        },
        forwarded: report.leg == Leg::Forwarded,
        started_at: time(report.started_at),
        ended_at: time(report.ended_at),
        duration: report.duration,
        summary: report.summary,
        transcript: report
            .transcript
            .and_then(|text| serde_json::from_str(&text).ok()),
        recording_url: report.recording_url,
        cause: report.cause,
    }
}
