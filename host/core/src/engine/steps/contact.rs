//! Steps about the contact: what is known of them, and whether they are texted.

use serde_json::{Map, Value as Json, json};

use super::super::leads::{self, Change};
use super::super::{Step as Result, Tx, World, inbound, runs, texts, threads};
use super::{Next, failed, no_agent};
use crate::model::{OptOutSource, Origin, Run};
use crate::workflow::expression::{Scope, Template};
use crate::workflow::{Intent, Lead, OptOut, Step};

pub(super) fn lead(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    lead: &Lead,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed("there is no contact to change"));
    };
    let mut set = Map::new();
    for (name, value) in &lead.set {
        match value.eval(scope) {
            Ok(value) => set.insert(name.clone(), value),
            Err(error) => return Ok(failed(format!("`set.{name}`: {error}"))),
        };
    }
    let words = |templates: &[Template]| -> std::result::Result<Vec<String>, String> {
        let all = templates.iter().map(|one| one.render(scope));
        all.map(|one| {
            one.map(|text| text.trim().to_owned())
                .map_err(|error| error.to_string())
        })
        .collect()
    };
    let (tag, untag) = match (words(&lead.tag), words(&lead.untag)) {
        (Ok(tag), Ok(untag)) => (tag, untag),
        (Err(error), _) | (_, Err(error)) => return Ok(failed(format!("`tag`: {error}"))),
    };
    let note = match lead.note.as_ref().map(|note| note.eval(scope)) {
        None | Some(Ok(Json::Null)) => None,
        Some(Ok(Json::String(text))) => Some(text).filter(|text| !text.trim().is_empty()),
        Some(Ok(other)) => Some(other.to_string()),
        Some(Err(error)) => return Ok(failed(format!("`note`: {error}"))),
    };
    let change = Change {
        set,
        tag,
        untag,
        note,
        ..Change::default()
    };
    let changed = match leads::change(tx, &phone, change, Some(&run.id))? {
        Ok(changed) => changed.changed,
        Err((_, text)) => return Ok(failed(text)),
    };
    if !changed.is_empty() {
        let text = format!("{} of {phone}", changed.join(", "));
        runs::note(tx, run, Some(&step.id), "changed", &text)?;
    }
    Ok(Next::Go(
        json!({ "ok": true, "at": tx.now, "changed": changed }),
    ))
}

pub(super) fn release(tx: &mut Tx<'_>, run: &mut Run, step: &Step) -> Result<Next> {
    let thread = match (&run.contact, &run.agent) {
        (Some(phone), Some(agent)) => {
            let threads = tx.contact(phone)?.threads;
            threads.into_iter().find(|one| one.agent == *agent)
        }
        _ => None,
    };
    let conversation = run
        .conversation
        .clone()
        .or(thread.map(|one| one.conversation));
    if let Some(id) = conversation {
        threads::release(tx, &id)?;
        runs::note(
            tx,
            run,
            Some(&step.id),
            "released",
            "the conversation is free",
        )?;
    }
    Ok(Next::Go(json!({ "ok": true, "at": tx.now })))
}

/// Opts the contact out, which ends this run like all others of theirs.
pub(super) fn opt_out(
    world: World<'_>,
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &Step,
    one: &OptOut,
    scope: &Scope,
) -> Result<Next> {
    let Some(phone) = run.contact.clone() else {
        return Ok(failed("there is no contact to opt out"));
    };
    let business = &world.setup.business.name;
    let reply = match one.reply.as_ref().map(|reply| reply.eval(scope)) {
        None | Some(Ok(Json::Null | Json::Bool(false))) => None,
        Some(Ok(Json::Bool(true))) => Some(inbound::goodbye(business)),
        Some(Ok(Json::String(text))) => Some(text.trim().to_owned()),
        Some(Ok(other)) => return Ok(failed(format!("`reply` is {other}, not a text"))),
        Some(Err(error)) => return Ok(failed(format!("`reply`: {error}"))),
    };
    let reply = reply.filter(|text| !text.is_empty());
    if let Some(problem) = reply.as_deref().and_then(texts::too_long) {
        return Ok(failed(problem));
    }
    let agent = run.agent.as_ref().and_then(|id| world.setup.agents.get(id));
    if reply.is_some() && agent.is_none() {
        return Ok(failed(no_agent(run.agent.as_deref())));
    }
    let was_out = tx.contact(&phone)?.opted_out.is_some();
    runs::note(tx, run, Some(&step.id), "opted_out", "no more texts")?;
    // It is read again, with its timeline, by what ends it.
    runs::put(tx, run)?;
    inbound::stop(world, tx, &phone, OptOutSource::Workflow, None)?;
    if was_out {
        return Ok(Next::End("opt_out".to_owned()));
    }
    if let (Some(reply), Some(agent)) = (reply, agent) {
        let mut draft = texts::Draft::new(agent, reply, Origin::Keyword, Intent::Conversation);
        if let Some(number) = run
            .number
            .as_ref()
            .filter(|one| agent.numbers.contains(one))
        {
            draft.number = Some(number.clone());
        }
        let conversation = threads::open(tx, &agent.id, &phone)?;
        inbound::confirm(tx, conversation, draft)?;
    }
    Ok(Next::Gone)
}
