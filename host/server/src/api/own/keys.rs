//! API keys over HTTP, for admins. The key itself is shown once, in the answer
//! that made it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::fields::{Fields, wrong};
use super::super::keys::{ApiKey, Error as KeyError, Scope};
use super::super::page::Params;
use super::super::{Admin, ApiState, Error};

impl From<KeyError> for Error {
    fn from(problem: KeyError) -> Self {
        match problem {
            KeyError::Store(problem) => problem.into(),
            KeyError::Record(problem) => problem.into(),
            KeyError::Contended => {
                Self::unavailable("busy", "the key changed at the same moment; try again")
            }
            KeyError::Unknown(id) => Self::not_found(format!("there is no key {id:?}")),
        }
    }
}

fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "createdAt": key.created_at,
        "revokedAt": key.revoked_at,
    })
}

/// `GET /api/v1/keys`.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Admin,
    params: Params,
) -> Result<Json<Value>, Error> {
    // The whole list is one page.
    params.only(&[])?;
    let data: Vec<Value> = state.keys.list().iter().map(|key| shown(key)).collect();
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

/// `POST /api/v1/keys {name, scopes}`.
pub(super) async fn create(
    State(state): State<ApiState>,
    _: Admin,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let name = fields.required("name")?.to_owned();
    let scopes = scopes(&fields)?;
    fields.finish()?;
    let (key, plain) = state
        .keys
        .create(state.host.store(), &name, &scopes)
        .await?;
    let mut data = shown(&key);
    if let Some(map) = data.as_object_mut() {
        map.insert("key".to_owned(), Value::from(plain));
    }
    Ok((StatusCode::CREATED, Json(json!({ "data": data }))))
}

fn scopes(fields: &Fields) -> Result<Vec<Scope>, Error> {
    let all = Scope::ALL.map(Scope::word).join(", ");
    let list = match fields.value("scopes") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))) => {
            return Err(wrong("scopes", "a list", other));
        }
        _ => {
            let text = format!("`scopes` must name at least one of {all}");
            return Err(Error::field("scopes", "required", text));
        }
    };
    list.iter()
        .map(|value| {
            value.as_str().and_then(Scope::parse).ok_or_else(|| {
                let text = format!("{value} is not a scope; there is {all}");
                Error::field("scopes", "unknown_scope", text)
            })
        })
        .collect()
}

/// `DELETE /api/v1/keys/{id}`.
pub(super) async fn revoke(
    State(state): State<ApiState>,
    _: Admin,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let key = state.keys.revoke(state.host.store(), &id).await?;
    Ok(Json(json!({ "data": shown(&key) })))
}
