//! What a client is told when something cannot be done: one shape for the whole
//! API, in plain words. Nothing in it may name a path, a secret or the insides
//! of the program; those go to the log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringback_core::model::record;
use serde_json::{Map, Value, json};
use tracing::error;

use crate::runtime;

/// A refusal: `{"error":{"code","message","field"?}}` with its HTTP status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    status: StatusCode,
    code: String,
    message: String,
    field: Option<String>,
    message_id: Option<String>,
    retry_after: Option<u64>,
}

impl Error {
    /// A refusal with its status, a word for programs and a sentence for people.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            field: None,
            message_id: None,
            retry_after: None,
        }
    }

    /// 400: the request is at fault.
    pub(crate) fn invalid(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400: this field of the request is at fault.
    pub(crate) fn field(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self::invalid(code, message).at(field)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 409: it cannot be done as things stand.
    pub(crate) fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 409: an idempotency key that was used for another request.
    pub(crate) fn reused_key() -> Self {
        Self::conflict(
            "idempotency_conflict",
            "this Idempotency-Key was used for another request; use a new one",
        )
    }

    /// 500, with the reason in the log only.
    pub(crate) fn internal(why: impl std::fmt::Display) -> Self {
        error!("could not answer a request: {why}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong inside the host; its log says what",
        )
    }

    /// 503: later it may work.
    pub(crate) fn unavailable(code: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        error.retry_after = Some(5);
        error
    }

    /// Names the field at fault, as a path into the request.
    pub(crate) fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Names the text that was refused, so that it can be looked up.
    pub(crate) fn about(mut self, message: impl ToString) -> Self {
        self.message_id = Some(message.to_string());
        self
    }

    /// Says after how many seconds to come again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

#[cfg(test)]
impl Error {
    /// Status and code.
    pub(crate) fn parts(&self) -> (u16, &str) {
        (self.status.as_u16(), &self.code)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut error = Map::new();
        error.insert("code".to_owned(), Value::from(self.code));
        error.insert("message".to_owned(), Value::from(self.message));
        if let Some(field) = self.field {
            error.insert("field".to_owned(), Value::from(field));
        }
        if let Some(id) = self.message_id {
            error.insert("messageId".to_owned(), Value::from(id));
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<runtime::Error> for Error {
    fn from(problem: runtime::Error) -> Self {
        match problem {
            runtime::Error::Store(problem) => problem.into(),
            runtime::Error::Engine(problem) => Self::internal(problem),
            runtime::Error::Record(problem) => problem.into(),
            runtime::Error::Contended => Self::unavailable(
                "busy",
                "too many requests change the same records; try again",
            )
            .retry_after(1),
            runtime::Error::Stopping => {
                Self::unavailable("stopping", "the host is shutting down; try again")
            }
            runtime::Error::StoreFailed => Self::unavailable(
                "store",
                "the host's store stopped after a failure; its log says why",
            ),
            runtime::Error::DiskFull => Self::unavailable(
                "disk_full",
                "the host's disk is nearly full; try again later",
            ),
        }
    }
}

impl From<ringback_store::Error> for Error {
    fn from(problem: ringback_store::Error) -> Self {
        error!("could not use the store: {problem}");
        Self::unavailable(
            "store",
            "the host could not read or write its store; its log says why",
        )
    }
}

impl From<record::Error> for Error {
    fn from(problem: record::Error) -> Self {
        Self::internal(problem)
    }
}
