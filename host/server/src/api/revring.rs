//! RevRing's dialect: `POST /v1/messages` and `POST /v1/calls`, served so that a
//! client works after changing only its base URL. Fields that are not known are
//! ignored with a warning, as RevRing's clients may send more than we read.

mod calls;
mod messages;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{ApiState, Error};

/// The routes, at their own place and under `/revring`.
pub(crate) fn routes() -> Router<ApiState> {
    let same = || {
        Router::new()
            .route("/messages/{id}", get(messages::show))
            .route("/calls", post(calls::create))
            .route("/calls/{id}", get(calls::show))
    };
    let plain = same().route("/messages", post(messages::create_by_dialect));
    let named = same().route("/messages", post(messages::create));
    Router::new().nest("/v1", plain).nest("/revring/v1", named)
}

/// A warning about a field.
fn warning(path: &str, code: &str, message: impl Into<String>) -> Value {
    json!({ "path": path, "code": code, "message": message.into() })
}

/// With `X-Strict: true`, the first warning is an error.
fn heed(warnings: &[Value], strict: bool) -> Result<(), Error> {
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match warnings.first() {
        Some(first) if strict => {
            let (path, code) = (text(first, "path"), text(first, "code"));
            Err(Error::field(&path, &code, text(first, "message")))
        }
        _ => Ok(()),
    }
}

/// The answer: the record, and the warnings when there are any.
fn answer(data: Value, warnings: Vec<Value>) -> Value {
    if warnings.is_empty() {
        json!({ "data": data })
    } else {
        json!({ "data": data, "warnings": warnings })
    }
}

/// A call, the same record in both APIs.
pub(in crate::api) use calls::show as show_call;

#[cfg(test)]
mod tests;
