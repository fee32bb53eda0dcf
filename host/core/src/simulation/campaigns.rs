//! I9: a campaign never texts more than its rate, and not at all while it is paused.
//! A day is one of the wall clock; shorter stretches are looked at as long as that
//! clock does not jump.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::driver::Simulation;
use super::invariants::Checked;
use super::story::Failure;
use crate::engine::{Act, Command, Input};
use crate::model::{Campaign, Message, MessageId, Outcome, Task, keys};
use crate::policy::pace::Sender;
use crate::workflow::{Per, Rate};

/// What the simulator saw of campaigns.
#[derive(Clone, Debug, Default)]
pub(super) struct Campaigns {
    paused: BTreeSet<String>,
    /// The texts that began on a day.
    days: BTreeMap<(String, String), BTreeSet<MessageId>>,
    /// The attempts since the clock jumped last.
    lately: Vec<(Timestamp, String, Sender)>,
}

impl Campaigns {
    /// The wall clock jumps.
    pub(super) fn jumped(&mut self) {
        self.lately.clear();
    }
}

impl Simulation {
    /// Whether a text stands in the line of its campaign, and the line moves.
    pub(super) fn is_in_line(&self, message: &Message) -> Result<bool, Box<Failure>> {
        let Some(mine) = message.aside.campaign.as_ref().filter(|mine| mine.waits) else {
            return Ok(false);
        };
        let Some(campaign) = self.get::<Campaign>(&keys::campaign(&mine.id))? else {
            return Ok(false);
        };
        let mut stands = campaign.ahead.contains(&message.id);
        for number in campaign.first..campaign.next {
            let place = keys::in_campaign_line(&mine.id, number);
            let id = self.get::<MessageId>(&place)?;
            stands |= id.is_some_and(|id| *id == message.id);
        }
        let task = Task::Line {
            campaign: mine.id.clone(),
        };
        let moves = campaign.paused.is_some() || self.armed(campaign.timer.as_ref(), &task)?;
        Ok(stands && moves)
    }

    /// Looks at what a commit lets leave.
    pub(super) fn check_campaigns(&mut self, act: &Act) -> Checked {
        for entry in &act.entries {
            let id = entry.data.get("campaign").and_then(|id| id.as_str());
            let id = id.unwrap_or_default();
            match entry.kind.as_str() {
                "campaign.paused" => {
                    self.report.pauses += 1;
                    self.truth.campaigns.paused.insert(id.to_owned());
                }
                "campaign.resumed" => {
                    self.truth.campaigns.paused.remove(id);
                }
                _ => {}
            }
        }
        for command in &act.commands {
            if let Command::Send(gated) = command
                && let Some(message) = self.get::<Message>(&keys::message(gated.message()))?
            {
                self.check_campaign_of(&message)?;
            }
        }
        Ok(())
    }

    fn check_campaign_of(&mut self, message: &Message) -> Checked {
        let Some(mine) = &message.aside.campaign else {
            return Ok(());
        };
        if self.truth.campaigns.paused.contains(&mine.id) {
            let text = format!("I9: {} leaves and {} is paused", message.id, mine.id);
            return Err(self.failure(text));
        }
        let before = message.attempts.iter().rev().nth(1);
        if before.is_some_and(|one| matches!(one.outcome, Some(Outcome::Unknown { .. }))) {
            // The same attempt, made again to find out how it ended.
            return Ok(());
        }
        let rate = self.library.values().find_map(|one| {
            let mine = one.definition.id == mine.workflow;
            one.definition.rate.clone().filter(|_| mine)
        });
        match rate {
            Some(rate) => self.check_rate(message, &mine.id, &rate),
            None => Ok(()),
        }
    }

    fn check_rate(&mut self, message: &Message, campaign: &str, rate: &Rate) -> Checked {
        let zone = TimeZone::get(&self.scenario.setup.business.zone).unwrap_or(TimeZone::UTC);
        let day = zone.to_datetime(self.now).date().to_string();
        let (now, seen) = (self.time, &mut self.truth.campaigns);
        let texts = seen.days.entry((campaign.to_owned(), day)).or_default();
        texts.insert(message.id.clone());
        let today = texts.len();
        let sender = Sender::of(message);
        seen.lately
            .retain(|(at, ..)| now.duration_since(*at) < SignedDuration::from_mins(1));
        seen.lately.push((now, campaign.to_owned(), sender.clone()));
        let lately = seen.lately.iter();
        let lately = lately
            .filter(|(_, other, from)| other == campaign && *from == sender)
            .count();
        let most = |times: Option<crate::workflow::Times>, per| {
            let times = times.filter(|times| times.per == per);
            times.map_or(usize::MAX, |times| times.count as usize)
        };
        if today > most(rate.total, Per::Day) || lately > most(rate.per_number, Per::Minute) {
            let text = format!(
                "I9: {} is number {today} of its day and {lately} of its minute at {campaign}",
                message.id
            );
            return Err(self.failure(text));
        }
        Ok(())
    }

    /// A person lets a campaign go on, when nothing else happens any more.
    pub(super) fn open_pause(&self) -> Result<Option<Input>, Box<Failure>> {
        let (from, to) = keys::table(b'C');
        for (key, _) in self.state.range(&from, &to) {
            if let Some(campaign) = self.get::<Campaign>(key)?
                && campaign.paused.is_some()
            {
                return Ok(Some(Input::Resume(campaign.id.clone())));
            }
        }
        Ok(None)
    }

    /// What must hold of campaigns when nothing is going to happen any more.
    pub(super) fn check_lines(&self) -> Checked {
        let (from, to) = keys::table(b'C');
        for (key, _) in self.state.range(&from, &to) {
            let Some(campaign) = self.get::<Campaign>(key)? else {
                continue;
            };
            if campaign.waiting() > 0 || campaign.starts_waiting() > 0 {
                return Err(self.failure(format!("I1: {campaign:?} waits for ever")));
            }
        }
        Ok(())
    }
}
