//! The host of the simulation: takes what happens in the order of the virtual
//! clock, asks the engine, commits, crashes, and carries out commands.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::provider::Provider;
use super::random::Random;
use super::scenario::Scenario;
use super::story::{Failure, Story, Told};
use super::truth::Truth;
use crate::engine::{
    self, Act, Answer, Catalog, Command, Decision, Facts, Gated, InService, Input, Notice, World,
};
use crate::model::{
    CallId, Key, Message, MessageId, PhoneNumber, Revision, Run, State, Task, Timer, keys, record,
};
use crate::policy::pace::Pace;

/// Something that is going to happen at its time.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Somebody outside does something new.
    Life,
    /// A webhook or request of somebody who repeats it until it is answered.
    Hook(Input, u32),
    /// The host hands a text over. Gone with the process, like all that carry
    /// the number of a process.
    Start(u64, Gated),
    /// A request reaches the provider, which nothing can call back. The number
    /// is the delay of the answer, if there is to be one.
    Arrive(u64, Box<Message>, Option<u64>),
    /// The host looks at the provider's list.
    Look(u64, MessageId),
    /// The host places a call.
    Place(u64, CallId),
    /// An answer comes back to the host.
    Back(u64, Input),
    /// The host is started again.
    Restart,
}

/// What a simulation came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Happenings and due timers.
    pub events: u64,
    /// Batches that were committed.
    pub commits: u64,
    /// How often the host crashed.
    pub crashes: u64,
    /// Decisions that the store refused because their facts were old.
    pub conflicts: u64,
    /// Texts that providers took.
    pub texts: u64,
    /// Attempts whose outcome the host did not see.
    pub unknown: u64,
    /// Texts from contacts that were taken.
    pub received: u64,
    /// Calls that were missed.
    pub missed: u64,
}

/// A world under simulation.
#[derive(Debug)]
pub struct Simulation {
    pub(super) seed: u64,
    pub(super) random: Random,
    pub(super) scenario: Scenario,
    pub(super) catalog: Catalog,
    pub(super) state: State,
    decoded: RefCell<BTreeMap<Key, Decoded>>,
    pub(super) now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    sequence: u64,
    pub(super) process: u64,
    pub(super) down: bool,
    pub(super) stopped: BTreeSet<PhoneNumber>,
    pub(super) pace: Pace,
    pub(super) provider: Provider,
    pub(super) truth: Truth,
    pub(super) story: Story,
    pub(super) calm: bool,
    pub(super) report: Report,
}

/// A record as it was when this commit wrote it.
type Decoded = (Revision, Arc<dyn Any + Send + Sync>);

/// How a commit went.
enum Committed {
    Yes,
    /// The facts were old.
    Conflict,
    /// The host crashed, before or after it.
    Crashed,
}

impl Simulation {
    /// A world that has not begun.
    pub fn new(seed: u64, scenario: Scenario) -> Self {
        let mut simulation = Self {
            seed,
            random: Random::new(seed),
            catalog: Catalog::default(),
            state: State::default(),
            decoded: RefCell::default(),
            now: scenario.start,
            agenda: BTreeMap::new(),
            sequence: 0,
            process: 1,
            down: false,
            stopped: BTreeSet::new(),
            pace: Pace::default(),
            provider: Provider::default(),
            truth: Truth::default(),
            story: Story::default(),
            calm: false,
            report: Report::default(),
            scenario,
        };
        for workflow in simulation.scenario.workflows.clone() {
            simulation.after(0, Happening::Hook(Input::Define(workflow), 0));
        }
        simulation.after(1_000, Happening::Life);
        simulation
    }

    /// The records as they stand.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Lets so many events happen, then lets everything come to rest without
    /// further faults.
    ///
    /// # Errors
    /// The invariant that did not hold, with the seed and the story.
    pub fn run(&mut self, events: u64) -> Result<Report, Box<Failure>> {
        for _ in 0..events {
            self.event()?;
            if self.report.events.is_multiple_of(64) {
                self.check_all()?;
            }
        }
        self.rest(3_000)?;
        Ok(self.report)
    }

    /// No new happenings and no faults, until only schedules are left.
    fn rest(&mut self, most: u64) -> Result<(), Box<Failure>> {
        self.calm = true;
        for _ in 0..most {
            self.agenda
                .retain(|_, happening| !matches!(happening, Happening::Life));
            if self.agenda.is_empty() {
                if let Some(input) = self.open_review()? {
                    self.after(0, Happening::Hook(input, 0));
                } else if self.only_schedules()? {
                    self.check_all()?;
                    return self.check_rest();
                }
            }
            self.event()?;
        }
        Err(self.failure("it does not come to rest"))
    }

    fn only_schedules(&self) -> Result<bool, Box<Failure>> {
        let (from, to) = keys::table(b't');
        for (key, _) in self.state.range(&from, &to) {
            match self.get::<Timer>(key)?.map(|timer| timer.task) {
                None | Some(Task::Tick { .. }) => {}
                // What a schedule started may go on for ever, as schedules do.
                Some(Task::Wake { run }) => {
                    let run: Option<Run> = self.get(&keys::run(&run))?;
                    if run.is_none_or(|run| run.contact.is_some()) {
                        return Ok(false);
                    }
                }
                Some(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    pub(super) fn failure(&self, what: impl Into<String>) -> Box<Failure> {
        Box::new(Failure {
            seed: self.seed,
            events: self.report.events,
            what: what.into(),
            story: self.story.lines(),
        })
    }

    pub(super) fn tell(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref().to_owned();
        self.story.tell(self.now, Told::Line(line));
    }

    /// A record, decoded. Most of a simulation is looking at records that did
    /// not change, so what was decoded once is kept.
    pub(super) fn get<T>(&self, key: &Key) -> Result<Option<T>, Box<Failure>>
    where
        T: DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let Some(versioned) = self.state.get(key) else {
            return Ok(None);
        };
        if let Some((revision, known)) = self.decoded.borrow().get(key)
            && *revision == versioned.revision
            && let Some(known) = known.downcast_ref::<T>()
        {
            return Ok(Some(known.clone()));
        }
        let value: T = record::decode(&versioned.value)
            .map_err(|error| self.failure(format!("{key:?} cannot be read: {error}")))?;
        let kept: Arc<dyn Any + Send + Sync> = Arc::new(value.clone());
        let entry = (versioned.revision, kept);
        self.decoded.borrow_mut().insert(key.clone(), entry);
        Ok(Some(value))
    }

    /// Puts something on the agenda.
    pub(super) fn after(&mut self, millis: u64, happening: Happening) {
        let delay = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let at = self.now.checked_add(delay).unwrap_or(Timestamp::MAX);
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), happening);
    }

    fn first_timer(&self) -> Option<(Timestamp, Key)> {
        let (from, to) = keys::table(b't');
        let (key, _) = self.state.range(&from, &to).next()?;
        Some((keys::timer_due(key)?, key.clone()))
    }

    /// The next thing that happens: of the agenda, or a due timer.
    fn next(&mut self) -> Option<Happening> {
        let timer = self.first_timer().filter(|_| !self.down);
        let first = self.agenda.first_key_value().map(|(key, _)| key.0);
        let from_timer = match (&timer, first) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((due, _)), Some(at)) => {
                let due = (*due).max(self.now);
                due < at || (due == at && self.random.chance(500))
            }
        };
        if from_timer {
            let (due, key) = timer?;
            self.now = self.now.max(due);
            return Some(Happening::Back(self.process, Input::Timer(key)));
        }
        let ((at, _), happening) = self.agenda.pop_first()?;
        self.now = self.now.max(at);
        Some(happening)
    }

    /// One event.
    fn event(&mut self) -> Result<(), Box<Failure>> {
        let Some(happening) = self.next() else {
            return Ok(());
        };
        self.report.events += 1;
        match happening {
            Happening::Life => self.life(),
            Happening::Restart => self.restart(),
            Happening::Start(process, gated) if process == self.process => self.start(&gated),
            Happening::Look(process, id) if process == self.process => self.look(&id),
            Happening::Place(process, id) if process == self.process => self.place(id),
            Happening::Arrive(process, message, answer) => self.arrive(process, &message, answer),
            Happening::Hook(..) | Happening::Back(..) => self.inputs(happening),
            // The process that had it is gone.
            Happening::Start(..) | Happening::Look(..) | Happening::Place(..) => Ok(()),
        }
    }

    /// Gives an input to the host, sometimes two at once on the same facts.
    fn inputs(&mut self, first: Happening) -> Result<(), Box<Failure>> {
        let mut todo = vec![first];
        if !self.calm && self.random.chance(self.scenario.faults.race) {
            let soon = self
                .agenda
                .iter()
                .take(4)
                .find(|(_, one)| matches!(one, Happening::Hook(..) | Happening::Back(..)))
                .map(|(key, _)| *key);
            if let Some(key) = soon {
                todo.extend(self.agenda.remove(&key));
                self.now = self.now.max(key.0);
                if self.random.chance(500) {
                    todo.reverse();
                }
            }
        }
        let mut decided = Vec::new();
        for happening in todo {
            let input = match &happening {
                Happening::Hook(input, _) if !self.down => input.clone(),
                Happening::Hook(..) => {
                    self.again(happening);
                    continue;
                }
                Happening::Back(process, input) if *process == self.process && !self.down => {
                    input.clone()
                }
                _ => continue,
            };
            let act = self.decide(&input)?;
            decided.push((happening, input, act));
        }
        for (happening, input, act) in decided {
            if self.down {
                // The crash took this one with it.
                self.again(happening);
                continue;
            }
            self.take(happening, &input, act)?;
        }
        Ok(())
    }

    /// Whoever was not answered asks again.
    fn again(&mut self, happening: Happening) {
        if let Happening::Hook(input, tries) = happening {
            let pause = self.random.between(500, 15_000);
            self.after(pause, Happening::Hook(input, tries + 1));
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
        let mut how = self.commit(input, &act)?;
        if matches!(how, Committed::Conflict) {
            self.report.conflicts += 1;
            act = self.decide(input)?;
            how = self.commit(input, &act)?;
        }
        match how {
            Committed::Yes => {}
            Committed::Crashed => {
                self.again(happening);
                return Ok(());
            }
            Committed::Conflict => {
                return Err(self.failure(format!("{input:?} conflicts with nobody")));
            }
        }
        for notice in act.notices {
            match notice {
                Notice::Stopped(phone) => self.stopped.insert(phone),
                Notice::Resumed(phone) => self.stopped.remove(&phone),
                Notice::Slowed(sender, until) => {
                    self.pace.slow(&sender, until, self.now);
                    true
                }
                Notice::Broken(sender, until, problem) => self.pace.hold(&sender, until, &problem),
                Notice::Works(sender) => self.pace.works(&sender),
            };
        }
        for command in act.commands {
            let process = self.process;
            let pause = self.random.between(0, 30);
            match command {
                Command::Send(gated) => self.after(pause, Happening::Start(process, gated)),
                Command::Look(id) => self.after(pause, Happening::Look(process, id)),
                Command::Place(id) => self.after(pause, Happening::Place(process, id)),
            }
        }
        if let (Input::Define(workflow), Answer::Version { now, .. }) = (input, &act.answer) {
            let in_service = InService {
                workflow: Arc::clone(workflow),
                version: *now,
            };
            let by_hash = &mut self.catalog.by_hash;
            by_hash.insert(workflow.hash.clone(), Arc::clone(workflow));
            let id = workflow.definition.id.clone();
            self.catalog.in_service.insert(id, in_service);
        }
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

    fn commit(&mut self, input: &Input, act: &Act) -> Result<Committed, Box<Failure>> {
        let holds = act
            .batch
            .preconditions
            .iter()
            .all(|one| one.holds(self.state.get(one.key()).map(|value| value.revision)));
        if !holds {
            return Ok(Committed::Conflict);
        }
        let crashes = !self.calm
            && !matches!(input, Input::Define(_))
            && self.random.chance(self.scenario.faults.crash);
        if crashes && self.random.chance(500) {
            self.crash("before");
            return Ok(Committed::Crashed);
        }
        let (entries, commands) = (act.entries.clone(), act.commands.clone());
        let told = Told::Commit(Box::new(input.clone()), entries, commands);
        self.story.tell(self.now, told);
        let before = self.state_before(&act.batch);
        if let Err(failed) = self.state.commit(&act.batch) {
            return Err(self.failure(format!("{failed:?} held a moment ago")));
        }
        self.report.commits += 1;
        self.check_commit(input, act, &before)?;
        if crashes {
            self.crash("after");
            return Ok(Committed::Crashed);
        }
        Ok(Committed::Yes)
    }
}
