//! What is going to happen and when: the agenda under a steady clock, the host's
//! wall clock beside it, which jumps, and the timers that the store holds.

use jiff::{SignedDuration, Timestamp};

use super::driver::Simulation;
use super::random::Random;
use crate::engine::{Gated, Input};
use crate::model::{CallId, Key, Message, MessageId, keys};
use crate::workflow::Workflow;
use std::sync::Arc;

/// Something that is going to happen at its time.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Somebody outside does something new: the how-many-th.
    Life(u32),
    /// A webhook or request of somebody who repeats it until it is answered.
    Hook(Input, u32),
    /// The host hands a text over. Gone with the process, like all that carry
    /// the number of a process.
    Start(u64, Gated),
    /// A request reaches the provider, which nothing can call back. The number
    /// is the delay of the answer, if there is to be one.
    Arrive(u64, Box<Message>, Option<u64>),
    /// The host looks at the provider's list.
    Look(u64, MessageId),
    /// The host places a call.
    Place(u64, CallId),
    /// An answer comes back to the host.
    Back(u64, Input),
    /// Somebody edits a workflow file, or removes it.
    Edit(String, Option<Arc<Workflow>>),
    /// The disk is full, or has room again.
    Disk(bool),
    /// The wall clock jumps by so many milliseconds.
    Jump(i64),
    /// The provider takes nothing for so many milliseconds.
    Outage(u64),
    /// The host is started again.
    Restart,
    /// Time goes by.
    #[cfg_attr(not(test), expect(dead_code, reason = "only scripts wait"))]
    Nothing,
}

impl Simulation {
    /// Puts something on the agenda that follows from what happens now.
    pub(super) fn after(&mut self, millis: u64, happening: Happening) {
        self.after_as(self.origin, millis, happening);
    }

    /// Puts something on the agenda under the name of a happening of its own.
    pub(super) fn after_as(&mut self, origin: u32, millis: u64, happening: Happening) {
        let delay = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let at = self.time.checked_add(delay).unwrap_or(Timestamp::MAX);
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), (origin, happening));
    }

    /// From here on chance comes from the stream of this happening.
    pub(super) fn enter(&mut self, origin: u32) {
        if origin == self.origin {
            return;
        }
        let seed = self.seed;
        let other = self
            .streams
            .remove(&origin)
            .unwrap_or_else(|| Random::stream(seed, origin));
        let before = std::mem::replace(&mut self.random, other);
        self.streams.insert(self.origin, before);
        self.origin = origin;
    }

    /// The steady clock goes on, and the wall clock with it.
    pub(super) fn until(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
        self.now = self.time.checked_add(self.offset).unwrap_or(Timestamp::MAX);
    }

    fn first_timer(&self) -> Option<(Timestamp, Key)> {
        let (from, to) = keys::table(b't');
        let (key, _) = self.state.range(&from, &to).next()?;
        Some((keys::timer_due(key)?, key.clone()))
    }

    /// The next thing that happens: of the agenda, or a due timer.
    pub(super) fn next(&mut self) -> Option<(u32, Happening)> {
        let timer = self
            .first_timer()
            .filter(|_| !self.down && !self.disk_full)
            .and_then(|(due, key)| Some((due.checked_sub(self.offset).ok()?.max(self.time), key)));
        let first = self.agenda.first_key_value().map(|(key, _)| key.0);
        if let Some((due, key)) = timer
            && first.is_none_or(|at| due <= at)
        {
            self.until(due);
            let origin = self.timers.get(&key).copied().unwrap_or(0);
            return Some((origin, Happening::Back(self.process, Input::Timer(key))));
        }
        let ((at, _), happening) = self.agenda.pop_first()?;
        self.until(at);
        Some(happening)
    }

    /// The wall clock jumps. The host may have taken a timer up just before it
    /// jumped back, and reads the clock only now.
    pub(super) fn jump(&mut self, millis: i64) {
        if self.time < self.jumped {
            // It is set right once in a while and not again and again.
            return;
        }
        self.jumped = self.time + SignedDuration::from_secs(30);
        self.report.jumps += 1;
        self.truth.campaigns.jumped();
        self.tell(format!("the clock jumps by {} s", millis / 1_000));
        let taken_up = self.first_timer().filter(|_| millis < 0 && !self.down);
        self.offset += SignedDuration::from_millis(millis);
        self.until(self.time);
        if let Some((_, key)) = taken_up {
            self.after(0, Happening::Back(self.process, Input::Timer(key)));
        }
    }
}
