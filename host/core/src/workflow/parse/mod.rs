//! From the text of a file to a checked workflow, or to everything that is
//! wrong with it. Owns the order of the checks; the words are in the tables of
//! the language, the reading of single values in `reader`.

mod build;
mod campaign;
mod cases;
mod document;
mod flow;
mod forms;
mod names;
mod reader;
mod rules;
mod steps;
mod values;

pub(crate) use rules::slug;

use std::borrow::Cow;

use serde_json::Value as Json;

use super::case::Case;
use super::definition::Definition;
use super::diagnostic::{Diagnostic, Severity};
use super::known::Known;
use super::yaml;

/// The most steps of one workflow.
pub const MAX_STEPS: usize = 1_000;

/// A checked workflow file.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// What it means.
    pub definition: Definition,
    /// The version: BLAKE3 of the meaning in hex, 64 characters. Comments,
    /// spacing and the order of keys change nothing.
    pub hash: String,
    /// The file as it was read.
    pub source: String,
    /// The line of each step, from 1, in the order of the steps.
    pub positions: Vec<usize>,
    /// What it must do. No part of its meaning, so that a change of tests makes no
    /// new version.
    pub tests: Vec<Case>,
}

/// What came of a file.
#[derive(Debug)]
pub struct Parsed {
    /// The workflow, or every error of the file in the order of its lines.
    pub result: Result<Workflow, Vec<Diagnostic>>,
    /// What does not keep the workflow from running.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a workflow file. Never fails otherwise than by its answer, whatever
/// the source holds, in time that is linear in its size.
pub fn parse(source: &str, file_name: &str, known: &Known) -> Parsed {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let text = line_ends(source);
    let (tree, problems) = yaml::read(&text);
    let mut reader = reader::Reader::new(&text, file_name, known);
    for problem in problems {
        reader.report(Severity::Error, problem.span, problem.message, problem.help);
    }
    let read = tree
        .as_ref()
        .and_then(|tree| document::read(&mut reader, tree));
    let (errors, warnings) = reader.finish();
    let result = match read {
        Some(document) if errors.is_empty() => Ok(Workflow {
            hash: hash(&document.definition),
            definition: document.definition,
            source: source.to_owned(),
            positions: document.positions,
            tests: document.tests,
        }),
        _ => Err(errors),
    };
    Parsed { result, warnings }
}

/// A carriage return alone ends a line for YAML and for nobody else: places would be
/// counted in two ways.
fn line_ends(source: &str) -> Cow<'_, str> {
    let alone = |(at, _): (usize, &str)| source.as_bytes().get(at + 1) != Some(&b'\n');
    if source.match_indices('\r').any(alone) {
        return Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"));
    }
    Cow::Borrowed(source)
}

/// The id that a file's `name:` makes, also where the rest cannot be read: by its
/// first line that begins with the key, so that no mistake elsewhere hides it.
pub fn id_of_broken(source: &str) -> Option<String> {
    let source = line_ends(source.strip_prefix('\u{feff}').unwrap_or(source));
    let name = source.lines().find_map(|line| line.strip_prefix("name:"))?;
    let name = name.split(" #").next().unwrap_or(name);
    Some(rules::slug(name)).filter(|id| !id.is_empty())
}

/// The version of a meaning: BLAKE3 over its JSON with every key in order.
pub fn hash(definition: &Definition) -> String {
    // A definition is made of texts, numbers and lists; its JSON cannot fail.
    let json = serde_json::to_value(definition).unwrap_or_default();
    blake3::hash(sorted(json).to_string().as_bytes())
        .to_hex()
        .to_string()
}

fn sorted(json: Json) -> Json {
    match json {
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        Json::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Json::Object(entries.into_iter().collect())
        }
        json => json,
    }
}

#[cfg(test)]
pub(crate) mod tests;
