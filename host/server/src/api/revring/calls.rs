//! Calls in RevRing's dialect. (C1–C19)

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{Answer, Input, PlaceRequest};
use ringback_core::model::{Call, CallId, CallStatus, keys};
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::sender::{self, Named, Names};
use super::super::wait::Follower;
use super::super::{ApiState, Error, Reader, Sender, idempotency, records, strict};
use super::{answer, heed, warning};

/// What the fields are called here; there is none for the connection.
const NAMES: Names = Names {
    agent: "agentId",
    connection: "agentId",
    from: "fromNumber",
};
/// Seconds of ringing before a call is given up.
const RING_FOR: u32 = 30;

/// `POST /v1/calls`.
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let idempotency = idempotency::of(&headers, &caller, "revring POST calls", fields.object())?;
    let setup = state.host.setup();
    let agent = sender::agent(&setup, fields.required(NAMES.agent)?, NAMES.agent)?;
    let to = fields.required_phone("toNumber")?;
    let from = fields.phone(NAMES.from)?;
    let variables = fields.map("variables")?.cloned().unwrap_or_default();
    let mut warnings = Vec::new();
    let Some(connection) = &agent.connection else {
        let text = format!("agent {:?} has no connection to call through", agent.id);
        return Err(Error::field(NAMES.agent, "connection_required", text));
    };
    if agent.voice.is_none() {
        let text = format!(
            "agent {:?} has no `voice`: nobody would speak on the call",
            agent.id
        );
        return Err(Error::field(NAMES.agent, "voice_required", text));
    }
    let number = match (&from, agent.numbers.first()) {
        (Some(_), _) => {
            let named = Named {
                agent: Some(&agent.id),
                connection: None,
                from: from.as_ref(),
            };
            sender::resolve(&setup, named, NAMES)?.number
        }
        (None, Some(number)) => {
            let text = format!(
                "`{}` was left out; the agent's own number {number} is used",
                NAMES.from
            );
            warnings.push(warning(NAMES.from, "adapted", text));
            Some(number.clone())
        }
        (None, None) => None,
    };
    let Some(number) = number else {
        let text = format!(
            "agent {:?} has no number; name one in `{}`",
            agent.id, NAMES.from
        );
        return Err(Error::field(NAMES.from, "required", text));
    };
    warnings.extend(fields.ignored());
    heed(&warnings, strict(&headers))?;
    let input = Input::Place(PlaceRequest {
        idempotency,
        agent: agent.id.clone(),
        connection: connection.clone(),
        from: number,
        to,
        variables,
        ring_for: RING_FOR,
    });
    let follower = Follower::new(&state.host, state.options.send_wait);
    let id = match state.host.take(&input).await? {
        Answer::Call(id) => id,
        Answer::Conflict => return Err(Error::reused_key()),
        Answer::Refused { code, text } => return Err(Error::conflict(code, text)),
        other => return Err(Error::internal(format!("a call led to {other:?}"))),
    };
    let call = follower.call(&id).await?;
    if call.status == CallStatus::Failed && call.provider_id.is_none() {
        let why = call
            .problem
            .map_or_else(|| "it gave no reason".to_owned(), |problem| problem.text);
        let text = format!("the provider refused the call: {why}");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Error::new(status, "provider_refused", text));
    }
    Ok((
        StatusCode::OK,
        Json(answer(records::call(&call, &setup), warnings)),
    ))
}

/// `GET /v1/calls/{id}`, here and in our own API.
pub(in crate::api) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let missing = || Error::not_found(format!("there is no call {id:?}"));
    let key = CallId::parse(&id)
        .map(|id| keys::call(&id))
        .ok_or_else(missing)?;
    let call: Call = state.host.read(&key).await?.ok_or_else(missing)?;
    Ok(Json(
        json!({ "data": records::call(&call, &state.host.setup()) }),
    ))
}
