//! What happened, for the person who reads a failure.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

/// How many of the last happenings are kept.
const KEPT: usize = 30;

/// The last happenings, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    lines: VecDeque<String>,
}

impl Story {
    pub(super) fn tell(&mut self, now: Timestamp, line: &str) {
        if self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{now:.3}  {line}"));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// After how many events.
    pub events: u64,
    /// Which invariant, and the record.
    pub what: String,
    /// The last happenings, oldest first.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} after {} events: {}",
            self.seed, self.events, self.what
        )?;
        for line in &self.story {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
