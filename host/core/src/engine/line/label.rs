//! What a text that waits for its campaign says of itself: why, and until when, which
//! is an estimate.

use jiff::Timestamp;

use super::super::campaigns;
use super::super::texts::{store, tell};
use super::super::{Step, Tx, World};
use super::call::waits;
use super::is_counted;
use crate::model::{Campaign, Message, MessageId, Pause, Task, Verdict, keys};
use crate::policy::pace::Sender;
use crate::policy::rate::{self, Calendar, NotYet};
use crate::workflow::{Definition, Rate};

/// The word for texts that wait for their turn.
const RATE: &str = "rate";
/// The word for texts that wait because their campaign is paused.
const PAUSED: &str = "campaign_paused";
/// How many are told why they wait in one step.
const LABELS: u64 = 25;

/// Why a text waits.
pub(super) struct Label {
    word: &'static str,
    pub(super) text: String,
    pub(super) until: Option<Timestamp>,
}

impl Label {
    pub(super) fn paused(pause: &Pause) -> Self {
        Self {
            word: PAUSED,
            text: format!("its campaign is {pause}"),
            until: None,
        }
    }

    pub(super) fn rate(rate: &str, definition: &Definition, before: u64, until: Timestamp) -> Self {
        let whose = match &definition.campaign {
            Some(name) => format!("the campaign {name}"),
            None => "this workflow".to_owned(),
        };
        let place = match before {
            0 => "it is the next".to_owned(),
            1 => "1 text goes before it".to_owned(),
            many => format!("{many} texts go before it"),
        };
        Self {
            word: RATE,
            text: format!("over {rate} of {whose}; {place}"),
            until: Some(until),
        }
    }

    /// Tells a text why it waits.
    pub(super) fn put(self, tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
        message.reason = Some(self.word.to_owned());
        message.not_before = self.until;
        message.updated_at = tx.now;
        message.verdicts.retain(|one| one.rule != RATE);
        message.verdicts.push(Verdict {
            at: tx.now,
            rule: RATE.into(),
            verdict: "deferred".into(),
            reason: self.text,
            until: self.until,
        });
        tell(tx, "message.status", &message);
        store(tx, &mut message)
    }
}

/// What a rate is called when not it, but those before hold a text.
pub(super) fn slowest(rate: &Rate) -> String {
    let times = rate.total.or(rate.per_number);
    times.map_or(String::new(), |times| times.to_string())
}

/// A time, as it stands behind a reason.
pub(super) fn shown(until: Option<Timestamp>) -> String {
    until.map_or(String::new(), |until| format!("; goes at {until:.0}"))
}

/// Tells texts of the line why they wait, from a number on; the others in further
/// steps.
pub(in super::super) fn relabel(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &str,
    from: u64,
) -> Step<()> {
    let Some(campaign) = campaigns::get(tx, id)? else {
        return Ok(());
    };
    let first = from.max(campaign.first);
    let end = campaign.next.min(first.saturating_add(LABELS));
    let place = |number| keys::in_campaign_line(id, number);
    tx.expect((first..end).map(place));
    let ahead = if from == 0 { &campaign.ahead[..] } else { &[] };
    let mut wanted: Vec<MessageId> = ahead.to_vec();
    for number in first..end {
        wanted.extend(tx.get::<MessageId>(&place(number))?);
    }
    tx.expect(wanted.iter().map(keys::message));
    let aheads = u64::try_from(campaign.ahead.len()).unwrap_or(u64::MAX);
    let before = match from {
        0 => 0,
        _ => first.saturating_sub(campaign.first).saturating_add(aheads),
    };
    for (before, one) in (before..).zip(wanted) {
        let message: Option<Message> = tx.get(&keys::message(&one))?;
        if let Some(message) = message.filter(waits)
            && let Some(label) = label_of(world, tx, &campaign, &message, before)?
        {
            label.put(tx, message)?;
        }
    }
    if end < campaign.next {
        let task = Task::Relabel {
            campaign: id.to_owned(),
            from: end,
        };
        tx.set_timer(tx.now, task)?;
    }
    Ok(())
}

/// Why a text waits that stands in line.
fn label_of(
    world: World<'_>,
    tx: &Tx<'_>,
    campaign: &Campaign,
    message: &Message,
    before: u64,
) -> Step<Option<Label>> {
    if let Some(pause) = &campaign.paused {
        return Ok(Some(Label::paused(pause)));
    }
    let Some(mine) = &message.aside.campaign else {
        return Ok(None);
    };
    let Some(definition) = campaigns::rules(world, tx, &mine.workflow)? else {
        return Ok(None);
    };
    let Some(rate) = &definition.rate else {
        return Ok(None);
    };
    let calendar = Calendar::of(definition, world.setup);
    let number = Sender::of(message).to_string();
    let counted = is_counted(message, &calendar, tx.now);
    let asked = rate::ask(rate, &calendar, campaign, &number, counted, tx.now);
    let not_yet = asked.err().unwrap_or_else(|| NotYet {
        until: tx.now,
        rate: slowest(rate),
    });
    let goes = rate::estimate(rate, &calendar, campaign, before, not_yet.until, tx.now);
    Ok(Some(Label::rate(&not_yet.rate, definition, before, goes)))
}
