//! Runs of one group, one at a time (`concurrency`): who is under way, and who waits
//! for their turn. What may start at all stands in [`super::enroll`].

use serde_json::Value as Json;

use super::enroll::{self, Cause, QUEUED, Refusal};
use super::tx::Follow;
use super::{Step, Tx, World, runs};
use crate::model::{Group, PhoneNumber, Run, RunId, RunStatus, keys};
use crate::workflow::{Definition, OnNew};

/// How many may wait in one group.
pub(super) const LONGEST_LINE: u64 = 100;

/// The place of a run that is about to start.
#[derive(Default)]
pub(super) struct Place {
    /// Its group; none where there is no limit.
    pub(super) name: Option<String>,
    /// The run whose place it takes.
    pub(super) ends: Option<RunId>,
}

impl Place {
    /// The free place of a group.
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ends: None,
        }
    }
}

/// Asks for a place: there is one, or what starts the run is put in line, or it does
/// not start.
pub(super) fn enter(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    cause: &Cause,
    contact: Option<&PhoneNumber>,
) -> Step<Result<Place, Refusal>> {
    let Some(concurrency) = &definition.concurrency else {
        return Ok(Ok(Place::default()));
    };
    let own = || contact.map_or(String::new(), |phone| phone.as_str().to_owned());
    let name = match &concurrency.group {
        None => own(),
        Some(value) => {
            let scope = enroll::cause_names(world, tx, definition, cause, contact)?.scope();
            match value.eval(&scope) {
                Ok(Json::String(text)) if !text.is_empty() => text,
                // Nothing there to tell them apart by.
                Ok(Json::Null | Json::String(_)) => own(),
                Ok(other) => other.to_string(),
                Err(error) => {
                    return Ok(Err(Refusal {
                        code: "concurrency_failed",
                        text: format!("`concurrency.group`: {error}"),
                    }));
                }
            }
        }
    };
    let key = keys::group(&definition.id, &name);
    let mut group: Group = tx.get(&key)?.unwrap_or_default();
    let active = active(tx, &group)?;
    if active.is_none() && group.waiting() == 0 {
        return Ok(Ok(Place::of(&name)));
    }
    let busy = match &active {
        Some(run) => format!("{run} of the group {name:?} is under way"),
        None => format!("others of the group {name:?} wait"),
    };
    let refused = |text| Ok(Err(Refusal { code: "busy", text }));
    // A step that calls waits for a run, and a run that led to it cannot make room.
    if cause.parent.is_some() && cause.item.is_none() {
        return refused(format!(
            "{busy}, and a called workflow does not wait in line"
        ));
    }
    match concurrency.on_new {
        OnNew::Drop => refused(busy),
        OnNew::Restart => Ok(Ok(Place {
            name: Some(name),
            ends: active,
        })),
        OnNew::Queue if group.waiting() >= LONGEST_LINE => {
            refused(format!("{busy}, and {LONGEST_LINE} wait already"))
        }
        OnNew::Queue => {
            tx.put(keys::in_line(&definition.id, &name, group.next), cause)?;
            group.name = name;
            group.next += 1;
            tx.put(key, &group)?;
            Ok(Err(Refusal {
                code: QUEUED,
                text: format!("{busy}; it is number {} in line", group.waiting()),
            }))
        }
    }
}

/// Whether nobody of a group is under way.
pub(super) fn is_free(tx: &Tx<'_>, workflow: &str, name: &str) -> Step<bool> {
    let group: Option<Group> = tx.get(&keys::group(workflow, name))?;
    Ok(match group {
        Some(group) => active(tx, &group)?.is_none(),
        None => true,
    })
}

fn active(tx: &Tx<'_>, group: &Group) -> Step<Option<RunId>> {
    let Some(id) = &group.active else {
        return Ok(None);
    };
    let run: Option<Run> = tx.get(&keys::run(id))?;
    Ok(run
        .filter(|run| run.status == RunStatus::Running)
        .map(|run| run.id))
}

/// Takes a place for a run that starts, and ends the one that had it.
pub(super) fn take(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    place: &Place,
    run: &RunId,
) -> Step<()> {
    let Some(name) = &place.name else {
        return Ok(());
    };
    if let Some(id) = &place.ends
        && let Some(mut ended) = tx.get::<Run>(&keys::run(id))?
        && ended.status == RunStatus::Running
    {
        runs::end_whole(world, tx, &mut ended, RunStatus::Cancelled, "restarted")?;
    }
    let key = keys::group(&definition.id, name);
    let mut group: Group = tx.get(&key)?.unwrap_or_default();
    group.name.clone_from(name);
    group.active = Some(run.clone());
    tx.put(key, &group)
}

/// A run ended: its place is free.
pub(super) fn run_ended(tx: &mut Tx<'_>, run: &Run) -> Step<()> {
    let Some(name) = &run.group else {
        return Ok(());
    };
    let key = keys::group(&run.workflow, name);
    let Some(mut group) = tx.get::<Group>(&key)? else {
        return Ok(());
    };
    if group.active.as_ref() != Some(&run.id) {
        return Ok(());
    }
    group.active = None;
    if group.waiting() == 0 {
        tx.delete(key);
        return Ok(());
    }
    tx.put(key, &group)?;
    tx.follow(Follow::Next(run.workflow.clone(), name.clone()));
    Ok(())
}

/// Starts who is next in line: those who may not start are told of and passed over.
pub(super) fn next(world: World<'_>, tx: &mut Tx<'_>, workflow: &str, name: &str) -> Step<()> {
    let key = keys::group(workflow, name);
    loop {
        let Some(mut group) = tx.get::<Group>(&key)? else {
            return Ok(());
        };
        if active(tx, &group)?.is_some() {
            return Ok(());
        }
        if group.waiting() == 0 {
            tx.delete(key);
            return Ok(());
        }
        let place = keys::in_line(workflow, name, group.first);
        group.first += 1;
        tx.put(key.clone(), &group)?;
        let cause: Option<Cause> = tx.get(&place)?;
        tx.delete(place);
        let Some(cause) = cause else {
            continue;
        };
        let Some(in_service) = world.workflows.in_service.get(workflow) else {
            let (workflow, text) = (workflow.to_owned(), "its file is gone");
            tx.tell("run.not_started", |entry| {
                entry.contact.clone_from(&cause.contact);
                entry.conversation.clone_from(&cause.conversation);
                entry.data = serde_json::json!({
                    "workflow": workflow, "code": "not_in_service", "reason": text,
                });
            });
            continue;
        };
        let started = enroll::start_in(world, tx, in_service, cause.clone(), Some(name))?;
        if let Err(refusal) = started {
            let definition = &in_service.workflow.definition;
            enroll::not_started(tx, definition, &cause, &refusal);
        }
    }
}
