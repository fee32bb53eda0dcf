//! Requests, notices and questions to models.

use super::super::super::definition::{
    Approve, Classify, Compose, Guard, Http, Notify, Unanswered,
};
use super::super::super::language::Names;
use super::super::super::yaml::Span;
use super::super::reader::{Reader, Record};
use super::super::values::Datum;
use super::Place;
use crate::workflow::expression::Value;
use serde_json::Value as Json;

impl Reader<'_> {
    pub(super) fn http(&mut self, record: &mut Record, at: Place) -> Option<Http> {
        let sends: Vec<_> = ["json", "form", "body"]
            .into_iter()
            .filter_map(|key| Some((key, record.place(key)?)))
            .collect();
        if let [(first, _), (second, span), ..] = sends.as_slice() {
            self.error_help(
                *span,
                format!("`http` sends `{first}` or `{second}`, not both"),
                "leave one of the two out",
            );
            return None;
        }
        let method = record.word("method");
        if let (Some("GET" | "HEAD"), Some((key, span))) = (method, sends.first()) {
            self.error_help(
                *span,
                format!("a {} sends no `{key}`", method.unwrap_or_default()),
                "write method: POST",
            );
            return None;
        }
        let usual = if sends.is_empty() { "GET" } else { "POST" };
        let expect = record.list("expect").unwrap_or_default();
        let mut statuses = Vec::with_capacity(expect.len());
        for datum in expect {
            match datum {
                Datum::Number(status @ 100..=599) => {
                    statuses.push(u16::try_from(status).unwrap_or_default());
                }
                _ => {
                    self.error(at.value, "`expect` is a list of statuses from 100 to 599");
                    return None;
                }
            }
        }
        let place = record.place("headers");
        let headers = record.value("headers");
        if let (Some(span), Some(headers)) = (place, &headers) {
            self.secrets(span, headers);
        }
        Some(Http {
            method: method.unwrap_or(usual).to_owned(),
            url: record.template("url")?,
            headers,
            json: record.value("json"),
            form: record.value("form"),
            body: record.template("body"),
            timeout: record.number("timeout"),
            expect: statuses,
        })
    }

    /// Checks the secrets that a value names, as `secret:NAME` in its texts.
    fn secrets(&mut self, span: Span, value: &Value) {
        match value {
            Value::Literal(json) => self.secrets_of_json(span, json),
            Value::Template(template) => self.secrets_of_text(span, template.source()),
            Value::Expression(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.secrets(span, item)),
            Value::Map(entries) => entries
                .iter()
                .for_each(|(_, value)| self.secrets(span, value)),
        }
    }

    fn secrets_of_json(&mut self, span: Span, json: &Json) {
        match json {
            Json::String(text) => self.secrets_of_text(span, text),
            Json::Array(items) => {
                for item in items {
                    self.secrets_of_json(span, item);
                }
            }
            Json::Object(map) => {
                for value in map.values() {
                    self.secrets_of_json(span, value);
                }
            }
            _ => {}
        }
    }

    fn secrets_of_text(&mut self, span: Span, text: &str) {
        for after in text.split("secret:").skip(1) {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let name = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
            // `secret:{{ … }}` is known only when the step is done.
            if !name.is_empty() {
                let span = self.locate(span, name);
                self.name(span, Names::Secrets, name);
            }
        }
    }

    pub(super) fn notify(&mut self, record: &mut Record, at: Place) -> Option<Notify> {
        if record.place("to").is_none() && record.place("webhook").is_none() {
            self.error_help(
                at.key,
                "`notify` needs `to` or `webhook`",
                "say who is told: to: on-call",
            );
            return None;
        }
        Some(Notify {
            to: record.text("to"),
            text: record.template("text")?,
            webhook: record.template("webhook"),
        })
    }

    pub(super) fn classify(&mut self, record: &mut Record) -> Option<Classify> {
        let span = record.place("labels");
        let labels = record.texts("labels");
        let mut sorted = labels.clone();
        sorted.sort();
        sorted.dedup();
        if let (Some(span), true) = (span, sorted.len() < 2 || sorted.len() != labels.len()) {
            self.error_help(
                span,
                "`labels` needs at least two, none of them twice",
                "for example: labels: [booking, question, other]",
            );
            return None;
        }
        Some(Classify {
            text: record.value("text")?,
            labels,
            model: record.text("model"),
        })
    }

    pub(super) fn compose(&mut self, record: &mut Record) -> Option<Compose> {
        let guard = record.record("guard").map(|mut guard| {
            let grounds = guard.list("must_ground").unwrap_or_default().into_iter();
            let grounds = grounds.filter_map(|datum| match datum {
                Datum::Choice(word) => Some(word.to_owned()),
                _ => None,
            });
            Guard {
                must_ground: grounds.collect(),
                never_say: guard.texts("never_say"),
                min_confidence: guard.share("min_confidence"),
            }
        });
        let approve = match record.place("approve") {
            Some(_) => Some(self.approve(record)?),
            None => None,
        };
        Some(Compose {
            agent: record.text("agent"),
            prompt: record.template("prompt"),
            history: record.number("history"),
            tools: record.texts("tools"),
            max_segments: record.number("max_segments"),
            fallback: record.template("fallback"),
            guard,
            on_guard_fail: record.choice("on_guard_fail").unwrap_or_default(),
            approve,
            append: record.template("append"),
            model: record.text("model"),
        })
    }

    /// Who sees the text before it is sent: a name, or a block of keys.
    fn approve(&mut self, record: &mut Record) -> Option<Approve> {
        let mut block = match record.take("approve")? {
            Datum::Text(by) => {
                return Some(Approve {
                    by,
                    timeout: None,
                    default: Unanswered::default(),
                });
            }
            Datum::Block(block) => block,
            _ => return None,
        };
        if let (Some(default), None) = (block.place("default"), block.place("timeout")) {
            self.error_help(
                default,
                "`default` says what happens after `timeout`, and there is none",
                "say how long they have: timeout: 10m",
            );
            return None;
        }
        Some(Approve {
            by: block.text("by")?,
            timeout: block.number("timeout"),
            default: block.choice("default").unwrap_or_default(),
        })
    }
}
