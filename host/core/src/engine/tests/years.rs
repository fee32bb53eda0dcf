//! Housekeeping over years of business in virtual time.

use std::collections::BTreeMap;

use super::build::{manual, missed, reply, send, wait, workflow};
use super::retention::{DAY, count, notes, sizes, tidy};
use super::*;
use crate::engine::retention::Sweep;
use crate::model::Entries;

/// What happens in one week: calls of new people, some of whom answer, one of whom
/// says STOP; a text whose fate nobody knows once in a year.
fn week(host: &mut Host, number: u32) {
    for one in 0..4 {
        let from = phone(&format!("+1312{:07}", number * 10 + one));
        let mut report = call(&format!("C{number}-{one}"), CallOutcome::NoAnswer);
        report.from = Some(from.clone());
        host.take(Input::Call(report));
        host.accept();
        let words = match one {
            0 => "Tomorrow at ten?",
            1 => "STOP",
            _ => continue,
        };
        host.take(Input::Text(IncomingText {
            connection: "main".to_owned(),
            provider_id: format!("I{number}-{one}"),
            from,
            to: phone("+15125550100"),
            body: words.to_owned(),
            media: Vec::new(),
            keyword: None,
        }));
        host.accept();
    }
    host.wait(7 * DAY);
    host.accept();
}

/// Two years of business, ten with RINGBACK_PROOF=long; texts are kept for one.
#[test]
fn proof_after_years_the_store_is_as_large_as_what_lives() {
    let long = std::env::var("RINGBACK_PROOF").is_ok_and(|how| how == "long");
    let weeks: u32 = if long { 520 } else { 104 };
    let asks = workflow(
        "asks",
        missed(),
        vec![
            ("ask", "", send("How can we help?")),
            ("answer", "", reply(Some(3_600))),
            ("pause", "", wait(5 * 86_400)),
        ],
        |_| {},
    );
    let patient = workflow(
        "patient",
        manual(),
        vec![
            ("long", "", wait(600 * 86_400)),
            ("hello", "", send("Still there?")),
        ],
        |_| {},
    );
    let mut host = Host::new(vec![asks, patient]);
    host.setup.retention.messages = Some(SignedDuration::from_hours(24 * 365));
    host.setup.retention.calls = Some(SignedDuration::from_hours(24 * 365));
    let mut sweep = Sweep::default();
    host.start("patient");
    let waiting = host.run();
    let unknown = host.send("Is it known?");
    host.result(SendResult::Unknown(problem("timeout")));
    host.wait(DAY);
    // The provider has no list, and says so when it is asked.
    host.take(Input::Looked(unknown.clone(), Finding::Unsupported));
    assert_eq!(host.message(&unknown).status, Status::NeedsReview);
    host.accept();

    let (mut earlier, mut gone, mut woke) = (BTreeMap::new(), 0, false);
    for number in 0..weeks {
        week(&mut host, number);
        gone += tidy(&mut host, &mut sweep);
        if number + 20 == weeks {
            earlier = sizes(&host);
        }
        let run = host.state.get(&keys::run(&waiting.id));
        let run: Option<Run> = run.map(|one| record::decode(&one.value).unwrap());
        woke |= run
            .as_ref()
            .is_some_and(|run| run.status == RunStatus::Finished);
        assert!(run.is_some() || woke, "a run that waits is gone");
    }
    let later = sizes(&host);
    let grown = |table: char| later[&table] as i64 - earlier[&table] as i64;
    println!(
        "retention: {weeks} weeks, {gone} records removed, {} left; runs {} then {}, texts {} then {}",
        later.values().sum::<usize>(),
        earlier[&'r'],
        later[&'r'],
        earlier[&'o'],
        later[&'o'],
    );
    // What grows for ever is people, and what they said about being texted: of each
    // STOP, the text that said it and our confirmation with its name.
    let people = grown('p');
    assert_eq!(people, 19 * 4);
    for (table, stays) in [('o', 2), ('m', 2), ('v', 1)] {
        assert!(
            (grown(table) - people / 4 * stays).abs() <= 2,
            "{earlier:?} {later:?}"
        );
    }
    for table in "abdegijklrstuw".chars() {
        assert!(grown(table).abs() <= 4, "{table}: {earlier:?} {later:?}");
    }

    // Nothing that is left is old and done, seen without the module's own rules.
    let old = |at: Timestamp, days: i64| host.now.duration_since(at).as_secs() > (days + 8) * DAY;
    let runs: Vec<Run> = host.records(b'r');
    assert!(
        runs.iter()
            .all(|run| run.finished_at.is_none_or(|at| !old(at, 90)))
    );
    let entries: Vec<Entries> = host.records(b'e');
    let entries = entries.into_iter().flat_map(Entries::into_vec);
    assert!(entries.into_iter().all(|entry| !old(entry.at, 30)));
    let proofs: Vec<MessageId> = host
        .records::<Contact>(b'p')
        .into_iter()
        .filter_map(|contact| contact.opted_out)
        .flat_map(|out| [out.message, out.confirmation])
        .flatten()
        .collect();
    let texts: Vec<Message> = host.records(b'o');
    for text in texts.iter().filter(|text| old(text.updated_at, 365)) {
        assert!(proofs.contains(&text.id) || text.id == unknown, "{text:?}");
    }
    let all: usize = runs.iter().map(|run| run.notes as usize).sum();
    assert_eq!(
        notes(&host),
        all,
        "a timeline goes with its run, and only then"
    );
    assert_eq!(count(&host, b'm'), texts.len());

    // Nothing that lives is gone.
    assert!(
        proofs
            .iter()
            .all(|id| texts.iter().any(|text| text.id == *id))
    );
    assert_eq!(proofs.len(), weeks as usize * 2);
    assert_eq!(host.message(&unknown).status, Status::NeedsReview);
    assert!(woke, "it waited for 600 days and went on");
}
