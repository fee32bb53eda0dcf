//! Playing a workflow through in virtual time: what it would text, to whom and
//! when, without anything leaving.
//!
//! The engine is the one that serves; around it stand a store in memory, a clock
//! that jumps to whatever happens next, a provider that takes every text, and
//! answers for what steps want outside. There is no door to the outside here but
//! the reader of rows that the caller may hand in: nothing can be sent, asked or
//! written.

mod approvals;
mod backtest;
mod judge;
mod outside;
mod plan;
mod provider;
mod show;
mod stand_in;
mod starting;
mod texts;
mod timeline;
mod transcript;
mod watch;
mod words;
mod world;

use serde_json::Value as Json;

pub use backtest::{Difference, Event, Example, Sum, backtest};
pub use judge::{Failure, Outcome};
pub use plan::{Person, Plan};
pub use stand_in::stand_in;
pub use transcript::{By, End, Entry, Transcript};
pub use words::Words;

use crate::engine::{Catalog, Setup};
use crate::workflow::Workflow;
use crate::workflow::expression::Rows;
use world::World;

/// Reads what `csv("…")` and `json("…")` of a file ask for: a list of rows, or why
/// there is none.
pub type RowReader<'a> = dyn Fn(&Rows) -> Result<Json, String> + 'a;

/// What a workflow is played on.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// The configuration; [`stand_in`] makes one where there is none.
    pub setup: &'a Setup,
    /// The other workflows; the one that is played may be among them. They can be
    /// called; they answer to no events.
    pub others: &'a Catalog,
    /// Where rows come from; without it every file is empty.
    pub rows: Option<&'a RowReader<'a>>,
}

/// Plays a workflow through once.
pub fn play(stage: &Stage<'_>, workflow: &Workflow, plan: &Plan) -> Transcript {
    played(stage, workflow, plan).into_transcript()
}

/// Plays the tests of a workflow's file, in their order.
pub fn test(stage: &Stage<'_>, workflow: &Workflow) -> Vec<Outcome> {
    let cases = workflow.tests.iter();
    cases
        .map(|case| {
            let plan = Plan::of(case, workflow, stage.setup);
            let world = played(stage, workflow, &plan);
            judge::judge(case, world)
        })
        .collect()
}

fn played<'a>(stage: &Stage<'a>, workflow: &Workflow, plan: &Plan) -> World<'a> {
    let mut world = World::new(stage, workflow, plan);
    world.begin(plan);
    world.run(None);
    world
}

#[cfg(test)]
mod tests;
