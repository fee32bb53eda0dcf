//! Twilio's own OpenAPI description, for the forms that the host sends: names,
//! kinds, patterns, and what must be there.

use regex::Regex;
use serde_json::Value;

use super::{Asked, shared};

/// Where the description is in the shared data.
const PATH: &str = "data/specs/twilio/twilio_api_v2010.strict.json";
/// A path of a collection in it.
const COLLECTION: &str = "/2010-04-01/Accounts/{AccountSid}/";

/// The description.
pub(crate) struct Specs(Value);

impl Specs {
    /// Reads it, where it is.
    pub(crate) fn load() -> Option<Self> {
        let text = shared(PATH)?;
        Some(Self(serde_json::from_str(&text).expect("JSON")))
    }

    /// What is wrong with a request that creates something; nothing when it fits.
    pub(crate) fn problems(&self, asked: &Asked) -> Vec<String> {
        let Some((_, resource)) = asked.target.rsplit_once('/') else {
            return vec![format!("{} is no resource", asked.target)];
        };
        let kind = "application/x-www-form-urlencoded";
        let post = &self.0["paths"][format!("{COLLECTION}{resource}")]["post"];
        let schema = &post["requestBody"]["content"][kind]["schema"];
        if !schema.is_object() {
            return vec![format!("{resource} is not in the description")];
        }
        let sent = asked
            .headers
            .iter()
            .any(|(name, value)| name == "content-type" && value == kind);
        let mut problems = Vec::new();
        if !sent {
            problems.push(format!("the content type is not {kind}"));
        }
        let form = asked.form();
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !form.iter().any(|(one, _)| one == name) {
                problems.push(format!("{name} is missing"));
            }
        }
        for (name, value) in &form {
            let property = self.follow(&schema["properties"][name]);
            if !property.is_object() {
                problems.push(format!("{name} is not known"));
                continue;
            }
            let list = property["type"] == "array";
            if !list && form.iter().filter(|(one, _)| one == name).count() > 1 {
                problems.push(format!("{name} is no list and there twice"));
            }
            let one = if list {
                self.follow(&property["items"])
            } else {
                property
            };
            problems.extend(mismatch(one, value).map(|why| format!("{name} = {value:?} {why}")));
        }
        problems
    }

    fn follow<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'))
        {
            Some(path) => self.0.pointer(path).unwrap_or(&Value::Null),
            None => schema,
        }
    }
}

/// Why a value does not fit a schema.
fn mismatch(schema: &Value, value: &str) -> Option<String> {
    let kind = schema["type"].as_str().unwrap_or("string");
    let fits = match kind {
        "integer" => value.parse::<i64>().is_ok(),
        "number" => value.parse::<f64>().is_ok(),
        "boolean" => matches!(value, "true" | "false"),
        _ => true,
    };
    if !fits {
        return Some(format!("is no {kind}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.iter().any(|one| one == value)
    {
        return Some(format!("is none of {allowed:?}"));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !Regex::new(pattern).expect("a pattern").is_match(value)
    {
        return Some(format!("does not match {pattern}"));
    }
    let length = u64::try_from(value.chars().count()).expect("a length");
    let bounds = |name: &str| schema[name].as_u64();
    if bounds("minLength").is_some_and(|least| length < least)
        || bounds("maxLength").is_some_and(|most| length > most)
    {
        return Some("has the wrong length".to_owned());
    }
    let e164 = r"^\+[1-9]\d{1,14}$";
    let fits = match schema["format"].as_str() {
        // Twilio's own words. Underscores in a host name are not taken either.
        Some("uri") => reqwest::Url::parse(value)
            .is_ok_and(|url| url.host_str().is_some_and(|host| !host.contains('_'))),
        Some("phone-number" | "endpoint") => Regex::new(e164).expect("a pattern").is_match(value),
        Some("twiml") => value.starts_with("<?xml") && value.ends_with("</Response>"),
        _ => true,
    };
    (!fits).then(|| format!("is no {}", schema["format"]))
}
