//! Stored records as the API shows them. The keys are always all there, `null`
//! where there is nothing to say, so that a client needs no checks for absence.

use ringback_core::engine::{Catalog, Setup};
use ringback_core::model::{
    Call, Conversation, Direction, Message, Note, Origin, Run, RunStatus, Status, Waiting,
};
use serde_json::{Value, json};

/// A text. The same in RevRing's dialect (R20–R33) and in our own.
pub(crate) fn message(message: &Message) -> Value {
    let contact = Some(&message.contact);
    let number = message.number.as_ref();
    let (from, to) = match message.direction {
        Direction::Inbound => (contact, number),
        Direction::Outbound => (number, contact),
    };
    let run = match &message.origin {
        Origin::Run { run, .. } => Some(run),
        _ => None,
    };
    let attempts = message.attempts.iter();
    json!({
        "id": message.id,
        "direction": message.direction,
        "status": message.status.word(),
        "reason": message.reason,
        "errorMessage": message.problem.as_ref().map(|problem| &problem.text),
        "body": message.body,
        "media": message.media,
        "fromNumber": from,
        "toNumber": to,
        "agentId": message.agent,
        "messagingConnectionId": Some(&message.connection).filter(|name| !name.is_empty()),
        "conversationId": message.conversation,
        "callId": message.call,
        "channel": "sms",
        "providerMessageId": message.provider_id,
        "generatedByLlm": false,
        "segments": message.segments,
        "runId": run,
        "campaign": message.aside.campaign.as_ref().map(|one| &one.id),
        "approval": message.aside.approval.as_ref().map(|one| json!({
            "by": one.by,
            "since": one.since,
            "until": one.until,
            "default": one.default,
            "answer": one.answer,
        })),
        "waitsUntil": message.not_before.filter(|_| message.status == Status::Queued),
        "unknownSince": message.aside.unknown_since,
        "heldSince": message.aside.held_since,
        "scheduledFor": message.not_before.filter(|_| message.status == Status::Scheduled),
        "createdAt": message.created_at,
        "updatedAt": message.updated_at,
        "verdicts": message.verdicts.iter().map(|verdict| json!({
            "at": verdict.at,
            "rule": verdict.rule,
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "until": verdict.until,
        })).collect::<Vec<_>>(),
        "attempts": attempts.map(|attempt| json!({
            "at": attempt.at,
            "outcome": attempt.outcome,
            "delivery": attempt.delivery,
        })).collect::<Vec<_>>(),
    })
}

/// The id that stands for the whole installation: made of the business's name,
/// so that it stays the same without being kept anywhere.
fn organization(setup: &Setup) -> String {
    let mut bytes = [0; 16];
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"ringback organization\n");
    hasher.update(setup.business.name.as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .hyphenated()
        .to_string()
}

/// A call, in RevRing's names (C7–C17).
pub(crate) fn call(call: &Call, setup: &Setup) -> Value {
    let contact = call.contact.as_ref();
    let number = Some(&call.number);
    let (direction, from, to) = match call.direction {
        Direction::Inbound => ("INBOUND", contact, number),
        Direction::Outbound => ("OUTBOUND", number, contact),
    };
    let agent = call.agent.as_ref().and_then(|id| setup.agents.get(id));
    json!({
        "id": call.id,
        "organizationId": organization(setup),
        "direction": direction,
        "status": call.status.word(),
        "fromNumber": from,
        "toNumber": to,
        "initiatedAt": call.created_at,
        "createdAt": call.created_at,
        "updatedAt": call.updated_at,
        "agentId": call.agent,
        "sipTrunkId": call.connection,
        "agentCallerIdName": Value::Null,
        "agentName": agent.map(|agent| &agent.name),
        "variables": call.variables,
        "recordingUrl": call.recording_url,
        "hangupCause": call.cause,
        "errorMessage": call.problem.as_ref().map(|problem| &problem.text),
        "transcript": call.transcript,
        "summary": call.summary,
        "metrics": Value::Null,
        "startedAt": call.started_at,
        "endedAt": call.ended_at,
        "durationSeconds": call.duration,
        "postCallWebhookStatus": Value::Null,
        "preCallWebhookStatus": Value::Null,
    })
}

/// The head of a conversation.
pub(crate) fn conversation(conversation: &Conversation, opted_out: bool) -> Value {
    json!({
        "id": conversation.id,
        "agentId": conversation.agent,
        "contact": conversation.contact,
        "number": conversation.number,
        "createdAt": conversation.created_at,
        "lastAt": conversation.last_at,
        "lastInboundAt": conversation.last_inbound_at,
        "handoff": conversation.handoff.as_ref().map(|handoff| json!({
            "to": handoff.to, "reason": handoff.reason, "since": handoff.since,
        })),
        "optedOut": opted_out,
    })
}

/// A run, without its details.
pub(crate) fn run(run: &Run, catalog: &Catalog) -> Value {
    let step = catalog
        .by_hash
        .get(&run.definition)
        .and_then(|workflow| workflow.definition.steps.get(run.cursor))
        .filter(|_| run.status == RunStatus::Running);
    let waiting = run.waiting.as_ref().map(|waiting| match waiting {
        Waiting::Time { until, .. } => json!({ "for": "time", "until": until }),
        Waiting::Event { until, .. } => json!({ "for": "event", "until": until }),
        Waiting::Text { message } => json!({ "for": "text", "message": message }),
        Waiting::Approval { message, by, until } => {
            json!({ "for": "approval", "message": message, "by": by, "until": until })
        }
        Waiting::Retry { until, .. } => json!({ "for": "retry", "until": until }),
        Waiting::Work { .. } => json!({ "for": "work" }),
        Waiting::Call { call, .. } => json!({ "for": "call", "call": call }),
        Waiting::Runs { runs, .. } => json!({ "for": "runs", "runs": runs }),
    });
    json!({
        "id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "status": run.status,
        "outcome": run.outcome,
        "parent": run.parent.as_ref().map(|parent| &parent.run),
        "campaign": run.campaign,
        "contact": run.contact,
        "agent": run.agent,
        "step": step.map(|step| &step.id),
        "waiting": waiting,
        "startedAt": run.started_at,
        "updatedAt": run.updated_at,
        "finishedAt": run.finished_at,
    })
}

/// A run with what started it, its values and its timeline.
/// `open` are its texts that wait for somebody.
pub(crate) fn run_in_full(
    one: &Run,
    timeline: &[Note],
    open: &[Message],
    catalog: &Catalog,
) -> Value {
    let mut value = run(one, catalog);
    if let Some(map) = value.as_object_mut() {
        map.insert("event".to_owned(), json!(one.event));
        map.insert("vars".to_owned(), json!(one.vars));
        map.insert("results".to_owned(), json!(one.results));
        let timeline: Vec<Value> = timeline
            .iter()
            .map(|note| json!({ "at": note.at, "step": note.step, "what": note.what, "text": note.text }))
            .collect();
        map.insert("timeline".to_owned(), json!(timeline));
        let open: Vec<Value> = open.iter().map(self::message).collect();
        map.insert("openTexts".to_owned(), json!(open));
    }
    value
}
