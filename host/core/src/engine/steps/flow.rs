//! Where a run goes on: the layout of its steps, and ways that part and meet again.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::{Step as Result, Tx, runs};
use super::{Next, failed};
use crate::model::{Parent, Run, keys};
use crate::workflow::expression::Scope;
use crate::workflow::{Action, Definition, Split, Step, Switch};

/// The step that a run takes next; none at its end.
pub(super) fn step_at<'d>(definition: &'d Definition, run: &Run) -> Option<&'d Step> {
    let end = match (&run.failing, &run.parent) {
        (Some(_), _) => definition.steps.len(),
        (
            None,
            Some(Parent {
                until: Some(end), ..
            }),
        ) => *end,
        (None, _) => definition.end(),
    };
    let place = (run.cursor < end).then_some(run.cursor)?;
    definition.steps.get(place)
}

/// The step that follows one when it is done, as far as that is certain.
pub(in super::super) fn next_of(definition: &Definition, place: usize) -> Option<&Step> {
    let mut place = definition.following(place);
    loop {
        let step = definition.steps.get(place)?;
        match &step.action {
            // Jumps go forward only.
            Action::Jump { to } if *to > place => place = *to,
            Action::Jump { .. } | Action::Next { .. } => return None,
            _ => return Some(step),
        }
    }
}

/// Whether a run is a branch of another.
pub(super) fn is_branch(run: &Run) -> bool {
    run.parent.as_ref().is_some_and(Parent::is_branch)
}

/// The result of a step that was not taken: all that it might have said is null, so
/// that later conditions can ask.
pub(super) fn skipped(step: &Step) -> Json {
    nothing(
        step,
        json!({ "skipped": true, "timed_out": false, "ok": false }),
    )
}

/// A result with null for what the step might have said.
pub(super) fn nothing(step: &Step, mut result: Json) -> Json {
    if let Some(result) = result.as_object_mut() {
        for field in step.action.result_fields() {
            result.entry(field).or_insert(Json::Null);
        }
    }
    result
}

/// Gives steps without a result that of one that was not taken.
pub(in super::super) fn skip(definition: &Definition, run: &mut Run, places: Range<usize>) {
    for step in definition.steps.get(places).unwrap_or_default() {
        if !step.id.is_empty() && !run.results.contains_key(&step.id) {
            run.results.insert(step.id.clone(), Arc::new(skipped(step)));
        }
    }
}

/// Goes past the step at the cursor and what it holds, with its result.
pub(in super::super) fn leave(definition: &Definition, run: &mut Run, result: Json) {
    let place = run.cursor;
    enter(definition, run, definition.following(place), result);
}

/// Goes on at a later step, with the result of the one at the cursor: whatever it is
/// of, conditions may ask whether it was taken and came in time.
pub(super) fn enter(definition: &Definition, run: &mut Run, place: usize, mut result: Json) {
    if let Some(result) = result.as_object_mut() {
        for (field, value) in [("skipped", json!(false)), ("timed_out", json!(false))] {
            result.entry(field).or_insert(value);
        }
        result.entry("error").or_insert(Json::Null);
    }
    if let Some(step) = definition.steps.get(run.cursor) {
        run.results.insert(step.id.clone(), Arc::new(result));
    }
    skip(definition, run, run.cursor.saturating_add(1)..place);
    run.cursor = place;
    run.tries = 0;
    run.rows_at = None;
}

pub(super) fn switch(
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &mut Run,
    step: &Step,
    switch: &Switch,
    scope: &Scope,
) -> Result<Next> {
    let value = match switch.on.eval(scope) {
        Ok(Json::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => return Ok(failed(error)),
    };
    let case = switch.cases.iter().find(|(case, _)| *case == value);
    let (name, place) = match (case, switch.otherwise) {
        (Some((case, place)), _) => (Some(case.as_str()), Some(*place)),
        (None, Some(place)) => (Some("else"), Some(place)),
        (None, None) => (None, None),
    };
    let text = match name {
        Some(name) => format!("{value:?} goes the way {name:?}"),
        None => format!("{value:?} has no way of its own"),
    };
    runs::note(tx, run, Some(&step.id), "chose", &text)?;
    let result = json!({ "ok": true, "value": value, "case": name });
    let Some(place) = place else {
        return Ok(Next::Go(result));
    };
    // Those behind it are marked now, too: it leaves with a jump.
    let after = definition.following(run.cursor);
    skip(definition, run, switch.end_of(place)..after);
    Ok(Next::At(place, result))
}

pub(super) fn split(tx: &mut Tx<'_>, run: &mut Run, step: &Step, split: &Split) -> Result<Next> {
    let key = run
        .contact
        .as_ref()
        .map(|phone| keys::arm(&run.workflow, &step.id, phone));
    let known: Option<String> = match &key {
        Some(key) => tx.get(key)?,
        None => None,
    };
    let known = known.filter(|known| split.arms.iter().any(|(arm, _)| arm == known));
    let arm = match known {
        Some(known) => known,
        None => {
            let arm = draw(split, tx.ids.fraction());
            if let Some(key) = key {
                tx.put(key, &arm)?;
            }
            arm
        }
    };
    let text = format!("goes the way {arm:?}");
    runs::note(tx, run, Some(&step.id), "chose", &text)?;
    Ok(Next::Go(json!({ "ok": true, "is": arm })))
}

/// One of the arms, by a number between 0 and 1.
fn draw(split: &Split, fraction: f64) -> String {
    let all: f64 = split
        .arms
        .iter()
        .map(|(_, weight)| f64::from(*weight))
        .sum();
    let mut rest = fraction * all;
    for (arm, weight) in &split.arms {
        rest -= f64::from(*weight);
        if rest < 0.0 {
            return arm.clone();
        }
    }
    // A fraction of exactly 1: the last that can be drawn.
    let last = split.arms.iter().rev().find(|(_, weight)| *weight > 0);
    last.map(|(arm, _)| arm.clone()).unwrap_or_default()
}
