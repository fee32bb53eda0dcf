//! The provider's side of the pretend network: what the connector calls, and the
//! reports that follow.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ringback_core::model::PhoneNumber;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::faults::Fault;
use super::ledger::{Call, Text};
use super::{Network, provider_id};

pub(super) fn routes(network: Network) -> Router {
    Router::new()
        .route("/texts", get(find).post(send))
        .route("/calls", post(place))
        .layer(middleware::from_fn_with_state(network.clone(), authorize))
        .with_state(network)
}

async fn authorize(State(network): State<Network>, request: Request, next: Next) -> Response {
    let secret = network.postman().secret().expose().as_bytes();
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match given {
        None => refuse(StatusCode::UNAUTHORIZED, "no-key", "no bearer secret"),
        Some(given) if bool::from(given.ct_eq(secret)) => next.run(request).await,
        Some(_) => refuse(StatusCode::FORBIDDEN, "wrong-key", "the secret is another"),
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

#[derive(Deserialize)]
struct OutgoingText {
    id: String,
    from: Option<PhoneNumber>,
    to: PhoneNumber,
    body: String,
    #[serde(default)]
    media: Vec<String>,
    status_url: String,
}

async fn send(
    State(network): State<Network>,
    text: Result<Json<OutgoingText>, JsonRejection>,
) -> Response {
    let Json(text) = match text {
        Ok(text) => text,
        Err(problem) => return unreadable(&problem),
    };
    let fault = Fault::of(&text.to);
    let known = network.ledger().text_of(&text.id).map(|text| text.clone());
    if let Some(known) = known {
        network.release(&text.id);
        return receipt(&known);
    }
    if let Some(refusal) = network.refusal(fault, &text.id) {
        return refusal;
    }
    if text.body.is_empty() && text.media.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "empty", "the text has no content");
    }
    let silent = fault == Some(Fault::Silent);
    let text = Text {
        provider_id: provider_id("sim_"),
        ours: Some(text.id),
        from: text.from,
        segments: segments(&text.body),
        to: text.to,
        body: text.body,
        media: text.media,
        status: "queued",
        at: network.now(),
        status_url: text.status_url,
        held: silent,
    };
    let known = network.ledger().take_text(text.clone());
    if let Some(known) = known {
        return receipt(&known);
    }
    if silent {
        tokio::time::sleep(network.shared.pace.silence).await;
        return refuse(StatusCode::GATEWAY_TIMEOUT, "timeout", "no answer in time");
    }
    let answer = receipt(&text);
    tokio::spawn(network.report(text));
    answer
}

fn receipt(text: &Text) -> Response {
    let body = json!({ "provider_id": text.provider_id, "segments": text.segments });
    (StatusCode::CREATED, Json(body)).into_response()
}

fn unreadable(problem: &JsonRejection) -> Response {
    refuse(StatusCode::BAD_REQUEST, "malformed", &problem.body_text())
}

#[derive(Deserialize)]
struct Wanted {
    id: String,
}

async fn find(State(network): State<Network>, Query(wanted): Query<Wanted>) -> Response {
    let found = network
        .ledger()
        .text_of(&wanted.id)
        .map(|text| json!({ "provider_id": text.provider_id, "segments": text.segments }));
    network.release(&wanted.id);
    let texts: Vec<_> = found.into_iter().collect();
    Json(json!({ "texts": texts })).into_response()
}

#[derive(Deserialize)]
struct OutgoingCall {
    id: String,
    from: PhoneNumber,
    to: PhoneNumber,
    script: Script,
    status_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Script {
    Say(String),
    Address(String),
    Agent(String),
}

impl Script {
    fn said(self) -> String {
        match self {
            Self::Say(words) => words,
            Self::Address(url) => format!("(what {url} says)"),
            Self::Agent(agent) => format!("(the voice agent {agent} talks)"),
        }
    }
}

async fn place(
    State(network): State<Network>,
    call: Result<Json<OutgoingCall>, JsonRejection>,
) -> Response {
    let Json(call) = match call {
        Ok(call) => call,
        Err(problem) => return unreadable(&problem),
    };
    let known = network.ledger().call_of(&call.id).cloned();
    if let Some(known) = known {
        return placed(&known);
    }
    let fault = Fault::of(&call.to);
    if let Some(refusal) = network.refusal(fault, &call.id) {
        return refusal;
    }
    let said = call.script.said();
    let status_url = call.status_url;
    let call = Call {
        provider_id: provider_id("simcall_"),
        ours: Some(call.id),
        from: call.from,
        to: call.to,
        state: "ringing",
        said: None,
        at: network.now(),
    };
    let known = network.ledger().take_call(call.clone());
    if let Some(known) = known {
        return placed(&known);
    }
    let answer = placed(&call);
    tokio::spawn(network.ring(call, fault, said, status_url));
    answer
}

fn placed(call: &Call) -> Response {
    let body = json!({ "provider_id": call.provider_id });
    (StatusCode::CREATED, Json(body)).into_response()
}

impl Network {
    /// The answer of a network that does not take a text or call.
    fn refusal(&self, fault: Option<Fault>, id: &str) -> Option<Response> {
        match fault? {
            Fault::Rejected => Some(refuse(
                StatusCode::BAD_REQUEST,
                "rejected",
                "the number cannot be reached",
            )),
            Fault::OptedOut => Some(refuse(
                StatusCode::GONE,
                "opted-out",
                "the contact has opted out",
            )),
            Fault::Unavailable => self.ledger().stumbles(id).then(|| {
                refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the network is down for a moment",
                )
            }),
            Fault::RateLimited => self.ledger().stumbles(id).then(|| {
                let slow = refuse(StatusCode::TOO_MANY_REQUESTS, "slow", "too many requests");
                ([(header::RETRY_AFTER, "1")], slow).into_response()
            }),
            _ => None,
        }
    }

    /// Lets the reports of a text go out that nobody got an answer for.
    fn release(&self, id: &str) {
        let mut ledger = self.ledger();
        if let Some(text) = ledger.text_of(id).filter(|text| text.held) {
            text.held = false;
            tokio::spawn(self.clone().report(text.clone()));
        }
    }

    /// The life of a text after it was taken.
    async fn report(self, text: Text) {
        let steps: &[&'static str] = match Fault::of(&text.to) {
            Some(Fault::Undelivered) => &["sent", "undelivered"],
            Some(Fault::Jumbled) => &["delivered", "sent", "delivered", "sent"],
            _ => &["sent", "delivered"],
        };
        let mut arrived = false;
        for status in steps.iter().copied() {
            self.pause().await;
            // The phone has what it has, in whatever order the reports go out.
            arrived |= status == "delivered";
            let shown = if arrived { "delivered" } else { status };
            self.ledger().set_text(&text.provider_id, shown);
            let mut report = json!({
                "provider_id": text.provider_id, "id": text.ours, "status": status,
            });
            if let ("undelivered", Some(fields)) = (status, report.as_object_mut()) {
                fields.insert("code".to_owned(), json!("unreachable"));
                fields.insert("message".to_owned(), json!("the handset is switched off"));
            }
            self.postman().deliver(&text.status_url, &report).await;
        }
    }

    /// The life of a call to a contact.
    async fn ring(self, call: Call, fault: Option<Fault>, said: String, status_url: String) {
        let steps: &[&'static str] = match fault {
            Some(Fault::Undelivered) => &["ringing", "no-answer"],
            Some(Fault::Busy) => &["busy"],
            Some(Fault::Voicemail) => &["ringing", "voicemail"],
            _ => &["ringing", "answered", "completed"],
        };
        for outcome in steps.iter().copied() {
            self.pause().await;
            let mut report = json!({
                "provider_id": call.provider_id, "id": call.ours, "direction": "outbound",
                "from": call.from, "to": call.to, "outcome": outcome, "leg": "whole",
                "started_at": call.at,
            });
            if !matches!(outcome, "ringing" | "answered") {
                let now = self.now();
                let talked = outcome == "completed";
                let seconds = now.as_second().saturating_sub(call.at.as_second());
                if let Some(fields) = report.as_object_mut() {
                    fields.insert("ended_at".to_owned(), json!(now));
                    let duration = if talked { seconds.max(1) } else { 0 };
                    fields.insert("duration".to_owned(), json!(duration));
                }
            }
            {
                let mut ledger = self.ledger();
                ledger.set_call(&call.provider_id, outcome);
                if matches!(outcome, "answered" | "voicemail") {
                    ledger.set_said(&call.provider_id, &said);
                }
            }
            self.postman().deliver(&status_url, &report).await;
        }
    }
}

/// The parts that this network counts: plain ASCII travels as 7-bit characters,
/// everything else as UTF-16 (3GPP TS 23.038). Networks do count differently from
/// the host now and then, and so may this one.
fn segments(body: &str) -> u32 {
    let (units, single, part) = if body.is_ascii() {
        (body.len(), 160, 153)
    } else {
        (body.encode_utf16().count(), 70, 67)
    };
    let parts = if units <= single {
        1
    } else {
        units.div_ceil(part)
    };
    u32::try_from(parts).unwrap_or(u32::MAX)
}
