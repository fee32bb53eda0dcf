//! The provider and the phones of a rehearsal: every text is taken after a moment
//! and arrives, every call rings until nobody has answered, unless the plan says
//! otherwise.

use jiff::SignedDuration;

use super::starting;
use super::world::{Deed, TAKES, TALK, World};
use crate::engine::{CallOutcome, Delivery, Input, PlaceResult, Report, SendResult};
use crate::model::{Call, CallId, Message, MessageId, Origin, PhoneNumber, Problem, Run, keys};
use crate::workflow::{CallEnd, Fate, Happening};

/// What a text takes to arrive.
const ARRIVES: SignedDuration = SignedDuration::from_secs(2);

impl World<'_> {
    /// A text is handed over.
    pub(super) fn hand_over(&mut self, id: &MessageId) {
        let Some(message) = self.get::<Message>(&keys::message(id)) else {
            return;
        };
        let own = message.origin != Origin::Notice;
        let fate = match self.next_fate.take_if(|_| own) {
            Some(fate) => fate,
            None if own => self.fate,
            None => Fate::Delivered,
        };
        if fate == Fate::Refused {
            let problem = problem("the provider refuses it, as the plan says");
            self.input_after(
                TAKES,
                Input::Sent(id.clone(), SendResult::Rejected(problem)),
            );
            return;
        }
        self.issued += 1;
        let provider_id = format!("P{}", self.issued);
        let accepted = SendResult::Accepted { provider_id };
        self.input_after(TAKES, Input::Sent(id.clone(), accepted));
        if !own {
            return;
        }
        if let Some(earlier) = self.held.take() {
            self.arrive(&earlier, self.fate);
        }
        let later = |deed: &Deed| matches!(deed, Deed::Happens(Happening::Delivery(_)));
        if self.agenda.values().any(later) {
            self.held = Some(id.clone());
        } else {
            self.arrive(id, fate);
        }
    }

    /// The plan says what becomes of a text.
    pub(super) fn told_fate(&mut self, fate: Fate) {
        match self.held.take() {
            Some(held) if fate == Fate::Refused => {
                self.arrive(&held, self.fate);
                self.next_fate = Some(fate);
            }
            Some(held) => self.arrive(&held, fate),
            None => self.next_fate = Some(fate),
        }
    }

    /// The provider's report on a text comes in a moment.
    fn arrive(&mut self, id: &MessageId, fate: Fate) {
        let Some(message) = self.get::<Message>(&keys::message(id)) else {
            return;
        };
        let delivery = match fate {
            Fate::Delivered | Fate::Refused => Delivery::Delivered,
            Fate::Undelivered => {
                Delivery::Undelivered(problem("the phone did not get it, as the plan says"))
            }
            Fate::Failed => Delivery::Failed(problem("the network lost it, as the plan says")),
        };
        let report = Report {
            connection: message.connection,
            provider_id: message.provider_id.unwrap_or_default(),
            id: Some(id.clone()),
            delivery,
        };
        self.input_after(ARRIVES, Input::Report(report));
    }

    /// A call is placed.
    pub(super) fn place(&mut self, id: &CallId) {
        let Some(call) = self.get::<Call>(&keys::call(id)) else {
            return;
        };
        let run = call.run.as_ref().and_then(|run| self.get(&keys::run(run)));
        let step = run.and_then(|run: Run| {
            let workflow = self.catalog.by_hash.get(&run.definition)?;
            Some(workflow.definition.steps.get(run.cursor)?.id.clone())
        });
        let ring = SignedDuration::from_secs(i64::from(call.ring_for.max(1)));
        let goes = self.outside.call(step.as_deref());
        self.watch
            .calls(self.now, step.as_deref(), &call, &goes.text);
        if let Some(error) = goes.error {
            let result = PlaceResult::Refused(problem(&error));
            self.input_after(TAKES, Input::Placed(id.clone(), result));
            return;
        }
        self.issued += 1;
        let provider_id = format!("C{}", self.issued);
        self.input_after(
            TAKES,
            Input::Placed(id.clone(), PlaceResult::Accepted { provider_id }),
        );
        self.ringing = Some(id.clone());
        if let Some(mut report) = goes.report {
            starting::ours(&mut report, &call);
            report.provider_id = format!("C{}", self.issued);
            let took = report.duration.map_or(ring, |seconds| {
                SignedDuration::from_secs(i64::from(seconds).saturating_add(5))
            });
            self.input_after(took, Input::Call(report));
        } else {
            self.after(ring, Deed::Rings(id.clone(), CallOutcome::NoAnswer));
        }
    }

    /// A phone that we let ring is taken, or not.
    pub(super) fn call_ends(&mut self, id: &CallId, outcome: CallOutcome) {
        let Some(call) = self.get::<Call>(&keys::call(id)) else {
            return;
        };
        if call.status.ended() {
            return;
        }
        let mut report = starting::report(outcome);
        starting::ours(&mut report, &call);
        report.provider_id = call.provider_id.clone().unwrap_or_default();
        if outcome == CallOutcome::Completed {
            report.duration = u32::try_from(TALK.as_secs()).ok();
        }
        self.ringing.take_if(|ringing| ringing == id);
        self.take(&Input::Call(report));
    }

    /// Somebody calls; or that is how the call goes that rings.
    pub(super) fn call_comes(&mut self, phone: &PhoneNumber, end: CallEnd) {
        if let Some(ringing) = self.ringing.clone() {
            let rings = self.get::<Call>(&keys::call(&ringing));
            if rings.is_some_and(|call| !call.status.ended()) {
                let outcome = match end {
                    CallEnd::Missed => CallOutcome::NoAnswer,
                    CallEnd::Answered | CallEnd::Completed => CallOutcome::Completed,
                };
                self.call_ends(&ringing, outcome);
                return;
            }
        }
        starting::call(self, phone, None, end, None);
    }
}

fn problem(text: &str) -> Problem {
    Problem {
        code: "rehearsal".to_owned(),
        text: text.to_owned(),
    }
}
