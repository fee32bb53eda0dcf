//! The tests that a file carries, played before it serves: a version that does not
//! do what its author wrote down does not replace one that does. Nothing is sent.

use std::sync::Arc;

use ringback_core::engine::Catalog;
use ringback_core::rehearsal::{self, Outcome, Stage};
use ringback_core::workflow::expression::Rows;
use ringback_core::workflow::{Diagnostic, Severity, Workflow};

use super::super::{Host, read_rows, rehearsing};
use super::reading::Read;

/// A file that was read, after its tests.
pub(super) struct Tried {
    /// Its path, relative to the folder.
    pub path: String,
    /// What it means.
    pub workflow: Arc<Workflow>,
    /// The tests of it that fail; none when it may serve.
    pub problems: Vec<Diagnostic>,
}

/// Plays the tests of files that were just read, in front of what is in service and
/// of each other: one may call another.
pub(super) async fn tried(host: &Arc<Host>, files: Vec<(String, Read)>) -> Vec<Tried> {
    let mut all = (**host.catalog.load()).clone();
    for (_, read) in &files {
        rehearsing::serve(&mut all, &read.workflow);
    }
    let all = Arc::new(all);
    let mut tried = Vec::with_capacity(files.len());
    for (path, read) in files {
        let workflow = Arc::clone(&read.workflow);
        let problems = if workflow.tests.is_empty() {
            Vec::new()
        } else {
            let (host, all, name) = (Arc::clone(host), Arc::clone(&all), path.clone());
            // Virtual time passes quickly, and yet no request shall wait for it.
            let played = tokio::task::spawn_blocking(move || play(&host, &all, &name, &read));
            played.await.unwrap_or_else(|_| {
                let text = "its tests could not be played; please report this, with the file";
                vec![problem(&path, "", 1, text.to_owned(), None)]
            })
        };
        tried.push(Tried {
            path,
            workflow,
            problems,
        });
    }
    tried
}

fn play(host: &Host, all: &Catalog, path: &str, read: &Read) -> Vec<Diagnostic> {
    let workflow = read.workflow.as_ref();
    let (setup, _) = rehearsal::stand_in(workflow, &host.setup());
    let folder = host.rows_folder();
    let rows = |rows: &Rows| read_rows(&folder, rows);
    let stage = Stage {
        setup: &setup,
        others: all,
        rows: Some(&rows),
    };
    let outcomes = rehearsal::test(&stage, workflow);
    let problems = outcomes
        .iter()
        .flat_map(|one| failing(path, one, &read.text));
    problems.collect()
}

/// What is to be said of a test.
fn failing(path: &str, outcome: &Outcome, source: &str) -> Vec<Diagnostic> {
    let failures = outcome.failures.iter();
    let one = failures.map(|failure| {
        let line = source.lines().nth(failure.line.saturating_sub(1));
        let text = format!(
            "its test {:?} fails: {}, but {}",
            outcome.name, failure.expected, failure.happened
        );
        let help = "`ringback test` shows the whole of what happened".to_owned();
        problem(
            path,
            line.unwrap_or_default(),
            failure.line,
            text,
            Some(help),
        )
    });
    one.collect()
}

fn problem(
    path: &str,
    source_line: &str,
    line: usize,
    message: String,
    help: Option<String>,
) -> Diagnostic {
    let indent = source_line.chars().take_while(|c| c.is_whitespace());
    let column = indent.count() + 1;
    Diagnostic {
        severity: Severity::Error,
        file: path.to_owned(),
        line,
        column,
        length: source_line.trim().chars().count().max(1),
        message,
        help,
        source_line: source_line.to_owned(),
    }
}
