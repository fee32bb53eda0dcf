//! What steps want done outside, beside texts and calls: requests, questions to a
//! model, calls of plugins, rows of files. The engine says what; whoever performs
//! it answers with [`super::Input::Worked`]. A mark in the store says that it is
//! under way, so that a start finds what the last process left.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::steps::May;
use super::{Answer, Command, Step as Result, Tx, World, fan, runs, steps};
use crate::model::{ConversationId, Problem, Run, RunId, RunStatus, Task, Waiting, keys};
use crate::workflow::Action;
use crate::workflow::expression::Rows;

/// How much longer than it may take the engine waits for an answer, in seconds.
const PATIENCE: u64 = 10;
/// How many files and the like one step may read.
const MOST_ROWS: usize = 16;

/// Something that a step wants done; what comes of it is the step's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The run.
    pub run: RunId,
    /// The step's id.
    pub step: String,
    /// Which of the run's works it is: an answer to another one counts for nothing.
    pub number: u32,
    /// The same for every attempt at the step, for whoever suppresses repeats.
    pub key: String,
    /// Seconds that it may take.
    pub seconds: u64,
    /// What.
    pub ask: Ask,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// A request. Its result is `{status, headers, body}`.
    Http(Http),
    /// A text by a model. Its result is `{text, …}`.
    Compose(Compose),
    /// Which of these labels fits a text. Its result is `{label, confidence}`.
    Classify {
        /// The text.
        text: String,
        /// The labels.
        labels: Vec<String>,
        /// A name of `[models]`; none is the default one.
        model: Option<String>,
    },
    /// What a text says about these things. Its result has their names.
    Extract {
        /// The text.
        text: String,
        /// Names and types: `string`, `number?`, `list[string]`, …
        fields: Vec<(String, String)>,
        /// A name of `[models]`; none is the default one.
        model: Option<String>,
    },
    /// A plugin's step. Its result is the plugin's.
    Uses {
        /// As the file names it: `acme/hubspot@1`.
        plugin: String,
        /// What it is given.
        with: Json,
    },
    /// Rows for expressions. Its result is a list with one list of rows for each.
    Rows {
        /// Of what.
        of: Vec<Rows>,
    },
}

impl Ask {
    /// Whether doing it twice is the same as once, so that one whose fate nobody
    /// knows is simply done again.
    pub fn is_harmless(&self) -> bool {
        match self {
            Self::Http(http) => matches!(http.method.as_str(), "GET" | "HEAD"),
            Self::Compose(_) | Self::Classify { .. } | Self::Extract { .. } | Self::Rows { .. } => {
                true
            }
            Self::Uses { .. } => false,
        }
    }
}

/// A request of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Http {
    /// In capitals.
    pub method: String,
    /// Absolute, http or https.
    pub url: String,
    /// Names and values; `secret:NAME` in a value stands for a secret.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Body,
    /// Statuses that are not an error; empty means 200 to 299.
    pub expect: Vec<u16>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// None.
    Empty,
    /// As `application/json`.
    Json(Json),
    /// As `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// As it is, as `text/plain` unless a header says otherwise.
    Text(String),
}

/// What a model is to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compose {
    /// Who texts.
    pub agent: String,
    /// The conversation it is for.
    pub conversation: ConversationId,
    /// What this step asks for, filled in; empty means an answer to the last text.
    pub request: String,
    /// How many of the last texts it sees.
    pub history: u32,
    /// Names of `[tools]` that it may call.
    pub tools: Vec<String>,
    /// The longest text wanted.
    pub max_segments: u32,
    /// A name of `[models]`; none is the default one.
    pub model: Option<String>,
    /// The values of the run, for the prompt.
    pub variables: Map<String, Json>,
}

/// How a work ended. Whether it may have had an effect was judged by whoever saw
/// it happen.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkResult {
    /// With this result.
    Done(Json),
    /// It certainly had no effect.
    Failed {
        /// Why.
        problem: Problem,
        /// Whether another try may work.
        again: bool,
    },
    /// It may have had an effect.
    Unknown(Problem),
}

/// Begins a work: the mark, the command, and what the run waits for.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &str,
    seconds: u64,
    ask: Ask,
) -> Result<Waiting> {
    run.works = run.works.saturating_add(1);
    let number = run.works;
    let span = i64::try_from(seconds.saturating_add(PATIENCE)).unwrap_or(i64::MAX);
    let due = tx.now.checked_add(SignedDuration::from_secs(span));
    let task = Task::Wake {
        run: run.id.clone(),
    };
    let timer = tx.set_timer(due.unwrap_or(Timestamp::MAX), task)?;
    tx.put(keys::work_in_flight(&run.id), &number)?;
    tx.commands.push(Command::Work(Box::new(Work {
        run: run.id.clone(),
        step: step.to_owned(),
        number,
        key: format!("{}:{step}:{}", run.id, steps::turn(run)),
        seconds,
        ask,
    })));
    Ok(Waiting::Work { number, timer })
}

/// Asks for the rows that the expressions of a step want, with those that they had
/// already: they are only there while the step is taken. Or says why not.
pub(super) fn ask_rows(
    tx: &mut Tx<'_>,
    run: &mut Run,
    step: &str,
    seconds: u64,
    missing: Vec<Rows>,
) -> Result<std::result::Result<Waiting, String>> {
    let had = tx.rows(&run.id);
    let mut of: Vec<Rows> = match had {
        Some(had) if had.is_empty() => {
            return Ok(Err("the rows that it asked for did not come".to_owned()));
        }
        had => had.into_iter().flatten().map(|(of, _)| of).collect(),
    };
    of.extend(missing);
    if of.len() > MOST_ROWS {
        return Ok(Err(format!("it reads more than {MOST_ROWS} files at once")));
    }
    run.wants_rows = true;
    run.rows_at.get_or_insert(tx.now);
    begin(tx, run, step, seconds, Ask::Rows { of }).map(Ok)
}

/// A work has ended.
pub(super) fn worked(
    world: World<'_>,
    tx: &mut Tx<'_>,
    id: &RunId,
    number: u32,
    result: &WorkResult,
) -> Result<Answer> {
    let Some(mut run) = waits_for(tx, id, Some(number))? else {
        return Ok(Answer::Repeat);
    };
    if let WorkResult::Done(result) = result
        && run.wants_rows
    {
        // The step is taken again, with them.
        run.wants_rows = false;
        tx.bring_rows(id.clone(), result);
        runs::again(tx, &mut run)?;
        return Ok(Answer::Done);
    }
    if let WorkResult::Failed { problem, .. } | WorkResult::Unknown(problem) = result
        && fan::is_fan(world, &run)
    {
        let text = format!("for_each: {}", problem.text);
        runs::end(world, tx, &mut run, RunStatus::Failed, &text)?;
        return Ok(Answer::Done);
    }
    let Some(step) = runs::step_at(world, &run).cloned() else {
        return Ok(Answer::Unknown);
    };
    match result {
        WorkResult::Done(result) => {
            steps::done(world, tx, &mut run, &step, result)?;
        }
        WorkResult::Failed { problem, again } => {
            let may = if *again {
                May::BeRetried
            } else {
                May::BeReplaced
            };
            runs::fail_for(world, tx, &mut run, &problem.text, may)?;
        }
        WorkResult::Unknown(problem) => {
            let text = format!("nobody knows whether it was done: {}", problem.text);
            runs::fail_for(world, tx, &mut run, &text, May::BeRetried)?;
        }
    }
    Ok(Answer::Done)
}

/// The process that had a work under way is gone, or nothing was heard of it for
/// too long.
pub(super) fn lost(world: World<'_>, tx: &mut Tx<'_>, id: &RunId, why: &str) -> Result<Answer> {
    let Some(mut run) = waits_for(tx, id, None)? else {
        tx.delete(keys::work_in_flight(id));
        return Ok(Answer::Repeat);
    };
    let harmless = fan::is_fan(world, &run)
        || runs::step_at(world, &run).is_none_or(|step| match &step.action {
            Action::Http(http) => matches!(http.method.as_str(), "GET" | "HEAD"),
            Action::Uses(_) | Action::Notify(_) => false,
            _ => true,
        });
    if harmless {
        run.rows_at = None;
        runs::again(tx, &mut run)?;
        return Ok(Answer::Done);
    }
    // Whoever writes `retry` says that a repeat does no harm.
    let text = format!("nobody knows whether it was done: {why}");
    runs::fail_for(world, tx, &mut run, &text, May::BeRetried)?;
    Ok(Answer::Done)
}

/// The run, when it is under way and waits for a work; its mark is removed.
fn waits_for(tx: &mut Tx<'_>, id: &RunId, wanted: Option<u32>) -> Result<Option<Run>> {
    let Some(run) = tx.get::<Run>(&keys::run(id))? else {
        return Ok(None);
    };
    let waits = match &run.waiting {
        Some(Waiting::Work { number, .. }) => wanted.is_none_or(|wanted| wanted == *number),
        _ => false,
    };
    if run.status != RunStatus::Running || !waits {
        return Ok(None);
    }
    tx.delete(keys::work_in_flight(id));
    Ok(Some(run))
}

/// The result of a work, with what every step's result has.
pub(super) fn result(tx: &Tx<'_>, run: &Run, own: &Json) -> Json {
    let mut result = json!({
        "ok": true, "at": tx.now, "attempts": run.tries.saturating_add(1), "timed_out": false,
    });
    if let (Some(result), Some(own)) = (result.as_object_mut(), own.as_object()) {
        for (name, value) in own {
            result.insert(name.clone(), value.clone());
        }
    }
    result
}
