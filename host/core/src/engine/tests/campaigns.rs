//! Campaigns: how fast they text, who waits, and what that costs. From files, as an
//! author writes them.

use serde_json::json;

use super::flow::file;
use super::*;
use crate::model::{Campaign, Score};

pub(super) const HEAD: &str = r#"
name: Wake cold leads
on: manual
for_each: { in: "${{ csv('leads.csv') }}", as: lead }
contact: ${{ lead.phone }}
"#;
pub(super) const STEPS: &str = "steps:\n  - send: \"Still thinking about it, {{ lead.name }}?\"\n";

/// A host with one file, and rows of that many leads read.
pub(super) fn campaign(keys: &str, leads: u32) -> Host {
    let mut host = Host::new(vec![file(&format!("{HEAD}{keys}{STEPS}"))]);
    start(&mut host, 0, leads);
    host
}

pub(super) fn start(host: &mut Host, from: u32, leads: u32) {
    host.take(Input::Start(StartRequest {
        idempotency: None,
        workflow: "wake-cold-leads".to_owned(),
        contact: None,
        input: serde_json::Map::new(),
    }));
    rows(host, from, leads);
}

fn rows(host: &mut Host, from: u32, leads: u32) {
    let commands = std::mem::take(&mut host.commands);
    let work = commands.into_iter().find_map(|command| match command {
        Command::Work(work) => Some(work),
        _ => None,
    });
    let work = work.expect("rows are asked for");
    let Ask::Rows { of } = &work.ask else {
        panic!("{work:?}")
    };
    let lead = |n: u32| json!({ "name": format!("n{n}"), "phone": lead(n).as_str() });
    let all: Vec<_> = (from..from + leads).map(lead).collect();
    let brought = json!([{ "of": of[0], "rows": all }]);
    host.take(Input::Worked(
        work.run.clone(),
        work.number,
        WorkResult::Done(brought),
    ));
}

pub(super) fn lead(number: u32) -> PhoneNumber {
    phone(&format!("+1312555{number:04}"))
}

/// Lets time go by; the provider takes every text, and what it says of each is up to
/// the test.
pub(super) fn pass(host: &mut Host, seconds: i64, result: impl Fn(&Message) -> SendResult) {
    let end = host.now + SignedDuration::from_secs(seconds);
    loop {
        for id in host.leaving() {
            let told = result(&host.message(&id));
            host.take(Input::Sent(id, told));
        }
        if !host.commands.is_empty() {
            continue;
        }
        let (from, to) = keys::table(b't');
        let first = host.state.range(&from, &to).next();
        let first = first.map(|(key, _)| key.clone());
        let Some((key, due)) = first.and_then(|key| Some((key.clone(), keys::timer_due(&key)?)))
        else {
            break;
        };
        if due > end {
            break;
        }
        host.now = host.now.max(due);
        host.take(Input::Timer(key));
    }
    host.now = host.now.max(end);
}

pub(super) fn taken(message: &Message) -> SendResult {
    SendResult::Accepted {
        provider_id: format!("P{}", message.id),
    }
}

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;

/// When texts to leads left, in their order.
pub(super) fn left(host: &Host) -> Vec<Timestamp> {
    let all: Vec<Message> = host.records(b'o');
    let mut left: Vec<Timestamp> = all
        .iter()
        .filter(|one| one.status.handed_over())
        .map(|one| one.attempts.last().unwrap().at)
        .collect();
    left.sort();
    left
}

/// How many left on each day in Chicago.
fn by_day(host: &Host) -> Vec<usize> {
    let zone = jiff::tz::TimeZone::get("America/Chicago").unwrap();
    let days: Vec<_> = left(host)
        .iter()
        .map(|at| zone.to_datetime(*at).date())
        .collect();
    days.chunk_by(|one, two| one == two)
        .map(<[_]>::len)
        .collect()
}

pub(super) fn record(host: &Host) -> Campaign {
    host.get(&keys::campaign("spring-2026"))
}

pub(super) fn score(host: &Host) -> Score {
    host.get(&keys::score("spring-2026"))
}

#[test]
fn so_many_a_day_and_the_others_on_the_days_after() {
    let mut host = campaign("campaign: Spring 2026\nrate: { total: 50/day }\n", 130);
    pass(&mut host, HOUR, taken);
    assert_eq!(by_day(&host), [50]);
    // Those who wait know why, and when they probably leave.
    let waiting: Vec<Message> = host
        .records::<Message>(b'o')
        .into_iter()
        .filter(|one| one.status == Status::Scheduled)
        .collect();
    assert!(
        waiting
            .iter()
            .all(|one| one.reason.as_deref() == Some("rate"))
    );
    let next = "over 50 a day of the campaign Spring 2026; it is the next";
    let verdicts = waiting.iter().map(|one| one.verdicts.last().unwrap());
    let first = verdicts.clone().find(|one| one.reason == next).unwrap();
    assert_eq!(first.until.unwrap().to_string(), "2026-11-19T14:00:00Z");
    let many = "over 50 a day of the campaign Spring 2026; 60 texts go before it";
    assert!(verdicts.clone().any(|one| one.reason == many));
    let last = waiting.iter().max_by_key(|one| one.not_before).unwrap();
    assert_eq!(
        last.not_before.unwrap().to_string(),
        "2026-11-20T14:00:00Z",
        "{last:?}"
    );
    pass(&mut host, 3 * DAY, taken);
    assert_eq!(by_day(&host), [50, 50, 30]);
    assert_eq!(record(&host).waiting(), 0);
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Finished)
    );
    let sums = score(&host);
    assert_eq!((sums.sent, sums.people, sums.segments), (130, 130, 130));
    assert!(
        host.runs()
            .iter()
            .all(|run| run.campaign.as_deref() == Some("spring-2026"))
    );
}

#[test]
fn the_first_in_line_goes_first() {
    let mut host = campaign("rate: { total: 10/hour }\n", 40);
    pass(&mut host, DAY, taken);
    let mut all: Vec<Message> = host.records(b'o');
    all.sort_by_key(|one| one.attempts[0].at);
    // Runs of one slice ask in the order in which they were started.
    let asked: Vec<usize> = all
        .iter()
        .map(|one| host.asked.iter().position(|id| *id == one.id).unwrap())
        .collect();
    let slices: Vec<usize> = asked.iter().map(|place| place / 25).collect();
    assert!(slices.is_sorted(), "{asked:?}");
    // Ten of the evening were in quiet hours, and none was lost by that.
    assert_eq!(all.len(), 40);
    let zone = jiff::tz::TimeZone::get("America/Chicago").unwrap();
    assert!(
        left(&host)
            .iter()
            .all(|at| (8..21).contains(&zone.to_datetime(*at).hour()))
    );
}

#[test]
fn from_one_number_one_after_another() {
    let keys = "rate: { per_number: 20/min }\nintent: transactional\n";
    let mut host = campaign(keys, 60);
    pass(&mut host, 119, taken);
    assert_eq!(left(&host).len(), 40);
    let gaps: Vec<i64> = left(&host)
        .windows(2)
        .map(|two| two[1].duration_since(two[0]).as_millis() as i64)
        .collect();
    assert!(gaps.iter().all(|gap| *gap >= 3_000), "{gaps:?}");
    pass(&mut host, 120, taken);
    assert_eq!(left(&host).len(), 60);
}

#[test]
fn a_total_is_spread_over_the_hours_of_the_window() {
    let keys = "rate: { total: 9/day, spread: even }\nwindow: { between: \"10:00-19:00\", zone: business }\n";
    let mut host = campaign(keys, 20);
    pass(&mut host, 3 * DAY, taken);
    assert_eq!(by_day(&host), [9, 9, 2]);
    let gaps: Vec<i64> = left(&host)[..9]
        .windows(2)
        .map(|two| two[1].duration_since(two[0]).as_mins())
        .collect();
    assert_eq!(gaps, [60; 8]);
}

#[test]
fn a_thousand_leads_wait_outside_until_their_turn_is_near() {
    let mut host = campaign("rate: { total: 250/day }\n", 1_000);
    pass(&mut host, HOUR, taken);
    // The others are not even started: what they say is decided when it can be sent.
    let waiting = host
        .get::<Campaign>(&keys::campaign("wake-cold-leads"))
        .waiting();
    assert!((100..150).contains(&waiting), "{waiting}");
    assert!(host.runs().len() < 450, "{}", host.runs().len());
    pass(&mut host, 4 * DAY, taken);
    assert_eq!(by_day(&host), [250, 250, 250, 250]);
}

#[test]
fn what_is_called_off_or_stopped_does_not_leave() {
    let mut host = campaign("rate: { total: 10/day }\ncancel_on: [reply]\n", 30);
    pass(&mut host, HOUR, taken);
    let text = |from: PhoneNumber, body: &str| {
        Input::Text(IncomingText {
            connection: "main".to_owned(),
            provider_id: format!("I{from}{body}"),
            from,
            to: phone("+15125550100"),
            body: body.to_owned(),
            media: Vec::new(),
            keyword: None,
        })
    };
    let waits: Vec<PhoneNumber> = host
        .records::<Message>(b'o')
        .into_iter()
        .filter(|one| one.status == Status::Scheduled)
        .map(|one| one.contact)
        .collect();
    host.take(text(waits[0].clone(), "STOP"));
    host.take(text(waits[1].clone(), "hello?"));
    pass(&mut host, 3 * DAY, taken);
    // The other eighteen left, and the confirmation of the STOP.
    assert_eq!(by_day(&host), [11, 10, 8]);
    let sums: Score = host.get(&keys::score("wake-cold-leads"));
    assert_eq!((sums.sent, sums.dropped), (28, 2));
    // Neither was texted by the campaign, so nobody opted out of it.
    assert_eq!((sums.opted_out, sums.replied), (0, 0));
}

#[test]
fn a_text_that_is_only_worth_it_today_expires_in_line() {
    let source = format!(
        "{HEAD}rate: {{ total: 5/day }}\nsteps:\n  - send: {{ body: \"Today only\", valid_until: \"${{{{ now() | plus('2h') }}}}\" }}\n"
    );
    let mut host = Host::new(vec![file(&source)]);
    start(&mut host, 0, 8);
    pass(&mut host, 2 * HOUR + 60, taken);
    let count = |host: &Host, status| {
        let all: Vec<Message> = host.records(b'o');
        all.iter().filter(|one| one.status == status).count()
    };
    assert_eq!(count(&host, Status::Accepted), 5);
    assert_eq!(count(&host, Status::Expired), 3);
    pass(&mut host, 2 * DAY, taken);
    assert_eq!(by_day(&host), [5]);
    assert_eq!(
        host.get::<Campaign>(&keys::campaign("wake-cold-leads"))
            .waiting(),
        0
    );
}

#[test]
fn other_workflows_are_not_held() {
    let mut host = campaign("rate: { total: 1/day }\n", 3);
    host.define(file(
        "name: Answer\non: message.received\nsteps:\n  - send: \"Hello!\"\n",
    ));
    pass(&mut host, HOUR, taken);
    assert_eq!(left(&host).len(), 1);
    host.text("hi");
    pass(&mut host, 60, taken);
    assert_eq!(left(&host).len(), 2);
}

#[test]
fn a_text_that_is_tried_again_is_counted_once() {
    let mut host = campaign("rate: { total: 5/day }\n", 7);
    // Each is refused twice before it is taken.
    let stubborn = |message: &Message| match message.attempts.len() {
        3.. => taken(message),
        _ => SendResult::Unavailable(problem("503")),
    };
    pass(&mut host, HOUR, stubborn);
    assert_eq!(by_day(&host), [5]);
    pass(&mut host, DAY, stubborn);
    assert_eq!(by_day(&host), [5, 2]);
}

#[test]
fn an_edit_of_the_rate_counts_for_what_waits() {
    let mut host = campaign("rate: { total: 5/day }\n", 20);
    pass(&mut host, HOUR, taken);
    host.define(file(&format!("{HEAD}rate: {{ total: 8/day }}\n{STEPS}")));
    pass(&mut host, 2 * DAY, taken);
    assert_eq!(by_day(&host), [5, 8, 7]);
    // A file that is gone sets nothing free.
    let mut host = campaign("rate: { total: 5/day }\n", 20);
    pass(&mut host, HOUR, taken);
    host.take(Input::Undefine("wake-cold-leads".to_owned()));
    host.catalog.in_service.clear();
    pass(&mut host, 4 * DAY, taken);
    assert_eq!(by_day(&host), [5, 5, 5, 5]);
}

#[test]
fn two_files_of_one_campaign_are_counted_together() {
    let one = file(&format!(
        "{HEAD}campaign: spring 2026\nrate: {{ total: 6/day }}\n{STEPS}"
    ));
    let two = file(
        "name: Also\non: lead.created\ncampaign: spring 2026\nrate: { total: 6/day }\ncontact: ${{ lead.phone }}\nsteps:\n  - send: \"Hello\"\n",
    );
    let mut host = Host::new(vec![one, two]);
    start(&mut host, 0, 4);
    pass(&mut host, 60, taken);
    for number in 10..15 {
        host.take(Input::Lead(LeadRequest::new(lead(number))));
    }
    pass(&mut host, 60, taken);
    assert_eq!(by_day(&host), [6]);
    pass(&mut host, DAY, taken);
    assert_eq!(by_day(&host), [6, 3]);
}

#[test]
fn a_file_without_these_keys_reads_and_writes_nothing_more() {
    let mut host = Host::new(vec![file(
        "name: Plain\non: call.missed\nsteps:\n  - send: \"Sorry we missed you\"\n",
    )]);
    let act = host.decide(&Input::Call(call("C1", CallOutcome::NoAnswer)));
    let touched = act
        .batch
        .preconditions
        .iter()
        .map(|one| match one {
            crate::model::Precondition::At(key, _) | crate::model::Precondition::Absent(key) => key,
        })
        .chain(act.batch.writes.keys());
    let tables: std::collections::BTreeSet<char> =
        touched.filter_map(keys::table_of).map(char::from).collect();
    assert!(
        tables.iter().all(|table| !"CSLQ".contains(*table)),
        "{tables:?}"
    );
    assert!(!tables.contains(&'t'), "{tables:?}");
    host.call("C1", CallOutcome::NoAnswer);
    host.accept();
    let text = &host.records::<Message>(b'o')[0];
    assert_eq!(text.aside.campaign, None);
    assert_eq!(host.contact().campaign, None);
    assert_eq!(host.run().campaign, None);
}

#[test]
fn a_text_of_a_campaign_costs_so_much() {
    let mut host = campaign(
        "campaign: spring-2026\nbreaker: { failure_rate: \"> 5% of last 100\" }\nrate: { total: 5/day }\n",
        300,
    );
    pass(&mut host, 60, taken);
    // The step that calls the next text of a long line reads a few records of those at
    // its head, and not the line.
    let due = host
        .get::<Campaign>(&keys::campaign("spring-2026"))
        .timer
        .unwrap();
    host.now = keys::timer_due(&due).unwrap();
    let act = host.decide(&Input::Timer(due));
    assert!(
        act.batch.preconditions.len() < 90,
        "{}",
        act.batch.preconditions.len()
    );
}
