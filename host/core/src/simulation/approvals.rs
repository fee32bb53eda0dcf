//! People who are asked to approve texts, and what must hold of it: a draft leaves
//! only when somebody let it go, or when nobody answered in time and the file says
//! that it is sent then; one that was rejected never leaves.

use std::collections::BTreeMap;

use super::driver::Simulation;
use super::invariants::Checked;
use super::story::Failure;
use crate::engine::{Act, Answer, Approve, Input};
use crate::model::{Attention, Message, MessageId, keys};
use crate::workflow::Unanswered;

impl Simulation {
    /// Somebody answers about the draft that waits for the longest time.
    pub(super) fn approval(&mut self) -> Result<Option<Input>, Box<Failure>> {
        let (from, to) = keys::under(b'q', Attention::PendingApproval.word());
        let first = self.state.range(&from, &to).next();
        let name = first.and_then(|(key, _)| keys::name_of(key)?.rsplit('/').next());
        let Some(id) = name.and_then(MessageId::parse) else {
            return Ok(None);
        };
        let Some(message) = self.get::<Message>(&keys::message(&id))? else {
            return Err(self.failure(format!("I10: {id} waits for approval and is not stored")));
        };
        let (send, body) = match self.random.below(3) {
            0 => (true, None),
            1 => (true, Some(format!("{} Really.", message.body))),
            _ => (false, None),
        };
        let given = Approve {
            by: "ann".to_owned(),
            send,
            body,
            reason: None,
        };
        Ok(Some(Input::Approve(id, given)))
    }

    /// An answer was committed.
    pub(super) fn note_answer(&mut self, input: &Input, act: &Act) {
        if let (Input::Approve(id, given), Answer::Done) = (input, &act.answer) {
            self.report.answers += 1;
            self.truth.answers.insert(id.clone(), given.send);
        }
    }

    /// I10: a draft passes the gate.
    pub(super) fn check_approved(&self, message: &Message) -> Checked {
        let Some(approval) = &message.aside.approval else {
            return Ok(());
        };
        let by_itself = approval.default == Unanswered::Send
            && approval.until.is_some_and(|until| until <= self.now);
        match self.truth.answers.get(&message.id) {
            Some(true) => Ok(()),
            Some(false) => {
                Err(self.failure(format!("I10: {} leaves and was rejected", message.id)))
            }
            None if by_itself => Ok(()),
            None => Err(self.failure(format!("I10: {} leaves and nobody approved it", message.id))),
        }
    }
}

/// Whether the text of each answer that counted may be sent.
pub(super) type Answers = BTreeMap<MessageId, bool>;
