//! Workflows coming into and going out of service, with their schedules. What a
//! schedule does when it is due stands in [`super::firing`].

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::json;

use super::{Answer, Step, Tx, World, campaigns};
use crate::model::{Head, Key, StoredDefinition, Task, Tick, keys};
use crate::schedule::{Cron, Firing};
use crate::workflow::{Definition, On, Schedule, Workflow};

/// How far ahead of now a schedule may have fired for that to count.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// A workflow's file was loaded: its definition is stored before any run can
/// start with it, and its schedules are set.
pub(super) fn define(world: World<'_>, tx: &mut Tx<'_>, workflow: &Arc<Workflow>) -> Step<Answer> {
    let definition = &workflow.definition;
    let key = keys::workflow(&definition.id);
    let before: Option<Head> = tx.get(&key)?;
    let same = before
        .as_ref()
        .filter(|head| head.definition == workflow.hash);
    let version = match (&before, same) {
        (_, Some(head)) => head.version,
        (Some(head), None) => head.version.saturating_add(1),
        (None, None) => 1,
    };
    let stored = keys::definition(&workflow.hash);
    if tx.get::<StoredDefinition>(&stored)?.is_none() {
        let record = StoredDefinition {
            definition: definition.clone(),
            source: workflow.source.clone(),
            created_at: tx.now,
        };
        tx.put(stored, &record)?;
    }
    campaigns::defined(tx, definition)?;
    let fired = before.as_ref().and_then(|head| head.fired);
    let dropped = set_schedules(world, tx, definition, fired)?;
    if same.is_none_or(|head| !head.active) {
        let head = Head {
            workflow: definition.id.clone(),
            definition: workflow.hash.clone(),
            version,
            active: true,
            since: tx.now,
            fired: fired.max(dropped),
        };
        tx.put(key, &head)?;
        let id = definition.id.clone();
        tx.tell("workflow.defined", |entry| {
            entry.data = json!({ "workflow": id, "version": version });
        });
    }
    Ok(Answer::Version {
        now: version,
        before: before.map(|head| head.version),
    })
}

/// A workflow's file is gone: no new runs; running ones go on, or not.
pub(super) fn undefine(world: World<'_>, tx: &mut Tx<'_>, id: &str) -> Step<Answer> {
    let key = keys::workflow(id);
    let Some(mut head) = tx.get::<Head>(&key)? else {
        return Ok(Answer::Unknown);
    };
    head.active = false;
    if let Some(workflow) = world.workflows.by_hash.get(&head.definition) {
        for trigger in 0..workflow.definition.triggers.len() {
            head.fired = head.fired.max(stop_schedule(tx, id, trigger)?);
        }
    }
    tx.put(key, &head)?;
    tx.tell("workflow.removed", |entry| {
        entry.data = json!({ "workflow": id })
    });
    Ok(Answer::Version {
        now: head.version,
        before: None,
    })
}

/// Stops a schedule, and says up to when it had fired.
fn stop_schedule(tx: &mut Tx<'_>, id: &str, trigger: usize) -> Step<Option<Timestamp>> {
    let key = keys::tick(id, trigger);
    let Some(tick) = tx.get::<Tick>(&key)? else {
        return Ok(None);
    };
    tx.drop_timer(Some(tick.timer));
    tx.delete(key);
    Ok(tick.fired)
}

/// From when firings are looked for: now, or where a clock jumped back the time up
/// to which they happened. A clock that was wrong by more than `AHEAD` and was set
/// right does not silence a schedule until that time comes.
fn not_before(now: Timestamp, fired: Option<Timestamp>) -> Timestamp {
    match fired {
        Some(fired) if fired.duration_since(now) <= AHEAD => now.max(fired),
        _ => now,
    }
}

/// Sets the timers of a definition's schedules. One whose rule did not change
/// keeps its timer, so that an edit elsewhere in the file moves nothing. Says up to
/// when those that are stopped had fired.
fn set_schedules(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    fired: Option<Timestamp>,
) -> Step<Option<Timestamp>> {
    let mut dropped = None;
    let before = world.workflows.in_service.get(&definition.id);
    let triggers_before = before.map_or(0, |one| one.workflow.definition.triggers.len());
    for number in definition.triggers.len()..triggers_before {
        dropped = dropped.max(stop_schedule(tx, &definition.id, number)?);
    }
    for (number, trigger) in definition.triggers.iter().enumerate() {
        let key = keys::tick(&definition.id, number);
        let On::Schedule(schedule) = &trigger.on else {
            dropped = dropped.max(stop_schedule(tx, &definition.id, number)?);
            continue;
        };
        let rule = rule(world, schedule);
        let stored: Option<Tick> = tx.get(&key)?;
        if stored.as_ref().is_some_and(|tick| tick.rule == rule) {
            continue;
        }
        let (run, queued, owed, mine) = match stored {
            Some(tick) => {
                tx.drop_timer(Some(tick.timer));
                (tick.run, tick.queued, tick.owed, tick.fired)
            }
            None => (None, false, Vec::new(), None),
        };
        let fired = fired.max(mine);
        // An edit never fires the past: the next firing is counted from now.
        let Some(firing) = next(world, schedule, not_before(tx.now, fired)) else {
            continue;
        };
        let timer = arm(tx, &definition.id, number, firing.at)?;
        let tick = Tick {
            rule,
            next: firing.at,
            timer,
            run,
            queued,
            owed,
            fired,
        };
        tx.put(key, &tick)?;
    }
    Ok(dropped)
}

pub(super) fn arm(tx: &mut Tx<'_>, workflow: &str, trigger: usize, at: Timestamp) -> Step<Key> {
    tx.set_timer(
        at,
        Task::Tick {
            workflow: workflow.to_owned(),
            trigger,
        },
    )
}

/// The text and zone that a schedule's firings are computed with.
pub(super) fn rule(world: World<'_>, schedule: &Schedule) -> String {
    let zone = schedule
        .zone
        .as_deref()
        .unwrap_or(&world.setup.business.zone);
    format!("{} in {zone}", schedule.cron)
}

pub(super) fn zone(world: World<'_>, schedule: &Schedule) -> TimeZone {
    let name = schedule
        .zone
        .as_deref()
        .unwrap_or(&world.setup.business.zone);
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The next firing after a time.
pub(super) fn next(world: World<'_>, schedule: &Schedule, after: Timestamp) -> Option<Firing> {
    Cron::parse(&schedule.cron)
        .ok()?
        .next_after(after, &zone(world, schedule))
}

/// The next firings of a schedule after a time, on its own clock; an unknown zone is
/// UTC, as for the firings themselves.
pub fn upcoming(
    schedule: &Schedule,
    business_zone: &str,
    after: Timestamp,
    count: usize,
) -> Vec<Zoned> {
    let name = schedule.zone.as_deref().unwrap_or(business_zone);
    let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
    let Ok(cron) = Cron::parse(&schedule.cron) else {
        return Vec::new();
    };
    let firings = std::iter::successors(cron.next_after(after, &zone), |last| {
        cron.next_after(last.at, &zone)
    });
    firings
        .take(count)
        .map(|firing| firing.at.to_zoned(zone.clone()))
        .collect()
}
