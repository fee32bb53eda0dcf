//! Whether what was expected of a test has come, and in plain words what came
//! instead.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::texts::Sent;
use super::transcript::Transcript;
use super::watch::{Seen, Watch, word};
use super::world::World;
use crate::workflow::{Case, Expectation, TextLike};

/// How near a time must be to the one that is expected.
const NEAR: SignedDuration = SignedDuration::from_mins(1);

/// What a test of a file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The line of the file it begins in.
    pub line: usize,
    /// What did not come as expected; empty when the test has passed.
    pub failures: Vec<Failure>,
    /// What happened.
    pub transcript: Transcript,
}

/// Something that did not come as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The line of the file that expects it.
    pub line: usize,
    /// What was expected, as a sentence without its full stop.
    pub expected: String,
    /// What happened instead, as a sentence without its full stop.
    pub happened: String,
}

impl Outcome {
    /// Whether all of it came as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// As people read it: a line for a test that has passed; for one that has not,
    /// what was expected, what happened, and the transcript.
    pub fn render(&self, file: &str) -> String {
        if self.passed() {
            return format!("ok    {}", self.name);
        }
        let mut out = format!("FAIL  {} ({file}:{})", self.name, self.line);
        for failure in &self.failures {
            out.push_str(&format!(
                "\n  {file}:{}: {}\n    but {}",
                failure.line, failure.expected, failure.happened
            ));
        }
        out.push_str("\n  what happened:");
        for line in self.transcript.to_string().lines() {
            out.push_str("\n    ");
            out.push_str(line);
        }
        let lines = out.lines().map(str::trim_end);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Holds what happened against what was expected.
pub(super) fn judge(case: &Case, world: World<'_>) -> Outcome {
    let mut failures = Vec::new();
    if let Some(cut) = &world.cut {
        failures.push(Failure {
            line: case.line,
            expected: "expected that it comes to an end".to_owned(),
            happened: format!("it was cut off: {cut}"),
        });
    }
    for one in &case.expect {
        if let Err((expected, happened)) = check(&world.watch, &one.what) {
            failures.push(Failure {
                line: one.line,
                expected: format!("expected {expected}"),
                happened,
            });
        }
    }
    Outcome {
        name: case.name.clone(),
        line: case.line,
        failures,
        transcript: world.into_transcript(),
    }
}

/// What was expected, and what happened.
type Missed = (String, String);

fn check(watch: &Watch, what: &Expectation) -> Result<(), Missed> {
    let texts = || watch.texts.values().filter(|one| watch.is_meant(one));
    let left = || texts().filter(|one| one.at.is_some());
    match what {
        Expectation::SentCount(wanted) => {
            let own: Vec<&Sent> = left().filter(|one| one.own).collect();
            let count = u64::try_from(own.len()).unwrap_or(u64::MAX);
            ensure(count == *wanted, || {
                let expected = format!("{} to the contact", plural(*wanted));
                (expected, said(&own, texts()))
            })
        }
        Expectation::Sent(like) => ensure(left().any(|one| is_like(one, like)), || {
            let all: Vec<&Sent> = left().collect();
            (
                format!("a text {}", described(watch, like)),
                said(&all, texts()),
            )
        }),
        Expectation::NotSent(like) => match left().find(|one| is_like(one, like)) {
            None => Ok(()),
            Some(one) => {
                let expected = format!("no text {}", described(watch, like));
                Err((expected, format!("the contact got {:?}", one.body)))
            }
        },
        Expectation::Handoff { to, reason } => handoff(watch, to.as_deref(), reason.as_deref()),
        Expectation::Called(steps) => each(steps, |step| {
            ensure(watch.taken.contains(step), || {
                (format!("that step {step} is taken"), steps_taken(watch))
            })
        }),
        Expectation::NotCalled(steps) => each(steps, |step| {
            ensure(!watch.taken.contains(step), || {
                (format!("that step {step} is not taken"), steps_taken(watch))
            })
        }),
        Expectation::Outcome(wanted) => {
            let fits = |run: &Seen| run.outcome.as_ref().is_some_and(|one| one.contains(wanted));
            ensure(roots(watch).any(fits), || {
                (format!("that it ends with {wanted:?}"), ends(watch))
            })
        }
        Expectation::Status(wanted) => {
            ensure(roots(watch).any(|run| word(run.status) == wanted), || {
                let expected = match wanted.as_str() {
                    "running" => "that it is still under way".to_owned(),
                    wanted => format!("that it is {wanted}"),
                };
                (expected, ends(watch))
            })
        }
        Expectation::DeferredUntil(wanted) => {
            let put_off: Vec<Timestamp> = texts().flat_map(|one| one.deferred.clone()).collect();
            ensure(put_off.iter().any(|at| near(*at, *wanted)), || {
                let happened = match put_off.is_empty() {
                    true => "no text was put off".to_owned(),
                    false => format!("texts were put off until {}", times(watch, &put_off)),
                };
                let wanted = watch.told(*wanted);
                (format!("that a text is put off until {wanted}"), happened)
            })
        }
        Expectation::OptedOut(wanted) => ensure(watch.opted_out == *wanted, || {
            let is = |out: bool| match out {
                true => "the contact has opted out",
                false => "the contact has not opted out",
            };
            (
                format!("that {}", is(*wanted)),
                is(watch.opted_out).to_owned(),
            )
        }),
        Expectation::Result(wanted) => {
            let steps: Vec<(&String, &Json)> = wanted.iter().collect();
            each(&steps, |(step, wanted)| result(watch, step, wanted))
        }
        Expectation::Lead(wanted) => {
            let lead = Json::Object(watch.lead.clone());
            ensure(holds(&lead, &Json::Object(wanted.clone())), || {
                let expected = format!("that the lead has {}", inside(wanted));
                (expected, format!("it is {lead}"))
            })
        }
    }
}

fn ensure(holds: bool, missed: impl FnOnce() -> Missed) -> Result<(), Missed> {
    if holds { Ok(()) } else { Err(missed()) }
}

fn each<T>(all: &[T], check: impl Fn(&T) -> Result<(), Missed>) -> Result<(), Missed> {
    all.iter().try_for_each(check)
}

/// The runs that events started, not their branches.
fn roots(watch: &Watch) -> impl Iterator<Item = &Seen> {
    watch.seen.values().filter(|run| !run.branch)
}

fn handoff(watch: &Watch, to: Option<&str>, reason: Option<&str>) -> Result<(), Missed> {
    let fits = |one: &&(String, String)| {
        to.is_none_or(|to| one.0 == to)
            && reason.is_none_or(|part| squeezed(&one.1).contains(&squeezed(part)))
    };
    ensure(watch.handoffs.iter().any(|one| fits(&one)), || {
        let mut expected = format!("that {} gets the conversation", to.unwrap_or("somebody"));
        if let Some(reason) = reason {
            expected.push_str(&format!(" because of {reason:?}"));
        }
        let all = watch
            .handoffs
            .iter()
            .map(|(to, reason)| match reason.is_empty() {
                true => to.clone(),
                false => format!("{to} ({reason})"),
            });
        let happened = match watch.handoffs.is_empty() {
            true => "nobody got it".to_owned(),
            false => format!("it went to {}", all.collect::<Vec<_>>().join(", ")),
        };
        (expected, happened)
    })
}

fn result(watch: &Watch, step: &str, wanted: &Json) -> Result<(), Missed> {
    let results: Vec<&Json> = watch
        .seen
        .values()
        .filter_map(|run| run.results.get(step).map(|result| &**result))
        .collect();
    ensure(results.iter().any(|one| holds(one, wanted)), || {
        let happened = match results.as_slice() {
            [] => format!("{step} has no result"),
            [.., last] => format!("it is {last}"),
        };
        (format!("that the result of {step} has {wanted}"), happened)
    })
}

/// Whether a value has at least what another has.
fn holds(value: &Json, wanted: &Json) -> bool {
    match (value, wanted) {
        (Json::Object(value), Json::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| holds(value.get(name).unwrap_or(&Json::Null), wanted)),
        (Json::Number(one), Json::Number(two)) => one.as_f64() == two.as_f64(),
        (one, two) => one == two,
    }
}

fn inside(map: &Map<String, Json>) -> String {
    Json::Object(map.clone()).to_string()
}

fn near(one: Timestamp, two: Timestamp) -> bool {
    one.duration_since(two).abs() < NEAR
}

/// Without what nobody sees: ends of lines, several spaces.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_like(text: &Sent, like: &TextLike) -> bool {
    let contains = like.contains.as_ref();
    contains.is_none_or(|part| squeezed(&text.body).contains(&squeezed(part)))
        && like
            .matches
            .as_ref()
            .is_none_or(|one| one.find(&text.body).is_some())
        && like
            .at
            .is_none_or(|at| text.at.is_some_and(|left| near(left, at)))
        && like
            .segments
            .is_none_or(|count| u64::from(text.segments) == count)
        && like
            .step
            .as_ref()
            .is_none_or(|step| text.step.as_ref() == Some(step))
}

fn described(watch: &Watch, like: &TextLike) -> String {
    let mut parts = Vec::new();
    if let Some(part) = &like.contains {
        parts.push(format!("with {part:?} in it"));
    }
    if let Some(pattern) = &like.matches {
        parts.push(format!("that matches {:?}", pattern.source()));
    }
    if let Some(step) = &like.step {
        parts.push(format!("of step {step}"));
    }
    if let Some(count) = like.segments {
        parts.push(format!("of {count} segments"));
    }
    if let Some(at) = like.at {
        parts.push(format!("at {}", watch.told(at)));
    }
    match parts.is_empty() {
        true => "to the contact".to_owned(),
        false => parts.join(" "),
    }
}

/// What the contact got, and what was kept back.
fn said<'s>(got: &[&Sent], all: impl Iterator<Item = &'s Sent>) -> String {
    let mut text = match got {
        [] => "the contact got none".to_owned(),
        got => {
            let bodies: Vec<String> = got.iter().map(|one| format!("{:?}", one.body)).collect();
            let count = u64::try_from(got.len()).unwrap_or(u64::MAX);
            format!("the contact got {}: {}", plural(count), bodies.join(", "))
        }
    };
    for kept in all.filter(|one| one.at.is_none()) {
        let why = kept.reason.as_deref().unwrap_or("nobody says why");
        let status = kept.status.word();
        text.push_str(&format!("; {:?} was {status}: {why}", kept.body));
    }
    text
}

fn plural(count: u64) -> String {
    match count {
        0 => "no text".to_owned(),
        1 => "1 text".to_owned(),
        count => format!("{count} texts"),
    }
}

fn steps_taken(watch: &Watch) -> String {
    let all: Vec<&str> = watch.taken.iter().map(String::as_str).collect();
    match all.is_empty() {
        true => "no step was taken".to_owned(),
        false => format!("these were: {}", all.join(", ")),
    }
}

fn ends(watch: &Watch) -> String {
    let all: Vec<String> = roots(watch)
        .map(|run| match &run.outcome {
            Some(outcome) if outcome == word(run.status) => format!("it is {outcome}"),
            Some(outcome) => format!("it is {}: {outcome}", word(run.status)),
            None => "it is still under way".to_owned(),
        })
        .collect();
    match all.is_empty() {
        true => "it never started".to_owned(),
        false => all.join("; "),
    }
}

fn times(watch: &Watch, all: &[Timestamp]) -> String {
    let all: Vec<String> = all.iter().map(|at| watch.told(*at)).collect();
    all.join(", ")
}
