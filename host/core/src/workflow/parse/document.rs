//! A whole file: its header, its steps, and the rules between them.

use std::collections::BTreeMap;

use super::super::case::Case;
use super::super::definition::{Definition, Step};
use super::super::language::FILE;
use super::super::yaml::{Kind as Yaml, Node};
use super::cases;
use super::reader::Reader;
use super::rules::{
    cancel_on, concurrency, enroll, intent, nobody_to_text, reply_twice, slug, window,
};
use super::steps::{self, Drafts};
use super::{campaign, flow, names};

/// The version of the definition's structure.
const FORMAT: u32 = 1;

/// What a file says.
pub(crate) struct Document {
    pub(crate) definition: Definition,
    /// The line of each step.
    pub(crate) positions: Vec<usize>,
    pub(crate) tests: Vec<Case>,
}

/// A whole file; none when something is missing that nothing can stand in for.
/// Messages are with the reader.
pub(crate) fn read(reader: &mut Reader<'_>, tree: &Node) -> Option<Document> {
    if matches!(tree.kind, Yaml::Refused) {
        return None;
    }
    let Yaml::Map(entries) = &tree.kind else {
        reader.error_help(
            tree.span,
            format!("a workflow file is a block of keys, not {}", tree.what()),
            "begin with name:, on: and steps:",
        );
        return None;
    };
    let mut record = reader.block(tree, FILE, "a workflow")?;
    let written = |name: &str| entries.iter().find(|(key, _)| key.text == name);
    let for_each = record
        .record("for_each")
        .and_then(|mut block| flow::items(reader, &mut block));
    let mut flat = Drafts::about(for_each.as_ref().map(|items| items.name.clone()));
    if let Some((_, node)) = written("steps") {
        steps::list(reader, &mut flat, node, "steps");
    }
    let on_failure = written("on_failure").map(|(_, node)| {
        let first = flat.next();
        steps::list(reader, &mut flat, node, "on_failure");
        first
    });
    let vars: BTreeMap<_, _> = record
        .constants("vars")
        .unwrap_or_default()
        .into_iter()
        .collect();
    names::check(reader, &flat, &vars);
    let drafts = flat.list;

    let triggers = record.triggers("on").unwrap_or_default();
    let name_span = record.place("name");
    let name = record.text("name");
    let id = name.as_deref().map(slug).unwrap_or_default();
    if let (Some(span), true) = (name_span, id.is_empty() && name.is_some()) {
        reader.error(span, "`name` needs at least one letter or digit");
    }
    if let Some((_, on)) = written("on")
        && triggers.is_empty()
        && matches!(&on.kind, Yaml::Map(e) if e.is_empty())
    {
        reader.error(on.span, "`on` names no event");
    }
    let cancel = record.place("cancel_on");
    let cancel_on = cancel_on(&mut record);
    let steps: Vec<Step> = drafts
        .iter()
        .filter_map(|draft| draft.step.clone())
        .collect();
    reply_twice(reader, cancel, &cancel_on, &drafts);
    let contact = record.value("contact");
    nobody_to_text(
        reader,
        entries,
        &triggers,
        contact.is_some() || record.place("contact").is_some(),
        &drafts,
    );
    let definition = Definition {
        format: FORMAT,
        id,
        name: name?,
        description: record.text("description"),
        intent: record.choice("intent").unwrap_or_else(|| intent(&triggers)),
        contact,
        enroll: enroll(reader, &mut record),
        cancel_on,
        vars,
        steps,
        on_failure,
        for_each,
        window: window(reader, &mut record),
        goal: record.condition("goal"),
        triggers,
        on_delete: record.choice("on_delete").unwrap_or_default(),
        requires_consent: record.choice("requires_consent"),
        concurrency: concurrency(&mut record),
        campaign: campaign::name(reader, &mut record),
        rate: campaign::rate(reader, &mut record),
        breaker: campaign::breaker(reader, &mut record),
    };
    let tests = match written("tests") {
        Some((_, node)) => cases::list(reader, node, &definition),
        None => Vec::new(),
    };
    Some(Document {
        definition,
        positions: drafts.iter().map(|draft| draft.span.start.line).collect(),
        tests,
    })
}
