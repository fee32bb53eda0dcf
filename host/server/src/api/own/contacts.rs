//! Contacts: what is known of a number, and whether it may be texted.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{Answer, ConsentChange, Input, LeadRequest};
use ringback_core::model::{Contact, OptOutSource, PhoneNumber, keys};
use serde_json::{Value, json};

use super::super::fields::{Fields, phone, wrong};
use super::super::{Admin, ApiState, Error, Reader, Sender, idempotency};

fn shown(contact: &Contact) -> Json<Value> {
    let conversations = contact.threads.iter();
    let runs = contact.runs.iter();
    Json(json!({ "data": {
        "phone": contact.phone,
        "optedOut": contact.opted_out.as_ref().map(|out| json!({ "at": out.at, "how": out.how })),
        "zone": contact.zone,
        "fields": contact.fields,
        "tags": contact.tags,
        "leadSince": contact.lead_since,
        "consent": contact.consent,
        "conversations": conversations.map(|thread| json!({
            "agentId": thread.agent, "id": thread.conversation,
        })).collect::<Vec<_>>(),
        "runs": runs.map(|one| json!({ "id": one.run, "workflow": one.workflow })).collect::<Vec<_>>(),
    } }))
}

/// `GET /api/v1/contacts/{number}`.
pub(super) async fn show(
    State(state): State<ApiState>,
    _: Reader,
    Path(number): Path<String>,
) -> Result<Json<Value>, Error> {
    let number = phone("number", &number)?;
    let contact: Option<Contact> = state.host.read(&keys::contact(&number)).await?;
    let contact = contact.ok_or_else(|| Error::not_found(format!("{number} was never seen")))?;
    Ok(shown(&contact))
}

/// `POST /api/v1/contacts {phone, fields?, zone?, tag?, untag?, consent?, note?}`: what is
/// known of a contact, who becomes a lead by it. What is said again changes nothing.
pub(super) async fn change(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let phone = fields.required_phone("phone")?;
    let mut request = LeadRequest::new(phone.clone());
    request.fields = fields.map("fields")?.cloned().unwrap_or_default();
    request.zone = fields.text("zone")?.map(str::to_owned);
    request.tag = texts(&fields, "tag")?;
    request.untag = texts(&fields, "untag")?;
    request.consent = consents(&fields)?;
    request.note = fields.text("note")?.map(str::to_owned);
    fields.finish()?;
    request.idempotency = idempotency::of(&headers, &caller, "POST contacts", fields.object())?;
    let status = match state.host.take(&Input::Lead(request)).await? {
        Answer::Lead { created: true, .. } => StatusCode::CREATED,
        Answer::Refused { code, text } => {
            return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, code, text));
        }
        Answer::Conflict => return Err(Error::reused_key()),
        _ => StatusCode::OK,
    };
    Ok((status, shown(&state.host.contact(&phone).await?)))
}

/// A text, or a list of them.
fn texts(fields: &Fields, name: &'static str) -> Result<Vec<String>, Error> {
    let all = match fields.value(name) {
        None => return Ok(Vec::new()),
        Some(Value::String(one)) => return Ok(vec![one.clone()]),
        Some(Value::Array(all)) => all,
        Some(other) => return Err(wrong(name, "a list of texts", other)),
    };
    let text = |one: &Value| match one {
        Value::String(text) => Ok(text.clone()),
        other => Err(wrong(name, "a list of texts", other)),
    };
    all.iter().map(text).collect()
}

/// `[{ intent, given?, source?, at? }]`
fn consents(fields: &Fields) -> Result<Vec<ConsentChange>, Error> {
    let all = match fields.value("consent") {
        None => return Ok(Vec::new()),
        Some(Value::Array(all)) => all,
        Some(other) => return Err(wrong("consent", "a list", other)),
    };
    let one = |one: &Value| {
        let Value::Object(one) = one else {
            return Err(wrong("consent", "a list of objects", one));
        };
        let one = Fields::new(one.clone());
        let consent = ConsentChange {
            intent: super::intent(&one)?,
            given: one.flag("given")?.unwrap_or(true),
            source: one.text("source")?.unwrap_or("api").to_owned(),
            at: one.time("at")?,
        };
        one.required("intent")?;
        one.finish()?;
        Ok(consent)
    };
    all.iter().map(one).collect()
}

/// `POST /api/v1/contacts/{number}/opt-out`: no more texts. A number that was
/// never seen can be opted out as well.
pub(super) async fn opt_out(
    State(state): State<ApiState>,
    _: Sender,
    Path(number): Path<String>,
) -> Result<Json<Value>, Error> {
    set(&state, &phone("number", &number)?, true).await
}

/// `POST /api/v1/contacts/{number}/opt-in`: texts again, when the opt-out was
/// recorded here. What the contact said by text, only the contact takes back.
pub(super) async fn opt_in(
    State(state): State<ApiState>,
    Admin(caller): Admin,
    Path(number): Path<String>,
) -> Result<Json<Value>, Error> {
    tracing::info!(key = caller.id, "an opt-out is to be taken back");
    set(&state, &phone("number", &number)?, false).await
}

async fn set(state: &ApiState, number: &PhoneNumber, out: bool) -> Result<Json<Value>, Error> {
    let input = Input::OptOut(number.clone(), out, OptOutSource::Api);
    if let Answer::Refused { code, text } = state.host.take(&input).await? {
        return Err(Error::conflict(code, text));
    }
    Ok(shown(&state.host.contact(number).await?))
}
