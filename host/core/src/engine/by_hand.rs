//! What a person does with a run: ends its wait, takes it to the version in service,
//! or lets one that failed go on. Every rule of the run's file holds as before.

use super::enroll;
use super::tx::Follow;
use super::{Answer, Catalog, InService, Step, Tx, World, fan, groups, runs, steps};
use crate::model::{Enrollment, Parent, Run, RunId, RunStatus, Waiting, keys};
use crate::workflow::{Action, Definition};

fn refused(code: &'static str, text: impl Into<String>) -> Answer {
    Answer::Refused {
        code,
        text: text.into(),
    }
}

/// A run that is under way, or what to say where it is not.
pub(super) fn under_way(tx: &Tx<'_>, id: &RunId) -> Step<Result<Run, Answer>> {
    let Some(run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(Err(Answer::Unknown));
    };
    if run.status != RunStatus::Running {
        let text = format!("{id} has ended: {}", run.outcome.unwrap_or_default());
        return Ok(Err(refused("not_running", text)));
    }
    Ok(Ok(run))
}

/// Ends a run's wait, as if its time had come.
pub(super) fn wake(world: World<'_>, tx: &mut Tx<'_>, id: &RunId) -> Step<Answer> {
    let mut run = match under_way(tx, id)? {
        Ok(run) => run,
        Err(answer) => return Ok(answer),
    };
    let timer = match &run.waiting {
        Some(Waiting::Time { timer, .. } | Waiting::Retry { timer, .. }) => Some(timer.clone()),
        Some(Waiting::Event { timer, .. }) => timer.clone(),
        Some(Waiting::Text { .. }) => {
            let text = "it waits until its text is sent; `ringback why` says what holds that";
            return Ok(refused("not_waiting", text));
        }
        Some(Waiting::Approval { by, .. }) => {
            let text = format!("it waits until {by} approves its text; answer that");
            return Ok(refused("not_waiting", text));
        }
        Some(_) => {
            let text = "what it waits for comes from outside and ends by itself";
            return Ok(refused("not_waiting", text));
        }
        None => return Ok(refused("not_waiting", "it does not wait")),
    };
    let step = runs::step_at(world, &run).map(|step| step.id.clone());
    let sentence = "somebody ended the wait";
    runs::note(tx, &mut run, step.as_deref(), "woken", sentence)?;
    runs::put(tx, &run)?;
    match timer {
        Some(timer) => runs::wake(world, tx, id, &timer)?,
        None => runs::time_out(world, tx, &mut run)?,
    }
    Ok(Answer::Done)
}

/// Takes a run to the version in service, at the step where it stands.
pub(super) fn move_on(world: World<'_>, tx: &mut Tx<'_>, id: &RunId) -> Step<Answer> {
    let mut run = match under_way(tx, id)? {
        Ok(run) => run,
        Err(answer) => return Ok(answer),
    };
    let place = match place(world.workflows, &run) {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(Answer::Repeat),
        Err(text) => return Ok(refused("cannot_move", text)),
    };
    let to = place.to;
    let text = format!("from v{} to v{}", run.version, to.version);
    run.definition.clone_from(&to.workflow.hash);
    run.version = to.version;
    run.cursor = place.cursor;
    run.failed_at = None;
    for (inner, head) in run.loops.iter_mut().zip(place.heads) {
        inner.head = head;
    }
    // Steps that were not there when it came by count as not taken.
    steps::skip(&to.workflow.definition, &mut run, 0..place.cursor);
    let step = runs::step_at(world, &run).map(|step| step.id.clone());
    runs::note(tx, &mut run, step.as_deref(), "moved", &text)?;
    runs::put(tx, &run)?;
    runs::tell(tx, "run.moved", &run);
    Ok(Answer::Done)
}

/// Whether a run can be taken to the version in service: whether it is not there
/// already.
///
/// # Errors
/// Why it cannot, as a sentence without its full stop.
pub fn may_move(workflows: &Catalog, run: &Run) -> Result<bool, String> {
    place(workflows, run).map(|place| place.is_some())
}

/// Where a run stands in the version in service.
struct Place<'w> {
    to: &'w InService,
    cursor: usize,
    /// The steps of the loops it is in.
    heads: Vec<usize>,
}

fn place<'w>(workflows: &'w Catalog, run: &Run) -> Result<Option<Place<'w>>, String> {
    let to = workflows.in_service.get(&run.workflow);
    let to = to.ok_or_else(|| format!("no version of {} is in service", run.workflow))?;
    if to.workflow.hash == run.definition {
        return Ok(None);
    }
    let from = workflows.by_hash.get(&run.definition);
    let from = from.ok_or("its own version is not known any more")?;
    let (old, new) = (&from.definition, &to.workflow.definition);
    if fan::of(old, run).is_some() {
        return Err("it starts one run after another; those can be moved".to_owned());
    }
    let stands = old.steps.get(run.cursor);
    let parallel = stands.is_some_and(|step| matches!(step.action, Action::Parallel(_)));
    if run.parent.as_ref().is_some_and(Parent::is_branch) || parallel {
        return Err("it is in a `parallel`".to_owned());
    }
    if matches!(run.waiting, Some(Waiting::Work { .. })) {
        return Err("it is in the middle of its step, which ends soon".to_owned());
    }
    let cursor = same_step(old, new, run.cursor, to.version)?;
    if run.failing.is_some() != (cursor >= new.end()) {
        return Err("its step is in `on_failure` in one of the versions only".to_owned());
    }
    let heads = around(new, cursor);
    let names = heads.iter().filter_map(|head| new.steps.get(*head));
    let names = names.map(|step| match &step.action {
        Action::ForEach(each) => each.items.name.as_str(),
        _ => "",
    });
    // What it goes through is settled; the steps say only what is done with each.
    if !names.eq(run.loops.iter().map(|inner| inner.name.as_str())) {
        return Err("its step is not in a `for_each` of the same things".to_owned());
    }
    Ok(Some(Place { to, cursor, heads }))
}

/// Where a step of one version is in another: under the same id, with the same kind
/// of action; where the id is made from the place in the file, the same altogether.
fn same_step(
    old: &Definition,
    new: &Definition,
    place: usize,
    version: u32,
) -> Result<usize, String> {
    let step = old.steps.get(place).ok_or("it is at its end")?;
    let found = new.steps.iter().position(|one| one.id == step.id);
    let (at, there) = found
        .and_then(|at| Some((at, new.steps.get(at)?)))
        .ok_or_else(|| format!("there is no step {} in v{version}", step.id))?;
    let (one, two) = (step.action.word(), there.action.word());
    if one != two {
        return Err(format!("step {} is a `{two}` in v{version}", step.id));
    }
    let number = step.id.strip_prefix(&format!("{one}-"));
    let made = number.is_some_and(|number| number.parse::<u32>().is_ok());
    if made && step.action != there.action {
        return Err(format!(
            "step {} has no `id` of its own, and is another one in v{version}",
            step.id
        ));
    }
    Ok(at)
}

/// The `for_each` steps around a place, the outermost first.
fn around(definition: &Definition, place: usize) -> Vec<usize> {
    let heads = definition.steps.iter().enumerate().take(place);
    let around = heads.filter(|(head, step)| {
        matches!(step.action, Action::ForEach(_)) && definition.following(*head) > place
    });
    around.map(|(head, _)| head).collect()
}

/// Lets a run that failed go on: it takes the step that failed once more.
pub(super) fn retry(world: World<'_>, tx: &mut Tx<'_>, id: &RunId) -> Step<Answer> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(Answer::Unknown);
    };
    if run.status != RunStatus::Failed {
        let text = match run.status {
            RunStatus::Running => "it is under way".to_owned(),
            _ => format!("it has not failed: {}", run.outcome.unwrap_or_default()),
        };
        return Ok(refused("not_failed", text));
    }
    let Some(workflow) = world.workflows.by_hash.get(&run.definition) else {
        let text = "its version is not known any more";
        return Ok(refused("cannot_retry", text));
    };
    let definition = &workflow.definition;
    if fan::of(definition, &run).is_some() || run.parent.as_ref().is_some_and(Parent::is_branch) {
        let text = "it is a part of another run, or starts others: start that anew";
        return Ok(refused("cannot_retry", text));
    }
    let cursor = run.failed_at.unwrap_or(run.cursor);
    let lost = run.failed_at.is_some() && !around(definition, cursor).is_empty();
    if lost || cursor >= definition.end() {
        // The steps of `on_failure` were done, in no loop and for good.
        let text = "where it was when it failed is not kept";
        return Ok(refused("cannot_retry", text));
    }
    if let Some(answer) = take_place(world, tx, &run, definition)? {
        return Ok(answer);
    }
    run.cursor = cursor;
    run.tries = 0;
    run.rows_at = None;
    run.failing = None;
    run.failed_at = None;
    run.status = RunStatus::Running;
    run.outcome = None;
    run.finished_at = None;
    run.waiting = None;
    let step = runs::step_at(world, &run).map(|step| step.id.clone());
    let sentence = "somebody lets it go on";
    runs::note(tx, &mut run, step.as_deref(), "retried", sentence)?;
    runs::put(tx, &run)?;
    runs::tell(tx, "run.retried", &run);
    tx.follow(Follow::Advance(id.clone()));
    Ok(Answer::Done)
}

/// Gives a run back what it had among the others; or why it cannot have it.
fn take_place(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &Run,
    definition: &Definition,
) -> Step<Option<Answer>> {
    let key = keys::enrollment(&run.workflow, &run.key);
    if !run.key.is_empty() {
        let enrolled: Option<Enrollment> = tx.get(&key)?;
        if let Some(other) = enrolled.filter(|one| one.run != run.id) {
            let text = format!("{} began after it for the same contact", other.run);
            return Ok(Some(refused("superseded", text)));
        }
    }
    if let Some(name) = &run.group
        && !groups::is_free(tx, &run.workflow, name)?
    {
        let text = format!("another run of the group {name:?} is under way");
        return Ok(Some(refused("busy", text)));
    }
    if let Err(refusal) = enroll::list(tx, run.contact.as_ref(), &run.id, &run.workflow)? {
        return Ok(Some(refused(refusal.code, refusal.text)));
    }
    if let Some(name) = &run.group {
        groups::take(world, tx, definition, &groups::Place::of(name), &run.id)?;
    }
    if !run.key.is_empty() {
        let enrollment = Enrollment {
            run: run.id.clone(),
            at: tx.now,
            active: true,
        };
        tx.put(key, &enrollment)?;
    }
    Ok(None)
}
