//! What a test expects.

use super::super::super::case::{Expectation, Expected, TextLike};
use super::super::super::definition::Definition;
use super::super::super::language::Names;
use super::super::super::yaml::Span;
use super::super::reader::{Reader, Record};
use super::super::values::Datum;
use super::step;

/// A block may say several things; each becomes an expectation of its own.
pub(super) fn expected(
    reader: &mut Reader<'_>,
    span: Span,
    block: Record,
    definition: &Definition,
    all: &mut Vec<Expected>,
) {
    if block.0.is_empty() {
        reader.error_help(span, "this expects nothing", "for example: - sent: 1");
    }
    for (key, span, datum) in block.0 {
        let what = match (key, datum) {
            ("sent", Datum::Number(count)) => Expectation::SentCount(count),
            ("sent", datum) => Expectation::Sent(match like(reader, span, datum, definition) {
                Some(like) => like,
                None => continue,
            }),
            ("not_sent", datum) => {
                Expectation::NotSent(match like(reader, span, datum, definition) {
                    Some(like) => like,
                    None => continue,
                })
            }
            ("handoff", Datum::Text(to)) => {
                reader.name(span, Names::People, &to);
                Expectation::Handoff {
                    to: Some(to),
                    reason: None,
                }
            }
            ("handoff", Datum::Block(mut block)) => Expectation::Handoff {
                to: block.text("to"),
                reason: block.text("reason"),
            },
            ("called" | "not_called", Datum::List(items)) => {
                let mut ids = Vec::new();
                for item in items {
                    if let Datum::Text(id) = item
                        && step(reader, span, &id, definition).is_some()
                    {
                        ids.push(id);
                    }
                }
                match key {
                    "called" => Expectation::Called(ids),
                    _ => Expectation::NotCalled(ids),
                }
            }
            ("outcome", Datum::Text(word)) => Expectation::Outcome(word),
            ("status", Datum::Choice(word)) => Expectation::Status(word.to_owned()),
            ("deferred_until", Datum::Instant(at)) => Expectation::DeferredUntil(at),
            ("opted_out", Datum::Flag(out)) => Expectation::OptedOut(out),
            ("result", Datum::Constants(map)) => {
                for id in map.keys() {
                    step(reader, span, id, definition);
                }
                Expectation::Result(map)
            }
            ("lead", Datum::Constants(map)) => Expectation::Lead(map),
            _ => continue,
        };
        all.push(Expected {
            line: span.start.line,
            what,
        });
    }
}

fn like(
    reader: &mut Reader<'_>,
    span: Span,
    datum: Datum,
    definition: &Definition,
) -> Option<TextLike> {
    match datum {
        Datum::Text(text) => Some(TextLike {
            contains: Some(text),
            ..TextLike::default()
        }),
        Datum::Block(mut block) => {
            let by = block.text("step");
            if let Some(id) = &by {
                step(reader, span, id, definition)?;
            }
            Some(TextLike {
                contains: block.text("contains"),
                matches: block.pattern("matches"),
                at: block.instant("at"),
                segments: block.number("segments"),
                step: by,
            })
        }
        _ => None,
    }
}
