//! STOP against a send, in every order that chance finds: each of the two is cut
//! into the moments in which a host can be overtaken (facts read, batch
//! committed, memory told, answer given, last look, first byte), and a host may
//! crash between any of them.
//!
//! A send starts when its gate commits. None may start after the answer to the
//! STOP, and none that looks for the last time after it may leave.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::random::Random;
use super::long;
use super::stages::{Past, accepted, caller, decide, first_timer, request, world};
use crate::engine::tests::build::phone;
use crate::engine::{Act, Command, Gated, IncomingText, Input, Notice, SendResult};
use crate::model::{Message, MessageId, OptOutSource, Origin, PhoneNumber, State, keys, record};
use crate::planted::{Planted, planted};
use crate::workflow::Intent;

/// Interleavings of the long form.
const MANY: u64 = 1_000_000;
/// How long the short form takes.
const SHORT: Duration = Duration::from_secs(10);

/// Something that a host is in the middle of.
#[derive(Debug)]
enum Task {
    /// To decide, and then to commit what was decided.
    Ask(Input, Option<Act>),
    /// To tell memory, and to hand on the commands.
    Tell(Input, Vec<Notice>, Vec<Command>),
    /// To answer whoever asked; whether memory was told something before.
    Answer(Input, bool),
    /// The last look before the first byte.
    Look(Gated),
    /// The first byte, and the provider's yes.
    Leave(MessageId),
    /// The process dies.
    Crash,
}

struct Host<'a> {
    world: &'a Past,
    state: State,
    now: Timestamp,
    random: Random,
    stopped: BTreeSet<PhoneNumber>,
    tasks: Vec<Task>,
    /// The STOP was answered.
    answered: bool,
    /// By one that told memory. A repeat that is answered in between knows of the
    /// STOP from the store alone; what passed its gate before may still leave.
    told: bool,
    /// Sends that started, by whether the STOP had been answered.
    started: [u64; 2],
}

impl Host<'_> {
    /// A moment of one task, chosen by chance.
    fn moment(&mut self) -> Result<bool, String> {
        if self.tasks.is_empty() {
            return Ok(false);
        }
        let at = usize::try_from(self.random.below(self.tasks.len() as u64)).unwrap_or(0);
        match self.tasks.swap_remove(at) {
            Task::Ask(input, None) => {
                let seed = self.random.wide();
                let world = self.world;
                let act = decide(
                    &world.setup,
                    &world.catalog,
                    &self.state,
                    &input,
                    self.now,
                    seed,
                );
                self.tasks.push(Task::Ask(input, Some(act)));
            }
            Task::Ask(input, Some(act)) => self.commit(input, act)?,
            Task::Tell(input, notices, commands) => {
                let told = !notices.is_empty();
                for notice in notices {
                    match notice {
                        Notice::Stopped(phone) => self.stopped.insert(phone),
                        Notice::Resumed(phone) => self.stopped.remove(&phone),
                        // About the pace of a number, which has none here.
                        _ => false,
                    };
                }
                for command in commands {
                    if let Command::Send(gated) = command {
                        self.tasks.push(Task::Look(gated));
                    }
                }
                self.tasks.push(Task::Answer(input, told));
            }
            Task::Answer(Input::Text(_) | Input::OptOut(..), told) => {
                self.answered = true;
                self.told |= told;
            }
            Task::Answer(..) => {}
            Task::Look(gated) => {
                let id = gated.message().clone();
                let stopped = gated
                    .contact()
                    .is_some_and(|one| self.stopped.contains(one));
                if stopped && !planted(Planted::NoLastLook) {
                    self.tasks
                        .push(Task::Ask(Input::Sent(id, SendResult::CalledOff), None));
                } else if self.told && gated.contact() == Some(&caller()) {
                    return Err(format!("{id} looks after the answer and leaves"));
                } else {
                    self.tasks.push(Task::Leave(id));
                }
            }
            Task::Leave(id) => self.tasks.push(Task::Ask(accepted(&id), None)),
            Task::Crash => self.crash(),
        }
        Ok(true)
    }

    fn commit(&mut self, input: Input, act: Act) -> Result<(), String> {
        if self.state.commit(&act.batch).is_err() {
            // It lost to another one, and is decided again.
            self.tasks.push(Task::Ask(input, None));
            return Ok(());
        }
        for command in &act.commands {
            let Command::Send(gated) = command else {
                continue;
            };
            let stored = self.state.get(&keys::message(gated.message())).unwrap();
            let message: Message = record::decode(&stored.value).unwrap();
            // The notice to whoever approves a draft is not the contact's.
            if message.origin == Origin::Keyword || message.contact != caller() {
                continue;
            }
            self.started[usize::from(self.answered)] += 1;
            if self.answered {
                return Err(format!("{:?} starts after the answer", message.body));
            }
        }
        self.tasks
            .push(Task::Tell(input, act.notices, act.commands));
        Ok(())
    }

    /// The process dies: who was not answered asks again, and the next one
    /// settles what was open.
    fn crash(&mut self) {
        self.stopped.clear();
        self.told = false;
        let asked = std::mem::take(&mut self.tasks);
        for task in asked {
            let (Task::Ask(input, _) | Task::Tell(input, ..) | Task::Answer(input, _)) = task
            else {
                continue;
            };
            let from_outside = matches!(
                input,
                Input::Text(_) | Input::OptOut(..) | Input::Send(_) | Input::Approve(..)
            );
            if from_outside {
                self.tasks.push(Task::Ask(input, None));
            }
        }
        let (from, to) = keys::table(b'i');
        let marks: Vec<String> = self
            .state
            .range(&from, &to)
            .map(|(key, _)| super::super::host::tail(key))
            .collect();
        for id in marks.iter().filter_map(|id| MessageId::parse(id)) {
            self.tasks.push(Task::Ask(Input::LostText(id), None));
        }
    }
}

/// One interleaving; how many sends started before and after the answer.
fn play(world: &Past, seed: u64) -> Result<[u64; 2], String> {
    let mut random = Random::new(seed);
    let stage = random.pick(&world.stages).cloned().unwrap();
    let to = *random.pick(&["+15125550100", "+15125550101"]).unwrap();
    let stop = match random.below(4) {
        0 => Input::OptOut(caller(), true, OptOutSource::Api),
        _ => Input::Text(IncomingText {
            connection: "main".to_owned(),
            provider_id: "I1".to_owned(),
            from: caller(),
            to: phone(to),
            body: "STOP".to_owned(),
            media: Vec::new(),
            keyword: None,
        }),
    };
    let mut tasks: Vec<Task> = stage
        .next
        .into_iter()
        .map(|one| Task::Ask(one, None))
        .collect();
    tasks.extend(stage.leaving.into_iter().map(Task::Look));
    if random.chance(300) {
        tasks.push(Task::Ask(stop.clone(), None));
    }
    if random.chance(250) {
        tasks.push(Task::Crash);
    }
    if random.chance(250) {
        // Another text of the same contact, asked for meanwhile.
        tasks.push(Task::Ask(request("more", Intent::Transactional), None));
    }
    tasks.push(Task::Ask(stop, None));
    let mut host = Host {
        world,
        state: stage.state,
        now: stage.now,
        random,
        stopped: BTreeSet::new(),
        tasks,
        answered: false,
        told: false,
        started: [0; 2],
    };
    for _ in 0..4 {
        while host.moment()? {}
        // What is left wakes by itself.
        let Some((key, due)) = first_timer(&host.state) else {
            break;
        };
        host.now = host.now.max(due);
        host.tasks.push(Task::Ask(Input::Timer(key), None));
    }
    while host.moment()? {}
    if !host.answered {
        return Err("the STOP was never answered".to_owned());
    }
    Ok(host.started)
}

/// The first interleaving in which a send starts too late.
pub(super) fn first_late(most: u64) -> Option<(u64, String)> {
    let world = world();
    (0..most).find_map(|seed| Some((seed, play(&world, seed).err()?)))
}

#[test]
fn proof_stop_against_a_send() {
    let began = Instant::now();
    let world = world();
    let next = std::sync::atomic::AtomicU64::new(0);
    let work = || {
        let (mut played, mut started, mut kept) = (0_u64, 0, 0);
        loop {
            let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let enough = match long() {
                true => seed >= MANY,
                false => seed >= MANY || began.elapsed() > SHORT,
            };
            if enough {
                return (played, started, kept);
            }
            match play(&world, seed) {
                Ok([before, _]) => {
                    started += before;
                    kept += u64::from(before == 0);
                }
                Err(late) => panic!("interleaving {seed}: {late}"),
            }
            played += 1;
        }
    };
    let (mut played, mut started, mut kept) = (0, 0, 0);
    std::thread::scope(|scope| {
        let both = [scope.spawn(work), scope.spawn(work)];
        for one in both {
            let (a, b, c) = one.join().unwrap();
            played += a;
            started += b;
            kept += c;
        }
    });
    println!(
        "STOP against a send: {played} interleavings, {started} sends started before the STOP was \
         acknowledged, 0 after; in {kept} none started; {:.1?}",
        began.elapsed()
    );
    assert!(started > played / 20 && kept > played / 20);
}
