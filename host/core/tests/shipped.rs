//! The workflow files of the repository: every one of them is read without an
//! error or a warning, and says what its author meant.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use ringback_core::engine::{OpeningHours, Reading};
use ringback_core::schedule::Hours;
use ringback_core::workflow::expression::{Scope, Value};
use ringback_core::workflow::{
    Action, Content, Diagnostic, File, Known, Workflow, parse, together,
};
use serde_json::json;

/// The folder of the files that ship.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows")
}

/// The names that the demo and the README's configuration have.
fn known() -> Known {
    let names = |list: &[&str]| Some(list.iter().map(|name| (*name).to_owned()).collect());
    Known {
        agents: names(&["front-desk"]),
        hours: names(&["business"]),
        people: names(&["on-call"]),
        templates: names(&[]),
        secrets: names(&["CALENDAR_SECRET"]),
        models: names(&["default"]),
        tools: names(&[]),
        checks: Arc::new(Reading),
    }
}

/// The workflow files of a folder, as the host would find them.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_workflow = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("yaml" | "yml"))
    };
    let mut found: Vec<PathBuf> = paths.filter(is_workflow).collect();
    found.sort();
    found
}

/// The workflow of a file that must have nothing wrong with it.
fn sound(path: &Path) -> Workflow {
    let source = std::fs::read_to_string(path).unwrap();
    let parsed = parse(&source, &path.display().to_string(), &known());
    let errors = parsed.result.as_ref().err().into_iter().flatten();
    let told: Vec<String> = errors
        .chain(&parsed.warnings)
        .map(Diagnostic::render)
        .collect();
    assert_eq!(told.join("\n"), "", "in {}", path.display());
    parsed.result.unwrap()
}

#[test]
fn every_file_is_sound_and_has_a_name_of_its_own() {
    for folder in [folder(), folder().join("demo")] {
        let files = files(&folder);
        assert!(files.len() >= 2, "no files in {}", folder.display());
        let mut ids = BTreeSet::new();
        for file in files {
            let id = sound(&file).definition.id;
            assert!(ids.insert(id.clone()), "{id} twice in {}", folder.display());
        }
    }
}

/// A thousand workflows as a busy place would have them: those that ship, with other
/// names, texts, times and steps.
fn thousand() -> Vec<String> {
    let shipped: Vec<String> = files(&folder())
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let varied = |number: usize| {
        let text = shipped.get(number % shipped.len()).unwrap();
        let mut out = String::new();
        for line in text.lines() {
            match line.strip_prefix("name: ") {
                Some(name) => out.push_str(&format!("name: {name} {number}\n")),
                None => out.push_str(&line.replace("Reply", &format!("Please ({number}) reply"))),
            }
            out.push('\n');
            if line == "steps:" {
                out.push_str(&format!(
                    "  - id: first_{number}\n    if: lead.score < {number} or \"n{number}\" in lead.tags\n    \
                     log: \"Place {number} for {{{{ lead.first_name | default('nobody') }}}}\"\n"
                ));
            }
        }
        out
    };
    (0..1_000).map(varied).collect()
}

/// A thousand files are read in less than two seconds by a build that is optimized.
#[test]
fn proof_thousand_files() {
    let files = thousand();
    let known = known();
    let start = std::time::Instant::now();
    let mut workflows = Vec::new();
    for (number, text) in files.iter().enumerate() {
        let parsed = parse(text, "one.yaml", &known);
        let workflow = parsed.result.unwrap_or_else(|errors| {
            let told: Vec<String> = errors.iter().map(Diagnostic::render).collect();
            panic!("file {number}: {}", told.join("\n"))
        });
        workflows.push(workflow);
    }
    let took = start.elapsed();
    let bytes: usize = files.iter().map(String::len).sum();
    println!(
        "loader: 1000 files of {} bytes on the average in {took:?}, {:?} each",
        bytes / 1_000,
        took / 1_000
    );
    let hashes: BTreeSet<&str> = workflows.iter().map(|one| one.hash.as_str()).collect();
    assert_eq!(hashes.len(), 1_000);
    let start = std::time::Instant::now();
    let all: Vec<File<'_>> = workflows
        .iter()
        .map(|workflow| File {
            name: "one.yaml",
            workflow,
        })
        .collect();
    let found = together(&all).len();
    println!(
        "loader: {found} warnings about them together in {:?}",
        start.elapsed()
    );
    assert!(found <= 1_000, "{found}");
    // A debug build on a busy machine says nothing about the goal.
    if !cfg!(debug_assertions) {
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
    }
}

/// What the steps of a file say, at noon and at midnight of a working day.
fn says(file: &str) -> Vec<String> {
    let hours = Hours::parse("America/Chicago", [("mon-fri", "09:00-18:00")], []).unwrap();
    let hours = Arc::new(OpeningHours([("business".to_owned(), hours)].into()));
    let mut said = Vec::new();
    for now in ["2026-01-14T12:00:00-06:00", "2026-01-14T00:00:00-06:00"] {
        let now: Timestamp = now.parse().unwrap();
        let mut scope = Scope::new(now, hours.clone());
        scope.business_zone(jiff::tz::TimeZone::get("America/Chicago").unwrap());
        scope.set("agent", json!({ "business": "Brightside Dental" }));
        scope.set("event", json!({ "body": "{{ 1 + 1 }}" }));
        for step in sound(&folder().join(file)).definition.steps {
            let text = |value: &Value| value.eval(&scope).unwrap().as_str().unwrap().to_owned();
            match step.action {
                Action::Send(send) => {
                    let Content::Body(body) = send.content else {
                        panic!("{} has no body", step.id);
                    };
                    said.push(body.render(&scope).unwrap());
                }
                Action::Handoff(handoff) => {
                    said.extend(handoff.reason.as_ref().map(text));
                    said.extend(handoff.reply.map(|reply| reply.render(&scope).unwrap()));
                }
                _ => {}
            }
        }
    }
    said
}

#[test]
fn the_text_back_names_the_next_opening() {
    insta::assert_snapshot!(says("missed-call-text-back.yaml").join("\n"), @r"
    Hi, this is Brightside Dental. Sorry we missed your call. Reply here and we will get right back to you. Text STOP to opt out.
    Brightside Dental again: can we still help with what you called about? Just reply to this text.
    Hi, this is Brightside Dental. Sorry we missed your call. We open today at 9 AM. Reply here and we will answer then. Text STOP to opt out.
    Brightside Dental again: can we still help with what you called about? Just reply to this text.
    ");
}

#[test]
fn a_reply_is_told_when_a_person_answers() {
    // Whatever a contact writes is a value; it is never read as a template.
    insta::assert_snapshot!(says("replies-to-a-person.yaml").join("\n"), @r#"
    they wrote "{{ 1 + 1 }}"
    Thanks, we have your text and will answer here shortly.
    they wrote "{{ 1 + 1 }}"
    Thanks, we have your text. We open today at 9 AM and will answer then.
    "#);
}
