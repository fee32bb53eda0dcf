//! When a text's number has its turn: a schedule per sending number, kept by
//! whoever runs the engine, in memory. It must not be a stored record: every text
//! of a number would change it, and each would lose to the others.
//!
//! The schedule is the generic cell rate algorithm (ITU-T I.371), counted in
//! radio segments: a turn is reserved once, ahead of its time, and the text keeps
//! it in its record, so that waiting is one timer and costs nothing twice. After
//! a restart the schedules are made again from the turns of the texts that wait
//! ([`Pace::restore`]).
//!
//! A provider that says "too many requests" makes the number's time stand still
//! for as long as it says: every text that waits moves by the same time, and
//! their order stays. A number whose settings do not work holds its texts, so
//! that one of them tries now and then, and not all.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Message, MessageId, PhoneNumber, Problem, Turn};

/// How much may leave at once after a pause: what a second's rate is.
const BURST: SignedDuration = SignedDuration::from_secs(1);
/// A turn that was missed by more than this is void, so that a host that was
/// away does not make up for it all at once. Doubled each time it happens to the
/// same text, so that a slow host gets there in the end.
const LATE: SignedDuration = SignedDuration::from_secs(1);
/// The time per text with which a number without a rate of its own works off
/// what piled up while the provider took nothing.
const GENTLE: SignedDuration = SignedDuration::from_millis(100);

/// What a rate is kept for: one number of a connection, or its pool of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender {
    /// The connection's name.
    pub connection: String,
    /// Our number; none where the provider chooses.
    pub number: Option<PhoneNumber>,
}

impl Sender {
    /// From where a text leaves.
    pub fn of(message: &Message) -> Self {
        Self {
            connection: message.connection.clone(),
            number: message.number.clone(),
        }
    }
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.number {
            Some(number) => write!(f, "{number}"),
            None => write!(f, "the numbers of {}", self.connection),
        }
    }
}

/// A text that passed the gate and asks for its number's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The text.
    pub message: MessageId,
    /// From where it leaves.
    pub sender: Sender,
    /// Its radio segments.
    pub segments: u32,
    /// Microseconds per segment; none without a rate.
    pub segment_us: Option<u64>,
    /// The turn it has already.
    pub turn: Option<Turn>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// It may leave.
    Now,
    /// It has this turn, later.
    At(Turn),
    /// The settings of its connection do not work: it is held until this time.
    Held {
        /// When to ask again.
        until: Timestamp,
        /// What is wrong.
        problem: Problem,
    },
}

#[derive(Clone, Debug)]
struct Schedule {
    /// When everything that was reserved has had its time.
    tail: Timestamp,
    /// For how long the number's time stood still, in all.
    delayed: SignedDuration,
    /// Nothing before this.
    paused_until: Timestamp,
    /// Set while the settings do not work.
    broken: Option<(Timestamp, Problem)>,
}

/// The schedules of all numbers.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    schedules: BTreeMap<Sender, Schedule>,
}

fn burst(segment: SignedDuration) -> SignedDuration {
    (BURST - segment).max(SignedDuration::ZERO)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn segment(segment_us: Option<u64>) -> SignedDuration {
    segment_us.map_or(GENTLE, |micros| {
        SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    })
}

fn all(segment: SignedDuration, segments: u32) -> SignedDuration {
    let count = i32::try_from(segments.max(1)).unwrap_or(i32::MAX);
    segment.checked_mul(count).unwrap_or(SignedDuration::MAX)
}

impl Pace {
    /// Whether a number without a rate must ask, too: somewhere a provider takes
    /// nothing for now, or settings do not work.
    pub fn is_rough(&self, now: Timestamp) -> bool {
        self.schedules.values().any(|one| {
            one.broken.is_some() || (one.paused_until > Timestamp::MIN && one.tail > now)
        })
    }

    fn schedule(&mut self, sender: &Sender) -> &mut Schedule {
        self.schedules
            .entry(sender.clone())
            .or_insert_with(|| Schedule {
                tail: Timestamp::MIN,
                delayed: SignedDuration::ZERO,
                paused_until: Timestamp::MIN,
                broken: None,
            })
    }

    /// Says when a text may leave, and reserves that time.
    pub fn turn(&mut self, wanted: &Wanted, now: Timestamp) -> Granted {
        if self.schedules.len() > 256 {
            self.forget(now);
        }
        if wanted.segment_us.is_none() && !self.schedules.contains_key(&wanted.sender) {
            return Granted::Now;
        }
        let schedule = self.schedule(&wanted.sender);
        if let Some((until, problem)) = &schedule.broken
            && *until > now
        {
            return Granted::Held {
                until: *until,
                problem: problem.clone(),
            };
        }
        let mut given = 0;
        if let Some(turn) = &wanted.turn {
            // What stood still since then counts for it, too.
            let since = turn.delayed_ms.map_or(SignedDuration::ZERO, |then| {
                let then = SignedDuration::from_millis(then);
                (schedule.delayed - then).max(SignedDuration::ZERO)
            });
            let slot = later(turn.at, since);
            if slot > now {
                return Granted::At(Turn {
                    at: slot,
                    delayed_ms: turn.delayed_ms.map(|_| millis(schedule.delayed)),
                    given: turn.given,
                });
            }
            given = turn.given;
            let grace = LATE * 2_i32.saturating_pow(given.saturating_sub(1).min(16));
            if now.duration_since(slot) <= grace {
                return Granted::Now;
            }
        }
        if wanted.segment_us.is_none() && schedule.tail <= now {
            return Granted::Now;
        }
        let one = segment(wanted.segment_us);
        let slack = match wanted.segment_us {
            Some(_) => burst(one),
            None => SignedDuration::ZERO,
        };
        let slot = now
            .max(earlier(schedule.tail, slack))
            .max(schedule.paused_until);
        schedule.tail = later(schedule.tail.max(slot), all(one, wanted.segments));
        if slot <= now {
            return Granted::Now;
        }
        Granted::At(Turn {
            at: slot,
            delayed_ms: Some(millis(schedule.delayed)),
            given: given.saturating_add(1),
        })
    }

    /// A turn that a text of an earlier process waits for.
    pub fn restore(&mut self, wanted: &Wanted, now: Timestamp) {
        let Some(turn) = wanted.turn.as_ref().filter(|turn| turn.at > now) else {
            return;
        };
        let one = segment(wanted.segment_us);
        let slack = match wanted.segment_us {
            Some(_) => burst(one),
            None => SignedDuration::ZERO,
        };
        let schedule = self.schedule(&wanted.sender);
        let end = later(later(turn.at, slack), all(one, wanted.segments));
        schedule.tail = schedule.tail.max(end);
        if wanted.segment_us.is_none() {
            schedule.paused_until = schedule.paused_until.max(now);
        }
    }

    /// The provider takes nothing of this number until a time: everything that
    /// waits moves by as much.
    pub fn slow(&mut self, sender: &Sender, until: Timestamp, now: Timestamp) {
        let schedule = self.schedule(sender);
        let from = schedule.paused_until.max(now);
        if until <= from {
            return;
        }
        let by = until.duration_since(from);
        schedule.delayed = schedule.delayed.saturating_add(by);
        schedule.tail = later(schedule.tail.max(from), by);
        schedule.paused_until = until;
    }

    /// The settings of this number's connection do not work; until this time
    /// nobody needs to try. True when that is new for the connection.
    pub fn hold(&mut self, sender: &Sender, until: Timestamp, problem: &Problem) -> bool {
        let known = self
            .broken()
            .any(|(other, _)| other.connection == sender.connection);
        self.schedule(sender).broken = Some((until, problem.clone()));
        !known
    }

    /// It works again. True when it did not before.
    pub fn works(&mut self, sender: &Sender) -> bool {
        let schedule = self.schedules.get_mut(sender);
        schedule.is_some_and(|one| one.broken.take().is_some())
    }

    /// Everybody may try again: somebody changed the settings, or says so. Only
    /// those of one connection, when it is named.
    pub fn try_again(&mut self, connection: Option<&str>) {
        for (sender, schedule) in &mut self.schedules {
            if connection.is_none_or(|name| sender.connection == name)
                && let Some((until, _)) = &mut schedule.broken
            {
                *until = Timestamp::MIN;
            }
        }
    }

    /// Where settings do not work, and what is wrong.
    pub fn broken(&self) -> impl Iterator<Item = (&Sender, &Problem)> {
        self.schedules
            .iter()
            .filter_map(|(sender, one)| Some((sender, &one.broken.as_ref()?.1)))
    }

    /// Numbers that are as if nothing had ever left from them.
    fn forget(&mut self, now: Timestamp) {
        self.schedules
            .retain(|_, one| one.broken.is_some() || one.tail > now || one.paused_until > now);
    }
}

fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
