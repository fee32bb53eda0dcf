//! The JSON Schema of a workflow file, for editors. Made from the same tables as
//! the reader, so the two cannot disagree.

use serde_json::{Map, Value as Json, json};

use super::language::{ACTIONS, CASE, FILE, Form, Key, Kind, Long, STEP, TRIGGERS};

/// The schema (draft 2020-12) of a workflow file of this version.
pub fn schema() -> Json {
    let mut schema = block(FILE);
    if let Some(map) = schema.as_object_mut() {
        map.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        map.insert("title".to_owned(), json!("ringback workflow"));
        map.insert("$defs".to_owned(), json!({ "step": step() }));
    }
    schema
}

/// The name of the schema's file, beside the workflow files that ship.
pub const SCHEMA_FILE: &str = "workflow.schema.json";

fn block(keys: &[Key]) -> Json {
    let available = || keys.iter().filter(|key| !key.is_later());
    let properties: Map<_, _> = available()
        .map(|key| (key.name.to_owned(), described(key)))
        .collect();
    let required: Vec<_> = available()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let (Some(map), false) = (schema.as_object_mut(), required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    schema
}

fn described(key: &Key) -> Json {
    let mut schema = kind(&key.kind);
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(key.about));
    }
    schema
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Text | Kind::Template | Kind::Pattern | Kind::Name(_) | Kind::Cron | Kind::Zone => {
            json!({ "type": "string" })
        }
        Kind::Value | Kind::Constants | Kind::Later => json!({}),
        Kind::Yes => json!({ "const": true }),
        Kind::PhoneValue => json!({ "type": "string" }),
        Kind::Condition => json!({ "type": ["string", "boolean"] }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]+ ?[smhdw]$" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Times => json!({ "type": "string", "pattern": "^[0-9]+ ?/ ?(s|min|hour|day)$" }),
        Kind::TooMany => {
            json!({ "type": "string", "pattern": "^> ?[0-9]+(\\.[0-9]{1,2})? ?% of last [0-9]+$" })
        }
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Phone => json!({ "type": "string", "pattern": "^\\+" }),
        Kind::TimeOfDay => json!({ "type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$" }),
        Kind::DayWindow => {
            json!({ "type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}$" })
        }
        Kind::InputType => {
            json!({ "type": "string", "pattern": "^(string|number|boolean|phone|any)\\??$" })
        }
        Kind::List(item) => {
            let item = self::kind(item);
            json!({ "anyOf": [item, { "type": "array", "items": item }] })
        }
        Kind::Map(item) => json!({ "type": "object", "additionalProperties": self::kind(item) }),
        Kind::Block(keys) => block(keys),
        Kind::Triggers => triggers(),
        Kind::Events => events(),
        Kind::Tests => json!({ "type": "array", "items": block(CASE) }),
        Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::CountOrText => json!({ "type": ["integer", "string"] }),
        Kind::Short(short, keys) => json!({ "anyOf": [self::kind(short), block(keys)] }),
        Kind::Steps => {
            json!({ "type": "array", "minItems": 1, "maxItems": super::MAX_STEPS, "items": step_reference() })
        }
        Kind::Branches => json!({
            "type": "array",
            "minItems": 2,
            "items": { "type": "array", "items": step_reference() },
        }),
        Kind::Cases => json!({
            "type": "object",
            "required": ["on"],
            "minProperties": 2,
            "properties": { "on": {} },
            "additionalProperties": { "type": "array", "items": step_reference() },
        }),
        Kind::Weights => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": self::kind(&Kind::Count),
        }),
        Kind::Fields => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "string",
                "pattern": "^(list\\[)?(string|number|boolean|datetime|date|phone)\\]?\\??$",
            },
        }),
        Kind::OnError => json!({
            "anyOf": [
                { "enum": ["fail", "continue"] },
                { "type": "array", "items": step_reference() },
            ],
        }),
    }
}

fn step_reference() -> Json {
    json!({ "$ref": "#/$defs/step" })
}

fn triggers() -> Json {
    let available = || {
        TRIGGERS
            .iter()
            .filter_map(|trigger| Some((trigger, trigger.keys?)))
    };
    let words: Vec<_> = available()
        .filter(|(_, keys)| keys.iter().all(|key| !key.required))
        .map(|(trigger, _)| trigger.word)
        .collect();
    let properties: Map<_, _> = available()
        .map(|(trigger, keys)| {
            let mut schema = block(keys);
            if let Some(map) = schema.as_object_mut() {
                map.insert("type".to_owned(), json!(["object", "null"]));
                map.insert("description".to_owned(), json!(trigger.about));
            }
            (trigger.word.to_owned(), schema)
        })
        .collect();
    let one = json!({ "enum": words });
    let several = json!({ "type": "object", "minProperties": 1, "additionalProperties": false, "properties": properties });
    json!({ "anyOf": [one, several, { "type": "array", "items": { "anyOf": [one, several] } }] })
}

fn events() -> Json {
    let mut properties: Map<_, _> = TRIGGERS
        .iter()
        .filter_map(|trigger| Some((trigger.word.to_owned(), block(trigger.awaited?))))
        .collect();
    properties.insert("timeout".to_owned(), kind(&Kind::Duration));
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn step() -> Json {
    let mut schema = block(STEP);
    let available = || {
        ACTIONS
            .iter()
            .filter_map(|action| Some((action, action.form.as_ref()?)))
    };
    let one: Vec<_> = available()
        .map(|(action, _)| json!({ "required": [action.word] }))
        .collect();
    if let Some(map) = schema.as_object_mut() {
        if let Some(properties) = map.get_mut("properties").and_then(Json::as_object_mut) {
            for (action, form) in available() {
                properties.insert(action.word.to_owned(), self::form(form, action.about));
            }
        }
        map.insert("oneOf".to_owned(), json!(one));
    }
    schema
}

fn form(form: &Form, about: &str) -> Json {
    let long = match &form.keys {
        Long::Block(keys) => block(keys),
        Long::Other(kind) => self::kind(kind),
    };
    let forms = match &form.short {
        Some(short) => vec![kind(&short.kind), long],
        None => vec![long],
    };
    json!({ "anyOf": forms, "description": about })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::SCHEMA_FILE;

    fn folder() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows"))
    }

    /// The schema that ships is this one.
    #[test]
    fn the_file_is_current() {
        let schema = serde_json::to_string_pretty(&super::schema()).unwrap() + "\n";
        let file = folder().join(SCHEMA_FILE);
        if std::env::var_os("RINGBACK_WRITE").is_some() {
            std::fs::write(&file, &schema).unwrap();
        }
        let shipped = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            shipped == schema,
            "workflows/{SCHEMA_FILE} is old: RINGBACK_WRITE=1 cargo test -p ringback-core --lib is_current"
        );
    }

    /// Every file that ships, or that `init` writes, names it, by a path that is there.
    #[test]
    fn the_files_name_it() {
        let init = folder().join("../host/server/src/cli/init");
        let mut seen = 0;
        for (folder, schema) in [
            (folder(), SCHEMA_FILE.to_owned()),
            (folder().join("demo"), format!("../{SCHEMA_FILE}")),
            (init, SCHEMA_FILE.to_owned()),
        ] {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|end| end != "yaml") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let first = format!("# yaml-language-server: $schema={schema}");
                assert_eq!(
                    text.lines().next(),
                    Some(first.as_str()),
                    "{}",
                    path.display()
                );
                seen += 1;
            }
        }
        assert!(seen >= 11, "only {seen} files");
    }
}
