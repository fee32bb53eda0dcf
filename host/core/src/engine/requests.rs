//! What programs and people ask for: a text, a call, a run. A request with an
//! idempotency key has one effect, however often it comes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::enroll::Cause;
use super::{
    Agent, Answer, Command, Idempotency, PlaceRequest, SendRequest, StartRequest, Step, Tx, World,
    calls, enroll, texts, threads,
};
use crate::model::{
    Call, CallId, CallStatus, Direction, EventId, MessageId, PhoneNumber, RunId, keys,
};
use crate::planted::{Planted, planted};
use crate::workflow::On;

/// What an idempotency key led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    /// A hash of the request.
    digest: String,
    /// What it made.
    made: Made,
}

impl Taken {
    pub(super) fn new(digest: String, made: Made) -> Self {
        Self { digest, made }
    }

    /// When it was taken: what it made has the time in its id.
    pub(super) fn at(&self) -> Option<Timestamp> {
        match &self.made {
            Made::Message(id) => id.at(),
            Made::Call(id) => id.at(),
            Made::Run(id) => id.at(),
            Made::Event(id) => id.at(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Made {
    Message(MessageId),
    Call(CallId),
    Run(RunId),
    /// Nothing that could be named: only when.
    Event(EventId),
}

/// The answer of the first time, when the key was used before.
pub(super) fn repeated(tx: &Tx<'_>, idempotency: Option<&Idempotency>) -> Step<Option<Answer>> {
    let Some(idempotency) = idempotency else {
        return Ok(None);
    };
    let key = keys::taken(&idempotency.source, &idempotency.key);
    let Some(taken) = tx
        .get::<Taken>(&key)?
        .filter(|_| !planted(Planted::ForgetRequests))
    else {
        return Ok(None);
    };
    if taken.digest != idempotency.digest {
        return Ok(Some(Answer::Conflict));
    }
    Ok(Some(match taken.made {
        Made::Message(id) => Answer::Message(id),
        Made::Call(id) => Answer::Call(id),
        Made::Run(id) => Answer::Runs(vec![id]),
        Made::Event(_) => Answer::Repeat,
    }))
}

pub(super) fn take(tx: &mut Tx<'_>, idempotency: Option<&Idempotency>, made: Made) -> Step<()> {
    let Some(idempotency) = idempotency else {
        return Ok(());
    };
    let key = keys::taken(&idempotency.source, &idempotency.key);
    tx.put(
        key,
        &Taken {
            digest: idempotency.digest.clone(),
            made,
        },
    )
}

/// A text is wanted.
pub(super) fn send(tx: &mut Tx<'_>, request: &SendRequest) -> Step<Answer> {
    if let Some(answer) = repeated(tx, request.idempotency.as_ref())? {
        return Ok(answer);
    }
    let conversation = threads::open(tx, &request.agent, &request.to)?;
    let draft = texts::Draft {
        connection: request.connection.clone(),
        number: request.from.clone(),
        body: request.body.clone(),
        media: request.media.clone(),
        origin: request.origin.clone(),
        intent: request.intent,
        call: None,
        valid_until: request.valid_until,
        window: None,
        campaign: None,
        on_unknown: request.on_unknown,
    };
    let id = texts::queue(tx, conversation, draft)?;
    take(tx, request.idempotency.as_ref(), Made::Message(id.clone()))?;
    Ok(Answer::Message(id))
}

/// A call is wanted. Calls go to people who may have said STOP to texts; the
/// opt-out stands for both.
pub(super) fn place(world: World<'_>, tx: &mut Tx<'_>, request: &PlaceRequest) -> Step<Answer> {
    if let Some(answer) = repeated(tx, request.idempotency.as_ref())? {
        return Ok(answer);
    }
    let wanted = CallWanted {
        agent: world.setup.agents.get(&request.agent),
        connection: request.connection.clone(),
        from: request.from.clone(),
        to: request.to.clone(),
        variables: request.variables.clone(),
        ring_for: request.ring_for,
        run: None,
    };
    match place_for(tx, wanted)? {
        Ok(id) => {
            take(tx, request.idempotency.as_ref(), Made::Call(id.clone()))?;
            Ok(Answer::Call(id))
        }
        Err(text) => Ok(Answer::Refused {
            code: "opted_out",
            text,
        }),
    }
}

/// A call that somebody wants placed.
pub(super) struct CallWanted<'a> {
    pub(super) agent: Option<&'a Agent>,
    pub(super) connection: String,
    pub(super) from: PhoneNumber,
    pub(super) to: PhoneNumber,
    pub(super) variables: Map<String, Json>,
    pub(super) ring_for: u32,
    /// The run whose step waits for its end.
    pub(super) run: Option<RunId>,
}

/// Places a call, unless its contact has opted out: then a sentence.
pub(super) fn place_for(
    tx: &mut Tx<'_>,
    wanted: CallWanted<'_>,
) -> Step<std::result::Result<CallId, String>> {
    let contact = tx.contact(&wanted.to)?;
    if let Some(out) = &contact.opted_out {
        return Ok(Err(format!("{} opted out on {:.0}", wanted.to, out.at)));
    }
    tx.put_contact(&contact)?;
    let call = Call {
        id: tx.ids.call(),
        provider_id: None,
        connection: wanted.connection,
        agent: wanted.agent.map(|agent| agent.id.clone()),
        direction: Direction::Outbound,
        contact: Some(wanted.to),
        number: wanted.from,
        status: CallStatus::Initiated,
        voicemail: false,
        raised: false,
        run: wanted.run,
        variables: wanted.variables,
        ring_for: wanted.ring_for,
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
    };
    tx.put(keys::call(&call.id), &call)?;
    tx.put(keys::call_in_flight(&call.id), &tx.now.clone())?;
    calls::tell(tx, "call.status", &call);
    tx.commands.push(Command::Place(call.id.clone()));
    Ok(Ok(call.id))
}

/// A run is wanted.
pub(super) fn start(world: World<'_>, tx: &mut Tx<'_>, request: &StartRequest) -> Step<Answer> {
    if let Some(answer) = repeated(tx, request.idempotency.as_ref())? {
        return Ok(answer);
    }
    let Some(in_service) = world.workflows.in_service.get(&request.workflow) else {
        return Ok(Answer::Unknown);
    };
    let definition = &in_service.workflow.definition;
    if !definition
        .triggers
        .iter()
        .any(|trigger| matches!(trigger.on, On::Manual(_)))
    {
        return Ok(Answer::Refused {
            code: "not_manual",
            text: format!(
                "{} has no `manual` trigger; add `manual: {{}}` under `on`",
                definition.id
            ),
        });
    }
    let agent = world.setup.agent_or_only(None);
    let cause = Cause {
        event: json!({
            "type": "manual", "input": request.input, "contact": request.contact, "at": tx.now,
        })
        .into(),
        contact: request.contact.clone(),
        agent: agent.map(|agent| agent.id.clone()),
        ..Cause::default()
    };
    match enroll::start(world, tx, in_service, cause.clone())? {
        Ok(run) => {
            take(tx, request.idempotency.as_ref(), Made::Run(run.clone()))?;
            Ok(Answer::Runs(vec![run]))
        }
        Err(refusal) if refusal.code == enroll::QUEUED => {
            enroll::not_started(tx, definition, &cause, &refusal);
            let made = Made::Event(tx.ids.event());
            take(tx, request.idempotency.as_ref(), made)?;
            Ok(Answer::Queued)
        }
        Err(refusal) => Ok(Answer::Refused {
            code: refusal.code,
            text: refusal.text,
        }),
    }
}
