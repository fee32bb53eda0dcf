//! How attempts end: the provider's answer, and another try where there certainly
//! was no effect. Delivery reports stand in [`super::reports`].

use jiff::{SignedDuration, Timestamp};

use super::texts::{conclude, ended, rejoin, remember, store, tell};
use super::{Answer, Notice, SendResult, Step, Tx, World, held, inbound, reports};
use crate::model::{
    Message, MessageId, OptOutSource, Origin, Outcome, Problem, Status, Task, Turn, keys,
};
use crate::planted::{Planted, planted};
use crate::policy::pace::Sender;

/// The first delay before another try, doubled each time up to the last.
const BACKOFF: SignedDuration = SignedDuration::from_secs(2);
const BACKOFF_LIMIT: SignedDuration = SignedDuration::from_mins(10);
/// The longest pause that a provider may ask for.
const RETRY_AFTER_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// How many times the attempts are allowed when the provider limits the rate.
const LIMITED: usize = 8;

/// Asks at once for what a change of a text concerns.
pub(super) fn expect_around(tx: &Tx<'_>, message: &Message) {
    tx.expect([
        keys::conversation(&message.conversation),
        keys::contact(&message.contact),
    ]);
    if let Origin::Run { run, .. } = &message.origin {
        tx.expect([keys::run(run)]);
    }
}

/// An attempt ended.
pub(super) fn sent(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &MessageId,
    result: &SendResult,
) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    expect_around(tx, &message);
    if message.status != Status::Sending && !planted(Planted::LateOutcome) {
        // A delivery report was faster. The provider's id is still worth having.
        if let SendResult::Accepted { provider_id } = result
            && reports::late_answer(tx, &mut message, provider_id)?
        {
            conclude(tx, message)?;
        }
        return Ok(Answer::Repeat);
    }
    let attempts = world.setup.limits.attempts;
    match result {
        SendResult::Accepted { provider_id } => {
            if tx.is_rough() {
                tx.notices.push(Notice::Works(Sender::of(&message)));
            }
            remember(tx, &mut message, provider_id)?;
            ended(
                tx,
                &mut message,
                Outcome::Accepted {
                    provider_id: provider_id.clone(),
                },
            )?;
            message.status = Status::Accepted;
            reports::look_for_two(tx, &mut message)?;
            conclude(tx, message)?;
        }
        SendResult::Misconfigured(problem) => held::misconfigured(tx, message, problem)?,
        SendResult::Rejected(problem) => {
            refused(tx, &mut message, problem)?;
            fail(tx, message, problem)?;
        }
        SendResult::OptedOut(problem) => {
            refused(tx, &mut message, problem)?;
            let phone = message.contact.clone();
            fail(tx, message, problem)?;
            inbound::stop(world, tx, &phone, OptOutSource::Provider, None)?;
        }
        SendResult::RateLimited(after, problem) => {
            if let Some(attempt) = message.attempts.last_mut() {
                attempt.limited = true;
            }
            refused(tx, &mut message, problem)?;
            retry(tx, message, problem, Some(*after), attempts)?;
        }
        SendResult::Unavailable(problem) => {
            refused(tx, &mut message, problem)?;
            retry(tx, message, problem, None, attempts)?;
        }
        SendResult::Unknown(problem) if planted(Planted::UnknownIsRefused) => {
            refused(tx, &mut message, problem)?;
            retry(tx, message, problem, None, attempts)?;
        }
        SendResult::Unknown(problem) => {
            super::unknown::begin(world, tx, message, problem)?;
        }
        SendResult::CalledOff => {
            let reason = "opted_out".to_owned();
            ended(
                tx,
                &mut message,
                Outcome::CalledOff {
                    reason: reason.clone(),
                },
            )?;
            message.status = Status::Canceled;
            message.reason = Some(reason);
            conclude(tx, message)?;
        }
    }
    Ok(Answer::Done)
}

/// Notes that the present attempt certainly had no effect.
fn refused(tx: &mut Tx<'_>, message: &mut Message, problem: &Problem) -> Step<()> {
    let problem = problem.clone();
    ended(tx, message, Outcome::Refused { problem })
}

/// The text could not be sent: a dead letter.
pub(super) fn fail(tx: &mut Tx<'_>, mut message: Message, problem: &Problem) -> Step<()> {
    // The contact never saw these words: they may be said again.
    let mut contact = tx.contact(&message.contact)?;
    contact.recent.retain(|recent| recent.message != message.id);
    tx.put_contact(&contact)?;
    message.status = Status::Failed;
    message.reason = Some(problem.code.clone()).filter(|code| !code.is_empty());
    message.problem = Some(problem.clone());
    conclude(tx, message)
}

/// Puts a text that certainly was not sent back to the head of its lane.
/// `limited` is set when the provider took nothing for now, with the seconds that
/// it named, if it did: then nothing else of the number leaves before, either.
fn retry(
    tx: &mut Tx<'_>,
    mut message: Message,
    problem: &Problem,
    limited: Option<Option<u32>>,
    limit: u32,
) -> Step<()> {
    let (tried, all) = message.tries();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let limit = if planted(Planted::NoAttemptLimit) {
        usize::MAX
    } else {
        limit
    };
    if tried >= limit || all >= limit.saturating_mul(LIMITED) {
        return fail(tx, message, problem);
    }
    let doublings = u32::try_from(all.saturating_sub(1).min(12)).unwrap_or(12);
    let doubled = BACKOFF * 2_i32.saturating_pow(doublings);
    let delay = match limited {
        Some(Some(seconds)) => {
            SignedDuration::from_secs(i64::from(seconds.max(1))).min(RETRY_AFTER_LIMIT)
        }
        // Full jitter over the upper half, so that many do not come back at once.
        Some(None) | None => doubled
            .min(BACKOFF_LIMIT)
            .mul_f64(0.5 + tx.ids.fraction() / 2.0),
    };
    // Stored times are whole milliseconds.
    let delay = SignedDuration::from_millis(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
    if limited.is_some() {
        let until = tx.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        tx.notices.push(Notice::Slowed(Sender::of(&message), until));
        // Its turn is when the provider said; it was not used up.
        message.aside.turn = Some(Turn {
            at: until,
            delayed_ms: None,
            given: 0,
        });
    }
    again(tx, message, Some(problem.clone()), delay)
}

/// Queues a text at the head of its lane, after a delay.
pub(super) fn again(
    tx: &mut Tx<'_>,
    mut message: Message,
    problem: Option<Problem>,
    delay: SignedDuration,
) -> Step<()> {
    let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let due = tx
        .now
        .checked_add(SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MAX);
    message.status = Status::Queued;
    message.problem = problem;
    if message.called_off.is_some() {
        // Nobody wants it any more; the lane lets it go.
        store(tx, &mut message)?;
        return rejoin(tx, &message, true);
    }
    message.not_before = Some(due);
    message.timer = Some(tx.set_timer(
        due,
        Task::Text {
            message: message.id.clone(),
        },
    )?);
    message.updated_at = tx.now;
    store(tx, &mut message)?;
    tell(tx, "message.status", &message);
    // It was the first of the lane, and nothing has overtaken it.
    rejoin(tx, &message, true)
}
