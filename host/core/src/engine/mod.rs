//! The engine: a pure function from facts, an event and a time to one batch of
//! writes and the commands that follow from it.
//!
//! [`step`] has no clock, no store, no network and no components inside. When it
//! needs facts it says which, and the caller loads them and calls again; every
//! fact that was read becomes a precondition of the batch, so that a decision
//! taken on old facts is refused by the store and taken again on new ones. A
//! command is inert: the caller performs it only after the batch is durable.

mod approvals;
mod breaker;
mod by_hand;
mod calls;
mod campaigns;
mod draft;
mod enroll;
mod events;
mod fan;
mod firing;
mod groups;
mod held;
mod idle;
mod inbound;
mod input;
mod leads;
mod line;
mod outcomes;
mod posted;
mod replay;
mod reports;
mod requests;
pub mod retention;
mod runs;
mod schedule;
mod scope;
mod setup;
mod steps;
mod texts;
mod threads;
mod turns;
mod tx;
mod unknown;
mod work;

use jiff::Timestamp;

pub use by_hand::may_move;
pub use held::turn_of;
pub use input::*;
pub use leads::row as lead_row;
pub use schedule::upcoming;
pub use setup::{
    Agent, Business, Calls, Catalog, Connection, InService, Inbound, Limits, Listener,
    OpeningHours, OutsideNames, Person, Reading, Retention, Setup, Voice,
};
pub use tx::{Facts, Records};
pub use work::{Ask, Body, Compose, Http, Work, WorkResult};

use crate::model::{Batch, Entry, Key, PausedBy, Task, Timer, keys, record};
use crate::planted::{Planted, planted};
use crate::policy::pace::Wanted;
use tx::{Follow, Halt, Made, Step, Tx};

/// What the engine is told about the world beside the facts: the configuration
/// and the workflows, both as they are at this moment.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The configuration.
    pub setup: &'a Setup,
    /// The workflows.
    pub workflows: &'a Catalog,
}

/// What a step came to.
#[derive(Debug)]
pub enum Decision {
    /// Commit the batch; then, and only then, do the rest.
    Act(Act),
    /// Load these keys (whatever they hold) and call again.
    Need(Vec<Key>),
    /// Ask the schedules of the sending numbers ([`crate::policy::pace`]), add
    /// what they grant to the facts, and call again.
    Turns(Vec<Wanted>),
}

/// A decision that can be carried out.
#[derive(Debug)]
pub struct Act {
    /// What to write; empty when nothing changes.
    pub batch: Batch,
    /// What was written, for the step that a command's outcome is taken with; empty
    /// without commands.
    pub records: Records,
    /// What to do outside afterwards.
    pub commands: Vec<Command>,
    /// What to keep in memory afterwards.
    pub notices: Vec<Notice>,
    /// What was added to the feed, for those who follow it live.
    pub entries: Vec<Entry>,
    /// What to tell the caller.
    pub answer: Answer,
}

/// Why a step could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stored record cannot be used.
    #[error(transparent)]
    Record(#[from] record::Error),
}

/// Takes one step: decides what `input` means, given these facts, at this time.
///
/// `seed` is a random number of the caller's, the same when the step is taken
/// again with more facts. `now` is in whole milliseconds.
///
/// # Errors
/// When a stored record cannot be used.
pub fn step(
    world: World<'_>,
    facts: &Facts,
    input: &Input,
    now: Timestamp,
    seed: u128,
) -> Result<Decision, Error> {
    let mut tx = Tx::new(facts, now, seed);
    match decide(world, &mut tx, input) {
        Ok(answer) => match tx.into_batch() {
            Ok(made) => {
                let Made {
                    batch,
                    records,
                    commands,
                    notices,
                    entries,
                } = made;
                Ok(Decision::Act(Act {
                    batch,
                    records,
                    commands,
                    notices,
                    entries,
                    answer,
                }))
            }
            Err(Halt::Broken(error)) => Err(error.into()),
            Err(Halt::Need) => Ok(Decision::Need(Vec::new())),
        },
        Err(Halt::Need) => Ok(match tx.wanted_turns() {
            turns if turns.is_empty() => Decision::Need(tx.into_missing()),
            turns => Decision::Turns(turns),
        }),
        Err(Halt::Broken(error)) => Err(error.into()),
    }
}

fn decide(world: World<'_>, tx: &mut Tx<'_>, input: &Input) -> Step<Answer> {
    let answer = handle(world, tx, input)?;
    loop {
        if let Some(work) = tx.next_work() {
            follow(world, tx, work)?;
        } else if let Some(entry) = tx.next_told(|kind| events::tells(world, kind)) {
            events::told(world, tx, &entry)?;
        } else if let Some(work) = tx.next_text() {
            follow(world, tx, work)?;
        } else {
            break;
        }
    }
    Ok(answer)
}

fn follow(world: World<'_>, tx: &mut Tx<'_>, work: Follow) -> Step<()> {
    match work {
        Follow::Pump(conversation) => texts::pump(world, tx, &conversation),
        Follow::Resume(run, message) => runs::resume(world, tx, &run, &message),
        Follow::Advance(run) => steps::advance(world, tx, &run),
        Follow::Join(run) => steps::join(world, tx, &run),
        Follow::CallEnded(run, call) => calls::ended(world, tx, &run, &call),
        Follow::Next(workflow, group) => groups::next(world, tx, &workflow, &group),
    }
}

fn handle(world: World<'_>, tx: &mut Tx<'_>, input: &Input) -> Step<Answer> {
    match input {
        Input::Text(text) => inbound::text(world, tx, text),
        Input::Report(report) => reports::report(world, tx, report),
        Input::Call(report) => calls::report(world, tx, report),
        Input::Send(request) => requests::send(tx, request),
        Input::Place(request) => requests::place(world, tx, request),
        Input::Start(request) => requests::start(world, tx, request),
        Input::Timer(key) => timer(world, tx, key),
        Input::Sent(message, result) => outcomes::sent(world, tx, message, result),
        Input::Looked(message, finding) => unknown::looked(world, tx, message, finding),
        Input::Placed(call, result) => calls::placed(tx, call, result),
        Input::LostText(message) => unknown::lost(world, tx, message),
        Input::LostCall(call) => calls::lost(tx, call),
        Input::Worked(run, number, result) => work::worked(world, tx, run, *number, result),
        Input::LostWork(run) => work::lost(world, tx, run, "the host stopped meanwhile"),
        Input::Cancel(run) => runs::cancel_by_id(world, tx, run, "cancelled"),
        Input::Wake(run) => by_hand::wake(world, tx, run),
        Input::Move(run) => by_hand::move_on(world, tx, run),
        Input::Retry(run) => by_hand::retry(world, tx, run),
        Input::Release(conversation) => threads::release(tx, conversation),
        Input::Take(conversation, to, reason) => {
            threads::take_by_id(world, tx, conversation, to, reason)
        }
        Input::OptOut(phone, out, how) => inbound::opt_out_by_api(world, tx, phone, *out, *how),
        Input::Decide(message, decision) => unknown::decided(world, tx, message, *decision),
        Input::Approve(message, given) => approvals::answered(tx, message, given),
        Input::Replay(message) => replay::again(world, tx, message),
        Input::Dismiss(message) => replay::dismiss(tx, message),
        Input::Lead(request) => leads::told_of(tx, request),
        Input::Webhook(webhook) => posted::webhook(world, tx, webhook),
        Input::Event(event) => posted::event(world, tx, event),
        Input::Define(workflow) => schedule::define(world, tx, workflow),
        Input::Undefine(workflow) => schedule::undefine(world, tx, workflow),
        Input::Pause(campaign, why) => campaigns::pause(tx, campaign, PausedBy::Person, why),
        Input::Resume(campaign) => campaigns::resume(tx, campaign),
        Input::Expire(keys) => retention::expire(world, tx, keys),
    }
}

/// A due timer: removed and acted on in the same batch.
fn timer(world: World<'_>, tx: &mut Tx<'_>, key: &Key) -> Step<Answer> {
    let Some(timer) = tx.get::<Timer>(key)? else {
        return Ok(Answer::Unknown);
    };
    if timer.due > tx.now && !planted(Planted::TimerEarly) {
        // A clock that jumped back: the timer keeps its time.
        return Ok(Answer::Done);
    }
    if !planted(Planted::TimerStays) {
        tx.delete(key.clone());
    }
    match &timer.task {
        _ if planted(Planted::TimerIdle) => {}
        Task::Wake { run } => runs::wake(world, tx, run, key)?,
        Task::Text { message } => texts::due(world, tx, message, key)?,
        Task::Settle { message } => unknown::settle(world, tx, message, key)?,
        Task::Release { conversation } => threads::release_due(tx, conversation, key)?,
        Task::Tick { workflow, trigger } => {
            firing::tick(world, tx, workflow, *trigger, key, timer.due)?;
        }
        Task::Turn {
            conversation,
            workflow,
            trigger,
        } => turns::due(world, tx, conversation, workflow, *trigger, key)?,
        Task::Silence {
            conversation,
            workflow,
            trigger,
        } => idle::due(world, tx, conversation, workflow, *trigger, key)?,
        Task::Line { campaign } => line::serve(world, tx, campaign, key)?,
        Task::Relabel { campaign, from } => line::relabel(world, tx, campaign, *from)?,
        Task::Begin { campaign } => campaigns::begin(world, tx, campaign)?,
        Task::Tally { message } => breaker::tally(world, tx, message, key)?,
        Task::Heard { contact } => breaker::heard(world, tx, contact)?,
    }
    Ok(Answer::Done)
}

/// The keys that a step for this input will surely read, so that the caller can
/// load them before the first try.
pub fn expected(input: &Input) -> Vec<Key> {
    match input {
        Input::Text(text) => vec![
            keys::taken(&text.connection, &text.provider_id),
            keys::contact(&text.from),
        ],
        Input::Call(report) => {
            let mut wanted = vec![keys::provider_call(&report.connection, &report.provider_id)];
            wanted.extend(report.from.as_ref().map(keys::contact));
            wanted
        }
        Input::Send(request) => vec![keys::contact(&request.to)],
        Input::Lead(request) => vec![keys::contact(&request.phone)],
        Input::Timer(key) => vec![key.clone()],
        Input::Sent(message, _)
        | Input::Looked(message, _)
        | Input::LostText(message)
        | Input::Decide(message, _)
        | Input::Approve(message, _)
        | Input::Replay(message)
        | Input::Dismiss(message) => vec![keys::message(message)],
        Input::Worked(run, ..) | Input::LostWork(run) => vec![keys::run(run)],
        Input::Pause(campaign, _) | Input::Resume(campaign) => vec![keys::campaign(campaign)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
