//! Attempts whose outcome nobody knows: never repeated blindly, settled by the
//! provider's own memory, its list, a delivery report, or a person.

use jiff::{SignedDuration, Timestamp};

use super::tx::Follow;
use super::{Answer, Command, Decide, Finding, Notice, Step, Tx, World, held, outcomes, texts};
use crate::model::{Conversation, Key, Message, MessageId, Outcome, Problem, Status, Task, keys};
use crate::planted::{Planted, planted};
use crate::workflow::OnUnknown;

/// A timer that is later than this says that the host was down.
const AWAY: SignedDuration = SignedDuration::from_secs(1);

/// How many looks without a result there are before a text counts as absent, or a
/// person is asked. The settle time alone would not do: a clock that jumps forward
/// makes it seem over at once.
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
    if message.aside.unknown_since.is_none() {
        message.aside.unknown_since = Some(tx.now);
        let text = "nobody knows yet whether the provider took it; finding out";
        held::note_in_run(tx, &message, "finding_out", text)?;
    }
    message.updated_at = tx.now;
    look_again(world, tx, &mut message)?;
    texts::tell(tx, "message.status", &message);
    texts::store(tx, &mut message)
}

/// The process that had the text in flight is gone.
pub(super) fn lost(world: World<'_>, tx: &mut Tx<'_>, id: &MessageId) -> Step<Answer> {
    let Some(message) = tx.get::<Message>(&keys::message(id))? else {
        tx.delete(keys::text_in_flight(id));
        return Ok(Answer::Unknown);
    };
    if message.status != Status::Sending || planted(Planted::ForgetLost) {
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

fn attempted_at(message: &Message) -> Timestamp {
    message
        .attempts
        .last()
        .map_or(message.created_at, |attempt| attempt.at)
}

/// When it must be settled or given to a person: the settle time after it became
/// unknown. Not after the attempt: behind a long timeout, or a host that was
/// down, the provider is asked all the same.
fn deadline(world: World<'_>, message: &Message) -> Timestamp {
    let since = message.aside.unknown_since.unwrap_or(message.updated_at);
    since
        .checked_add(settle_time(world, message))
        .unwrap_or(Timestamp::MAX)
}

/// Sets the timer of the next look: soon at first, then at a quarter of the
/// settle time, once when the provider's list counts, and last at the deadline.
fn look_again(world: World<'_>, tx: &mut Tx<'_>, message: &mut Message) -> Step<()> {
    let settle = settle_time(world, message);
    let pause = match message.looked {
        0 => (settle / 10).min(SignedDuration::from_secs(2)),
        _ => settle / 4,
    };
    let pause = pause.max(SignedDuration::from_millis(50));
    let mut due = tx.now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let end = attempted_at(message)
        .checked_add(settle)
        .unwrap_or(Timestamp::MAX);
    for stop in [end, deadline(world, message)] {
        if stop > tx.now {
            due = due.min(stop);
        }
    }
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
    let deadline = deadline(world, &message);
    let due = keys::timer_due(timer).unwrap_or(tx.now);
    let was_away = tx.now.duration_since(due) > AWAY;
    if was_away {
        // The host was down: what was seen before says nothing of now.
        message.looked = 0;
    }
    // A list is given up after its answers and not after a time: a host that was
    // down, or whose looks were lost with it, has not looked yet.
    let (_, tried) = message.tries();
    let most = usize::try_from(world.setup.limits.attempts).unwrap_or(usize::MAX);
    if connection.idempotent && ((tx.now >= deadline && !was_away) || tried >= most) {
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
    texts::store(tx, &mut message)
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
    // After the settle time the list is believed when it does not have the text;
    // at the deadline, whatever it says was the last word.
    let over = tx.now.duration_since(attempted_at(&message)) >= settle_time(world, &message);
    let last = tx.now >= deadline(world, &message) && message.looked >= LOOKS;
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
                [] if (over && message.looked >= LOOKS) || planted(Planted::AbsentTooSoon) => {
                    let text = "the provider does not list it: it is sent again";
                    held::note_in_run(tx, &message, "sent_again", text)?;
                    texts::ended(tx, &mut message, Outcome::Absent)?;
                    outcomes::again(tx, message, None, SignedDuration::ZERO)?;
                }
                _ if last || (over && !ours.is_empty()) => give_up(tx, message)?,
                _ => texts::store(tx, &mut message)?,
            }
        }
        Finding::Unsupported if over => give_up(tx, message)?,
        Finding::Unavailable(_) if last => give_up(tx, message)?,
        Finding::Unsupported | Finding::Unavailable(_) => texts::store(tx, &mut message)?,
    }
    Ok(Answer::Done)
}

/// Nothing could tell what became of it: the author's choice, or a person's.
fn give_up(tx: &mut Tx<'_>, mut message: Message) -> Step<()> {
    if message.on_unknown == OnUnknown::Resend {
        let text = "nobody can say whether it left, and the file says on_unknown: resend";
        held::note_in_run(tx, &message, "sent_again", text)?;
        tx.notices.push(Notice::SentAgain(message.id.clone()));
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
    tx.notices.push(Notice::Undecided(message.id.clone()));
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
            message.reason = None;
            message.problem = None;
            texts::conclude(tx, message)?;
        }
        Decide::Resend => {
            message.called_off = None;
            held::note_in_run(tx, &message, "sent_again", "a person has it sent again")?;
            texts::ended(tx, &mut message, Outcome::Absent)?;
            outcomes::again(tx, message, None, SignedDuration::ZERO)?;
        }
        Decide::Drop => {
            texts::ended(tx, &mut message, Outcome::Absent)?;
            message.status = Status::Canceled;
            message.reason = Some("dropped_by_person".to_owned());
            message.problem = None;
            texts::conclude(tx, message)?;
        }
    }
    Ok(Answer::Done)
}
