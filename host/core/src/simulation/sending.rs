//! An attempt on its way: the last look at the stopped numbers, the wire, the
//! provider, and the delivery reports that come of it.

use super::driver::{Happening, Simulation};
use super::story::Failure;
use crate::engine::{Delivery, Gated, Input, Report, SendResult};
use crate::model::{Message, Problem, keys};

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
            return Err(self.failure(format!("{id} is sent and not stored")));
        };
        let process = self.process;
        if let Some(phone) = gated.contact()
            && self.stopped.contains(phone)
        {
            self.tell(format!("{id} is called off before the first byte"));
            self.answer(process, 0, id, SendResult::CalledOff);
            return Ok(());
        }
        self.check_start(&message)?;
        if self.provider.blocked.contains(&message.contact) {
            let result = SendResult::OptedOut(problem("blocked"));
            self.answer(process, 200, id, result);
            return Ok(());
        }
        let pause = self.random.between(20, 400);
        if self.calm || !self.random.chance(self.scenario.faults.send) {
            self.tell(format!("{id} leaves"));
            let back = self.random.between(1, 100);
            self.after(
                pause,
                Happening::Arrive(process, Box::new(message), Some(back)),
            );
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
        match self.random.below(4) {
            0 => {
                self.tell(format!("{id} leaves and is lost"));
                self.lost_sight(process, &message);
            }
            1 | 2 => {
                self.tell(format!("{id} leaves and its answer is lost"));
                let late = self.random.between(10, 2_000);
                self.after(
                    late,
                    Happening::Arrive(process, Box::new(message.clone()), None),
                );
                self.lost_sight(process, &message);
            }
            _ => {
                self.tell(format!("{id} leaves and its answer is slow"));
                let slow = self.random.between(2_000, TIMEOUT);
                self.after(
                    pause,
                    Happening::Arrive(process, Box::new(message), Some(slow)),
                );
            }
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
        let result = SendResult::Unknown(problem("no_answer"));
        self.answer(process, seen, &message.id, result);
    }

    /// A request has arrived: nothing calls it back now.
    pub(super) fn arrive(
        &mut self,
        process: u64,
        message: &Message,
        answer: Option<u64>,
    ) -> Result<(), Box<Failure>> {
        let setup = &self.scenario.setup;
        let (provider_id, new) = self.provider.take(setup, message, self.now);
        if new {
            self.tell(format!(
                "the provider takes {} as {provider_id}",
                message.id
            ));
            self.report.texts += 1;
            self.check_taken(message)?;
            self.reports(message, &provider_id);
            self.contact_reads(message);
        }
        if let Some(pause) = answer {
            let result = SendResult::Accepted { provider_id };
            self.answer(process, pause, &message.id, result);
        }
        Ok(())
    }

    /// Delivery reports: lost, doubled and out of order as they please.
    fn reports(&mut self, message: &Message, provider_id: &str) {
        let last = match self.random.below(20) {
            0 => Delivery::Undelivered(problem("unreachable")),
            1 => Delivery::Failed(problem("blocked")),
            2 if !self.calm => Delivery::OptedOut(problem("stopped")),
            _ => Delivery::Delivered,
        };
        for delivery in [Delivery::Queued, Delivery::Sent, last] {
            let faults = if self.calm {
                0
            } else {
                self.scenario.faults.webhook
            };
            let copies = match self.random.chance(faults) {
                false => 1,
                true => self.random.below(4),
            };
            for _ in 0..copies {
                let named = self.random.chance(700);
                let report = Report {
                    connection: message.connection.clone(),
                    provider_id: provider_id.to_owned(),
                    id: named.then(|| message.id.clone()),
                    delivery: delivery.clone(),
                };
                let late = if self.random.chance(faults / 4) {
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
