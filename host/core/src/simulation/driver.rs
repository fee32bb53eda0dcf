//! The world under simulation and its loop: one happening after the other in the
//! order of the clock. What a host does with an input stands in
//! [`super::taking`].

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::agenda::Happening;
use super::provider::Provider;
use super::random::Random;
use super::scenario::{Fault, Hit, Plan, Scenario};
use super::script::Script;
use super::story::{Failure, Story, Told};
use super::truth::Truth;
use crate::engine::{Catalog, Input};
use crate::model::{Key, PhoneNumber, Revision, Run, State, Task, Timer, keys, record};
use crate::policy::pace::Pace;
use crate::workflow::Workflow;

/// How many events after the last happening still have faults.
const TAIL: u32 = 40;
/// After how many events everything is checked, and not only what changed.
const CHECK_ALL: u64 = 128;

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
    /// Commits that a full disk refused.
    pub refused: u64,
    /// Jumps of the clock.
    pub jumps: u64,
    /// Workflow files that were edited or removed.
    pub edits: u64,
    /// Attempts that began: the simulated sends.
    pub sends: u64,
    /// Texts that providers took.
    pub texts: u64,
    /// Attempts whose outcome the host did not see.
    pub unknown: u64,
    /// Opt-outs that were stored.
    pub stops: u64,
    /// Texts from contacts that were taken.
    pub received: u64,
    /// Calls that were missed.
    pub missed: u64,
    /// Firings of schedules.
    pub firings: u64,
    /// What programs told of leads.
    pub leads: u64,
    /// Pauses of campaigns.
    pub pauses: u64,
    /// Turns of texts that were folded.
    pub turns: u64,
    /// Answers about texts that waited for approval.
    pub answers: u64,
    /// How much time went by, in milliseconds.
    pub millis: u64,
}

/// A world under simulation.
#[derive(Debug)]
pub struct Simulation {
    pub(super) seed: u64,
    /// The stream of chance of what happens now, and those of the others.
    pub(super) random: Random,
    pub(super) origin: u32,
    pub(super) streams: HashMap<u32, Random>,
    pub(super) scenario: Scenario,
    pub(super) catalog: Catalog,
    /// Every definition that was ever in the folder, by hash, and the folder.
    pub(super) library: BTreeMap<String, Arc<Workflow>>,
    pub(super) folder: BTreeMap<String, Arc<Workflow>>,
    pub(super) state: State,
    decoded: RefCell<HashMap<Key, Decoded>>,
    /// The steady clock, and the wall clock with its distance from it.
    pub(super) time: Timestamp,
    pub(super) offset: SignedDuration,
    pub(super) now: Timestamp,
    pub(super) agenda: BTreeMap<(Timestamp, u64), (u32, Happening)>,
    pub(super) sequence: u64,
    /// Which happening each timer follows from.
    pub(super) timers: HashMap<Key, u32>,
    pub(super) process: u64,
    pub(super) down: bool,
    pub(super) disk_full: bool,
    pub(super) outage: Timestamp,
    /// No jump of the clock before this time.
    pub(super) jumped: Timestamp,
    pub(super) stopped: BTreeSet<PhoneNumber>,
    pub(super) pace: Pace,
    pub(super) provider: Provider,
    pub(super) truth: Truth,
    pub(super) story: Option<Story>,
    pub(super) calm: bool,
    pub(super) script: Option<Script>,
    pub(super) plan: Plan,
    pub(super) hits: Vec<Hit>,
    /// How many happenings there are to be, and how many there were.
    pub(super) lives: u32,
    pub(super) lived: u32,
    pub(super) report: Report,
}

/// A record as it was when this commit wrote it.
type Decoded = (Revision, Arc<dyn Any + Send + Sync>);

impl Simulation {
    /// A world that has not begun.
    pub fn new(seed: u64, scenario: Scenario) -> Self {
        let mut simulation = Self {
            seed,
            random: Random::stream(seed, 0),
            origin: 0,
            streams: HashMap::new(),
            catalog: Catalog::default(),
            library: BTreeMap::new(),
            folder: BTreeMap::new(),
            state: State::default(),
            decoded: RefCell::default(),
            time: scenario.start,
            offset: SignedDuration::ZERO,
            now: scenario.start,
            agenda: BTreeMap::new(),
            sequence: 0,
            timers: HashMap::new(),
            process: 1,
            down: true,
            disk_full: false,
            outage: scenario.start,
            jumped: scenario.start,
            stopped: BTreeSet::new(),
            pace: Pace::default(),
            provider: Provider::default(),
            truth: Truth::default(),
            story: None,
            calm: false,
            script: None,
            plan: Plan::default(),
            hits: Vec::new(),
            lives: 0,
            lived: 0,
            report: Report::default(),
            scenario,
        };
        let all = simulation.scenario.workflows.iter();
        for workflow in all.chain(&simulation.scenario.edits) {
            let hash = workflow.hash.clone();
            simulation.library.insert(hash, Arc::clone(workflow));
        }
        for workflow in &simulation.scenario.workflows {
            let id = workflow.definition.id.clone();
            simulation.folder.insert(id, Arc::clone(workflow));
        }
        simulation.after(0, Happening::Restart);
        simulation
    }

    /// The records as they stand.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Keeps the story from now on.
    pub(super) fn with_story(mut self) -> Self {
        self.story = Some(Story::default());
        self
    }

    /// Leaves out what the plan says.
    pub(super) fn with_plan(mut self, plan: Plan) -> Self {
        self.folder.retain(|id, _| !plan.files.contains(id));
        self.library
            .retain(|_, one| !plan.files.contains(&one.definition.id));
        self.plan = plan;
        self
    }

    /// Lets so many things happen outside, then lets everything come to rest
    /// without further faults.
    ///
    /// # Errors
    /// The invariant that did not hold, with the seed.
    pub fn run(&mut self, happenings: u32) -> Result<Report, Box<Failure>> {
        self.lives = happenings;
        self.after_as(1, 1_000, Happening::Life(1));
        while self.lived < self.lives {
            self.event()?;
        }
        for _ in 0..TAIL {
            self.event()?;
        }
        self.rest(5_000)?;
        let spent = self.time.duration_since(self.scenario.start).as_millis();
        self.report.millis = u64::try_from(spent).unwrap_or(0);
        Ok(self.report)
    }

    /// No new happenings and no faults, until only schedules are left.
    pub(super) fn rest(&mut self, most: u64) -> Result<(), Box<Failure>> {
        self.calm = true;
        self.disk_full = false;
        self.outage = self.time;
        for _ in 0..most {
            if self.agenda.is_empty() {
                if let Some(input) = self.open_review()? {
                    self.after(0, Happening::Hook(input, 0));
                } else if let Some(input) = self.open_pause()? {
                    self.after(0, Happening::Hook(input, 0));
                } else if self.only_schedules()? {
                    self.check_all()?;
                    return self.check_rest();
                }
            }
            self.event()?;
        }
        Err(self.failure("I1: it does not come to rest"))
    }

    fn only_schedules(&self) -> Result<bool, Box<Failure>> {
        let (from, to) = keys::table(b't');
        for (key, _) in self.state.range(&from, &to) {
            match self.get::<Timer>(key)?.as_deref().map(|timer| &timer.task) {
                None | Some(Task::Tick { .. }) => {}
                // What a schedule started may go on for ever, as schedules do.
                Some(Task::Wake { run }) => {
                    let run = self.get::<Run>(&keys::run(run))?;
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
            happenings: self.lived.max(1),
            what: what.into(),
            story: self.story.as_ref().map(Story::lines).unwrap_or_default(),
            shrunk: None,
        })
    }

    pub(super) fn tell(&mut self, line: impl AsRef<str>) {
        if let Some(story) = &mut self.story {
            story.tell(self.now, Told::Line(line.as_ref().to_owned()));
        }
    }

    /// Whether chance brings a fault about, here and now.
    pub(super) fn fault(&mut self, kind: Fault, per_mille: u32) -> bool {
        if self.calm {
            return false;
        }
        let hit = (kind, self.origin, self.random.drawn());
        let comes = self.random.chance(per_mille)
            && !self.plan.without.contains(&kind)
            && !self.plan.spared.contains(&hit);
        if comes && self.story.is_some() {
            self.hits.push(hit);
        }
        comes
    }

    /// A record, decoded. Most of a simulation is looking at records that did
    /// not change, so what was decoded once is kept.
    pub(super) fn get<T>(&self, key: &Key) -> Result<Option<Arc<T>>, Box<Failure>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let Some(versioned) = self.state.get(key) else {
            return Ok(None);
        };
        if let Some((revision, known)) = self.decoded.borrow().get(key)
            && *revision == versioned.revision
            && let Ok(known) = Arc::clone(known).downcast::<T>()
        {
            return Ok(Some(known));
        }
        let value: Arc<T> = record::decode(&versioned.value)
            .map(Arc::new)
            .map_err(|error| self.failure(format!("{key:?} cannot be read: {error}")))?;
        let entry = (
            versioned.revision,
            Arc::clone(&value) as Arc<dyn Any + Send + Sync>,
        );
        self.decoded.borrow_mut().insert(key.clone(), entry);
        Ok(Some(value))
    }

    /// One event.
    pub(super) fn event(&mut self) -> Result<(), Box<Failure>> {
        let Some((origin, happening)) = self.next() else {
            return Ok(());
        };
        self.enter(origin);
        self.report.events += 1;
        match happening {
            Happening::Life(number) => self.life(number),
            Happening::Restart => self.restart(),
            Happening::Start(process, gated) if process == self.process => self.start(&gated),
            Happening::Look(process, id) if process == self.process => self.look(&id),
            Happening::Place(process, id) if process == self.process => self.place(id),
            Happening::Arrive(process, message, answer) => self.arrive(process, &message, answer),
            Happening::Hook(..) | Happening::Back(..) => self.inputs((origin, happening)),
            Happening::Edit(id, workflow) => self.edit(id, workflow),
            Happening::Disk(full) => {
                self.disk_full = full && !self.calm;
                self.tell(if full {
                    "the disk is full"
                } else {
                    "the disk has room again"
                });
                Ok(())
            }
            Happening::Jump(millis) => {
                self.jump(millis);
                Ok(())
            }
            Happening::Outage(millis) => {
                let time = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(0));
                self.outage = self.time + time;
                self.tell(format!("the provider is down for {} s", millis / 1_000));
                Ok(())
            }
            // The process that had it is gone.
            Happening::Start(..) | Happening::Look(..) | Happening::Place(..) => Ok(()),
            Happening::Nothing => Ok(()),
        }?;
        if self.report.events.is_multiple_of(CHECK_ALL) {
            self.check_all()?;
        }
        Ok(())
    }

    /// A file of the folder was edited or removed; a host that is up notices.
    fn edit(&mut self, id: String, workflow: Option<Arc<Workflow>>) -> Result<(), Box<Failure>> {
        self.report.edits += 1;
        let input = match workflow {
            Some(workflow) => {
                self.folder.insert(id, Arc::clone(&workflow));
                Input::Define(workflow)
            }
            None => {
                self.folder.remove(&id);
                Input::Undefine(id)
            }
        };
        self.after(0, Happening::Back(self.process, input));
        Ok(())
    }
}
