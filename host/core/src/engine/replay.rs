//! Dead letters of sending: texts that failed after all tries. They certainly
//! were not sent, so they may be sent again, through the gate like any text.
//!
//! The run that sent one went on long ago, with `ok: false`, and does not go
//! back: a replay sends the text as it stands, and the run's timeline says so.

use super::texts::{rejoin, store, tell};
use super::{Answer, Step, Tx, World, held};
use crate::model::{Attempt, Direction, Message, MessageId, Outcome, Status, keys};

/// Sends a text that failed once more, and lets one that is held or waits for
/// another try go at once. A second call finds it under way and does nothing.
pub(super) fn again(world: World<'_>, tx: &mut Tx<'_>, id: &MessageId) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    if message.direction == Direction::Inbound {
        return Ok(refused(&message));
    }
    match message.status {
        Status::Queued if message.aside.turn.is_none() && message.timer.is_some() => {
            tx.drop_timer(message.timer.take());
            message.not_before = None;
            message.updated_at = tx.now;
            store(tx, &mut message)?;
            rejoin(tx, &message, true)?;
            Ok(Answer::Done)
        }
        Status::Failed => replay(world, tx, message),
        _ if message.aside.replays > 0 && message.status != Status::NeedsReview => {
            Ok(Answer::Repeat)
        }
        Status::Queued | Status::Sending => Ok(Answer::Repeat),
        _ => Ok(refused(&message)),
    }
}

fn refused(message: &Message) -> Answer {
    let what = match message.status {
        Status::Unknown | Status::NeedsReview => "somebody has to decide whether it was sent",
        Status::Expired => "its time is over; send a new text",
        Status::Skipped => "the gate refused it; send a new text when that has changed",
        Status::Canceled => "it was called off; send a new text",
        _ => "only a text that failed can be sent again",
    };
    Answer::Refused {
        code: "not_failed",
        text: format!("{} is {}: {what}", message.id, message.status.word()),
    }
}

fn replay(world: World<'_>, tx: &mut Tx<'_>, mut message: Message) -> Step<Answer> {
    let idempotent = world
        .setup
        .connections
        .get(&message.connection)
        .is_some_and(|connection| connection.idempotent);
    let open = |one: &Attempt| {
        matches!(one.outcome, Some(Outcome::Unknown { .. }))
            || matches!(one.delivery, Some(Status::Sent | Status::Delivered))
    };
    if !idempotent && message.attempts.iter().any(open) {
        return Ok(Answer::Refused {
            code: "may_have_been_sent",
            text: format!(
                "one attempt at {} may have reached the provider; send a new text if it did not arrive",
                message.id
            ),
        });
    }
    message.status = Status::Queued;
    message.reason = None;
    message.problem = None;
    message.called_off = None;
    message.not_before = None;
    message.aside.dismissed = false;
    message.aside.replays = message.aside.replays.saturating_add(1);
    message.aside.before = u32::try_from(message.attempts.len()).unwrap_or(u32::MAX);
    message.updated_at = tx.now;
    store(tx, &mut message)?;
    tell(tx, "message.status", &message);
    held::note_in_run(tx, &message, "sent_again", "a person has it sent again")?;
    rejoin(tx, &message, false)?;
    Ok(Answer::Done)
}

/// Takes a text off the list of those that failed, or came twice.
pub(super) fn dismiss(tx: &mut Tx<'_>, id: &MessageId) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    let twice = message.aside.twice;
    if message.status != Status::Failed && !twice {
        return Ok(Answer::Refused {
            code: "not_failed",
            text: format!(
                "{} is {}: only a text that failed is in the list",
                message.id,
                message.status.word()
            ),
        });
    }
    if message.aside.dismissed {
        return Ok(Answer::Repeat);
    }
    message.aside.dismissed = true;
    store(tx, &mut message)?;
    tell(tx, "message.status", &message);
    Ok(Answer::Done)
}
