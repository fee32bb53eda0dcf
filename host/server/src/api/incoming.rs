//! Workflows' own webhooks, `POST /in/{path}`: who may call, and what of the call
//! expressions see. The workflow's file says which signature it wants.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ringback_core::engine::{Answer, IncomingWebhook, Input};
use ringback_core::workflow::Verify;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tracing::warn;

use crate::runtime::Host;

/// The most bytes of a body: it goes into a record, and into every run it starts.
const BODY_LIMIT: usize = 64 * 1024;
/// Headers that are never shown to a workflow.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
];

/// The routes. They ask for no key of ours: callers sign, or need not.
pub(super) fn routes(host: Arc<Host>) -> Router {
    Router::new()
        .route("/in/{*path}", any(receive))
        .with_state(host)
}

fn answer(status: StatusCode, body: Value) -> Response {
    (status, axum::Json(body)).into_response()
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    answer(
        status,
        json!({ "error": { "code": code, "message": message } }),
    )
}

/// Size, signature, store, answer: in this order, and nothing slow before the answer.
async fn receive(
    State(host): State<Arc<Host>>,
    Path(path): Path<String>,
    request: HttpRequest<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let text = "a workflow's webhook is POSTed";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text);
    }
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        let text = "a workflow's webhook has at most 64 KiB";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text);
    };
    let catalog = host.catalog();
    let listeners = catalog.webhooks(&path);
    if listeners.is_empty() {
        let text = format!("no workflow has the webhook path {path:?}");
        return refuse(StatusCode::NOT_FOUND, "not_found", &text);
    }
    let mut workflows = Vec::new();
    let mut unchecked = None;
    for listener in &listeners {
        match listener
            .verify
            .map(|verify| fits(&host, verify, &parts.headers, &body))
        {
            None | Some(Ok(true)) => workflows.push(listener.workflow.to_owned()),
            Some(Ok(false)) => {}
            Some(Err(text)) => unchecked = Some(text),
        }
    }
    if workflows.is_empty() {
        return match unchecked {
            // It may be genuine: whoever calls tries again.
            Some(text) => {
                warn!(path, "a webhook's signature could not be checked: {text}");
                refuse(StatusCode::SERVICE_UNAVAILABLE, "not_checked", &text)
            }
            None => {
                warn!(path, "a webhook's signature is wrong; nothing was stored");
                let text = "the signature is missing or wrong";
                refuse(StatusCode::FORBIDDEN, "signature", text)
            }
        };
    }
    let input = Input::Webhook(IncomingWebhook {
        path,
        workflows,
        body: content(&parts.headers, &body),
        headers: shown(&parts.headers),
        query: query(parts.uri.query()),
    });
    match host.take(&input).await {
        Ok(Answer::Runs(runs)) => answer(StatusCode::ACCEPTED, json!({ "data": { "runs": runs } })),
        Ok(Answer::Repeat) => answer(
            StatusCode::ACCEPTED,
            json!({ "data": { "runs": [], "repeated": true } }),
        ),
        Ok(Answer::Refused { code, text }) => {
            let status = match code {
                "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::CONFLICT,
            };
            refuse(status, code, &text)
        }
        Ok(_) => answer(StatusCode::ACCEPTED, json!({ "data": { "runs": [] } })),
        Err(problem) => super::Error::from(problem).into_response(),
    }
}

/// Whether a call carries the signature that a workflow wants: HMAC-SHA256 over the
/// body, in hex or base64, alone or behind `sha256=`.
///
/// # Errors
/// A sentence, when there is no such secret.
fn fits(host: &Host, verify: &Verify, headers: &HeaderMap, body: &[u8]) -> Result<bool, String> {
    let name = &verify.hmac_sha256;
    let Some(secret) = host.secret(name) else {
        return Err(format!("there is no secret {name:?} under [secrets]"));
    };
    let Some(given) = headers
        .get(&verify.header)
        .and_then(|one| one.to_str().ok())
    else {
        return Ok(false);
    };
    let given = given.trim();
    let given = given.strip_prefix("sha256=").unwrap_or(given);
    let signature = unhex(given).or_else(|| BASE64_STANDARD.decode(given).ok());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return Err(format!("the secret {name:?} cannot be a key"));
    };
    mac.update(body);
    Ok(signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// JSON as what it says, a form as its fields, everything else as text.
fn content(headers: &HeaderMap, body: &[u8]) -> Value {
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Value::Object(fields(body));
    }
    match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(_) => Value::String(String::from_utf8_lossy(body).into_owned()),
    }
}

fn query(query: Option<&str>) -> Map<String, Value> {
    fields(query.unwrap_or_default().as_bytes())
}

fn fields(encoded: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(encoded)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}

fn shown(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), Value::String(value))
        })
        .collect()
}
