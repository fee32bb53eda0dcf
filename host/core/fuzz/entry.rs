//! What is done with a text that somebody else wrote, for the fuzz targets and for the
//! tests of every day alike. Each returns or fails loudly; nothing is expected of the text.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ringback_core::engine::{OpeningHours, Reading};
use ringback_core::schedule::Cron;
use ringback_core::workflow::expression::{Expression, MAX_OUTPUT, Pattern, Scope, Template};
use ringback_core::workflow::{Definition, Known, hash, id_of_broken, parse};
use serde_json::json;

/// The loader: a whole file.
pub(crate) fn workflow(text: &str) {
    let known = Known {
        checks: Arc::new(Reading),
        ..Known::default()
    };
    let parsed = parse(text, "fuzz.yaml", &known);
    // As YAML counts lines.
    let lines = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .lines()
        .count()
        + 1;
    let errors = parsed.result.as_ref().err().into_iter().flatten();
    for told in errors.chain(&parsed.warnings) {
        assert!(told.column >= 1 && told.length >= 1);
        assert!(
            (1..=lines).contains(&told.line),
            "line {} of {lines}",
            told.line
        );
        assert!(!told.render().is_empty());
    }
    drop(id_of_broken(text));
    match parsed.result {
        Err(errors) => assert!(!errors.is_empty(), "a refusal says why"),
        Ok(workflow) => {
            // What is stored is read again as it was.
            let stored = serde_json::to_string(&workflow.definition).unwrap();
            let read: Definition = serde_json::from_str(&stored).unwrap();
            assert_eq!(hash(&read), workflow.hash, "{stored}");
            assert_eq!(workflow.positions.len(), workflow.definition.steps.len());
        }
    }
}

/// Expressions, templates and patterns.
pub(crate) fn template(text: &str) {
    let scope = scope();
    if let Ok(expression) = Expression::new(text) {
        drop(expression.truthy(&scope));
        drop(expression.eval(&scope));
    }
    if let Ok(template) = Template::new(text)
        && let Ok(made) = template.render(&scope)
    {
        assert!(made.len() <= MAX_OUTPUT);
    }
    if let Ok(pattern) = Pattern::new(text) {
        let _ = pattern.find("I paid 12.50 on 2026-03-08, thanks!");
    }
}

/// Cron lines, durations, times of day, times, and how far away they are.
pub(crate) fn times(text: &str) {
    let quoted = serde_json::to_string(text).unwrap();
    if let Ok(cron) = Cron::parse(text) {
        for name in ["America/New_York", "Australia/Lord_Howe", "UTC"] {
            let zone = TimeZone::get(name).unwrap();
            let mut at: Timestamp = "2027-03-13T12:00:00Z".parse().unwrap();
            for _ in 0..20 {
                let Some(firing) = cron.next_after(at, &zone) else {
                    break;
                };
                assert!(firing.at > at, "{text} in {name}");
                at = firing.at;
            }
        }
    }
    let scope = scope();
    let said = [
        format!("now() | plus({quoted})"),
        format!("ago({quoted})"),
        format!("event.at is due_in({quoted}, '1d')"),
        format!("event.at is due_in('1m', {quoted})"),
        format!("{quoted} | when"),
        format!("{quoted} | local('Asia/Kolkata') | date"),
        format!("{quoted} > now()"),
    ];
    for source in said {
        if let Ok(expression) = Expression::new(&source) {
            drop(expression.eval(&scope));
        }
    }
    workflow(&format!(
        "name: a\non:\n  schedule: {{ cron: {quoted}, zone: {quoted} }}\ncontact: \"+15125550100\"\n\
         window: {{ between: {quoted} }}\nsteps:\n  - wait: {quoted}\n  - wait: {{ at: {quoted} }}\n\
         \x20 - wait: {{ until: {quoted}, window: {quoted} }}\n"
    ));
}

fn scope() -> Scope {
    let now = "2026-03-08T02:30:00Z".parse().unwrap();
    let mut scope = Scope::new(now, Arc::new(OpeningHours::default()));
    scope
        .business_zone(TimeZone::get("America/Chicago").unwrap())
        .set("contact", json!({ "phone": "+13125550123", "opted_out": false }))
        .set("lead", json!({ "first_name": "Sam", "tags": ["a", "b"], "last_contact_at": "2025-12-24T15:00:00Z" }))
        .set("event", json!({ "text": "{{ 7 * 7 }} 5 great", "n": 3, "at": "2026-03-08T15:00:00Z" }));
    scope
}
