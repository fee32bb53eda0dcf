//! Carries out what the engine decided: asks the component for requests, performs
//! them, and reports the outcome as the next input. A command comes with the
//! store's permit, which only a durable batch gives.

use std::sync::Arc;

use jiff::Timestamp;
use ringback_core::engine::{
    Command, Facts, Finding, Gated, Input, PlaceResult, SendResult, Voice, WorkResult,
};
use ringback_core::model::{Call, CallId, Message, MessageId, Problem, keys};
use ringback_sandbox::contract::calling::{CallStep, OutgoingCall, Script};
use ringback_sandbox::contract::http::{Answer, Ask, Failure, Reason};
use ringback_sandbox::contract::texting::{FindStep, OutgoingText, SendStep};
use ringback_store::Permit;
use tracing::{debug, info, warn};

use super::connectors::{Connector, Connectors};
use super::wire::{Wire, retry_after};
use super::{Host, clock, outside};

/// How many requests one talk with a provider may have.
const TALK: usize = 8;

/// Carries out one command. `known` is what its commit wrote.
pub(super) async fn perform(host: &Arc<Host>, permit: Permit<Command>, known: Facts) {
    match permit.into_command() {
        Command::Send(gated) => {
            let result = send(host, &gated, &known).await;
            log_send(gated.message(), &result);
            host.conclude(Input::Sent(gated.message().clone(), result), known)
                .await;
        }
        Command::Look(message) => {
            let finding = look(host, &message).await;
            host.conclude(Input::Looked(message, finding), known).await;
        }
        Command::Place(call) => {
            let result = place(host, &call).await;
            if let PlaceResult::Refused(problem) | PlaceResult::Unknown(problem) = &result {
                warn!(call = %call, "the call was not placed: {}", problem.text);
            }
            host.conclude(Input::Placed(call, result), known).await;
        }
        Command::Work(work) => {
            let result = outside::work(host, &work).await;
            if let WorkResult::Failed { problem, .. } | WorkResult::Unknown(problem) = &result {
                warn!(run = %work.run, step = work.step, "not done: {}", problem.text);
            }
            host.conclude(Input::Worked(work.run, work.number, result), known)
                .await;
        }
    }
}

fn log_send(message: &MessageId, result: &SendResult) {
    match result {
        SendResult::Accepted { provider_id } => {
            debug!(%message, provider_id, "the provider has it");
        }
        SendResult::Misconfigured(problem) => {
            // The connection's own line in the log, an error, is written once.
            info!(%message, code = problem.code, "held: the connection's settings do not work: {}", problem.text);
        }
        SendResult::Rejected(problem) => {
            warn!(%message, code = problem.code, "the provider refuses it: {}", problem.text);
        }
        SendResult::OptedOut(problem) => {
            warn!(%message, code = problem.code, "the contact opted out at the provider: {}", problem.text);
        }
        SendResult::RateLimited(_, problem) | SendResult::Unavailable(problem) => {
            warn!(%message, code = problem.code, "certainly not sent; it is tried again: {}", problem.text);
        }
        SendResult::Unknown(problem) => {
            warn!(%message, code = problem.code, "nobody knows yet whether it was sent; finding out: {}", problem.text);
        }
        SendResult::CalledOff => info!(%message, "called off: the contact opted out meanwhile"),
    }
}

fn problem(code: &str, text: impl Into<String>) -> Problem {
    Problem {
        code: code.to_owned(),
        text: text.into(),
    }
}

fn from_reason(reason: Reason) -> Problem {
    Problem {
        code: reason.code,
        text: reason.text,
    }
}

/// How a talk with a provider ended.
enum Talk<T> {
    /// The connector says it is done.
    Done(T),
    /// The connector says why it did not work, and no request with an effect may
    /// have had it.
    Failed(Failure),
    /// A request with an effect may have had it, and nobody knows.
    Unknown(Problem),
}

/// What a talk needs to know of its own past.
#[derive(Default)]
struct Past {
    /// A request with an effect was answered.
    answered: bool,
    /// After an answer that leaves the effect open (a 5xx), only `done` is believed.
    open: bool,
}

/// What became of one request of a talk.
enum Turn {
    Go(Answer),
    Stop(Failure),
    Unknown(Problem),
}

/// Performs one request of a talk and keeps account of its effect.
async fn turn(connectors: &Connectors, connector: &Connector, ask: Ask, past: &mut Past) -> Turn {
    let wire = connectors
        .requests()
        .perform(&ask.request, &connector.settings, connector.rules());
    match wire.await {
        Wire::Answered(response) => {
            if ask.effect {
                past.answered = true;
                past.open |= response.status >= 500;
            }
            Turn::Go(Answer {
                response,
                state: ask.state,
            })
        }
        Wire::NotSent(text) => Turn::Stop(Failure::Unavailable(reason("not_sent", text))),
        Wire::Denied(text) => Turn::Stop(Failure::Misconfigured(reason("not_allowed", text))),
        Wire::Broken(text) if ask.effect => Turn::Unknown(problem("no_answer", text)),
        Wire::Broken(text) => Turn::Stop(Failure::Unavailable(reason("no_answer", text))),
    }
}

fn reason(code: &str, text: String) -> Reason {
    Reason {
        code: code.to_owned(),
        text,
    }
}

/// What the connector's own word counts for, given what the host saw.
fn believe<T>(failure: Failure, past: &Past) -> Talk<T> {
    match failure {
        Failure::Uncertain(reason) => Talk::Unknown(from_reason(reason)),
        failure if past.open => {
            let text = match failure {
                Failure::Rejected(reason)
                | Failure::OptedOut(reason)
                | Failure::Misconfigured(reason)
                | Failure::Unavailable(reason)
                | Failure::Uncertain(reason) => reason.text,
                Failure::RateLimited(_) => "too many requests".to_owned(),
            };
            Talk::Unknown(problem(
                "server_error",
                format!("the provider failed: {text}"),
            ))
        }
        failure => Talk::Failed(failure),
    }
}

/// A component that could not be called, in the middle of a talk or before it.
fn broke<T>(text: String, past: &Past) -> Talk<T> {
    if past.answered {
        Talk::Unknown(problem("plugin_failed", text))
    } else {
        Talk::Failed(Failure::Unavailable(reason("plugin_failed", text)))
    }
}

fn too_long<T>(past: &Past) -> Talk<T> {
    broke(
        format!("the connector asked for more than {TALK} requests"),
        past,
    )
}

async fn outgoing(host: &Host, message: &Message, now: Timestamp) -> OutgoingText {
    let valid_for = message
        .valid_until
        .map(|until| u32::try_from(until.duration_since(now).as_secs().max(1)).unwrap_or(u32::MAX));
    OutgoingText {
        id: message.id.to_string(),
        from: message.number.as_ref().map(ToString::to_string),
        to: message.contact.to_string(),
        body: message.body.clone(),
        media: message.media.iter().map(|one| one.url.clone()).collect(),
        status_url: format!(
            "{}/hooks/{}/status?id={}",
            host.base_url(),
            message.connection,
            message.id
        ),
        valid_for,
    }
}

/// Hands a text to its provider.
async fn send(host: &Arc<Host>, gated: &Gated, known: &Facts) -> SendResult {
    let key = keys::message(gated.message());
    let message = match known.record::<Message>(&key) {
        Some(message) => message,
        None => match host.read::<Message>(&key).await {
            Ok(Some(message)) => message,
            Ok(None) => {
                return SendResult::Rejected(problem("gone", "the text is not in the store"));
            }
            Err(error) => return SendResult::Unavailable(problem("store", error.to_string())),
        },
    };
    let connectors = host.connectors();
    let Some(connector) = connectors.get(&message.connection) else {
        let text = format!("there is no connection {:?}", message.connection);
        return SendResult::Misconfigured(problem("no_connection", text));
    };
    let text = outgoing(host, &message, clock::now()).await;
    let context = connector.context(message.id.to_string());
    let mut past = Past::default();
    let mut answer: Option<Answer> = None;
    for _ in 0..TALK {
        let step = match connector
            .plugin
            .send(&context, &text, answer.as_ref())
            .await
        {
            Ok(Ok(step)) => step,
            Ok(Err(failure)) => return send_result(believe(failure, &past), answer.as_ref()),
            Err(error) => return send_result(broke(error.to_string(), &past), None),
        };
        let ask = match step {
            SendStep::Done(receipt) => return send_result(Talk::Done(receipt.provider_id), None),
            SendStep::Ask(ask) => ask,
        };
        // The last look before the first byte.
        if !past.answered && gated.contact().is_some_and(|phone| host.was_stopped(phone)) {
            return SendResult::CalledOff;
        }
        match turn(&connectors, connector, ask, &mut past).await {
            Turn::Go(next) => answer = Some(next),
            Turn::Stop(failure) => return send_result(believe(failure, &past), None),
            Turn::Unknown(problem) => return SendResult::Unknown(problem),
        }
    }
    send_result(too_long(&past), None)
}

fn send_result(talk: Talk<String>, answer: Option<&Answer>) -> SendResult {
    match talk {
        Talk::Done(provider_id) => SendResult::Accepted { provider_id },
        Talk::Unknown(problem) => SendResult::Unknown(problem),
        Talk::Failed(Failure::Rejected(reason)) => SendResult::Rejected(from_reason(reason)),
        Talk::Failed(Failure::OptedOut(reason)) => SendResult::OptedOut(from_reason(reason)),
        Talk::Failed(Failure::Misconfigured(reason)) => {
            SendResult::Misconfigured(from_reason(reason))
        }
        Talk::Failed(Failure::RateLimited(after)) => {
            let after = after.or_else(|| pause(answer));
            SendResult::RateLimited(
                after,
                problem("rate_limited", "the provider takes no more for now"),
            )
        }
        // It took nothing and says when it will: that is a limit, too.
        Talk::Failed(Failure::Unavailable(reason)) if pause(answer).is_some() => {
            SendResult::RateLimited(pause(answer), from_reason(reason))
        }
        Talk::Failed(Failure::Unavailable(reason) | Failure::Uncertain(reason)) => {
            SendResult::Unavailable(from_reason(reason))
        }
    }
}

fn pause(answer: Option<&Answer>) -> Option<u32> {
    answer.and_then(|answer| retry_after(&answer.response, clock::now()))
}

/// Looks for a text in its provider's list.
async fn look(host: &Arc<Host>, id: &MessageId) -> Finding {
    let unavailable = |text: String| Finding::Unavailable(problem("look", text));
    let message = match host.read::<Message>(&keys::message(id)).await {
        Ok(Some(message)) => message,
        Ok(None) => return unavailable("the text is not in the store".to_owned()),
        Err(error) => return unavailable(error.to_string()),
    };
    let connectors = host.connectors();
    let Some(connector) = connectors.get(&message.connection) else {
        return unavailable(format!("there is no connection {:?}", message.connection));
    };
    let attempted = message
        .attempts
        .last()
        .map_or(message.created_at, |attempt| attempt.at);
    let text = outgoing(host, &message, clock::now()).await;
    let context = connector.context(message.id.to_string());
    let mut answer: Option<Answer> = None;
    for _ in 0..TALK {
        let attempted = attempted.to_string();
        let found = connector
            .plugin
            .find(&context, &text, &attempted, answer.as_ref())
            .await;
        let ask = match found {
            Ok(Ok(FindStep::Ask(ask))) => ask,
            Ok(Ok(FindStep::Candidates(found))) => {
                return Finding::Candidates(found.into_iter().map(|one| one.provider_id).collect());
            }
            Ok(Ok(FindStep::Unsupported)) => return Finding::Unsupported,
            Ok(Err(failure)) => return unavailable(format!("{failure:?}")),
            Err(error) => return unavailable(error.to_string()),
        };
        match turn(&connectors, connector, ask, &mut Past::default()).await {
            Turn::Go(next) => answer = Some(next),
            Turn::Stop(failure) => return unavailable(format!("{failure:?}")),
            Turn::Unknown(problem) => return unavailable(problem.text),
        }
    }
    unavailable(format!("the connector asked for more than {TALK} requests"))
}

/// Places a call.
async fn place(host: &Arc<Host>, id: &CallId) -> PlaceResult {
    let refused = |code: &str, text: String| PlaceResult::Refused(problem(code, text));
    let call = match host.read::<Call>(&keys::call(id)).await {
        Ok(Some(call)) => call,
        Ok(None) => return refused("gone", "the call is not in the store".to_owned()),
        Err(error) => return refused("store", error.to_string()),
    };
    let connectors = host.connectors();
    let Some(connector) = connectors.get(&call.connection) else {
        return refused(
            "no_connection",
            format!("there is no connection {:?}", call.connection),
        );
    };
    let Some(contact) = &call.contact else {
        return refused("no_contact", "there is nobody to call".to_owned());
    };
    if host.was_stopped(contact) {
        return refused("opted_out", format!("{contact} opted out meanwhile"));
    }
    let setup = host.setup();
    let voice = call
        .agent
        .as_ref()
        .and_then(|id| setup.agents.get(id)?.voice.clone());
    let script = match voice {
        Some(Voice::Say(text)) => Script::Say(text),
        Some(Voice::Url(url)) => Script::Address(url),
        Some(Voice::Agent(id)) => Script::Agent(id),
        None => return refused("no_voice", "the agent has no `voice` setting".to_owned()),
    };
    let outgoing = OutgoingCall {
        id: call.id.to_string(),
        from: call.number.to_string(),
        to: contact.to_string(),
        script,
        variables: serde_json::Value::Object(call.variables.clone()).to_string(),
        ring_for: call.ring_for,
        detect_machine: true,
        status_url: format!(
            "{}/hooks/{}/call?id={}",
            host.base_url(),
            call.connection,
            call.id
        ),
    };
    let context = connector.context(call.id.to_string());
    let mut past = Past::default();
    let mut answer: Option<Answer> = None;
    for _ in 0..TALK {
        let step = match connector
            .plugin
            .place(&context, &outgoing, answer.as_ref())
            .await
        {
            Ok(Ok(step)) => step,
            Ok(Err(failure)) => return place_result(believe(failure, &past)),
            Err(error) => return place_result(broke(error.to_string(), &past)),
        };
        let ask = match step {
            CallStep::Done(receipt) => return place_result(Talk::Done(receipt.provider_id)),
            CallStep::Ask(ask) => ask,
        };
        match turn(&connectors, connector, ask, &mut past).await {
            Turn::Go(next) => answer = Some(next),
            Turn::Stop(failure) => return place_result(believe(failure, &past)),
            Turn::Unknown(problem) => return PlaceResult::Unknown(problem),
        }
    }
    place_result(too_long(&past))
}

fn place_result(talk: Talk<String>) -> PlaceResult {
    match talk {
        Talk::Done(provider_id) => PlaceResult::Accepted { provider_id },
        Talk::Unknown(problem) => PlaceResult::Unknown(problem),
        Talk::Failed(failure) => PlaceResult::Refused(match failure {
            Failure::RateLimited(_) => {
                problem("rate_limited", "the provider takes no more for now")
            }
            Failure::Rejected(reason)
            | Failure::OptedOut(reason)
            | Failure::Misconfigured(reason)
            | Failure::Unavailable(reason)
            | Failure::Uncertain(reason) => from_reason(reason),
        }),
    }
}
