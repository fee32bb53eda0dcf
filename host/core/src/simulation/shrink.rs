//! Makes a failure short: leaves out happenings and faults as long as the same
//! invariant fails (delta debugging; Zeller and Hildebrandt, 2002).
//!
//! Every happening outside has its own stream of chance, so leaving one out
//! changes nothing in the others but what really followed from it.

use std::collections::BTreeSet;

use super::driver::Simulation;
use super::scenario::{Fault, Hit, Plan, Scenario};
use super::story::{Failure, Shrunk};

/// The most that is tried.
const TRIES: u32 = 600;

/// A failing seed and what was left out of it so far.
struct Shrinker<'a> {
    seed: u64,
    scenario: &'a Scenario,
    happenings: u32,
    invariant: String,
    plan: Plan,
    tries: u32,
}

/// The shortest story found in which the same invariant fails; `of` is the number
/// of happenings that the seed was played with.
pub fn shrink(failure: &Failure, scenario: &Scenario, of: u32) -> Failure {
    let mut shrinker = Shrinker {
        seed: failure.seed,
        scenario,
        happenings: failure.happenings,
        invariant: failure.invariant().to_owned(),
        plan: Plan::default(),
        tries: 0,
    };
    let mut first = shrinker.fails(&Plan::default());
    if first.is_none() {
        // It needs what came behind it.
        shrinker.happenings = of;
        first = shrinker.fails(&Plan::default());
    }
    let Some((_, hits)) = first else {
        return failure.clone();
    };
    let faults = hits.len();
    let mut size = usize::MAX;
    loop {
        shrinker.kinds();
        shrinker.happenings();
        shrinker.world();
        shrinker.faults();
        let left = shrinker.left();
        if left >= size || shrinker.tries >= TRIES {
            break;
        }
        size = left;
    }
    let plan = shrinker.plan.clone();
    let Some((mut short, hits)) = shrinker.fails(&plan) else {
        return failure.clone();
    };
    let happenings = usize::try_from(shrinker.happenings).unwrap_or(usize::MAX);
    short.shrunk = Some(Shrunk {
        happenings: (shrinker.left(), happenings),
        faults: (hits.len(), faults),
    });
    short
}

impl Shrinker<'_> {
    /// Whether the same invariant fails under this plan; with the faults that
    /// came about.
    fn fails(&mut self, plan: &Plan) -> Option<(Failure, Vec<Hit>)> {
        self.tries += 1;
        let simulation = Simulation::new(self.seed, self.scenario.clone());
        let mut simulation = simulation.with_plan(plan.clone()).with_story();
        let failure = simulation.run(self.happenings).err()?;
        (failure.invariant() == self.invariant).then_some((*failure, simulation.hits))
    }

    fn left(&self) -> usize {
        let dropped = self.plan.dropped.len();
        usize::try_from(self.happenings)
            .unwrap_or(usize::MAX)
            .saturating_sub(dropped)
    }

    /// Whole kinds of faults.
    fn kinds(&mut self) {
        let all = [
            Fault::Crash,
            Fault::Send,
            Fault::Webhook,
            Fault::Race,
            Fault::Disk,
            Fault::Look,
            Fault::Report,
        ];
        for kind in all {
            let mut plan = self.plan.clone();
            if plan.without.insert(kind) && self.fails(&plan).is_some() {
                self.plan = plan;
            }
        }
    }

    /// Workflow files, and the time in which nothing happens.
    fn world(&mut self) {
        let mut plan = self.plan.clone();
        plan.hurry = true;
        if self.fails(&plan).is_some() {
            self.plan = plan;
        }
        for workflow in &self.scenario.workflows {
            let mut plan = self.plan.clone();
            plan.files.insert(workflow.definition.id.clone());
            if self.fails(&plan).is_some() {
                self.plan = plan;
            }
        }
    }

    /// Happenings of the world outside.
    fn happenings(&mut self) {
        let all: Vec<u32> = (1..=self.happenings)
            .filter(|number| !self.plan.dropped.contains(number))
            .collect();
        self.drop(all, |plan, chunk| plan.dropped.extend(chunk));
    }

    /// Single faults.
    fn faults(&mut self) {
        let plan = self.plan.clone();
        let Some((_, hits)) = self.fails(&plan) else {
            return;
        };
        let all: BTreeSet<Hit> = hits.into_iter().collect();
        self.drop(all.into_iter().collect(), |plan, chunk| {
            plan.spared.extend(chunk);
        });
    }

    /// Leaves out as much of a list as possible: halves first, single ones last.
    fn drop<T: Copy>(&mut self, mut all: Vec<T>, leave_out: impl Fn(&mut Plan, Vec<T>)) {
        let mut size = all.len().div_ceil(2).max(1);
        while !all.is_empty() {
            let mut at = 0;
            let mut less = false;
            while at < all.len() && self.tries < TRIES {
                let end = (at + size).min(all.len());
                let chunk: Vec<T> = all.get(at..end).unwrap_or_default().to_vec();
                let mut plan = self.plan.clone();
                leave_out(&mut plan, chunk);
                if self.fails(&plan).is_some() {
                    self.plan = plan;
                    all.drain(at..end);
                    less = true;
                } else {
                    at = end;
                }
            }
            if self.tries >= TRIES || (size == 1 && !less) {
                return;
            }
            size = if size == 1 { 1 } else { size.div_ceil(2) };
        }
    }
}
