//! Steps that wait for other runs: branches, and called workflows.
//!
//! A branch of a `parallel` is a run of its own that ends before the step that it
//! was told, so that it waits, is woken and answered like any other.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::super::enroll::{self, Cause};
use super::super::tx::Follow;
use super::super::{Step as Result, Tx, World, runs};
use super::Next;
use crate::model::{Key, Parent, Run, RunId, RunStatus, Task, Waiting, keys};
use crate::workflow::expression::Scope;
use crate::workflow::{Action, CallWorkflow, On, Parallel, Step, UntilWhen};

/// Each branch becomes a run that knows what its parent knows.
pub(super) fn parallel(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    parallel: &Parallel,
) -> Result<Next> {
    let mut branches = Vec::with_capacity(parallel.branches.len());
    for (first, end) in &parallel.branches {
        let branch = Run {
            id: tx.ids.run(),
            parent: Some(Parent {
                run: run.id.clone(),
                until: Some(*end),
            }),
            key: String::new(),
            cursor: *first,
            tries: 0,
            waiting: None,
            early: None,
            notes: 0,
            started_at: tx.now,
            updated_at: tx.now,
            ..run.clone()
        };
        let listed = enroll::list(tx, run.contact.as_ref(), &branch.id, &run.workflow)?;
        if let Err(refusal) = listed {
            return Ok(Next::Fail(refusal.text));
        }
        branches.push(branch);
    }
    let ids: Vec<RunId> = branches.iter().map(|branch| branch.id.clone()).collect();
    for mut branch in branches {
        let text = format!("a branch of {}", run.id);
        runs::note(tx, &mut branch, None, "started", &text)?;
        runs::put(tx, &branch)?;
        tx.follow(Follow::Advance(branch.id));
    }
    let timer = limit(tx, run, step)?;
    let names: Vec<&str> = ids.iter().map(RunId::as_str).collect();
    let text = format!("for its branches: {}", names.join(", "));
    Ok(Next::Wait(Waiting::Runs { runs: ids, timer }, text))
}

/// The timer after which a step is given up.
pub(super) fn limit(tx: &mut Tx<'_>, run: &Run, step: &Step) -> Result<Option<Key>> {
    let Some(seconds) = step.timeout else {
        return Ok(None);
    };
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let due = tx.now.checked_add(span).unwrap_or(Timestamp::MAX);
    let task = Task::Wake {
        run: run.id.clone(),
    };
    tx.set_timer(due, task).map(Some)
}

pub(super) fn call(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    call: &CallWorkflow,
    scope: &Scope,
) -> Result<Next> {
    let mut input = Map::new();
    for (name, value) in &call.with {
        match value.eval(scope) {
            Ok(value) => input.insert(name.clone(), value),
            Err(error) => return Ok(Next::Fail(format!("`with.{name}`: {error}"))),
        };
    }
    let named = world.workflows.in_service.values().find(|one| {
        let definition = &one.workflow.definition;
        definition.id == call.name || definition.name == call.name
    });
    let Some(called) = named else {
        return Ok(Next::Fail(format!(
            "no workflow {:?} is in service",
            call.name
        )));
    };
    let definition = &called.workflow.definition;
    let manual = definition.triggers.iter().find_map(|one| match &one.on {
        On::Manual(manual) => Some(manual),
        _ => None,
    });
    let Some(manual) = manual else {
        return Ok(Next::Fail(format!(
            "{:?} has no `manual` trigger, so it cannot be called",
            call.name
        )));
    };
    let input = match manual.check(input) {
        Ok(input) => input,
        Err(bad) => return Ok(Next::Fail(bad.text)),
    };
    let cause = Cause {
        event: json!({
            "type": "manual",
            "input": input,
            "contact": run.contact,
            "by": { "workflow": run.workflow, "run": run.id },
            "at": tx.now,
        })
        .into(),
        contact: run.contact.clone(),
        agent: run.agent.clone(),
        number: run.number.clone(),
        conversation: run.conversation.clone(),
        call: run.call.clone(),
        item: None,
        parent: Some((run.id.clone(), run.depth)),
        by: None,
    };
    // Starting it changes the contact, whose record this run is in, too.
    let started = match enroll::start(world, tx, called, cause)? {
        Ok(started) => started,
        Err(refusal) => return Ok(Next::Fail(refusal.text)),
    };
    let text = format!("{} as {started}", definition.name);
    runs::note(tx, run, Some(&step.id), "called", &text)?;
    if call.wait == UntilWhen::None {
        return Ok(Next::Go(json!({ "ok": true, "run": started })));
    }
    let timer = limit(tx, run, step)?;
    let waiting = Waiting::Runs {
        runs: vec![started],
        timer,
    };
    Ok(Next::Wait(
        waiting,
        format!("for {} to end", definition.name),
    ))
}

/// A run that another one may be waiting for has ended.
pub(in super::super) fn join(world: World<'_>, tx: &mut Tx<'_>, id: &RunId) -> Result<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    let Some(Waiting::Runs { runs: awaited, .. }) = run.waiting.clone() else {
        return Ok(());
    };
    tx.expect(awaited.iter().map(keys::run));
    let mut others = Vec::with_capacity(awaited.len());
    for id in &awaited {
        others.extend(tx.get::<Run>(&keys::run(id))?);
    }
    let Some(step) = runs::step_at(world, &run).cloned() else {
        return Ok(());
    };
    if let Action::Parallel(parallel) = &step.action {
        return join_branches(world, tx, run, &others, parallel);
    }
    let Some(called) = others.into_iter().next() else {
        return runs::fail(world, tx, &mut run, "the run that it waited for is gone");
    };
    let outcome = called.outcome.unwrap_or_default();
    match called.status {
        RunStatus::Running => Ok(()),
        RunStatus::Failed => {
            let text = format!("{} failed: {outcome}", called.workflow);
            runs::fail(world, tx, &mut run, &text)
        }
        status => {
            let text = format!("{} has ended: {outcome}", called.workflow);
            runs::note(tx, &mut run, Some(&step.id), "woke", &text)?;
            let result = json!({
                "ok": status == RunStatus::Finished,
                "at": tx.now,
                "run": called.id,
                "outcome": outcome,
                "vars": called.vars,
            });
            runs::pass(world, tx, &mut run, result)
        }
    }
}

/// All branches must have come to their end; one that fails takes the others along.
fn join_branches(
    world: World<'_>,
    tx: &mut Tx<'_>,
    mut run: Run,
    branches: &[Run],
    parallel: &Parallel,
) -> Result<()> {
    let ended_badly = branches
        .iter()
        .find(|one| matches!(one.status, RunStatus::Failed | RunStatus::Cancelled));
    if let Some(bad) = ended_badly {
        let ids: Vec<RunId> = branches.iter().map(|one| one.id.clone()).collect();
        runs::cancel_branches(world, tx, &ids, "another branch failed")?;
        let text = match (&bad.status, bad.outcome.as_deref()) {
            (RunStatus::Cancelled, _) => "a branch was cancelled".to_owned(),
            (_, outcome) => outcome.unwrap_or_default().to_owned(),
        };
        return runs::fail(world, tx, &mut run, &text);
    }
    if branches.iter().any(|one| one.status == RunStatus::Running) {
        return Ok(());
    }
    let definition = world.workflows.by_hash.get(&run.definition);
    let steps = definition.map_or(&[][..], |one| one.definition.steps.as_slice());
    let before = run.vars.clone();
    for (branch, (first, end)) in branches.iter().zip(&parallel.branches) {
        for step in steps.get(*first..*end).unwrap_or_default() {
            if let Some(result) = branch.results.get(&step.id) {
                run.results.insert(step.id.clone(), Arc::clone(result));
            }
        }
        for (name, value) in &branch.vars {
            if before.get(name) != Some(value) {
                run.vars.insert(name.clone(), value.clone());
            }
        }
        if run.conversation.is_none() {
            run.conversation.clone_from(&branch.conversation);
        }
    }
    let result = json!({ "ok": true, "at": tx.now });
    runs::pass(world, tx, &mut run, result)
}
