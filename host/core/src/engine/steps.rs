//! The steps of a run, one after another until it waits or ends, and what becomes
//! of a run whose step fails. What the larger actions do stands in the modules
//! below.

mod flow;
mod others;
mod texts;
mod things;
mod waits;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::scope::Names;
use super::{Step as Result, Tx, World, enroll, runs};
use crate::model::{Conversation, Direction, Once, Run, RunId, RunStatus, Task, Waiting, keys};
use crate::planted::{Planted, planted};
use crate::workflow::expression::{Scope, Value};
use crate::workflow::{Action, Backoff, Definition, OnError, Retry, Set, Step};

pub(super) use flow::{leave, next_of};
pub(super) use others::join;

/// How many steps one run may take without waiting. A file has at most a thousand,
/// but a `for_each` takes its own again and again.
const STEPS_AT_ONCE: usize = 10_000;

/// Where a step leaves its run.
enum Next {
    /// Behind it, with this result.
    Go(Json),
    /// At another step, with this result.
    At(usize, Json),
    /// Waiting for this.
    Wait(Waiting, String),
    /// It failed.
    Fail(String),
    /// At its end.
    End(String),
}

/// Takes the steps of a run until it waits or ends.
pub(super) fn advance(world: World<'_>, tx: &mut Tx<'_>, id: &RunId) -> Result<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    if run.status != RunStatus::Running || run.waiting.is_some() {
        return Ok(());
    }
    let meant = match world.workflows.in_service.get(&run.workflow) {
        Some(one) if planted(Planted::NewDefinition) => &one.workflow.hash,
        _ => &run.definition,
    };
    let Some(workflow) = world.workflows.by_hash.get(meant) else {
        let text = format!("its definition {} is not in the store", run.definition);
        return runs::end(world, tx, &mut run, RunStatus::Failed, &text);
    };
    let definition = &workflow.definition;
    for _ in 0..STEPS_AT_ONCE {
        let Some(step) = flow::step_at(definition, &run) else {
            return arrived(world, tx, &mut run);
        };
        match &step.action {
            Action::Jump { to } => {
                run.cursor = *to;
                continue;
            }
            Action::Next { to } => {
                things::next_thing(definition, &mut run, *to);
                continue;
            }
            _ => {}
        }
        let scope = scope(world, tx, definition, &run)?;
        let next = match before(tx, definition, &mut run, step, &scope)? {
            Before::Do => act(world, tx, definition, &mut run, step, &scope)?,
            Before::Skip => continue,
            Before::Fail(text) => Next::Fail(text),
            Before::Goal => {
                let outcome = "goal_reached";
                return runs::end_whole(world, tx, &mut run, RunStatus::Finished, outcome);
            }
        };
        match next {
            Next::Go(result) => leave(definition, &mut run, result),
            Next::At(place, result) => flow::enter(definition, &mut run, place, result),
            Next::Wait(waiting, text) => {
                run.waiting = Some(waiting);
                runs::note(tx, &mut run, Some(&step.id), "waits", &text)?;
                runs::tell(tx, "run.waits", &run);
                return runs::put(tx, &run);
            }
            Next::Fail(text) => {
                fail_at(world, tx, &mut run, &text)?;
                if run.status != RunStatus::Running {
                    return Ok(());
                }
                if run.waiting.is_some() {
                    return runs::put(tx, &run);
                }
            }
            Next::End(outcome) => {
                return runs::end_whole(world, tx, &mut run, RunStatus::Finished, &outcome);
            }
        }
    }
    let text = "too many steps without a wait";
    runs::end(world, tx, &mut run, RunStatus::Failed, text)
}

/// A run has taken its last step.
fn arrived(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run) -> Result<()> {
    match run.failing.take() {
        Some(text) => runs::end(world, tx, run, RunStatus::Failed, &text),
        None => runs::end(world, tx, run, RunStatus::Finished, "finished"),
    }
}

/// Whether a step is to be taken.
enum Before {
    Do,
    /// The run has gone past it.
    Skip,
    Fail(String),
    /// The run has reached what it is for.
    Goal,
}

/// Asks the goal of the file, and the `if` and `once` of the step. What is tried
/// again was asked before.
fn before(
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &mut Run,
    step: &Step,
    scope: &Scope,
) -> Result<Before> {
    if let Some(goal) = definition.goal.as_ref().filter(|_| run.failing.is_none()) {
        match goal.truthy(scope) {
            Ok(false) => {}
            Ok(true) => return Ok(Before::Goal),
            Err(error) => return Ok(Before::Fail(format!("`goal`: {error}"))),
        }
    }
    if run.tries > 0 {
        return Ok(Before::Do);
    }
    match step.condition.as_ref().map(|one| one.truthy(scope)) {
        None | Some(Ok(true)) => {}
        Some(Ok(false)) => {
            let text = "its condition is not true";
            runs::note(tx, run, Some(&step.id), "skipped", text)?;
            leave(definition, run, flow::skipped());
            return Ok(Before::Skip);
        }
        Some(Err(error)) => return Ok(Before::Fail(format!("`if`: {error}"))),
    }
    let Some(once) = &step.once else {
        return Ok(Before::Do);
    };
    let name = match once.eval(scope) {
        Ok(Json::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => return Ok(Before::Fail(format!("`once`: {error}"))),
    };
    let key = keys::once(&run.workflow, &name);
    if let Some(earlier) = tx.get::<Once>(&key)? {
        let text = format!("it was done for {name:?} by {}", earlier.run);
        runs::note(tx, run, Some(&step.id), "skipped", &text)?;
        leave(definition, run, flow::skipped());
        return Ok(Before::Skip);
    }
    let done = Once {
        run: run.id.clone(),
        at: tx.now,
    };
    tx.put(key, &done)?;
    Ok(Before::Do)
}

/// What becomes of a run whose step at the cursor failed. Afterwards it has ended,
/// or waits for another try, or stands at the step that it goes on with.
pub(super) fn fail_at(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run, text: &str) -> Result<()> {
    let Some(workflow) = world.workflows.by_hash.get(&run.definition) else {
        return runs::end(world, tx, run, RunStatus::Failed, text);
    };
    let definition = &workflow.definition;
    let Some(step) = definition.steps.get(run.cursor) else {
        return runs::end(world, tx, run, RunStatus::Failed, text);
    };
    let whole = format!("step {}: {text}", step.id);
    run.tries = run.tries.saturating_add(1);
    if let Some(retry) = step.retry.filter(|retry| run.tries <= retry.max) {
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
    let result = json!({
        "ok": false, "error": text, "at": tx.now, "attempts": run.tries, "timed_out": false,
    });
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

/// What the expressions of a run see now.
fn scope(world: World<'_>, tx: &Tx<'_>, definition: &Definition, run: &Run) -> Result<Scope> {
    let mut names = Names::new(world.setup, tx.now).run(run, enroll::constants(definition));
    if let Some(agent) = run.agent.as_ref().and_then(|id| world.setup.agents.get(id)) {
        names = names.agent(agent);
    }
    if let Some(phone) = &run.contact {
        names = names.contact(&tx.contact(phone)?);
    }
    if let Some(id) = &run.conversation
        && let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))?
    {
        names = names.conversation(&conversation);
    }
    Ok(names.things(run).scope())
}

fn failed(text: impl std::fmt::Display) -> Next {
    Next::Fail(text.to_string())
}

fn act(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &mut Run,
    step: &Step,
    scope: &Scope,
) -> Result<Next> {
    match &step.action {
        Action::Send(send) => texts::send(world, tx, definition, run, step, send, scope),
        Action::Wait(wait) => waits::wait(world, tx, run, wait, scope),
        Action::WaitFor(wait) => waits::wait_for(tx, run, wait),
        Action::Handoff(handoff) => texts::hand_over(world, tx, run, step, handoff, scope),
        Action::Switch(switch) => flow::switch(tx, definition, run, step, switch, scope),
        Action::Split(split) => flow::split(tx, run, step, split),
        Action::ForEach(each) => Ok(things::for_each(definition, run, each, scope)),
        Action::Parallel(parallel) => others::parallel(tx, run, step, parallel),
        Action::CallWorkflow(call) => others::call(world, tx, run, step, call, scope),
        Action::Set(set) => Ok(self::set(run, set, scope)),
        Action::Log(log) => match log.message.render(scope) {
            Ok(line) => {
                runs::note(tx, run, Some(&step.id), "log", &line)?;
                Ok(Next::Go(json!({ "ok": true, "message": line })))
            }
            Err(error) => Ok(failed(error)),
        },
        Action::Stop(stop) => Ok(
            match stop.reason.as_ref().map(|reason| reason.eval(scope)) {
                None => Next::End("stopped".to_owned()),
                Some(Ok(Json::String(reason))) => Next::End(reason),
                Some(Ok(other)) => Next::End(other.to_string()),
                Some(Err(error)) => failed(error),
            },
        ),
        Action::Jump { to } | Action::Next { to } => Ok(Next::At(*to, Json::Null)),
    }
}

fn no_agent(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("there is no agent {id:?}"),
        None => "there is more than one agent; name one".to_owned(),
    }
}

fn time(value: &Value, scope: &Scope) -> std::result::Result<Timestamp, String> {
    match value.eval(scope) {
        Ok(Json::String(text)) => text.parse().map_err(|_| format!("{text:?} is not a time")),
        Ok(other) => Err(format!("{other} is not a time")),
        Err(error) => Err(error.to_string()),
    }
}

fn set(run: &mut Run, set: &Set, scope: &Scope) -> Next {
    for (name, value) in &set.values {
        match value.eval(scope) {
            Ok(value) => {
                run.vars.insert(name.clone(), value);
            }
            Err(error) => return failed(error),
        }
    }
    Next::Go(json!({ "ok": true }))
}

/// Which way an event of the workflow language goes.
pub(super) fn same_direction(
    wanted: Option<crate::workflow::Direction>,
    actual: Direction,
) -> bool {
    match wanted {
        None => true,
        Some(crate::workflow::Direction::Inbound) => actual == Direction::Inbound,
        Some(crate::workflow::Direction::Outbound) => actual == Direction::Outbound,
    }
}
