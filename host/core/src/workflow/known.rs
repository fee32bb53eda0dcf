//! What the configuration tells the language: which names there are, and how
//! numbers, cron lines and zones are read. Holds no secrets and reads nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::language::Names;

/// Reading of what the language does not own.
pub trait Checks: Send + Sync {
    /// A phone number in E.164.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as half a sentence.
    fn phone(&self, text: &str) -> Result<String, String>;

    /// A cron line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as half a sentence.
    fn cron(&self, text: &str) -> Result<(), String>;

    /// An IANA time zone.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as half a sentence.
    fn zone(&self, text: &str) -> Result<(), String> {
        jiff::tz::TimeZone::get(text)
            .map(drop)
            .map_err(|_| "it is not a time zone; write one like America/Chicago".to_owned())
    }
}

/// Checks of the outer shape alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShapeChecks;

impl Checks for ShapeChecks {
    fn phone(&self, text: &str) -> Result<String, String> {
        let number: String = text.chars().filter(|c| !" -().".contains(*c)).collect();
        let digits = number.strip_prefix('+').unwrap_or_default();
        let sound = (8..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if sound {
            return Ok(number);
        }
        Err("write it with its country code: \"+15125550100\"".to_owned())
    }

    fn cron(&self, text: &str) -> Result<(), String> {
        match text.split_whitespace().count() {
            5 | 6 => Ok(()),
            fields => Err(format!(
                "it has {fields} fields; write five (minute hour day month weekday), or six with seconds in front"
            )),
        }
    }
}

/// The names of the configuration. None means that they cannot be known here:
/// every such name is then a warning and not an error.
#[derive(Clone)]
pub struct Known {
    /// `[agents.…]`
    pub agents: Option<BTreeSet<String>>,
    /// `[hours.…]`
    pub hours: Option<BTreeSet<String>>,
    /// `[people.…]`
    pub people: Option<BTreeSet<String>>,
    /// `[templates]`
    pub templates: Option<BTreeSet<String>>,
    /// `[secrets]`
    pub secrets: Option<BTreeSet<String>>,
    /// `[models.…]`
    pub models: Option<BTreeSet<String>>,
    /// `[tools.…]`
    pub tools: Option<BTreeSet<String>>,
    /// Reading of numbers, cron lines and zones.
    pub checks: Arc<dyn Checks>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            agents: None,
            hours: None,
            people: None,
            templates: None,
            secrets: None,
            models: None,
            tools: None,
            checks: Arc::new(ShapeChecks),
        }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("agents", &self.agents)
            .field("hours", &self.hours)
            .field("people", &self.people)
            .field("templates", &self.templates)
            .field("secrets", &self.secrets)
            .field("models", &self.models)
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}

/// How to speak of the names of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wording {
    /// What follows `there` when there is none of a name.
    pub(crate) no: &'static str,
    /// And when there is one.
    pub(crate) some: &'static str,
    /// Where the configuration has them.
    pub(crate) section: &'static str,
}

const fn wording(no: &'static str, some: &'static str, section: &'static str) -> Wording {
    Wording { no, some, section }
}

impl Known {
    /// The names of a kind, and how to say that there is one of them.
    pub(crate) fn names(&self, of: Names) -> (Option<&BTreeSet<String>>, Wording) {
        match of {
            Names::Agents => (
                self.agents.as_ref(),
                wording("is no agent", "is an agent", "[agents.NAME]"),
            ),
            Names::Hours => (
                self.hours.as_ref(),
                wording("are no opening hours", "are opening hours", "[hours.NAME]"),
            ),
            Names::People => (
                self.people.as_ref(),
                wording("is no person", "is a person", "[people.NAME]"),
            ),
            Names::Templates => (
                self.templates.as_ref(),
                wording("is no template", "is a template", "[templates]"),
            ),
            Names::Secrets => (
                self.secrets.as_ref(),
                wording("is no secret", "is a secret", "[secrets]"),
            ),
            Names::Models => (
                self.models.as_ref(),
                wording("is no model", "is a model", "[models.NAME]"),
            ),
            Names::Tools => (
                self.tools.as_ref(),
                wording("is no tool", "is a tool", "[tools.NAME]"),
            ),
        }
    }
}

/// The likeliest of some words for one that is not among them.
pub(crate) fn nearest<'w>(word: &str, among: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // A hostile file must not buy a quadratic comparison.
    if word.len() > 60 {
        return None;
    }
    let lower = word.to_lowercase().replace('-', "_");
    let mut best: Option<(usize, &str)> = None;
    for candidate in among {
        let distance =
            strsim::damerau_levenshtein(&lower, &candidate.to_lowercase().replace('-', "_"));
        let allowed = (candidate.len().max(word.len()) / 3).max(1);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}
