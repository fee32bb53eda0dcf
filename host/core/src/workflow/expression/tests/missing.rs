//! What is said of something that is not there: nothing in a condition, and a
//! sentence when it would be printed.

use super::*;

fn truthy(source: &str, expected: bool) {
    let found = Expression::new(source).and_then(|one| one.truthy(&scope()));
    assert_eq!(found, Ok(expected), "{source}");
    let text = format!("{{% if {source} %}}true{{% else %}}false{{% endif %}}");
    render(&text, if expected { "true" } else { "false" });
}

/// `lead.score` and `event.body` are not there.
#[test]
fn in_conditions_it_is_nothing() {
    truthy("lead.open_complaint", false);
    truthy("not lead.open_complaint", true);
    for sign in ["<", "<=", ">", ">="] {
        truthy(&format!("lead.score {sign} 5"), false);
        truthy(&format!("5 {sign} lead.score"), false);
        truthy(&format!("lead.score {sign} now()"), false);
        truthy(&format!("lead.score {sign} lead.other"), false);
        truthy(
            &format!("not lead.score {sign} 5 and lead.first_name"),
            true,
        );
    }
    truthy("lead.status == 'booked'", false);
    truthy("lead.status != 'booked'", true);
    truthy("lead.status == none", true);
    truthy("lead.status is none", true);
    truthy("lead.first_name is none", false);
    truthy("lead.status is defined", false);
    truthy("lead.status in ['a', 'b']", false);
    truthy("lead.status not in ['a', 'b']", true);
    truthy("'a' in lead.labels", false);
    truthy("lead.score > 5 or lead.first_name == 'Sam'", true);
    truthy("(lead.score | default(9)) > 5", true);
    truthy("1 < 2 < 3", true);
}

#[test]
fn printed_it_is_a_sentence() {
    fn check(source: &str, expected: &str) {
        let told = Template::new(source).and_then(|one| one.render(&scope()));
        assert_eq!(told.unwrap_err().to_string(), expected, "{source}");
    }
    let help =
        "`lead.email` is undefined; where it may be missing, write lead.email | default(\"…\")";
    check("Hi {{ lead.email }}", help);
    check("Hi {{ lead.email | upper }}", help);
    check("Hi {{ 'you, ' ~ lead.email }}", help);
    check("{{ lead.email.domain }}", help);
    check(
        "{{ lead.price * 2 }}",
        "`*` multiplies numbers, not nothing; write `| default(0)` behind it",
    );
    render("{{ lead.email | default('you') }}", "you");
}

/// A text and a number, or a text and a time, are not compared by what they are.
#[test]
fn unlike_things() {
    check("lead.last_contact_at < now()", json!(true));
    check("'2026-03-08T03:00:00Z' > now()", json!(true));
    check("'2026-03-07T20:00' < now()", json!(true));
    refuse(
        "'50' > 100",
        "a text cannot be compared with a number; write `| int` or `| float` behind the text",
    );
    check("('50' | int) > 100", json!(false));
    refuse("'tuesday' > now()", "`tuesday` is not a time");
    refuse("1 in 5", "`in` looks into a list or a text, not a number");
    check("2 * event.n + 1", json!(7));
    check("2 * 0.5 ** 2", json!(0.5));
    check("12 / 4 * 3 % 5", json!(4.0));
    check("-2 * -3", json!(6));
    check("(1 + 2) * (3 + 4)", json!(21));
    refuse(
        "'5' * 2",
        "`*` multiplies numbers, not a string; write `| int` or `| float` behind the text",
    );
}
