//! What the host does with an input: facts, decision, commit, and what follows
//! from it, as `runtime/shell.rs` of the server does.

use std::sync::Arc;

use super::agenda::Happening;
use super::driver::Simulation;
use super::scenario::Fault;
use super::script::Position;
use super::story::{Failure, Told};
use crate::engine::{
    self, Act, Answer, Command, Decision, Facts, InService, Input, Notice, WorkResult, World,
};
use crate::model::{Message, keys, record};
use crate::planted::{Planted, planted};

/// How a commit went.
enum Committed {
    Yes,
    /// The facts were old.
    Conflict,
    /// The disk has no room.
    Refused,
    /// The host crashed, before or after it.
    Crashed,
}

/// A happening with the number of what it follows from.
pub(super) type Due = (u32, Happening);

impl Simulation {
    /// Gives an input to the host, sometimes two at once on the same facts.
    pub(super) fn inputs(&mut self, first: Due) -> Result<(), Box<Failure>> {
        let mut todo = vec![first];
        let often = self.scenario.faults.race;
        if often > 0 && self.fault(Fault::Race, often) {
            let soon = self
                .agenda
                .iter()
                .take(4)
                .find(|(_, (_, one))| matches!(one, Happening::Hook(..) | Happening::Back(..)))
                .map(|(key, _)| *key);
            if let Some(key) = soon {
                todo.extend(self.agenda.remove(&key));
                self.until(key.0);
                if self.random.chance(500) {
                    todo.reverse();
                }
            }
        }
        let mut decided = Vec::with_capacity(todo.len());
        for (origin, happening) in todo {
            self.enter(origin);
            let input = match &happening {
                Happening::Hook(input, _) if !self.down && !self.disk_full => input.clone(),
                Happening::Hook(..) => {
                    // Nobody answers, or a 503: it comes again.
                    self.again(happening);
                    continue;
                }
                Happening::Back(process, input) if *process == self.process && !self.down => {
                    input.clone()
                }
                _ => continue,
            };
            let act = self.decide(&input)?;
            decided.push(((origin, happening), input, act));
        }
        for ((origin, happening), input, act) in decided {
            self.enter(origin);
            if self.down {
                // The crash took this one with it.
                self.again(happening);
                continue;
            }
            self.take(happening, &input, act)?;
        }
        Ok(())
    }

    /// Takes an input at once, as a start does.
    pub(super) fn take_now(&mut self, input: Input) -> Result<(), Box<Failure>> {
        let act = self.decide(&input)?;
        self.take(Happening::Back(self.process, input.clone()), &input, act)
    }

    /// Whoever was not answered asks again; the host itself tries to store an
    /// outcome until it is stored.
    fn again(&mut self, happening: Happening) {
        if let Happening::Hook(input, tries) = happening {
            let pause = self.pause(500, 15_000, 900);
            self.after(pause, Happening::Hook(input, tries.saturating_add(1)));
        }
    }

    fn decide(&mut self, input: &Input) -> Result<Act, Box<Failure>> {
        let seed = self.random.wide();
        let mut facts = Facts::default();
        facts.set_rough(self.pace.is_rough(self.now));
        for key in engine::expected(input) {
            let value = self.state.get(&key).cloned();
            facts.insert(key, value);
        }
        for _ in 0..1_000 {
            let world = World {
                setup: &self.scenario.setup,
                workflows: &self.catalog,
            };
            let decision = engine::step(world, &facts, input, self.now, seed)
                .map_err(|error| self.failure(error.to_string()))?;
            let wanted = match decision {
                Decision::Act(act) => return Ok(act),
                Decision::Need(wanted) => wanted,
                Decision::Turns(wanted) => {
                    for one in wanted {
                        let granted = self.pace.turn(&one, self.now);
                        facts.grant(one.message, granted);
                    }
                    continue;
                }
            };
            if wanted.is_empty() {
                return Err(self.failure(format!("{input:?} needs nothing and does not go on")));
            }
            for key in wanted {
                let value = self.state.get(&key).cloned();
                facts.insert(key, value);
            }
        }
        Err(self.failure(format!("{input:?} always needs more")))
    }

    fn take(
        &mut self,
        happening: Happening,
        input: &Input,
        mut act: Act,
    ) -> Result<(), Box<Failure>> {
        if planted(Planted::CommandsFirst) {
            self.perform_early(&act)?;
        }
        let answered = planted(Planted::AnswerFirst) && self.answer_early(&happening);
        let mut how = self.commit(input, &act)?;
        if matches!(how, Committed::Conflict) {
            self.report.conflicts += 1;
            act = self.decide(input)?;
            how = self.commit(input, &act)?;
        }
        match how {
            Committed::Yes => {}
            Committed::Crashed => {
                if !answered {
                    self.again(happening);
                }
                return Ok(());
            }
            Committed::Refused => {
                self.refused(happening);
                return Ok(());
            }
            Committed::Conflict => {
                return Err(self.failure(format!("{input:?} conflicts with nobody")));
            }
        }
        self.follow(input, &mut act);
        if let Happening::Hook(_, tries) = happening {
            // A report on a text whose id the host does not know yet comes again.
            if matches!(input, Input::Report(_)) && act.answer == Answer::Unknown && tries < 8 {
                self.again(happening);
                return Ok(());
            }
            self.acknowledged(input, &act.answer)?;
        }
        Ok(())
    }

    /// What follows from a durable batch: what the host keeps in memory, then
    /// the world outside.
    fn follow(&mut self, input: &Input, act: &mut Act) {
        for notice in std::mem::take(&mut act.notices) {
            match notice {
                Notice::Stopped(phone) => self.stopped.insert(phone),
                Notice::Resumed(phone) => self.stopped.remove(&phone),
                Notice::Slowed(sender, until) => {
                    self.pace.slow(&sender, until, self.now);
                    true
                }
                Notice::Broken(sender, until, problem) => self.pace.hold(&sender, until, &problem),
                Notice::Works(sender) => self.pace.works(&sender),
                // For a person's eyes.
                Notice::Undecided(_) | Notice::SentAgain(_) => true,
            };
        }
        for command in std::mem::take(&mut act.commands) {
            let process = self.process;
            let pause = self.random.between(0, 30);
            match command {
                Command::Send(gated) => self.after(pause, Happening::Start(process, gated)),
                Command::Look(id) => self.after(pause, Happening::Look(process, id)),
                Command::Place(id) => self.after(pause, Happening::Place(process, id)),
                // It is answered, or never: the timer of the run takes care of that.
                Command::Work(work) => {
                    if self.random.chance(900) {
                        let pause = self.random.between(5, 5_000);
                        let result = WorkResult::Done(serde_json::json!({ "label": "other" }));
                        let input = Input::Worked(work.run, work.number, result);
                        self.after(pause, Happening::Back(process, input));
                    }
                }
            }
        }
        match (input, &act.answer) {
            (Input::Define(workflow), Answer::Version { now, .. }) => {
                let in_service = InService {
                    workflow: Arc::clone(workflow),
                    version: *now,
                };
                let by_hash = &mut self.catalog.by_hash;
                by_hash.insert(workflow.hash.clone(), Arc::clone(workflow));
                let id = workflow.definition.id.clone();
                self.catalog.in_service.insert(id, in_service);
            }
            (Input::Undefine(id), _) => {
                self.catalog.in_service.remove(id);
            }
            _ => {}
        }
    }

    /// A commit that the disk had no room for: whoever asks from outside asks
    /// again, a timer stays, and an outcome is stored as soon as it can be.
    fn refused(&mut self, happening: Happening) {
        self.report.refused += 1;
        match happening {
            Happening::Back(_, Input::Timer(_)) => {}
            Happening::Back(..) if planted(Planted::DropOutcome) => {}
            Happening::Back(..) => {
                let pause = self.pause(50, 5_000, 50);
                self.after(pause, happening);
            }
            other => self.again(other),
        }
    }

    fn commit(&mut self, input: &Input, act: &Act) -> Result<Committed, Box<Failure>> {
        if act.batch.is_empty() && act.commands.is_empty() {
            return Ok(Committed::Yes);
        }
        let holds = act
            .batch
            .preconditions
            .iter()
            .all(|one| one.holds(self.state.get(one.key()).map(|value| value.revision)));
        if !holds {
            return Ok(Committed::Conflict);
        }
        let often = self.scenario.faults.disk;
        if self.disk_full || (often > 0 && self.fault(Fault::Disk, often)) {
            return Ok(Committed::Refused);
        }
        let crash = self.crash_at_commit();
        if let Some(position @ (Position::Before | Position::TornLost)) = crash {
            self.crash("before the commit");
            self.replay(position)?;
            return Ok(Committed::Crashed);
        }
        let before = self.timers_before(&act.batch);
        if let Err(failed) = self.state.commit(&act.batch) {
            return Err(self.failure(format!("{failed:?} held a moment ago")));
        }
        self.journal(&act.batch);
        for (key, value) in &act.batch.writes {
            if keys::timer_due(key).is_some() {
                match value {
                    Some(_) => self.timers.insert(key.clone(), self.origin),
                    None => self.timers.remove(key),
                };
            }
        }
        self.report.commits += 1;
        self.tell_commit(input, act)?;
        self.check_commit(input, act, &before)?;
        if let Some(position) = crash {
            self.crash("after the commit");
            self.replay(position)?;
            return Ok(Committed::Crashed);
        }
        Ok(Committed::Yes)
    }

    fn crash_at_commit(&mut self) -> Option<Position> {
        if let Some(script) = &mut self.script {
            return script.door();
        }
        let often = self.scenario.faults.crash;
        if often == 0 || !self.fault(Fault::Crash, often) {
            return None;
        }
        let before = self.random.chance(500);
        Some(if before {
            Position::Before
        } else {
            Position::After
        })
    }

    fn tell_commit(&mut self, input: &Input, act: &Act) -> Result<(), Box<Failure>> {
        if self.story.is_none() {
            return Ok(());
        }
        let mut bodies = Vec::new();
        for entry in &act.entries {
            if let ("message.queued", Some(id)) = (entry.kind.as_str(), &entry.message)
                && let Some(message) = self.get::<Message>(&keys::message(id))?
            {
                bodies.push((id.clone(), message.body.clone()));
            }
        }
        let told = Told::Commit {
            input: Box::new(input.clone()),
            entries: act.entries.clone(),
            commands: act.commands.clone(),
            bodies,
        };
        if let Some(story) = &mut self.story {
            story.tell(self.now, told);
        }
        Ok(())
    }

    /// The planted mistake of a host that sends before the record is durable.
    fn perform_early(&mut self, act: &Act) -> Result<(), Box<Failure>> {
        for command in &act.commands {
            let Command::Send(gated) = command else {
                continue;
            };
            let key = keys::message(gated.message());
            if let Some(Some(bytes)) = act.batch.writes.get(&key) {
                let message: Message = record::decode(bytes)
                    .map_err(|error| self.failure(format!("{key:?} cannot be read: {error}")))?;
                let arrive = Happening::Arrive(self.process, Box::new(message), None);
                self.after(5, arrive);
            }
        }
        Ok(())
    }

    /// The planted mistake of a host that says yes before the record is durable.
    fn answer_early(&mut self, happening: &Happening) -> bool {
        let Happening::Hook(input, _) = happening else {
            return false;
        };
        if let Input::Text(text) = input {
            let name = (text.connection.clone(), text.provider_id.clone());
            self.truth.answered.insert(name);
        }
        true
    }

    /// A pause of chance, or a fixed one where a script is played.
    pub(super) fn pause(&mut self, from: u64, to: u64, scripted: u64) -> u64 {
        match self.script {
            Some(_) => scripted,
            None => self.random.between(from, to),
        }
    }
}
