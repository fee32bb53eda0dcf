//! Conversations: looking at them, taking one over, answering in it as a person,
//! and giving it back.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::Input;
use ringback_core::model::{Contact, Conversation, ConversationId, Key, Message, MessageId, keys};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::page::{self, Params};
use super::super::sender::list as in_words;
use super::super::{ApiState, Error, Reader, Sender, records};
use super::{done, messages as texts};

/// `GET /api/v1/conversations`, the one that began last first.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&[])?;
    let limit = params.limit()?;
    let cursor = params.cursor(ConversationId::parse)?;
    let (from, to) = keys::table(b'c');
    let to = cursor.map_or(to, |id| keys::conversation(&id));
    let store = state.host.store();
    let (found, last) = page::newest(store, &from, &to, limit, |_: &Conversation| true).await?;
    let wanted: Vec<Key> = found
        .iter()
        .map(|one| keys::contact(&one.contact))
        .collect();
    let contacts: Vec<Contact> = page::many(store, &wanted).await?;
    let stopped: BTreeMap<_, _> = contacts
        .iter()
        .map(|one| (&one.phone, one.opted_out.is_some()))
        .collect();
    let data = found
        .iter()
        .map(|one| records::conversation(one, stopped.get(&one.contact).copied().unwrap_or(false)));
    Ok(page::answer(
        data.collect(),
        last.as_ref().map(page::last_part),
    ))
}

/// The conversation of an id in an address.
async fn find(state: &ApiState, id: &str) -> Result<Conversation, Error> {
    let missing = || Error::not_found(format!("there is no conversation {id:?}"));
    let key = ConversationId::parse(id)
        .map(|id| keys::conversation(&id))
        .ok_or_else(missing)?;
    state.host.read(&key).await?.ok_or_else(missing)
}

async fn shown(state: &ApiState, id: &str) -> Result<Json<Value>, Error> {
    let conversation = find(state, id).await?;
    let contact = state.host.contact(&conversation.contact).await?;
    let data = records::conversation(&conversation, contact.opted_out.is_some());
    Ok(Json(json!({ "data": data })))
}

/// `GET /api/v1/conversations/{id}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    shown(&state, &id).await
}

/// `GET /api/v1/conversations/{id}/messages`, oldest first.
pub(super) async fn messages(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&[])?;
    let limit = params.limit()?;
    let cursor = params.cursor(MessageId::parse)?;
    let conversation = find(&state, &id).await?;
    let (from, to) = keys::under(b'm', conversation.id.as_str());
    let from = cursor.map_or(from, |id| page::after(&keys::place(&conversation.id, &id)));
    let store = state.host.store();
    let mut places = store
        .scan(&from, &to, limit + 1, Direction::Forward)
        .await?;
    let more = places.len() > limit;
    places.truncate(limit);
    let ids = places
        .iter()
        .filter_map(|(key, _)| MessageId::parse(&page::last_part(key)));
    let ids: Vec<MessageId> = ids.collect();
    let next = ids.last().filter(|_| more).map(ToString::to_string);
    let wanted: Vec<Key> = ids.iter().map(keys::message).collect();
    let found: Vec<Message> = page::many(store, &wanted).await?;
    Ok(page::answer(
        found.iter().map(records::message).collect(),
        next,
    ))
}

/// `POST /api/v1/conversations/{id}/messages {body}`: a person answers.
pub(super) async fn answer(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    Path(id): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let conversation = find(&state, &id).await?;
    let request = texts::of_person(&state, &caller, &headers, &conversation, &fields)?;
    texts::send(&state, &headers, request).await
}

/// `POST /api/v1/conversations/{id}/take {to, reason?}`: a person of the
/// configuration has it from now on.
pub(super) async fn take(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let to = fields.required("to")?;
    let reason = fields.text("reason")?.unwrap_or_default();
    fields.finish()?;
    let setup = state.host.setup();
    if !setup.people.contains_key(to) {
        let text = format!(
            "there is nobody called {to:?} in [people]; there is {}",
            in_words(setup.people.keys())
        );
        return Err(Error::field("to", "unknown_person", text));
    }
    let conversation = find(&state, &id).await?;
    let input = Input::Take(conversation.id, to.to_owned(), reason.to_owned());
    done(
        state.host.take(&input).await?,
        "there is no such conversation",
    )?;
    shown(&state, &id).await
}

/// `POST /api/v1/conversations/{id}/release`: it is free again.
pub(super) async fn release(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let conversation = find(&state, &id).await?;
    let answer = state.host.take(&Input::Release(conversation.id)).await?;
    done(answer, "there is no such conversation")?;
    shown(&state, &id).await
}
