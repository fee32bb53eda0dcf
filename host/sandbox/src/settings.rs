//! Whether a connection's settings fit what its plugin says it needs.

use std::collections::BTreeMap;
use std::fmt;

use crate::bindings::contract::connector::{Description, Kind};

/// One thing wrong with a connection's settings. The message names the setting
/// and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A required setting was not given.
    #[error("setting `{name}` is missing: {help}")]
    Missing {
        /// The setting.
        name: String,
        /// What the plugin says it is.
        help: String,
    },
    /// The plugin knows no such setting.
    #[error("there is no setting `{name}`{}", DidYouMean(suggestion.as_deref(), known))]
    Unknown {
        /// What was given.
        name: String,
        /// The known setting that is spelled most like it.
        suggestion: Option<String>,
        /// Every setting the plugin knows.
        known: Vec<String>,
    },
    /// A plain value is not of the setting's kind. Secrets are not looked at.
    #[error("setting `{name}` must be {wanted}")]
    Unfit {
        /// The setting.
        name: String,
        /// The kind that is wanted, in words.
        wanted: &'static str,
    },
}

struct DidYouMean<'a>(Option<&'a str>, &'a [String]);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(name), _) => write!(f, "; did you mean `{name}`?"),
            (None, []) => f.write_str("; this plugin has none"),
            (None, known) => write!(f, "; there are: {}", known.join(", ")),
        }
    }
}

impl Description {
    /// Compares the given settings with those the plugin knows. `given` holds
    /// plain values, and `None` for a secret, which is not looked at. Problems
    /// come in the order: missing, then as given.
    pub fn check(&self, given: &BTreeMap<String, Option<String>>) -> Vec<Problem> {
        let missing = self
            .settings
            .iter()
            .filter(|setting| setting.required && !given.contains_key(&setting.name))
            .map(|setting| Problem::Missing {
                name: setting.name.clone(),
                help: setting.help.clone(),
            });
        let wrong = given.iter().filter_map(|(name, value)| {
            let Some(setting) = self.settings.iter().find(|known| known.name == *name) else {
                return Some(self.unknown(name));
            };
            let wanted = unfit(setting.kind, value.as_deref()?)?;
            Some(Problem::Unfit {
                name: name.clone(),
                wanted,
            })
        });
        missing.chain(wrong).collect()
    }

    /// True when the plugin calls this setting a secret, so that the host must
    /// wrap it before it goes anywhere.
    pub fn is_secret(&self, name: &str) -> bool {
        self.settings
            .iter()
            .any(|setting| setting.name == name && setting.kind == Kind::Secret)
    }

    fn unknown(&self, name: &str) -> Problem {
        let known: Vec<String> = self.settings.iter().map(|s| s.name.clone()).collect();
        let suggestion = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, candidate)| candidate.clone());
        Problem::Unknown {
            name: name.to_owned(),
            suggestion,
            known,
        }
    }
}

/// What the value should have been, when it is not.
fn unfit(kind: Kind, value: &str) -> Option<&'static str> {
    match kind {
        Kind::Text | Kind::Secret => None,
        Kind::Number => value.parse::<f64>().err().map(|_| "a number"),
        Kind::Address => {
            let fits = ["https://", "http://"].iter().any(|scheme| {
                value
                    .strip_prefix(scheme)
                    .is_some_and(|rest| !rest.is_empty())
            });
            (!fits).then_some("an address that begins with https:// or http://")
        }
        Kind::Phone => {
            let digits = value.strip_prefix('+').unwrap_or_default();
            let fits =
                (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            (!fits).then_some("a phone number like +15551234567")
        }
    }
}
