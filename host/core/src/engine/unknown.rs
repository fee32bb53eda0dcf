//! Attempts whose outcome nobody knows: never repeated blindly, settled by the
//! provider's own memory, its list, a delivery report, or a person.

use jiff::{SignedDuration, Timestamp};

use super::tx::Follow;
use super::{Answer, Command, Decide, Finding, Step, Tx, World, outcomes, texts};
use crate::model::{Conversation, Key, Message, MessageId, Outcome, Problem, Status, Task, keys};
use crate::workflow::OnUnknown;

/// A timer that is later than this says that the host was down.
const AWAY: SignedDuration = SignedDuration::from_secs(1);

/// How many looks without a result there are before a person is asked.
const LOOKS: u32 = 4;

/// An attempt ended and nobody knows how.
pub(super) fn begin(
    world: World<'_>,
    tx: &mut Tx<'_>,
    mut message: Message,
    problem: &Problem,
) -> Step<()> {
    if let Some(attempt) = message.attempts.last_mut() {
        attempt.outcome = Some(Outcome::Unknown {
            problem: problem.clone(),
        });
    }
    tx.delete(keys::text_in_flight(&message.id));
    message.status = Status::Unknown;
    message.reason = None;
    message.problem = Some(problem.clone());
    message.looked = 0;
    message.updated_at = tx.now;
    look_again(world, tx, &mut message)?;
    texts::tell(tx, "message.status", &message);
    tx.put(keys::message(&message.id), &message)
}

/// The process that had the text in flight is gone.
pub(super) fn lost(world: World<'_>, tx: &mut Tx<'_>, id: &MessageId) -> Step<Answer> {
    let Some(message) = tx.get::<Message>(&keys::message(id))? else {
        tx.delete(keys::text_in_flight(id));
        return Ok(Answer::Unknown);
    };
    if message.status != Status::Sending {
        tx.delete(keys::text_in_flight(id));
        return Ok(Answer::Repeat);
    }
    let problem = Problem {
        code: "host_stopped".to_owned(),
        text: "the host stopped while the provider was being asked".to_owned(),
    };
    begin(world, tx, message, &problem)?;
    Ok(Answer::Done)
}

/// How long after its attempt an unlisted text counts as absent.
fn settle_time(world: World<'_>, message: &Message) -> SignedDuration {
    let millis = world
        .setup
        .connections
        .get(&message.connection)
        .map_or(0, |c| c.settle_ms);
    SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Whether it is unknown for longer than the provider can need. Counted from when
/// it became unknown and not from the attempt, which a long timeout may lie behind.
fn is_long(world: World<'_>, tx: &Tx<'_>, message: &Message) -> bool {
    let waited = tx.now.duration_since(message.updated_at);
    waited > settle_time(world, message) * 2 + SignedDuration::from_secs(1)
}

fn attempted_at(message: &Message) -> Timestamp {
    message
        .attempts
        .last()
        .map_or(message.created_at, |attempt| attempt.at)
}

/// Sets the timer of the next look: soon at first, then at a quarter of the
/// settle time, and once just after it.
fn look_again(world: World<'_>, tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
    let settle = settle_time(world, message);
    let pause = match message.looked {
        0 => (settle / 10).min(SignedDuration::from_secs(2)),
        _ => settle / 4,
    };
    let pause = pause.max(SignedDuration::from_millis(50));
    let next = tx.now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let end = attempted_at(message)
        .checked_add(settle)
        .unwrap_or(Timestamp::MAX);
    let due = if next < end || end <= tx.now {
        next
    } else {
        end
    };
    let task = Task::Settle {
        message: message.id.clone(),
    };
    let timer = tx.set_timer(due, task)?;
    let before = message.timer.replace(timer);
    tx.drop_timer(before);
    Ok(())
}

/// It is time to find out.
pub(super) fn settle(world: World<'_>, tx: &mut Tx<'_>, id: &MessageId, timer: &Key) -> Step<()> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(());
    };
    if message.status != Status::Unknown || message.timer.as_ref() != Some(timer) {
        return Ok(());
    }
    message.timer = None;
    let Some(connection) = world.setup.connections.get(&message.connection) else {
        let text = format!(
            "the connection {} is no longer configured",
            message.connection
        );
        return review(tx, message, "connection_gone", &text);
    };
    let due = keys::timer_due(timer).unwrap_or(tx.now);
    if tx.now.duration_since(due) > AWAY {
        // The host was down: what was seen before says nothing of now.
        message.looked = 0;
    }
    // A list is given up after its answers and not after a time: a host that was
    // down, or whose looks were lost with it, has not looked yet.
    if connection.idempotent && is_long(world, tx, &message) {
        return give_up(tx, message);
    }
    let tried = u32::try_from(message.attempts.len()).unwrap_or(u32::MAX);
    if connection.idempotent && tried >= world.setup.limits.attempts {
        return give_up(tx, message);
    }
    if connection.idempotent {
        // The provider knows our id: asking again cannot make a second text.
        return match texts::repeat(world, tx, message)? {
            None => Ok(()),
            Some(message) => review(
                tx,
                message,
                "gate_closed",
                "its outcome is unknown, and it may not be sent again to find out",
            ),
        };
    }
    look_again(world, tx, &mut message)?;
    tx.commands.push(Command::Look(id.clone()));
    tx.put(keys::message(id), &message)
}

/// The provider's list was looked at.
pub(super) fn looked(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &MessageId,
    finding: &Finding,
) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    if message.status != Status::Unknown {
        return Ok(Answer::Repeat);
    }
    // Counted here: a look that got no answer, because the host was killed, is none.
    message.looked = message.looked.saturating_add(1);
    let over = tx.now.duration_since(attempted_at(&message)) >= settle_time(world, &message);
    match finding {
        Finding::Candidates(found) => {
            tx.expect(
                found
                    .iter()
                    .map(|one| keys::provider_text(&message.connection, one)),
            );
            let mut ours = Vec::new();
            for one in found {
                let owner: Option<MessageId> =
                    tx.get(&keys::provider_text(&message.connection, one))?;
                if owner.is_none_or(|owner| owner == *id) {
                    ours.push(one);
                }
            }
            match ours.as_slice() {
                [provider_id] => {
                    let provider_id = (*provider_id).clone();
                    texts::remember(tx, &mut message, &provider_id)?;
                    texts::ended(tx, &mut message, Outcome::Accepted { provider_id })?;
                    message.status = Status::Accepted;
                    message.problem = None;
                    texts::conclude(tx, message)?;
                }
                [] if over && message.looked >= 2 => {
                    texts::ended(tx, &mut message, Outcome::Absent)?;
                    outcomes::again(tx, message, None, SignedDuration::ZERO)?;
                }
                [_, ..] if over => give_up(tx, message)?,
                _ => tx.put(keys::message(id), &message)?,
            }
        }
        Finding::Unsupported if over => give_up(tx, message)?,
        Finding::Unavailable(_) if message.looked >= LOOKS && is_long(world, tx, &message) => {
            give_up(tx, message)?;
        }
        Finding::Unsupported | Finding::Unavailable(_) => tx.put(keys::message(id), &message)?,
    }
    Ok(Answer::Done)
}

/// Nothing could tell what became of it: the author's choice, or a person's.
fn give_up(tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
    if message.on_unknown == OnUnknown::Resend {
        texts::ended(tx, &mut message, Outcome::Absent)?;
        return outcomes::again(tx, message, None, SignedDuration::ZERO);
    }
    review(
        tx,
        message,
        "unknown",
        "the provider could not say whether it took this text",
    )
}

/// Holds a text for a person and lets its conversation go on.
fn review(tx: &mut Tx<'_>, mut message: Message, word: &str, text: &str) -> Step<()> {
    tx.drop_timer(message.timer.take());
    message.status = Status::NeedsReview;
    message.reason = Some(word.to_owned());
    message.problem = Some(Problem {
        code: word.to_owned(),
        text: text.to_owned(),
    });
    let key = keys::conversation(&message.conversation);
    if let Some(mut conversation) = tx.get::<Conversation>(&key)?
        && conversation.in_flight.as_ref() == Some(&message.id)
    {
        conversation.in_flight = None;
        super::threads::put(tx, &conversation)?;
        tx.follow(Follow::Pump(conversation.id));
    }
    texts::conclude(tx, message)
}

/// A person decided.
pub(super) fn decided(
    _world: World<'_>,
    tx: &mut Tx<'_>,
    id: &MessageId,
    decision: Decide,
) -> Step<Answer> {
    let Some(mut message) = tx.get::<Message>(&keys::message(id))? else {
        return Ok(Answer::Unknown);
    };
    if !matches!(message.status, Status::NeedsReview | Status::Unknown) {
        return Ok(Answer::Refused {
            code: "not_in_review",
            text: format!(
                "{id} is {}; there is nothing to decide",
                message.status.word()
            ),
        });
    }
    match decision {
        Decide::Sent => {
            let provider_id = message.provider_id.clone().unwrap_or_default();
            texts::ended(tx, &mut message, Outcome::Accepted { provider_id })?;
            message.status = Status::Accepted;
            message.problem = None;
            texts::conclude(tx, message)?;
        }
        Decide::Resend => {
            message.called_off = None;
            texts::ended(tx, &mut message, Outcome::Absent)?;
            outcomes::again(tx, message, None, SignedDuration::ZERO)?;
        }
        Decide::Drop => {
            texts::ended(tx, &mut message, Outcome::Absent)?;
            message.status = Status::Canceled;
            message.reason = Some("dropped_by_person".to_owned());
            texts::conclude(tx, message)?;
        }
    }
    Ok(Answer::Done)
}
