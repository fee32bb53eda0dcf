//! What each step of a run does.

use std::sync::Arc;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value as Json, json};

use super::scope::{Names, zone_of};
use super::{Step as Result, Tx, World, enroll, runs, texts, threads};
use crate::model::{
    Attachment, Conversation, Direction, Origin, PhoneNumber, Run, RunId, RunStatus, Task, Waiting,
    keys,
};
use crate::planted::{Planted, planted};
use crate::schedule::first_instant;
use crate::workflow::expression::{Scope, Value};
use crate::workflow::{
    Action, Content, DayWindow, Definition, Handoff, Send, Set, Step, TimeOfDay, Wait, WaitFor,
};

/// How many steps one run may take without waiting: more is a mistake in the
/// engine, because a file has at most a thousand steps and they only go forward.
const STEPS_AT_ONCE: usize = 2_000;
/// `at` looks for a time of day this much before the days are quite over.
const AT_LEEWAY: SignedDuration = SignedDuration::from_hours(4);

/// Where a step leaves its run.
enum Next {
    /// At the next step, with this result.
    Go(Json),
    /// Waiting for this.
    Wait(Waiting, String),
    /// At its end.
    End(RunStatus, String),
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
        let Some(step) = definition.steps.get(run.cursor) else {
            return runs::end(world, tx, &mut run, RunStatus::Finished, "finished");
        };
        let scope = scope(world, tx, definition, &run)?;
        let wanted = match &step.condition {
            None => true,
            Some(condition) => match condition.truthy(&scope) {
                Ok(wanted) => wanted,
                Err(error) => {
                    let text = format!("`if` of step {}: {error}", step.id);
                    return runs::end(world, tx, &mut run, RunStatus::Failed, &text);
                }
            },
        };
        if !wanted {
            runs::note(
                tx,
                &mut run,
                Some(&step.id),
                "skipped",
                "its condition is not true",
            )?;
            run.results.insert(
                step.id.clone(),
                Arc::new(json!({ "skipped": true, "timed_out": false, "ok": false })),
            );
            run.cursor += 1;
            continue;
        }
        match act(world, tx, definition, &mut run, step, &scope)? {
            Next::Go(result) => {
                run.results.insert(step.id.clone(), Arc::new(result));
                run.cursor += 1;
            }
            Next::Wait(waiting, text) => {
                run.waiting = Some(waiting);
                runs::note(tx, &mut run, Some(&step.id), "waits", &text)?;
                runs::tell(tx, "run.waits", &run);
                return runs::put(tx, &run);
            }
            Next::End(status, outcome) => {
                return runs::end(world, tx, &mut run, status, &outcome);
            }
        }
    }
    runs::end(
        world,
        tx,
        &mut run,
        RunStatus::Failed,
        "too many steps without a wait",
    )
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
    Ok(names.scope())
}

fn failed(step: &Step, text: impl std::fmt::Display) -> Next {
    Next::End(RunStatus::Failed, format!("step {}: {text}", step.id))
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
        Action::Send(send) => self::send(world, tx, definition, run, step, send, scope),
        Action::Wait(wait) => self::wait(world, tx, run, step, wait, scope),
        Action::WaitFor(wait) => wait_for(tx, run, wait),
        Action::Handoff(handoff) => hand_over(world, tx, run, step, handoff, scope),
        Action::Set(set) => Ok(self::set(run, step, set, scope)),
        Action::Stop(stop) => Ok(
            match stop.reason.as_ref().map(|reason| reason.eval(scope)) {
                None => Next::End(RunStatus::Finished, "stopped".to_owned()),
                Some(Ok(Json::String(reason))) => Next::End(RunStatus::Finished, reason),
                Some(Ok(other)) => Next::End(RunStatus::Finished, other.to_string()),
                Some(Err(error)) => failed(step, error),
            },
        ),
    }
}

fn send(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &mut Run,
    step: &Step,
    send: &Send,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed(step, "there is no contact to text"));
    };
    let agent_id = send.agent.as_deref().or(run.agent.as_deref());
    let Some(agent) = agent_id.and_then(|id| world.setup.agents.get(id)) else {
        return Ok(failed(step, no_agent(agent_id)));
    };
    let template = match &send.content {
        Content::Body(template) => template,
        Content::Template(name) => match world.setup.templates.get(name) {
            Some(template) => template,
            None => return Ok(failed(step, format!("there is no template {name:?}"))),
        },
    };
    let body = match template.render(scope) {
        Ok(body) => body.trim().to_owned(),
        Err(error) => return Ok(failed(step, error)),
    };
    let mut draft = texts::Draft::new(
        agent,
        body,
        Origin::Run {
            run: run.id.clone(),
            step: step.id.clone(),
        },
        definition.intent,
    );
    if draft.body.is_empty() && send.media.is_empty() {
        return Ok(failed(step, "the text is empty"));
    }
    if let Some(problem) = texts::too_long(&draft.body) {
        return Ok(failed(step, problem));
    }
    for value in &send.media {
        match value.eval(scope) {
            Ok(Json::String(url)) => {
                draft.media.push(Attachment {
                    url,
                    media_type: String::new(),
                });
            }
            Ok(other) => return Ok(failed(step, format!("`media` is {other}, not an address"))),
            Err(error) => return Ok(failed(step, error)),
        }
    }
    // A contact who called or wrote to one of the agent's numbers is answered from it.
    if let Some(number) = run
        .number
        .as_ref()
        .filter(|number| agent.numbers.contains(number))
    {
        draft.number = Some(number.clone());
    }
    if let Some(from) = &send.from {
        match our_number(from, scope, agent) {
            Ok(number) => draft.number = Some(number),
            Err(text) => return Ok(failed(step, text)),
        }
    }
    if let Some(until) = &send.valid_until {
        match time(until, scope) {
            Ok(until) => draft.valid_until = Some(until),
            Err(text) => return Ok(failed(step, format!("`valid_until`: {text}"))),
        }
    }
    draft.on_unknown = send.on_unknown;
    draft.call = run.call.clone();
    let conversation = threads::open(tx, &agent.id, &phone)?;
    if run.agent.as_deref() == Some(agent.id.as_str()) {
        run.conversation = Some(conversation.id.clone());
    }
    let message = texts::queue(tx, conversation, draft)?;
    Ok(Next::Wait(
        Waiting::Text { message },
        format!("texts {phone}"),
    ))
}

fn no_agent(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("there is no agent {id:?}"),
        None => "there is more than one agent; name one".to_owned(),
    }
}

fn our_number(
    value: &Value,
    scope: &Scope,
    agent: &super::Agent,
) -> std::result::Result<PhoneNumber, String> {
    let text = match value.eval(scope) {
        Ok(Json::String(text)) => text,
        Ok(other) => return Err(format!("`from` is {other}, not a phone number")),
        Err(error) => return Err(format!("`from`: {error}")),
    };
    PhoneNumber::parse(&text)
        .filter(|number| agent.numbers.contains(number))
        .ok_or_else(|| format!("`from` is {text:?}, which is not a number of {}", agent.id))
}

fn time(value: &Value, scope: &Scope) -> std::result::Result<Timestamp, String> {
    match value.eval(scope) {
        Ok(Json::String(text)) => text.parse().map_err(|_| format!("{text:?} is not a time")),
        Ok(other) => Err(format!("{other} is not a time")),
        Err(error) => Err(error.to_string()),
    }
}

fn wait(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &Run,
    step: &Step,
    wait: &Wait,
    scope: &Scope,
) -> Result<Next> {
    let zone = match &run.contact {
        Some(phone) => zone_of(&tx.contact(phone)?, world.setup),
        None => world.setup.business.zone.clone(),
    };
    let zone = TimeZone::get(&zone).unwrap_or(TimeZone::UTC);
    let span = SignedDuration::from_secs(i64::try_from(wait.seconds).unwrap_or(i64::MAX));
    let mut due = match &wait.until {
        Some(until) => match time(until, scope) {
            Ok(until) => until,
            Err(text) => return Ok(failed(step, format!("`until`: {text}"))),
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

fn wait_for(tx: &mut Tx<'_>, run: &mut Run, wait: &WaitFor) -> Result<Next> {
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

fn hand_over(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    handoff: &Handoff,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed(step, "there is no contact to hand over"));
    };
    let Some(agent) = run.agent.as_ref().and_then(|id| world.setup.agents.get(id)) else {
        return Ok(failed(step, no_agent(run.agent.as_deref())));
    };
    let reason = match handoff.reason.as_ref().map(|reason| reason.eval(scope)) {
        None => String::new(),
        Some(Ok(Json::String(reason))) => reason,
        Some(Ok(other)) => other.to_string(),
        Some(Err(error)) => return Ok(failed(step, error)),
    };
    let reply = match handoff.reply.as_ref().map(|reply| reply.render(scope)) {
        None => None,
        Some(Ok(reply)) => Some(reply.trim().to_owned()),
        Some(Err(error)) => return Ok(failed(step, error)),
    };
    if let Some(problem) = reply.as_deref().and_then(texts::too_long) {
        return Ok(failed(step, problem));
    }
    let mut conversation = threads::open(tx, &agent.id, &phone)?;
    run.conversation = Some(conversation.id.clone());
    // The run itself goes on: `cancel_on: [handoff]` is about others' handoffs.
    runs::put(tx, run)?;
    let id = run.id.clone();
    threads::take(
        world,
        tx,
        &mut conversation,
        &handoff.to,
        &reason,
        Some(&id),
        handoff.release_after,
    )?;
    runs::note(
        tx,
        run,
        Some(&step.id),
        "handed_over",
        &format!("to {}", handoff.to),
    )?;
    if let Some(reply) = reply.filter(|reply| !reply.is_empty()) {
        let origin = Origin::Run {
            run: run.id.clone(),
            step: step.id.clone(),
        };
        let mut draft =
            texts::Draft::new(agent, reply, origin, crate::workflow::Intent::Conversation);
        if let Some(number) = run
            .number
            .as_ref()
            .filter(|one| agent.numbers.contains(one))
        {
            draft.number = Some(number.clone());
        }
        // Read again: ending other runs may have changed its lane.
        let conversation = threads::open(tx, &agent.id, &phone)?;
        let message = texts::queue(tx, conversation, draft)?;
        return Ok(Next::Wait(
            Waiting::Text { message },
            "sends a last text".to_owned(),
        ));
    }
    Ok(Next::Go(
        json!({ "ok": true, "at": tx.now, "to": handoff.to }),
    ))
}

fn set(run: &mut Run, step: &Step, set: &Set, scope: &Scope) -> Next {
    for (name, value) in &set.values {
        match value.eval(scope) {
            Ok(value) => {
                run.vars.insert(name.clone(), value);
            }
            Err(error) => return failed(step, error),
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
