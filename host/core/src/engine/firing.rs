//! Schedules that are due: which firings that means, and the runs they start.
//!
//! A firing's durable name is its instant under the workflow and trigger: the
//! timer of the next firing and the record of where the schedule stands change
//! in the batch that starts the run, so no firing happens twice.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::enroll::Cause;
use super::schedule::{arm, next, rule, zone};
use super::{InService, Step, Tx, World, enroll};
use crate::model::{Key, Run, RunStatus, Tick, keys};
use crate::planted::{Planted, planted};
use crate::schedule::Cron;
use crate::workflow::{Missed, On, Overlap, Schedule};

/// A firing that is later than this was missed.
const GRACE: SignedDuration = SignedDuration::from_mins(1);
/// The most missed firings that `all` makes up for.
const MOST_MISSED: usize = 100;
/// How far back missed firings are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 31);

/// A schedule's timer is due.
pub(super) fn tick(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &str,
    number: usize,
    timer: &Key,
    due: Timestamp,
) -> Step<()> {
    let key = keys::tick(id, number);
    let Some(mut tick) = tx.get::<Tick>(&key)? else {
        return Ok(());
    };
    if tick.timer != *timer {
        return Ok(());
    }
    let in_service = world.workflows.in_service.get(id);
    let trigger = in_service.and_then(|one| one.workflow.definition.triggers.get(number));
    let (Some(in_service), Some(On::Schedule(schedule))) = (in_service, trigger.map(|t| &t.on))
    else {
        tx.delete(key);
        return Ok(());
    };
    let firings = due_firings(world, tx, schedule, due);
    let late = tx.now.duration_since(due) > GRACE || firings.len() > 1;
    let one_by_one = schedule.missed == Missed::All && schedule.overlap != Overlap::Allow;
    for at in firings {
        if late && one_by_one {
            owe(&mut tick, at);
        } else {
            fire(world, tx, in_service, number, schedule, &mut tick, at)?;
        }
    }
    pay(world, tx, in_service, number, &mut tick)?;
    let after = if planted(Planted::FireTwice) {
        due - SignedDuration::from_secs(1)
    } else {
        tx.now
    };
    match next(world, schedule, after) {
        Some(firing) => {
            tick.rule = rule(world, schedule);
            tick.next = firing.at;
            tick.fired = Some(tx.now);
            tick.timer = arm(tx, id, number, firing.at)?;
            tx.put(key, &tick)
        }
        None => {
            tx.delete(key);
            Ok(())
        }
    }
}

/// Which firings a due timer stands for: itself, and those after it that passed
/// while the host was down.
fn due_firings(
    world: World<'_>,
    tx: &mut Tx<'_>,
    schedule: &Schedule,
    due: Timestamp,
) -> Vec<Timestamp> {
    if tx.now.duration_since(due) <= GRACE && schedule.missed != Missed::All {
        return vec![due];
    }
    let Ok(cron) = Cron::parse(&schedule.cron) else {
        return Vec::new();
    };
    let from = due.max(tx.now.checked_sub(LOOK_BACK).unwrap_or(due));
    let missed = cron.missed(from, tx.now, &zone(world, schedule), MOST_MISSED);
    let later: Vec<Timestamp> = missed.firings.iter().map(|firing| firing.at).collect();
    let on_time = later
        .last()
        .copied()
        .filter(|at| tx.now.duration_since(*at) <= GRACE);
    let all = std::iter::once(due).chain(later);
    match schedule.missed {
        Missed::Skip => on_time.into_iter().collect(),
        Missed::RunOnce => all.last().into_iter().collect(),
        Missed::All => {
            let mut all: Vec<Timestamp> = all.collect();
            let surplus = all.len().saturating_sub(MOST_MISSED);
            all.drain(..surplus);
            all
        }
    }
}

/// Starts the run of one firing, unless the one before is still under way.
fn fire(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    number: usize,
    schedule: &Schedule,
    tick: &mut Tick,
    at: Timestamp,
) -> Step<()> {
    let id = &in_service.workflow.definition.id;
    if is_active(tx, tick)? && schedule.overlap != Overlap::Allow {
        tick.queued |= schedule.overlap == Overlap::Queue;
        let queued = tick.queued;
        let run = tick.run.clone();
        tx.tell("schedule.skipped", |entry| {
            entry.run = run;
            entry.data = json!({ "workflow": id, "at": at, "queued": queued });
        });
        return Ok(());
    }
    tick.queued = false;
    start(world, tx, in_service, number, tick, at)
}

/// Whether the run of the last firing is under way.
fn is_active(tx: &Tx<'_>, tick: &Tick) -> Step<bool> {
    Ok(match &tick.run {
        None => false,
        Some(run) => tx
            .get::<Run>(&keys::run(run))?
            .is_some_and(|run| run.status == RunStatus::Running),
    })
}

/// Notes a missed firing that is to be made up for when its turn comes. `missed:
/// all` says that each of them counts, and a rule about overlaps that each has to
/// wait for the one before; both hold when they follow one another.
fn owe(tick: &mut Tick, at: Timestamp) {
    if tick.owed.len() >= MOST_MISSED {
        tick.owed.remove(0);
    }
    tick.owed.push(at);
}

/// Starts the next firing that is owed, unless one is under way.
fn pay(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    number: usize,
    tick: &mut Tick,
) -> Step<()> {
    while !tick.owed.is_empty() && !is_active(tx, tick)? {
        let at = tick.owed.remove(0);
        start(world, tx, in_service, number, tick, at)?;
    }
    Ok(())
}

fn start(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    number: usize,
    tick: &mut Tick,
    at: Timestamp,
) -> Step<()> {
    let definition = &in_service.workflow.definition;
    let event = json!({ "type": "schedule", "trigger": number, "at": at });
    let agent = world
        .setup
        .agent_or_only(None)
        .map(|agent| agent.id.clone());
    let cause = Cause {
        event: event.into(),
        agent,
        ..Cause::default()
    };
    if let Some(trigger) = definition.triggers.get(number)
        && !enroll::holds(world, tx, definition, trigger, &cause)?
    {
        return Ok(());
    }
    match enroll::start(world, tx, in_service, cause.clone())? {
        Ok(run) => tick.run = Some(run),
        Err(refusal) => enroll::not_started(tx, definition, &cause, &refusal),
    }
    Ok(())
}

/// A run ended: a firing that waited for it starts now.
pub(super) fn run_ended(world: World<'_>, tx: &mut Tx<'_>, run: &Run) -> Step<()> {
    if run.event.get("type").and_then(Json::as_str) != Some("schedule") {
        return Ok(());
    }
    let number = run.event.get("trigger").and_then(Json::as_u64).unwrap_or(0);
    let number = usize::try_from(number).unwrap_or(0);
    let key = keys::tick(&run.workflow, number);
    let Some(mut tick) = tx.get::<Tick>(&key)? else {
        return Ok(());
    };
    let waits = tick.queued || !tick.owed.is_empty();
    if !waits || tick.run.as_ref() != Some(&run.id) {
        return Ok(());
    }
    let Some(in_service) = world.workflows.in_service.get(&run.workflow) else {
        return Ok(());
    };
    pay(world, tx, in_service, number, &mut tick)?;
    if tick.queued && !is_active(tx, &tick)? {
        tick.queued = false;
        let now = tx.now;
        start(world, tx, in_service, number, &mut tick, now)?;
    }
    tx.put(key, &tick)
}
