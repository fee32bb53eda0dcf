//! Campaigns in virtual time: the rate and the breaker are those of the engine.

use serde_json::json;

use super::*;
use crate::workflow::expression::Rows;

const FILE: &str = r#"
name: Wake cold leads
on: manual
campaign: spring-2026
for_each: { in: "${{ csv('leads.csv') }}", as: lead }
contact: ${{ lead.phone }}
rate: { total: 250/day }
breaker: { failure_rate: "> 5% of last 100" }
steps:
  - send: "Still thinking about it, {{ lead.name }}?"
"#;

fn leads(count: u32, deliver: &[String]) -> Transcript {
    let row = |n: u32| json!({ "name": format!("n{n}"), "phone": format!("+1312555{n:04}") });
    let rows = move |_: &Rows| Ok(serde_json::Value::Array((0..count).map(row).collect()));
    let (setup, others) = (setup(), Catalog::default());
    let workflow = file(FILE);
    let words = Words {
        on: Some("manual"),
        deliver,
        ..Words::default()
    };
    let plan = Plan::from_words(&words, &workflow, &setup, morning()).unwrap();
    let stage = Stage {
        setup: &setup,
        others: &others,
        rows: Some(&rows),
    };
    play(&stage, &workflow, &plan)
}

#[test]
fn a_thousand_leads_at_250_a_day_take_four_days() {
    let began = std::time::Instant::now();
    let played = leads(1_000, &[]);
    assert_eq!(played.cut, None);
    assert_eq!(played.texts, 1_000);
    let mut days: Vec<(String, usize)> = Vec::new();
    for entry in played.entries.iter().filter(|one| one.what == "text") {
        let day = entry.business_time[..10].to_owned();
        match days.last_mut().filter(|last| last.0 == day) {
            Some(last) => last.1 += 1,
            None => days.push((day, 1)),
        }
    }
    let counts: Vec<usize> = days.iter().map(|day| day.1).collect();
    assert_eq!(counts, [250; 4], "{days:?}");
    let waits = played.entries.iter().find(|one| one.what == "deferred");
    let waits = waits.unwrap();
    assert!(
        waits
            .body
            .starts_with("the text has to wait: over 250 a day of the campaign spring-2026; "),
        "{}",
        waits.body
    );
    println!("1,000 leads in {:?}", began.elapsed());
}

#[test]
fn failures_pause_it_and_the_rest_waits() {
    let played = leads(60, &["failed".to_owned()]);
    assert_eq!(played.cut, None);
    let paused: Vec<&str> = played
        .entries
        .iter()
        .filter(|one| one.what == "paused")
        .map(|one| one.body.as_str())
        .collect();
    assert_eq!(paused.len(), 1);
    assert!(
        paused[0].starts_with("the campaign spring-2026 is paused by its breaker: 6 of the last "),
        "{}",
        paused[0]
    );
}
