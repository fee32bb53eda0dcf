//! What came of a campaign's texts, and the breaker that pauses it for that. Outcomes,
//! answers and opt-outs are counted in steps of their own, one timer for each: they
//! come by the hundred, and must not lose to one another over one record.

use jiff::SignedDuration;

use super::texts::Draft;
use super::{Step, Tx, World, campaigns, texts, threads};
use crate::model::{
    Contact, InCampaign, Key, Marks, Message, MessageId, Origin, PausedBy, PhoneNumber, Score,
    Standing, Status, Task, TextedBy, keys,
};
use crate::workflow::{Breaker, Intent, TooMany};

/// For how long after a campaign's last text what a contact says counts for it.
const STRETCH: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How a text stands for its campaign, once that is known.
fn standing(status: Status) -> Option<Standing> {
    match status {
        Status::Accepted | Status::Sent => Some(Standing::Taken),
        Status::Delivered => Some(Standing::Delivered),
        Status::Undelivered | Status::Failed => Some(Standing::Failed),
        Status::Expired | Status::Canceled | Status::Skipped => Some(Standing::Dropped),
        Status::PendingApproval
        | Status::Scheduled
        | Status::Queued
        | Status::Sending
        | Status::Unknown
        | Status::NeedsReview
        | Status::Received => None,
    }
}

/// The status of a text changed: it is counted, soon.
pub(super) fn changed(tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
    let id = &message.id;
    let Some(mine) = &mut message.aside.campaign else {
        return Ok(());
    };
    let now = standing(message.status);
    if now.is_none() || now == mine.counted || mine.tally.is_some() {
        return Ok(());
    }
    let task = Task::Tally {
        message: id.clone(),
    };
    mine.tally = Some(tx.set_timer(tx.now, task)?);
    Ok(())
}

/// An attempt begins: what the contact says from now on may be about this campaign.
pub(super) fn texted(tx: &Tx<'_>, contact: &mut Contact, mine: &InCampaign) {
    let known = contact.campaign.take().filter(|known| known.id == mine.id);
    let mut by = known.unwrap_or_else(|| {
        Box::new(TextedBy {
            id: mine.id.clone(),
            ..TextedBy::default()
        })
    });
    by.workflow.clone_from(&mine.workflow);
    by.at = tx.now;
    contact.campaign = Some(by);
}

/// A contact wrote back; an ordinary text, no word of the law.
pub(super) fn replied(tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<()> {
    let mut contact = tx.contact(phone)?;
    if said(tx, &mut contact, false)? {
        tx.put_contact(&contact)?;
    }
    Ok(())
}

/// A contact opts out; the caller stores the contact.
pub(super) fn opted_out(tx: &mut Tx<'_>, contact: &mut Contact) -> Step<()> {
    said(tx, contact, true).map(drop)
}

/// Notes what a contact said with the campaign that texted them last. Whether it is
/// news.
fn said(tx: &mut Tx<'_>, contact: &mut Contact, out: bool) -> Step<bool> {
    let phone = contact.phone.clone();
    let Some(by) = &mut contact.campaign else {
        return Ok(false);
    };
    let place = if out {
        &mut by.opted_out
    } else {
        &mut by.replied
    };
    if place.is_some() || tx.now.duration_since(by.at) > STRETCH {
        return Ok(false);
    }
    *place = Some(false);
    tx.set_timer(tx.now, Task::Heard { contact: phone })?;
    Ok(true)
}

/// Counts what a person said, once it is known that a text reached the provider.
fn count_said(score: &mut Score, by: &mut TextedBy) {
    let Some(number) = by.number else {
        return;
    };
    if by.replied == Some(false) {
        by.replied = Some(true);
        score.replied += 1;
    }
    if by.opted_out == Some(false) {
        by.opted_out = Some(true);
        score.opted_out += 1;
        score.persons.mark(number, true);
    }
}

/// It is time to count what a contact said.
pub(super) fn heard(world: World<'_>, tx: &mut Tx<'_>, phone: &PhoneNumber) -> Step<()> {
    let mut contact = tx.contact(phone)?;
    // Without a number no text was taken yet: whoever counts that counts this as well.
    let Some(by) = contact.campaign.as_mut().filter(|by| by.number.is_some()) else {
        return Ok(());
    };
    let key = keys::score(&by.id);
    let mut score: Score = tx.get(&key)?.unwrap_or_default();
    count_said(&mut score, by);
    let (id, workflow) = (by.id.clone(), by.workflow.clone());
    tx.put(key, &score)?;
    tx.put_contact(&contact)?;
    judge(world, tx, &id, &workflow, &score, None)
}

/// It is time to count how a text ended.
pub(super) fn tally(world: World<'_>, tx: &mut Tx<'_>, id: &MessageId, timer: &Key) -> Step<()> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(());
    };
    let Some(mine) = &mut message.aside.campaign else {
        return Ok(());
    };
    if mine.tally.as_ref() != Some(timer) {
        return Ok(());
    }
    mine.tally = None;
    let Some(now) = standing(message.status).filter(|now| mine.counted != Some(*now)) else {
        return texts::store(tx, &mut message);
    };
    tx.expect([keys::score(&mine.id), keys::contact(&message.contact)]);
    let key = keys::score(&mine.id);
    let mut score: Score = tx.get(&key)?.unwrap_or_default();
    let definition = campaigns::rules(world, tx, &mine.workflow)?;
    let breaker = definition.and_then(|one| one.breaker.as_ref());
    recount(&mut score, mine, now, breaker);
    let taken = matches!(now, Standing::Taken | Standing::Delivered)
        || (now == Standing::Failed && message.status == Status::Undelivered);
    if taken && !mine.taken {
        mine.taken = true;
        score.sent += 1;
        score.segments += u64::from(message.segments);
        let mut contact = tx.contact(&message.contact)?;
        person(&mut score, &mut contact, mine, breaker);
        tx.put_contact(&contact)?;
    }
    let (campaign, workflow) = (mine.id.clone(), mine.workflow.clone());
    let agent = message.agent.clone();
    tx.put(key, &score)?;
    texts::store(tx, &mut message)?;
    judge(world, tx, &campaign, &workflow, &score, Some(&agent))
}

/// Moves a text from how it was counted to how it stands.
fn recount(score: &mut Score, mine: &mut InCampaign, now: Standing, breaker: Option<&Breaker>) {
    let sum = |score: &mut Score, standing: Standing, more: bool| {
        let field = match standing {
            Standing::Taken => return,
            Standing::Delivered => &mut score.delivered,
            Standing::Failed => &mut score.failed,
            Standing::Dropped => &mut score.dropped,
        };
        *field = match more {
            true => field.saturating_add(1),
            false => field.saturating_sub(1),
        };
    };
    if let Some(before) = mine.counted {
        sum(score, before, false);
    }
    sum(score, now, true);
    mine.counted = Some(now);
    // What was not sent says nothing of what is sent.
    if now == Standing::Dropped {
        return;
    }
    let failed = now == Standing::Failed;
    match mine.number {
        Some(number) => score.outcomes.mark(number, failed),
        None => {
            if let Some(rule) = breaker.and_then(|one| one.failure_rate) {
                let most = usize::try_from(rule.last).unwrap_or(usize::MAX);
                mine.number = Some(score.outcomes.push(failed, most));
            }
        }
    }
}

/// Counts a person who was texted, once while they are among the last.
fn person(score: &mut Score, contact: &mut Contact, mine: &InCampaign, breaker: Option<&Breaker>) {
    let most = breaker
        .and_then(|one| one.opt_out_rate)
        .map_or(0, |rule| usize::try_from(rule.last).unwrap_or(usize::MAX));
    let by = contact.campaign.as_mut().filter(|by| by.id == mine.id);
    let Some(by) = by else {
        // Another campaign has texted them since.
        score.people += 1;
        score.persons.push(false, most);
        return;
    };
    match by.number {
        Some(number) if most == 0 || score.persons.holds(number) => {}
        known => {
            if known.is_none() {
                score.people += 1;
            } else {
                // Counted once, when they were among the last before.
                by.replied = by.replied.filter(|counted| !counted);
                by.opted_out = by.opted_out.filter(|counted| !counted);
            }
            by.number = Some(score.persons.push(by.opted_out == Some(true), most));
        }
    }
    count_said(score, by);
}

/// Pauses a campaign when too many are bad.
fn judge(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &str,
    workflow: &str,
    score: &Score,
    agent: Option<&str>,
) -> Step<()> {
    let definition = campaigns::rules(world, tx, workflow)?;
    let Some(breaker) = definition.and_then(|one| one.breaker.as_ref()) else {
        return Ok(());
    };
    let said = |marks: &Marks, rule: TooMany, what: &str| {
        rule.holds(marks.marked()).then(|| {
            format!(
                "{} of the last {} {what}, and {} of {} is the most",
                marks.marked(),
                marks.len(),
                rule.percent(),
                rule.last,
            )
        })
    };
    let opted_out = breaker
        .opt_out_rate
        .and_then(|rule| said(&score.persons, rule, "people opted out"));
    let why = opted_out.or_else(|| {
        let rule = breaker.failure_rate?;
        said(&score.outcomes, rule, "texts failed")
    });
    let Some(why) = why else {
        return Ok(());
    };
    if campaigns::get(tx, id)?.is_none_or(|one| one.paused.is_some()) {
        return Ok(());
    }
    campaigns::pause(tx, id, PausedBy::Breaker, &why)?;
    match &breaker.notify {
        Some(person) => notify(world, tx, id, person, &why, agent),
        None => Ok(()),
    }
}

/// Tells a person of the business, by text.
fn notify(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &str,
    to: &str,
    why: &str,
    agent: Option<&str>,
) -> Step<()> {
    let Some(person) = world.setup.people.get(to) else {
        return Ok(());
    };
    let agents = &world.setup.agents;
    let named = agent.and_then(|id| agents.get(id));
    let Some(agent) = named.or_else(|| agents.values().next()) else {
        return Ok(());
    };
    let waiting = campaigns::get(tx, id)?.map_or(0, |one| one.waiting());
    let waits = match waiting {
        0 => String::new(),
        1 => " 1 text waits.".to_owned(),
        many => format!(" {many} texts wait."),
    };
    let body = format!(
        "The campaign {id} paused itself: {why}.{waits} To let it go on: ringback campaigns resume {id}"
    );
    let thread = threads::open(tx, &agent.id, &person.phone)?;
    let draft = Draft::new(agent, body, Origin::Notice, Intent::Transactional);
    texts::queue(tx, thread, draft).map(drop)
}
