//! Files that nobody wrote in good faith, or that a cat walked over.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::super::Known;
use super::super::id_of_broken;
use super::{clinic, messages, parse, sound};

const BASE: &str = "name: a\non:\n  call.missed:\n    to: [\"+15125550100\"]\nvars: { url: https://example.com }\nsteps:\n  - id: one\n    wait: 10m # soon\n  - send:\n      agent: front-desk\n      body: |\n        Hi {{ lead.first_name | default('you') }}, {{ vars.url }}\n  - id: answer\n    wait_for: { message.received: { matches: '^y' }, timeout: 1d }\n  - if: answer.timed_out\n    stop: { reason: silence }\ntests:\n  - name: t\n    at: 2026-03-08T01:45:00-06:00\n    given: { contact: { zone: America/Chicago, consent: marketing } }\n    call: missed\n    then: [{ after: 1d, receive: 'yes' }]\n    expect: [{ sent: 1 }, { sent: { matches: '^H', step: one } }, { called: one }]\n";

/// Reads a source within a time no machine of ours should need.
fn quick(source: &str) -> String {
    let start = Instant::now();
    let copy = source.to_owned();
    // The stack that an ordinary thread has.
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let thread = thread.spawn(move || messages(&copy, &clinic()));
    let told = thread.unwrap().join().unwrap();
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

/// Ten megabytes, however they are made, are one sentence.
#[test]
fn ten_megabytes() {
    let much = 10 * 1024 * 1024;
    let step = "  - send: { agent: front-desk, body: \"Hello {{ lead.first_name }}\" }\n";
    let units = [
        "- ",
        "[",
        "{a: ",
        "a",
        "\"",
        "  - wait: 1m\n",
        step,
        "é",
        "\u{202e}",
        "\n",
    ];
    for unit in units {
        for prefix in [
            "",
            "name: ",
            "name: a\non: call.missed\nsteps:\n",
            "x: |\n  ",
        ] {
            let source = format!("{prefix}{}", unit.repeat(much / unit.len()));
            check(&source, "the file is larger than 1024 KiB");
        }
    }
}

#[test]
fn ten_thousand_steps() {
    let most = "there are more than 1000 steps, which is the most";
    let file = |steps: String| format!("name: a\non: call.missed\nsteps:\n{steps}");
    check(&file("  - wait: 1m\n".repeat(10_000)), most);
    check(
        &file("  - { id: a, wait: 1m }\n".repeat(10_000)),
        "another step has the id `a`",
    );
    let switch =
        "  - switch: { on: 1, \"1\": [{ wait: 1m }, { wait: 2m }], else: [{ stop: x }] }\n";
    check(&file(switch.repeat(3_000)), most);
    let parallel = "  - parallel: [[{ wait: 1m }], [{ wait: 2m }, { parallel: [[{ wait: 1m }], [{ wait: 2m }]] }]]\n";
    check(&file(parallel.repeat(2_000)), most);
    for (open, close) in [
        ("{ switch: { on: 1, \"1\": [", "] } }"),
        ("{ for_each: { in: [1], steps: [", "] } }"),
        ("{ parallel: [[", "], [{ wait: 1m }]] }"),
        ("{ wait: 1m, on_error: [", "] }"),
    ] {
        // As deep as a file may be, and much deeper.
        for depth in [3, 7, 10_000] {
            let nested = format!(
                "  - {}{{ wait: 1m }}{}\n",
                open.repeat(depth),
                close.repeat(depth)
            );
            let told = quick(&file(nested));
            assert!(
                depth < 10_000 || told.contains("nested more than 32 levels"),
                "{told}"
            );
        }
    }
}

#[test]
fn odd_encodings() {
    let plain = "name: a\non: call.missed\nsteps:\n  - send: \"hi\"\n  - wait: 1m\n";
    let hash = sound(plain).hash;
    for same in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        format!("\u{feff}---\r\n{}...\r\n", plain.replace('\n', "\r\n")),
        plain.replace('\n', "\r"),
    ] {
        assert_eq!(sound(&same).hash, hash, "{same:?}");
    }
    check(
        &plain.replace("hi", "h\0i"),
        "a character that no text may hold (U+0000)",
    );
    check(
        "name: a\non: call.missed\n\0steps: []",
        "test.yaml:3:1: error: here is a character",
    );
    check(&plain.replace("hi", "h\u{1b}[2Ji"), "(U+001B)");
    check(&plain.replace("hi", "h\u{7f}i"), "(U+007F)");
    // The place is counted as YAML counts it, and the line is the one that is meant.
    check(
        "name: a\ron: call.missed\r\nsteps:\r  - wiat: 1m\r",
        "test.yaml:4:5: error: ",
    );
    check(
        "name: a\ron: call.missed\r\nsteps:\r  - wiat: 1m\r",
        "\n  4 |   - wiat: 1m\n    |     ^^^^",
    );
    check("\u{feff}\u{feff}name: a", "");
    // Bytes that are no text, as a careless reader hands them on.
    check(
        &String::from_utf8_lossy(b"name: \xff\xfe\non: \x80"),
        "unknown event",
    );
    check(
        &"---\n".repeat(1_000),
        "there is a second document in this file",
    );
    check(
        &format!("{plain}---\n").repeat(1_000),
        "there is a second document in this file",
    );
    for nothing in [
        "",
        "\u{feff}",
        "# nothing\n",
        "\n\n\n",
        "---\n",
        "---\n...\n",
        "%YAML 1.2\n---\n",
        "   \n",
        "~",
        "\r\n# x\r\n",
    ] {
        check(nothing, "the file is empty");
    }
}

#[test]
fn keys_that_are_no_words() {
    let file = |key: &str| format!("name: a\non: call.missed\nsteps:\n  - wait: 1m\n{key}: 1\n");
    for key in [
        "1",
        "1.5",
        "null",
        "~",
        "true",
        "''",
        "\"a b\"",
        "2026-01-01",
        "é",
        "\"\\u202e\"",
        "<<",
        "=",
        "\"\\u200b\"",
    ] {
        check(&file(key), "unknown key");
    }
    for key in ["? [a]\n", "? {a: b}\n", "? - a\n  - b\n"] {
        check(&file(key), "a key must be a plain word");
    }
    check(
        "name: a\non: call.missed\nvars: { 1: a, null: b, [c]: d, ~: e }\nsteps: [{ wait: 1m }]\n",
        "a key must be a plain word",
    );
    check(
        "name: a\non: call.missed\nvars: { 1: a, naïve: b, 'a-b': c, '': d }\nsteps: [{ wait: 1m }]\n",
        "is not a name that expressions can use",
    );
}

#[test]
fn names_in_every_script() {
    for name in [
        "Зубной врач",
        "Οδοντίατρος",
        "מרפאה",
        "عيادة",
        "क्लिनिक",
        "คลินิก",
        "诊所",
        "歯科",
        "치과",
        "Ꭰ",
        "Cafe\u{301}",
        "\u{202e}evil\u{202c} a",
        "a\u{200b}b",
        "İstanbul",
        "ﬁx",
        "a🦷",
    ] {
        let source = format!(
            "name: \"{name}\"\non: call.missed\ndescription: \"{name}\"\nsteps:\n  - name: \"{name}\"\n    send: \"{name}\"\nvars: {{ x: \"{name}\" }}\n"
        );
        let workflow = sound(&source);
        assert_eq!(workflow.definition.name, name);
        let id = &workflow.definition.id;
        assert!(
            !id.is_empty() && !id.contains(char::is_whitespace),
            "{id:?}"
        );
        assert_eq!(id_of_broken(&source.replace('"', "")).as_ref(), Some(id));
        // As an id of a step it is refused, in words.
        let told = quick(&source.replace("- name:", "- id:"));
        assert!(told.contains("error"), "{name}: {told}");
    }
    for nothing in ["🦷", "\u{200b}", "!!", "\u{202e}", " "] {
        let told = quick(&format!(
            "name: \"{nothing}\"\non: call.missed\nsteps: [{{ wait: 1m }}]\n"
        ));
        assert!(told.contains("error"), "{nothing:?}: {told}");
    }
}

#[test]
fn hostile_texts_and_patterns() {
    let step = |step: &str| format!("name: a\non: call.missed\nsteps:\n  - {step}\n");
    let sums = step(&format!("{{ if: '1{}', stop: x }}", "+1".repeat(8_000)));
    check(&sums, "more than 1000 words and signs");
    check(
        &step(&format!("send: '{{{{ {}1 }}}}'", "-".repeat(16_000))),
        "more than 1000 words and signs",
    );
    check(&step("{ if: \"'x' in [0] * 90000000\", stop: x }"), "");
    check(
        &step("wait_for: { message.received: { matches: '(a{1000}){1000}' } }"),
        "too large when it is compiled",
    );
    assert_eq!(
        quick(&step(
            "{ id: b, wait_for: { message.received: { matches: '^(a+)+$' } } }"
        )),
        ""
    );
    check(
        &step(&format!("send: '{}'", "{% if 1 %}".repeat(1_500))),
        "cannot be read",
    );
    check(
        &step("send: '{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}'"),
        "",
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
