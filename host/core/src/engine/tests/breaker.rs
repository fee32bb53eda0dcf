//! Campaigns that pause themselves or are paused, what is counted, and how they go on.

use serde_json::json;

use super::campaigns::{
    DAY, HEAD, HOUR, STEPS, campaign, lead, left, pass, record, score, start, taken,
};
use super::flow::file;
use super::*;
use crate::workflow::parse;

/// A provider that refuses those whose number says so.
fn refuses(bad: impl Fn(u32) -> bool) -> impl Fn(&Message) -> SendResult {
    move |message| {
        let number: u32 = message.contact.as_str()[8..].parse().unwrap();
        match message.contact.as_str().starts_with("+1312555") && bad(number) {
            true => SendResult::Rejected(problem("30006")),
            false => taken(message),
        }
    }
}

const BREAKER: &str = "campaign: spring-2026\nbreaker: { failure_rate: \"> 5% of last 100\", opt_out_rate: \"> 2% of last 100\", notify: ann }\n";

/// A contact writes.
fn writes(host: &mut Host, number: u32, body: &str) {
    host.issued += 1;
    host.take(Input::Text(IncomingText {
        connection: "main".to_owned(),
        provider_id: format!("I{}", host.issued),
        from: lead(number),
        to: phone("+15125550100"),
        body: body.to_owned(),
        media: Vec::new(),
        keyword: None,
    }));
    pass(host, 1, taken);
}

#[test]
fn too_many_failures_pause_it_and_somebody_is_told_once() {
    let rate = "rate: { total: 10000/hour }\nintent: transactional\n";
    let mut host = campaign(&format!("{BREAKER}{rate}"), 200);
    pass(&mut host, 600, refuses(|n| n % 10 == 0));
    // The sixth failure: fifty and some more texts were tried.
    let sums = score(&host);
    assert_eq!(sums.failed, 6, "{sums:?}");
    let pause = record(&host).paused.unwrap();
    assert!(
        pause
            .to_string()
            .starts_with("paused by its breaker: 6 of the last "),
        "{pause}"
    );
    assert!(
        pause
            .to_string()
            .ends_with(" texts failed, and 5% of 100 is the most"),
        "{pause}"
    );
    let notices: Vec<Message> = host
        .records::<Message>(b'o')
        .into_iter()
        .filter(|one| one.origin == Origin::Notice)
        .collect();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].contact, phone("+15125550199"));
    assert!(
        notices[0]
            .body
            .starts_with("The campaign spring-2026 paused itself: 6 of")
    );
    assert!(
        notices[0]
            .body
            .ends_with(" texts wait. To let it go on: ringback campaigns resume spring-2026")
    );
    // Nothing leaves, nothing starts; whoever waits says why.
    let (tried, runs) = (left(&host).len(), host.runs().len());
    let held = |host: &Host| {
        let all: Vec<Message> = host.records(b'o');
        let held = all.iter().filter(|one| one.status == Status::Scheduled);
        held.map(|one| {
            let said = &one.verdicts.last().unwrap().reason;
            assert!(
                said.starts_with("its campaign is paused by its breaker: 6 of"),
                "{said}"
            );
            assert_eq!(one.reason.as_deref(), Some("campaign_paused"));
        })
        .count()
    };
    let waiting = held(&host);
    assert!(waiting > 20, "{waiting}");
    pass(&mut host, 3 * DAY, taken);
    assert_eq!((left(&host).len(), host.runs().len()), (tried, runs));
    assert_eq!(held(&host), waiting);
    // A person lets it go on: it counts anew, and everybody gets their text.
    assert_eq!(
        host.take(Input::Resume("spring-2026".to_owned())),
        Answer::Done
    );
    assert_eq!(
        host.take(Input::Resume("spring-2026".to_owned())),
        Answer::Repeat
    );
    pass(&mut host, DAY, taken);
    assert_eq!(record(&host).paused, None);
    assert_eq!(score(&host).sent, 194);
    assert_eq!(host.runs().len(), 201);
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Finished)
    );
    assert_eq!(host.told("campaign.paused"), 1);
    assert_eq!(host.told("campaign.resumed"), 1);
}

#[test]
fn as_many_as_are_allowed_pause_nothing() {
    let mut host = campaign(&format!("{BREAKER}intent: transactional\n"), 200);
    // Five of the last hundred at any time.
    pass(&mut host, 600, refuses(|n| n % 25 == 0));
    assert_eq!(score(&host).failed, 8);
    assert_eq!(record(&host).paused, None);
    assert_eq!(score(&host).outcomes.len(), 100);
}

#[test]
fn reports_count_and_correct() {
    let mut host = campaign(&format!("{BREAKER}intent: transactional\n"), 50);
    pass(&mut host, 60, taken);
    let report = |host: &mut Host, number: u32, delivery: Delivery| {
        let all: Vec<Message> = host.records(b'o');
        let one = all
            .into_iter()
            .find(|one| one.contact == lead(number))
            .unwrap();
        host.take(Input::Report(Report {
            connection: "main".to_owned(),
            provider_id: one.provider_id.unwrap(),
            id: Some(one.id),
            delivery,
        }));
        pass(host, 1, taken);
    };
    for number in 0..5 {
        report(&mut host, number, Delivery::Undelivered(problem("30003")));
    }
    // It arrived after all, so the next is the fifth and not the sixth.
    report(&mut host, 0, Delivery::Delivered);
    report(&mut host, 5, Delivery::Failed(problem("30003")));
    let sums = score(&host);
    assert_eq!((sums.sent, sums.delivered, sums.failed), (50, 1, 5));
    assert_eq!(record(&host).paused, None);
    report(&mut host, 6, Delivery::Undelivered(problem("30003")));
    assert!(record(&host).paused.is_some());
}

#[test]
fn opt_outs_count_for_the_campaign_that_texted_last() {
    let mut host = campaign(&format!("{BREAKER}intent: transactional\n"), 60);
    pass(&mut host, 60, taken);
    writes(&mut host, 1, "who is this?");
    writes(&mut host, 1, "STOP");
    writes(&mut host, 1, "STOP");
    writes(&mut host, 2, "stop");
    assert_eq!(record(&host).paused, None);
    let sums = score(&host);
    assert_eq!((sums.people, sums.replied, sums.opted_out), (60, 1, 2));
    // Who was never texted by it, and who says so much later, is not its concern.
    writes(&mut host, 99, "STOP");
    let late = host.now;
    host.now += SignedDuration::from_hours(31 * 24);
    writes(&mut host, 3, "STOP");
    assert_eq!(score(&host).opted_out, 2);
    host.now = late;
    writes(&mut host, 4, "STOP");
    let pause = record(&host).paused.unwrap();
    assert_eq!(
        pause.why,
        "3 of the last 60 people opted out, and 2% of 100 is the most"
    );
}

#[test]
fn after_it_goes_on_it_counts_anew() {
    let again = "intent: transactional\nenroll: { again: always }\n";
    let mut host = campaign(&format!("{BREAKER}{again}"), 20);
    pass(&mut host, 60, taken);
    for number in 0..3 {
        writes(&mut host, number, "STOP");
    }
    assert!(record(&host).paused.is_some());
    host.take(Input::Resume("spring-2026".to_owned()));
    for number in 0..3 {
        writes(&mut host, number, "START");
    }
    host.now += SignedDuration::from_hours(1);
    start(&mut host, 0, 20);
    pass(&mut host, 60, taken);
    let sums = score(&host);
    assert_eq!((sums.sent, sums.people, sums.opted_out), (40, 20, 3));
    assert_eq!((sums.persons.len(), sums.persons.marked()), (20, 0));
    writes(&mut host, 0, "STOP");
    writes(&mut host, 1, "STOP");
    assert_eq!(record(&host).paused, None);
    writes(&mut host, 2, "STOP");
    assert!(record(&host).paused.is_some());
    assert_eq!(score(&host).opted_out, 6);
}

#[test]
fn nobody_leaves_while_it_is_paused_whatever_held_them() {
    // In the evening: quiet hours hold everybody, and then a person pauses it.
    let mut host = campaign("campaign: spring-2026\n", 5);
    host.now = "2026-11-19T03:30:00Z".parse().unwrap();
    pass(&mut host, 60, taken);
    assert_eq!(left(&host).len(), 0);
    host.take(Input::Pause("spring-2026".to_owned(), String::new()));
    pass(&mut host, DAY, taken);
    assert_eq!((left(&host).len(), record(&host).waiting()), (0, 5));
    // A host that starts again knows it from its records.
    host.take(Input::Resume("spring-2026".to_owned()));
    pass(&mut host, DAY, taken);
    assert_eq!((left(&host).len(), record(&host).waiting()), (5, 0));
    assert!(
        host.runs()
            .iter()
            .all(|run| run.status == RunStatus::Finished)
    );
}

#[test]
fn what_a_provider_may_have_got_is_not_sent_again_while_it_is_paused() {
    let mut setup = build::setup();
    setup.connections.get_mut("main").unwrap().idempotent = true;
    let source = format!("{HEAD}campaign: spring-2026\nintent: transactional\n{STEPS}");
    let mut host = Host::with(setup, vec![file(&source)]);
    start(&mut host, 0, 1);
    pass(&mut host, 1, |_| SendResult::Unknown(problem("reset")));
    host.take(Input::Pause("spring-2026".to_owned(), String::new()));
    pass(&mut host, HOUR, taken);
    let text = &host.records::<Message>(b'o')[0];
    assert_eq!((text.status, text.attempts.len()), (Status::NeedsReview, 1));
}

#[test]
fn an_opt_out_before_the_provider_answered_counts() {
    let mut host = campaign(&format!("{BREAKER}intent: transactional\n"), 1);
    host.wait(1);
    let [id] = <[_; 1]>::try_from(host.leaving()).unwrap();
    host.issued += 1;
    host.take(Input::Text(IncomingText {
        connection: "main".to_owned(),
        provider_id: "I1".to_owned(),
        from: lead(0),
        to: phone("+15125550100"),
        body: "STOP".to_owned(),
        media: Vec::new(),
        keyword: None,
    }));
    host.wait(1);
    let told = taken(&host.message(&id));
    host.take(Input::Sent(id, told));
    pass(&mut host, 10, taken);
    assert_eq!(score(&host).opted_out, 1);
}

#[test]
fn paused_by_hand_nothing_starts_and_nothing_is_lost() {
    let source = "name: Greet\non: lead.created\nintent: transactional\ncampaign: spring 2026\ncontact: ${{ lead.phone }}\nsteps:\n  - send: \"Welcome, {{ lead.name }}!\"\n";
    let mut host = Host::new(vec![file(source)]);
    let arrives = |host: &mut Host, number: u32| {
        let mut told = LeadRequest::new(lead(number));
        told.fields
            .insert("name".to_owned(), json!(format!("n{number}")));
        host.take(Input::Lead(told));
        pass(host, 1, taken);
    };
    arrives(&mut host, 1);
    assert_eq!(left(&host).len(), 1);
    let pause = Input::Pause("spring-2026".to_owned(), "over the holidays".to_owned());
    assert_eq!(host.take(pause.clone()), Answer::Done);
    assert_eq!(host.take(pause), Answer::Repeat);
    let none = Input::Pause("autumn".to_owned(), String::new());
    assert_eq!(host.take(none), Answer::Unknown);
    for number in 2..40 {
        arrives(&mut host, number);
    }
    assert_eq!((host.runs().len(), left(&host).len()), (1, 1));
    assert_eq!(host.told("run.queued"), 38);
    assert_eq!(record(&host).starts_waiting(), 38);
    writes(&mut host, 5, "STOP");
    host.take(Input::Resume("spring-2026".to_owned()));
    pass(&mut host, 10, taken);
    // All but the one who said stop, and the confirmation of that.
    assert_eq!(host.runs().len(), 38);
    assert_eq!(left(&host).len(), 39);
    assert_eq!(record(&host).starts_waiting(), 0);
    assert!(host.records::<serde_json::Value>(b'Q').is_empty());
}

#[test]
fn what_is_wrong_with_it_is_said() {
    let known = build::setup().known();
    let told = |keys: &str| {
        let parsed = parse(&format!("{HEAD}{keys}{STEPS}"), "a.yaml", &known);
        let all = parsed.result.err().unwrap_or_default();
        all.iter()
            .map(|one| one.message.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("breaker: { failure_rate: \"> 2% of last 100\", notify: owner }\n"),
        ["there is no person `owner`"]
    );
}
