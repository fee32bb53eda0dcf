//! Who was called about, and when: the clock and the record that the generator
//! and the sink share. One board serves one target. It does no I/O.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::figures::Latency;

/// By how many microseconds a text may come before its time: due times are whole
/// milliseconds of the wall clock, which is set right now and then.
const TOLERANCE: u64 = 5_000;

/// One caller. Times are microseconds since the board's start, 0 for not yet.
#[derive(Debug, Default)]
struct Entry {
    due: AtomicU64,
    sent: AtomicU64,
    answered: AtomicU64,
    arrived: AtomicU64,
    /// The webhook's HTTP status; 0 while there is none.
    status: AtomicU32,
    texts: AtomicU32,
}

/// All callers of one target.
#[derive(Debug)]
pub(crate) struct Board {
    start: Instant,
    entries: Vec<Entry>,
    next: AtomicUsize,
    strangers: AtomicU64,
    /// In a closed loop, how many more runs may be under way. A text that arrives
    /// makes room for another.
    pub(crate) window: Semaphore,
}

/// What became of some callers.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Webhooks that were taken (2xx).
    pub(crate) accepted: usize,
    /// Webhooks that were not.
    pub(crate) refused: usize,
    /// Texts whose webhook was taken and that never came.
    pub(crate) missing: usize,
    /// Callers who got more than one text.
    pub(crate) twice: usize,
    /// Callers who got a text.
    pub(crate) texted: usize,
    /// Seconds from the first webhook to the last text.
    pub(crate) seconds: f64,
    /// From the moment at which the webhook should have left to the text.
    pub(crate) from_due: Option<Latency>,
    /// From the moment at which it did leave to the text.
    pub(crate) from_sent: Option<Latency>,
    /// From the moment at which it did leave to its answer.
    pub(crate) answer: Option<Latency>,
}

impl Board {
    /// A board for so many callers.
    pub(crate) fn new(callers: usize) -> Arc<Self> {
        let mut entries = Vec::new();
        entries.resize_with(callers, Entry::default);
        Arc::new(Self {
            start: Instant::now(),
            entries,
            next: AtomicUsize::new(0),
            strangers: AtomicU64::new(0),
            window: Semaphore::new(0),
        })
    }

    /// Microseconds since the start; never 0.
    fn micros(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.start).as_micros();
        u64::try_from(passed).unwrap_or(u64::MAX - 1) + 1
    }

    /// The next caller nobody has called about, while there are any.
    pub(crate) fn take(&self) -> Option<usize> {
        let caller = self.next.fetch_add(1, Ordering::AcqRel);
        (caller < self.entries.len()).then_some(caller)
    }

    /// The next caller, unless so many were taken already.
    pub(crate) fn take_before(&self, last: usize) -> Option<usize> {
        let last = last.min(self.entries.len());
        let step = |next: usize| (next < last).then_some(next + 1);
        let taken = self
            .next
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        taken.ok()
    }

    /// Takes so many callers, or as many as are left.
    pub(crate) fn take_many(&self, count: usize) -> Range<usize> {
        let first = self.next.fetch_add(count, Ordering::AcqRel);
        let last = first.saturating_add(count).min(self.entries.len());
        first.min(last)..last
    }

    /// How many callers were taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.next.load(Ordering::Acquire).min(self.entries.len())
    }

    /// How many callers are left.
    pub(crate) fn left(&self) -> usize {
        self.entries.len() - self.taken()
    }

    /// The webhook leaves now; it should have left at `due`.
    pub(crate) fn sent(&self, caller: usize, due: Option<Instant>) {
        let now = Instant::now();
        if let Some(entry) = self.entries.get(caller) {
            entry
                .due
                .store(self.micros(due.unwrap_or(now)), Ordering::Release);
            entry.sent.store(self.micros(now), Ordering::Release);
        }
    }

    /// The webhook was answered; 0 stands for a connection that broke.
    pub(crate) fn answered(&self, caller: usize, status: u16) {
        if let Some(entry) = self.entries.get(caller) {
            entry.status.store(u32::from(status), Ordering::Release);
            entry
                .answered
                .store(self.micros(Instant::now()), Ordering::Release);
        }
    }

    /// A text to this caller has come; `None` for a text to somebody else.
    pub(crate) fn arrived(&self, caller: Option<usize>) {
        let now = self.micros(Instant::now());
        let Some(entry) = caller.and_then(|caller| self.entries.get(caller)) else {
            self.strangers.fetch_add(1, Ordering::AcqRel);
            return;
        };
        if entry.texts.fetch_add(1, Ordering::AcqRel) == 0 {
            entry.arrived.store(now, Ordering::Release);
            self.window.add_permits(1);
        }
    }

    /// Texts to numbers that nobody called from.
    pub(crate) fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Acquire)
    }

    /// Whether nothing more is to be waited for: the text came, or the webhook was
    /// not taken.
    pub(crate) fn settled(&self, caller: usize) -> bool {
        self.entries.get(caller).is_none_or(|entry| {
            entry.arrived.load(Ordering::Acquire) > 0
                || !is_success(entry.status.load(Ordering::Acquire))
        })
    }

    /// How many of these callers have a text.
    pub(crate) fn texted(&self, callers: Range<usize>) -> usize {
        let entries = self.entries.get(callers).unwrap_or_default().iter();
        entries
            .filter(|entry| entry.arrived.load(Ordering::Acquire) > 0)
            .count()
    }

    /// How many texts a caller has got.
    pub(crate) fn texts(&self, caller: usize) -> u32 {
        let entry = self.entries.get(caller);
        entry.map_or(0, |entry| entry.texts.load(Ordering::Acquire))
    }

    /// How long after their time the texts of these callers came, in microseconds,
    /// if each was due so long after its webhook left; and how many came before
    /// that time.
    pub(crate) fn lateness(&self, callers: Range<usize>, wait: Duration) -> (Vec<u64>, usize) {
        let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        let (mut late, mut early) = (Vec::new(), 0);
        for entry in self.entries.get(callers).unwrap_or_default() {
            let arrived = entry.arrived.load(Ordering::Acquire);
            if arrived == 0 {
                continue;
            }
            let due = entry.sent.load(Ordering::Acquire).saturating_add(wait);
            early += usize::from(arrived + TOLERANCE < due);
            late.push(arrived.saturating_sub(due));
        }
        (late, early)
    }

    /// What became of these callers.
    pub(crate) fn outcome(&self, callers: Range<usize>) -> Outcome {
        let mut outcome = Outcome::default();
        let (mut from_due, mut from_sent, mut answer) = (Vec::new(), Vec::new(), Vec::new());
        let (mut first, mut last) = (u64::MAX, 0);
        for entry in self.entries.get(callers).unwrap_or_default() {
            let sent = entry.sent.load(Ordering::Acquire);
            let arrived = entry.arrived.load(Ordering::Acquire);
            if sent == 0 {
                continue;
            }
            first = first.min(sent);
            last = last.max(arrived);
            if is_success(entry.status.load(Ordering::Acquire)) {
                outcome.accepted += 1;
                outcome.missing += usize::from(arrived == 0);
                answer.push(entry.answered.load(Ordering::Acquire).saturating_sub(sent));
            } else {
                outcome.refused += 1;
            }
            if arrived > 0 {
                outcome.texted += 1;
                from_sent.push(arrived.saturating_sub(sent));
                from_due.push(arrived.saturating_sub(entry.due.load(Ordering::Acquire)));
            }
            outcome.twice += usize::from(entry.texts.load(Ordering::Acquire) > 1);
        }
        outcome.seconds = last.saturating_sub(first) as f64 / 1e6;
        outcome.from_due = Latency::of(from_due);
        outcome.from_sent = Latency::of(from_sent);
        outcome.answer = Latency::of(answer);
        outcome
    }
}

fn is_success(status: u32) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_became_of_each() {
        let board = Board::new(5);
        for (caller, status, texts) in [(0, 202, 1), (1, 200, 2), (2, 503, 0), (3, 202, 0)] {
            assert_eq!(board.take(), Some(caller));
            board.sent(caller, None);
            board.answered(caller, status);
            for _ in 0..texts {
                board.arrived(Some(caller));
            }
        }
        board.arrived(None);
        board.arrived(Some(5));
        let found = board.outcome(0..5);
        let counts = (
            found.accepted,
            found.refused,
            found.missing,
            found.twice,
            found.texted,
        );
        assert_eq!(counts, (3, 1, 1, 1, 2));
        assert_eq!(found.from_due.map(|one| one.count), Some(2));
        assert_eq!(board.strangers(), 2);
        let settled: Vec<bool> = (0..4).map(|caller| board.settled(caller)).collect();
        assert_eq!(settled, [true, true, true, false]);
        assert_eq!((board.left(), board.window.available_permits()), (1, 2));
    }

    #[test]
    fn a_text_is_late_after_its_wait() {
        let board = Board::new(3);
        for caller in 0..3 {
            board.sent(caller, None);
        }
        std::thread::sleep(Duration::from_millis(3));
        board.arrived(Some(0));
        board.arrived(Some(2));
        let (late, early) = board.lateness(0..3, Duration::from_millis(1));
        assert!(late.iter().all(|late| *late >= 2000), "{late:?}");
        assert_eq!((late.len(), early), (2, 0));
        let (late, early) = board.lateness(0..3, Duration::from_mins(1));
        assert_eq!((late, early), (vec![0, 0], 2));
        assert_eq!((board.texted(0..3), board.texted(1..2)), (2, 0));
        assert_eq!((board.texts(2), board.texts(1), board.texts(9)), (1, 0, 0));
    }

    #[test]
    fn several_callers_can_be_taken() {
        let board = Board::new(10);
        assert_eq!(board.take_many(4), 0..4);
        let few: Vec<_> = (0..3).map(|_| board.take_before(6)).collect();
        assert_eq!(few, [Some(4), Some(5), None]);
        assert_eq!(board.take_many(9), 6..10);
        assert_eq!(board.take_many(9), 10..10);
        assert_eq!((board.taken(), board.take_before(99)), (10, None));
    }

    #[test]
    fn there_are_no_more_callers_than_there_are() {
        let board = Board::new(1);
        assert_eq!(
            (board.take(), board.take(), board.take()),
            (Some(0), None, None)
        );
        assert_eq!((board.taken(), board.left()), (1, 0));
    }
}
