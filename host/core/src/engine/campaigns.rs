//! Campaigns as a whole: their records, the rules that count, pausing and going on,
//! and what starts only when one goes on. Whose turn it is stands in [`super::line`],
//! when one pauses itself in [`super::breaker`].

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::enroll::{self, Cause, QUEUED, Refusal};
use super::{Answer, Step, Tx, World, runs};
use crate::model::{
    Campaign, Head, Pause, PausedBy, Run, RunId, RunStatus, Score, Started, Task, Waiting, keys,
};
use crate::workflow::Definition;

/// With so many texts in line, no more runs are started for a file's `for_each`: what
/// they say, and whether they are still wanted, is decided when it can be sent soon.
pub(super) const LONG: u64 = 100;
/// How often a run that waits for its campaign looks by itself.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// The time between two slices of runs.
const SLICE: SignedDuration = SignedDuration::from_millis(250);
/// How many runs may wait for a campaign to go on.
const MOST_STARTS: u64 = 10_000;
/// How many of them are started in one step.
const STARTS: usize = 25;

/// The record of a campaign.
pub(super) fn get(tx: &Tx<'_>, id: &str) -> Step<Option<Campaign>> {
    tx.get(&keys::campaign(id))
}

/// Stores it.
pub(super) fn put(tx: &mut Tx<'_>, campaign: &Campaign) -> Step<()> {
    tx.put(keys::campaign(&campaign.id), campaign)
}

/// The file whose rules count for a workflow's texts: the one in service, also for
/// runs of older versions, because what they send is counted together; where that is
/// gone, the last one.
pub(super) fn rules<'w>(
    world: World<'w>,
    tx: &Tx<'_>,
    workflow: &str,
) -> Step<Option<&'w Definition>> {
    if let Some(one) = world.workflows.in_service.get(workflow) {
        return Ok(Some(&one.workflow.definition));
    }
    let head: Option<Head> = tx.get(&keys::workflow(workflow))?;
    let last = head.and_then(|head| world.workflows.by_hash.get(&head.definition));
    Ok(last.map(|one| &one.definition))
}

/// A file of a campaign was read: the campaign is known from now on.
pub(super) fn defined(tx: &mut Tx<'_>, definition: &Definition) -> Step<()> {
    let Some(id) = definition.campaign_id() else {
        return Ok(());
    };
    if get(tx, &id)?.is_some() {
        return Ok(());
    }
    let name = definition.campaign.as_ref().unwrap_or(&definition.name);
    put(tx, &Campaign::new(&id, name, tx.now))
}

/// A campaign stops texting: what waits goes on waiting.
pub(super) fn pause(tx: &mut Tx<'_>, id: &str, by: PausedBy, why: &str) -> Step<Answer> {
    let Some(mut campaign) = get(tx, id)? else {
        return Ok(Answer::Unknown);
    };
    if campaign.paused.is_some() {
        return Ok(Answer::Repeat);
    }
    let pause = Pause {
        at: tx.now,
        by,
        why: why.to_owned(),
    };
    let (name, waiting, said) = (campaign.id.clone(), campaign.waiting(), pause.to_string());
    campaign.paused = Some(pause);
    tx.drop_timer(campaign.timer.take());
    put(tx, &campaign)?;
    relabel(tx, &campaign)?;
    tx.tell("campaign.paused", |entry| {
        entry.data = json!({ "campaign": name, "by": by, "reason": said, "waiting": waiting });
    });
    Ok(Answer::Done)
}

/// A person lets a campaign go on: its breaker counts anew, and what waited follows.
pub(super) fn resume(tx: &mut Tx<'_>, id: &str) -> Step<Answer> {
    let Some(mut campaign) = get(tx, id)? else {
        return Ok(Answer::Unknown);
    };
    if campaign.paused.take().is_none() {
        return Ok(Answer::Repeat);
    }
    let key = keys::score(id);
    if let Some(mut score) = tx.get::<Score>(&key)? {
        score.outcomes.clear();
        score.persons.clear();
        tx.put(key, &score)?;
    }
    let campaign_id = || id.to_owned();
    let now = tx.now;
    if campaign.waiting() > 0 {
        let task = Task::Line {
            campaign: campaign_id(),
        };
        campaign.timer = Some(tx.set_timer(now, task)?);
    }
    if campaign.starts_waiting() > 0 {
        let task = Task::Begin {
            campaign: campaign_id(),
        };
        tx.set_timer(now, task)?;
    }
    let fans = std::mem::take(&mut campaign.fans);
    put(tx, &campaign)?;
    relabel(tx, &campaign)?;
    wake(tx, &fans)?;
    tx.tell("campaign.resumed", |entry| {
        entry.data = json!({ "campaign": campaign_id() });
    });
    Ok(Answer::Done)
}

/// Has the texts that wait told why, in steps of their own.
fn relabel(tx: &mut Tx<'_>, campaign: &Campaign) -> Step<()> {
    if campaign.waiting() > 0 {
        let task = Task::Relabel {
            campaign: campaign.id.clone(),
            from: 0,
        };
        tx.set_timer(tx.now, task)?;
    }
    Ok(())
}

/// Lets runs look again whether they may go on.
pub(super) fn wake(tx: &mut Tx<'_>, fans: &[RunId]) -> Step<()> {
    tx.expect(fans.iter().map(keys::run));
    for id in fans {
        if let Some(mut run) = tx.get::<Run>(&keys::run(id))?
            && run.status == RunStatus::Running
            && matches!(run.waiting, Some(Waiting::Time { .. }))
        {
            runs::again(tx, &mut run)?;
        }
    }
    Ok(())
}

/// When a run that starts others starts the next ones: the texts of those before are to
/// be in line by then, if there is one.
pub(super) fn next_slice(now: Timestamp, definition: &Definition) -> Timestamp {
    match definition.rate {
        Some(_) => now.checked_add(SLICE).unwrap_or(now),
        None => now,
    }
}

/// Whether a run that starts others has to wait before it starts the next ones; then
/// it waits.
pub(super) fn fan_waits(tx: &mut Tx<'_>, run: &mut Run, definition: &Definition) -> Step<bool> {
    let Some(id) = definition.campaign_id() else {
        return Ok(false);
    };
    let Some(mut campaign) = get(tx, &id)? else {
        return Ok(false);
    };
    let listed = campaign.fans.contains(&run.id);
    let why = match &campaign.paused {
        Some(pause) => Some(format!("the campaign is {pause}")),
        None if definition.rate.is_some() && campaign.waiting() >= LONG => Some(format!(
            "{} texts wait for their turn already",
            campaign.waiting()
        )),
        None => None,
    };
    let Some(why) = why else {
        if listed {
            campaign.fans.retain(|one| *one != run.id);
            put(tx, &campaign)?;
        }
        return Ok(false);
    };
    if !listed {
        campaign.fans.push(run.id.clone());
        put(tx, &campaign)?;
        runs::note(tx, run, None, "waits", &why)?;
    }
    let until = tx.now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
    let task = Task::Wake {
        run: run.id.clone(),
    };
    let timer = tx.set_timer(until, task)?;
    run.waiting = Some(Waiting::Time { until, timer });
    runs::put(tx, run)?;
    Ok(true)
}

/// Why a run does not start now, because its campaign is paused: it does when that
/// goes on. What a step calls is refused, because the step waits for it.
pub(super) fn holds_start(
    tx: &mut Tx<'_>,
    definition: &Definition,
    cause: &Cause,
) -> Step<Option<Refusal>> {
    let Some(id) = definition.campaign_id() else {
        return Ok(None);
    };
    let Some(mut campaign) = get(tx, &id)? else {
        return Ok(None);
    };
    let Some(pause) = &campaign.paused else {
        return Ok(None);
    };
    let why = format!("the campaign {} is {pause}", campaign.name);
    let called = cause.parent.is_some();
    let cause = serde_json::to_value(cause).ok();
    let Some(cause) = cause.filter(|_| !called && campaign.starts_waiting() < MOST_STARTS) else {
        return Ok(Some(Refusal {
            code: "campaign_paused",
            text: why,
        }));
    };
    let started = Started {
        workflow: definition.id.clone(),
        cause,
    };
    tx.put(keys::starts_later(&id, campaign.starts_next), &started)?;
    campaign.starts_next += 1;
    put(tx, &campaign)?;
    Ok(Some(Refusal {
        code: QUEUED,
        text: format!("{why}; it starts when that goes on"),
    }))
}

/// Starts some of what waited for a campaign to go on.
pub(super) fn begin(world: World<'_>, tx: &mut Tx<'_>, id: &str) -> Step<()> {
    for _ in 0..STARTS {
        // Read again each time: what starts may change it.
        let Some(mut campaign) = get(tx, id)? else {
            return Ok(());
        };
        if campaign.paused.is_some() || campaign.starts_waiting() == 0 {
            return Ok(());
        }
        let key = keys::starts_later(id, campaign.starts_first);
        campaign.starts_first += 1;
        put(tx, &campaign)?;
        let started: Option<Started> = tx.get(&key)?;
        tx.delete(key);
        let Some((workflow, cause)) = started.and_then(|one| {
            let cause: Cause = serde_json::from_value(one.cause).ok()?;
            Some((one.workflow, cause))
        }) else {
            continue;
        };
        start(world, tx, &workflow, cause)?;
    }
    let task = Task::Begin {
        campaign: id.to_owned(),
    };
    tx.set_timer(tx.now, task).map(drop)
}

fn start(world: World<'_>, tx: &mut Tx<'_>, workflow: &str, cause: Cause) -> Step<()> {
    let Some(in_service) = world.workflows.in_service.get(workflow) else {
        let workflow = workflow.to_owned();
        tx.tell("run.not_started", |entry| {
            entry.contact.clone_from(&cause.contact);
            entry.conversation.clone_from(&cause.conversation);
            entry.data = json!({
                "workflow": workflow, "code": "not_in_service", "reason": "its file is gone",
            });
        });
        return Ok(());
    };
    let definition = &in_service.workflow.definition;
    // What waited was called off by a STOP, like texts that wait.
    let stopped = match &cause.contact {
        Some(phone) => tx.contact(phone)?.opted_out.is_some(),
        None => false,
    };
    let started = match stopped {
        true => Err(Refusal {
            code: "opted_out",
            text: "the contact opted out while its campaign was paused".to_owned(),
        }),
        false => enroll::start(world, tx, in_service, cause.clone())?,
    };
    if let Err(refusal) = started {
        enroll::not_started(tx, definition, &cause, &refusal);
    }
    Ok(())
}
