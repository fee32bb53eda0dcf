//! A whole file: its header, its steps, and the rules between them.

use std::collections::BTreeMap;

use super::super::definition::{Definition, Step};
use super::super::duration::short;
use super::super::language::{self, ACTIONS, FILE, STEP};
use super::super::yaml::{Key, Kind as Yaml, Mark, Node, Span};
use super::reader::{Reader, Record};
use super::rules::{cancel_on, enroll, intent, nobody_to_text, reply_twice, slug};
use super::values::identifier;
use super::{MAX_STEPS, names};
use crate::workflow::expression::{FUNCTIONS, ROOTS};

/// The version of the definition's structure.
const FORMAT: u32 = 1;

/// A step of the file, before its neighbours are known.
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) word: &'static str,
    pub(crate) span: Span,
    pub(crate) step: Option<Step>,
}

/// The definition and the line of each step; none when something is missing
/// that nothing can stand in for. Messages are with the reader.
pub(crate) fn read(reader: &mut Reader<'_>, tree: &Node) -> Option<(Definition, Vec<usize>)> {
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
    let drafts = match entries.iter().find(|(key, _)| key.text == "steps") {
        Some((_, node)) => steps(reader, node),
        None => Vec::new(),
    };
    let vars: BTreeMap<_, _> = record
        .constants("vars")
        .unwrap_or_default()
        .into_iter()
        .collect();
    names::check(reader, &drafts, &vars);

    let triggers = record.triggers("on").unwrap_or_default();
    let name_span = record.place("name");
    let name = record.text("name");
    let id = name.as_deref().map(slug).unwrap_or_default();
    if let (Some(span), true) = (name_span, id.is_empty() && name.is_some()) {
        reader.error(span, "`name` needs at least one letter or digit");
    }
    if let Some((_, on)) = entries.iter().find(|(key, _)| key.text == "on")
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
        triggers,
        on_delete: record.choice("on_delete").unwrap_or_default(),
    };
    Some((
        definition,
        drafts.iter().map(|draft| draft.span.start.line).collect(),
    ))
}

fn steps(reader: &mut Reader<'_>, node: &Node) -> Vec<Draft> {
    if matches!(node.kind, Yaml::Refused) {
        return Vec::new();
    }
    let Yaml::List(items) = &node.kind else {
        reader.error_help(
            node.span,
            format!("`steps` must be a list, not {}", node.what()),
            "begin each step with `- `",
        );
        return Vec::new();
    };
    if items.is_empty() {
        reader.error(node.span, "`steps` has no step");
    }
    if let Some(first) = items.get(MAX_STEPS) {
        reader.error_help(
            first.span,
            format!(
                "there are {} steps; a workflow may have {MAX_STEPS}",
                items.len()
            ),
            "split it into several workflows",
        );
        return Vec::new();
    }
    let mut drafts: Vec<Draft> = Vec::new();
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        reader.step = Some(index);
        // A refused step keeps its place, so that the places stay right.
        let draft = step(reader, item, &mut counts, &drafts);
        drafts.push(draft);
    }
    reader.step = None;
    drafts
}

fn step(
    reader: &mut Reader<'_>,
    node: &Node,
    counts: &mut BTreeMap<&'static str, usize>,
    before: &[Draft],
) -> Draft {
    let start = node.span.start;
    let mut draft = Draft {
        id: String::new(),
        word: "",
        span: Span {
            start,
            end: Mark {
                column: start.column + 1,
                ..start
            },
        },
        step: None,
    };
    let Yaml::Map(entries) = &node.kind else {
        reader.error_help(
            node.span,
            format!(
                "a step must be a block with one action, not {}",
                node.what()
            ),
            "for example: - send: \"Hello\"",
        );
        return draft;
    };
    let mut common: Vec<(Key, Node)> = Vec::new();
    let mut actions = Vec::new();
    for (key, value) in entries {
        if let Some(action) = language::action(&key.text) {
            actions.push((action, key, value));
        } else if STEP.iter().any(|known| known.name == key.text) {
            // `uses` and its `with` are one message, not two.
            let with_uses = key.text == "with" && entries.iter().any(|(key, _)| key.text == "uses");
            if !with_uses {
                common.push((key.clone(), value.clone()));
            }
        } else {
            let words = ACTIONS.iter().filter(|a| a.form.is_some()).map(|a| a.word);
            let keys = STEP
                .iter()
                .filter(|key| !key.is_later())
                .map(|key| key.name);
            reader.unknown(key.span, "key", &key.text, words.chain(keys));
        }
    }
    let rest = Node {
        kind: Yaml::Map(common),
        span: node.span,
    };
    let mut record = reader
        .block(&rest, STEP, "a step")
        .unwrap_or(Record(Vec::new()));
    let id_span = record.place("id");
    let id = record.text("id");
    if let (Some(id), Some(span)) = (&id, id_span) {
        check_id(reader, id, span, before);
    }
    let timeout_span = record.place("timeout");
    let timeout = record.number("timeout");
    let Some((action, key, value)) = actions.first().copied() else {
        if !entries.iter().any(|(key, _)| unknown_step_key(&key.text)) {
            let words: Vec<_> = ACTIONS
                .iter()
                .filter(|a| a.form.is_some())
                .map(|a| a.word)
                .collect();
            reader.error_help(
                draft.span,
                "this step has no action",
                format!("give it one of: {}", words.join(", ")),
            );
        }
        draft.id = id.unwrap_or_default();
        return draft;
    };
    if let Some((second, key, _)) = actions.get(1) {
        reader.error_help(
            key.span,
            format!(
                "a step has one action; this one has `{}` and `{}`",
                action.word, second.word
            ),
            "begin a new step with `- `",
        );
    }
    draft.word = action.word;
    let count = counts.entry(action.word).or_insert(0);
    *count += 1;
    draft.id = id.unwrap_or_else(|| format!("{}-{count}", action.word));
    let Some(form) = &action.form else {
        reader.not_yet(key.span, action.word);
        return draft;
    };
    if let (Some(span), true) = (timeout_span, action.word != "wait_for") {
        reader.error(
            span,
            format!(
                "`timeout` on `{}` is not available in this version yet",
                action.word
            ),
        );
    }
    if let (Some(span), Yaml::Map(inside)) = (timeout_span, &value.kind)
        && inside.iter().any(|(key, _)| key.text == "timeout")
    {
        reader.error(span, "`timeout` is given twice for this `wait_for`");
    }
    draft.step = reader
        .action(action.word, form, key.span, value, timeout)
        .map(|action| Step {
            id: draft.id.clone(),
            name: record.text("name"),
            condition: record.condition("if"),
            action,
        });
    draft
}

fn unknown_step_key(key: &str) -> bool {
    language::action(key).is_none() && !STEP.iter().any(|known| known.name == key)
}

fn check_id(reader: &mut Reader<'_>, id: &str, span: Span, before: &[Draft]) {
    if !identifier(id) {
        let help = if id.contains('-') && identifier(&id.replace('-', "_")) {
            format!(
                "an expression would read the `-` as minus; write `{}`",
                id.replace('-', "_")
            )
        } else {
            "use letters, digits and `_`, begin with a letter, at most 64".to_owned()
        };
        reader.error_help(
            span,
            format!("`{}` cannot be the id of a step", short(id)),
            help,
        );
    } else if ROOTS.contains(&id) || FUNCTIONS.contains(&id) || RESERVED.contains(&id) {
        reader.error_help(
            span,
            format!("`{id}` already means something in expressions"),
            "choose another id",
        );
    } else if let Some(first) = before.iter().find(|draft| draft.id == id) {
        reader.error(
            span,
            format!(
                "another step has the id `{id}` (line {})",
                first.span.start.line
            ),
        );
    }
}

/// Words of the expression language.
const RESERVED: &[&str] = &[
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else",
    "for", "loop", "self", "csv", "leads",
];
