//! The world around the engine: a store in memory, a clock that jumps, a provider
//! that takes every text. What the host does with an input, as `runtime/shell.rs`
//! of the server does it; but nothing here reaches outside.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::outside::Outside;
use super::plan::{Person, Plan, whole};
use super::transcript::Transcript;
use super::watch::Watch;
use super::{Stage, starting};
use crate::engine::{
    self, Act, Answer, CallOutcome, Catalog, Command, Decision, Facts, Finding, InService, Input,
    Notice, Setup,
};
use crate::model::{
    Batch, CallId, Contact, Key, MessageId, OptOut, OptOutSource, State, Task, Timer, keys, record,
};
use crate::policy::pace::Pace;
use crate::workflow::{Approving, Fate, Happening, Later, On, Starting, Workflow};

/// The most that happens in one rehearsal, or for each event of a backtest.
pub(super) const MOST: usize = 20_000;
/// How often one decision may ask for more.
const PATIENCE: usize = 1_000;
/// The longest rehearsal: two years.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 731);
/// What a provider takes to say that it has a text.
pub(super) const TAKES: SignedDuration = SignedDuration::from_millis(400);
/// How long somebody talks who takes a call.
pub(super) const TALK: SignedDuration = SignedDuration::from_mins(1);

/// Something that happens without a timer of the engine.
#[derive(Debug)]
pub(super) enum Deed {
    /// What was begun comes back, or an event comes in.
    Input(Box<Input>),
    /// The rehearsal, or an event of a backtest, begins.
    Begin(Box<(Person, Option<String>, Starting)>),
    /// Somebody does something.
    Happens(Happening),
    /// Somebody answers who was asked to approve a text; none is the usual answer.
    Answers(MessageId, Option<Approving>),
    /// A phone that we let ring.
    Rings(CallId, CallOutcome),
}

/// Which firings of schedules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticks {
    /// None.
    Never,
    /// The next one.
    Once,
    /// Those up to this time.
    Until(Timestamp),
}

/// The world of one rehearsal.
pub(super) struct World<'a> {
    pub(super) setup: &'a Setup,
    pub(super) workflow: Arc<Workflow>,
    pub(super) catalog: Catalog,
    pub(super) state: State,
    pub(super) now: Timestamp,
    start: Timestamp,
    pace: Pace,
    steps: u128,
    pub(super) issued: u32,
    pub(super) agenda: BTreeMap<(Timestamp, u64), Deed>,
    order: u64,
    pub(super) outside: Outside<'a>,
    pub(super) ticks: Ticks,
    /// What becomes of texts of which nothing else is said.
    pub(super) fate: Fate,
    /// What becomes of the next text, when the plan said so before there was one.
    pub(super) next_fate: Option<Fate>,
    /// What is answered about the next texts that wait for approval, when the plan said
    /// so before there was one.
    pub(super) said: VecDeque<Approving>,
    /// The last text, while the plan has yet to say what becomes of it.
    pub(super) held: Option<MessageId>,
    pub(super) ringing: Option<CallId>,
    pub(super) watch: Watch,
    /// How many things may still happen.
    pub(super) left: usize,
    /// Why it was cut off.
    pub(super) cut: Option<String>,
}

impl<'a> World<'a> {
    pub(super) fn new(stage: &Stage<'a>, workflow: &Workflow, plan: &Plan) -> Self {
        let mut workflow = workflow.clone();
        for (name, value) in &plan.vars {
            let vars = &mut workflow.definition.vars;
            vars.insert(name.clone(), value.clone());
        }
        let workflow = Arc::new(workflow);
        let mut world = Self {
            setup: stage.setup,
            catalog: Catalog::default(),
            state: State::default(),
            now: plan.at,
            start: plan.at,
            pace: Pace::default(),
            steps: 0,
            issued: 0,
            agenda: BTreeMap::new(),
            order: 0,
            outside: Outside::new(plan, stage.rows),
            ticks: Ticks::Never,
            fate: plan.fate,
            next_fate: None,
            said: VecDeque::new(),
            held: None,
            ringing: None,
            watch: Watch::new(stage.setup, &workflow, plan),
            left: MOST,
            cut: None,
            workflow: Arc::clone(&workflow),
        };
        for (other, missing) in starting::called(&workflow, stage.others) {
            if missing {
                let text = format!(
                    "there is no workflow {:?} here: it counts as done at once",
                    other.definition.name
                );
                world.watch.note(world.now, "missing", text);
            }
            world.take(&Input::Define(Arc::new(other)));
        }
        world.take(&Input::Define(workflow));
        world
    }

    /// Puts the plan on the agenda.
    pub(super) fn begin(&mut self, plan: &Plan) {
        // What is said of texts at the very start is said of the first.
        let (first, then): (Vec<&Later>, Vec<&Later>) = plan.then.iter().partition(|later| {
            matches!(later.what, Happening::Delivery(_)) && plan.moment(later.when) <= plan.at
        });
        for later in first {
            self.happens(plan, later);
        }
        self.add(
            plan.at,
            plan.person.clone(),
            plan.agent.clone(),
            plan.start.clone(),
        );
        for later in then {
            self.happens(plan, later);
        }
    }

    fn happens(&mut self, plan: &Plan, later: &Later) {
        let deed = Deed::Happens(later.what.clone());
        self.at(plan.moment(later.when).max(plan.at), deed);
    }

    /// Puts an event on the agenda.
    pub(super) fn add(
        &mut self,
        at: Timestamp,
        person: Person,
        agent: Option<String>,
        start: Starting,
    ) {
        self.at(whole(at), Deed::Begin(Box::new((person, agent, start))));
    }

    fn at(&mut self, at: Timestamp, deed: Deed) {
        self.order += 1;
        self.agenda.insert((at, self.order), deed);
    }

    /// Something that happens after a while.
    pub(super) fn after(&mut self, span: SignedDuration, deed: Deed) {
        let at = self.now.checked_add(span).unwrap_or(Timestamp::MAX);
        self.at(at, deed);
    }

    /// An input that comes after a while.
    pub(super) fn input_after(&mut self, span: SignedDuration, input: Input) {
        self.after(span, Deed::Input(Box::new(input)));
    }

    /// Lets happen what is to happen: all of it, or what comes before a time.
    pub(super) fn run(&mut self, before: Option<Timestamp>) {
        while self.cut.is_none() {
            let timer = self.next_timer();
            let deed = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let next = match (&timer, deed) {
                (Some((due, _)), Some(at)) => (*due).min(at),
                (Some((due, _)), None) => *due,
                (None, Some(at)) => at,
                (None, None) => break,
            };
            if before.is_some_and(|before| next >= before) {
                break;
            }
            if next.duration_since(self.start) > LONGEST && before.is_none() {
                self.cut = Some("it goes on for more than two years".to_owned());
                break;
            }
            if self.left == 0 {
                self.cut = Some("too many things happen in it".to_owned());
                break;
            }
            self.left -= 1;
            self.now = self.now.max(next);
            match timer {
                Some((due, key)) if due <= next => {
                    self.take(&Input::Timer(key));
                }
                _ => {
                    if let Some((_, deed)) = self.agenda.pop_first() {
                        self.happen(deed);
                    }
                }
            }
        }
    }

    /// The timer that is due next. Those of schedules stand still, unless the plan
    /// is about them.
    fn next_timer(&self) -> Option<(Timestamp, Key)> {
        let (from, to) = keys::table(b't');
        self.state.range(&from, &to).find_map(|(key, stored)| {
            let timer: Timer = record::decode(&stored.value).ok()?;
            let counts = match (&timer.task, self.ticks) {
                (Task::Tick { .. }, Ticks::Never) => false,
                (Task::Tick { workflow, .. }, Ticks::Once) => {
                    *workflow == self.workflow.definition.id
                }
                (Task::Tick { .. }, Ticks::Until(end)) => timer.due <= end,
                _ => true,
            };
            counts.then(|| (timer.due, key.clone()))
        })
    }

    fn happen(&mut self, deed: Deed) {
        match deed {
            Deed::Input(input) => {
                self.take(&input);
            }
            Deed::Begin(begin) => {
                let (person, agent, start) = *begin;
                starting::begin(self, &person, agent.as_deref(), &start);
            }
            Deed::Happens(Happening::Receive(text)) => {
                let phone = self.watch.contact.clone();
                starting::receive(self, &phone, None, &text);
            }
            Deed::Happens(Happening::Call(end)) => {
                let phone = self.watch.contact.clone();
                self.call_comes(&phone, end);
            }
            Deed::Happens(Happening::Approve(said)) => self.told_answer(said),
            Deed::Answers(id, said) => self.answer(&id, said.as_ref()),
            Deed::Happens(Happening::Delivery(fate)) => self.told_fate(fate),
            Deed::Rings(call, outcome) => self.call_ends(&call, outcome),
        }
    }

    /// The record of a person, from the first time that something is about them.
    pub(super) fn meet(&mut self, person: &Person, kind: &str) {
        let key = keys::contact(&person.phone);
        if self.state.get(&key).is_some() {
            return;
        }
        let mut contact = Contact::new(person.phone.clone(), self.now);
        contact.zone.clone_from(&person.zone);
        contact.fields = person.fields.clone();
        if person.opted_out {
            contact.opted_out = Some(OptOut {
                at: self.now,
                how: OptOutSource::Text,
                message: None,
                confirmation: None,
                help: None,
            });
        }
        starting::note_known(&mut contact, person, kind, self.now);
        match record::encode(&contact) {
            Ok(bytes) => {
                let mut batch = Batch::default();
                batch.writes.insert(key, Some(bytes));
                self.commit(&batch);
            }
            Err(error) => self.cut = Some(error.to_string()),
        }
    }

    fn commit(&mut self, batch: &Batch) {
        if self.state.commit(batch).is_err() {
            self.cut = Some("a decision was taken on facts that were not so".to_owned());
        }
    }

    /// A record, if it is there.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        record::decode(&self.state.get(key)?.value).ok()
    }

    /// Takes an input as the host does: facts, decision, commit, what follows.
    pub(super) fn take(&mut self, input: &Input) -> Option<Answer> {
        if matches!(input, Input::Timer(_)) && self.ticks == Ticks::Once && self.is_tick(input) {
            self.ticks = Ticks::Never;
        }
        let act = match self.decide(input) {
            Ok(act) => act,
            Err(text) => {
                self.cut = Some(text);
                return None;
            }
        };
        self.commit(&act.batch);
        let Act {
            batch,
            commands,
            notices,
            entries,
            answer,
            ..
        } = act;
        self.watch
            .committed(self.now, &self.catalog, &batch, &entries);
        for notice in notices {
            match notice {
                Notice::Slowed(sender, until) => self.pace.slow(&sender, until, self.now),
                Notice::Broken(sender, until, problem) => {
                    self.pace.hold(&sender, until, &problem);
                }
                Notice::Works(sender) => {
                    self.pace.works(&sender);
                }
                // A text is handed over as soon as it has passed the gate, so that
                // nobody can stop it in between.
                Notice::Stopped(_) | Notice::Resumed(_) => {}
                Notice::Undecided(_) | Notice::SentAgain(_) => {}
            }
        }
        for command in commands {
            self.perform(command);
        }
        for entry in entries.iter().filter(|one| one.kind == "approval.asked") {
            if let Some(id) = &entry.message {
                self.asked(id);
            }
        }
        if let (Input::Define(workflow), Answer::Version { now, .. }) = (input, &answer) {
            let in_service = InService {
                workflow: Arc::clone(workflow),
                version: *now,
            };
            let by_hash = &mut self.catalog.by_hash;
            by_hash.insert(workflow.hash.clone(), Arc::clone(workflow));
            let id = workflow.definition.id.clone();
            self.catalog.in_service.insert(id, in_service);
        }
        Some(answer)
    }

    fn is_tick(&self, input: &Input) -> bool {
        let Input::Timer(key) = input else {
            return false;
        };
        let timer = self.get::<Timer>(key);
        timer.is_some_and(|timer| matches!(timer.task, Task::Tick { .. }))
    }

    fn decide(&mut self, input: &Input) -> Result<Act, String> {
        self.steps += 1;
        let mut facts = Facts::default();
        facts.set_rough(self.pace.is_rough(self.now));
        for key in engine::expected(input) {
            let value = self.state.get(&key).cloned();
            facts.insert(key, value);
        }
        for _ in 0..PATIENCE {
            let world = engine::World {
                setup: self.setup,
                workflows: &self.catalog,
            };
            let decision = engine::step(world, &facts, input, self.now, self.steps)
                .map_err(|error| error.to_string())?;
            match decision {
                Decision::Act(act) => return Ok(act),
                Decision::Need(wanted) => {
                    for key in wanted {
                        let value = self.state.get(&key).cloned();
                        facts.insert(key, value);
                    }
                }
                Decision::Turns(wanted) => {
                    for one in wanted {
                        let granted = self.pace.turn(&one, self.now);
                        facts.grant(one.message, granted);
                    }
                }
            }
        }
        Err("a decision always needs more facts".to_owned())
    }

    /// What the engine wants done is not done, but answered.
    fn perform(&mut self, command: Command) {
        match command {
            Command::Send(gated) => self.hand_over(gated.message()),
            Command::Look(id) => {
                self.input_after(TAKES, Input::Looked(id, Finding::Unsupported));
            }
            Command::Place(id) => self.place(&id),
            Command::Work(work) => {
                let told = self.outside.answer(&work, self.now);
                self.watch.worked(self.now, &work.step, told.text);
                let input = Input::Worked(work.run, work.number, told.result);
                self.input_after(told.takes, input);
            }
        }
    }

    /// The trigger of the file that an event of this word begins.
    pub(super) fn trigger(&self, word: &str) -> Option<&On> {
        let triggers = self.workflow.definition.triggers.iter();
        triggers
            .map(|trigger| &trigger.on)
            .find(|on| on.word() == word)
    }

    /// What is there to read when it is over.
    pub(super) fn into_transcript(self) -> Transcript {
        let contact = self.watch.contact.clone();
        let contact = self.get(&keys::contact(&contact));
        self.watch.finish(self.now, self.cut, contact.as_ref())
    }
}
