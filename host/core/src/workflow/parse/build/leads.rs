//! What is known of the contact, and whether they are texted.

use super::super::super::definition::{Lead, OptOut};
use super::super::reader::{Reader, Record};
use super::super::values::Datum;
use super::{Place, pairs};
use crate::workflow::expression::{Template, Value};

/// Names that a lead has of itself.
const OWN: &[&str] = &["phone", "tags", "consent"];

impl Reader<'_> {
    pub(super) fn lead(&mut self, record: &mut Record, at: Place) -> Option<Lead> {
        let place = record.place("set");
        let lead = Lead {
            set: pairs(record, "set"),
            tag: templates(record, "tag"),
            untag: templates(record, "untag"),
            note: record.value("note"),
        };
        if let Some(span) = place
            && let Some((own, _)) = lead
                .set
                .iter()
                .find(|(name, _)| OWN.contains(&name.as_str()))
        {
            let span = self.locate(span, own);
            let help = match own.as_str() {
                "tags" => "tags are added with `tag` and taken off with `untag`",
                "phone" => "the number is who the contact is",
                _ => "consent is recorded with its source, through the API",
            };
            self.error_help(span, format!("`{own}` cannot be set"), help);
            return None;
        }
        if lead == Lead::default() && place.is_none() {
            self.error_help(
                at.value,
                "`lead` says nothing to change",
                "for example: lead: { set: { status: cold }, tag: [called] }",
            );
            return None;
        }
        Some(lead)
    }

    pub(super) fn tag(&mut self, record: &mut Record, at: Place) -> Option<Lead> {
        let tag = templates(record, "tag");
        if tag.is_empty() {
            self.error_help(at.value, "`tag` names no tag", "for example: tag: [called]");
            return None;
        }
        Some(Lead {
            tag,
            ..Lead::default()
        })
    }

    pub(super) fn opt_out(&mut self, record: &mut Record) -> Option<OptOut> {
        let place = record.place("reply");
        let reply = record.value("reply");
        if let (Some(Value::Literal(json)), Some(span)) = (&reply, place)
            && !(json.is_boolean() || json.is_string())
        {
            self.error_help(
                span,
                "`reply` must be true or a text",
                "true answers with the words that answer a STOP",
            );
            return None;
        }
        Some(OptOut { reply })
    }
}

fn templates(record: &mut Record, key: &str) -> Vec<Template> {
    let items = record.list(key).unwrap_or_default().into_iter();
    items
        .filter_map(|item| match item {
            Datum::Template(template) => Some(template),
            _ => None,
        })
        .collect()
}
