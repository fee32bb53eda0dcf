//! Every crash point of the engine: each scenario is played once to count its
//! effects (a commit, a request to the world outside), then once for each effect
//! with a crash before it, after it, and torn. Then everything comes to rest, and
//! what the provider has and what the store says must be what it was without the
//! crash.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::Simulation;
use super::super::script::{Position, Script};
use super::long;
use super::scenarios::{Case, all};
use crate::model::{Call, Contact, Conversation, Direction, Message, Run, keys, record};

const POSITIONS: [Position; 4] = [
    Position::Before,
    Position::After,
    Position::TornLost,
    Position::TornKept,
];

/// How a play ended: a line for each text, run, call and contact.
type End = Vec<String>;

fn records<T: serde::de::DeserializeOwned>(simulation: &Simulation, table: u8) -> Vec<T> {
    let (from, to) = keys::table(table);
    let all = simulation.state().range(&from, &to);
    all.map(|(_, value)| record::decode(&value.value).unwrap())
        .collect()
}

fn end(simulation: &Simulation) -> End {
    let mut lines = Vec::new();
    for text in records::<Message>(simulation, b'o') {
        let reason = text
            .reason
            .map(|reason| format!(" ({reason})"))
            .unwrap_or_default();
        lines.push(match text.direction {
            Direction::Inbound => format!("text {:?} from the contact", text.body),
            Direction::Outbound => format!(
                "text {:?} to {}: {}{reason}, {} at the provider",
                text.body,
                text.contact,
                text.status.word(),
                simulation.provider.count(&text.id),
            ),
        });
    }
    for run in records::<Run>(simulation, b'r') {
        let outcome = run.outcome.unwrap_or_default();
        lines.push(format!(
            "run of {} v{}: {:?}, {outcome}",
            run.workflow, run.version, run.status
        ));
    }
    for call in records::<Call>(simulation, b'a') {
        let placed = simulation
            .provider
            .called
            .get(&call.id)
            .copied()
            .unwrap_or(0);
        let status = call.status.word();
        lines.push(match call.direction {
            Direction::Inbound => format!("call from the contact: {status}"),
            Direction::Outbound => format!("call to the contact: {status}, placed {placed} times"),
        });
    }
    for contact in records::<Contact>(simulation, b'p') {
        if contact.opted_out.is_some() {
            lines.push(format!("{} opted out", contact.phone));
        }
    }
    for conversation in records::<Conversation>(simulation, b'c') {
        if let Some(handoff) = conversation.handoff {
            lines.push(format!("{} has the conversation", handoff.to));
        }
    }
    lines.sort();
    lines
}

/// Plays a case with crashes at these effects; how it ended, with the number of
/// effects.
fn play(case: &Case, crashes: Vec<(u64, Position)>) -> Result<(End, u64), String> {
    let script = Script {
        wire: case.wire.clone().into(),
        reports: case.reports,
        crashes: crashes.into(),
        ..Script::default()
    };
    let mut simulation =
        Simulation::scripted(case.scenario.clone(), script, case.happenings.clone()).with_story();
    simulation.play().map_err(|failure| failure.to_string())?;
    let effects = simulation
        .script
        .as_ref()
        .map_or(0, |script| script.effects);
    Ok((end(&simulation), effects))
}

/// How often each text is at the provider, whatever else is said of it.
fn at_provider(end: &End) -> BTreeMap<&str, u32> {
    let mut times = BTreeMap::new();
    for line in end {
        let body = line.split(": ").next().unwrap_or_default();
        let many = line
            .rsplit_once(", ")
            .and_then(|(_, rest)| rest.split(' ').next());
        let many = many.and_then(|many| many.parse::<u32>().ok()).unwrap_or(0);
        *times.entry(body).or_default() += many;
    }
    times
}

/// Leaves out the text that the STOP may or may not have called off, where one of
/// the two is what became of it.
fn settled(case: &Case, mut end: End) -> End {
    if let Some(body) = case.stopped {
        let sent = |line: &str| line.ends_with("accepted, 1 at the provider");
        let off = |line: &str| line.ends_with("), 0 at the provider") && line.contains("(opt");
        end.retain(|line| !(line.contains(body) && (sent(line) || off(line))));
    }
    end
}

#[derive(Default)]
struct Sum {
    effects: u64,
    crashes: u64,
    lost: Vec<String>,
    doubled: Vec<String>,
}

fn compare(case: &Case, crashes: &[(u64, Position)], first: &End, sum: &mut Sum) {
    sum.crashes += crashes.len() as u64;
    let at = format!("{}, crashes {crashes:?}", case.name);
    let last = match play(case, crashes.to_vec()) {
        Ok((last, _)) => last,
        Err(failure) if failure.starts_with("I3") => {
            sum.doubled.push(format!("{at}: {failure}"));
            return;
        }
        Err(failure) => {
            sum.lost.push(format!("{at}: {failure}"));
            return;
        }
    };
    let last = settled(case, last);
    let first = &settled(case, first.clone());
    if last == *first || case.also.contains(&last) {
        return;
    }
    let (had, has) = (at_provider(first), at_provider(&last));
    let more = has
        .iter()
        .any(|(text, times)| *times > had.get(text).copied().unwrap_or(1));
    let text = format!("{at}\n  without: {first:#?}\n  with: {last:#?}");
    match more {
        true => sum.doubled.push(text),
        false => sum.lost.push(text),
    }
}

/// All scenarios, with every crash; the snapshot says how each ends without one.
fn every(cases: &[Case]) -> (Sum, String) {
    let mut sum = Sum::default();
    let mut told = String::new();
    for case in cases {
        let (first, effects) = match play(case, Vec::new()) {
            Ok(played) => played,
            Err(failure) => {
                sum.lost.push(format!("{}: {failure}", case.name));
                continue;
            }
        };
        let _ = writeln!(told, "{}: {effects} effects", case.name);
        for line in &first {
            let _ = writeln!(told, "  {line}");
        }
        sum.effects += effects;
        for effect in 1..=effects {
            for position in POSITIONS {
                compare(case, &[(effect, position)], &first, &mut sum);
                // In the long form the host dies once more on its way back.
                let again = if long() { effect + 8 } else { effect };
                for second in effect + 1..=again {
                    for other in [Position::Before, Position::After] {
                        compare(
                            case,
                            &[(effect, position), (second, other)],
                            &first,
                            &mut sum,
                        );
                    }
                }
            }
        }
    }
    (sum, told)
}

#[test]
fn proof_crash_points() {
    let cases = all();
    let (sum, told) = every(&cases);
    println!(
        "crash points: {} scenarios, {} effects, {} crashes, {} lost, {} doubled",
        cases.len(),
        sum.effects,
        sum.crashes,
        sum.lost.len(),
        sum.doubled.len(),
    );
    for bad in sum.lost.iter().chain(&sum.doubled).take(3) {
        println!("{bad}");
    }
    assert!(sum.lost.is_empty() && sum.doubled.is_empty());
    // A new effect, or another end, is looked at by a person.
    insta::assert_snapshot!(told);
}

/// The crash points catch what concerns crashes, without any chance.
#[test]
fn proof_crash_points_catch_planted_faults() {
    use crate::planted::{Planted, with};
    let cases = all();
    for mistake in [
        Planted::CommandsFirst,
        Planted::AnswerFirst,
        Planted::ForgetLost,
        Planted::UnknownIsRefused,
        Planted::NoAttemptLimit,
        Planted::TimerIdle,
        Planted::NewDefinition,
        Planted::AbsentTooSoon,
    ] {
        let (sum, told) = with(mistake, || every(&cases));
        let caught = sum.lost.len() + sum.doubled.len();
        let (_, right) = every_without(&cases);
        assert!(caught > 0 || told != right, "{mistake:?} is not caught");
    }
}

/// How the scenarios end, without a crash.
fn every_without(cases: &[Case]) -> (u64, String) {
    let mut told = String::new();
    let mut all = 0;
    for case in cases {
        let (first, effects) = play(case, Vec::new()).unwrap();
        all += effects;
        let _ = writeln!(told, "{}: {effects} effects", case.name);
        for line in &first {
            let _ = writeln!(told, "  {line}");
        }
    }
    (all, told)
}
