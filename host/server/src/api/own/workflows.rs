//! Workflows: what the folder holds, what is in service, and starting one.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use ringback_core::engine::{Answer, Input, StartRequest, upcoming};
use ringback_core::model::{Head, keys, record};
use ringback_core::workflow::{Definition, Diagnostic, On};
use ringback_store::Direction;
use serde_json::{Value, json};

use super::super::fields::MaybeFields;
use super::super::page::Params;
use super::super::{ApiState, Error, Reader, Sender, idempotency};
use crate::runtime::{Host, clock};

/// The most workflows that are listed.
const MOST: usize = 1_000;
/// How many firings of a schedule are shown.
const FIRINGS: usize = 5;

fn problem(one: &Diagnostic) -> Value {
    json!({
        "severity": one.severity,
        "line": one.line,
        "column": one.column,
        "message": one.message,
        "help": one.help,
        "rendered": one.render(),
    })
}

fn triggers(definition: &Definition) -> Vec<&'static str> {
    definition
        .triggers
        .iter()
        .map(|one| one.on.word())
        .collect()
}

/// The schedules of a workflow with their next firings.
fn schedules(host: &Host, definition: &Definition) -> Vec<Value> {
    let zone = host.setup().business.zone.clone();
    let all = definition.triggers.iter().filter_map(|trigger| {
        let On::Schedule(schedule) = &trigger.on else {
            return None;
        };
        let next = upcoming(schedule, &zone, clock::now(), FIRINGS);
        let next = next.iter().map(|at| {
            json!({
                "at": at.timestamp(),
                "local": at.strftime("%a %Y-%m-%d %H:%M %Z").to_string(),
            })
        });
        Some(json!({ "cron": schedule.cron, "next": next.collect::<Vec<_>>() }))
    });
    all.collect()
}

/// `GET /api/v1/workflows`: every file, also those with errors, and workflows
/// that are known and have no file any more.
pub(super) async fn list(
    State(state): State<ApiState>,
    _: Reader,
    params: Params,
) -> Result<Json<Value>, Error> {
    // The whole list is one page.
    params.only(&[])?;
    let (from, to) = keys::table(b'w');
    let heads = state
        .host
        .store()
        .scan(&from, &to, MOST, Direction::Forward)
        .await?;
    let heads: Result<Vec<Head>, _> = heads
        .iter()
        .map(|(_, one)| record::decode(&one.value))
        .collect();
    let heads = heads?;
    let files = state.host.files();
    let mut data = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, file) in &files.by_path {
        let head = file
            .workflow
            .as_ref()
            .and_then(|id| heads.iter().find(|head| head.workflow == *id));
        seen.extend(file.workflow.as_deref());
        let problems = file.problems.iter().map(problem).collect();
        data.push(entry(
            &state.host,
            file.workflow.as_deref(),
            head,
            Some(path),
            problems,
        ));
    }
    for head in heads
        .iter()
        .filter(|head| !seen.contains(head.workflow.as_str()))
    {
        data.push(entry(
            &state.host,
            Some(&head.workflow),
            Some(head),
            None,
            Vec::new(),
        ));
    }
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

fn entry(
    host: &Host,
    id: Option<&str>,
    head: Option<&Head>,
    file: Option<&String>,
    problems: Vec<Value>,
) -> Value {
    let catalog = host.catalog();
    let serving = id.and_then(|id| catalog.in_service.get(id));
    let stored = head.and_then(|head| catalog.by_hash.get(&head.definition));
    let workflow = serving.map(|one| &one.workflow).or(stored);
    let definition = workflow.map(|workflow| &workflow.definition);
    json!({
        "id": id,
        "name": definition.map(|one| &one.name).or(file),
        "description": definition.and_then(|one| one.description.as_ref()),
        "version": serving.map(|one| one.version).or(head.map(|head| head.version)),
        "active": serving.is_some(),
        "file": file,
        "since": head.map(|head| head.since),
        "triggers": definition.map(triggers).unwrap_or_default(),
        "schedules": definition.map(|one| schedules(host, one)).unwrap_or_default(),
        "steps": definition.map_or(0, |one| one.steps.len()),
        "problems": problems,
    })
}

/// `POST /api/v1/workflows/{id}/runs {contact?, input?}`.
pub(super) async fn start(
    State(state): State<ApiState>,
    Sender(caller): Sender,
    Path(id): Path<String>,
    headers: HeaderMap,
    MaybeFields(fields): MaybeFields,
) -> Result<(StatusCode, Json<Value>), Error> {
    let missing = || Error::not_found(format!("there is no workflow {id:?} in service"));
    let catalog = state.host.catalog();
    let definition = &catalog
        .in_service
        .get(&id)
        .ok_or_else(missing)?
        .workflow
        .definition;
    let contact = fields.phone("contact")?;
    let given = fields.map("input")?.cloned().unwrap_or_default();
    fields.finish()?;
    let manual = definition
        .triggers
        .iter()
        .find_map(|trigger| match &trigger.on {
            On::Manual(manual) => Some(manual),
            _ => None,
        });
    let input = match manual {
        Some(manual) => manual
            .check(given)
            .map_err(|bad| Error::field(&bad.path, bad.code, bad.text))?,
        // The engine says why it cannot be started.
        None => given,
    };
    let route = format!("POST workflows/{id}/runs");
    let request = StartRequest {
        idempotency: idempotency::of(&headers, &caller, &route, fields.object())?,
        workflow: id.clone(),
        contact,
        input,
    };
    match state.host.take(&Input::Start(request)).await? {
        Answer::Runs(runs) => {
            let body = json!({ "data": { "id": runs.first() } });
            Ok((StatusCode::CREATED, Json(body)))
        }
        // It waits for its turn in its group.
        Answer::Queued | Answer::Repeat => {
            let body = json!({ "data": { "id": null, "queued": true } });
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        Answer::Unknown => Err(missing()),
        Answer::Conflict => Err(Error::reused_key()),
        Answer::Refused { code, text } => Err(Error::conflict(code, text)),
        other => Err(Error::internal(format!("a start led to {other:?}"))),
    }
}
