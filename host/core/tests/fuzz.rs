//! The fuzz targets' functions over a small corpus and what is near it. The targets
//! themselves run for hours; see CONTRIBUTING.md.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "../fuzz/entry.rs"]
mod entry;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// Every workflow file that ships.
fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut found = Vec::new();
    for folder in [folder.clone(), folder.join("demo")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found.sort();
    found
}

const TEMPLATES: &[&str] = &[
    "Hi {{ lead.first_name | default('there') }}, {% if not in_hours('business') %}{{ next_open() | when }}{% endif %}",
    "{% for tag in lead.tags %}{{ loop.index }}{{ tag | upper }}{% else %}-{% endfor %}",
    "{{ (event.n + 1) * 2 // 3 ** 2 % 5 }} {{ event.text[1:4] ~ 'x' }}",
    "event.n > 2 and lead.score < 5 or 'a' in lead.tags and lead.x is not defined",
    "1 if event.at is due_in('12h', '13h') else {'a': [1, none, -2.5e3]}.a[0]",
    "{%- raw -%}{{ not }}{%- endraw -%}{# {{ no }} #}{{- 'a' -}}",
    r"^\s*([1-5])\b(?i:great|ok)+?$",
    "call.transcript | transcript_text | redact | tojson",
];

const TIMES: &[&str] = &[
    "*/15 0-23/2 1,15 jan-mar mon-fri",
    "30 15 2 * * 0",
    "@daily",
    "0 9 29 2 7",
    "45s",
    "10m",
    "520w",
    "2026-03-08T01:45:00-06:00",
    "10:30",
    "10:00-18:00",
    "America/New_York",
    "2026-03-08 02:30",
    "9999-12-31T23:59:59Z",
];

/// A text with pieces taken out and put in.
fn changed(text: &str, changes: Vec<(Index, usize, String)>) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, removed, put) in changes {
        let at = at.index(chars.len() + 1);
        let end = (at + removed).min(chars.len());
        chars.splice(at..end, put.chars());
    }
    chars.into_iter().collect()
}

fn changes(put: &'static str) -> impl Strategy<Value = Vec<(Index, usize, String)>> {
    prop::collection::vec((any::<Index>(), 0_usize..12, put), 1..6)
}

#[test]
fn the_corpus_itself() {
    files().iter().for_each(|text| entry::workflow(text));
    TEMPLATES.iter().for_each(|text| entry::template(text));
    TIMES.iter().for_each(|text| entry::times(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_with_changes(which in any::<Index>(), changes in changes("[a-z:\\-\\[\\]{}&*!|>'\"%#?, \\t\\r\\n.0-9$~<=+\u{0}é]{0,6}")) {
        let files = files();
        entry::workflow(&changed(&files[which.index(files.len())], changes));
    }

    #[test]
    fn templates_with_changes(which in any::<Index>(), changes in changes("[a-z_{}%#()\\[\\]|~<>=!*/+.,:'\" 0-9-]{0,6}")) {
        entry::template(&changed(TEMPLATES[which.index(TEMPLATES.len())], changes));
    }

    #[test]
    fn times_with_changes(which in any::<Index>(), changes in changes("[a-zA-Z*/,0-9:+@. -]{0,6}")) {
        entry::times(&changed(TIMES[which.index(TIMES.len())], changes));
    }
}
