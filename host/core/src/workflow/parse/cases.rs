//! The tests of a file: from their blocks to the plain data that a rehearsal plays.

mod expect;
mod later;

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value as Json};

use super::super::case::{CallEnd, Case, Given, Mock, MockAnswer, Starting};
use super::super::definition::{Action, Definition, Step};
use super::super::duration::short;
use super::super::language::{CASE, TRIGGERS};
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::reader::{Reader, Record};
use super::values::Datum;

/// The most tests of one file.
const MOST: usize = 500;
/// What the mock of the rows of a file's own `for_each` is called.
const FAN: &str = "for_each";
/// The keys that start a test.
const STARTS: &[&str] = &["receive", "call", "event", "input", "schedule"];

/// A time with its offset, or with its zone in brackets.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = text.parse::<Timestamp>();
    at.or_else(|_| text.parse::<Zoned>().map(|zoned| zoned.timestamp()))
        .ok()
}

/// Reads the tests of a file; one with a mistake is left out, after a message.
pub(super) fn list(reader: &mut Reader<'_>, node: &Node, definition: &Definition) -> Vec<Case> {
    let Yaml::List(items) = &node.kind else {
        if !matches!(node.kind, Yaml::Refused) {
            reader.error_help(
                node.span,
                format!("`tests` must be a list of tests, not {}", node.what()),
                "begin each test with `- name: …`",
            );
        }
        return Vec::new();
    };
    if items.len() > MOST {
        reader.error(
            node.span,
            format!("there are more than {MOST} tests, which is the most"),
        );
    }
    let mut cases: Vec<Case> = Vec::new();
    for item in items.iter().take(MOST) {
        let Some(case) = case(reader, item, definition) else {
            continue;
        };
        if let Some(first) = cases.iter().find(|one| one.name == case.name) {
            let span = reader.locate(item.span, &case.name);
            let message = format!(
                "there are two tests `{}` (first in line {})",
                short(&case.name),
                first.line
            );
            reader.error_help(span, message, "give each a name of its own");
        }
        cases.push(case);
    }
    cases
}

fn case(reader: &mut Reader<'_>, node: &Node, definition: &Definition) -> Option<Case> {
    let mut record = reader.block(node, CASE, "a test")?;
    let given = given(reader, &mut record);
    let start = start(reader, node, &mut record, definition);
    let mock_span = record.place("mock").unwrap_or(node.span);
    let mock = record.constants("mock").unwrap_or_default();
    let mock = mocks(reader, mock_span, mock, definition);
    let mut then = Vec::new();
    for (span, block) in blocks(&mut record, "then") {
        then.extend(later::later(reader, span, block));
    }
    let mut expect = Vec::new();
    let place = record.place("expect").unwrap_or(node.span);
    if record.is_empty_list("expect") {
        reader.error_help(
            place,
            "a test that expects nothing cannot fail",
            "for example: expect: [{ sent: 1 }]",
        );
    }
    for (span, block) in blocks(&mut record, "expect") {
        expect::expected(
            reader,
            span.unwrap_or(place),
            block,
            definition,
            &mut expect,
        );
    }
    Some(Case {
        name: record.text("name")?,
        line: node.span.start.line,
        at: record.instant("at"),
        given,
        start: start?,
        mock,
        then,
        expect,
    })
}

impl Record {
    fn is_empty_list(&self, key: &str) -> bool {
        let mut all = self.0.iter();
        all.any(|(name, _, datum)| {
            *name == key && matches!(datum, Datum::List(all) if all.is_empty())
        })
    }
}

/// The blocks of a list, each with the place of its first value.
fn blocks(record: &mut Record, key: &str) -> Vec<(Option<Span>, Record)> {
    let items = record.list(key).unwrap_or_default().into_iter();
    items
        .filter_map(|item| match item {
            Datum::Block(block) => Some((block.0.first().map(|(_, span, _)| *span), block)),
            _ => None,
        })
        .collect()
}

fn given(reader: &mut Reader<'_>, record: &mut Record) -> Given {
    let Some(mut block) = record.record("given") else {
        return Given::default();
    };
    let mut given = Given {
        lead: block.constants("lead").unwrap_or_default(),
        vars: block.constants("vars").unwrap_or_default(),
        agent: block.text("agent"),
        ..Given::default()
    };
    let Some(span) = block.place("contact") else {
        return given;
    };
    for (name, value) in block.constants("contact").unwrap_or_default() {
        match (name.as_str(), &value) {
            ("phone", Json::String(text)) => {
                let at = reader.locate_quoted(span, text);
                given.phone = reader.phone(at, text, false);
            }
            ("zone", Json::String(text)) => match reader.known.checks.zone(text) {
                Ok(()) => given.zone = Some(text.clone()),
                Err(error) => {
                    let at = reader.locate(span, text);
                    reader.error(at, format!("this zone cannot be read: {error}"));
                }
            },
            ("opted_out", Json::Bool(out)) => given.opted_out = *out,
            ("consent", value) => given.consent = consent(reader, span, value),
            ("phone" | "zone" | "opted_out", _) => {
                let at = reader.locate(span, &name);
                let wanted = match name.as_str() {
                    "phone" => "a phone number in quotes",
                    "zone" => "a zone like America/Chicago",
                    _ => "`true` or `false`",
                };
                reader.error(at, format!("`{name}` must be {wanted}"));
            }
            _ => {
                given.lead.insert(name, value);
            }
        }
    }
    given
}

fn consent(reader: &mut Reader<'_>, span: Span, value: &Json) -> Vec<super::super::Intent> {
    let words = match value {
        Json::Array(words) => words.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut intents = Vec::new();
    for word in words {
        match serde_json::from_value(word.clone()) {
            Ok(intent) => intents.push(intent),
            Err(_) => {
                let at = reader.locate(span, "consent");
                reader.error_help(
                    at,
                    "`consent` is a list of kinds of texts",
                    "for example: consent: [marketing]",
                );
            }
        }
    }
    intents
}

fn start(
    reader: &mut Reader<'_>,
    node: &Node,
    record: &mut Record,
    definition: &Definition,
) -> Option<Starting> {
    let written: Vec<(&str, Span)> = STARTS
        .iter()
        .filter_map(|key| Some((*key, record.place(key)?)))
        .collect();
    let (key, span) = match written.as_slice() {
        [one] => *one,
        [] => {
            let at = reader.locate(node.span, "name");
            reader.error_help(
                at,
                "nothing starts this test",
                "write one of receive, call, event, input or schedule: call: missed",
            );
            return None;
        }
        [(first, _), (second, span), ..] => {
            reader.error_help(
                *span,
                format!("a test starts once, and this one with `{first}` and `{second}`"),
                "what happens afterwards stands under `then`",
            );
            return None;
        }
    };
    let start = match key {
        "receive" => Starting::Receive(record.text(key)?),
        "call" => Starting::Call(match record.word(key)? {
            "missed" => CallEnd::Missed,
            _ => CallEnd::Completed,
        }),
        "input" => Starting::Input(record.constants(key)?),
        "schedule" if record.flag(key)? => Starting::Schedule,
        "schedule" => {
            reader.error(span, "`schedule` can only be true here");
            return None;
        }
        _ => event(reader, span, record.constants(key)?)?,
    };
    let word = start.word();
    if !definition.triggers.is_empty()
        && !definition.triggers.iter().any(|one| one.on.word() == word)
    {
        reader.error_help(
            span,
            format!("no trigger of this file is begun by {word}"),
            "start the test with what stands under `on`",
        );
        return None;
    }
    Some(start)
}

fn event(reader: &mut Reader<'_>, span: Span, mut fields: Map<String, Json>) -> Option<Starting> {
    let Some(Json::String(kind)) = fields.remove("type") else {
        reader.error_help(
            span,
            "`event` needs its `type`",
            "for example: event: { type: call.completed, duration: 90 }",
        );
        return None;
    };
    if !TRIGGERS.iter().any(|one| one.word == kind) {
        let at = reader.locate(span, &kind);
        let words = TRIGGERS
            .iter()
            .filter(|one| one.keys.is_some())
            .map(|one| one.word);
        reader.unknown(at, "event", &kind, words);
        return None;
    }
    Some(Starting::Event { kind, fields })
}

fn step<'d>(
    reader: &mut Reader<'_>,
    span: Span,
    id: &str,
    definition: &'d Definition,
) -> Option<&'d Step> {
    let steps = || definition.steps.iter().filter(|step| !step.id.is_empty());
    let found = steps().find(|step| step.id == id);
    if found.is_none() {
        let at = reader.locate(span, id);
        reader.unknown(at, "step", id, steps().map(|step| step.id.as_str()));
    }
    found
}

fn mocks(
    reader: &mut Reader<'_>,
    span: Span,
    given: Map<String, Json>,
    definition: &Definition,
) -> BTreeMap<String, Mock> {
    let mut mocks = BTreeMap::new();
    for (id, value) in given {
        if id == FAN && definition.for_each.is_some() {
            match value {
                Json::Array(_) => {
                    mocks.insert(id, Mock(vec![MockAnswer::Result(value)]));
                }
                _ => {
                    let at = reader.locate(span, FAN);
                    reader.error(at, "`for_each` can be given rows: a list");
                }
            }
            continue;
        }
        let Some(step) = step(reader, span, &id, definition) else {
            continue;
        };
        let rows = !step.action.is_answered_outside();
        let answers = match value {
            Json::Array(list) if !rows || list.iter().any(is_error) => list,
            one => vec![one],
        };
        let answers: Option<Vec<MockAnswer>> = answers
            .into_iter()
            .map(|one| answer(reader, span, step, one))
            .collect();
        if let Some(answers) = answers.filter(|all| !all.is_empty()) {
            mocks.insert(id, Mock(answers));
        }
    }
    mocks
}

fn is_error(value: &Json) -> bool {
    value
        .as_object()
        .is_some_and(|map| map.len() == 1 && map.get("error").is_some_and(Json::is_string))
}

/// The answer to one attempt at a step.
fn answer(reader: &mut Reader<'_>, span: Span, step: &Step, value: Json) -> Option<MockAnswer> {
    let at = reader.locate(span, &step.id);
    if let (true, Some(Json::String(error))) = (is_error(&value), value.get("error")) {
        return Some(MockAnswer::Error(error.clone()));
    }
    let value = match (&step.action, value) {
        (Action::Classify(_), Json::String(label)) => serde_json::json!({ "label": label }),
        (Action::Compose(_), Json::String(text)) => serde_json::json!({ "text": text }),
        (_, value) => value,
    };
    let word = step.action.word();
    let fits = match &step.action {
        one if !one.is_answered_outside() => value.is_array(),
        Action::Uses(_) => true,
        _ => value.is_object(),
    };
    if !fits {
        let help = match &step.action {
            one if one.is_answered_outside() => "for example: mock: { step: { … } }",
            _ => "what it can be given are the rows that its expressions read: a list",
        };
        reader.error_help(at, format!("a `{word}` is not answered like this"), help);
        return None;
    }
    if let Action::Classify(classify) = &step.action {
        let label = value
            .get("label")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let same = |one: &String| one.eq_ignore_ascii_case(label);
        if !classify.labels.iter().any(same) {
            let at = reader.locate(span, label);
            let labels = classify.labels.iter().map(String::as_str);
            reader.unknown(at, "label", label, labels);
            return None;
        }
    }
    Some(MockAnswer::Result(value))
}
