//! Actions whose work is done outside: requests, plugins, models, notices.

use serde::{Deserialize, Serialize};

use crate::workflow::expression::{Template, Value};

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// In capitals.
    pub method: String,
    /// The address.
    pub url: Template,
    /// Names and values; `secret:NAME` in a value stands for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
    /// Sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Sent as a form: names and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// Sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// Seconds; none is 15.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Statuses that are not an error; empty means 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
}

/// A plugin's step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uses {
    /// Its name, and perhaps its version: `acme/hubspot@1`.
    pub plugin: String,
    /// What it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
}

/// A notice to a person of the business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notify {
    /// A name of `[people]`, who gets a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The words.
    pub text: Template,
    /// An address that gets them as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Template>,
}

/// Which of some labels fits a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classify {
    /// The text.
    pub text: Value,
    /// The labels.
    pub labels: Vec<String>,
    /// A name of `[models]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What a text says about some things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extract {
    /// The text.
    pub text: Value,
    /// Names and types, in the file's order.
    pub fields: Vec<(String, FieldType)>,
    /// A name of `[models]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The type of a thing that is extracted. In a file a question mark behind it says
/// that the text may not speak of it, and `list[…]` that there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldType {
    /// What each of them is.
    pub kind: FieldKind,
    /// Whether it may be missing; its value is then null.
    #[serde(default)]
    pub optional: bool,
    /// Whether there may be several.
    #[serde(default)]
    pub list: bool,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A text.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339.
    Datetime,
    /// `2026-11-30`
    Date,
    /// A phone number; becomes E.164.
    Phone,
}

impl FieldKind {
    /// The word in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Datetime => "datetime",
            Self::Date => "date",
            Self::Phone => "phone",
        }
    }
}

impl FieldType {
    /// As a file writes it: `list[string]`, `datetime?`.
    pub fn source(self) -> String {
        let word = self.kind.word();
        let mut source = match self.list {
            true => format!("list[{word}]"),
            false => word.to_owned(),
        };
        if self.optional {
            source.push('?');
        }
        source
    }

    /// Reads what a file writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, optional) = match text.strip_suffix('?') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (word, list) = match rest.strip_prefix("list[").and_then(|r| r.strip_suffix(']')) {
            Some(word) => (word, true),
            None => (rest, false),
        };
        let all = [
            FieldKind::String,
            FieldKind::Number,
            FieldKind::Boolean,
            FieldKind::Datetime,
            FieldKind::Date,
            FieldKind::Phone,
        ];
        let kind = all.into_iter().find(|kind| kind.word() == word)?;
        Some(Self {
            kind,
            optional,
            list,
        })
    }
}

/// A text by a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compose {
    /// Whose number and manners; none means the run's agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What to write; none means an answer to the contact's last text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Template>,
    /// How many of the last texts the model sees; none is 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u64>,
    /// Names of `[tools]` that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The longest text in segments; none is 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_segments: Option<u64>,
    /// What is sent when the model cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Template>,
    /// What the text must not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// What happens to a text that the guard refuses.
    #[serde(default)]
    pub on_guard_fail: OnGuardFail,
    /// Who sees the text before it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<Approve>,
    /// Set behind the model's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<Template>,
    /// A name of `[models]`; none is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A person who sees a text before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// A name of `[people]`.
    pub by: String,
    /// Seconds that they have; none waits for as long as the run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// What happens when nobody answers in that time.
    #[serde(default)]
    pub default: Unanswered,
}

/// What happens to a text that nobody approved or rejected in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// It is sent.
    Send,
    /// It is not, and the run goes on.
    #[default]
    Skip,
    /// It is not, and the step fails.
    Fail,
}

/// What a text of a model must not be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Words that must not be in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_say: Vec<String>,
    /// What it may only say when it stands in what the model was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_ground: Vec<String>,
    /// How sure the model must be, from 0 to 1; for models that say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f64>,
}

/// What happens to a text that the guard refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGuardFail {
    /// The fallback is sent, where there is one; else the step fails.
    #[default]
    Fallback,
    /// The step fails.
    Fail,
    /// Nothing is sent.
    Skip,
    /// A person takes the conversation.
    Handoff,
}

/// A call by an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Who calls; none means the run's agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Whom; none means the run's contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// What a voice agent is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Value>,
    /// Seconds of ringing; none is 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_for: Option<u64>,
    /// Whether the run waits for its end.
    #[serde(default)]
    pub wait: super::UntilWhen,
}
