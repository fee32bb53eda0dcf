//! Files as people write them, and what they are told about them.

/// A snapshot without the source of its expression, which would repeat it.
macro_rules! snapshot {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($text);
        })
    };
}

mod bad;
mod good;
mod hostile;
mod names;

use super::super::{Known, ShapeChecks};
use super::*;

/// The configuration of the examples.
fn clinic() -> Known {
    let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect());
    Known {
        agents: names(&["front-desk", "sales"]),
        hours: names(&["business", "support"]),
        people: names(&["on-call", "support", "owner"]),
        templates: names(&["proof"]),
        secrets: names(&["CALENDAR_SECRET", "CRM"]),
        models: names(&["default", "small"]),
        tools: names(&["free_slots", "book_slot"]),
        checks: std::sync::Arc::new(ShapeChecks),
    }
}

/// Every message about a file, errors first.
fn messages(source: &str, known: &Known) -> String {
    let parsed = parse(source, "test.yaml", known);
    let errors = parsed.result.err().unwrap_or_default();
    let all: Vec<_> = errors
        .iter()
        .chain(&parsed.warnings)
        .map(Diagnostic::render)
        .collect();
    all.join("\n")
}

/// The workflow of a file that must have nothing wrong with it.
fn sound(source: &str) -> Workflow {
    let told = messages(source, &clinic());
    assert_eq!(told, "", "in\n{source}");
    parse(source, "test.yaml", &clinic()).result.unwrap()
}

/// Files that have nothing wrong with them.
pub(crate) fn corpus() -> Vec<&'static str> {
    let shipped = [
        include_str!("../../../../../workflows/missed-call-text-back.yaml"),
        include_str!("../../../../../workflows/replies-to-a-person.yaml"),
        include_str!("../../../../../workflows/demo/answers.yaml"),
        include_str!("../../../../../workflows/demo/missed-call.yaml"),
    ];
    let own = [good::MISSED_CALL, good::REVIEW, good::CAMPAIGN, good::SMALL];
    own.into_iter().chain(shipped).collect()
}
