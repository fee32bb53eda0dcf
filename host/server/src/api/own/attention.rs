//! What needs a person at all: texts and webhooks counted, settings and workflow
//! files that do not work named.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use ringback_core::model::{Attention, Key, keys};
use ringback_core::workflow::Severity;
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::{ApiState, Error, Reader};
use crate::runtime::Host;

/// How far a count goes: who has so many does not need to know how many more.
const MOST: usize = 1_000;

/// `GET /api/v1/attention`: how many things wait for a person, which
/// connections' settings do not work, and which workflow files cannot be used.
/// Counts end at 1,000.
pub(super) async fn attention(
    State(state): State<ApiState>,
    _: Reader,
) -> Result<Json<Value>, Error> {
    let store = state.host.store();
    let count = async |(from, to): (Key, Key)| -> Result<usize, Error> {
        Ok(store
            .scan(&from, &to, MOST, Direction::Forward)
            .await?
            .len())
    };
    let listed = async |why: Attention| count(keys::under(b'q', why.word())).await;
    let mut broken: BTreeMap<String, Value> = BTreeMap::new();
    for (sender, problem) in state.host.broken() {
        broken.entry(sender.connection.clone()).or_insert_with(
            || json!({ "name": sender.connection, "code": problem.code, "problem": problem.text }),
        );
    }
    Ok(Json(json!({ "data": {
        "needsReview": listed(Attention::NeedsReview).await?,
        "unknown": listed(Attention::Unknown).await?,
        "failed": listed(Attention::Failed).await?,
        "held": listed(Attention::Held).await?,
        "waiting": listed(Attention::Turn).await?,
        "pendingApproval": listed(Attention::PendingApproval).await?,
        "twice": listed(Attention::Twice).await?,
        "webhooks": count(keys::table(b'u')).await?,
        "connections": broken.into_values().collect::<Vec<_>>(),
        "workflows": workflows(&state.host),
    } })))
}

/// The workflow files with errors: the first of them, and what is in service all
/// the same. `certain` is false where that may be the workflow of another file.
fn workflows(host: &Host) -> Vec<Value> {
    let (files, catalog) = (host.files(), host.catalog());
    let mut found = Vec::new();
    for (path, file) in files.by_path.iter().filter(|(_, file)| file.is_broken()) {
        let mut errors = file.problems.iter();
        let first = errors.find(|one| one.severity == Severity::Error);
        let in_service: Vec<String> = file
            .keeps()
            .filter_map(|id| Some(format!("{id} v{}", catalog.in_service.get(id)?.version)))
            .collect();
        found.push(json!({
            "file": path,
            "line": first.map(|one| one.line),
            "problem": first.map(|one| &one.message),
            "inService": in_service,
            "certain": file.perhaps.is_empty(),
        }));
    }
    found
}
