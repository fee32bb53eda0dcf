//! An edited workflow file against what has happened here: what would differ, and
//! nothing is sent.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ringback_core::rehearsal::{self, Stage};
use ringback_core::workflow::expression::Rows;
use ringback_core::workflow::{Workflow, parse};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::super::fields::Fields;
use super::super::{ApiState, Error, Sender};
use super::letters;
use crate::runtime::history::{History, history};
use crate::runtime::{Host, clock, read_rows};

/// How far back is looked when nothing is said.
const USUAL: &str = "30d";
/// Playing takes a processor for a while: one at a time, and texts go on.
static TURN: Semaphore = Semaphore::const_new(1);

/// `POST /api/v1/workflows/backtest {source, file?, since?}`: plays what happened
/// since a time or so long ago (without it: thirty days) through the version in service and
/// through this text of a file.
pub(super) async fn backtest(
    State(state): State<ApiState>,
    _: Sender,
    fields: Fields,
) -> Result<Json<Value>, Error> {
    let source = fields.required("source")?;
    let file = fields.text("file")?.unwrap_or("the file");
    let since = letters::ago(fields.text("since")?.unwrap_or(USUAL))?;
    if since >= clock::now() {
        let text = "`since` must be in the past";
        return Err(Error::field("since", "invalid_time", text));
    }
    let setup = state.host.setup();
    let new = parse(source, file, &setup.known()).result;
    let new = new.map_err(|problems| {
        let all = problems.iter().map(|one| one.render());
        Error::field(
            "source",
            "invalid_workflow",
            all.collect::<Vec<_>>().join("\n\n"),
        )
    })?;
    fields.finish()?;
    let Ok(_turn) = TURN.try_acquire() else {
        let text = "another backtest is under way; try again when it has ended";
        return Err(Error::conflict("busy", text));
    };
    let history = history(&state.host, since, &new.definition.id).await?;
    let host = Arc::clone(&state.host);
    let played = tokio::task::spawn_blocking(move || play(&host, &new, history));
    let data = played
        .await
        .map_err(|_| Error::internal("the file could not be played".to_owned()))?;
    Ok(Json(json!({ "data": data })))
}

fn play(host: &Arc<Host>, new: &Workflow, history: History) -> Value {
    let (setup, catalog) = (host.setup(), host.catalog());
    let id = &new.definition.id;
    let old = catalog.in_service.get(id);
    let folder = host.rows_folder();
    let rows = |rows: &Rows| read_rows(&folder, rows);
    let stage = Stage {
        setup: &setup,
        others: &catalog,
        rows: Some(&rows),
    };
    let version = old.map(|one| one.version);
    let old = old.map(|one| &*one.workflow);
    let difference = rehearsal::backtest(&stage, old, new, history.events.into_iter());
    let said = difference.to_string();
    json!({
        "workflow": id,
        "version": version,
        "difference": difference,
        "missing": history.missing,
        "text": said,
    })
}
