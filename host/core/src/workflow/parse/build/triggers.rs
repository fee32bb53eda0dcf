//! Triggers, and the events that a step waits for.

use super::super::super::definition::{Awaited, Trigger};
use super::super::super::language::{self, Key, Kind, TRIGGERS};
use super::super::super::yaml::{Kind as Yaml, Node, Span};
use super::super::reader::{Reader, Record};
use super::super::values::Datum;

impl Reader<'_> {
    /// The `on` of a file: a word, a block of events, or a list of either.
    pub(crate) fn triggers(&mut self, node: &Node) -> Vec<Trigger> {
        match &node.kind {
            Yaml::Refused => Vec::new(),
            Yaml::Scalar { .. } if node.is_null() => {
                self.error_help(
                    node.span,
                    "`on` names no event",
                    "for example: on: call.missed",
                );
                Vec::new()
            }
            Yaml::Scalar { text, .. } => self.trigger(node.span, text, None).into_iter().collect(),
            Yaml::List(items) => items.iter().flat_map(|item| self.triggers(item)).collect(),
            Yaml::Map(entries) => entries
                .iter()
                .filter_map(|(key, value)| self.trigger(key.span, &key.text, Some(value)))
                .collect(),
        }
    }

    fn trigger(&mut self, span: Span, word: &str, block: Option<&Node>) -> Option<Trigger> {
        let Some(trigger) = language::trigger(word) else {
            let words = TRIGGERS.iter().filter(|t| t.keys.is_some()).map(|t| t.word);
            self.unknown(span, "event", word, words);
            return None;
        };
        let Some(keys) = trigger.keys else {
            self.not_yet(span, word);
            return None;
        };
        let mut record = self.filters(span, word, block, keys)?;
        let condition = record.condition("where");
        let on = self.event(word, &mut record)?;
        Some(Trigger { on, condition })
    }

    fn filters(
        &mut self,
        span: Span,
        word: &str,
        block: Option<&Node>,
        keys: &'static [Key],
    ) -> Option<Record> {
        let what = format!("`{word}`");
        match block {
            Some(block) => self.block(block, keys, &what),
            None => {
                let nothing = Node {
                    kind: Yaml::Map(Vec::new()),
                    span,
                };
                self.block(&nothing, keys, &what)
            }
        }
    }

    /// The long form of a `wait_for`: events and a timeout.
    pub(crate) fn events(&mut self, node: &Node) -> Option<Datum> {
        let Yaml::Map(entries) = &node.kind else {
            self.error_help(
                node.span,
                format!(
                    "`wait_for` must be `reply` or a block of events, not {}",
                    node.what()
                ),
                "write wait_for: { message.received: {}, timeout: 24h }",
            );
            return None;
        };
        let mut events = Vec::new();
        let mut timeout = None;
        let mut refused = false;
        for (key, value) in entries {
            if key.text == "timeout" {
                match self.value(&Kind::Duration, value, "timeout") {
                    Some(Datum::Number(seconds)) => timeout = Some(seconds),
                    _ => refused = true,
                }
                continue;
            }
            match self.awaited(key.span, &key.text, value) {
                Some(event) => events.push(event),
                None => refused = true,
            }
        }
        if events.is_empty() && !refused {
            self.error_help(
                node.span,
                "`wait_for` names no event",
                "write wait_for: { message.received: {}, timeout: 24h }",
            );
            return None;
        }
        (!refused).then_some(Datum::Events(events, timeout))
    }

    fn awaited(&mut self, span: Span, word: &str, block: &Node) -> Option<Awaited> {
        if word == "reply" {
            self.error_help(
                span,
                "`reply` is the short form only",
                "in a block it is called message.received",
            );
            return None;
        }
        let Some(trigger) = language::trigger(word) else {
            let words = TRIGGERS
                .iter()
                .filter(|t| t.awaited.is_some())
                .map(|t| t.word);
            self.unknown(span, "event", word, words.chain(std::iter::once("timeout")));
            return None;
        };
        let Some(keys) = trigger.awaited else {
            if trigger.keys.is_none() {
                self.not_yet(span, word);
                return None;
            }
            let words = TRIGGERS.iter().filter(|one| one.awaited.is_some());
            let words: Vec<_> = words.map(|one| one.word).collect();
            self.error_help(
                span,
                format!("a run cannot wait for `{word}`"),
                format!("it can for: {}", words.join(", ")),
            );
            return None;
        };
        let mut record = self.filters(span, word, Some(block), keys)?;
        let condition = record.condition("where");
        let on = self.event(word, &mut record)?;
        Some(Awaited { on, condition })
    }
}
