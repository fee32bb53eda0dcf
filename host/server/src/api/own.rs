//! The product's own API under `/api/v1`: what happens, texts, approvals, dead letters,
//! campaigns, conversations, contacts, calls, workflows and their runs, and keys. A field that is not
//! known is an error here.

mod approvals;
mod attention;
mod backtest;
mod campaigns;
mod contacts;
mod conversations;
mod events;
mod feed;
mod keys;
mod letters;
mod messages;
mod runs;
mod stream;
mod workflows;

use axum::extract::State;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use ringback_core::engine::Answer;
use ringback_core::workflow::Intent;
use serde_json::{Value, json};

use super::fields::Fields;
use super::{ApiState, Error, Reader, revring};

/// The routes.
pub(super) fn routes() -> Router<ApiState> {
    let routes = Router::new()
        .route("/info", get(info))
        .route("/messages", get(messages::list).post(messages::create))
        .route("/messages/retry", post(messages::retry))
        .route("/messages/{id}", get(messages::show))
        .route("/messages/{id}/decide", post(messages::decide))
        .route("/attention", get(attention::attention))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", post(approvals::answer))
        .route("/campaigns", get(campaigns::list))
        .route("/campaigns/{id}", get(campaigns::show))
        .route("/campaigns/{id}/pause", post(campaigns::pause))
        .route("/campaigns/{id}/resume", post(campaigns::resume))
        .route("/dead-letters", get(letters::list))
        .route("/dead-letters/replay", post(letters::replay_all))
        .route("/dead-letters/{id}/replay", post(letters::replay))
        .route("/dead-letters/{id}/drop", post(letters::forget))
        .route("/calls/{id}", get(revring::show_call))
        .route("/conversations", get(conversations::list))
        .route("/conversations/{id}", get(conversations::show))
        .route(
            "/conversations/{id}/messages",
            get(conversations::messages).post(conversations::answer),
        )
        .route("/conversations/{id}/take", post(conversations::take))
        .route("/conversations/{id}/release", post(conversations::release))
        .route("/contacts", post(contacts::change))
        .route("/contacts/{number}", get(contacts::show))
        .route("/contacts/{number}/opt-out", post(contacts::opt_out))
        .route("/contacts/{number}/opt-in", post(contacts::opt_in))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/wake", post(runs::wake))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/workflows", get(workflows::list))
        .route("/workflows/backtest", post(backtest::backtest))
        .route("/workflows/{id}/runs", post(workflows::start))
        .route("/workflows/{id}/move", post(runs::move_on))
        .route("/events", get(feed::poll).post(events::create))
        .route("/events/stream", get(stream::stream))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", delete(keys::revoke));
    Router::new().nest("/api/v1", routes)
}

/// Why a text is sent: what the request says, else `transactional`.
pub(super) fn intent(fields: &Fields) -> Result<Intent, Error> {
    let Some(value) = fields.value("intent") else {
        return Ok(Intent::Transactional);
    };
    serde_json::from_value(value.clone()).map_err(|_| {
        let text = "`intent` must be marketing, transactional, customer_care, conversation or otp";
        Error::field("intent", "invalid_intent", text)
    })
}

/// What the engine said to something that has no other answer than done.
fn done(answer: Answer, unknown: &str) -> Result<(), Error> {
    match answer {
        Answer::Unknown => Err(Error::not_found(unknown)),
        Answer::Refused { code, text } => Err(Error::conflict(code, text)),
        Answer::Conflict => Err(Error::reused_key()),
        _ => Ok(()),
    }
}

/// What a client may want to know of this installation.
async fn info(State(state): State<ApiState>, _: Reader) -> Json<Value> {
    let setup = state.host.setup();
    let agents = setup.agents.values().map(|agent| {
        json!({
            "id": agent.id,
            "name": agent.name,
            "numbers": agent.numbers,
            "connection": agent.connection,
        })
    });
    Json(json!({ "data": {
        "version": state.options.version,
        "demo": state.options.demo,
        "ready": state.host.is_ready(),
        "business": setup.business.name,
        "zone": setup.business.zone,
        "people": setup.people.keys().collect::<Vec<_>>(),
        "agents": agents.collect::<Vec<_>>(),
    } }))
}

#[cfg(test)]
mod tests;
