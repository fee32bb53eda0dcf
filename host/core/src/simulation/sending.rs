//! An attempt on its way: the last look at the stopped numbers, the wire, the
//! provider, and the delivery reports that come of it.

use super::agenda::Happening;
use super::driver::Simulation;
use super::scenario::Fault;
use super::script::{Position, Wire};
use super::story::Failure;
use crate::engine::{Delivery, Gated, Input, Report, SendResult};
use crate::model::{Message, Problem, keys};
use crate::planted::{Planted, planted};

/// How long the host waits for an answer, in milliseconds.
const TIMEOUT: u64 = 10_000;

pub(super) fn problem(code: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        text: format!("simulated: {code}"),
    }
}

impl Simulation {
    /// The host is about to send the first byte.
    pub(super) fn start(&mut self, gated: &Gated) -> Result<(), Box<Failure>> {
        let id = gated.message();
        let Some(message) = self.get::<Message>(&keys::message(id))? else {
            return Err(self.failure(format!("I3: {id} is sent and not stored")));
        };
        let process = self.process;
        if let Some(phone) = gated.contact()
            && self.stopped.contains(phone)
            && !planted(Planted::NoLastLook)
        {
            self.tell(format!("{id} is called off before the first byte"));
            self.answer(process, 0, id, SendResult::CalledOff);
            return Ok(());
        }
        self.check_start(&message)?;
        if self.script.is_some() {
            return self.start_scripted(&message);
        }
        if self.provider.blocked.contains(&message.contact) {
            let result = SendResult::OptedOut(problem("blocked"));
            self.answer(process, 200, id, result);
            return Ok(());
        }
        let pause = self.random.between(20, 400);
        if self.time < self.outage {
            self.tell(format!("{id} is refused: the provider is down"));
            self.answer(process, pause, id, SendResult::Unavailable(problem("down")));
            return Ok(());
        }
        if !self.fault(Fault::Send, self.scenario.faults.send) {
            self.tell(format!("{id} leaves"));
            let back = self.random.between(1, 100);
            let message = Box::new(Message::clone(&message));
            self.after(pause, Happening::Arrive(process, message, Some(back)));
            return Ok(());
        }
        let refused = match self.random.below(12) {
            0 => Some(SendResult::Rejected(problem("invalid"))),
            1 => Some(SendResult::Misconfigured(problem("bad_token"))),
            2 => Some(SendResult::RateLimited(None, problem("busy"))),
            3 => {
                let seconds = u32::try_from(self.random.below(20)).unwrap_or(0);
                Some(SendResult::RateLimited(Some(seconds), problem("busy")))
            }
            4 | 5 => Some(SendResult::Unavailable(problem("down"))),
            _ => None,
        };
        if let Some(refused) = refused {
            self.tell(format!("{id} leaves and is refused: {refused:?}"));
            self.answer(process, pause, id, refused);
            return Ok(());
        }
        let message = Message::clone(&message);
        match self.random.below(4) {
            0 => {
                self.tell(format!("{id} leaves and is lost"));
                self.lost_sight(process, &message);
            }
            1 | 2 => {
                self.tell(format!("{id} leaves and its answer is lost"));
                let late = self.random.between(10, 2_000);
                self.lost_sight(process, &message);
                self.after(late, Happening::Arrive(process, Box::new(message), None));
            }
            _ => {
                self.tell(format!("{id} leaves and its answer is slow"));
                let slow = self.random.between(2_000, TIMEOUT);
                let message = Box::new(message);
                self.after(pause, Happening::Arrive(process, message, Some(slow)));
            }
        }
        Ok(())
    }

    /// An attempt of a script: what becomes of it, and whether the host dies
    /// over it.
    fn start_scripted(&mut self, message: &Message) -> Result<(), Box<Failure>> {
        let process = self.process;
        let crash = self.crash_at_request();
        if let Some(Position::Before) = crash {
            self.crash("before the request");
            return Ok(());
        }
        let wire = self.wire().unwrap_or(Wire::Accept);
        self.tell(format!("{} leaves: {wire:?}", message.id));
        let arrives = matches!(wire, Wire::Accept | Wire::LoseAnswer);
        if arrives && crash != Some(Position::TornLost) {
            let answers = wire == Wire::Accept && crash.is_none();
            self.arrive(process, message, answers.then_some(20))?;
        }
        if crash.is_some() {
            self.crash("over the request");
            return Ok(());
        }
        match wire {
            Wire::Accept => {}
            Wire::Say(result) => self.answer(process, 20, &message.id, result),
            Wire::LoseRequest | Wire::LoseAnswer => self.lost_sight(process, message),
        }
        Ok(())
    }

    fn lost_sight(&mut self, process: u64, message: &Message) {
        self.report.unknown += 1;
        // A reset is seen at once, a timeout late.
        let seen = if self.random.chance(500) {
            TIMEOUT
        } else {
            2_100
        };
        let result = match planted(Planted::TrustTimeout) {
            true => SendResult::Unavailable(problem("no_answer")),
            false => SendResult::Unknown(problem("no_answer")),
        };
        self.answer(process, seen, &message.id, result);
    }

    /// A request has arrived: nothing calls it back now.
    pub(super) fn arrive(
        &mut self,
        process: u64,
        message: &Message,
        answer: Option<u64>,
    ) -> Result<(), Box<Failure>> {
        if self.get::<Message>(&keys::message(&message.id))?.is_none() {
            let text = format!("I3: the provider gets {}, which is not stored", message.id);
            return Err(self.failure(text));
        }
        let setup = &self.scenario.setup;
        let (provider_id, new) = self.provider.take(setup, message, self.time);
        if new {
            self.tell(format!(
                "the provider takes {} as {provider_id}",
                message.id
            ));
            self.report.texts += 1;
            self.check_taken(message)?;
            self.reports(message, &provider_id, answer.is_none());
            self.contact_reads(message);
        }
        if let Some(pause) = answer {
            let result = SendResult::Accepted { provider_id };
            self.answer(process, pause, &message.id, result);
        }
        Ok(())
    }

    /// Delivery reports: lost, doubled and out of order as they please. A provider
    /// that did not answer may be as slow with them: then they come when the text
    /// was sent again long since.
    fn reports(&mut self, message: &Message, provider_id: &str, unanswered: bool) {
        if self.script.as_ref().is_some_and(|script| !script.reports)
            || (!self.calm && !self.fault(Fault::Report, 1_000))
        {
            return;
        }
        let last = match self.random.below(20) {
            _ if self.script.is_some() => Delivery::Delivered,
            0 => Delivery::Undelivered(problem("unreachable")),
            1 => Delivery::Failed(problem("blocked")),
            2 if !self.calm => Delivery::OptedOut(problem("stopped")),
            _ => Delivery::Delivered,
        };
        self.truth.reported.will_be(provider_id, &last);
        let slow = unanswered && self.script.is_none() && self.random.chance(700);
        for delivery in [Delivery::Queued, Delivery::Sent, last] {
            let faults = self.scenario.faults.webhook;
            let copies = match self.fault(Fault::Webhook, faults) {
                false => 1,
                true => self.random.below(4),
            };
            for _ in 0..copies {
                let named = self.random.chance(700) || self.script.is_some();
                let report = Report {
                    connection: message.connection.clone(),
                    provider_id: provider_id.to_owned(),
                    id: named.then(|| message.id.clone()),
                    delivery: delivery.clone(),
                };
                let late = if slow || self.fault(Fault::Webhook, faults / 4) {
                    200_000
                } else {
                    6_000
                };
                let pause = self.random.between(10, late);
                self.after(pause, Happening::Hook(Input::Report(report), 0));
            }
        }
    }
}
