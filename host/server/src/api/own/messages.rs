//! Texts: listing, sending, and deciding about one whose outcome stayed unknown.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{Answer, Decide, Input, SendRequest, Setup};
use ringback_core::model::{
    Attention, ConversationId, Direction as Way, Key, Message, MessageId, Origin, PhoneNumber,
    Status, keys,
};
use ringback_core::workflow::OnUnknown;
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::page::{self, Params};
use super::super::sender::{self, From, Named, Names};
use super::super::wait::{Follower, outcome};
use super::super::{ApiState, Caller, Error, Reader, Sender, idempotency, records};
use super::{intent, letters};

const NAMES: Names = Names {
    agent: "agent",
    connection: "agent",
    from: "from",
};
/// The longest text, in characters.
const LONGEST: usize = 1600;

/// The short list of a status, where there is one.
fn short_list(status: &str) -> Option<Attention> {
    match status {
        "needs_review" => Some(Attention::NeedsReview),
        "unknown" => Some(Attention::Unknown),
        "failed" => Some(Attention::Failed),
        "held" => Some(Attention::Held),
        "pending_approval" => Some(Attention::PendingApproval),
        "twice" => Some(Attention::Twice),
        _ => None,
    }
}

/// `GET /api/v1/messages?contact=&status=&direction=&limit=&cursor=`, newest first. Texts
/// of unknown outcome, those that failed, those that are held (`held`: queued until
/// settings work) and those that arrived twice (`twice`) have lists of their own, so that
/// a few are found among millions; with another status, or a direction, a page may be
/// short, or empty, and still have a `next_cursor`.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&["contact", "status", "direction"])?;
    let limit = params.limit()?;
    let cursor = params.cursor(MessageId::parse)?;
    let wanted = match params.get("status") {
        None | Some("held" | "twice") => None,
        Some(text) => Some(serde_json::from_value::<Status>(json!(text)).map_err(|_| {
            let text = "`status` must be needs_review, unknown, failed, held, twice, or another status \
                        of texts such as queued, scheduled, accepted or delivered";
            Error::field("status", "invalid_status", text)
        })?),
    };
    let list = params.get("status").and_then(short_list);
    let way = match params.get("direction") {
        None => None,
        Some(text) => Some(serde_json::from_value::<Way>(json!(text)).map_err(|_| {
            let text = "`direction` must be inbound or outbound";
            Error::field("direction", "invalid_direction", text)
        })?),
    };
    let fits = |text: &Message| {
        wanted.is_none_or(|status| text.status == status)
            && list.is_none_or(|list| text.attention() == Some(list))
            && way.is_none_or(|way| text.direction == way)
    };
    let (texts, more) = match params.phone("contact")? {
        None if list.is_some() => {
            let (from, to) = keys::under(b'q', list.map_or("", Attention::word));
            let to = match (cursor, list) {
                (Some(id), Some(list)) => keys::attention(list, &id),
                _ => to,
            };
            let store = state.host.store();
            let marks = store.scan(&from, &to, limit, Direction::Backward).await?;
            let last = marks.last().filter(|_| marks.len() == limit);
            let more = last.map(|(mark, _)| page::last_part(mark));
            (letters::behind(&state, &marks).await?, more)
        }
        Some(contact) => of_contact(&state, &contact, limit, cursor).await?,
        None => {
            let (from, to) = keys::table(b'o');
            let to = cursor.map_or(to, |id| keys::message(&id));
            let (texts, last) = page::newest(state.host.store(), &from, &to, limit, &fits).await?;
            (texts, last.as_ref().map(page::last_part))
        }
    };
    Ok(page::answer(
        texts
            .iter()
            .filter(|text| fits(text))
            .map(records::message)
            .collect(),
        more,
    ))
}

/// `POST /api/v1/messages/retry {connection?}`: texts that are held because
/// settings do not work try again now: one of each number, and when it works the
/// others follow.
pub(super) async fn retry(
    State(state): State<ApiState>,
    _: Sender,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let connection = fields.text("connection")?.map(str::to_owned);
    fields.finish()?;
    if let Some(name) = &connection
        && !state.host.setup().connections.contains_key(name)
    {
        let text = format!("there is no connection {name:?}");
        return Err(Error::field("connection", "unknown_connection", text));
    }
    let held = state.host.try_held_again(connection.as_deref()).await?;
    Ok(Json(json!({ "data": { "held": held } })))
}

/// The texts of all conversations with a contact: one page of each is read, and
/// ids are in the order of time.
async fn of_contact(
    state: &ApiState,
    contact: &PhoneNumber,
    limit: usize,
    cursor: Option<MessageId>,
) -> Result<(Vec<Message>, Option<String>), Error> {
    let contact = state.host.contact(contact).await?;
    let mut ids = Vec::new();
    for thread in &contact.threads {
        ids.extend(newest_ids(state, &thread.conversation, limit + 1, cursor.as_ref()).await?);
    }
    ids.sort_unstable_by(|one, two| two.cmp(one));
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = ids.last().filter(|_| more).map(ToString::to_string);
    let wanted: Vec<Key> = ids.iter().map(keys::message).collect();
    Ok((page::many(state.host.store(), &wanted).await?, next))
}

/// The newest texts of a conversation before a cursor, newest first.
async fn newest_ids(
    state: &ApiState,
    conversation: &ConversationId,
    limit: usize,
    cursor: Option<&MessageId>,
) -> Result<Vec<MessageId>, Error> {
    let (from, to) = keys::under(b'm', conversation.as_str());
    let to = cursor.map_or(to, |id| keys::place(conversation, id));
    let places = state
        .host
        .store()
        .scan(&from, &to, limit, Direction::Backward)
        .await?;
    Ok(places
        .iter()
        .filter_map(|(key, _)| MessageId::parse(&page::last_part(key)))
        .collect())
}

/// The text of an id in an address.
async fn find(state: &ApiState, id: &str) -> Result<Message, Error> {
    let missing = || Error::not_found(format!("there is no text {id:?}"));
    let key = MessageId::parse(id)
        .map(|id| keys::message(&id))
        .ok_or_else(missing)?;
    state.host.read(&key).await?.ok_or_else(missing)
}

/// `GET /api/v1/messages/{id}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    Ok(Json(
        json!({ "data": records::message(&find(&state, &id).await?) }),
    ))
}

/// `POST /api/v1/messages {to, body, agent?, from?, intent?}`: answers as soon
/// as the text is stored; 409 when the gate refuses it.
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let to = fields.required_phone("to")?;
    let body = words(&fields)?;
    let number = fields.phone("from")?;
    let setup = state.host.setup();
    let from = from(&setup, fields.text("agent")?, number.as_ref())?;
    let intent = intent(&fields)?;
    fields.finish()?;
    let request = SendRequest {
        idempotency: idempotency::of(&headers, &caller, "POST messages", fields.object())?,
        agent: from.agent,
        connection: from.connection,
        from: from.number,
        to,
        body,
        media: Vec::new(),
        intent,
        origin: Origin::Api,
        valid_until: None,
        on_unknown: OnUnknown::default(),
    };
    send(&state, &headers, request).await
}

/// The agent that is named, else the owner of the number, else the only agent.
fn from(setup: &Setup, agent: Option<&str>, number: Option<&PhoneNumber>) -> Result<From, Error> {
    let agent = match (agent, number) {
        (Some(id), _) => sender::agent(setup, id, "agent")?,
        (None, Some(number)) => setup.owner(number).ok_or_else(|| {
            let text = format!("no agent owns {number}");
            Error::field("from", "unknown_number", text)
        })?,
        (None, None) => setup.agent_or_only(None).ok_or_else(|| {
            let text = format!(
                "name the `agent`; there is {}",
                sender::list(setup.agents.keys())
            );
            Error::field("agent", "required", text)
        })?,
    };
    let named = Named {
        agent: Some(&agent.id),
        connection: None,
        from: number,
    };
    sender::resolve(setup, named, NAMES)
}

/// The words of a text.
fn words(fields: &Fields) -> Result<String, Error> {
    let body = fields.required("body")?;
    let length = body.chars().count();
    if length > LONGEST {
        let text = format!("`body` has {length} characters; {LONGEST} is the most");
        return Err(Error::field("body", "invalid_length", text));
    }
    Ok(body.to_owned())
}

/// Takes a text and answers with its record: as it stands after the commit, or,
/// with `Prefer: wait=SECONDS`, once the provider has it.
pub(super) async fn send(
    state: &ApiState,
    headers: &HeaderMap,
    request: SendRequest,
) -> Result<(StatusCode, Json<Value>), Error> {
    let patience = patience(headers);
    let follower = Follower::new(&state.host, patience.unwrap_or_default());
    let id = match state.host.take(&Input::Send(request)).await? {
        Answer::Message(id) => id,
        Answer::Conflict => return Err(Error::reused_key()),
        Answer::Refused { code, text } => return Err(Error::conflict(code, text)),
        other => return Err(Error::internal(format!("a text led to {other:?}"))),
    };
    let message = follower.message(&id).await?;
    // The gate was asked in the same commit: what it refused is told at once.
    let refused = matches!(message.status, Status::Skipped | Status::Expired);
    let status = match outcome(&message) {
        Ok(status) if patience.is_some() => status,
        Err(refusal) if refused || patience.is_some() => return Err(refusal),
        _ => StatusCode::ACCEPTED,
    };
    let data = records::message(&message);
    Ok((status, Json(json!({ "data": data }))))
}

/// The wait that the client prefers (RFC 7240), at most half a minute.
fn patience(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get("prefer")?.to_str().ok()?.split([',', ';']);
    let wait = preferences.filter_map(|one| one.trim().split_once('='));
    let (_, seconds) = wait
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("wait"))?;
    let seconds: u64 = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(30)))
}

/// `POST /api/v1/messages/{id}/decide {decision}`: a person says what became of
/// a text that stayed unknown.
pub(super) async fn decide(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let decision = match fields.required("decision")? {
        "sent" => Decide::Sent,
        "resend" => Decide::Resend,
        "drop" => Decide::Drop,
        other => {
            let text = format!("`decision` must be sent, resend or drop, and it is {other:?}");
            return Err(Error::field("decision", "invalid_decision", text));
        }
    };
    fields.finish()?;
    let message = find(&state, &id).await?;
    let answer = state
        .host
        .take(&Input::Decide(message.id, decision))
        .await?;
    super::done(answer, &format!("there is no text {id:?}"))?;
    Ok(Json(
        json!({ "data": records::message(&find(&state, &id).await?) }),
    ))
}

/// What a text of a person to this conversation is made of.
pub(super) fn of_person(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    conversation: &ringback_core::model::Conversation,
    fields: &Fields,
) -> Result<SendRequest, Error> {
    let body = words(fields)?;
    fields.finish()?;
    let setup = state.host.setup();
    let own = setup.agents.get(&conversation.agent).ok_or_else(|| {
        let text = format!("the agent {:?} is no longer configured", conversation.agent);
        Error::conflict("agent_gone", text)
    })?;
    // The number the contact last wrote to, while it is still the agent's.
    let number = conversation
        .number
        .as_ref()
        .filter(|number| own.numbers.contains(number));
    let from = from(&setup, Some(&own.id), number)?;
    let route = format!("POST conversations/{}/messages", conversation.id);
    Ok(SendRequest {
        idempotency: idempotency::of(headers, caller, &route, fields.object())?,
        agent: from.agent,
        connection: from.connection,
        from: from.number,
        to: conversation.contact.clone(),
        body,
        media: Vec::new(),
        intent: ringback_core::workflow::Intent::Conversation,
        origin: Origin::Person,
        valid_until: None,
        on_unknown: OnUnknown::default(),
    })
}
