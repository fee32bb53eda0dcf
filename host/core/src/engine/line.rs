//! The line of a campaign: texts that passed the gate and wait, because its rate lets
//! no more leave or because it is paused. They stand outside the lane of their
//! conversation, so that answers overtake them. Who is called out of it stands in
//! [`call`], what a text that waits says of itself in [`label`].
//!
//! The line and what left are one record that every text of the campaign changes. Only
//! steps of timers do so: of these few are taken at once, while webhooks and outcomes
//! may come by the hundred, and would lose to one another.

mod call;
mod label;

use jiff::{SignedDuration, Timestamp};

pub(super) use self::call::serve;
use self::label::Label;
pub(super) use self::label::relabel;
use super::texts::store;
use super::{Step, Tx, World, campaigns, held};
use crate::model::{Campaign, Conversation, InCampaign, Message, Status, Task, keys};
use crate::planted::{Planted, planted};
use crate::policy::pace::Sender;
use crate::policy::rate::{self, Calendar, NotYet};
use crate::workflow::Rate;

/// How many texts at the head of the line are looked at.
const LOOK: usize = 16;
/// Who answers somebody who has just written does not stand behind others.
const ANSWER: SignedDuration = SignedDuration::from_mins(15);

/// What a campaign says to a text that passed the gate.
pub(super) enum Leave {
    /// It may leave, and is counted when it does.
    Now(Option<Box<Counting>>),
    /// It asks in a step of its own, for which it has a timer.
    Again,
    /// It waits in line.
    InLine(Box<Joining>),
}

/// How a text that leaves is counted.
pub(super) struct Counting {
    campaign: Campaign,
    rate: Rate,
    calendar: Calendar,
    number: String,
    counted: bool,
}

/// A text that joins the line.
pub(super) struct Joining {
    campaign: Campaign,
    front: bool,
    label: Label,
    /// When the line is to be looked at.
    look: Option<Timestamp>,
}

/// The record of a text's campaign.
fn campaign_of(tx: &Tx<'_>, mine: &InCampaign) -> Step<Campaign> {
    let stored = campaigns::get(tx, &mine.id)?;
    Ok(stored.unwrap_or_else(|| Campaign::new(&mine.id, &mine.id, tx.now)))
}

/// Whether a text's campaign is paused.
pub(super) fn is_paused(tx: &Tx<'_>, message: &Message) -> Step<bool> {
    match &message.aside.campaign {
        Some(mine) => Ok(campaign_of(tx, mine)?.paused.is_some()),
        None => Ok(false),
    }
}

/// Whether a text was counted today already, by an earlier attempt.
fn is_counted(message: &Message, calendar: &Calendar, now: Timestamp) -> bool {
    let last = message.attempts.last();
    last.is_some_and(|last| rate::same_day(calendar, last.at, now))
}

/// Asks the campaign of a text that passed the gate.
pub(super) fn ask(
    world: World<'_>,
    tx: &mut Tx<'_>,
    message: &mut Message,
    conversation: &Conversation,
) -> Step<Leave> {
    let Some(mine) = message.aside.campaign.as_deref().cloned() else {
        return Ok(Leave::Now(None));
    };
    let definition = campaigns::rules(world, tx, &mine.workflow)?;
    let rated = definition.and_then(|one| Some((one, one.rate.as_ref()?)));
    let ready = mine.turn == Some(tx.now);
    if rated.is_some() && !ready {
        return again(tx, message);
    }
    let campaign = campaign_of(tx, &mine)?;
    let front = mine.front || !message.attempts.is_empty();
    if let Some(pause) = campaign
        .paused
        .as_ref()
        .filter(|_| !planted(Planted::TextWhilePaused))
    {
        if !ready {
            return again(tx, message);
        }
        let label = Label::paused(pause);
        return Ok(Leave::InLine(Box::new(Joining {
            campaign,
            front,
            label,
            look: None,
        })));
    }
    let Some((definition, rate)) = rated else {
        return Ok(Leave::Now(None));
    };
    let calendar = Calendar::of(definition, world.setup);
    let number = Sender::of(message).to_string();
    let counted = is_counted(message, &calendar, tx.now);
    let answers = conversation
        .last_inbound_at
        .is_some_and(|at| tx.now.duration_since(at) <= ANSWER);
    let behind = campaign.waiting() > 0 && !front && !answers;
    let asked = match rate::ask(rate, &calendar, &campaign, &number, counted, tx.now) {
        Err(_) if planted(Planted::ForgetRate) => Ok(()),
        asked => asked,
    };
    let NotYet { until, rate: over } = match asked {
        Ok(()) if !behind => {
            return Ok(Leave::Now(Some(Box::new(Counting {
                campaign,
                rate: rate.clone(),
                calendar,
                number,
                counted,
            }))));
        }
        Ok(()) => NotYet {
            until: tx.now,
            rate: label::slowest(rate),
        },
        Err(not_yet) => not_yet,
    };
    let before = if front || answers {
        0
    } else {
        campaign.waiting()
    };
    let goes = rate::estimate(rate, &calendar, &campaign, before, until, tx.now);
    // Where it would not be looked at anyway, there is no need to look earlier.
    let seen = campaign.waiting() < u64::try_from(LOOK).unwrap_or(u64::MAX);
    Ok(Leave::InLine(Box::new(Joining {
        label: Label::rate(&over, definition, before, goes),
        front: front || answers,
        look: (campaign.timer.is_none() || seen).then_some(until),
        campaign,
    })))
}

/// Leaves a text at the head of its lane, to ask in a step of its own.
fn again(tx: &mut Tx<'_>, message: &mut Message) -> Step<Leave> {
    tx.drop_timer(message.timer.take());
    message.not_before = Some(tx.now);
    let task = Task::Text {
        message: message.id.clone(),
    };
    message.timer = Some(tx.set_timer(tx.now, task)?);
    store(tx, message)?;
    Ok(Leave::Again)
}

/// A timer of its own brought a text back: in this step it may ask.
pub(super) fn may_ask(tx: &Tx<'_>, message: &mut Message) {
    if let Some(mine) = &mut message.aside.campaign {
        mine.turn = Some(tx.now);
        mine.waits = false;
    }
}

/// Counts a text that leaves.
pub(super) fn count(
    tx: &mut Tx<'_>,
    counting: Option<Box<Counting>>,
    message: &mut Message,
) -> Step<()> {
    if let Some(mine) = &mut message.aside.campaign {
        mine.turn = None;
        mine.front = false;
    }
    let Some(mut one) = counting else {
        return Ok(());
    };
    rate::take(
        &one.rate,
        &one.calendar,
        &mut one.campaign,
        &one.number,
        one.counted,
        tx.now,
    );
    campaigns::put(tx, &one.campaign)
}

/// Puts a text into the line. It has left its lane.
pub(super) fn join(tx: &mut Tx<'_>, mut message: Message, joining: Joining) -> Step<()> {
    let Joining {
        mut campaign,
        front,
        label,
        look,
    } = joining;
    if front {
        campaign.ahead.insert(0, message.id.clone());
    } else {
        let key = keys::in_campaign_line(&campaign.id, campaign.next);
        tx.put(key, &message.id)?;
        campaign.next += 1;
    }
    if let Some(look) = look {
        look_at(tx, &mut campaign, look)?;
    }
    campaigns::put(tx, &campaign)?;
    if let Some(mine) = &mut message.aside.campaign {
        mine.waits = true;
        mine.turn = None;
        mine.front = false;
    }
    message.status = Status::Scheduled;
    message.aside.turn = None;
    tx.drop_timer(message.timer.take());
    if let Some(until) = message.valid_until {
        // Its time may be over before its turn.
        let task = Task::Text {
            message: message.id.clone(),
        };
        message.timer = Some(tx.set_timer(until, task)?);
    }
    let what = format!("{}{}", label.text, label::shown(label.until));
    held::note_in_run(tx, &message, "waits", &what)?;
    label.put(tx, message)
}

/// Has the line looked at, at a time; earlier than it would be, never later.
fn look_at(tx: &mut Tx<'_>, campaign: &mut Campaign, at: Timestamp) -> Step<()> {
    let set = campaign.timer.as_ref().and_then(keys::timer_due);
    if set.is_some_and(|set| set <= at) {
        return Ok(());
    }
    tx.drop_timer(campaign.timer.take());
    let task = Task::Line {
        campaign: campaign.id.clone(),
    };
    campaign.timer = Some(tx.set_timer(at.max(tx.now), task)?);
    Ok(())
}
