//! Campaigns: what came of their texts, who waits, and the switch that holds them.

use axum::Json;
use axum::extract::{Path, State};
use ringback_core::engine::Input;
use ringback_core::model::{Campaign, Score, keys, record};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::MaybeFields;
use super::super::page::{self, Params};
use super::super::{ApiState, Error, Reader, Sender};
use super::done;

/// The most campaigns that are listed.
const MOST: usize = 500;

/// `GET /api/v1/campaigns`: all of them, by their ids.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&[])?;
    let (from, to) = keys::table(b'C');
    let store = state.host.store();
    let found = store.scan(&from, &to, MOST, Direction::Forward).await?;
    let mut data = Vec::with_capacity(found.len());
    for (_, stored) in &found {
        data.push(shown(&state, &record::decode(&stored.value)?).await?);
    }
    Ok(page::answer(data, None))
}

/// `GET /api/v1/campaigns/{id}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    one(&state, &id).await
}

async fn one(state: &ApiState, id: &str) -> Result<Json<Value>, Error> {
    let campaign: Option<Campaign> = state.host.read(&keys::campaign(id)).await?;
    let campaign = campaign.ok_or_else(|| Error::not_found(missing(id)))?;
    Ok(Json(json!({ "data": shown(state, &campaign).await? })))
}

fn missing(id: &str) -> String {
    format!("there is no campaign {id:?}")
}

async fn shown(state: &ApiState, campaign: &Campaign) -> Result<Value, Error> {
    let score: Option<Score> = state.host.read(&keys::score(&campaign.id)).await?;
    let score = score.unwrap_or_default();
    Ok(json!({
        "id": campaign.id,
        "name": campaign.name,
        "createdAt": campaign.created_at,
        "paused": campaign.paused.as_ref().map(|pause| json!({
            "at": pause.at, "by": pause.by, "why": pause.why, "text": pause.to_string(),
        })),
        "waiting": campaign.waiting(),
        "startsWaiting": campaign.starts_waiting(),
        "counts": {
            "sent": score.sent,
            "delivered": score.delivered,
            "failed": score.failed,
            "dropped": score.dropped,
            "segments": score.segments,
            "people": score.people,
            "replied": score.replied,
            "optedOut": score.opted_out,
        },
    }))
}

/// `POST /api/v1/campaigns/{id}/pause {reason?}`: its texts wait, and nothing starts.
pub(super) async fn pause(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
    MaybeFields(fields): MaybeFields,
) -> Result<Json<Value>, Error> {
    let why = fields.text("reason")?.unwrap_or_default().to_owned();
    fields.finish()?;
    let answer = state.host.take(&Input::Pause(id.clone(), why)).await?;
    done(answer, &missing(&id))?;
    one(&state, &id).await
}

/// `POST /api/v1/campaigns/{id}/resume`: what waits goes on, as its rate says; its
/// breaker counts from the beginning.
pub(super) async fn resume(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let answer = state.host.take(&Input::Resume(id.clone())).await?;
    done(answer, &missing(&id))?;
    one(&state, &id).await
}
