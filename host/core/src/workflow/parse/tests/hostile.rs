//! Files that nobody wrote in good faith, or that a cat walked over.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::super::Known;
use super::{clinic, messages, parse, sound};

const BASE: &str = "name: a\non:\n  call.missed:\n    to: [\"+15125550100\"]\nvars: { url: https://example.com }\nsteps:\n  - id: one\n    wait: 10m # soon\n  - send:\n      agent: front-desk\n      body: |\n        Hi {{ lead.first_name | default('you') }}, {{ vars.url }}\n  - id: answer\n    wait_for: { message.received: { matches: '^y' }, timeout: 1d }\n  - if: answer.timed_out\n    stop: { reason: silence }\ntests:\n  - name: t\n    at: 2026-03-08T01:45:00-06:00\n    given: { contact: { zone: America/Chicago, consent: marketing } }\n    call: missed\n    then: [{ after: 1d, receive: 'yes' }]\n    expect: [{ sent: 1 }, { sent: { matches: '^H', step: one } }, { called: one }]\n";

/// Reads a source within a time no machine of ours should need.
fn quick(source: &str) -> String {
    let start = Instant::now();
    let told = messages(source, &clinic());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "took {:?}",
        start.elapsed()
    );
    told
}

fn check(source: &str, expected: &str) {
    let told = quick(source);
    assert!(
        told.contains(expected),
        "{}",
        told.chars().take(2_000).collect::<String>()
    );
}

#[test]
fn size_is_bounded() {
    check(
        &"# a\n".repeat(3_000_000),
        "the file is larger than 1024 KiB",
    );
    check(&"a".repeat(1_000_000), "a workflow file is a block of keys");
    let mut many = String::from("name: a\non: call.missed\nsteps:\n");
    many.push_str(&"  - wait: 1m\n".repeat(10_000));
    check(&many, "there are more than 1000 steps, which is the most");
    let mut most = String::from("name: a\non: call.missed\nsteps:\n");
    most.push_str(&"  - wait: 1m\n".repeat(1_000));
    assert_eq!(quick(&most), "");
    check(
        &format!("a: [{}]", "1, ".repeat(150_000)),
        "the file holds more than 100000 values",
    );
}

#[test]
fn depth_is_bounded() {
    check(&"[".repeat(500_000), "nested more than 32 levels");
    check(&"{a: ".repeat(200_000), "nested more than 32 levels");
    check(&"- ".repeat(400_000), "nested more than 32 levels");
    check(&"? ".repeat(400_000), "nested more than 32 levels");
    let staircase: String = (0..1_000).fold(String::new(), |mut out, depth| {
        writeln!(out, "{}a:", " ".repeat(depth)).unwrap();
        out
    });
    check(&staircase, "nested more than 32 levels");
}

#[test]
fn aliases_do_not_explode() {
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for n in 1..40 {
        let before = n - 1;
        writeln!(bomb, "a{n}: &a{n} [*a{before}, *a{before}, *a{before}]").unwrap();
    }
    check(&bomb, "YAML aliases (`*…`) are not supported");
}

#[test]
fn many_mistakes_are_cut_short() {
    let mut keys = String::from("name: a\non: call.missed\n");
    for n in 0..20_000 {
        writeln!(keys, "k{n}: 1").unwrap();
    }
    let told = quick(&keys);
    assert!(told.contains("more messages; fix these first"), "{told}");
    assert!(told.lines().count() < 1_000);
}

#[test]
fn costly_mistakes_are_bounded() {
    let braces = format!(
        "name: a\non: call.missed\nsteps:\n{}",
        "  - {{a}}: 1\n".repeat(20_000)
    );
    check(&braces, "YAML reads a leading `{{` as a block of keys");
    let mut names = String::from("name: a\non: call.missed\nsteps:\n");
    for step in 0..60 {
        writeln!(
            names,
            "  - id: s{step}\n    send: \"{}\"",
            (0..1_000).fold(String::new(), |text, n| format!(
                "{text}{{{{ x{step}_{n} }}}}"
            ))
        )
        .unwrap();
    }
    check(&names, "nothing is called `x0_0` here");
}

#[test]
fn huge_words_are_shortened() {
    let word = "w".repeat(50_000);
    let told = quick(&format!(
        "name: a\non: {word}\n{word}: 1\nsteps:\n  - {word}: 1\n  - if: {word}\n    wait: {word}\n"
    ));
    assert!(told.len() < 10_000, "{}", told.len());
    check(
        &format!(
            "name: a\non: {{ message.received: {{ matches: '{}' }} }}\nsteps: [{{stop: x}}]",
            "(a{1000}){1000}"
        ),
        "too large when it is compiled",
    );
    check(
        &format!(
            "name: a\non: call.missed\nsteps:\n  - send: \"{}\"",
            "{{ a }}".repeat(10_000)
        ),
        "longer than 16384 bytes",
    );
    check(
        &format!(
            "name: a\non: call.missed\nsteps:\n  - if: {}\n    stop: x",
            "(".repeat(10_000)
        ),
        "cannot be read",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(source in any::<String>()) {
        drop(messages(&source, &Known::default()));
    }

    #[test]
    fn no_yaml_like_text_panics(source in "[a-c:\\-\\[\\]{}&*!|>'\"%@#?, \\t\\r\\n.~0-9\u{feff}\u{85}é]{0,120}") {
        drop(messages(&source, &Known::default()));
    }

    #[test]
    fn no_mutation_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, "[a-z:\\-\\[\\]{}&*!|>'\"%#?, \\t\\n.0-9$é]{0,4}"), 1..8),
    ) {
        let mut chars: Vec<char> = BASE.chars().collect();
        for (at, removed, inserted) in changes {
            let at = at.index(chars.len().max(1)).min(chars.len());
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, inserted.chars());
        }
        let source: String = chars.into_iter().collect();
        let parsed = parse(&source, "test.yaml", &clinic());
        let lines = source.lines().count().max(1);
        if let Err(errors) = &parsed.result {
            prop_assert!(!errors.is_empty(), "a refusal says why");
            for error in errors {
                prop_assert!((1..=lines + 1).contains(&error.line), "line {} of {lines}", error.line);
                prop_assert!(error.column >= 1 && error.length >= 1);
                drop(error.render());
            }
        }
    }

    #[test]
    fn comments_and_blank_lines_mean_nothing(lines in prop::collection::vec(0_usize..17, 0..8)) {
        let expected = sound(BASE).hash;
        let mut out = String::new();
        for (index, line) in BASE.lines().enumerate() {
            // Inside the text of the block scalar a `#` is a letter.
            if lines.contains(&index) && index != 11 {
                out.push_str("\n# a comment: {{ with }} marks\n\n");
            }
            out.push_str(line);
            if lines.contains(&index) && !line.ends_with('|') && index != 11 {
                out.push_str("   # and one at the end");
            }
            out.push('\n');
        }
        prop_assert_eq!(sound(&out).hash, expected);
    }
}

/// Whatever is repeated, reading takes time in proportion.
#[test]
fn nothing_is_quadratic() {
    let units = [
        "  - {{a}}: 1\n",
        "[{{a}}: 1], ",
        "- {a}: 1\n",
        "a: 1\n",
        "? a\n",
        "\"a\\n\": 1\n",
        "- |\n  a\n",
        "# c\n",
        "*a ",
        "&a ",
        "!a ",
        "\t",
        "- - ",
        "{a, ",
        "? ",
        ": ",
        "''",
        "\r",
        "- {a: {b: c}}\n",
        "  - send: '{{ a | b }}'\n",
        "  - if: a.b(c) is d\n    stop: x\n",
        "  - sned: x\n",
        "  - send: {{ a\n",
        "  - id: a\n    wait: 1m\n",
        "  - { call: a, send: b }\n",
    ];
    for unit in units {
        for prefix in [
            "",
            "name: a\non: call.missed\nsteps:\n",
            "x: [",
            "x: \"",
            "on:\n",
        ] {
            quick(&format!("{prefix}{}", unit.repeat(40_000 / unit.len())));
        }
    }
}
