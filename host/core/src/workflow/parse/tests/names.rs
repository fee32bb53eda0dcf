//! Names of the configuration in a file, and where they would have to be; and words
//! that are taken though they do not do all yet.

use std::collections::BTreeSet;

use super::super::super::Known;
use super::{clinic, messages, sound};

const FILE: &str = "name: a
on:
  webhook:
    path: calendar
    verify: { hmac_sha256: \"secret:CALENDAR_SECRET\", header: X-Signature }
contact: ${{ event.body.phone }}
steps:
  - classify: { text: a, labels: [b, c], model: small }
  - compose: { prompt: hi, tools: [free_slots, book_slot], model: default }
  - extract: { text: a, fields: { b: string }, model: small }
  - http:
      url: https://example.com/a
      headers: { Authorization: \"Bearer secret:CRM\", X-Who: \"secret:CRM {{ contact.phone }}\" }
";

fn changed(from: &str, to: &str) -> String {
    let source = FILE.replacen(from, to, 1);
    assert_ne!(source, FILE);
    messages(&source, &clinic())
}

#[test]
fn what_is_named_is_there() {
    drop(sound(FILE));
}

#[test]
fn what_is_not_there_is_told_by_its_place() {
    let told = [
        changed("secret:CALENDAR_SECRET", "secret:CALENDER_SECRET"),
        changed("model: small", "model: smal"),
        changed("[free_slots", "[weather"),
        changed("secret:CRM {{", "secret:BILLING {{"),
    ];
    snapshot!(told.join("\n\n"));
}

#[test]
fn a_configuration_without_any_says_where_they_go() {
    let none = || Some(BTreeSet::new());
    let known = Known {
        secrets: none(),
        models: none(),
        tools: none(),
        ..clinic()
    };
    let told = messages(FILE, &known);
    for (name, section) in [
        ("secret `CALENDAR_SECRET`", "[secrets]"),
        ("secret `CRM`", "[secrets]"),
        ("model `small`", "[models.NAME]"),
        ("tool `book_slot`", "[tools.NAME]"),
    ] {
        let start = told.find(name).unwrap_or_else(|| panic!("{name}: {told}"));
        let help = format!("help: the configuration names none; add it under {section}");
        let next = told[start..].find("help:").unwrap();
        assert!(told[start + next..].starts_with(&help), "{name}: {told}");
    }
}

#[test]
fn without_a_configuration_they_are_warnings() {
    let told = messages(FILE, &Known::default());
    assert!(!told.contains("error"), "{told}");
    assert!(
        told.contains("cannot tell whether there is a secret `CRM`: no configuration is loaded"),
        "{told}"
    );
}

#[test]
fn tracked_links_are_sent_as_they_are() {
    let source = "name: a\non: call.missed\nvars: { url: https://example.com/r }\nsteps:\n  - send: \"Here: {{ vars.url | tracked }}\"\n  - send: \"{{ lead.email | tracked }}\"\n";
    let told = messages(source, &clinic());
    snapshot!(told);
    let template = crate::workflow::expression::Template::new("{{ vars.url | tracked }}").unwrap();
    let mut scope = crate::workflow::expression::Scope::new(
        jiff::Timestamp::UNIX_EPOCH,
        std::sync::Arc::new(crate::workflow::expression::NoServices),
    );
    scope.set(
        "vars",
        serde_json::json!({ "url": "https://example.com/r" }),
    );
    assert_eq!(template.render(&scope).unwrap(), "https://example.com/r");
}

/// The example of the format loads, with nothing but that word's warning.
#[test]
fn a_file_with_all_of_it_loads() {
    let source = "name: Review request
on: { lead.updated: { changed: job_status, where: lead.job_status == \"completed\" } }
contact: ${{ lead.phone }}
intent: marketing
steps:
  - if: convo.last_sentiment == \"negative\" or lead.open_complaint
    stop: { reason: unhappy_customer }
  - send: { agent: front-desk, body: \"Would you share it here? {{ vars.review_url | tracked }}\" }
vars: { review_url: https://example.com/review }
";
    let told = messages(source, &clinic());
    assert_eq!(told.matches(": warning: ").count(), 1, "{told}");
    assert!(!told.contains("error"), "{told}");
}
