//! What is meant by each event: its filters, from the keys of its block.

use super::super::super::definition::{
    CallFilter, FinishedFilter, Idle, LeadFilter, Manual, On, PluginFilter, Schedule, StatusFilter,
    TextFilter, Verify, Webhook,
};
use super::super::super::duration::short;
use super::super::super::language::Names;
use super::super::reader::{Reader, Record};
use super::super::values::Datum;

impl Reader<'_> {
    /// The event of a word, as its keys narrow it; none after a message.
    pub(super) fn event(&mut self, word: &str, record: &mut Record) -> Option<On> {
        Some(match word {
            "call.missed" => On::CallMissed(call_filter(record)),
            "call.completed" => On::CallCompleted(call_filter(record)),
            "call.status" => On::CallStatus(call_filter(record)),
            "message.received" => On::MessageReceived(text_filter(record)),
            "message.status" => On::MessageStatus(status_filter(record)),
            "message.failed" => On::MessageFailed(status_filter(record)),
            "lead.created" => On::LeadCreated(lead_filter(record)),
            "lead.updated" => On::LeadUpdated(lead_filter(record)),
            "webhook" => On::Webhook(self.webhook(record)?),
            "conversation.idle" => On::ConversationIdle(Idle {
                after: record.number("after")?,
                last_from: record.choice("last_from"),
            }),
            "conversation.handoff" => On::ConversationHandoff,
            "contact.opted_out" => On::ContactOptedOut,
            "contact.opted_in" => On::ContactOptedIn,
            "workflow.finished" => On::WorkflowFinished(FinishedFilter {
                workflow: record.text("workflow"),
                outcome: record.texts("outcome"),
            }),
            "plugin.event" => On::PluginEvent(PluginFilter {
                plugin: record.text("plugin"),
                name: record.text("name"),
            }),
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
        })
    }

    fn webhook(&mut self, record: &mut Record) -> Option<Webhook> {
        let span = record.place("path");
        let path = record.text("path")?;
        let sound = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
        };
        if let Some(span) = span
            && (path.len() > 100 || !path.split('/').all(sound))
        {
            self.error_help(
                span,
                format!("`{}` cannot stand in an address", short(&path)),
                "use small letters, digits, `-` and `_`, at most 100: `path: calendar` is served at /in/calendar",
            );
            return None;
        }
        let verify = match record.record("verify") {
            Some(mut block) => self.verify(&mut block),
            None => None,
        };
        Some(Webhook {
            path,
            verify,
            dedupe: record.value("dedupe"),
        })
    }

    fn verify(&mut self, block: &mut Record) -> Option<Verify> {
        let (key, header) = (block.place("hmac_sha256"), block.place("header"));
        let written = block.text("hmac_sha256")?;
        let name = written.strip_prefix("secret:").unwrap_or_default();
        let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if let Some(span) = key
            && (name.is_empty() || !name.bytes().all(sound))
        {
            // What stands there may be the secret itself: it is not repeated.
            self.error_help(
                span,
                "`hmac_sha256` must name a secret",
                "write hmac_sha256: \"secret:NAME\", and the secret itself under [secrets] of the configuration",
            );
            return None;
        }
        if let Some(span) = key {
            let span = self.locate(span, name);
            self.name(span, Names::Secrets, name);
        }
        let text = block.text("header")?;
        if let Some(span) = header
            && !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            self.error_help(
                span,
                format!("`{}` is not the name of a header", short(&text)),
                "for example: X-Signature",
            );
            return None;
        }
        Some(Verify {
            hmac_sha256: name.to_owned(),
            header: text,
        })
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
        status: words(record, "status"),
    }
}

fn text_filter(record: &mut Record) -> TextFilter {
    TextFilter {
        to_agent: record.text("to_agent"),
        from: record.texts("from"),
        matches: record.pattern("matches"),
        fold: record.number("fold"),
    }
}

fn status_filter(record: &mut Record) -> StatusFilter {
    StatusFilter {
        status: words(record, "status"),
    }
}

fn lead_filter(record: &mut Record) -> LeadFilter {
    LeadFilter {
        changed: record.texts("changed"),
    }
}

/// A list of fixed words.
fn words(record: &mut Record, key: &str) -> Vec<String> {
    let items = record.list(key).unwrap_or_default().into_iter();
    items
        .filter_map(|item| match item {
            Datum::Choice(word) => Some(word.to_owned()),
            _ => None,
        })
        .collect()
}
