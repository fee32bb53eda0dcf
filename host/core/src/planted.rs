//! Mistakes that the tests make on purpose, to see that the proofs notice them.
//!
//! The engine and the simulation ask [`planted`] at the places where a mistake
//! would do the most harm. Outside of this crate's own tests the answer is a
//! constant `false`, and the compiler removes the question; nothing can turn it
//! on. What catches each of them stands in `simulation/tests/planted.rs`.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(PartialOrd, Ord))]
pub(crate) enum Planted {
    /// A contact's text that comes twice is taken twice.
    ForgetTexts,
    /// A call raises `call.missed` as often as it is reported.
    ForgetCalls,
    /// The engine takes an unknown outcome for a refusal.
    UnknownIsRefused,
    /// The host takes a timeout for "not sent".
    TrustTimeout,
    /// The host carries commands out before their batch is durable.
    CommandsFirst,
    /// The host answers a webhook before its batch is durable.
    AnswerFirst,
    /// The gate does not ask for opt-outs.
    GateForgetsStop,
    /// STOP leaves the texts that wait in their lane.
    StopLeavesQueue,
    /// The guard record of a number is read and is no precondition.
    NoGuard,
    /// The host does not look at the stopped numbers before the first byte.
    NoLastLook,
    /// A start takes an attempt without an outcome for one that never was.
    ForgetLost,
    /// A due timer is removed and nothing else.
    TimerIdle,
    /// A due timer is acted on and stays.
    TimerStays,
    /// A timer is acted on although the clock jumped back behind it.
    TimerEarly,
    /// A run waits and nothing will wake it.
    NoTimer,
    /// A text does not wait for the one in flight.
    IgnoreLane,
    /// An outcome counts although the text has moved on.
    LateOutcome,
    /// A text is tried again without end.
    NoAttemptLimit,
    /// A run goes on with the version that is in service.
    NewDefinition,
    /// A schedule fires once more for the same instant.
    FireTwice,
    /// A text that is not listed counts as absent at once.
    AbsentTooSoon,
    /// An outcome that the full disk refused is dropped.
    DropOutcome,
    /// A stored idempotency key is not looked at.
    ForgetRequests,
    /// A report is taken for one on the last attempt, whatever its id.
    ReportsOnTheLast,
    /// Of the texts of a turn only the first is kept.
    ForgetFolded,
    /// A draft that nobody approved in time leaves, whatever its file says.
    DraftsLeave,
    /// A text of which two attempts arrived looks like any other.
    KeepDoublesQuiet,
    /// A campaign's rate lets everything leave.
    ForgetRate,
    /// A text leaves although its campaign is paused.
    TextWhilePaused,
}

/// Whether this mistake is made.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn planted(_mistake: Planted) -> bool {
    false
}

#[cfg(test)]
pub(crate) use chosen::{planted, with};

#[cfg(test)]
mod chosen {
    use std::cell::Cell;

    use super::Planted;

    thread_local! {
        static CHOSEN: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Whether this thread makes the mistake.
    pub(crate) fn planted(mistake: Planted) -> bool {
        CHOSEN.get() == Some(mistake)
    }

    /// Does something while this thread makes the mistake.
    pub(crate) fn with<T>(mistake: Planted, what: impl FnOnce() -> T) -> T {
        CHOSEN.set(Some(mistake));
        let done = what();
        CHOSEN.set(None);
        done
    }
}
