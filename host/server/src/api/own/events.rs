//! Events that a program reports: a call that was missed or ended, a text that
//! came in elsewhere. They count as if the agent's own connection had said so.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{
    Agent, Answer, CallOutcome, CallReport, IncomingText, Input, PostedEvent, Setup,
};
use ringback_core::model::{
    Attachment, Call, CallId, Direction, Key, Message, MessageId, PhoneNumber, keys,
};
use serde_json::{Value, json};

use super::super::fields::{Fields, wrong};
use super::super::sender::list;
use super::super::{ApiState, Caller, Error, Sender, idempotency};
use crate::runtime::clock;

const KNOWN: &str = "call.missed, call.completed, message.received and plugin.event";
/// The connection's name for an agent that has none.
const NOWHERE: &str = "api";

/// `POST /api/v1/events`.
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let setup = state.host.setup();
    let kind = fields.required("type")?;
    if kind == "plugin.event" {
        let event = posted(&caller, &headers, &fields)?;
        return take_posted(&state, event).await;
    }
    let event = match kind {
        "call.missed" => call(&setup, &fields, true)?,
        "call.completed" => call(&setup, &fields, false)?,
        "message.received" => text(&setup, &fields)?,
        other => {
            let text = format!("there is no event {other:?}; there is {KNOWN}");
            return Err(Error::field("type", "unknown_type", text));
        }
    };
    fields.finish()?;
    let idempotency = idempotency::of(&headers, &caller, "POST events", fields.object())?;
    let bound = match &idempotency {
        Some(idempotency) => Some(idempotency::bind(&state.host, idempotency).await?),
        None => None,
    };
    let foreign = event
        .id
        .or(bound)
        .unwrap_or_else(|| format!("api-{:032x}", clock::seed()));
    let (input, known) = match event.what {
        What::Call(mut report) => {
            let known = keys::provider_call(&report.connection, &foreign);
            report.provider_id = foreign;
            (Input::Call(report), known)
        }
        What::Text(mut text) => {
            let known = keys::taken(&text.connection, &foreign);
            text.provider_id = foreign;
            (Input::Text(text), known)
        }
    };
    same_party(&state, &input, &known).await?;
    let answer = state.host.take(&input).await?;
    let repeated = answer == Answer::Repeat;
    let runs = match answer {
        Answer::Runs(runs) => runs,
        _ => Vec::new(),
    };
    let id = match &input {
        Input::Call(_) => json!(state.host.read::<CallId>(&known).await?),
        _ => json!(state.host.read::<MessageId>(&known).await?),
    };
    let data = json!({ "id": id, "runs": runs, "repeated": repeated });
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": data }))))
}

/// Something that a program tells of, for workflows on `plugin.event`.
fn posted(caller: &Caller, headers: &HeaderMap, fields: &Fields) -> Result<PostedEvent, Error> {
    let event = PostedEvent {
        plugin: fields.text("plugin")?.unwrap_or("api").to_owned(),
        name: fields.required("name")?.to_owned(),
        contact: fields.phone("contact")?,
        data: fields.value("data").cloned().unwrap_or_default(),
        idempotency: idempotency::of(headers, caller, "POST events", fields.object())?,
    };
    fields.finish()?;
    Ok(event)
}

async fn take_posted(
    state: &ApiState,
    event: PostedEvent,
) -> Result<(StatusCode, Json<Value>), Error> {
    let (runs, repeated) = match state.host.take(&Input::Event(event)).await? {
        Answer::Runs(runs) => (runs, false),
        Answer::Conflict => return Err(Error::reused_key()),
        Answer::Repeat => (Vec::new(), true),
        _ => (Vec::new(), false),
    };
    let data = json!({ "id": null, "runs": runs, "repeated": repeated });
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": data }))))
}

/// An event, before its foreign id is known.
struct Event {
    id: Option<String>,
    what: What,
}

enum What {
    Call(CallReport),
    Text(IncomingText),
}

/// The agent that owns one of our numbers.
fn owner<'a>(setup: &'a Setup, number: &PhoneNumber, field: &str) -> Result<&'a Agent, Error> {
    setup.owner(number).ok_or_else(|| {
        let numbers = setup.agents.values().flat_map(|agent| &agent.numbers);
        let text = format!(
            "no agent owns {number}; the numbers of our agents are {}",
            list(numbers)
        );
        Error::new(StatusCode::UNPROCESSABLE_ENTITY, "unowned_number", text).at(field)
    })
}

/// An id under which the same thing would be reported again.
fn foreign(fields: &Fields, names: [&'static str; 2]) -> Result<Option<String>, Error> {
    for name in names {
        if let Some(text) = fields.text(name)? {
            if text.trim().is_empty() || text.len() > 255 {
                let text = format!("`{name}` must have 1 to 255 characters");
                return Err(Error::field(name, "invalid_length", text));
            }
            fields.know(&names);
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

fn call(setup: &Setup, fields: &Fields, missed: bool) -> Result<Event, Error> {
    let direction = match fields.text("direction")? {
        None | Some("inbound") => Direction::Inbound,
        Some("outbound") => Direction::Outbound,
        Some(other) => {
            let text = format!("`direction` must be inbound or outbound, and it is {other:?}");
            return Err(Error::field("direction", "invalid_direction", text));
        }
    };
    // A hidden number calls from nowhere.
    let (from, to) = (fields.phone("from")?, fields.required_phone("to")?);
    let agent = match direction {
        Direction::Inbound => owner(setup, &to, "to")?,
        Direction::Outbound => owner(setup, &fields.required_phone("from")?, "from")?,
    };
    let voicemail = fields.flag("voicemail")?.unwrap_or(false);
    if let Some(answered) = fields.flag("answered")?
        && answered == missed
    {
        let text = format!(
            "`answered: {answered}` does not go with {:?}",
            if missed {
                "call.missed"
            } else {
                "call.completed"
            }
        );
        return Err(Error::field("answered", "contradiction", text));
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let report = CallReport {
        connection: agent
            .connection
            .clone()
            .unwrap_or_else(|| NOWHERE.to_owned()),
        provider_id: String::new(),
        id: None,
        direction,
        from,
        to: Some(to),
        outcome: match missed {
            true if voicemail => CallOutcome::Voicemail,
            true => CallOutcome::NoAnswer,
            false => CallOutcome::Completed,
        },
        // The program knows how the call ended, whatever the agent's plan is.
        forwarded: true,
        started_at: fields.time("started_at")?,
        ended_at: fields.time("ended_at")?,
        duration: fields.count("duration")?,
        summary: owned(fields.text("summary")?),
        transcript: fields.value("transcript").cloned(),
        recording_url: owned(fields.text("recording_url")?),
        cause: owned(fields.text("cause")?),
    };
    Ok(Event {
        id: foreign(fields, ["call_id", "id"])?,
        what: What::Call(report),
    })
}

fn text(setup: &Setup, fields: &Fields) -> Result<Event, Error> {
    let from = fields.required_phone("from")?;
    let to = fields.required_phone("to")?;
    let agent = owner(setup, &to, "to")?;
    let media = match fields.value("media") {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(attachment).collect::<Result<_, _>>()?,
        Some(other) => return Err(wrong("media", "a list of addresses", other)),
    };
    let body = fields.text("body")?.unwrap_or_default();
    if body.is_empty() && media.is_empty() {
        return Err(Error::field("body", "required", "`body` is missing"));
    }
    let text = IncomingText {
        connection: agent
            .connection
            .clone()
            .unwrap_or_else(|| NOWHERE.to_owned()),
        provider_id: String::new(),
        from,
        to,
        body: body.to_owned(),
        media,
        keyword: None,
    };
    Ok(Event {
        id: foreign(fields, ["id", "message_id"])?,
        what: What::Text(text),
    })
}

fn attachment(value: &Value) -> Result<Attachment, Error> {
    match value {
        Value::String(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Ok(Attachment {
                url: url.clone(),
                media_type: String::new(),
            })
        }
        other => Err(wrong("media", "a list of http or https addresses", other)),
    }
}

/// An id of the caller's own names one call or text. Used again for somebody
/// else it is a mistake, and taking it for a repeat would lose that somebody.
async fn same_party(state: &ApiState, input: &Input, known: &Key) -> Result<(), Error> {
    let earlier = match input {
        Input::Call(report) => {
            let Some(id) = state.host.read::<CallId>(known).await? else {
                return Ok(());
            };
            let call: Option<Call> = state.host.read(&keys::call(&id)).await?;
            let now = match report.direction {
                Direction::Inbound => report.from.clone(),
                Direction::Outbound => report.to.clone(),
            };
            call.map(|call| (call.contact, now))
        }
        Input::Text(text) => {
            let Some(id) = state.host.read::<MessageId>(known).await? else {
                return Ok(());
            };
            let message: Option<Message> = state.host.read(&keys::message(&id)).await?;
            message.map(|message| (Some(message.contact), Some(text.from.clone())))
        }
        _ => None,
    };
    match earlier {
        Some((Some(before), Some(now))) if before != now => Err(Error::conflict(
            "id_reused",
            format!("this id was used for {before} before; give {now} an id of its own"),
        )),
        _ => Ok(()),
    }
}
