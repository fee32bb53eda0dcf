//! Runs of workflows: which there are, what happened in one, and ending one.

use axum::Json;
use axum::extract::{Path, State};
use ringback_core::engine::Input;
use ringback_core::model::{
    Attention, Message, MessageId, Note, Notes, Run, RunId, RunStatus, Waiting, keys, record,
};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::MaybeFields;
use super::super::page::{self, Params};
use super::super::{ApiState, Error, Reader, Sender, records};
use super::done;
use crate::runtime::running;

/// The most entries of a timeline that are shown.
const NOTES: usize = 1_000;

/// `GET /api/v1/runs`, newest first. With a filter a page may be shorter than
/// its limit, or empty, and still have a `next_cursor`: one request looks at a
/// bounded number of runs.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&["contact", "workflow", "status", "campaign"])?;
    let limit = params.limit()?;
    let cursor = params.cursor(RunId::parse)?;
    let contact = params.phone("contact")?;
    let workflow = params.get("workflow");
    let campaign = params.get("campaign");
    let status: Option<RunStatus> = match params.get("status") {
        None => None,
        Some(text) => Some(serde_json::from_value(json!(text)).map_err(|_| {
            let text = "`status` must be running, finished, cancelled or failed";
            Error::field("status", "invalid_status", text)
        })?),
    };
    let (from, to) = keys::table(b'r');
    let to = cursor.map_or(to, |id| keys::run(&id));
    let wants = |run: &Run| {
        contact
            .as_ref()
            .is_none_or(|phone| run.contact.as_ref() == Some(phone))
            && workflow.is_none_or(|id| run.workflow == id)
            && campaign.is_none_or(|id| run.campaign.as_deref() == Some(id))
            && status.is_none_or(|status| run.status == status)
    };
    let (found, last) = page::newest(state.host.store(), &from, &to, limit, wants).await?;
    let catalog = state.host.catalog();
    let data = found.iter().map(|run| records::run(run, &catalog));
    Ok(page::answer(
        data.collect(),
        last.as_ref().map(page::last_part),
    ))
}

async fn find(state: &ApiState, id: &str) -> Result<Run, Error> {
    let missing = || Error::not_found(format!("there is no run {id:?}"));
    let key = RunId::parse(id)
        .map(|id| keys::run(&id))
        .ok_or_else(missing)?;
    state.host.read(&key).await?.ok_or_else(missing)
}

/// `GET /api/v1/runs/{id}`, with its timeline.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let run = find(&state, &id).await?;
    let (from, to) = keys::under(b'j', run.id.as_str());
    let notes = state
        .host
        .store()
        .scan(&from, &to, NOTES, Direction::Forward)
        .await?;
    let notes: Result<Vec<Notes>, _> = notes
        .iter()
        .map(|(_, some)| record::decode(&some.value))
        .collect();
    let notes: Vec<Note> = notes?.into_iter().flat_map(Notes::into_vec).collect();
    let open = open_texts(&state, &run).await?;
    let data = records::run_in_full(&run, &notes, &open, &state.host.catalog());
    Ok(Json(json!({ "data": data })))
}

/// The texts of a run that somebody has to decide about, or can do something for:
/// of unknown outcome, failed, or held.
async fn open_texts(state: &ApiState, run: &Run) -> Result<Vec<Message>, Error> {
    let waits = match &run.waiting {
        Some(Waiting::Text { message } | Waiting::Approval { message, .. }) => {
            Some(message.clone())
        }
        _ => None,
    };
    let sent = run.results.values().filter_map(|result| {
        let id = result.pointer("/message/id")?.as_str()?;
        MessageId::parse(id)
    });
    let wanted: Vec<_> = sent.chain(waits).map(|id| keys::message(&id)).collect();
    let mut texts: Vec<Message> = page::many(state.host.store(), &wanted).await?;
    texts.retain(|text| text.attention().is_some_and(|why| why != Attention::Turn));
    Ok(texts)
}

/// `POST /api/v1/runs/{id}/cancel`.
pub(super) async fn cancel(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    by_hand(&state, id, Input::Cancel).await
}

/// `POST /api/v1/runs/{id}/wake`: its wait is over, as if its time had come.
pub(super) async fn wake(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    by_hand(&state, id, Input::Wake).await
}

/// `POST /api/v1/runs/{id}/retry`: one that failed takes the step that failed again.
pub(super) async fn retry(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    by_hand(&state, id, Input::Retry).await
}

/// `POST /api/v1/workflows/{id}/move {run?, dryRun?}`: takes the runs under way, or
/// one of them, to the version in service.
pub(super) async fn move_on(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
    MaybeFields(fields): MaybeFields,
) -> Result<Json<Value>, Error> {
    let catalog = state.host.catalog();
    let serving = catalog.in_service.get(&id);
    let serving = serving
        .ok_or_else(|| Error::not_found(format!("there is no workflow {id:?} in service")))?;
    let run = match fields.text("run")? {
        Some(run) => Some(find(&state, run).await?),
        None => None,
    };
    let dry = fields.flag("dryRun")?.unwrap_or(false);
    fields.finish()?;
    if let Some(run) = run.as_ref().filter(|run| run.workflow != id) {
        let text = format!("{} is a run of {}", run.id, run.workflow);
        return Err(Error::field("run", "invalid_run", text));
    }
    let run = run.map(|run| run.id);
    let moves = running::move_all(&state.host, &id, run.as_ref(), dry).await?;
    Ok(Json(json!({ "data": {
        "workflow": id,
        "version": serving.version,
        "dryRun": dry,
        "moved": moves.moved,
        "stay": moves.stay,
        "runs": moves.runs,
    } })))
}

/// Does something to a run, and shows it.
async fn by_hand(
    state: &ApiState,
    id: String,
    what: impl Fn(RunId) -> Input,
) -> Result<Json<Value>, Error> {
    let run = find(state, &id).await?;
    let answer = state.host.take(&what(run.id)).await?;
    done(answer, &format!("there is no run {id:?}"))?;
    let run = find(state, &id).await?;
    Ok(Json(
        json!({ "data": records::run(&run, &state.host.catalog()) }),
    ))
}
