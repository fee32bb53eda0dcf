//! Plans from the words of a command line, and what is said of words that are wrong.

use super::*;
use crate::workflow::{CallEnd, Fate, Happening, Later, Starting, When};

const FILE: &str = r#"
name: a
on: [call.missed, message.received, manual]
steps:
  - stop: x
"#;

fn plan(words: &Words<'_>) -> Result<Plan, String> {
    Plan::from_words(words, &file(FILE), &setup(), morning())
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn words_become_a_plan() {
    let replies = list(&["1d: yes: please", "2026-11-20T09:00:00: no", "10m:ok"]);
    let calls = list(&["2h: answered"]);
    let deliver = list(&["failed", "1d: refused"]);
    let fields = list(&["first_name=Kim", "age=7", "phone2=+13125550124"]);
    let plan = plan(&Words {
        on: Some("message.received"),
        text: Some("hi"),
        replies: &replies,
        calls: &calls,
        deliver: &deliver,
        contact: Some("+1 415 555 0123"),
        zone: Some("America/Denver"),
        fields: &fields,
        agent: Some("desk"),
        ..Words::default()
    })
    .unwrap();
    assert_eq!(plan.at, morning());
    assert_eq!(plan.start, Starting::Receive("hi".to_owned()));
    assert_eq!(plan.fate, Fate::Failed);
    assert_eq!(plan.person.phone.as_str(), "+14155550123");
    assert_eq!(plan.person.zone.as_deref(), Some("America/Denver"));
    assert_eq!(
        serde_json::Value::Object(plan.person.fields),
        serde_json::json!({ "first_name": "Kim", "age": 7, "phone2": "+13125550124" })
    );
    let receive = |when, text: &str| Later {
        when,
        what: Happening::Receive(text.to_owned()),
    };
    let day = When::After(86_400);
    assert_eq!(
        plan.then,
        [
            receive(day, "yes: please"),
            // The clock of the business, which is in Chicago.
            receive(When::At("2026-11-20T15:00:00Z".parse().unwrap()), "no"),
            receive(When::After(600), "ok"),
            Later {
                when: When::After(7_200),
                what: Happening::Call(CallEnd::Answered),
            },
            Later {
                when: day,
                what: Happening::Delivery(Fate::Refused),
            },
        ]
    );
}

#[test]
fn without_words_the_first_trigger_starts_it() {
    let plan = plan(&Words::default()).unwrap();
    assert_eq!(plan.start, Starting::Call(CallEnd::Missed));
    assert!(plan.then.is_empty());
}

#[test]
fn wrong_words_are_explained() {
    let one = |text: &str| list(&[text]);
    let mut told = Vec::new();
    let mut say = |words: Words<'_>| told.push(plan(&words).unwrap_err());
    let on = |word| Words {
        on: Some(word),
        ..Words::default()
    };
    say(on("call.mised"));
    say(on("schedule"));
    for contact in ["5550123", "nobody"] {
        say(Words {
            contact: Some(contact),
            ..Words::default()
        });
    }
    say(Words {
        zone: Some("Mars/Base"),
        ..Words::default()
    });
    say(Words {
        at: Some("tomorrow"),
        ..Words::default()
    });
    say(Words {
        agent: Some("nobody"),
        ..Words::default()
    });
    for reply in ["yes", "soon: yes", "1d:", "1 day: yes"] {
        say(Words {
            replies: &one(reply),
            ..Words::default()
        });
    }
    say(Words {
        calls: &one("1h: hung up"),
        ..Words::default()
    });
    say(Words {
        approvals: &one("1h: yes"),
        ..Words::default()
    });
    say(Words {
        deliver: &one("lost"),
        ..Words::default()
    });
    say(Words {
        deliver: &one("1h: lost"),
        ..Words::default()
    });
    say(Words {
        fields: &one("Kim"),
        ..Words::default()
    });
    say(Words {
        on: Some("manual"),
        input: &one("plan=gold"),
        ..Words::default()
    });
    snapshot!(told.join("\n"));
}
