//! The people of a rehearsal who are asked to approve texts: they answer as the plan
//! says, and where it says nothing they let every text go after a minute.

use jiff::SignedDuration;

use super::world::{Deed, World};
use crate::engine::{Approve, Input};
use crate::model::{Attention, Message, MessageId, keys};
use crate::workflow::{Approving, Happening};

/// How long somebody takes of whom the plan says nothing.
const READS: SignedDuration = SignedDuration::from_mins(1);
/// How long somebody takes whose answer was there before the text.
const ANSWERS: SignedDuration = SignedDuration::from_secs(10);

impl World<'_> {
    /// Somebody is asked about a text.
    pub(super) fn asked(&mut self, id: &MessageId) {
        if let Some(said) = self.said.pop_front() {
            self.after(ANSWERS, Deed::Answers(id.clone(), Some(said)));
            return;
        }
        let later = |deed: &Deed| matches!(deed, Deed::Happens(Happening::Approve(_)));
        if !self.agenda.values().any(later) {
            self.usual(id);
        }
    }

    /// The plan says what somebody answers: about the text that waits for the longest
    /// time; where none does, about the next.
    pub(super) fn told_answer(&mut self, said: Approving) {
        let mut waiting = self.drafts().into_iter();
        match waiting.next() {
            Some(id) => self.answer(&id, Some(&said)),
            None => self.said.push_back(said),
        }
        let later = |deed: &Deed| matches!(deed, Deed::Happens(Happening::Approve(_)));
        if !self.agenda.values().any(later) {
            waiting.for_each(|id| self.usual(&id));
        }
    }

    fn usual(&mut self, id: &MessageId) {
        let message = self.get::<Message>(&keys::message(id));
        let approval = message.and_then(|message| message.aside.approval);
        let until = approval.and_then(|approval| approval.until);
        let left = until.map(|until| until.duration_since(self.now) / 2);
        let pause = left.map_or(READS, |left| left.min(READS));
        self.after(pause, Deed::Answers(id.clone(), None));
    }

    /// The texts that wait for an answer, oldest first.
    fn drafts(&self) -> Vec<MessageId> {
        let (from, to) = keys::under(b'q', Attention::PendingApproval.word());
        let keys = self.state.range(&from, &to).map(|(key, _)| key);
        keys.filter_map(|key| keys::name_of(key)?.rsplit('/').next())
            .filter_map(MessageId::parse)
            .collect()
    }

    /// Somebody answers; none is what is done when nothing was said.
    pub(super) fn answer(&mut self, id: &MessageId, said: Option<&Approving>) {
        let Some(message) = self.get::<Message>(&keys::message(id)) else {
            return;
        };
        let Some(approval) = message.aside.approval.filter(|one| one.answer.is_none()) else {
            return;
        };
        let (send, body, reason) = match said {
            None => (true, None, None),
            Some(Approving::Send { body }) => (true, body.clone(), None),
            Some(Approving::Reject { reason }) => (false, None, reason.clone()),
            Some(Approving::Nobody) => {
                let text = format!("{} does not answer, as the plan says", approval.by);
                self.watch.note(self.now, "unanswered", text);
                return;
            }
        };
        self.watch.unsaid = said.is_none();
        self.take(&Input::Approve(
            id.clone(),
            Approve {
                by: approval.by,
                send,
                body,
                reason,
            },
        ));
        self.watch.unsaid = false;
    }
}
