//! What a manual start brings along, held against what the file wants.

use serde_json::{Map, Value as Json};

use super::{InputKind, Manual};
use crate::sms;

/// What is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadInput {
    /// Where: `input.name`.
    pub path: String,
    /// A word: `required`, `invalid_type`, `invalid_number`, `unknown_field`.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
}

impl Manual {
    /// The inputs as expressions see them: all that must be there, of the right
    /// kind, and no others.
    ///
    /// # Errors
    /// The first input that does not fit.
    pub fn check(&self, mut given: Map<String, Json>) -> Result<Map<String, Json>, BadInput> {
        let mut input = Map::new();
        for (name, kind) in &self.input {
            let path = format!("input.{name}");
            let value = match given.remove(name).filter(|value| !value.is_null()) {
                Some(value) => value,
                None if kind.optional => continue,
                None => {
                    let text = format!("`{path}` is missing");
                    return Err(bad(path, "required", text));
                }
            };
            let wanted = match (kind.kind, &value) {
                (InputKind::Any, _)
                | (InputKind::String, Json::String(_))
                | (InputKind::Number, Json::Number(_))
                | (InputKind::Boolean, Json::Bool(_)) => None,
                (InputKind::Phone, Json::String(text)) => {
                    let number = sms::phone::e164(text, None).map_err(|problem| {
                        let text = format!("`{path}`: {problem}");
                        bad(path, "invalid_number", text)
                    })?;
                    input.insert(name.clone(), Json::String(number));
                    continue;
                }
                (InputKind::String | InputKind::Phone, _) => Some("text"),
                (InputKind::Number, _) => Some("a number"),
                (InputKind::Boolean, _) => Some("true or false"),
            };
            if let Some(wanted) = wanted {
                let text = format!("`{path}` must be {wanted}, and it is {}", what(&value));
                return Err(bad(path, "invalid_type", text));
            }
            input.insert(name.clone(), value);
        }
        if let Some(name) = given.keys().next() {
            let text = format!("the workflow has no input {name:?}");
            return Err(bad(format!("input.{name}"), "unknown_field", text));
        }
        Ok(input)
    }
}

fn bad(path: String, code: &'static str, text: String) -> BadInput {
    BadInput { path, code, text }
}

/// What a value is, in words.
pub fn what(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
