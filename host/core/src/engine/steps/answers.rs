//! What models answer, held against what the file wants: one of its labels, things
//! of its types.

use serde_json::{Map, Value as Json, json};

use crate::sms;
use crate::workflow::{Classify, Extract, FieldKind, FieldType};

/// What a model said of a text, when it is one of the labels.
pub(super) fn label(classify: &Classify, answer: &Json) -> std::result::Result<Json, String> {
    let said = answer
        .get("label")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let same = |label: &&String| label.eq_ignore_ascii_case(said.trim());
    match classify.labels.iter().find(same) {
        Some(label) => Ok(json!({
            "label": label,
            "confidence": answer.get("confidence").filter(|one| one.is_number()),
        })),
        None => {
            let said: String = said.chars().take(80).collect();
            Err(format!(
                "the model answered {said:?}, which is none of the labels"
            ))
        }
    }
}

/// What a model read out of a text, each of its type.
pub(super) fn facts(extract: &Extract, answer: &Json) -> std::result::Result<Json, String> {
    let mut facts = Map::new();
    for (name, kind) in &extract.fields {
        let found = answer.get(name).cloned().unwrap_or_default();
        facts.insert(name.clone(), typed(name, *kind, found)?);
    }
    Ok(Json::Object(facts))
}

fn typed(name: &str, kind: FieldType, found: Json) -> std::result::Result<Json, String> {
    if kind.list {
        let all = match found {
            Json::Null => Vec::new(),
            Json::Array(all) => all,
            one => vec![one],
        };
        let single = FieldType {
            list: false,
            optional: false,
            ..kind
        };
        let read: std::result::Result<Vec<Json>, String> = all
            .into_iter()
            .map(|one| typed(name, single, one))
            .collect();
        return read.map(Json::Array);
    }
    let empty = matches!(&found, Json::String(text) if text.trim().is_empty());
    if found.is_null() || empty {
        return match kind.optional {
            true => Ok(Json::Null),
            false => Err(format!("the model found no `{name}`")),
        };
    }
    let wrong = |found: &Json| {
        let found: String = found.to_string().chars().take(80).collect();
        let word = kind.kind.word();
        Err(format!(
            "the model found {found} for `{name}`, which is no {word}"
        ))
    };
    let text = found.as_str().map(str::trim);
    match (kind.kind, text) {
        (FieldKind::String, Some(text)) => Ok(json!(text)),
        (FieldKind::String, None) => Ok(json!(found.to_string())),
        (FieldKind::Number, None) if found.is_number() => Ok(found),
        (FieldKind::Number, Some(text)) => match text.parse::<serde_json::Number>() {
            Ok(number) => Ok(Json::Number(number)),
            Err(_) => wrong(&found),
        },
        (FieldKind::Boolean, None) if found.is_boolean() => Ok(found),
        (FieldKind::Boolean, Some("true")) => Ok(json!(true)),
        (FieldKind::Boolean, Some("false")) => Ok(json!(false)),
        (FieldKind::Datetime, Some(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(json!(at)),
            Err(_) => wrong(&found),
        },
        (FieldKind::Date, Some(text)) => match text.parse::<jiff::civil::Date>() {
            Ok(date) => Ok(json!(date)),
            Err(_) => wrong(&found),
        },
        (FieldKind::Phone, Some(text)) => match sms::phone::e164(text, None) {
            Ok(number) => Ok(json!(number)),
            Err(_) => wrong(&found),
        },
        _ => wrong(&found),
    }
}
