//! What becomes of a run whose step fails: another try, something in its place, the
//! way that its file says, or its end.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::{Step as Result, Tx, World, runs};
use super::{compose, flow, leave};
use crate::model::{Run, RunStatus, Task, Waiting};
use crate::workflow::{Action, Backoff, OnError, Retry};

/// What may be done about a failure, beside what the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum May {
    /// The step may be tried again, when its file says so.
    BeRetried,
    /// Another try would fail as well; something else may stand in for it.
    BeReplaced,
    /// Neither.
    Nothing,
}

/// What becomes of a run whose step at the cursor failed. Afterwards it has ended,
/// or waits for another try, or stands at the step that it goes on with.
pub(in super::super) fn fail_at(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    text: &str,
    may: May,
) -> Result<()> {
    let Some(workflow) = world.workflows.by_hash.get(&run.definition) else {
        return runs::end(world, tx, run, RunStatus::Failed, text);
    };
    let definition = &workflow.definition;
    let Some(step) = definition.steps.get(run.cursor) else {
        return runs::end(world, tx, run, RunStatus::Failed, text);
    };
    let whole = format!("step {}: {text}", step.id);
    run.tries = run.tries.saturating_add(1);
    run.rows_at = None;
    if let Some(retry) = step
        .retry
        .filter(|retry| may == May::BeRetried && run.tries <= retry.max)
    {
        let until = tx
            .now
            .checked_add(pause(retry, run.tries))
            .unwrap_or(Timestamp::MAX);
        let task = Task::Wake {
            run: run.id.clone(),
        };
        let timer = tx.set_timer(until, task)?;
        run.waiting = Some(Waiting::Retry { until, timer });
        let sentence = format!("{text}; it is tried again at {until:.0}");
        return runs::note(tx, run, Some(&step.id), "not_done", &sentence);
    }
    if let Action::Compose(compose) = &step.action
        && may != May::Nothing
        && compose::replaced(world, tx, run, step, compose, text)?
    {
        return Ok(());
    }
    let result = json!({
        "ok": false, "error": text, "at": tx.now, "attempts": run.tries, "timed_out": false,
    });
    let result = flow::nothing(step, result);
    match step.on_error.unwrap_or(OnError::Fail) {
        OnError::Continue => {
            let sentence = format!("{text}; the run goes on, as `on_error` says");
            runs::note(tx, run, Some(&step.id), "not_done", &sentence)?;
            leave(definition, run, result);
            Ok(())
        }
        OnError::Steps(place) => {
            runs::note(tx, run, Some(&step.id), "not_done", text)?;
            flow::enter(definition, run, place, result);
            Ok(())
        }
        OnError::Fail => match (&run.failing, definition.on_failure) {
            (None, Some(place)) if !flow::is_branch(run) => {
                runs::note(tx, run, Some(&step.id), "not_done", text)?;
                run.results.insert(step.id.clone(), Arc::new(result));
                run.loops.clear();
                flow::skip(definition, run, 0..place);
                run.failing = Some(whole);
                run.failed_at = Some(run.cursor);
                run.cursor = place;
                run.tries = 0;
                Ok(())
            }
            (Some(first), _) => {
                let both = format!("{first}; then {whole}");
                runs::end(world, tx, run, RunStatus::Failed, &both)
            }
            (None, _) => runs::end(world, tx, run, RunStatus::Failed, &whole),
        },
    }
}

/// The pause before the n-th try after the first.
fn pause(retry: Retry, number: u32) -> SignedDuration {
    let doublings = match retry.backoff {
        Backoff::Fixed => 0,
        Backoff::Exponential => number.saturating_sub(1).min(40),
    };
    let seconds = retry.from.saturating_mul(1_u64 << doublings);
    let seconds = seconds.min(retry.up_to.max(retry.from)).max(1);
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}
