//! Runs under way: their timeline, waking, answers, ending. How one starts stands
//! in [`super::enroll`], what its steps do in [`super::steps`].

use serde_json::{Value as Json, json};

use super::steps::May;
use super::tx::Follow;
use super::{Answer, Step, Tx, World, approvals, by_hand, fan, firing, groups, steps, texts, work};
use crate::model::{
    Enrollment, Key, Message, MessageId, Note, Parent, PhoneNumber, Run, RunId, RunStatus, Status,
    Waiting, keys,
};
use crate::workflow::{Action, CancelOn, WaitFor};

/// Stores a run.
pub(super) fn put(tx: &mut Tx<'_>, run: &Run) -> Step<()> {
    tx.put(keys::run(&run.id), run)
}

/// Adds an entry to a run's timeline; the caller stores the run.
pub(super) fn note(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: Option<&str>,
    what: &str,
    text: &str,
) -> Step<()> {
    let note = Note {
        at: tx.now,
        step: step.map(str::to_owned),
        what: what.to_owned(),
        text: text.to_owned(),
    };
    tx.note(&run.id, run.notes, note);
    run.notes += 1;
    run.updated_at = tx.now;
    Ok(())
}

/// Puts a change of a run into the feed.
pub(super) fn tell(tx: &mut Tx<'_>, kind: &str, run: &Run) {
    tx.tell(kind, |entry| {
        entry.contact = run.contact.clone();
        entry.conversation = run.conversation.clone();
        entry.run = Some(run.id.clone());
        entry.data = json!({
            "workflow": run.workflow, "version": run.version, "outcome": run.outcome,
        });
    });
}

/// The step a run stands at.
pub(super) fn step_at<'a>(world: World<'a>, run: &Run) -> Option<&'a crate::workflow::Step> {
    world
        .workflows
        .by_hash
        .get(&run.definition)?
        .definition
        .steps
        .get(run.cursor)
}

/// The wait a run stands at, when it waits for an event.
pub(super) fn awaited<'a>(world: World<'a>, run: &Run) -> Option<&'a WaitFor> {
    if !matches!(run.waiting, Some(Waiting::Event { .. })) {
        return None;
    }
    match &step_at(world, run)?.action {
        Action::WaitFor(wait) => Some(wait),
        _ => None,
    }
}

/// The wait that follows the text a run is sending, when that text may have
/// reached the contact already: an answer can be faster than the provider's own.
pub(super) fn awaited_next<'a>(
    world: World<'a>,
    tx: &Tx<'_>,
    run: &Run,
) -> Step<Option<&'a WaitFor>> {
    let Some(Waiting::Text { message }) = &run.waiting else {
        return Ok(None);
    };
    let definition = world.workflows.by_hash.get(&run.definition);
    let next = definition.and_then(|one| steps::next_of(&one.definition, run.cursor));
    let Some(crate::workflow::Step {
        condition: None,
        action: Action::WaitFor(wait),
        ..
    }) = next
    else {
        return Ok(None);
    };
    let text: Option<Message> = tx.get(&keys::message(message))?;
    let out = text.is_some_and(|text| {
        matches!(text.status, Status::Sending | Status::Unknown) && run.early.is_none()
    });
    Ok(out.then_some(wait))
}

/// Lets a run go on past the step it stands at, with that step's result.
pub(super) fn pass(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run, result: Json) -> Step<()> {
    stop_waiting(tx, run);
    if let Some(workflow) = world.workflows.by_hash.get(&run.definition) {
        steps::leave(&workflow.definition, run, result);
    }
    put(tx, run)?;
    tx.follow(Follow::Advance(run.id.clone()));
    Ok(())
}

/// The step that a run waits at has failed: it is tried again, or the run goes the
/// way that its file says.
pub(super) fn fail(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run, text: &str) -> Step<()> {
    fail_for(world, tx, run, text, May::BeRetried)
}

/// The same, and what may be done about it.
pub(super) fn fail_for(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    text: &str,
    may: May,
) -> Step<()> {
    stop_waiting(tx, run);
    steps::fail_at(world, tx, run, text, may)?;
    if run.status == RunStatus::Running {
        put(tx, run)?;
        tx.follow(Follow::Advance(run.id.clone()));
    }
    Ok(())
}

/// Lets a run take the step that it waits at once more.
pub(super) fn again(tx: &mut Tx<'_>, run: &mut Run) -> Step<()> {
    stop_waiting(tx, run);
    put(tx, run)?;
    tx.follow(Follow::Advance(run.id.clone()));
    Ok(())
}

/// Drops what would wake a run.
pub(super) fn stop_waiting(tx: &mut Tx<'_>, run: &mut Run) {
    match run.waiting.take() {
        Some(Waiting::Time { timer, .. } | Waiting::Retry { timer, .. }) => {
            tx.drop_timer(Some(timer));
        }
        Some(Waiting::Work { timer, .. }) => {
            tx.drop_timer(Some(timer));
            tx.delete(keys::work_in_flight(&run.id));
        }
        Some(
            Waiting::Event { timer, .. }
            | Waiting::Runs { timer, .. }
            | Waiting::Call { timer, .. },
        ) => tx.drop_timer(timer),
        Some(Waiting::Text { .. } | Waiting::Approval { .. }) | None => {}
    }
}

/// A run's timer is due.
pub(super) fn wake(world: World<'_>, tx: &mut Tx<'_>, id: &RunId, key: &Key) -> Step<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    let step = step_at(world, &run).map(|step| step.id.clone());
    match &run.waiting {
        Some(Waiting::Time { timer, .. }) if timer == key && fan::is_fan(world, &run) => {
            again(tx, &mut run)
        }
        Some(Waiting::Time { timer, .. }) if timer == key => {
            note(tx, &mut run, step.as_deref(), "woke", "the wait is over")?;
            let result = json!({ "ok": true, "at": tx.now });
            pass(world, tx, &mut run, result)
        }
        Some(Waiting::Event {
            timer: Some(timer), ..
        }) if timer == key => time_out(world, tx, &mut run),
        Some(Waiting::Retry { timer, .. }) if timer == key => {
            note(tx, &mut run, step.as_deref(), "woke", "it is tried again")?;
            again(tx, &mut run)
        }
        Some(Waiting::Work { timer, .. }) if timer == key => {
            work::lost(world, tx, id, "nothing was heard of it in time")?;
            Ok(())
        }
        Some(Waiting::Call {
            timer: Some(timer), ..
        }) if timer == key => fail(world, tx, &mut run, "the call took too long"),
        Some(Waiting::Runs {
            timer: Some(timer),
            runs,
        }) if timer == key => {
            let runs = runs.clone();
            cancel_branches(world, tx, &runs, "timed_out")?;
            fail(world, tx, &mut run, "it took too long")
        }
        _ => Ok(()),
    }
}

/// What a run waits for has not come in its time.
pub(super) fn time_out(world: World<'_>, tx: &mut Tx<'_>, run: &mut Run) -> Step<()> {
    let step = step_at(world, run).map(|step| step.id.clone());
    let sentence = "nothing came in time";
    note(tx, run, step.as_deref(), "timed_out", sentence)?;
    let result = json!({ "ok": true, "timed_out": true, "at": tx.now });
    pass(world, tx, run, result)
}

/// A text that a run waits for is settled.
pub(super) fn resume(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &RunId,
    message: &MessageId,
) -> Step<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    let for_it = matches!(
        &run.waiting,
        Some(Waiting::Text { message: one } | Waiting::Approval { message: one, .. })
            if one == message
    );
    if !for_it {
        return Ok(());
    }
    let Some(text) = tx.get::<Message>(&keys::message(message))? else {
        return Ok(());
    };
    let ok = text.status.handed_over();
    let reason = text.problem.as_ref().map(|problem| problem.text.clone());
    let sentence = match (&text.status, &reason) {
        (status, _) if ok => format!("{} took it ({})", text.connection, status.word()),
        (status, Some(reason)) => format!("{}: {reason}", status.word()),
        (status, None) => status.word().to_owned(),
    };
    let step = step_at(world, &run).map(|step| step.id.clone());
    let what = match text.status {
        Status::Skipped | Status::Expired => "skipped",
        _ if ok => "sent",
        // Nobody knows, so the timeline must not say that it was not.
        Status::NeedsReview => "unknown",
        _ => "not_sent",
    };
    note(tx, &mut run, step.as_deref(), what, &sentence)?;
    // A text that fails is a result like any other, unless the file says what then.
    if text.status == Status::Failed
        && step_at(world, &run).is_some_and(|step| step.on_error.is_some())
    {
        return fail(world, tx, &mut run, &sentence);
    }
    if let Some(problem) = approvals::failure(&text) {
        return fail_for(world, tx, &mut run, &problem, May::Nothing);
    }
    let mut result = json!({
        "ok": ok,
        "error": reason.filter(|_| !ok),
        "at": tx.now,
        "attempts": text.attempts.len(),
        "message": super::scope::message_value(&text),
        "status": text.status.word(),
        "deferred": text.verdicts.iter().any(|verdict| verdict.verdict == "deferred"),
        "reason": text.reason,
        "segments": text.segments,
    });
    approvals::add_to(&mut result, &text);
    pass(world, tx, &mut run, result)
}

/// Ends a run.
pub(super) fn end(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    status: RunStatus,
    outcome: &str,
) -> Step<()> {
    match &run.waiting {
        Some(Waiting::Text { message } | Waiting::Approval { message, .. }) => {
            texts::call_off(tx, &message.clone(), outcome)?;
        }
        Some(Waiting::Runs { runs, .. }) => {
            let runs = runs.clone();
            cancel_branches(world, tx, &runs, outcome)?;
        }
        _ => {}
    }
    stop_waiting(tx, run);
    fan::forget(tx, run);
    run.status = status;
    run.outcome = Some(outcome.to_owned());
    run.finished_at = Some(tx.now);
    let what = match status {
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Finished | RunStatus::Running => "finished",
    };
    note(tx, run, None, what, outcome)?;
    put(tx, run)?;
    tell(tx, &format!("run.{what}"), run);
    if let Some(phone) = &run.contact {
        let mut contact = tx.contact(phone)?;
        contact.runs.retain(|one| one.run != run.id);
        tx.put_contact(&contact)?;
    }
    if !run.key.is_empty() {
        let key = keys::enrollment(&run.workflow, &run.key);
        if let Some(mut enrollment) = tx.get::<Enrollment>(&key)?
            && enrollment.run == run.id
        {
            enrollment.active = false;
            tx.put(key, &enrollment)?;
        }
    }
    if let Some(parent) = &run.parent {
        tx.follow(Follow::Join(parent.run.clone()));
    }
    groups::run_ended(tx, run)?;
    firing::run_ended(world, tx, run)
}

/// Ends a run, and where it is a branch the run that it is a part of.
pub(super) fn end_whole(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    status: RunStatus,
    outcome: &str,
) -> Step<()> {
    if let Some(Parent {
        run: above,
        until: Some(_),
    }) = &run.parent
        && let Some(mut above) = tx.get::<Run>(&keys::run(above))?
        && above.status == RunStatus::Running
    {
        put(tx, run)?;
        return end_whole(world, tx, &mut above, status, outcome);
    }
    end(world, tx, run, status, outcome)
}

/// Ends those of these runs that are branches and under way. Runs of a called
/// workflow end by that workflow's own rules.
pub(super) fn cancel_branches(
    world: World<'_>,
    tx: &mut Tx<'_>,
    runs: &[RunId],
    outcome: &str,
) -> Step<()> {
    for id in runs {
        if let Some(mut run) = tx.get::<Run>(&keys::run(id))?
            && run.status == RunStatus::Running
            && run.parent.as_ref().is_some_and(Parent::is_branch)
        {
            end(world, tx, &mut run, RunStatus::Cancelled, outcome)?;
        }
    }
    Ok(())
}

/// Ends the runs of a contact whose files say that this event ends them.
pub(super) fn cancel_by_event(
    world: World<'_>,
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    event: &CancelOn,
    outcome: &str,
    except: Option<&RunId>,
) -> Step<()> {
    let spared = match except {
        Some(run) => Some(whole(tx, run)?),
        None => None,
    };
    for mut run in of_contact(tx, phone)? {
        if spared.is_some() && spared == Some(whole(tx, &run.id)?) {
            continue;
        }
        let definition = world.workflows.by_hash.get(&run.definition);
        let listed = definition.is_some_and(|one| one.definition.cancel_on.contains(event));
        // After STOP there is nobody left to follow up on, whatever the file says.
        if listed || *event == CancelOn::OptOut {
            // Ending one run ends its branches with it.
            let ended = tx
                .get::<Run>(&keys::run(&run.id))?
                .is_none_or(|now| now.status != RunStatus::Running);
            if !ended {
                end_whole(world, tx, &mut run, RunStatus::Cancelled, outcome)?;
            }
        }
    }
    Ok(())
}

/// The run that a branch is a part of; any other run itself.
fn whole(tx: &Tx<'_>, id: &RunId) -> Step<RunId> {
    let mut id = id.clone();
    loop {
        let run: Option<Run> = tx.get(&keys::run(&id))?;
        match run.and_then(|run| run.parent) {
            Some(Parent {
                run: above,
                until: Some(_),
            }) => id = above,
            _ => return Ok(id),
        }
    }
}

/// The runs of a contact that are under way, oldest first.
pub(super) fn of_contact(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<Vec<Run>> {
    let contact = tx.contact(phone)?;
    tx.expect(contact.runs.iter().map(|one| keys::run(&one.run)));
    let mut runs = Vec::with_capacity(contact.runs.len());
    for one in &contact.runs {
        if let Some(run) = tx.get::<Run>(&keys::run(&one.run))?
            && run.status == RunStatus::Running
        {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// A person or program ends a run.
pub(super) fn cancel_by_id(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &RunId,
    outcome: &str,
) -> Step<Answer> {
    let mut run = match by_hand::under_way(tx, id)? {
        Ok(run) => run,
        Err(answer) => return Ok(answer),
    };
    end(world, tx, &mut run, RunStatus::Cancelled, outcome)?;
    Ok(Answer::Done)
}
