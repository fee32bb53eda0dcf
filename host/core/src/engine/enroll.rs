//! Enrolling: which workflows an event starts, for whom, and what speaks against
//! it. What becomes of a run stands in [`super::runs`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::groups::Place;
use super::runs::{note, put, tell};
use super::scope::Names;
use super::tx::Follow;
use super::{InService, Step, Tx, World, campaigns, events, groups, leads};
use crate::model::{
    CallId, Conversation, ConversationId, Enrollment, Parent, PhoneNumber, Run, RunId, RunRef,
    RunStatus, keys,
};
use crate::workflow::{Again, Definition, Trigger};

/// How many runs of one contact may be under way at once.
const RUNS_PER_CONTACT: usize = 64;
/// How many runs may lead to one, each started by the one before: more is a circle.
const DEEPEST: u32 = 8;

/// What starts a run, before it is known whether it may. Stored while it waits for
/// its turn, so new fields need a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cause {
    /// As expressions see it.
    pub(super) event: Arc<Json>,
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
    /// One of the things of a `for_each` at the top of the file, and its name.
    pub(super) item: Option<(String, Arc<Json>)>,
    /// The run whose step asked for it, and how many stand behind that.
    pub(super) parent: Option<(RunId, u32)>,
    /// The run that caused the event.
    pub(super) by: Option<By>,
}

/// A run that caused an event, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct By {
    /// The run.
    pub(super) run: RunId,
    /// How many runs led to it.
    pub(super) depth: u32,
    /// Their workflows, and its own last.
    pub(super) chain: Vec<String>,
}

impl By {
    /// This run.
    pub(super) fn of(run: &Run) -> Self {
        let mut chain = run.chain.clone();
        chain.push(run.workflow.clone());
        Self {
            run: run.id.clone(),
            depth: run.depth,
            chain,
        }
    }
}

/// The refusal of a run that starts later.
pub(super) const QUEUED: &str = "queued";

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
pub(super) fn cause_names<'a>(
    world: World<'a>,
    tx: &Tx<'_>,
    definition: &Definition,
    cause: &Cause,
    contact: Option<&PhoneNumber>,
) -> Step<Names<'a>> {
    let mut names = Names::new(world.setup, tx.now)
        .event(&cause.event)
        .value("vars", Json::Object(constants(definition)));
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
    if let Some((name, item)) = &cause.item {
        names = names.value(name, Arc::clone(item));
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
    let kind = match code {
        QUEUED => "run.queued",
        _ => "run.not_started",
    };
    tx.tell(kind, |entry| {
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
    start_in(world, tx, in_service, cause, None)
}

/// The same for one whose turn in a group has come.
pub(super) fn start_in(
    world: World<'_>,
    tx: &mut Tx<'_>,
    in_service: &InService,
    cause: Cause,
    turn: Option<&str>,
) -> Step<Result<RunId, Refusal>> {
    let definition = &in_service.workflow.definition;
    let depth = match circle(definition, &cause) {
        Ok(depth) => depth,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Whom, and whether again, is asked of each of the things.
    let is_fan = definition.for_each.is_some() && cause.item.is_none();
    let contact = match is_fan {
        true => None,
        false => match whom(world, tx, definition, &cause)? {
            Ok(contact) => contact,
            Err(refusal) => return Ok(Err(refusal)),
        },
    };
    if !is_fan && let Some(refusal) = leads::without_consent(tx, definition, contact.as_ref())? {
        return Ok(Err(refusal));
    }
    // What waited was called off by a STOP, like texts that wait.
    if let (Some(_), Some(phone)) = (turn, &contact)
        && tx.contact(phone)?.opted_out.is_some()
    {
        return Ok(Err(Refusal {
            code: "opted_out",
            text: format!("{phone} opted out while it waited for its turn"),
        }));
    }
    if !is_fan
        && cause.item.is_none()
        && let Some(refusal) = campaigns::holds_start(tx, definition, &cause)?
    {
        return Ok(Err(refusal));
    }
    let place = match turn {
        Some(name) => Ok(Place::of(name)),
        None if is_fan => Ok(Place::default()),
        None => groups::enter(world, tx, definition, &cause, contact.as_ref())?,
    };
    let place = match place {
        Ok(place) => place,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let key = match &definition.enroll.key {
        _ if is_fan => None,
        None => contact.as_ref().map(|phone| phone.as_str().to_owned()),
        Some(value) => {
            let scope = cause_names(world, tx, definition, &cause, contact.as_ref())?.scope();
            match value.eval(&scope) {
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
            }
        }
    };
    if let Some(key) = &key
        && let Some(refusal) = enrolled(tx, definition, key, place.ends.as_ref())?
    {
        return Ok(Err(refusal));
    }
    let chain = match (&cause.by, &cause.parent) {
        (Some(by), _) => by.chain.clone(),
        (None, Some((parent, _))) => {
            events::by(tx, Some(parent))?.map_or(Vec::new(), |by| by.chain)
        }
        (None, None) => Vec::new(),
    };
    let id = tx.ids.run();
    if let Err(refusal) = list(tx, contact.as_ref(), &id, &definition.id)? {
        return Ok(Err(refusal));
    }
    groups::take(world, tx, definition, &place, &id)?;
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
        item: cause.item,
        fan: None,
        parent: cause.parent.map(|(run, _)| Parent { run, until: None }),
        depth,
        chain,
        group: place.name,
        campaign: definition.campaign_id(),
        cursor: 0,
        tries: 0,
        wants_rows: false,
        rows_at: None,
        works: 0,
        loops: Vec::new(),
        failing: None,
        failed_at: None,
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

/// How many runs led to one that this would start. A run of a workflow does not
/// start for what runs of the same workflow caused, and there is an end to runs that
/// start one another.
fn circle(definition: &Definition, cause: &Cause) -> Result<u32, Refusal> {
    if let Some(by) = &cause.by
        && by.chain.contains(&definition.id)
    {
        let text = match by.chain.last() {
            Some(last) if *last == definition.id => {
                format!("{}, a run of this workflow, caused it", by.run)
            }
            _ => format!("{} caused it, to which a run of this workflow led", by.run),
        };
        return Err(Refusal {
            code: "own_event",
            text,
        });
    }
    let behind = cause.by.as_ref().map(|by| by.depth);
    let behind = behind.or(cause.parent.as_ref().map(|(_, depth)| *depth));
    let depth = behind.map_or(0, |depth| depth + 1);
    if depth > DEEPEST {
        return Err(Refusal {
            code: "too_deep",
            text: format!("{DEEPEST} runs led to this one, each started by the one before"),
        });
    }
    Ok(depth)
}

/// Adds a run to those of its contact that are under way.
pub(super) fn list(
    tx: &mut Tx<'_>,
    contact: Option<&PhoneNumber>,
    run: &RunId,
    workflow: &str,
) -> Step<Result<(), Refusal>> {
    let Some(phone) = contact else {
        return Ok(Ok(()));
    };
    let mut record = tx.contact(phone)?;
    if record.runs.len() >= RUNS_PER_CONTACT {
        return Ok(Err(Refusal {
            code: "too_many_runs",
            text: format!("{RUNS_PER_CONTACT} runs for {phone} are under way already"),
        }));
    }
    record.runs.push(RunRef {
        run: run.clone(),
        workflow: workflow.to_owned(),
    });
    tx.put_contact(&record)?;
    Ok(Ok(()))
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

/// Why a key may not be enrolled again now. A run that the new one would end is not
/// in its way.
fn enrolled(
    tx: &Tx<'_>,
    definition: &Definition,
    key: &str,
    ends: Option<&RunId>,
) -> Step<Option<Refusal>> {
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
        Again::AfterFinished if earlier.active && ends != Some(&earlier.run) => {
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
