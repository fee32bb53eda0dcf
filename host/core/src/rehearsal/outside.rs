//! What steps want done outside, answered: by the mocks of the plan, or by a stated
//! default. Nothing is asked of anybody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use super::RowReader;
use super::plan::{Plan, nobody};
use super::starting;
use crate::engine::{Ask, CallOutcome, CallReport, Compose, Http, Work, WorkResult};
use crate::model::Problem;
use crate::sms;
use crate::workflow::expression::Rows;
use crate::workflow::{FieldKind, FieldType, Mock, MockAnswer};

/// What a model takes.
const THINKS: SignedDuration = SignedDuration::from_secs(2);
/// What a request or a plugin takes.
const ANSWERS: SignedDuration = SignedDuration::from_millis(500);
/// The longest part of something that a note shows, in characters.
const SHOWN: usize = 120;

/// Whoever answers.
pub(super) struct Outside<'a> {
    mock: BTreeMap<String, Mock>,
    /// How often each step was answered.
    times: BTreeMap<String, usize>,
    rows: Option<&'a RowReader<'a>>,
}

/// An answer, how long it takes, and what is said of it.
pub(super) struct Told {
    pub(super) result: WorkResult,
    pub(super) takes: SignedDuration,
    pub(super) text: String,
}

/// How a call of ours goes.
pub(super) struct Goes {
    /// It is not placed at all.
    pub(super) error: Option<String>,
    /// It ends like this; none rings until nobody answered.
    pub(super) report: Option<CallReport>,
    pub(super) text: String,
}

impl<'a> Outside<'a> {
    pub(super) fn new(plan: &Plan, rows: Option<&'a RowReader<'a>>) -> Self {
        Self {
            mock: plan.mock.clone(),
            times: BTreeMap::new(),
            rows,
        }
    }

    /// The mock's answer to this attempt at a step.
    fn mocked(&mut self, step: &str) -> Option<MockAnswer> {
        let Mock(answers) = self.mock.get(step)?;
        let times = self.times.entry(step.to_owned()).or_default();
        let answer = answers.get(*times).or(answers.last()).cloned();
        *times += 1;
        answer
    }

    pub(super) fn answer(&mut self, work: &Work, now: Timestamp) -> Told {
        let what = asked(&work.ask);
        let takes = match &work.ask {
            Ask::Compose(_) | Ask::Classify { .. } | Ask::Extract { .. } => THINKS,
            Ask::Http(_) | Ask::Uses { .. } => ANSWERS,
            Ask::Rows { .. } => SignedDuration::ZERO,
        };
        let (result, text) = match (self.mocked(&work.step), &work.ask) {
            (Some(MockAnswer::Error(error)), _) => {
                let text = format!("{what}: fails as the mock says: {error}");
                (failed(&error, true), text)
            }
            (Some(MockAnswer::Result(value)), Ask::Rows { of }) => {
                let text = format!("{what}: {} as the mock says", counted(&value));
                let all = of
                    .iter()
                    .map(|of| json!({ "of": of, "rows": value }))
                    .collect();
                (WorkResult::Done(Json::Array(all)), text)
            }
            (Some(MockAnswer::Result(value)), Ask::Http(http)) => {
                let text = format!("{what}: {} as the mock says", shown(&value));
                (response(http, value), text)
            }
            (Some(MockAnswer::Result(value)), _) => {
                let text = format!("{what}: {} as the mock says", shown(&value));
                (WorkResult::Done(value), text)
            }
            (None, Ask::Rows { of }) => self.read(&what, of),
            (None, ask) => {
                let (value, said) = usual(ask, now);
                (WorkResult::Done(value), format!("{what}: {said}"))
            }
        };
        Told {
            result,
            takes,
            text,
        }
    }

    fn read(&self, what: &str, of: &[Rows]) -> (WorkResult, String) {
        let mut all = Vec::with_capacity(of.len());
        let mut counts = Vec::with_capacity(of.len());
        for one in of {
            let rows = match (one, self.rows) {
                (Rows::Leads { .. }, _) | (_, None) => Ok(json!([])),
                (_, Some(read)) => read(one),
            };
            match rows {
                Ok(rows) => {
                    counts.push(counted(&rows));
                    all.push(json!({ "of": one, "rows": rows }));
                }
                Err(error) => return (failed(&error, false), format!("{what}: {error}")),
            }
        }
        let text = format!("{what}: {}", counts.join(", "));
        (WorkResult::Done(Json::Array(all)), text)
    }

    pub(super) fn call(&mut self, step: Option<&str>) -> Goes {
        let answer = step.and_then(|step| self.mocked(step));
        let value = match answer {
            None => {
                return Goes {
                    error: None,
                    report: None,
                    text: "nobody answers (no mock)".to_owned(),
                };
            }
            Some(MockAnswer::Error(error)) => {
                let text = format!("it is not placed, as the mock says: {error}");
                return Goes {
                    error: Some(error),
                    report: None,
                    text,
                };
            }
            Some(MockAnswer::Result(value)) => value,
        };
        let word = |name: &str| value.get(name).and_then(Json::as_str).map(str::to_owned);
        let status = word("status").unwrap_or_else(|| "completed".to_owned());
        let voicemail = value.get("voicemail").and_then(Json::as_bool) == Some(true);
        let outcome = match status.to_lowercase().replace('_', "-").as_str() {
            _ if voicemail => CallOutcome::Voicemail,
            "completed" | "answered" => CallOutcome::Completed,
            "busy" => CallOutcome::Busy,
            "failed" => CallOutcome::Failed,
            "canceled" => CallOutcome::Canceled,
            _ => CallOutcome::NoAnswer,
        };
        let talk = value.get("duration").and_then(Json::as_u64);
        let report = CallReport {
            duration: talk
                .and_then(|seconds| u32::try_from(seconds).ok())
                .or((outcome == CallOutcome::Completed).then_some(60)),
            summary: word("summary"),
            transcript: value.get("transcript").cloned(),
            cause: word("hangup_cause"),
            ..starting::report(outcome)
        };
        Goes {
            error: None,
            report: Some(report),
            text: format!("{status}, as the mock says"),
        }
    }
}

fn failed(text: &str, again: bool) -> WorkResult {
    WorkResult::Failed {
        problem: Problem {
            code: "rehearsal".to_owned(),
            text: text.to_owned(),
        },
        again,
    }
}

/// A response fails when its status is not one that the file expects.
fn response(http: &Http, mut value: Json) -> WorkResult {
    let status = value.get("status").and_then(Json::as_u64).unwrap_or(200);
    if let Some(map) = value.as_object_mut() {
        map.insert("status".to_owned(), json!(status));
        map.entry("headers").or_insert_with(|| json!({}));
        map.entry("body").or_insert_with(|| json!(""));
    }
    let fine = match http.expect.is_empty() {
        true => (200..300).contains(&status),
        false => http.expect.iter().any(|one| u64::from(*one) == status),
    };
    match fine {
        true => WorkResult::Done(value),
        false => failed(
            &format!("it answered {status}"),
            status >= 500 || status == 429,
        ),
    }
}

/// What is answered when nothing is said, and the words for it.
fn usual(ask: &Ask, now: Timestamp) -> (Json, String) {
    match ask {
        Ask::Http(http) => {
            let status = http.expect.first().copied().unwrap_or(200);
            let value = json!({ "status": status, "headers": {}, "body": "" });
            (value, format!("{status} and nothing else (no mock)"))
        }
        Ask::Classify { labels, .. } => {
            let label = labels.first().cloned().unwrap_or_default();
            let said = format!("{label:?}, the first label (no mock)");
            (json!({ "label": label }), said)
        }
        Ask::Extract { fields, .. } => {
            let facts: Map<String, Json> = fields
                .iter()
                .map(|(name, kind)| (name.clone(), plausible(name, kind, now)))
                .collect();
            let value = Json::Object(facts);
            let said = format!("{} (no mock)", shown(&value));
            (value, said)
        }
        Ask::Compose(compose) => {
            let text = words(compose);
            let value = json!({ "text": text, "grounds": compose.request });
            (value, "a stand-in for its words (no mock)".to_owned())
        }
        Ask::Uses { .. } => (json!({}), "{} (no mock)".to_owned()),
        Ask::Rows { .. } => (json!([]), "no rows (no mock)".to_owned()),
    }
}

/// What stands for a model's words, no longer than they may be.
fn words(compose: &Compose) -> String {
    let prompt = compose.request.split_whitespace().collect::<Vec<_>>();
    let prompt = prompt.join(" ");
    let most = usize::try_from(compose.max_segments.max(1)).unwrap_or(1);
    let mut length = prompt.chars().count().min(most.saturating_mul(160));
    loop {
        let cut: String = prompt.chars().take(length).collect();
        let more = if length < prompt.chars().count() {
            "..."
        } else {
            ""
        };
        let text = format!("[text by a model: {cut}{more}]");
        if length == 0 || sms::segments(&text).count <= most {
            return text;
        }
        length = length.saturating_sub(8);
    }
}

/// Something of a type; nothing where that is enough.
fn plausible(name: &str, kind: &str, now: Timestamp) -> Json {
    let Some(kind) = FieldType::parse(kind) else {
        return Json::Null;
    };
    if kind.list {
        return json!([]);
    }
    if kind.optional {
        return Json::Null;
    }
    let tomorrow = now
        .checked_add(SignedDuration::from_hours(24))
        .unwrap_or(now);
    match kind.kind {
        FieldKind::String => json!(format!("[{name}]")),
        FieldKind::Number => json!(1),
        FieldKind::Boolean => json!(true),
        FieldKind::Datetime => json!(tomorrow),
        FieldKind::Date => json!(tomorrow.strftime("%Y-%m-%d").to_string()),
        FieldKind::Phone => json!(nobody()),
    }
}

/// What is asked, in a few words.
fn asked(ask: &Ask) -> String {
    match ask {
        Ask::Http(http) => {
            let address = http.url.split(['?', '#']).next().unwrap_or_default();
            format!("{} {address}", http.method)
        }
        Ask::Compose(_) => "a model writes".to_owned(),
        Ask::Classify { .. } => "a model classifies".to_owned(),
        Ask::Extract { .. } => "a model extracts".to_owned(),
        Ask::Uses { plugin, .. } => format!("plugin {plugin}"),
        Ask::Rows { of } => {
            let names: Vec<String> = of
                .iter()
                .map(|one| match one {
                    Rows::Csv { path } | Rows::Json { path } => path.clone(),
                    Rows::Leads { .. } => "leads".to_owned(),
                })
                .collect();
            format!("reads {}", names.join(", "))
        }
    }
}

fn counted(rows: &Json) -> String {
    match rows.as_array().map(Vec::len) {
        Some(1) => "1 row".to_owned(),
        Some(count) => format!("{count} rows"),
        None => "rows that are no list".to_owned(),
    }
}

fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.chars().count() > SHOWN {
        true => text.chars().take(SHOWN).chain(['…']).collect(),
        false => text,
    }
}
