//! Steps that wait: for a time, and for something to happen.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;

use super::super::scope::zone_of;
use super::super::{Step as Result, Tx, World};
use super::{Next, failed, time};
use crate::model::{Run, Task, Waiting};
use crate::planted::{Planted, planted};
use crate::schedule::first_instant;
use crate::workflow::expression::Scope;
use crate::workflow::{DayWindow, Definition, TimeOfDay, Wait, WaitFor, WindowZone};

/// `at` looks for a time of day this much before the days are quite over.
const AT_LEEWAY: SignedDuration = SignedDuration::from_hours(4);

pub(super) fn wait(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &Run,
    wait: &Wait,
    scope: &Scope,
) -> Result<Next> {
    let zone = match (
        definition.window.as_ref().map(|one| &one.zone),
        &run.contact,
    ) {
        (Some(WindowZone::Named(name)), _) => name.clone(),
        (Some(WindowZone::Business), _) | (_, None) => world.setup.business.zone.clone(),
        (_, Some(phone)) => zone_of(&tx.contact(phone)?, world.setup),
    };
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    let span = SignedDuration::from_secs(i64::try_from(wait.seconds).unwrap_or(i64::MAX));
    let mut due = match &wait.until {
        Some(until) => match time(until, scope) {
            Ok(until) => until,
            Err(text) => return Ok(failed(format!("`until`: {text}"))),
        },
        None => tx.now.checked_add(span).unwrap_or(Timestamp::MAX),
    };
    if let Some(at) = wait.at {
        let earliest = if wait.seconds == 0 {
            due
        } else {
            (due - AT_LEEWAY).max(tx.now)
        };
        due = next_time_of_day(earliest, at, &zone).unwrap_or(due);
    }
    if let Some(window) = wait.window {
        due = into_window(due, window, &zone);
    }
    if due <= tx.now {
        return Ok(Next::Go(json!({ "ok": true, "at": tx.now })));
    }
    let timer = tx.set_timer(
        due,
        Task::Wake {
            run: run.id.clone(),
        },
    )?;
    let text = format!(
        "until {}",
        due.to_zoned(zone).strftime("%a %d %b %Y %H:%M:%S %Z")
    );
    Ok(Next::Wait(Waiting::Time { until: due, timer }, text))
}

fn clock(at: TimeOfDay) -> Time {
    Time::new(at.hour, at.minute, 0, 0).unwrap_or(Time::midnight())
}

/// The first instant from `earliest` on whose wall clock in the zone shows `at`.
/// A time that a clock change skips becomes the first valid one after it.
fn next_time_of_day(earliest: Timestamp, at: TimeOfDay, zone: &TimeZone) -> Option<Timestamp> {
    let today = zone.to_datetime(earliest).date();
    (0..3).find_map(|days| {
        let date = today.checked_add(days.days()).ok()?;
        let instant = first_instant(DateTime::from_parts(date, clock(at)), zone)?;
        (instant >= earliest).then_some(instant)
    })
}

/// `due` itself inside the window, else the window's next start.
fn into_window(due: Timestamp, window: DayWindow, zone: &TimeZone) -> Timestamp {
    let time = zone.to_datetime(due).time();
    if clock(window.from) <= time && time < clock(window.to) {
        return due;
    }
    next_time_of_day(due, window.from, zone).unwrap_or(due)
}

pub(super) fn wait_for(tx: &mut Tx<'_>, run: &mut Run, wait: &WaitFor) -> Result<Next> {
    if let Some(answer) = run.early.take() {
        return Ok(Next::Go(answer));
    }
    let until = wait.timeout.map(|seconds| {
        let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        tx.now.checked_add(span).unwrap_or(Timestamp::MAX)
    });
    let timer = match until {
        Some(_) if planted(Planted::NoTimer) => None,
        Some(due) => Some(tx.set_timer(
            due,
            Task::Wake {
                run: run.id.clone(),
            },
        )?),
        None => None,
    };
    let text = match until {
        Some(due) => format!("for an answer, until {due:.0}"),
        None => "for an answer".to_owned(),
    };
    Ok(Next::Wait(Waiting::Event { until, timer }, text))
}
