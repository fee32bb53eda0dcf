//! Texts that passed the gate and do not leave yet: their number's turn has not
//! come, or the settings of their connection do not work. They keep their place
//! at the head of their conversation's lane, with a timer.

use jiff::{SignedDuration, Timestamp};

use super::texts::{self, store, tell};
use super::{Notice, Setup, Step, Tx, World, outcomes, runs};
use crate::model::{
    Message, Origin, Outcome, Problem, Run, RunStatus, Status, Task, Turn, Verdict, keys,
};
use crate::policy::pace::{Granted, Sender, Wanted};

/// The word for texts that wait for their number's turn.
pub(super) const TURN: &str = "number_turn";
/// The word for texts that are held because settings do not work.
pub(super) const MISCONFIGURED: &str = "misconfigured";
/// The pauses between two tries of a number whose settings do not work.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
const PAUSE_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// How long a text is held at most; then it is a dead letter, which can be
/// replayed. What is said of an outgoing webhook, too: a day.
const HELD_MOST: SignedDuration = SignedDuration::from_hours(24);

/// What a text asks the schedules.
pub fn turn_of(setup: &Setup, message: &Message) -> Wanted {
    let connection = setup.connections.get(&message.connection);
    Wanted {
        message: message.id.clone(),
        sender: Sender::of(message),
        segments: message.segments,
        segment_us: connection.and_then(|one| one.segment_us),
        turn: message.aside.turn.clone(),
    }
}

/// Whether a text that passed the gate leaves now. Else it is stored with the
/// reason and a timer.
pub(super) fn may_leave(world: World<'_>, tx: &mut Tx<'_>, message: &mut Message) -> Step<bool> {
    let wanted = turn_of(world.setup, message);
    if wanted.segment_us.is_none() && !tx.is_rough() {
        return Ok(true);
    }
    let segment_us = wanted.segment_us;
    match tx.turn(wanted)? {
        Granted::Now => Ok(true),
        Granted::At(turn) if turn.at <= tx.now => Ok(true),
        Granted::At(turn) => {
            wait(tx, message, turn, segment_us)?;
            Ok(false)
        }
        // Long enough: its own attempt decides.
        Granted::Held { .. } if held_for(tx, message) >= HELD_MOST => Ok(true),
        Granted::Held { until, problem } => {
            // Not all at the same moment: the first to come due finds out.
            let spread = until
                .duration_since(tx.now)
                .mul_f64(tx.ids.fraction() / 4.0);
            let until = until.checked_add(spread).unwrap_or(Timestamp::MAX);
            hold(tx, message, &problem, until)?;
            Ok(false)
        }
    }
}

fn held_for(tx: &Tx<'_>, message: &Message) -> SignedDuration {
    let since = message.aside.held_since;
    since.map_or(SignedDuration::ZERO, |since| tx.now.duration_since(since))
}

/// Puts a text off until its number's turn.
fn wait(tx: &mut Tx<'_>, message: &mut Message, turn: Turn, segment_us: Option<u64>) -> Step<()> {
    let sender = Sender::of(message);
    let why = match segment_us {
        Some(micros) => format!("{} a second leave from it", rate(micros)),
        None => "the provider asked for a pause".to_owned(),
    };
    message.verdicts.push(Verdict {
        at: tx.now,
        rule: TURN.into(),
        verdict: "deferred".into(),
        reason: format!("it waits for the turn of {sender}: {why}"),
        until: Some(turn.at),
    });
    let first = message.aside.turn.is_none();
    message.reason = Some(TURN.to_owned());
    message.aside.turn = Some(turn.clone());
    put_off(tx, message, turn.at)?;
    if !first {
        return Ok(());
    }
    note_in_run(
        tx,
        message,
        "waits",
        &format!("for the turn of {sender}, until {:.0}", turn.at),
    )
}

/// Segments in words, from the microseconds of one.
fn rate(micros: u64) -> String {
    let thousandths = 1_000_000_000_u64.checked_div(micros).unwrap_or_default();
    match (thousandths / 1_000, thousandths % 1_000) {
        (1, 0) => "1 segment".to_owned(),
        (whole, 0) => format!("{whole} segments"),
        (whole, rest) => {
            let rest = format!("{rest:03}");
            format!("{whole}.{} segments", rest.trim_end_matches('0'))
        }
    }
}

/// Stores a queued text with the timer that takes it up again; never later than
/// its validity ends, so that it expires in time.
fn put_off(tx: &mut Tx<'_>, message: &mut Message, until: Timestamp) -> Step<()> {
    let until = match message.valid_until {
        Some(valid) if valid > tx.now => until.min(valid),
        _ => until,
    };
    tx.drop_timer(message.timer.take());
    message.not_before = Some(until);
    let task = Task::Text {
        message: message.id.clone(),
    };
    message.timer = Some(tx.set_timer(until, task)?);
    message.updated_at = tx.now;
    tell(tx, "message.status", message);
    store(tx, message)
}

/// Holds a text whose connection's settings do not work.
fn hold(tx: &mut Tx<'_>, message: &mut Message, problem: &Problem, until: Timestamp) -> Step<()> {
    let new = message.aside.held_since.is_none();
    message.aside.held_since.get_or_insert(tx.now);
    message.aside.turn = None;
    message.reason = Some(MISCONFIGURED.to_owned());
    message.problem = Some(problem.clone());
    put_off(tx, message, until)?;
    if !new {
        return Ok(());
    }
    let text = format!(
        "until the settings of {} work: {}",
        message.connection, problem.text
    );
    note_in_run(tx, message, "held", &text)
}

/// An attempt ended because the settings do not work: the text goes back to the
/// head of its lane, and the other texts of its number need not try.
pub(super) fn misconfigured(tx: &mut Tx<'_>, mut message: Message, problem: &Problem) -> Step<()> {
    let earlier = message.aside.held_since;
    let held_for = held_for(tx, &message);
    if let Some(attempt) = message.attempts.last_mut() {
        attempt.limited = true;
    }
    texts::ended(
        tx,
        &mut message,
        Outcome::Refused {
            problem: problem.clone(),
        },
    )?;
    let pause = held_for.clamp(PAUSE, PAUSE_LIMIT);
    let until = tx.now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let notice = Notice::Broken(Sender::of(&message), until, problem.clone());
    tx.notices.push(notice);
    if held_for >= HELD_MOST {
        return outcomes::fail(tx, message, problem);
    }
    message.status = Status::Queued;
    if message.called_off.is_some() {
        store(tx, &mut message)?;
        return texts::rejoin(tx, &message, true);
    }
    message.aside.held_since = earlier;
    hold(tx, &mut message, problem, until)?;
    texts::rejoin(tx, &message, true)
}

/// Adds an entry to the timeline of the run that sends a text, while it goes on.
pub(super) fn note_in_run(tx: &mut Tx<'_>, message: &Message, what: &str, text: &str) -> Step<()> {
    let Origin::Run { run, step } = &message.origin else {
        return Ok(());
    };
    let Some(mut run) = tx.get::<Run>(&keys::run(run))? else {
        return Ok(());
    };
    let always = matches!(what, "sent_again" | "sent_twice");
    if run.status != RunStatus::Running && !always {
        return Ok(());
    }
    runs::note(tx, &mut run, Some(step), what, text)?;
    runs::put(tx, &run)
}
