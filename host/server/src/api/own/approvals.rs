//! Texts that a person sees before they are sent: which there are, and the answer.

use axum::Json;
use axum::extract::{Path, State};
use ringback_core::engine::{Answer, Approve, Input};
use ringback_core::model::{Attention, Message, MessageId, Origin, Run, keys};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::page::{self, Params};
use super::super::{ApiState, Error, Reader, Sender, records};
use super::done;

/// `GET /api/v1/approvals?by=&limit=&cursor=`: those that wait, oldest first. With a
/// filter a page may be shorter than its limit, and still have a `next_cursor`.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&["by"])?;
    let limit = params.limit()?;
    let by = params.get("by");
    let (mut from, to) = keys::under(b'q', Attention::PendingApproval.word());
    if let Some(id) = params.cursor(MessageId::parse)? {
        from = page::after(&keys::attention(Attention::PendingApproval, &id));
    }
    let store = state.host.store();
    let marks = store.scan(&from, &to, limit, Direction::Forward).await?;
    let last = marks.last().map(|(mark, _)| page::last_part(mark));
    let last = last.filter(|_| marks.len() == limit);
    let wanted: Vec<_> = marks
        .iter()
        .filter_map(|(mark, _)| MessageId::parse(&page::last_part(mark)))
        .map(|id| keys::message(&id))
        .collect();
    let texts: Vec<Message> = page::many(store, &wanted).await?;
    let mut data = Vec::with_capacity(texts.len());
    for text in &texts {
        let approval = text.aside.approval.as_ref();
        if by.is_none_or(|by| approval.is_some_and(|one| one.by == by)) {
            data.push(shown(&state, text).await?);
        }
    }
    Ok(page::answer(data, last))
}

async fn shown(state: &ApiState, text: &Message) -> Result<Value, Error> {
    let run = match &text.origin {
        Origin::Run { run, .. } => Some(run),
        _ => None,
    };
    let workflow = match run {
        Some(run) => state.host.read::<Run>(&keys::run(run)).await?,
        None => None,
    };
    let approval = text.aside.approval.as_ref();
    Ok(json!({
        "id": text.id,
        "contact": text.contact,
        "agent": text.agent,
        "body": text.body,
        "segments": text.segments,
        "conversation": text.conversation,
        "run": run,
        "workflow": workflow.map(|run| run.workflow),
        "by": approval.map(|one| &one.by),
        "since": approval.map(|one| one.since),
        "until": approval.map(|one| one.until),
        "default": approval.map(|one| one.default),
    }))
}

/// `POST /api/v1/approvals/{id} {answer, body?, reason?, by?}`: `send`, as it is or
/// with other words, or `reject`. Without `by` the key that was used is noted.
pub(super) async fn answer(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let missing = || Error::not_found(format!("no text {id:?} waits for approval"));
    let text = MessageId::parse(&id).ok_or_else(missing)?;
    let send = match fields.required("answer")? {
        "send" => true,
        "reject" => false,
        other => {
            let text = format!("`answer` must be send or reject, and it is {other:?}");
            return Err(Error::field("answer", "invalid_answer", text));
        }
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let given = Approve {
        by: owned(fields.text("by")?).unwrap_or(caller.id),
        send,
        body: owned(fields.text("body")?),
        reason: owned(fields.text("reason")?),
    };
    fields.finish()?;
    if !send && given.body.is_some() {
        let text = "`body` goes with `answer: send` only";
        return Err(Error::field("body", "contradiction", text));
    }
    let done_with = state
        .host
        .take(&Input::Approve(text.clone(), given))
        .await?;
    if let Answer::Refused { code: "body", text } = done_with {
        return Err(Error::field("body", "invalid_body", text));
    }
    done(done_with, &format!("no text {id:?} waits for approval"))?;
    let message: Option<Message> = state.host.read(&keys::message(&text)).await?;
    let message = message.ok_or_else(missing)?;
    Ok(Json(json!({ "data": records::message(&message) })))
}
