//! The JSON Schema of `ringback.toml`, for editors. The reader decides; a test
//! keeps the two together.

use serde_json::{Value as Json, json};

/// The JSON Schema (2020-12) of the file.
pub(crate) fn schema() -> Json {
    let text = || json!({ "type": "string" });
    let flag = || json!({ "type": "boolean" });
    let phone = || json!({ "type": "string", "pattern": "^\\+[0-9 ().-]{8,}$" });
    let duration = || json!({ "type": "string", "pattern": "^[0-9]+ ?[smhdw]$" });
    let secret = || {
        json!({ "oneOf": [
            object(&json!({ "env": text() }), &["env"]),
            object(&json!({ "file": text() }), &["file"]),
        ] })
    };
    let named = |entry: Json| json!({ "type": "object", "additionalProperties": entry });
    let list = |entry: Json| json!({ "type": "array", "items": entry });
    let calls = json!({ "oneOf": [
        { "const": "missed" },
        object(&json!({ "forward_to": phone(), "ring_for": duration() }), &["forward_to"]),
    ] });
    let voice = json!({ "oneOf": [
        object(&json!({ "say": text() }), &["say"]),
        object(&json!({ "url": text() }), &["url"]),
        object(&json!({ "agent": text() }), &["agent"]),
    ] });
    let hours = json!({
        "type": "object",
        "properties": { "zone": text(), "closed": list(json!({})) },
        "additionalProperties": text(),
    });
    let connection = json!({
        "type": "object",
        "properties": {
            "connector": text(),
            "settle": duration(),
            "handles_opt_out": flag(),
            "sender_pool": flag(),
            "segments_per_second": { "type": "number", "minimum": 0.01, "maximum": 1000 },
        },
        "required": ["connector"],
        "additionalProperties": {
            "oneOf": [{ "type": ["string", "number", "boolean"] }, secret()]
        },
    });
    let agent = object(
        &json!({
            "id": text(),
            "name": text(),
            "numbers": list(phone()),
            "connection": text(),
            "calls": calls,
            "voice": voice,
            "inbound": { "enum": ["off"] },
        }),
        &[],
    );
    let limits = json!({
        "duplicates": duration(),
        "countries": list(json!({ "type": "string", "pattern": "^[A-Za-z]{2}$" })),
        "quiet_hours": flag(),
        "attempts": { "type": "integer", "minimum": 1, "maximum": 50 },
    });
    let kept = || json!({ "type": "string", "pattern": "^([0-9]+ ?[smhdwy]|forever)$" });
    let retention = json!({
        "finished_runs": kept(),
        "messages": kept(),
        "calls": kept(),
        "events": kept(),
        "webhooks": kept(),
        "repeats": kept(),
    });
    let server = json!({ "listen": text(), "public_url": text(), "api_keys": list(secret()) });
    let store = json!({
        "url": { "type": "string", "pattern": "^sled:." },
        "reserve": { "type": "string", "pattern": "^[0-9]+ ?(KiB|MiB|GiB)$" },
    });
    let mut schema = object(
        &json!({
            "server": object(&server, &[]),
            "store": object(&store, &[]),
            "paths": object(&json!({ "workflows": text(), "plugins": text() }), &[]),
            "business": object(&json!({ "name": text(), "zone": text() }), &[]),
            "hours": named(hours),
            "people": named(object(&json!({ "phone": phone() }), &["phone"])),
            "templates": named(text()),
            "limits": object(&limits, &[]),
            "retention": object(&retention, &[]),
            "secrets": named(secret()),
            "http": object(&json!({ "hosts": list(json!({ "type": "string", "pattern": "^https?://" })) }), &[]),
            "models": named(object(
                &json!({
                    "connector": { "const": "scripted" },
                    "answers": list(text()),
                    "facts": { "type": "object", "additionalProperties": text() },
                }),
                &["connector"],
            )),
            "connections": named(connection),
            "agents": named(agent),
        }),
        &[],
    );
    if let Some(schema) = schema.as_object_mut() {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        schema.insert("$schema".to_owned(), draft.into());
        schema.insert("title".to_owned(), "ringback.toml".into());
    }
    schema
}

/// A table with these keys and no other.
fn object(properties: &Json, required: &[&str]) -> Json {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
