//! Texts, and who takes the conversation.

use super::super::super::definition::{Content, Handoff, Send};
use super::super::reader::{Reader, Record};
use super::super::values::Datum;
use super::Place;

impl Reader<'_> {
    pub(super) fn send(&mut self, record: &mut Record, at: Place) -> Option<Send> {
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
}

pub(super) fn handoff(record: &mut Record) -> Option<Handoff> {
    Some(Handoff {
        to: record.text("to")?,
        reason: record.value("reason"),
        reply: record.template("reply"),
        release_after: record.number("release_after"),
    })
}
