//! The language of expressions, as its users see it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Open from 9 to 18 in Chicago every day.
struct Clinic;

impl Services for Clinic {
    fn in_hours(&self, name: &str, at: Timestamp) -> Result<bool, String> {
        if name != "business" {
            return Err(format!("there are no opening hours `{name}`"));
        }
        Ok((9..18).contains(&at.to_zoned(chicago()).hour()))
    }

    fn next_open(&self, name: &str, at: Timestamp) -> Result<Timestamp, String> {
        if self.in_hours(name, at)? {
            return Ok(at);
        }
        let local = at.to_zoned(chicago());
        let day = if local.hour() < 9 {
            local.date()
        } else {
            local.date().tomorrow().unwrap()
        };
        let open = day.at(9, 0, 0, 0).to_zoned(chicago()).unwrap();
        Ok(open.timestamp())
    }

    fn e164(&self, number: &str, region: Option<&str>) -> Result<String, String> {
        Ok(format!(
            "+{}{number}",
            if region == Some("US") { "1" } else { "" }
        ))
    }

    fn segments(&self, text: &str) -> Result<u64, String> {
        Ok(text.len().div_ceil(160) as u64)
    }
}

fn chicago() -> TimeZone {
    TimeZone::get("America/Chicago").unwrap()
}

/// Saturday, 7 March 2026, 20:30 in Chicago; clocks go forward that night.
fn scope() -> Scope {
    let now = "2026-03-08T02:30:00Z".parse().unwrap();
    let mut scope = Scope::new(now, Arc::new(Clinic));
    scope
        .business_zone(chicago())
        .set("contact", json!({"phone": "+13125550123", "zone": "America/New_York", "opted_out": false}))
        .set("lead", json!({"first_name": "Sam", "tags": ["a", "b"], "last_contact_at": "2025-12-24T15:00:00Z"}))
        .set("event", json!({"text": "{{ 7 * 7 }} ${{ vars }} {% for %}", "n": 3, "at": "2026-03-08T15:00:00+00:00"}))
        .set("answer", json!({"timed_out": false, "message": {"body": " 5 great!"}}));
    scope
}

fn check(source: &str, expected: Json) {
    let result = Expression::new(source).and_then(|e| e.eval(&scope()));
    assert_eq!(result, Ok(expected), "expression {source}");
}

fn refuse(source: &str, expected: &str) {
    let result = Expression::new(source).and_then(|e| e.eval(&scope()));
    assert_eq!(
        result.map_err(|e| e.to_string()),
        Err(expected.to_owned()),
        "expression {source}"
    );
}

fn render(source: &str, expected: &str) {
    let result = Template::new(source).and_then(|t| t.render(&scope()));
    assert_eq!(result.as_deref(), Ok(expected), "template {source}");
}

#[test]
fn values_keep_their_types() {
    check("event.n + 1", json!(4));
    check("event.n / 2", json!(1.5));
    check("lead.tags", json!(["a", "b"]));
    check("{'a': [1, none, true]}", json!({"a": [1, null, true]}));
    check("lead.nothing", json!(null));
    check("event.at", json!("2026-03-08T15:00:00Z"));
    check("'b' in lead.tags and not answer.timed_out", json!(true));
}

#[test]
fn missing_is_false_but_is_not_printed() {
    let truthy = |source: &str| Expression::new(source).unwrap().truthy(&scope());
    assert_eq!(truthy("lead.email"), Ok(false));
    assert_eq!(truthy("caller.name"), Ok(false));
    assert_eq!(truthy("call.a and call.a.b"), Ok(false));
    refuse(
        "lead.email.domain",
        "`lead.email` is undefined; where it may be missing, write lead.email | default(\"…\")",
    );
    let printed = Template::new("Hi {{ lead.email }}")
        .unwrap()
        .render(&scope());
    assert_eq!(
        printed.unwrap_err().to_string(),
        "`lead.email` is undefined; where it may be missing, write lead.email | default(\"…\")"
    );
    render("Hi {{ lead.email | default('there') }}", "Hi there");
}

#[test]
fn text_from_a_contact_is_data() {
    render(
        "You wrote: {{ event.text }}",
        "You wrote: {{ 7 * 7 }} ${{ vars }} {% for %}",
    );
    check("event.text", json!("{{ 7 * 7 }} ${{ vars }} {% for %}"));
    let mut scope = scope();
    scope.set("x", json!({"<b>": "a & \"b\" {# #}"}));
    let text = Template::new("{{ x['<b>'] }}").unwrap().render(&scope);
    assert_eq!(text.as_deref(), Ok("a & \"b\" {# #}"), "nothing is escaped");
}

#[test]
fn times_in_words() {
    render("{{ now() | when }}", "today at 8:30 PM");
    render("{{ next_open() | when }}", "tomorrow at 9 AM");
    render("{{ now() | minus('1d') | when }}", "yesterday at 8:30 PM");
    render("{{ '2026-03-09T14:00:00Z' | when }}", "Mon, Mar 9 at 9 AM");
    render("{{ lead.last_contact_at | date }}", "Wed, Dec 24, 2025");
    render("{{ event.at | time }}", "10 AM");
    render("{{ event.at | local(contact.zone) | time }}", "11 AM");
    render(
        "{{ event.at | local('Asia/Kolkata') | when }}",
        "today at 8:30 PM",
    );
    render("{{ '2026-03-09T09:15' | when }}", "Mon, Mar 9 at 9:15 AM");
    render("{{ now() }}", "2026-03-08T02:30:00Z");
}

#[test]
fn time_sums() {
    // A day is a calendar day on the night the clocks change, 24 h are 24 h.
    check("now() | plus('1d')", json!("2026-03-09T01:30:00Z"));
    check("now() | plus('24h')", json!("2026-03-09T02:30:00Z"));
    check("ago('2h')", json!("2026-03-08T00:30:00Z"));
    check(
        "event.at > now() and now() < event.at and now() == now()",
        json!(true),
    );
    check("event.at is due_in('12h', '13h')", json!(true));
    check("event.at is due_in('13h', '1d')", json!(false));
    check("ago('1h') is due_in('0s', '1d')", json!(false));
    refuse(
        "now() | plus('soon')",
        "`soon` is not a duration; a duration is a number and a unit: 45s, 10m, 2h, 3d or 1w",
    );
    refuse("'tuesday' | when", "`tuesday` is not a time");
    refuse(
        "'2026-03-09T09:15+99:00' | when",
        "`2026-03-09T09:15+99:00` is not a time",
    );
    refuse(
        "now() | local('Mars/Base')",
        "there is no time zone `Mars/Base`",
    );
    refuse(
        "now() + 1",
        "tried to use + operator on unsupported types plain object and number",
    );
}

#[test]
fn questions_to_the_host() {
    check("in_hours('business')", json!(false));
    check("in_hours('business', '2026-03-09T15:00:00Z')", json!(true));
    check("now() is business_hours", json!(false));
    check("'3125550123' | e164('US')", json!("+13125550123"));
    check("13125550123 | e164", json!("+13125550123"));
    check("segments('hello')", json!(1));
    check("contact is opted_out", json!(false));
    check("contact.phone is opted_out", json!(false));
    refuse(
        "'+1' is opted_out",
        "only the run's own contact can be asked whether they opted out",
    );
    refuse("in_hours('night')", "there are no opening hours `night`");
}

#[test]
fn small_filters() {
    check("answer.message.body | int", json!(5));
    check(
        "['-3x', '', 'x', 4.9, true, '99999999999999999999'] | first | int",
        json!(-3),
    );
    check("'' | int", json!(0));
    check("'x' | int(7)", json!(7));
    check("4.9 | int", json!(4));
    check("1e300 | int", json!(0));
    check("' a ' | trim", json!("a"));
    check("'<a>' | tojson", json!("\"<a>\""));
    check("'ring +13125550123' | redact", json!("ring [number]"));
    check("lead.tags | join(', ')", json!("a, b"));
    check("'aXb' | replace('X', '-')", json!("a-b"));
}

#[test]
fn work_is_bounded() {
    let out = |source: &str| Template::new(source).unwrap().render(&scope()).unwrap_err();
    let forever = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
    assert_eq!(out(forever), Error::OutOfFuel);
    assert_eq!(
        out("{% for a in range(9000) %}word {% endfor %}"),
        Error::TooLong
    );
    refuse("[range(10000), range(10000)]", "the value is too large");
    refuse(
        "'a' | replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaa')",
        "the text is longer than 65536 bytes",
    );
    refuse(&"(".repeat(5_000), "it has more than 1000 words and signs");
    refuse(
        &format!("'{}'", "a".repeat(20_000)),
        "it is longer than 16384 bytes",
    );
}

#[test]
fn patterns_do_not_backtrack() {
    let rating = Pattern::new(r"^\s*[1-5]\b").unwrap();
    assert_eq!(rating.find(" 5 great"), Some(" 5"));
    assert_eq!(rating.find("55"), None);
    let error = |source: &str| Pattern::new(source).unwrap_err().to_string();
    assert_eq!(error("(a"), "unclosed group");
    assert_eq!(
        error("a{1000}{1000}{1000}"),
        "the pattern is too large when it is compiled"
    );
    assert_eq!(
        error(&"a".repeat(2_000)),
        "the pattern is longer than 1000 bytes"
    );
}

#[test]
fn what_is_stored_is_the_source() {
    let value = Value::Expression(Expression::new("a.b").unwrap());
    let stored = serde_json::to_string(&value).unwrap();
    assert_eq!(stored, r#"{"expression":"a.b"}"#);
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), value);
    let broken: Expression = serde_json::from_str("\"a b\"").unwrap();
    assert!(
        broken.eval(&scope()).is_err(),
        "it loads and fails when used"
    );
}

proptest! {
    #[test]
    fn no_source_panics(source in "[a-z.|(){}%#'\"\\[\\]0-9 +*~<>=-]{0,40}") {
        if let Ok(expression) = Expression::new(&source) {
            drop(expression.eval(&scope()));
        }
        if let Ok(template) = Template::new(&source) {
            drop(template.render(&scope()));
        }
        drop(uses_of_expression(&source));
        drop(uses_of_template(&source));
    }

    #[test]
    fn any_bytes_are_only_text(text in any::<String>()) {
        let mut scope = scope();
        scope.set("event", json!({"text": text, "at": text}));
        let printed = Template::new("{{ event.text }}").unwrap().render(&scope).unwrap();
        prop_assert_eq!(printed, text);
        drop(Template::new("{{ event.at | when }}{{ event.text | redact }}").unwrap().render(&scope));
    }
}

#[test]
fn the_turns_of_a_call_as_text() {
    fn check(turns: serde_json::Value, expected: &str) {
        let mut scope = scope();
        scope.set("call", json!({ "transcript": turns }));
        let template = Template::new("{{ call.transcript | transcript_text }}").unwrap();
        assert_eq!(template.render(&scope).unwrap(), expected);
    }
    check(
        json!([{ "role": "agent", "content": "Hello" }, { "speaker": "caller", "text": " Hi " }]),
        "Agent: Hello\nCaller: Hi",
    );
    check(
        json!(["one", { "words": "two" }, { "nothing": 1 }]),
        "one\ntwo",
    );
    check(json!("as it is"), "as it is");
    check(json!(null), "");
}

mod hostile;
mod missing;
