//! I8: what delivery reports said. A text that arrived twice is shown as such, and
//! a report is believed of the attempt that it speaks of and of no other.

use std::collections::BTreeSet;

use super::driver::Simulation;
use super::invariants::Checked;
use crate::engine::{Answer, Delivery, Report};
use crate::model::{Message, Outcome, Status, keys};

/// What the provider reported, by its own ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    /// The host took a report that it went on.
    arrived: BTreeSet<String>,
    /// A report says that it did not, or will.
    failing: BTreeSet<String>,
}

impl Reported {
    /// The provider will report this.
    pub(super) fn will_be(&mut self, provider_id: &str, delivery: &Delivery) {
        if !matches!(
            delivery,
            Delivery::Queued | Delivery::Sent | Delivery::Delivered
        ) {
            self.failing.insert(provider_id.to_owned());
        }
    }
}

impl Simulation {
    /// The host answered a report.
    pub(super) fn reported(&mut self, report: &Report, answer: &Answer) -> Checked {
        let went = matches!(report.delivery, Delivery::Sent | Delivery::Delivered);
        if !went || *answer == Answer::Unknown {
            return Ok(());
        }
        let reported = &mut self.truth.reported;
        reported.arrived.insert(report.provider_id.clone());
        let taken = &self.provider.taken;
        let Some(one) = taken
            .iter()
            .find(|one| one.provider_id == report.provider_id)
        else {
            return Ok(());
        };
        let id = &one.message.id;
        let same = taken.iter().filter(|other| other.message.id == *id);
        let arrived = same.filter(|one| {
            reported.arrived.contains(&one.provider_id)
                && !reported.failing.contains(&one.provider_id)
        });
        if arrived.count() < 2 {
            return Ok(());
        }
        let message = self.get::<Message>(&keys::message(id))?;
        if message.is_some_and(|message| !message.aside.twice) {
            return Err(self.failure(format!("I8: {id} arrived twice and nobody is told")));
        }
        Ok(())
    }

    /// A text failed by the word of its provider: of the attempt that counts.
    pub(super) fn check_reported(&self, message: &Message) -> Checked {
        let failed = matches!(message.status, Status::Failed | Status::Undelivered);
        let last = message.attempts.last().and_then(|one| one.outcome.as_ref());
        if failed
            && let Some(Outcome::Accepted { provider_id }) = last
            && !provider_id.is_empty()
            && !self.truth.reported.failing.contains(provider_id)
        {
            let text = format!(
                "I8: {} counts as failed, which nobody said of {provider_id}",
                message.id
            );
            return Err(self.failure(text));
        }
        Ok(())
    }
}
