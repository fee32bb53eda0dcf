//! The steps of a run, one after another until it waits or ends, and what becomes
//! of a run whose step fails. What the larger actions do stands in the modules
//! below.

mod answers;
mod compose;
mod contact;
mod failing;
mod flow;
mod others;
mod outside;
mod texts;
mod things;
mod waits;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::scope::Names;
use super::work;
use super::{Step as Result, Tx, World, enroll, fan, runs};
use crate::model::{Conversation, Direction, Key, Once, Run, RunId, RunStatus, Waiting, keys};
use crate::planted::{Planted, planted};
use crate::workflow::expression::{Error, Scope, Value};
use crate::workflow::{Action, Definition, Set, Step};

pub(super) use failing::{May, fail_at};
pub(super) use flow::{leave, next_of, skip};
pub(super) use others::join;
pub(super) use things::things;

/// How many steps one run may take without waiting. A file has at most a thousand,
/// but a `for_each` takes its own again and again.
const STEPS_AT_ONCE: usize = 10_000;

/// Seconds that reading rows may take.
const ROWS: u64 = 60;

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
    /// Ended already, with all others of its contact.
    Gone,
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
    if let Some(items) = fan::of(definition, &run) {
        return fan::advance(world, tx, &mut run, workflow, items);
    }
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
        let mut once = None;
        let mut next = match before(tx, definition, &mut run, step, &scope)? {
            Before::Do(key) => {
                once = key;
                act(world, tx, definition, &mut run, step, &scope)?
            }
            Before::Skip => continue,
            Before::Fail(text) => Next::Fail(text),
            Before::Goal => {
                let outcome = "goal_reached";
                return runs::end_whole(world, tx, &mut run, RunStatus::Finished, outcome);
            }
        };
        let missing = scope.missing_rows();
        if matches!(next, Next::Fail(_)) && !missing.is_empty() {
            // The whole step is taken again when they are there.
            if let Some(key) = once {
                tx.delete(key);
            }
            next = match work::ask_rows(tx, &mut run, &step.id, ROWS, missing)? {
                Ok(waiting) => Next::Wait(waiting, "for rows from outside".to_owned()),
                Err(text) => Next::Fail(text),
            };
        }
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
                fail_at(world, tx, &mut run, &text, May::BeRetried)?;
                if run.status != RunStatus::Running {
                    return Ok(());
                }
                if run.waiting.is_some() {
                    return runs::put(tx, &run);
                }
            }
            Next::Gone => return Ok(()),
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
    /// Yes; and what says that it was done, where that is asked for.
    Do(Option<Key>),
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
            // What is not known of the contact yet is not what it is to be.
            Ok(false) | Err(Error::Undefined(_)) => {}
            Ok(true) => return Ok(Before::Goal),
            Err(error) => return Ok(Before::Fail(format!("`goal`: {error}"))),
        }
    }
    if run.tries > 0 {
        return Ok(Before::Do(None));
    }
    match step.condition.as_ref().map(|one| one.truthy(scope)) {
        None | Some(Ok(true)) => {}
        Some(Ok(false)) => {
            let text = "its condition is not true";
            runs::note(tx, run, Some(&step.id), "skipped", text)?;
            leave(definition, run, flow::skipped(step));
            return Ok(Before::Skip);
        }
        Some(Err(error)) => return Ok(Before::Fail(format!("`if`: {error}"))),
    }
    let Some(once) = &step.once else {
        return Ok(Before::Do(None));
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
        leave(definition, run, flow::skipped(step));
        return Ok(Before::Skip);
    }
    let done = Once {
        run: run.id.clone(),
        at: tx.now,
    };
    tx.put(key.clone(), &done)?;
    Ok(Before::Do(Some(key)))
}

/// What the expressions of a run see now: with the agent that its step names, since it
/// is that one who texts there.
pub(super) fn scope(
    world: World<'_>,
    tx: &Tx<'_>,
    definition: &Definition,
    run: &Run,
) -> Result<Scope> {
    // A step that waited for rows asks with the moment that it asked with before.
    let now = run.rows_at.unwrap_or(tx.now);
    let mut names = Names::new(world.setup, now).run(run, enroll::constants(definition));
    let step = definition.steps.get(run.cursor);
    let named = step.and_then(|step| step.action.agent());
    let agent = named.or(run.agent.as_deref());
    if let Some(agent) = agent.and_then(|id| world.setup.agents.get(id)) {
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
    let mut scope = names.things(run).scope();
    scope.set_rows(tx.rows(&run.id).unwrap_or_default());
    Ok(scope)
}

/// A number that is another one each time a run comes to a step again, and the
/// same for every try at it.
pub(super) fn turn(run: &Run) -> String {
    let places: Vec<String> = run.loops.iter().map(|one| one.at.to_string()).collect();
    match places.is_empty() {
        true => "0".to_owned(),
        false => places.join("."),
    }
}

/// What a step wanted done outside is done.
pub(super) fn done(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    result: &Json,
) -> Result<()> {
    let own = match &step.action {
        Action::Compose(compose) => {
            return compose::written(world, tx, run, step, compose, result);
        }
        Action::Classify(classify) => answers::label(classify, result),
        Action::Extract(extract) => answers::facts(extract, result),
        Action::Notify(_) => Ok(json!({})),
        _ => Ok(result.clone()),
    };
    match own {
        Ok(own) => {
            runs::note(tx, run, Some(&step.id), "done", &said(step, &own))?;
            let result = work::result(tx, run, &own);
            runs::pass(world, tx, run, result)
        }
        // A model may answer better when it is asked again.
        Err(text) => runs::fail(world, tx, run, &text),
    }
}

/// What came of a work, in a few words. What it said at length stands in the result.
fn said(step: &Step, own: &Json) -> String {
    match (&step.action, own.get("status"), own.get("label")) {
        (Action::Http(_), Some(status), _) => format!("answered {status}"),
        (Action::Classify(_), _, Some(Json::String(label))) => format!("it is {label:?}"),
        (Action::Extract(_), ..) => "the model has read it".to_owned(),
        (Action::Notify(_), ..) => "the program was told".to_owned(),
        _ => "done".to_owned(),
    }
}

/// The same for a run whose definition has to be looked up.
fn scope_of(world: World<'_>, tx: &Tx<'_>, run: &Run) -> Result<Scope> {
    match world.workflows.by_hash.get(&run.definition) {
        Some(workflow) => scope(world, tx, &workflow.definition, run),
        None => scope(world, tx, &Definition::default(), run),
    }
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
        Action::Wait(wait) => waits::wait(world, tx, definition, run, wait, scope),
        Action::WaitFor(wait) => waits::wait_for(tx, run, wait),
        Action::Handoff(handoff) => texts::hand_over(world, tx, run, step, handoff, scope),
        Action::Http(http) => outside::http(tx, run, step, http, scope),
        Action::Uses(uses) => outside::uses(tx, run, step, uses, scope),
        Action::Notify(notify) => outside::notify(world, tx, run, step, notify, scope),
        Action::Classify(classify) => outside::classify(tx, run, step, classify, scope),
        Action::Extract(extract) => outside::extract(tx, run, step, extract, scope),
        Action::Compose(compose) => compose::begin(world, tx, run, step, compose, scope),
        Action::Call(call) => outside::call(world, tx, run, step, call, scope),
        Action::Switch(switch) => flow::switch(tx, definition, run, step, switch, scope),
        Action::Split(split) => flow::split(tx, run, step, split),
        Action::ForEach(each) => Ok(things::for_each(definition, run, each, scope)),
        Action::Parallel(parallel) => others::parallel(tx, run, step, parallel),
        Action::CallWorkflow(call) => others::call(world, tx, run, step, call, scope),
        Action::Lead(lead) => contact::lead(tx, run, step, lead, scope),
        Action::Release => contact::release(tx, run, step),
        Action::OptOut(one) => contact::opt_out(world, tx, run, step, one, scope),
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
