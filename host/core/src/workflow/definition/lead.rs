//! Actions about the contact: what is known of them, and whether they are texted.

use serde::{Deserialize, Serialize};

use crate::workflow::expression::{Template, Value};

/// Changes what is known of the contact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Fields and values, in the file's order; null removes a field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, Value)>,
    /// Tags that are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<Template>,
    /// Tags that are taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untag: Vec<Template>,
    /// A line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Value>,
}

/// Opts the contact out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptOut {
    /// What confirms it: true for the words that answer a STOP, or other words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
}
