//! Texts in RevRing's dialect. (R1–R33)

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{Answer, Input, SendRequest};
use ringback_core::model::{Message, MessageId, Origin, keys};
use ringback_core::workflow::OnUnknown;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::own::intent;
use super::super::sender::{self, Named, Names};
use super::super::wait::{Follower, outcome};
use super::super::{ApiState, Error, Reader, Sender, idempotency, records, strict};
use super::{answer, heed, warning};

/// What the fields are called here.
const NAMES: Names = Names {
    agent: "agentId",
    connection: "messagingConnectionId",
    from: "from",
};
/// The longest text, in characters. (R11)
const LONGEST: usize = 1600;

/// `POST /v1/messages`, where two dialects live: the body says which is meant.
pub(super) async fn create_by_dialect(
    state: State<ApiState>,
    sender: Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let to = fields.value("to").is_some();
    let sender_id = fields
        .object()
        .get("sender_id")
        .is_some_and(|value| !value.is_null());
    let refuse = |code: &str, text: &str| Err(Error::invalid(code, text));
    match (to, sender_id) {
        (true, false) => create(state, sender, headers, fields).await,
        (true, true) => refuse(
            "dialect",
            "`to` and `sender_id` belong to two dialects; send one: `to` for a text to a number, \
             `sender_id` for a message in a conversation",
        ),
        (false, true) => refuse(
            "not_available",
            "messages with `sender_id` are not available yet; to text a number, send `to`",
        ),
        (false, false) => refuse(
            "dialect",
            "`to` (a text to a number) or `sender_id` (a message in a conversation) is missing",
        ),
    }
}

/// Sends a text and waits for the provider's id.
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let idempotency = idempotency::of(&headers, &caller, "revring POST messages", fields.object())?;
    let to = fields.required_phone("to")?;
    let (body, mut warnings) = body(&fields)?;
    let setup = state.host.setup();
    let from = fields.phone(NAMES.from)?;
    let named = Named {
        agent: fields.text(NAMES.agent)?,
        connection: fields.text(NAMES.connection)?,
        from: from.as_ref(),
    };
    let from = sender::resolve(&setup, named, NAMES)?;
    let intent = intent(&fields)?;
    warnings.extend(fields.ignored());
    heed(&warnings, strict(&headers))?;
    let input = Input::Send(SendRequest {
        idempotency,
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
    });
    let follower = Follower::new(&state.host, state.options.send_wait);
    let id = match state.host.take(&input).await? {
        Answer::Message(id) => id,
        Answer::Conflict => return Err(Error::reused_key()),
        Answer::Refused { code, text } => return Err(Error::conflict(code, text)),
        other => return Err(Error::internal(format!("a text led to {other:?}"))),
    };
    let message = follower.message(&id).await?;
    let status = outcome(&message)?;
    Ok((status, Json(answer(records::message(&message), warnings))))
}

/// The words: exactly one of `body` and `generate: true`. (R11–R17)
fn body(fields: &Fields) -> Result<(String, Vec<Value>), Error> {
    let generate = fields.flag("generate")?.unwrap_or(false);
    let body = fields.text("body")?;
    fields.know(&["messages", "smsPrompt"]);
    match (body, generate) {
        (Some(_), true) => Err(Error::invalid(
            "body_or_generate",
            "send `body` or `generate: true`, not both",
        )),
        (None, false) => Err(Error::field(
            "body",
            "body_or_generate",
            "send the text in `body`, or `generate: true`",
        )),
        (None, true) => Err(Error::field(
            "generate",
            "not_available",
            "composing a text with AI is not available yet; send the text in `body`",
        )),
        (Some(body), false) => {
            let length = body.chars().count();
            if body.trim().is_empty() || length > LONGEST {
                let text = match length {
                    0 => "`body` is empty".to_owned(),
                    _ if length > LONGEST => {
                        format!("`body` has {length} characters; {LONGEST} is the most")
                    }
                    _ => "`body` has nothing but spaces".to_owned(),
                };
                return Err(Error::field("body", "invalid_length", text));
            }
            let unused = ["messages", "smsPrompt"]
                .into_iter()
                .filter(|name| fields.value(name).is_some());
            let text = |name| {
                format!(
                    "`{name}` is for texts composed with AI and was ignored: `body` was sent as it is"
                )
            };
            let warnings = unused.map(|name| warning(name, "ignored_unused", text(name)));
            Ok((body.to_owned(), warnings.collect()))
        }
    }
}

/// `GET /v1/messages/{id}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let missing = || Error::not_found(format!("there is no text {id:?}"));
    let key = MessageId::parse(&id)
        .map(|id| keys::message(&id))
        .ok_or_else(missing)?;
    let message: Message = state.host.read(&key).await?.ok_or_else(missing)?;
    Ok(Json(json!({ "data": records::message(&message) })))
}
