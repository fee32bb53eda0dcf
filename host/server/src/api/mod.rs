//! The HTTP side: RevRing's dialect, the product's own API, what providers call,
//! and what tells others how the host is. Owns reading requests and writing
//! answers; every effect goes through [`Host::take`].

mod auth;
mod error;
mod fields;
pub(crate) mod hooks;
mod idempotency;
mod incoming;
pub(crate) mod keys;
mod ops;
mod own;
mod page;
mod records;
mod revring;
mod sender;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use jiff::Timestamp;

use crate::runtime::{Host, clock};

pub(crate) use auth::{Admin, Caller, Rates, Reader, Sender, SessionCheck};
pub(crate) use error::Error;
use keys::Keys;

/// What can be chosen about the API.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How long a dialect that waits for the provider waits.
    pub(crate) send_wait: Duration,
    /// Whether the host runs with the demo's workflows and simulator.
    pub(crate) demo: bool,
    /// The program's version.
    pub(crate) version: &'static str,
    /// Requests a second that one key may make in the long run, and at once.
    pub(crate) rate: (u32, u32),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            send_wait: Duration::from_secs(5),
            demo: false,
            version: env!("CARGO_PKG_VERSION"),
            rate: (200, 400),
        }
    }
}

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState {
    /// The host.
    pub(crate) host: Arc<Host>,
    /// Who may ask.
    pub(crate) keys: Arc<Keys>,
    /// Who is signed in to the dashboard.
    pub(crate) sessions: Arc<dyn SessionCheck>,
    /// How often each key asked.
    pub(crate) rates: Arc<Rates>,
    /// What was answered, for `/metrics`.
    pub(crate) traffic: Arc<ops::Traffic>,
    /// What can be chosen.
    pub(crate) options: Arc<Options>,
    /// When the process started.
    pub(crate) started: Timestamp,
}

impl ApiState {
    /// The state of one process.
    pub(crate) fn new(
        host: Arc<Host>,
        keys: Arc<Keys>,
        sessions: Arc<dyn SessionCheck>,
        options: Options,
    ) -> Self {
        Self {
            host,
            keys,
            sessions,
            rates: Arc::new(Rates::new(options.rate.0, options.rate.1)),
            traffic: Arc::default(),
            options: Arc::new(options),
            started: clock::now(),
        }
    }
}

/// All routes, with one shape for every error. Other routers are merged into it
/// and must not have a fallback of their own.
pub(crate) fn router(state: ApiState) -> Router {
    let hooks = hooks::routes(Arc::clone(&state.host));
    let incoming = incoming::routes(Arc::clone(&state.host));
    Router::new()
        .merge(revring::routes())
        .merge(own::routes())
        .merge(ops::routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(fields::BODY_LIMIT))
        .with_state(state.clone())
        .merge(hooks)
        .merge(incoming)
        .layer(middleware::from_fn_with_state(state, watch))
}

/// Other routes behind the same keys and sessions.
pub(crate) fn guarded(state: ApiState, routes: Router) -> Router {
    routes.layer(middleware::from_fn_with_state(state, auth::guard))
}

async fn unknown_route(uri: Uri) -> Error {
    Error::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Error {
    let text = format!("{} does not take {method}", uri.path());
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
}

/// Counts what is answered, and turns a handler that broke into an answer.
async fn watch(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let answer = std::panic::AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await;
    let answer = answer.unwrap_or_else(|_| Error::internal("a handler panicked").into_response());
    state.traffic.count(answer.status());
    answer
}

/// Whether the client wants every warning to be an error.
fn strict(headers: &HeaderMap) -> bool {
    headers
        .get("x-strict")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}

#[cfg(test)]
mod tests;
