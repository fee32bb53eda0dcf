//! How the host is: for load balancers, for Prometheus, for people. Open to
//! everybody who reaches the port, so there is nothing personal in it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::ApiState;

/// The routes.
pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// How many requests were answered, by the first digit of the status.
#[derive(Debug, Default)]
pub(crate) struct Traffic([AtomicU64; 6]);

impl Traffic {
    pub(super) fn count(&self, status: StatusCode) {
        if let Some(counter) = self.0.get(usize::from(status.as_u16() / 100)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn alive(State(state): State<ApiState>) -> Json<Value> {
    Json(json!({ "status": "up", "version": state.options.version }))
}

/// 200 when work is taken, else 503 with what is missing.
async fn ready(State(state): State<ApiState>) -> Response {
    let health = state.host.store().health().await;
    let mut missing = Vec::new();
    if state.host.is_stopping() {
        missing.push("the host is shutting down");
    } else if !state.host.is_ready() {
        missing.push("workflows and plugins are still being loaded");
    }
    if health.poisoned.is_some() {
        missing.push("the store stopped after a failure; the log says why");
    }
    if health.nearly_full {
        missing.push("the disk is nearly full");
    }
    if missing.is_empty() {
        return Json(json!({ "ready": true, "missing": missing })).into_response();
    }
    let body = Json(json!({ "ready": false, "missing": missing }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// Prometheus's text format, version 0.0.4.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl std::fmt::Display) {
        let _ = match label {
            Some((label, text)) => {
                let text = text
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n");
                writeln!(self.0, "{name}{{{label}=\"{text}\"}} {value}")
            }
            None => writeln!(self.0, "{name} {value}"),
        };
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, None, value);
    }
}

async fn metrics(State(state): State<ApiState>) -> Response {
    let host = &state.host;
    let health = host.store().health().await;
    let counts = host.counts();
    let mut out = Exposition::default();
    out.family("ringback_info", "gauge", "The program's version.");
    out.sample("ringback_info", Some(("version", state.options.version)), 1);
    let name = "ringback_inputs_total";
    out.family(name, "counter", "Inputs that were taken, by kind.");
    for (kind, count) in counts.iter().filter(|(kind, _)| *kind != "conflict") {
        out.sample(name, Some(("kind", kind)), count);
    }
    let name = "ringback_commit_conflicts_total";
    out.family(
        name,
        "counter",
        "Steps that were taken again because another one was faster.",
    );
    let conflicts = counts.iter().find(|(kind, _)| *kind == "conflict");
    out.sample(name, None, conflicts.map_or(0, |(_, count)| *count));
    let name = "ringback_http_responses_total";
    out.family(name, "counter", "Answered requests, by class of status.");
    for (digit, class) in [(2, "2xx"), (3, "3xx"), (4, "4xx"), (5, "5xx")] {
        let count = state
            .traffic
            .0
            .get(digit)
            .map_or(0, |one| one.load(Ordering::Relaxed));
        out.sample(name, Some(("class", class)), count);
    }
    out.gauge(
        "ringback_ready",
        "1 when work is taken.",
        u8::from(host.is_ready()),
    );
    out.gauge(
        "ringback_timers_held",
        "The next timers, as far as they are held in memory.",
        host.timers_held(),
    );
    let name = "ringback_requests_in_flight";
    out.gauge(
        name,
        "Requests to providers that are under way.",
        host.requests_in_flight(),
    );
    let plugins = host.connectors().iter().count();
    out.gauge(
        "ringback_connections",
        "Accounts at providers that are in service.",
        plugins,
    );
    let workflows = host.catalog().in_service.len();
    out.gauge(
        "ringback_workflows_in_service",
        "Workflows that take new runs.",
        workflows,
    );
    let up = u8::from(health.poisoned.is_none());
    out.gauge(
        "ringback_store_up",
        "0 when the store takes no more commits.",
        up,
    );
    out.gauge(
        "ringback_store_nearly_full",
        "1 when its disk is nearly full.",
        u8::from(health.nearly_full),
    );
    out.gauge(
        "ringback_store_revision",
        "The last commit's number.",
        health.revision,
    );
    let name = "ringback_store_checkpointed_revision";
    out.gauge(
        name,
        "The last commit that needs no journal.",
        health.checkpointed,
    );
    out.gauge(
        "ringback_store_journal_bytes",
        "Bytes of journal since the last snapshot.",
        health.journal_bytes,
    );
    if let Some(bytes) = health.free_bytes {
        out.gauge(
            "ringback_store_free_bytes",
            "Bytes left on the store's disk.",
            bytes,
        );
    }
    let started = state.started.as_millisecond() as f64 / 1000.0;
    out.gauge(
        "process_start_time_seconds",
        "When the process started, in Unix time.",
        started,
    );
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        out.0,
    )
        .into_response()
}
