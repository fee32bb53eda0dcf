//! Contacts: what is known of a number, and whether it may be texted.

use axum::Json;
use axum::extract::{Path, State};
use ringback_core::engine::{Answer, Input};
use ringback_core::model::{Contact, OptOutSource, PhoneNumber, keys};
use serde_json::{Value, json};

use super::super::fields::phone;
use super::super::{Admin, ApiState, Error, Reader, Sender};

fn shown(contact: &Contact) -> Json<Value> {
    let conversations = contact.threads.iter();
    let runs = contact.runs.iter();
    Json(json!({ "data": {
        "phone": contact.phone,
        "optedOut": contact.opted_out.as_ref().map(|out| json!({ "at": out.at, "how": out.how })),
        "zone": contact.zone,
        "fields": contact.fields,
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
