//! The process of the host: its crashes and starts, and the commands that are
//! not texts.

use super::driver::{Happening, Simulation};
use super::sending::problem;
use super::story::Failure;
use crate::engine::{Finding, Input, PlaceResult, SendResult};
use crate::model::{CallId, Key, Message, MessageId, keys};

impl Simulation {
    /// The host is up again: every mark of an attempt without an outcome becomes
    /// a lost attempt.
    pub(super) fn restart(&mut self) -> Result<(), Box<Failure>> {
        self.down = false;
        self.tell("the host starts again");
        let (from, to) = keys::table(b'i');
        let marks: Vec<Key> = self
            .state
            .range(&from, &to)
            .map(|(key, _)| key.clone())
            .collect();
        for mark in marks {
            let name = String::from_utf8_lossy(mark.as_bytes()).into_owned();
            let name = name.trim_start_matches("i/");
            let input = match (MessageId::parse(name), CallId::parse(name)) {
                (Some(id), _) => Input::LostText(id),
                (None, Some(id)) => Input::LostCall(id),
                (None, None) => return Err(self.failure(format!("{mark:?} names nothing"))),
            };
            self.after(0, Happening::Back(self.process, input));
        }
        Ok(())
    }

    pub(super) fn crash(&mut self, when: &str) {
        self.tell(format!("the host crashes {when} the commit"));
        self.report.crashes += 1;
        self.process += 1;
        self.stopped.clear();
        self.pace = crate::policy::pace::Pace::default();
        self.down = true;
        let down = self.random.between(100, 20_000);
        self.after(down, Happening::Restart);
    }

    /// The host looks at the provider's list.
    pub(super) fn look(&mut self, id: &MessageId) -> Result<(), Box<Failure>> {
        let Some(message) = self.get::<Message>(&keys::message(id))? else {
            return Err(self.failure(format!("{id} is looked for and not stored")));
        };
        let finding = if !self.scenario.faults.list {
            Finding::Unsupported
        } else if !self.calm && self.random.chance(self.scenario.faults.send) {
            Finding::Unavailable(problem("list_down"))
        } else {
            self.provider.find(&message, self.now)
        };
        let pause = self.random.between(20, 800);
        let input = Input::Looked(id.clone(), finding);
        self.after(pause, Happening::Back(self.process, input));
        Ok(())
    }

    /// The host places a call: the provider takes it, or not.
    pub(super) fn place(&mut self, id: CallId) -> Result<(), Box<Failure>> {
        let result = match self.random.below(10) {
            0 => PlaceResult::Refused(problem("no_calls")),
            1 => PlaceResult::Unknown(problem("timeout")),
            _ => PlaceResult::Accepted {
                provider_id: self.provider.issue("O"),
            },
        };
        let pause = self.random.between(50, 3_000);
        self.after(
            pause,
            Happening::Back(self.process, Input::Placed(id, result)),
        );
        Ok(())
    }

    /// The result of an attempt comes back after a while.
    pub(super) fn answer(&mut self, process: u64, after: u64, id: &MessageId, result: SendResult) {
        let input = Input::Sent(id.clone(), result);
        self.after(after, Happening::Back(process, input));
    }
}
