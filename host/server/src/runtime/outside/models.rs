//! Questions to models. The scripted one answers by rule and says so: for demos,
//! tests, and workflows that are tried out before an account exists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringback_core::engine::{Ask, WorkResult};
use serde_json::{Map, Value, json};

use super::super::Host;
use super::failed;
use crate::config::Model;

/// The name that counts when neither step nor agent names a model.
const DEFAULT: &str = "default";

/// Counts the canned answers over all models.
static TURN: AtomicUsize = AtomicUsize::new(0);

pub(super) async fn ask(
    _host: &Arc<Host>,
    models: &BTreeMap<String, Model>,
    ask: &Ask,
) -> WorkResult {
    let name = match ask {
        Ask::Compose(compose) => compose.model.as_deref(),
        Ask::Classify { model, .. } | Ask::Extract { model, .. } => model.as_deref(),
        _ => None,
    };
    let name = name.unwrap_or(DEFAULT);
    let Some(Model::Scripted { answers, facts }) = models.get(name) else {
        let text = format!("there is no model {name:?}: add [models.{name}] to the configuration");
        return failed("no_model", text, false);
    };
    WorkResult::Done(match ask {
        Ask::Compose(_) => json!({
            "text": written(answers, TURN.fetch_add(1, Ordering::Relaxed)),
            "scripted": true,
        }),
        Ask::Classify { text, labels, .. } => json!({
            "label": fitting(text, labels),
            "scripted": true,
        }),
        Ask::Extract { fields, .. } => Value::Object(found(fields, facts)),
        _ => Value::Null,
    })
}

fn written(answers: &[String], turn: usize) -> String {
    let place = turn.checked_rem(answers.len()).unwrap_or_default();
    answers.get(place).cloned().unwrap_or_else(|| {
        "(This is a canned answer: no language model is set up yet. A person will read your text.)"
            .to_owned()
    })
}

/// The label whose words stand in the text, else the last one, which mostly is the
/// rest.
fn fitting<'l>(text: &str, labels: &'l [String]) -> Option<&'l String> {
    let text = text.to_lowercase();
    let stands_there = |label: &&String| {
        let label = label.to_lowercase();
        let mut words = label.split(['_', '-', ' ']).filter(|word| word.len() > 2);
        words.any(|word| text.contains(word))
    };
    labels.iter().find(stands_there).or_else(|| labels.last())
}

/// What the configuration says; where that is nothing, nothing for each thing that
/// may be missing, and what is empty of its type else.
fn found(fields: &[(String, String)], facts: &BTreeMap<String, String>) -> Map<String, Value> {
    let value = |name: &str, kind: &str| match (facts.get(name), kind) {
        (Some(fact), kind) if kind.starts_with("number") || kind.starts_with("boolean") => {
            serde_json::from_str(fact).unwrap_or_default()
        }
        (Some(fact), kind) if kind.starts_with("list[") => json!([fact]),
        (Some(fact), _) => json!(fact),
        (None, kind) => empty(kind),
    };
    fields
        .iter()
        .map(|(name, kind)| (name.clone(), value(name, kind)))
        .collect()
}

fn empty(kind: &str) -> Value {
    match kind {
        _ if kind.ends_with('?') => Value::Null,
        _ if kind.starts_with("list[") => json!([]),
        "number" => json!(0),
        "boolean" => json!(false),
        "datetime" => json!("1970-01-01T00:00:00Z"),
        "date" => json!("1970-01-01"),
        _ => json!("(canned answer)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_by_their_words() {
        fn check(text: &str, expected: &str) {
            let labels = ["asks_for_person", "booking", "other"].map(str::to_owned);
            assert_eq!(fitting(text, &labels).unwrap(), expected);
        }
        check("I want a real Person", "asks_for_person");
        check("about my booking", "booking");
        check("hello", "other");
    }

    #[test]
    fn facts_are_as_configured_or_nothing() {
        let fields = [
            ("next_step", "string?"),
            ("price", "number?"),
            ("promised", "list[string]"),
            ("who", "string?"),
            ("name", "string"),
        ];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let facts = [
            ("next_step", "a quote"),
            ("price", "250"),
            ("promised", "a call"),
        ];
        let facts = facts.map(|(name, fact)| (name.to_owned(), fact.to_owned()));
        assert_eq!(
            Value::Object(found(&fields, &BTreeMap::from(facts))),
            json!({
                "next_step": "a quote", "price": 250, "promised": ["a call"], "who": null,
                "name": "(canned answer)",
            })
        );
    }

    #[test]
    fn answers_take_turns() {
        let answers = ["one".to_owned(), "two".to_owned()];
        assert_eq!(written(&answers, 0), "one");
        assert_eq!(written(&answers, 1), "two");
        assert_eq!(written(&answers, 2), "one");
        assert!(written(&[], 5).contains("canned"));
    }
}
