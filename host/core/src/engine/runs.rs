//! Runs: enrolling, starting, waking, ending. What their steps do stands in
//! [`super::steps`].

use serde_json::{Map, Value as Json, json};

use super::scope::Names;
use super::tx::Follow;
use super::{Answer, InService, Step, Tx, World, schedule, texts};
use crate::model::{
    CallId, Conversation, ConversationId, Enrollment, Key, Message, MessageId, Note, PhoneNumber,
    Run, RunId, RunRef, RunStatus, Status, Waiting, keys,
};
use crate::workflow::{Action, Again, Awaited, CancelOn, Definition, Trigger, WaitFor};

/// How many runs of one contact may be under way at once.
const RUNS_PER_CONTACT: usize = 64;

/// What starts a run, before it is known whether it may.
#[derive(Clone, Default)]
pub(super) struct Cause {
    /// As expressions see it.
    pub(super) event: Json,
    /// The other party.
    pub(super) contact: Option<PhoneNumber>,
    /// The agent whose number it concerns.
    pub(super) agent: Option<String>,
    /// Our number.
    pub(super) number: Option<PhoneNumber>,
    /// The conversation it happened in.
    pub(super) conversation: Option<ConversationId>,
    /// The call it is about.
    pub(super) call: Option<CallId>,
}

/// Why a workflow did not start.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: String,
}

/// Starts every workflow in service that has a trigger which `wants` this cause.
pub(super) fn start_all(
    world: World<'_>,
    tx: &mut Tx<'_>,
    cause: &Cause,
    wants: impl Fn(&Trigger) -> bool,
) -> Step<Vec<RunId>> {
    let mut started = Vec::new();
    for in_service in world.workflows.in_service.values() {
        let definition = &in_service.workflow.definition;
        for trigger in definition.triggers.iter().filter(|trigger| wants(trigger)) {
            if !holds(world, tx, definition, trigger, cause)? {
                continue;
            }
            match start(world, tx, in_service, cause.clone())? {
                Ok(run) => started.push(run),
                Err(refusal) => not_started(tx, definition, cause, &refusal),
            }
            break;
        }
    }
    Ok(started)
}

/// Whether the `where` of a trigger holds. A condition that cannot be evaluated
/// does not hold, and the feed says why.
pub(super) fn holds(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    trigger: &Trigger,
    cause: &Cause,
) -> Step<bool> {
    let Some(condition) = &trigger.condition else {
        return Ok(true);
    };
    let scope = cause_names(world, tx, definition, cause, cause.contact.as_ref())?.scope();
    match condition.truthy(&scope) {
        Ok(holds) => Ok(holds),
        Err(error) => {
            let refusal = Refusal {
                code: "where_failed",
                text: format!("`where`: {error}"),
            };
            not_started(tx, definition, cause, &refusal);
            Ok(false)
        }
    }
}

/// The names that exist before there is a run.
fn cause_names<'a>(
    world: World<'a>,
    tx: &Tx<'_>,
    definition: &Definition,
    cause: &Cause,
    contact: Option<&PhoneNumber>,
) -> Step<Names<'a>> {
    let mut names = Names::new(world.setup, tx.now)
        .value("event", cause.event.clone())
        .value("vars", Json::Object(constants(definition)));
    if let Some(call) = cause.event.get("call") {
        names = names.value("call", call.clone());
    }
    if let Some(agent) = cause
        .agent
        .as_ref()
        .and_then(|id| world.setup.agents.get(id))
    {
        names = names.agent(agent);
    }
    if let Some(phone) = contact {
        names = names.contact(&tx.contact(phone)?);
    }
    if let Some(id) = &cause.conversation
        && let Some(conversation) = tx.get::<Conversation>(&keys::conversation(id))?
    {
        names = names.conversation(&conversation);
    }
    Ok(names)
}

/// The constants of a definition.
pub(super) fn constants(definition: &Definition) -> Map<String, Json> {
    definition
        .vars
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

pub(super) fn not_started(
    tx: &mut Tx<'_>,
    definition: &Definition,
    cause: &Cause,
    refusal: &Refusal,
) {
    let (workflow, code, text) = (definition.id.clone(), refusal.code, refusal.text.clone());
    tx.tell("run.not_started", |entry| {
        entry.contact = cause.contact.clone();
        entry.conversation = cause.conversation.clone();
        entry.data = json!({ "workflow": workflow, "code": code, "reason": text });
    });
}

/// Starts a run, unless something speaks against it.
pub(super) fn start(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    cause: Cause,
) -> Step<Result<RunId, Refusal>> {
    let definition = &in_service.workflow.definition;
    let contact = match whom(world, tx, definition, &cause)? {
        Ok(contact) => contact,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let scope = cause_names(world, tx, definition, &cause, contact.as_ref())?.scope();
    let key = match &definition.enroll.key {
        None => contact.as_ref().map(|phone| phone.as_str().to_owned()),
        Some(value) => match value.eval(&scope) {
            Ok(Json::String(text)) if !text.is_empty() => Some(text),
            Ok(Json::Null) => None,
            Ok(other) => Some(other.to_string()),
            Err(error) => {
                let text = format!("`enroll.key`: {error}");
                return Ok(Err(Refusal {
                    code: "enroll_failed",
                    text,
                }));
            }
        },
    };
    if let Some(key) = &key
        && let Some(refusal) = enrolled(tx, definition, key)?
    {
        return Ok(Err(refusal));
    }
    let id = tx.ids.run();
    if let Some(phone) = &contact {
        let mut record = tx.contact(phone)?;
        if record.runs.len() >= RUNS_PER_CONTACT {
            let text = format!("{RUNS_PER_CONTACT} runs for {phone} are under way already");
            return Ok(Err(Refusal {
                code: "too_many_runs",
                text,
            }));
        }
        record.runs.push(RunRef {
            run: id.clone(),
            workflow: definition.id.clone(),
        });
        tx.put_contact(&record)?;
    }
    if let Some(key) = &key {
        let enrollment = Enrollment {
            run: id.clone(),
            at: tx.now,
            active: true,
        };
        tx.put(keys::enrollment(&definition.id, key), &enrollment)?;
    }
    let agent = cause.agent.or_else(|| {
        world
            .setup
            .agent_or_only(None)
            .map(|agent| agent.id.clone())
    });
    let mut run = Run {
        id: id.clone(),
        workflow: definition.id.clone(),
        definition: in_service.workflow.hash.clone(),
        version: in_service.version,
        contact,
        agent,
        number: cause.number,
        conversation: cause.conversation,
        call: cause.call,
        event: cause.event,
        key: key.unwrap_or_default(),
        status: RunStatus::Running,
        outcome: None,
        cursor: 0,
        waiting: None,
        early: None,
        vars: Map::new(),
        results: std::collections::BTreeMap::new(),
        notes: 0,
        started_at: tx.now,
        updated_at: tx.now,
        finished_at: None,
    };
    let kind = run
        .event
        .get("type")
        .and_then(Json::as_str)
        .unwrap_or("event")
        .to_owned();
    let text = format!("{} v{}, on {kind}", definition.name, run.version);
    note(tx, &mut run, None, "started", &text)?;
    put(tx, &run)?;
    tell(tx, "run.started", &run);
    tx.follow(Follow::Advance(id.clone()));
    Ok(Ok(id))
}

/// Whom a run is about: what the file says, else the other party.
fn whom(
    world: World<'_>,
    tx: &Tx<'_>,
    definition: &Definition,
    cause: &Cause,
) -> Step<Result<Option<PhoneNumber>, Refusal>> {
    let Some(value) = &definition.contact else {
        return Ok(Ok(cause.contact.clone()));
    };
    let scope = cause_names(world, tx, definition, cause, cause.contact.as_ref())?.scope();
    let refused = |text: String| {
        Ok(Err(Refusal {
            code: "no_contact",
            text,
        }))
    };
    match value.eval(&scope) {
        Ok(Json::String(text)) => match PhoneNumber::parse(text.trim()) {
            Some(phone) => Ok(Ok(Some(phone))),
            None => refused(format!(
                "`contact` is {text:?}, which is not a phone number"
            )),
        },
        Ok(Json::Null) if cause.contact.is_none() => Ok(Ok(None)),
        Ok(other) => refused(format!("`contact` is {other}, which is not a phone number")),
        Err(error) => refused(format!("`contact`: {error}")),
    }
}

/// Why a key may not be enrolled again now.
fn enrolled(tx: &Tx<'_>, definition: &Definition, key: &str) -> Step<Option<Refusal>> {
    let stored: Option<Enrollment> = tx.get(&keys::enrollment(&definition.id, key))?;
    let Some(earlier) = stored else {
        return Ok(None);
    };
    let refusal = |text: String| {
        Some(Refusal {
            code: "already_enrolled",
            text,
        })
    };
    let rule = &definition.enroll;
    Ok(match rule.again {
        Again::Never => refusal(format!("{key} went through it once, as {}", earlier.run)),
        Again::AfterFinished if earlier.active => {
            refusal(format!("{key} is still in it, as {}", earlier.run))
        }
        _ => match rule.again_after {
            Some(seconds)
                if tx.now.duration_since(earlier.at).as_secs() < seconds.cast_signed() =>
            {
                refusal(format!(
                    "{key} may come again {seconds} s after {}",
                    earlier.at
                ))
            }
            _ => None,
        },
    })
}

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
    tx.put(keys::note(&run.id, run.notes), &note)?;
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
fn awaited_next<'a>(world: World<'a>, tx: &Tx<'_>, run: &Run) -> Step<Option<&'a WaitFor>> {
    let Some(Waiting::Text { message }) = &run.waiting else {
        return Ok(None);
    };
    let definition = world.workflows.by_hash.get(&run.definition);
    let next = definition.and_then(|one| one.definition.steps.get(run.cursor + 1));
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
    if let Some(
        Waiting::Time { timer, .. }
        | Waiting::Event {
            timer: Some(timer), ..
        },
    ) = run.waiting.take()
    {
        tx.drop_timer(Some(timer));
    }
    if let Some(step) = step_at(world, run) {
        run.results.insert(step.id.clone(), result);
    }
    run.cursor += 1;
    put(tx, run)?;
    tx.follow(Follow::Advance(run.id.clone()));
    Ok(())
}

/// A run's timer is due.
pub(super) fn wake(world: World<'_>, tx: &mut Tx<'_>, id: &RunId, key: &Key) -> Step<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(());
    };
    let step = step_at(world, &run).map(|step| step.id.clone());
    match &run.waiting {
        Some(Waiting::Time { timer, .. }) if timer == key => {
            note(tx, &mut run, step.as_deref(), "woke", "the wait is over")?;
            let result = json!({ "ok": true, "at": tx.now });
            pass(world, tx, &mut run, result)
        }
        Some(Waiting::Event {
            timer: Some(timer), ..
        }) if timer == key => {
            note(
                tx,
                &mut run,
                step.as_deref(),
                "timed_out",
                "nothing came in time",
            )?;
            let result = json!({ "ok": true, "timed_out": true, "at": tx.now });
            pass(world, tx, &mut run, result)
        }
        _ => Ok(()),
    }
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
    if run.waiting
        != Some(Waiting::Text {
            message: message.clone(),
        })
    {
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
        _ => "not_sent",
    };
    note(tx, &mut run, step.as_deref(), what, &sentence)?;
    let result = json!({
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
    match run.waiting.take() {
        Some(Waiting::Time { timer, .. }) => tx.drop_timer(Some(timer)),
        Some(Waiting::Event { timer, .. }) => tx.drop_timer(timer),
        Some(Waiting::Text { message }) => texts::call_off(tx, &message, outcome)?,
        None => {}
    }
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
    schedule::run_ended(world, tx, run)
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
    for mut run in of_contact(tx, phone)? {
        if except == Some(&run.id) {
            continue;
        }
        let definition = world.workflows.by_hash.get(&run.definition);
        let listed = definition.is_some_and(|one| one.definition.cancel_on.contains(event));
        // After STOP there is nobody left to follow up on, whatever the file says.
        if listed || *event == CancelOn::OptOut {
            end(world, tx, &mut run, RunStatus::Cancelled, outcome)?;
        }
    }
    Ok(())
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

/// Hands an event to the first run of the contact that waits for it.
pub(super) fn claim(
    world: World<'_>,
    tx: &mut Tx<'_>,
    phone: &PhoneNumber,
    wants: impl Fn(&Run, &Awaited) -> bool,
    result: &Json,
    sentence: &str,
) -> Step<Option<RunId>> {
    for mut run in of_contact(tx, phone)? {
        let early = awaited_next(world, tx, &run)?;
        let Some(wait) = awaited(world, &run).or(early) else {
            continue;
        };
        if !wait.events.iter().any(|event| wants(&run, event)) {
            continue;
        }
        let step = step_at(world, &run).map(|step| step.id.clone());
        note(tx, &mut run, step.as_deref(), "answered", sentence)?;
        if early.is_some() {
            run.early = Some(result.clone());
            put(tx, &run)?;
        } else {
            pass(world, tx, &mut run, result.clone())?;
        }
        return Ok(Some(run.id));
    }
    Ok(None)
}

/// A person or program ends a run.
pub(super) fn cancel_by_id(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &RunId,
    outcome: &str,
) -> Step<Answer> {
    let Some(mut run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(Answer::Unknown);
    };
    if run.status != RunStatus::Running {
        return Ok(Answer::Refused {
            code: "not_running",
            text: format!("{id} has ended: {}", run.outcome.unwrap_or_default()),
        });
    }
    end(world, tx, &mut run, RunStatus::Cancelled, outcome)?;
    Ok(Answer::Done)
}
