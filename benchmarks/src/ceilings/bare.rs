//! The ceiling of anything that is called over HTTP: axum reads JSON and answers.

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// What is posted.
#[derive(Deserialize)]
pub(super) struct Incoming {
    pub(super) id: String,
    pub(super) to: String,
    pub(super) text: String,
}

#[derive(Serialize)]
struct Taken {
    length: usize,
}

/// Its routes.
pub(crate) fn routes() -> Router {
    Router::new().route("/json", post(take))
}

async fn take(Json(incoming): Json<Incoming>) -> (StatusCode, Json<Taken>) {
    let length = incoming.id.len() + incoming.to.len() + incoming.text.len();
    (StatusCode::ACCEPTED, Json(Taken { length }))
}
