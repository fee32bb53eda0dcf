//! From the values of a block to the definition's triggers and actions, and the
//! rules between the keys of one block.

use super::super::definition::{
    Action, Awaited, CallFilter, Content, Handoff, Manual, On, Schedule, Send, Set, Stop,
    TextFilter, Trigger, Wait, WaitFor,
};
use super::super::duration::LONGEST;
use super::super::language::{self, Form, Key, Kind, Long, TRIGGERS};
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::reader::{Reader, Record};
use super::values::Datum;
use crate::workflow::expression::Value;

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
        let on = match word {
            "call.missed" => On::CallMissed(call_filter(&mut record)),
            "call.completed" => On::CallCompleted(call_filter(&mut record)),
            "message.received" => On::MessageReceived(text_filter(&mut record)),
            "schedule" => On::Schedule(Schedule {
                cron: record.text("cron")?,
                zone: record.text("zone"),
                missed: record.choice("missed").unwrap_or_default(),
                overlap: record.choice("overlap").unwrap_or_default(),
            }),
            "manual" => On::Manual(Manual {
                input: record
                    .map("input")
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|(name, datum)| match datum {
                        Datum::Input(kind) => Some((name, kind)),
                        _ => None,
                    })
                    .collect(),
            }),
            _ => return None,
        };
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
            self.error(
                span,
                format!("waiting for `{word}` is not available in this version yet"),
            );
            return None;
        };
        let mut record = self.filters(span, word, Some(block), keys)?;
        match word {
            "call.missed" => Some(Awaited::CallMissed(call_filter(&mut record))),
            "call.completed" => Some(Awaited::CallCompleted(call_filter(&mut record))),
            "message.received" => Some(Awaited::MessageReceived(text_filter(&mut record))),
            _ => None,
        }
    }

    /// The value of an action's key, in its long or its short form.
    pub(crate) fn action(
        &mut self,
        word: &'static str,
        form: &'static Form,
        key: Span,
        node: &Node,
        timeout: Option<u64>,
    ) -> Option<Action> {
        let long = match (&form.keys, &node.kind) {
            (_, Yaml::Map(_)) => true,
            (_, _) if form.short.is_none() => true,
            (Long::Block(keys), _) => {
                node.is_null() && keys.iter().all(|key| !key.required) && word == "stop"
            }
            (Long::Other(_), _) => false,
        };
        let mut record = match (form.keys, form.short) {
            (Long::Block(keys), _) if long => self.block(node, keys, &format!("`{word}`"))?,
            (Long::Other(_), None) | (Long::Other(_), Some(_)) if long => {
                let Long::Other(kind) = &form.keys else {
                    return None;
                };
                let datum = self.value(kind, node, word)?;
                Record(vec![(word, node.span, datum)])
            }
            (_, Some(_)) => {
                let short = form.short.as_ref()?;
                // A short form is known by its action, not by its hidden key.
                let datum = self.value(&short.kind, node, word)?;
                Record(vec![(short.name, node.span, datum)])
            }
            _ => return None,
        };
        let at = Place {
            key,
            value: node.span,
        };
        match word {
            "send" => self.send(&mut record, at).map(Action::Send),
            "wait" => self.wait(&mut record, at).map(Action::Wait),
            "wait_for" => wait_for(&mut record, word, timeout).map(Action::WaitFor),
            "handoff" => handoff(&mut record).map(Action::Handoff),
            "set" => Some(Action::Set(set(&mut record, word))),
            "stop" => Some(Action::Stop(Stop {
                reason: record
                    .value("reason")
                    .filter(|v| *v != Value::Literal(serde_json::Value::Null)),
            })),
            _ => None,
        }
    }

    fn send(&mut self, record: &mut Record, at: Place) -> Option<Send> {
        let (body, template) = (record.place("body"), record.place("template"));
        match (body, template) {
            (Some(_), Some(second)) => {
                self.error_help(
                    second,
                    "`send` takes `body` or `template`, not both",
                    "leave one of the two out",
                );
                return None;
            }
            (None, None) => {
                self.error_help(
                    at.key,
                    "`send` needs `body` or `template`",
                    "the short form is send: \"the text\"",
                );
                return None;
            }
            _ => {}
        }
        let content = match record.template("body") {
            Some(body) => Content::Body(body),
            None => Content::Template(record.text("template")?),
        };
        let media = record.list("media").unwrap_or_default();
        Some(Send {
            agent: record.text("agent"),
            content,
            media: media
                .into_iter()
                .filter_map(|item| match item {
                    Datum::Value(value) => Some(value),
                    _ => None,
                })
                .collect(),
            from: record.value("from"),
            valid_until: record.value("valid_until"),
            on_unknown: record.choice("on_unknown").unwrap_or_default(),
        })
    }

    fn wait(&mut self, record: &mut Record, at: Place) -> Option<Wait> {
        let written = record.0.len();
        let refused = record
            .0
            .iter()
            .any(|(.., datum)| matches!(datum, Datum::Refused));
        if refused {
            return None;
        }
        if written == 0 {
            self.error_help(
                at.value,
                "`wait` does not say how long",
                "write wait: 10m, or wait: { days: 1, at: \"10:30\" }",
            );
            return None;
        }
        if let Some(until) = record.place("until")
            && written > 1
            && ["days", "hours", "minutes", "at"]
                .iter()
                .any(|key| record.place(key).is_some())
        {
            self.error_help(
                until,
                "`until` already says when the wait ends",
                "leave out days, hours, minutes and at",
            );
            return None;
        }
        let mut part = |key, unit: u64| record.number(key).unwrap_or(0) * unit;
        let seconds =
            part("for", 1) + part("days", 86_400) + part("hours", 3_600) + part("minutes", 60);
        if seconds > LONGEST {
            self.error(at.value, "this wait is longer than ten years");
            return None;
        }
        Some(Wait {
            seconds,
            at: record.time("at"),
            until: record.value("until"),
            window: record.window("window"),
        })
    }
}

/// Where an action stands.
#[derive(Clone, Copy)]
struct Place {
    key: Span,
    value: Span,
}

fn wait_for(record: &mut Record, word: &str, beside: Option<u64>) -> Option<WaitFor> {
    match record.take(word) {
        Some(Datum::Events(events, timeout)) => Some(WaitFor {
            events,
            timeout: timeout.or(beside),
        }),
        Some(_) => None,
        None => Some(WaitFor {
            events: vec![Awaited::MessageReceived(TextFilter::default())],
            timeout: beside,
        }),
    }
}

fn handoff(record: &mut Record) -> Option<Handoff> {
    Some(Handoff {
        to: record.text("to")?,
        reason: record.value("reason"),
        reply: record.template("reply"),
        release_after: record.number("release_after"),
    })
}

fn set(record: &mut Record, word: &str) -> Set {
    let values = record.map(word).unwrap_or_default().into_iter();
    let values = values.filter_map(|(name, datum)| match datum {
        Datum::Value(value) => Some((name, value)),
        _ => None,
    });
    Set {
        values: values.collect(),
    }
}

fn call_filter(record: &mut Record) -> CallFilter {
    CallFilter {
        direction: record.choice("direction"),
        from: record.texts("from"),
        to: record.texts("to"),
        agent: record.text("agent"),
        voicemail_counts_as_missed: record
            .word("voicemail")
            .map(|word| word == "counts_as_missed"),
    }
}

fn text_filter(record: &mut Record) -> TextFilter {
    TextFilter {
        to_agent: record.text("to_agent"),
        from: record.texts("from"),
        matches: record.pattern("matches"),
    }
}
