//! From the values of a block to the definition's actions: which form was
//! written, and who makes the action of it.

mod events;
mod leads;
mod outside;
mod texts;
mod triggers;
mod waits;

use super::super::definition::{Action, Call, CallWorkflow, Extract, Log, Set, Split, Stop, Uses};
use super::super::language::{Form, Long};
use super::super::yaml::{Kind as Yaml, Node, Span};
use super::reader::{Reader, Record};
use super::values::Datum;
use crate::workflow::expression::Value;

impl Reader<'_> {
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
                node.is_null()
                    && keys.iter().all(|key| !key.required)
                    && matches!(word, "stop" | "release" | "opt_out")
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
            "wait_for" => waits::wait_for(&mut record, word, timeout).map(Action::WaitFor),
            "handoff" => texts::handoff(&mut record).map(Action::Handoff),
            "http" => self.http(&mut record, at).map(Action::Http),
            "uses" => Some(Action::Uses(Uses {
                plugin: record.text("plugin")?,
                with: None,
            })),
            "notify" => self.notify(&mut record, at).map(Action::Notify),
            "classify" => self.classify(&mut record).map(Action::Classify),
            "extract" => Some(Action::Extract(Extract {
                text: record.value("text")?,
                fields: record.fields("fields")?,
                model: record.text("model"),
            })),
            "compose" => self.compose(&mut record).map(Action::Compose),
            "call" => Some(Action::Call(Call {
                agent: record.text("agent"),
                to: record.value("to"),
                variables: record.value("variables"),
                ring_for: record.number("ring_for"),
                wait: record.choice("wait").unwrap_or_default(),
            })),
            "split" => Some(Action::Split(Split {
                arms: record.weights(word)?,
            })),
            "call_workflow" => Some(Action::CallWorkflow(CallWorkflow {
                name: record.text("name")?,
                with: pairs(&mut record, "with"),
                wait: record.choice("wait").unwrap_or_default(),
            })),
            "lead" => self.lead(&mut record, at).map(Action::Lead),
            "tag" => self.tag(&mut record, at).map(Action::Lead),
            "release" => Some(Action::Release),
            "opt_out" => self.opt_out(&mut record).map(Action::OptOut),
            "set" => Some(Action::Set(Set {
                values: pairs(&mut record, word),
            })),
            "log" => Some(Action::Log(Log {
                message: record.template("message")?,
            })),
            "stop" => Some(Action::Stop(Stop {
                reason: record
                    .value("reason")
                    .filter(|v| *v != Value::Literal(serde_json::Value::Null)),
            })),
            _ => None,
        }
    }
}

/// Where an action stands.
#[derive(Clone, Copy)]
struct Place {
    key: Span,
    value: Span,
}

/// Names and values, in the file's order.
fn pairs(record: &mut Record, key: &str) -> Vec<(String, Value)> {
    let values = record.map(key).unwrap_or_default().into_iter();
    let values = values.filter_map(|(name, datum)| match datum {
        Datum::Value(value) => Some((name, value)),
        _ => None,
    });
    values.collect()
}
