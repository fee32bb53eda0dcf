//! Waiting for a time, and for something to happen.

use super::super::super::definition::{Awaited, On, TextFilter, Wait, WaitFor};
use super::super::super::duration::LONGEST;
use super::super::reader::{Reader, Record};
use super::super::values::Datum;
use super::Place;

impl Reader<'_> {
    pub(super) fn wait(&mut self, record: &mut Record, at: Place) -> Option<Wait> {
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

pub(super) fn wait_for(record: &mut Record, word: &str, beside: Option<u64>) -> Option<WaitFor> {
    match record.take(word) {
        Some(Datum::Events(events, timeout)) => Some(WaitFor {
            events,
            timeout: timeout.or(beside),
        }),
        Some(_) => None,
        None => Some(WaitFor {
            events: vec![Awaited::from(On::MessageReceived(TextFilter::default()))],
            timeout: beside,
        }),
    }
}
