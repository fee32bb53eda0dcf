//! How fast a workflow texts, when it stops by itself, and what it belongs to.

use serde::{Deserialize, Serialize};

use super::Definition;
use crate::workflow::slug;

/// How fast the texts of a workflow may leave, beyond what providers allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// From any one of our numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_number: Option<Times>,
    /// From all of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Times>,
    /// Whether a day's total is spread over the day; none lets it go as fast as it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
}

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// How many; at least one.
    pub count: u32,
    /// In which time.
    pub per: Per,
}

/// A time in which something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Per {
    /// A second.
    #[serde(rename = "s")]
    Second,
    /// A minute.
    #[serde(rename = "min")]
    Minute,
    /// An hour.
    #[serde(rename = "hour")]
    Hour,
    /// A day of the calendar.
    #[serde(rename = "day")]
    Day,
}

/// How a day's total is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Evenly over the hours in which its texts may leave.
    Even,
}

/// When a campaign pauses itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Of the people who were texted: those who opted out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out_rate: Option<TooMany>,
    /// Of the texts whose outcome is known: those that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<TooMany>,
    /// The person who is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
}

/// More than a share of the last so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooMany {
    /// The share in hundredths of a percent: 200 is 2 %.
    pub above: u32,
    /// Of how many.
    pub last: u32,
}

impl TooMany {
    /// Whether so many are too many, however the rest of them turn out.
    pub fn holds(self, bad: u64) -> bool {
        bad.saturating_mul(10_000) > u64::from(self.above).saturating_mul(u64::from(self.last))
    }

    /// The share as an author writes it.
    pub fn percent(self) -> String {
        match (self.above / 100, self.above % 100) {
            (whole, 0) => format!("{whole}%"),
            (whole, rest) => {
                let rest = format!("{rest:02}");
                format!("{whole}.{}%", rest.trim_end_matches('0'))
            }
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per = match self.per {
            Per::Second => "a second",
            Per::Minute => "a minute",
            Per::Hour => "an hour",
            Per::Day => "a day",
        };
        write!(f, "{} {per}", self.count)
    }
}

impl Definition {
    /// The id of the campaign that its runs and texts belong to, which is the slug of
    /// the name. A file with a rate or a breaker and no `campaign` is a campaign of its
    /// own, under the workflow's id; one without any of the three belongs to none.
    pub fn campaign_id(&self) -> Option<String> {
        match &self.campaign {
            Some(name) => Some(slug(name)),
            None if self.rate.is_some() || self.breaker.is_some() => Some(self.id.clone()),
            None => None,
        }
    }
}
