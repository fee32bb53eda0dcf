//! Steps that text the contact, and those that give the conversation to a person.

use serde_json::{Value as Json, json};

use super::super::{Agent, Step as Result, Tx, World, runs, texts, threads};
use super::{Next, failed, no_agent, time};
use crate::model::{Attachment, ConversationId, Origin, PhoneNumber, Run, Waiting};
use crate::workflow::expression::{Scope, Value};
use crate::workflow::{Content, Definition, Handoff, Intent, Send, Step};

pub(super) fn send(
    world: World<'_>,
    tx: &mut Tx<'_>,
    definition: &Definition,
    run: &mut Run,
    step: &Step,
    send: &Send,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed("there is no contact to text"));
    };
    let agent_id = send.agent.as_deref().or(run.agent.as_deref());
    let Some(agent) = agent_id.and_then(|id| world.setup.agents.get(id)) else {
        return Ok(failed(no_agent(agent_id)));
    };
    let template = match &send.content {
        Content::Body(template) => template,
        Content::Template(name) => match world.setup.templates.get(name) {
            Some(template) => template,
            None => return Ok(failed(format!("there is no template {name:?}"))),
        },
    };
    let body = match template.render(scope) {
        Ok(body) => body.trim().to_owned(),
        Err(error) => return Ok(failed(error)),
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
        return Ok(failed("the text is empty"));
    }
    if let Some(problem) = texts::too_long(&draft.body) {
        return Ok(failed(problem));
    }
    for value in &send.media {
        match value.eval(scope) {
            Ok(Json::String(url)) => {
                draft.media.push(Attachment {
                    url,
                    media_type: String::new(),
                });
            }
            Ok(other) => return Ok(failed(format!("`media` is {other}, not an address"))),
            Err(error) => return Ok(failed(error)),
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
            Err(text) => return Ok(failed(text)),
        }
    }
    if let Some(until) = &send.valid_until {
        match time(until, scope) {
            Ok(until) => draft.valid_until = Some(until),
            Err(text) => return Ok(failed(format!("`valid_until`: {text}"))),
        }
    }
    draft.on_unknown = send.on_unknown;
    draft.of(definition);
    draft.call = run.call.clone();
    let conversation = threads::open(tx, &agent.id, &phone)?;
    stands_in(run, agent, &conversation.id);
    let message = texts::queue(tx, conversation, draft)?;
    Ok(Next::Wait(
        Waiting::Text { message },
        format!("texts {phone}"),
    ))
}

/// Notes the conversation that a run's texts stand in: that of its agent. Where
/// nothing that started it says who that is, it is the first whom a step names.
pub(super) fn stands_in(run: &mut Run, agent: &Agent, conversation: &ConversationId) {
    let own = run.agent.get_or_insert_with(|| agent.id.clone());
    if *own == agent.id {
        run.conversation = Some(conversation.clone());
    }
}

fn our_number(
    value: &Value,
    scope: &Scope,
    agent: &Agent,
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

pub(super) fn hand_over(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    handoff: &Handoff,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed("there is no contact to hand over"));
    };
    let Some(agent) = run.agent.as_ref().and_then(|id| world.setup.agents.get(id)) else {
        return Ok(failed(no_agent(run.agent.as_deref())));
    };
    let reason = match handoff.reason.as_ref().map(|reason| reason.eval(scope)) {
        None => String::new(),
        Some(Ok(Json::String(reason))) => reason,
        Some(Ok(other)) => other.to_string(),
        Some(Err(error)) => return Ok(failed(error)),
    };
    let reply = match handoff.reply.as_ref().map(|reply| reply.render(scope)) {
        None => None,
        Some(Ok(reply)) => Some(reply.trim().to_owned()),
        Some(Err(error)) => return Ok(failed(error)),
    };
    if let Some(problem) = reply.as_deref().and_then(texts::too_long) {
        return Ok(failed(problem));
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
        let mut draft = texts::Draft::new(agent, reply, origin, Intent::Conversation);
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
