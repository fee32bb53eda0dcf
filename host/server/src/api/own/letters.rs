//! Dead letters: texts that failed after all tries, and genuine webhooks that
//! could not be read. Listing them with what to do, trying them again, one or
//! many, and leaving them at that.

mod bulk;

use axum::Json;
use axum::extract::{Path, State};
use jiff::{SignedDuration, Timestamp};
use ringback_core::engine::Input;
use ringback_core::model::{
    Attention, Batch, EventId, Key, Message, MessageId, Origin, Outcome, RawWebhook, Versioned,
    keys, record,
};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::hooks::{Again, read_again};
use super::super::page::{self, Params};
use super::super::{ApiState, Error, Reader, Sender, sender};
use super::done;
use crate::runtime::clock;
use bulk::Bulk;

/// What is wanted of the dead letters.
#[derive(Clone, Debug, Default)]
struct Filter {
    texts: bool,
    webhooks: bool,
    connection: Option<String>,
    since: Option<Timestamp>,
    reason: Option<String>,
}

impl Filter {
    fn new(
        kind: Option<&str>,
        connection: Option<&str>,
        since: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Self, Error> {
        let (texts, webhooks) = match kind {
            None => (true, true),
            Some("text") => (true, false),
            Some("webhook") => (false, true),
            Some(other) => {
                let text = format!("`kind` must be text or webhook, and it is {other:?}");
                return Err(Error::field("kind", "invalid_kind", text));
            }
        };
        Ok(Self {
            texts,
            webhooks,
            connection: connection.map(str::to_owned),
            since: since.map(ago).transpose()?,
            reason: reason.map(str::to_owned),
        })
    }

    /// The answer where nothing fits: a connection that is gone may have letters, but
    /// to a name that never was "there are none" would be a wrong answer.
    fn found_nothing(&self, state: &ApiState) -> Result<(), Error> {
        let setup = state.host.setup();
        let unknown = self.connection.as_ref();
        let Some(name) = unknown.filter(|name| !setup.connections.contains_key(*name)) else {
            return Ok(());
        };
        let text = format!(
            "there is no connection {name:?}; there is {}",
            sender::list(setup.connections.keys())
        );
        Err(Error::field("connection", "unknown_connection", text))
    }

    fn wants(&self, connection: &str, at: Timestamp, reason: &str, problem: &str) -> bool {
        self.connection
            .as_ref()
            .is_none_or(|name| name == connection)
            && self.since.is_none_or(|since| at >= since)
            && self
                .reason
                .as_ref()
                .is_none_or(|word| word == reason || problem.contains(word.as_str()))
    }

    fn wants_text(&self, text: &Message) -> bool {
        let problem = text.problem.as_ref().map_or("", |one| one.text.as_str());
        let reason = text.reason.as_deref().unwrap_or_default();
        self.wants(&text.connection, text.updated_at, reason, problem)
    }

    fn wants_webhook(&self, raw: &RawWebhook) -> bool {
        self.wants(&raw.connection, raw.at, "unreadable", &raw.problem)
    }
}

/// A time, or how long ago: `2h`.
pub(super) fn ago(text: &str) -> Result<Timestamp, Error> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u16>().ok());
    let days = days.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let ago = days.or_else(|| text.parse().ok());
    let ago = ago.filter(SignedDuration::is_positive);
    ago.and_then(|ago| clock::now().checked_sub(ago).ok())
        .ok_or_else(|| {
            let text = format!(
                "`since` must be a time such as 2026-11-20T09:00:00Z or how long ago, such as 2h, \
                 and it is {text:?}"
            );
            Error::field("since", "invalid_time", text)
        })
}

/// What somebody can do about a text that failed.
fn advice(text: &Message) -> &'static str {
    if text.attempts.last().is_some_and(|one| one.limited) {
        return "the provider took nothing for long; correct the connection's settings if they \
                are wrong, then send it again";
    }
    let last = text.attempts.last().and_then(|one| one.outcome.as_ref());
    match text.tries() {
        _ if matches!(last, Some(Outcome::Accepted { .. })) => {
            "the provider took it, and it did not reach the phone; send it again when the reason \
             may be gone, or drop it"
        }
        (0 | 1, _) => "the provider refused it; send it again when the reason is gone, or drop it",
        _ => "the provider was down for long; send it again",
    }
}

fn text(one: &Message) -> Value {
    let run = match &one.origin {
        Origin::Run { run, .. } => Some(run),
        _ => None,
    };
    json!({
        "kind": "text",
        "id": one.id,
        "at": one.updated_at,
        "connection": one.connection,
        "contact": one.contact,
        "body": one.body,
        "reason": one.reason,
        "problem": one.problem.as_ref().map(|problem| &problem.text),
        "attempts": one.attempts.len(),
        "runId": run,
        "advice": advice(one),
    })
}

fn webhook(id: &EventId, one: &RawWebhook) -> Value {
    json!({
        "kind": "webhook",
        "id": id,
        "at": one.at,
        "connection": one.connection,
        "contact": Value::Null,
        "body": one.hook,
        "reason": "unreadable",
        "problem": one.problem,
        "attempts": Value::Null,
        "runId": Value::Null,
        "advice": "update or correct the plugin, then read it again; or drop it",
    })
}

/// The texts behind marks of a short list; marks of texts that are gone are left
/// out.
pub(super) async fn behind(
    state: &ApiState,
    marks: &[(Key, Versioned)],
) -> Result<Vec<Message>, Error> {
    let wanted: Vec<Key> = marks
        .iter()
        .filter_map(|(mark, _)| MessageId::parse(&page::last_part(mark)))
        .map(|id| keys::message(&id))
        .collect();
    page::many(state.host.store(), &wanted).await
}

/// `GET /api/v1/dead-letters?kind=&connection=&since=&reason=&limit=&cursor=`:
/// texts first, then webhooks, both newest first.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    params.only(&["kind", "connection", "since", "reason"])?;
    let limit = params.limit()?;
    let cursor = params.cursor(|text| {
        let known = MessageId::parse(text).is_some() || EventId::parse(text).is_some();
        known.then(|| text.to_owned())
    })?;
    let filter = Filter::new(
        params.get("kind"),
        params.get("connection"),
        params.get("since"),
        params.get("reason"),
    )?;
    let store = state.host.store();
    let mut found = Vec::new();
    let (from, mut to) = keys::under(b'q', Attention::Failed.word());
    let in_webhooks = cursor.as_deref().and_then(EventId::parse);
    if let Some(id) = cursor.as_deref().and_then(MessageId::parse) {
        to = keys::attention(Attention::Failed, &id);
    }
    while filter.texts && in_webhooks.is_none() && found.len() < limit {
        let want = limit - found.len();
        let marks = store.scan(&from, &to, want, Direction::Backward).await?;
        let Some((last, _)) = marks.last() else { break };
        to = last.clone();
        let texts = behind(&state, &marks).await?;
        found.extend(
            texts
                .iter()
                .filter(|one| filter.wants_text(one))
                .map(self::text),
        );
        if marks.len() < want {
            break;
        }
        if found.len() >= limit {
            return Ok(page::answer(found, Some(page::last_part(&to))));
        }
    }
    let (from, mut to) = keys::table(b'u');
    if let Some(id) = in_webhooks {
        to = keys::raw_webhook(&id);
    }
    while filter.webhooks && found.len() < limit {
        let want = limit - found.len();
        let kept = store.scan(&from, &to, want, Direction::Backward).await?;
        for (key, value) in &kept {
            let raw: RawWebhook = record::decode(&value.value)?;
            to = key.clone();
            if let Some(id) = EventId::parse(&page::last_part(key))
                && filter.wants_webhook(&raw)
            {
                found.push(webhook(&id, &raw));
            }
        }
        if kept.len() < want {
            break;
        }
        if found.len() >= limit {
            return Ok(page::answer(found, Some(page::last_part(&to))));
        }
    }
    if found.is_empty() && cursor.is_none() {
        filter.found_nothing(&state)?;
    }
    Ok(page::answer(found, None))
}

/// Which of the two an id names.
enum Letter {
    Text(MessageId),
    Webhook(EventId),
}

fn letter(id: &str) -> Result<Letter, Error> {
    let text = MessageId::parse(id).map(Letter::Text);
    text.or_else(|| EventId::parse(id).map(Letter::Webhook))
        .ok_or_else(|| Error::not_found(missing(id)))
}

fn missing(id: &str) -> String {
    format!("there is no dead letter {id:?}")
}

/// `POST /api/v1/dead-letters/{id}/replay`: sends the text again, or reads the
/// webhook again. Asked twice, it is done once.
pub(super) async fn replay(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    match letter(&id)? {
        Letter::Text(text) => {
            let answer = state.host.take(&Input::Replay(text.clone())).await?;
            done(answer, &missing(&id))?;
            let message: Option<Message> = state.host.read(&keys::message(&text)).await?;
            let status = message.map(|message| message.status.word());
            Ok(Json(json!({ "data": { "id": id, "status": status } })))
        }
        Letter::Webhook(webhook) => match read_again(&state.host, &webhook).await? {
            Again::Taken => Ok(Json(json!({ "data": { "id": id, "status": "read" } }))),
            Again::Gone => Err(Error::not_found(missing(&id))),
            Again::Still(problem) => Err(Error::conflict(
                "unreadable",
                format!("it still cannot be read: {problem}"),
            )),
        },
    }
}

/// `POST /api/v1/dead-letters/{id}/drop`: somebody saw it and leaves it at that.
/// A text stays as failed in its conversation; a webhook is removed.
pub(super) async fn forget(
    State(state): State<ApiState>,
    _: Sender,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    match letter(&id)? {
        Letter::Text(text) => {
            let answer = state.host.take(&Input::Dismiss(text)).await?;
            done(answer, &missing(&id))?;
        }
        Letter::Webhook(webhook) => {
            let key = keys::raw_webhook(&webhook);
            if state.host.store().get(&key).await?.is_none() {
                return Err(Error::not_found(missing(&id)));
            }
            let mut batch = Batch::default();
            batch.writes.insert(key, None);
            drop(state.host.store().commit(batch).await?);
        }
    }
    Ok(Json(json!({ "data": { "id": id, "status": "dropped" } })))
}

/// `POST /api/v1/dead-letters/replay {kind?, connection?, since?, reason?}`: all
/// that fit, oldest first, at most so many at once: `more` says that there are
/// others. Texts of a run that was ended meanwhile (the contact answered, or said
/// STOP) are left alone.
pub(super) async fn replay_all(
    State(state): State<ApiState>,
    _: Sender,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let filter = Filter::new(
        fields.text("kind")?,
        fields.text("connection")?,
        fields.text("since")?,
        fields.text("reason")?,
    )?;
    // Where to go on: what was left alone stays at the head of the list.
    let after = fields.text("after")?.map(str::to_owned);
    fields.finish()?;
    let mut bulk = Bulk::default();
    bulk.texts(&state, &filter, after.as_deref()).await?;
    bulk.webhooks(&state, &filter, after.as_deref()).await?;
    if bulk.replayed == 0 && bulk.left.is_empty() && after.is_none() {
        filter.found_nothing(&state)?;
    }
    Ok(Json(json!({ "data": {
        "replayed": bulk.replayed,
        "left": bulk.left,
        "more": bulk.more,
    } })))
}

#[cfg(test)]
mod tests;
