//! A workflow with a `for_each` at its top: one run finds the things, in their order
//! and up to the limit, keeps them, and starts a run for each of them, some in every
//! step, so that no commit grows with their number.

use std::sync::Arc;

use serde_json::Value as Json;

use super::enroll::{self, Cause};
use super::work;
use super::{Step as Result, Tx, World, campaigns, runs, steps};
use crate::model::{Fan, Run, RunStatus, Task, Waiting, keys};
use crate::workflow::{Definition, Items, Workflow};

/// How many runs are started in one step.
const SLICE: usize = 25;
/// The most things: more is a mistake, and all of them are kept until their turn.
const MOST: usize = 100_000;
/// Seconds that reading rows may take.
const ROWS: u64 = 120;
/// What works of this run are named after, in place of a step.
const STEP: &str = "for_each";

/// The things of a run that starts others, if it is one.
pub(super) fn of<'d>(definition: &'d Definition, run: &Run) -> Option<&'d Items> {
    definition.for_each.as_ref().filter(|_| run.item.is_none())
}

/// Whether a run is one that starts others.
pub(super) fn is_fan(world: World<'_>, run: &Run) -> bool {
    let workflow = world.workflows.by_hash.get(&run.definition);
    workflow.is_some_and(|one| of(&one.definition, run).is_some())
}

/// Goes on with a run that starts others.
pub(super) fn advance(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    workflow: &Arc<Workflow>,
    items: &Items,
) -> Result<()> {
    match run.fan {
        None => find(world, tx, run, &workflow.definition, items),
        Some(fan) => start_some(world, tx, run, workflow, items, fan),
    }
}

/// Finds the things, and keeps them.
fn find(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    definition: &Definition,
    items: &Items,
) -> Result<()> {
    let scope = steps::scope(world, tx, definition, run)?;
    let things = match steps::things(items, &scope) {
        Ok(things) => things,
        Err(text) => {
            let missing = scope.missing_rows();
            if missing.is_empty() {
                let text = format!("for_each: {text}");
                return runs::end(world, tx, run, RunStatus::Failed, &text);
            }
            let waiting = match work::ask_rows(tx, run, STEP, ROWS, missing)? {
                Ok(waiting) => waiting,
                Err(text) => {
                    let text = format!("for_each: {text}");
                    return runs::end(world, tx, run, RunStatus::Failed, &text);
                }
            };
            runs::note(tx, run, None, "waits", "for rows from outside")?;
            run.waiting = Some(waiting);
            return runs::put(tx, run);
        }
    };
    run.rows_at = None;
    if things.len() > MOST {
        let text = format!(
            "for_each: there are {} things, and {MOST} are the most; set a limit",
            things.len()
        );
        return runs::end(world, tx, run, RunStatus::Failed, &text);
    }
    let text = match things.len() {
        0 => "nothing to do".to_owned(),
        1 => "1 thing".to_owned(),
        count => format!("{count} things"),
    };
    runs::note(tx, run, None, "found", &text)?;
    let slices = things.chunks(SLICE);
    let count = u32::try_from(slices.len()).unwrap_or(u32::MAX);
    for (number, slice) in (0..).zip(slices) {
        tx.put(keys::things(&run.id, number), &slice.to_vec())?;
    }
    run.fan = Some(Fan {
        slices: count,
        next: 0,
        things: u32::try_from(things.len()).unwrap_or(u32::MAX),
        started: 0,
    });
    pause_or_end(world, tx, run, definition)
}

/// Starts the runs of the next slice.
fn start_some(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    workflow: &Arc<Workflow>,
    items: &Items,
    mut fan: Fan,
) -> Result<()> {
    if campaigns::fan_waits(tx, run, &workflow.definition)? {
        return Ok(());
    }
    let key = keys::things(&run.id, fan.next);
    let things: Vec<Json> = tx.get(&key)?.unwrap_or_default();
    let in_service = super::InService {
        workflow: Arc::clone(workflow),
        version: run.version,
    };
    for thing in things {
        let cause = Cause {
            event: Arc::clone(&run.event),
            agent: run.agent.clone(),
            item: Some((items.name.clone(), Arc::new(thing))),
            parent: Some((run.id.clone(), run.depth)),
            ..Cause::default()
        };
        match enroll::start(world, tx, &in_service, cause.clone())? {
            Ok(_) => fan.started += 1,
            Err(refusal) => {
                enroll::not_started(tx, &workflow.definition, &cause, &refusal);
            }
        }
    }
    tx.delete(key);
    fan.next += 1;
    run.fan = Some(fan);
    pause_or_end(world, tx, run, &workflow.definition)
}

/// Comes back at once in a step of its own, or ends.
fn pause_or_end(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    definition: &Definition,
) -> Result<()> {
    let Some(fan) = run.fan else {
        return Ok(());
    };
    if fan.next >= fan.slices {
        let outcome = format!("started {} of {}", fan.started, fan.things);
        return runs::end(world, tx, run, RunStatus::Finished, &outcome);
    }
    let until = campaigns::next_slice(tx.now, definition);
    let task = Task::Wake {
        run: run.id.clone(),
    };
    let timer = tx.set_timer(until, task)?;
    run.waiting = Some(Waiting::Time { until, timer });
    runs::put(tx, run)
}

/// Forgets the things whose turn did not come.
pub(super) fn forget(tx: &mut Tx<'_>, run: &Run) {
    if let Some(fan) = run.fan {
        for number in fan.next..fan.slices {
            tx.delete(keys::things(&run.id, number));
        }
    }
}
