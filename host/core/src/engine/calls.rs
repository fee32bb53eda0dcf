//! Calls: what providers report of them, when one counts as missed, and calls
//! that we place.

use serde_json::json;

use super::events::{self, Happened, Subject, call_cause, call_event};
use super::scope::call_value;
use super::tx::Follow;
use super::{Answer, CallOutcome, CallReport, Calls, PlaceResult, Step, Tx, World, runs};
use crate::model::{
    Call, CallId, CallStatus, Contact, Direction, PhoneNumber, Problem, Run, RunId, Waiting, keys,
};
use crate::planted::{Planted, planted};
use crate::workflow::CancelOn;

/// What a report means for the call as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raise {
    Missed,
    Completed,
}

/// A provider's word on a call. May come twice and out of order; `call.missed`
/// and `call.completed` are raised once for a call, whatever comes.
pub(super) fn report(world: World<'_>, tx: &mut Tx<'_>, report: &CallReport) -> Step<Answer> {
    let by_provider = keys::provider_call(&report.connection, &report.provider_id);
    let by_us = match &report.id {
        Some(id) => tx.get::<Call>(&keys::call(id))?,
        None => None,
    };
    let known = match by_us {
        Some(call) => Some(call),
        None => match tx.get::<CallId>(&by_provider)? {
            Some(id) => tx.get::<Call>(&keys::call(&id))?,
            None => None,
        },
    };
    let mut call = match known {
        Some(call) if call.connection == report.connection => call,
        Some(_) => return Ok(Answer::Unknown),
        None => match first_heard(world, tx, report) {
            Some(call) => {
                tx.put(by_provider.clone(), &call.id)?;
                call
            }
            None => {
                tx.tell("call.unrouted", |entry| {
                    entry.contact.clone_from(&report.from);
                    entry.data = json!({
                        "connection": report.connection, "from": report.from, "to": report.to,
                    });
                });
                return Ok(Answer::Unknown);
            }
        },
    };
    if call.provider_id.is_none() {
        call.provider_id = Some(report.provider_id.clone());
        tx.put(by_provider, &call.id)?;
        tx.delete(keys::call_in_flight(&call.id));
    }
    let before = call.clone();
    update(&mut call, report);
    if call.status.ended() && call.ended_at.is_none() {
        // Not every provider says when; it has just told us that.
        call.ended_at = Some(tx.now);
    }
    let raise = if call.raised && !planted(Planted::ForgetCalls) {
        None
    } else {
        meaning(world, &call, report)
    };
    call.raised |= raise.is_some();
    if call == before && raise.is_none() {
        if tx.get::<Call>(&keys::call(&call.id))?.is_none() {
            tx.put(keys::call(&call.id), &call)?;
        }
        return Ok(Answer::Repeat);
    }
    call.updated_at = tx.now;
    tx.put(keys::call(&call.id), &call)?;
    let plan = plan(world, &call);
    let spoke = matches!(
        report.outcome,
        CallOutcome::Answered | CallOutcome::Completed
    ) && (report.forwarded || plan.is_none());
    if spoke && let Some(contact) = &call.contact {
        runs::cancel_by_event(
            world,
            tx,
            contact,
            &CancelOn::CallAnswered,
            "call.answered",
            None,
        )?;
    }
    follow_end(tx, &call);
    match raise {
        Some(raise) => raised(world, tx, &call, raise),
        None => {
            tell(tx, "call.status", &call);
            Ok(Answer::Call(call.id))
        }
    }
}

/// The run that placed a call goes on when it has ended, and when nobody will hear
/// of its end.
fn follow_end(tx: &mut Tx<'_>, call: &Call) {
    if let Some(run) = call
        .run
        .as_ref()
        .filter(|_| call.status.ended() || call.status == CallStatus::Unknown)
    {
        tx.follow(Follow::CallEnded(run.clone(), call.id.clone()));
    }
}

/// A call that a run waits for has ended.
pub(super) fn ended(world: World<'_>, tx: &mut Tx<'_>, run: &RunId, id: &CallId) -> Step<()> {
    let Some(mut run) = tx.get::<Run>(&keys::run(run))? else {
        return Ok(());
    };
    let waits = matches!(&run.waiting, Some(Waiting::Call { call, .. }) if call == id);
    let Some(call) = tx.get::<Call>(&keys::call(id))?.filter(|_| waits) else {
        return Ok(());
    };
    let status = call.status.word().to_lowercase().replace('_', "-");
    let step = runs::step_at(world, &run).map(|step| step.id.clone());
    let text = format!("the call ended: {status}");
    runs::note(tx, &mut run, step.as_deref(), "called", &text)?;
    let result = json!({
        "ok": call.status == CallStatus::Completed && !call.voicemail,
        "error": call.problem.as_ref().map(|problem| &problem.text),
        "at": tx.now,
        "attempts": run.tries.saturating_add(1),
        "timed_out": false,
        "call": call_value(&call),
        "status": status,
        "voicemail": call.voicemail,
        "hangup_cause": call.cause,
        "summary": call.summary,
    });
    runs::pass(world, tx, &mut run, result)
}

/// A call that we hear of for the first time: it must concern one of our numbers.
fn first_heard(world: World<'_>, tx: &mut Tx<'_>, report: &CallReport) -> Option<Call> {
    let (number, contact) = match report.direction {
        Direction::Inbound => (report.to.clone()?, report.from.clone()),
        Direction::Outbound => (report.from.clone()?, report.to.clone()),
    };
    let agent = world.setup.owner(&number)?;
    Some(Call {
        id: tx.ids.call(),
        provider_id: Some(report.provider_id.clone()),
        connection: report.connection.clone(),
        agent: Some(agent.id.clone()),
        direction: report.direction,
        contact,
        number,
        status: CallStatus::Initiated,
        voicemail: false,
        raised: false,
        run: None,
        variables: serde_json::Map::new(),
        ring_for: 0,
        problem: None,
        cause: None,
        started_at: None,
        ended_at: None,
        duration: None,
        summary: None,
        transcript: None,
        recording_url: None,
        created_at: tx.now,
        updated_at: tx.now,
    })
}

/// What the agent does with a call that comes in. Where there is such a plan, it
/// is the provider that answers, and only a forwarded leg says who spoke.
fn plan<'a>(world: World<'a>, call: &Call) -> Option<&'a Calls> {
    let agent = world.setup.agents.get(call.agent.as_ref()?)?;
    agent
        .calls
        .as_ref()
        .filter(|_| call.direction == Direction::Inbound)
}

/// Takes over what a report says; a call that has ended does not go on.
fn update(call: &mut Call, report: &CallReport) {
    let status = match report.outcome {
        CallOutcome::Ringing => CallStatus::Ringing,
        CallOutcome::Answered => CallStatus::InProgress,
        CallOutcome::Completed | CallOutcome::Voicemail => CallStatus::Completed,
        CallOutcome::NoAnswer => CallStatus::NoAnswer,
        CallOutcome::Busy => CallStatus::Busy,
        CallOutcome::Canceled => CallStatus::Canceled,
        CallOutcome::Failed | CallOutcome::Rejected => CallStatus::Failed,
    };
    let goes_on = match (call.status, status) {
        (before, after) if before == after => false,
        // The leg to the owner knows better than the whole, which the provider answered.
        (before, _) if before.ended() => report.forwarded,
        (CallStatus::InProgress, CallStatus::Ringing | CallStatus::Initiated) => false,
        _ => true,
    };
    if goes_on {
        call.status = status;
    }
    call.voicemail |= report.outcome == CallOutcome::Voicemail;
    let rest = [
        (&mut call.summary, &report.summary),
        (&mut call.recording_url, &report.recording_url),
        (&mut call.cause, &report.cause),
    ];
    for (ours, theirs) in rest {
        if theirs.is_some() {
            ours.clone_from(theirs);
        }
    }
    call.started_at = report.started_at.or(call.started_at);
    call.ended_at = report.ended_at.or(call.ended_at);
    call.duration = report.duration.or(call.duration);
    if report.transcript.is_some() {
        call.transcript.clone_from(&report.transcript);
    }
    if report.outcome == CallOutcome::Rejected {
        call.problem = Some(Problem {
            code: "rejected".to_owned(),
            text: "the number cannot be called".to_owned(),
        });
    }
}

/// Whether a report makes the call a missed or a completed one.
fn meaning(world: World<'_>, call: &Call, report: &CallReport) -> Option<Raise> {
    let plan = plan(world, call);
    if plan == Some(&Calls::Missed) {
        // The call reached us because nobody took it elsewhere.
        return (report.outcome != CallOutcome::Rejected).then_some(Raise::Missed);
    }
    match report.outcome {
        CallOutcome::NoAnswer
        | CallOutcome::Busy
        | CallOutcome::Canceled
        | CallOutcome::Failed
        | CallOutcome::Voicemail => Some(Raise::Missed),
        // The provider itself answers a call that it forwards: only the leg to
        // the owner says whether somebody spoke.
        CallOutcome::Completed if plan.is_some() && !report.forwarded => None,
        CallOutcome::Completed => Some(Raise::Completed),
        CallOutcome::Ringing | CallOutcome::Answered | CallOutcome::Rejected => None,
    }
}

/// Raises `call.missed` or `call.completed`.
fn raised(world: World<'_>, tx: &mut Tx<'_>, call: &Call, raise: Raise) -> Step<Answer> {
    let kind = match raise {
        Raise::Missed => "call.missed",
        Raise::Completed => "call.completed",
    };
    tell(tx, kind, call);
    let happened = Happened {
        subject: match raise {
            Raise::Missed => Subject::CallMissed(call),
            Raise::Completed => Subject::CallCompleted(call),
        },
        more: Some(("call", call_value(call))),
        cause: call_cause(tx, call, call_event(kind, call, tx.now))?,
        sentence: match &call.contact {
            Some(contact) => format!("{kind} with {contact}"),
            None => kind.to_owned(),
        },
        own: None,
    };
    if let Some(contact) = &call.contact {
        remember_caller(tx, contact)?;
        let ends = match raise {
            Raise::Missed => CancelOn::CallMissed,
            Raise::Completed => CancelOn::CallCompleted,
        };
        runs::cancel_by_event(world, tx, contact, &ends, kind, None)?;
        let claimed = events::wake(world, tx, &happened, false)?;
        if !claimed.is_empty() {
            return Ok(Answer::Runs(claimed));
        }
    }
    Ok(Answer::Runs(events::start(world, tx, &happened)?))
}

/// The guard record exists from the first time a number is seen.
fn remember_caller(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<()> {
    if tx.get::<Contact>(&keys::contact(phone))?.is_none() {
        let contact = tx.contact(phone)?;
        tx.put_contact(&contact)?;
    }
    Ok(())
}

/// Puts a change of a call into the feed.
pub(super) fn tell(tx: &mut Tx<'_>, kind: &str, call: &Call) {
    tx.tell(kind, |entry| {
        entry.contact.clone_from(&call.contact);
        entry.data = json!({
            "id": call.id, "status": call.status, "agent": call.agent, "number": call.number,
            "direction": call.direction,
        });
    });
}

/// An attempt to place a call ended.
pub(super) fn placed(tx: &mut Tx<'_>, id: &CallId, result: &PlaceResult) -> Step<Answer> {
    let Some(mut call) = tx.get::<Call>(&keys::call(id))? else {
        return Ok(Answer::Unknown);
    };
    tx.delete(keys::call_in_flight(id));
    match result {
        PlaceResult::Accepted { provider_id } => {
            call.provider_id = Some(provider_id.clone());
            tx.put(keys::provider_call(&call.connection, provider_id), id)?;
        }
        PlaceResult::Refused(problem) => {
            call.status = CallStatus::Failed;
            call.problem = Some(problem.clone());
            call.ended_at = Some(tx.now);
        }
        // A call has no list to look it up in: it is held and shown.
        PlaceResult::Unknown(problem) if call.status == CallStatus::Initiated => {
            call.status = CallStatus::Unknown;
            call.problem = Some(problem.clone());
        }
        PlaceResult::Unknown(_) => {}
    }
    call.updated_at = tx.now;
    tell(tx, "call.status", &call);
    tx.put(keys::call(id), &call)?;
    follow_end(tx, &call);
    Ok(Answer::Done)
}

/// The process that had the call in flight is gone.
pub(super) fn lost(tx: &mut Tx<'_>, id: &CallId) -> Step<Answer> {
    let problem = Problem {
        code: "host_stopped".to_owned(),
        text: "the host stopped while the provider was being asked".to_owned(),
    };
    placed(tx, id, &PlaceResult::Unknown(problem))
}
