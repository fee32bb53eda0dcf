//! Files as an author writes them, played through.

/// A snapshot without the source of its expression, which would repeat it.
macro_rules! snapshot {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($text);
        })
    };
}

mod approvals;
mod backtests;
mod campaigns;
mod cases;
mod corpus;
mod plans;
mod transcripts;

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::engine::tests::build;
use crate::engine::{Catalog, OpeningHours, Person as Staff, Setup};
use crate::schedule::Hours;
use crate::workflow::{Diagnostic, Workflow, parse};

/// A business in Chicago: `desk` texts, ann and support take over, open on working
/// days.
pub(super) fn setup() -> Setup {
    let mut setup = build::setup();
    let hours = |days: &str| Hours::parse("America/Chicago", [("mon-fri", days)], []).unwrap();
    let all = [
        ("business".to_owned(), hours("09:00-18:00")),
        ("support".to_owned(), hours("08:00-20:00")),
    ];
    setup.hours = Arc::new(OpeningHours(all.into()));
    let phone = build::phone("+15125550198");
    setup.people.insert("support".to_owned(), Staff { phone });
    setup
}

/// The workflow of a file that must have nothing wrong with it.
pub(super) fn file(source: &str) -> Workflow {
    let parsed = parse(source, "test.yaml", &setup().known());
    parsed.result.unwrap_or_else(|problems| {
        let all: Vec<String> = problems.iter().map(Diagnostic::render).collect();
        panic!("{}", all.join("\n"));
    })
}

/// Does something with the stage of most tests.
pub(super) fn on_stage<T>(then: impl FnOnce(&Stage<'_>) -> T) -> T {
    let (setup, others) = (setup(), Catalog::default());
    then(&Stage {
        setup: &setup,
        others: &others,
        rows: None,
    })
}

/// A working day, 10:00 in Chicago.
pub(super) fn morning() -> Timestamp {
    "2026-11-18T16:00:00Z".parse().unwrap()
}

/// Plays a file by the words of a command line.
#[track_caller]
pub(super) fn played(source: &str, words: &Words<'_>) -> Transcript {
    let workflow = file(source);
    let plan = Plan::from_words(words, &workflow, &setup(), morning()).unwrap();
    on_stage(|stage| play(stage, &workflow, &plan))
}
