//! The contact's side of the pretend network: what the dashboard's phone calls.
//! Every answer says what the host made of it.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use ringback_core::model::PhoneNumber;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ledger::{Call, Text};
use super::webhooks::Heard;
use super::{ENDINGS, Network, provider_id};

/// How long an answered call lasts.
const TALK: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn routes(network: Network) -> Router {
    Router::new()
        .route("/call", post(call))
        .route("/text", post(text))
        .route("/state", get(state))
        .route("/endings", get(async || Json(ENDINGS)))
        .with_state(network)
}

fn unreadable(problem: &JsonRejection) -> Response {
    let error = json!({ "error": { "code": "invalid", "message": problem.body_text() } });
    (StatusCode::BAD_REQUEST, Json(error)).into_response()
}

/// What the host made of one webhook.
#[derive(Serialize)]
struct Verdict {
    hook: &'static str,
    /// None when no answer came.
    status: Option<u16>,
    ok: bool,
    /// What it said, when it did not take it.
    message: String,
}

impl Verdict {
    fn of(hook: &'static str, heard: &Heard) -> Self {
        let ok = heard.taken();
        let message = if ok { String::new() } else { heard.words() };
        Self {
            hook,
            status: heard.status,
            ok,
            message,
        }
    }
}

/// The first webhook that the host did not take decides how it went.
fn told(provider_id: &str, said: Option<&str>, hooks: Vec<Verdict>) -> Response {
    let host = hooks.iter().find(|hook| !hook.ok).or(hooks.last());
    let body = json!({
        "provider_id": provider_id, "said": said, "host": host, "hooks": hooks,
    });
    Json(body).into_response()
}

#[derive(Deserialize)]
struct Dial {
    from: PhoneNumber,
    to: PhoneNumber,
    ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ending {
    NoAnswer,
    Busy,
    Answered,
    Canceled,
}

impl Ending {
    /// The outcome of the leg that rang.
    fn outcome(self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::Busy => "busy",
            Self::Answered => "completed",
            Self::Canceled => "canceled",
        }
    }

    fn talk(self) -> SignedDuration {
        if self == Self::Answered {
            TALK
        } else {
            SignedDuration::ZERO
        }
    }
}

async fn call(State(network): State<Network>, dial: Result<Json<Dial>, JsonRejection>) -> Response {
    let dial = match dial {
        Ok(Json(dial)) => dial,
        Err(problem) => return unreadable(&problem),
    };
    let call = Call {
        provider_id: provider_id("simcall_"),
        ours: None,
        from: dial.from,
        to: dial.to,
        state: "ringing",
        said: None,
        at: network.now(),
    };
    network.ledger().add_call(call.clone());
    let asked = json!({
        "provider_id": call.provider_id, "from": call.from, "to": call.to,
    });
    let answer = network.postman().post(&network.hook("voice"), &asked).await;
    let mut hooks = vec![Verdict::of("voice", &answer)];
    let plan = if answer.taken() {
        Plan::read(&answer.json())
    } else {
        Plan::None
    };
    let whole = network.hook("call");
    let ended = Ended {
        outcome: dial.ending.outcome(),
        leg: "whole",
        talk: dial.ending.talk(),
    };
    let said = match plan {
        Plan::Forward(report_url) => {
            let leg = Ended {
                leg: "forwarded",
                ..ended
            };
            hooks.push(network.end(&call, "forwarded", &report_url, leg).await);
            // The network itself took the call, so as a whole it was completed.
            let through = Ended {
                outcome: "completed",
                ..ended
            };
            hooks.push(network.end(&call, "call", &whole, through).await);
            // People want to see what became of the ringing, not of the plumbing.
            network.ledger().set_call(&call.provider_id, ended.outcome);
            None
        }
        Plan::Say(words) => {
            network.ledger().set_said(&call.provider_id, &words);
            let spoken = Ended {
                outcome: "completed",
                ..ended
            };
            hooks.push(network.end(&call, "call", &whole, spoken).await);
            Some(words)
        }
        Plan::None => {
            hooks.push(network.end(&call, "call", &whole, ended).await);
            None
        }
    };
    told(&call.provider_id, said.as_deref(), hooks)
}

/// What the host wants done with a call.
enum Plan {
    /// Ring the owner, and report the outcome there.
    Forward(String),
    /// Speak.
    Say(String),
    /// It has no wish.
    None,
}

impl Plan {
    fn read(answer: &Value) -> Self {
        let text = |path| answer.pointer(path).and_then(Value::as_str);
        match (text("/forward/report_url"), text("/say")) {
            (Some(url), _) => Self::Forward(url.to_owned()),
            (None, Some(words)) => Self::Say(words.to_owned()),
            (None, None) => Self::None,
        }
    }
}

/// How a leg of a call ended.
#[derive(Clone, Copy)]
struct Ended {
    outcome: &'static str,
    leg: &'static str,
    talk: SignedDuration,
}

impl Network {
    /// Reports the end of a leg.
    async fn end(&self, call: &Call, hook: &'static str, url: &str, ended: Ended) -> Verdict {
        self.pause().await;
        let now = self.now();
        // Nobody waits half a minute for a pretend talk: it began earlier instead.
        let began = call.at.saturating_sub(ended.talk).unwrap_or(call.at);
        let report = json!({
            "provider_id": call.provider_id, "direction": "inbound",
            "from": call.from, "to": call.to,
            "outcome": ended.outcome, "leg": ended.leg,
            "started_at": began, "ended_at": now, "duration": ended.talk.as_secs(),
        });
        self.ledger().set_call(&call.provider_id, ended.outcome);
        let heard = self.postman().post(url, &report).await;
        if heard.passing() {
            let (postman, url) = (self.postman().clone(), url.to_owned());
            tokio::spawn(async move { postman.insist(&url, &report).await });
        }
        Verdict::of(hook, &heard)
    }
}

#[derive(Deserialize)]
struct Writing {
    from: PhoneNumber,
    to: PhoneNumber,
    body: String,
}

async fn text(
    State(network): State<Network>,
    writing: Result<Json<Writing>, JsonRejection>,
) -> Response {
    let writing = match writing {
        Ok(Json(writing)) => writing,
        Err(problem) => return unreadable(&problem),
    };
    let id = provider_id("sim_");
    let webhook = json!({
        "provider_id": id, "from": writing.from, "to": writing.to,
        "body": writing.body, "media": [],
    });
    network.ledger().add_text(Text {
        provider_id: id.clone(),
        ours: None,
        from: Some(writing.from),
        to: writing.to,
        body: writing.body,
        media: Vec::new(),
        segments: 1,
        status: "sending",
        at: network.now(),
        status_url: String::new(),
        held: false,
    });
    let url = network.hook("text");
    let heard = network.postman().post(&url, &webhook).await;
    let verdict = Verdict::of("text", &heard);
    network.ledger().set_text(&id, arrival(&heard));
    if heard.passing() {
        let (network, id) = (network.clone(), id.clone());
        tokio::spawn(async move {
            let heard = network.postman().insist(&url, &webhook).await;
            let end = if heard.taken() { "delivered" } else { "failed" };
            network.ledger().set_text(&id, end);
        });
    }
    told(&id, None, vec![verdict])
}

fn arrival(heard: &Heard) -> &'static str {
    if heard.taken() {
        "delivered"
    } else if heard.passing() {
        "retrying"
    } else {
        "failed"
    }
}

#[derive(Deserialize)]
struct Whose {
    phone: PhoneNumber,
}

#[derive(Serialize)]
struct Bubble<'a> {
    provider_id: &'a str,
    /// Seen from the phone.
    direction: &'static str,
    from: Option<&'a PhoneNumber>,
    to: &'a PhoneNumber,
    body: &'a str,
    media: &'a [String],
    status: &'static str,
    at: Timestamp,
}

#[derive(Serialize)]
struct Ring<'a> {
    provider_id: &'a str,
    /// Seen from the phone.
    direction: &'static str,
    from: &'a PhoneNumber,
    to: &'a PhoneNumber,
    state: &'static str,
    said: Option<&'a str>,
    at: Timestamp,
}

fn seen(to_phone: bool) -> &'static str {
    if to_phone { "in" } else { "out" }
}

async fn state(State(network): State<Network>, Query(whose): Query<Whose>) -> Response {
    let ledger = network.ledger();
    let texts = ledger.texts(&whose.phone).map(|text| Bubble {
        provider_id: &text.provider_id,
        direction: seen(text.to == whose.phone),
        from: text.from.as_ref(),
        to: &text.to,
        body: &text.body,
        media: &text.media,
        status: text.status,
        at: text.at,
    });
    let calls = ledger.calls(&whose.phone).map(|call| Ring {
        provider_id: &call.provider_id,
        direction: seen(call.to == whose.phone),
        from: &call.from,
        to: &call.to,
        state: call.state,
        said: call.said.as_deref(),
        at: call.at,
    });
    let texts: Vec<_> = texts.collect();
    let calls: Vec<_> = calls.collect();
    Json(json!({ "texts": texts, "calls": calls })).into_response()
}
