//! Who is called out of a campaign's line: one timer of the campaign calls them, in
//! the order in which they came, and they pass the gate again. A text whose own hours
//! have not come lets those behind it pass.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::campaigns::{self, LONG};
use super::super::texts::{rejoin, store};
use super::super::{Step, Tx, World};
use super::{LOOK, is_counted, look_at, may_ask};
use crate::model::{Campaign, Contact, Conversation, Key, Message, MessageId, Status, keys};
use crate::policy::pace::Sender;
use crate::policy::rate::{self, Calendar};
use crate::policy::{self, Known, Ruling};

/// When a text is called whose conversation is busy.
const BUSY: SignedDuration = SignedDuration::from_secs(5);

/// Takes texts from the line to its head.
fn fill(tx: &mut Tx<'_>, campaign: &mut Campaign) -> Step<()> {
    let room = u64::try_from(LOOK.saturating_sub(campaign.ahead.len())).unwrap_or(0);
    let end = campaign.next.min(campaign.first.saturating_add(room));
    let place = |number| keys::in_campaign_line(&campaign.id, number);
    tx.expect((campaign.first..end).map(place));
    let mut found = Vec::new();
    for number in campaign.first..end {
        let key = place(number);
        found.extend(tx.get::<MessageId>(&key)?);
        tx.delete(key);
    }
    campaign.first = end;
    campaign.ahead.extend(found);
    Ok(())
}

/// The texts at the head of the line that still wait, with what the gate wants to know.
fn heads(tx: &Tx<'_>, campaign: &Campaign) -> Step<Vec<(Message, Conversation, Contact)>> {
    tx.expect(campaign.ahead.iter().map(keys::message));
    let mut texts = Vec::with_capacity(campaign.ahead.len());
    for id in &campaign.ahead {
        let message: Option<Message> = tx.get(&keys::message(id))?;
        texts.extend(message.filter(waits));
    }
    tx.expect(texts.iter().flat_map(|one| {
        [
            keys::conversation(&one.conversation),
            keys::contact(&one.contact),
        ]
    }));
    let mut heads = Vec::with_capacity(texts.len());
    for message in texts {
        let key = keys::conversation(&message.conversation);
        if let Some(conversation) = tx.get::<Conversation>(&key)? {
            let contact = tx.contact(&message.contact)?;
            heads.push((message, conversation, contact));
        }
    }
    Ok(heads)
}

/// Whether a text stands in the line.
pub(super) fn waits(message: &Message) -> bool {
    let mine = message.aside.campaign.as_ref();
    message.status == Status::Scheduled && mine.is_some_and(|mine| mine.waits)
}

/// The timer of the line is due: those are called whose turn it is.
pub(in super::super) fn serve(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &str,
    timer: &Key,
) -> Step<()> {
    let Some(mut campaign) = campaigns::get(tx, id)? else {
        return Ok(());
    };
    if campaign.timer.as_ref() != Some(timer) {
        return Ok(());
    }
    campaign.timer = None;
    if campaign.paused.is_some() {
        return campaigns::put(tx, &campaign);
    }
    fill(tx, &mut campaign)?;
    let heads = heads(tx, &campaign)?;
    let gone = campaign.ahead.len() - heads.len();
    let mut rest = Vec::with_capacity(heads.len());
    let mut called = Vec::new();
    let mut look: Option<Timestamp> = None;
    let mut spoken: BTreeSet<_> = BTreeSet::new();
    // What those that are called will use up, so that not more are called than may leave.
    let mut used = campaign.clone();
    for (message, conversation, contact) in heads {
        let may = may_be_called(world, tx, &mut used, &message, &conversation, &contact)?;
        let may = may.and_then(|()| match spoken.insert(message.conversation.clone()) {
            true => Ok(()),
            false => Err(later(tx.now, BUSY)),
        });
        match may {
            Ok(()) => called.push(message),
            Err(until) => {
                look = Some(look.map_or(until, |look| look.min(until)));
                rest.push(message.id);
            }
        }
    }
    campaign.ahead = rest;
    if campaign.waiting() > 0 {
        // Those who are called may not leave after all, so the next look is at once.
        let progress = !called.is_empty() || gone > 0;
        let at = if progress {
            tx.now
        } else {
            look.unwrap_or(tx.now)
        };
        look_at(tx, &mut campaign, at)?;
    }
    let mut fans = Vec::new();
    if campaign.waiting() < LONG / 2 {
        fans = std::mem::take(&mut campaign.fans);
    }
    campaigns::put(tx, &campaign)?;
    campaigns::wake(tx, &fans)?;
    for message in called {
        call(tx, message)?;
    }
    Ok(())
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether a text at the head of the line may leave now; else when to look again. What
/// the gate refuses is called, too: it comes to its end by that.
fn may_be_called(
    world: World<'_>,
    tx: &Tx<'_>,
    used: &mut Campaign,
    message: &Message,
    conversation: &Conversation,
    contact: &Contact,
) -> Step<Result<(), Timestamp>> {
    let Some(mine) = &message.aside.campaign else {
        return Ok(Ok(()));
    };
    let definition = campaigns::rules(world, tx, &mine.workflow)?;
    let rated = definition.and_then(|one| Some((one, one.rate.as_ref()?)));
    let rated = rated.map(|(one, rate)| (Calendar::of(one, world.setup), rate));
    let number = Sender::of(message).to_string();
    if let Some((calendar, rate)) = &rated {
        let counted = is_counted(message, calendar, tx.now);
        if let Err(not_yet) = rate::ask(rate, calendar, used, &number, counted, tx.now) {
            return Ok(Err(not_yet.until));
        }
    }
    if conversation.in_flight.is_some() || !conversation.lane.is_empty() {
        return Ok(Err(later(tx.now, BUSY)));
    }
    let known = Known {
        message,
        contact,
        conversation,
        setup: world.setup,
    };
    match policy::gate(&known, tx.now).0 {
        Ruling::Defer { until, .. } => return Ok(Err(until)),
        Ruling::Refuse { .. } => {}
        Ruling::Pass => {
            if let Some((calendar, rate)) = &rated {
                let counted = is_counted(message, calendar, tx.now);
                rate::take(rate, calendar, used, &number, counted, tx.now);
            }
        }
    }
    Ok(Ok(()))
}

/// Calls a text out of the line: it goes through the gate in this same step.
fn call(tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
    may_ask(tx, &mut message);
    if let Some(mine) = &mut message.aside.campaign {
        mine.front = true;
    }
    tx.drop_timer(message.timer.take());
    message.status = Status::Queued;
    message.not_before = None;
    message.updated_at = tx.now;
    store(tx, &mut message)?;
    rejoin(tx, &message, false)
}
