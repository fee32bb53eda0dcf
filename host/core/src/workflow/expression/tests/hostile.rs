//! Expressions and templates that want the whole machine. Each is refused or done,
//! on a thread with the stack that an ordinary one has.

use std::time::Instant;

use proptest::prelude::*;

use super::super::environment;
use super::*;

/// Runs it on a thread with two megabytes of stack.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    thread.spawn(work).unwrap().join().unwrap()
}

/// What an expression, and a text around it, come to.
fn both(source: &str) -> [Result<String, String>; 2] {
    let (expression, template) = (source.to_owned(), format!("{{{{ {source} }}}}"));
    let start = Instant::now();
    let told = on_a_small_stack(move || {
        let scope = scope();
        let value = Expression::new(&expression).and_then(|one| one.eval(&scope));
        let text = Template::new(&template).and_then(|one| one.render(&scope));
        [value.map(|json| json.to_string()), text].map(|one| one.map_err(|e| e.to_string()))
    });
    let shown: String = source.chars().take(40).collect();
    println!("{shown}: {:?}", start.elapsed());
    told
}

fn hostile(source: &str, expected: &str) {
    for told in both(source) {
        let told = told.unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
}

/// The engine descends once for each of these, and has no bound of its own.
#[test]
fn long_chains() {
    let units = [
        ("1", "+1"),
        ("1", "-1"),
        ("'a'", "~'a'"),
        ("1", "*1"),
        ("1", "/1"),
        ("1", "**1"),
        ("1", "<1"),
        ("1", " in 1"),
        ("1", " and 1"),
        ("1", " or 1"),
        ("1", " is odd"),
        ("1", "|int"),
        ("lead", ".a"),
        ("lead", "[0]"),
        ("now", "()"),
        ("1", " if 1 else 1"),
    ];
    for (first, more) in units {
        hostile(
            &format!("{first}{}", more.repeat(16_000 / more.len())),
            "more than",
        );
        // A long one that is still allowed does not overflow either.
        drop(both(&format!("{first}{}", more.repeat(90))));
    }
    for more in ["-", "not ", "(", "[", "{1:", "1 if 1 else ", "-(", "not ("] {
        let told = both(&format!("{}1", more.repeat(15_000 / more.len())));
        assert!(told.iter().all(Result::is_err), "{told:?}");
        drop(both(&format!("{}1", more.repeat(200 / more.len()))));
    }
    for block in [
        "{% if 1 %}",
        "{% for a in [1] %}",
        "{% if 0 %}{% elif 0 %}",
        "{{ {",
        "{#",
        "{% raw %}",
    ] {
        let source = block.repeat(16_000 / block.len());
        let told = on_a_small_stack(move || Template::new(&source).map(|_| ()));
        assert!(told.is_err(), "{block}");
    }
}

/// Constants are folded while a file is read: what is large must be refused there.
#[test]
fn giant_values() {
    hostile("\"x\" * 1e9", "multiplies numbers, not a string");
    hostile("\"x\" * 100000000", "multiplies numbers");
    hostile(
        "lead.tags * 100000000",
        "multiplies numbers, not a sequence",
    );
    hostile("'x' in [0] * 90000000", "multiplies numbers");
    hostile("[0] * 50000000 == [0] * 50000000", "multiplies numbers");
    hostile("([0] * 50000000) | sort", "multiplies numbers");
    hostile("range(10**9)", "at most 10000 numbers");
    hostile(
        "range(9223372036854775807, -9223372036854775807, -1)",
        "at most 10000 numbers",
    );
    hostile(
        "range(0 - 9223372036854775807, 9223372036854775807)",
        "at most 10000 numbers",
    );
    hostile("10 ** 1000000", "unable to calculate");
    hostile(
        "9223372036854775807 * 9223372036854775807 * 9223372036854775807",
        "too large",
    );
    hostile("'abc'[::0 - 9223372036854775807 - 1]", "no third part");
    hostile("lead.tags[:][1:2:3]", "no third part");
    check("range(3)", json!([0, 1, 2]));
    check("range(1, 6, 2)", json!([1, 3, 5]));
    check("range(3, 0, -1)", json!([3, 2, 1]));
    check("'abc'[1:] ~ {'a': [1, 2][0:1]}['a'][0]", json!("bc1"));
    let loops = [
        "{% for a in [0] * 90000000 %}{% endfor %}",
        "{% for a in [1] if 'x' in [0] * 90000000 %}{% endfor %}",
        "{% if \"x\" * 100000000 %}{% endif %}",
        "{%- if 0 -%}{%- elif 'x' * 100000000 -%}{%- endif -%}",
        "{% raw %}{% endraw %}{{- 'x' * 100000000 -}}",
        "{% set a = 'x' * 100000000 %}",
        "{# }} #}{{ {'a': 'x' * 100000000} }}",
    ];
    for source in loops {
        let told = Template::new(source).and_then(|one| one.render(&scope()));
        let told = told.unwrap_err().to_string();
        assert!(told.contains("multiplies numbers"), "{source}: {told}");
    }
}

/// A filter's work is not counted by the engine: it pays by what it is given.
#[test]
fn work_of_filters() {
    let out = |source: &str| {
        let start = Instant::now();
        let mut scope = scope();
        scope.set("vars", json!({ "text": "a b ".repeat(250_000) }));
        let told = Template::new(source).and_then(|one| one.render(&scope));
        println!("{source}: {:?}", start.elapsed());
        told.unwrap_err()
    };
    let around = |inner: &str| {
        format!("{{% for a in range(8000) %}}{{% if {inner} %}}{{% endif %}}{{% endfor %}}")
    };
    for inner in [
        "range(9000) | sort | first == 1",
        "(range(9000) + range(9000)) | unique | list",
        "vars.text | upper == 'x'",
        "vars.text | split | reverse",
        "vars.text | redact | trim",
        "segments(vars.text) == 1",
        "range(9000) | join == ''",
    ] {
        let error = out(&around(inner));
        let bounded =
            matches!(&error, Error::OutOfFuel) || error.to_string().contains("longer than");
        assert!(bounded, "{inner}: {error}");
    }
    // Filters that grow stop where a text would be too long, nested too.
    for grow in [
        "{{ vars.text | replace('a', 'aaaaaaaaaaaaaaaa') }}",
        "{{ (vars.text | list) | join('aaaaaaaaaaaaaaaa') }}",
        "{{ vars.text | list | tojson }}",
        "{{ vars.text }}",
        "{{ vars.text ~ vars.text }}",
        "{% for a in range(8000) %}{{ a }}{{ a }}{{ a }}{% endfor %}",
    ] {
        let error = out(grow).to_string();
        assert!(
            error.contains("longer than") || error.contains("too large"),
            "{grow}: {error}"
        );
    }
}

/// The same, `n` times as long, takes about `n` times the fuel: never more than the
/// engine has.
#[test]
fn loops_without_an_end() {
    for source in [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{{ '' }}{{ '' }}{{ '' }}{{ '' }}{{ '' }}{% endfor %}",
        "{% for a in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
        "{% for a in lead.tags %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
    ] {
        let told = Template::new(source).and_then(|one| one.render(&scope()));
        let told = told.unwrap_err();
        let deep = told.to_string().contains("recursion limit");
        assert!(told == Error::OutOfFuel || deep, "{source}: {told}");
    }
}

#[test]
fn patterns() {
    let long = format!("{}!", "a".repeat(64 * 1024));
    let time = |source: &str| {
        let pattern = Pattern::new(source).unwrap();
        let start = Instant::now();
        assert_eq!(pattern.find(&long), None, "{source}");
        println!("{source}: {:?}", start.elapsed());
    };
    // What makes an engine that backtracks work for years.
    for source in [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a|a?)+$",
        "^(.*a){20}$",
        "(x+x+)+y",
    ] {
        time(source);
    }
    for source in [
        "(a{1000}){1000}",
        "((a{50}){50}){50}",
        r"(\p{L}{500}){500}",
        "(?:x{1000}|y{1000}){900}",
    ] {
        let told = Pattern::new(source).unwrap_err().to_string();
        assert!(told.contains("too large"), "{source}: {told}");
    }
    assert!(Pattern::new(&"(".repeat(900)).is_err());
    assert!(Pattern::new(&format!("{}a{}", "(".repeat(400), ")".repeat(400))).is_err());
}

/// Names in every script, and marks that turn, join and hide.
#[test]
fn scripts() {
    for name in [
        "Zoë",
        "Ελένη",
        "Ольга",
        "דנה",
        "محمد",
        "अनीता",
        "สมชาย",
        "预约",
        "さくら",
        "한글",
        "🦷",
        "👩‍👩‍👧",
        "a\u{202e}b",
        "a\u{200b}b",
        "e\u{301}",
        "\u{feff}x",
        "\u{0}",
        "\u{10ffff}",
        "ﬀ",
        "İ",
        "ß",
    ] {
        let mut scope = scope();
        scope.set("lead", json!({ "first_name": name }));
        let print = |source: &str| {
            Template::new(source)
                .and_then(|one| one.render(&scope))
                .unwrap()
        };
        assert_eq!(print("{{ lead.first_name }}"), name);
        let literal = format!("{{{{ {name:?} }}}}").replace("\\u{", "u{");
        assert!(!print(&literal).is_empty());
        for filter in [
            "upper",
            "lower",
            "title",
            "capitalize",
            "trim",
            "first",
            "last",
            "reverse",
            "redact",
            "length",
        ] {
            print(&format!("{{{{ lead.first_name | {filter} }}}}"));
        }
        assert!(
            Expression::new(&format!("lead.first_name == '{name}'"))
                .unwrap()
                .truthy(&scope)
                .unwrap()
        );
    }
}

/// An expression of numbers and texts, in every nesting of operators.
fn sums() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("2".to_owned()),
        Just("0.5".to_owned()),
        Just("'a'".to_owned()),
        Just("true".to_owned()),
        Just("event.n".to_owned()),
        Just("[1, 2]".to_owned()),
        Just("lead.tags".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operators = prop::sample::select(vec![
            "+", "-", "~", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", " and ",
            " or ", " in ", " not in ",
        ]);
        prop_oneof![
            (inner.clone(), operators, inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("not {a}")),
            inner.clone().prop_map(|a| format!("{a} | int")),
            inner.clone().prop_map(|a| format!("{a} is odd")),
            inner.clone().prop_map(|a| format!("{a} is not none")),
            inner.clone().prop_map(|a| format!("[{a}][0]")),
            inner.clone().prop_map(|a| format!("{{'k': {a}}}.k")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("[{a}, {b}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// What is done to a source changes no meaning: where the engine has an answer to
    /// it as it was written, the answer is the same.
    #[test]
    fn preparing_changes_nothing(source in sums()) {
        let scope = scope();
        let plain = environment::unprepared(&source).and_then(|one| Ok(one.eval(scope.root())?));
        let ours = Expression::new(&source).and_then(|one| one.value(&scope));
        match (plain, ours) {
            (Ok(plain), Ok(ours)) => prop_assert_eq!(format!("{plain:?}"), format!("{ours:?}")),
            (Ok(_), Err(error)) => {
                let error = error.to_string();
                let stricter = error.contains("multiplies numbers") || error.contains("cannot be compared with") || error.contains("too large");
                prop_assert!(stricter, "{}: {}", source, error);
            }
            (Err(_), _) => {}
        }
    }
}
