//! Runs under way of a workflow: counting, cancelling and moving them when its file
//! changes or goes. There is no list of them (it would be one more record for every
//! run to write), so all runs are looked through: in the background, in small pages
//! with pauses, and without decoding those that have ended.

use std::sync::Arc;
use std::time::Duration;

use ringback_core::engine::{Answer, Input, may_move};
use ringback_core::model::{Key, PhoneNumber, Run, RunId, RunStatus, keys, record};
use ringback_store::Direction;
use serde::Serialize;
use tracing::{error, info};

use super::{Error, Host};

/// How many runs are read from the store at a time: writers wait meanwhile.
const PAGE: usize = 250;
/// The pause between two pages.
const PAUSE: Duration = Duration::from_millis(2);
/// What stands in the record of every run under way.
const SIGN: &[u8] = br#""status":"running""#;

/// Says in the log how many runs stay on the version before.
pub(super) fn count(host: &Arc<Host>, id: String, before: u32, now: u32, hash: String) {
    let host = Arc::clone(host);
    tokio::spawn(async move {
        let mut stay = 0;
        let mut walk = Walk::new();
        let walked = loop {
            match walk.next(&host, &id, Some(&hash)).await {
                Ok(Some(runs)) => stay += runs.len(),
                Ok(None) => break Ok(()),
                Err(problem) => break Err(problem),
            }
        };
        match walked {
            Ok(()) => {
                let stay = counted(stay, "stays", "stay");
                info!("workflow {id}: v{before} -> v{now}, {stay} on v{before}");
            }
            Err(problem) => {
                error!("workflow {id}: v{before} -> v{now}; could not count its runs: {problem}");
            }
        }
    });
}

/// A workflow's file is gone: its runs are cancelled, or go on to their end. Done
/// `again` by a start, because the process may have ended in the middle of it.
pub(super) fn removed(host: &Arc<Host>, id: String, cancel: bool, again: bool) {
    let host = Arc::clone(host);
    tokio::spawn(async move {
        match go_through(&host, &id, cancel).await {
            Ok(0) if again => {}
            Ok(runs) if cancel => {
                let runs = counted(runs, "was", "were");
                info!("workflow {id}: its file is gone; {runs} cancelled");
            }
            Ok(runs) => {
                let runs = counted(runs, "goes", "go");
                info!("workflow {id}: its file is gone; {runs} on to the end");
            }
            Err(problem) => {
                error!("workflow {id}: its file is gone; could not go through its runs: {problem}")
            }
        }
    });
}

/// `1 run stays`, `2 runs stay`.
fn counted(runs: usize, one: &str, more: &str) -> String {
    match runs {
        1 => format!("1 run {one}"),
        runs => format!("{runs} runs {more}"),
    }
}

async fn go_through(host: &Arc<Host>, id: &str, cancel: bool) -> Result<usize, Error> {
    let mut count = 0;
    let mut walk = Walk::new();
    while let Some(runs) = walk.next(host, id, None).await? {
        for run in runs {
            // A file that came back keeps its runs.
            if cancel && !host.catalog.load().in_service.contains_key(id) {
                host.take_anyway(&Input::Cancel(run.id)).await?;
            }
            count += 1;
        }
    }
    Ok(count)
}

/// The most runs that are named one by one.
const NAMED: usize = 200;

/// What became of a run that was to be moved, or would.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moved {
    /// The run.
    pub id: RunId,
    /// Whom it is about.
    pub contact: Option<PhoneNumber>,
    /// The version it is on, or was.
    pub from: u32,
    /// The step where it stands.
    pub step: Option<String>,
    /// Why it stays; none when it can be moved.
    pub reason: Option<String>,
}

/// What became of a workflow's runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Moves {
    /// How many were moved, or can be.
    pub moved: u64,
    /// How many stay.
    pub stay: u64,
    /// Some of them, those that stay first.
    pub runs: Vec<Moved>,
}

impl Moves {
    fn add(&mut self, one: Moved) {
        let stays = one.reason.is_some();
        match stays {
            true => self.stay += 1,
            false => self.moved += 1,
        }
        let place = match stays {
            true => self.runs.partition_point(|one| one.reason.is_some()),
            false => self.runs.len(),
        };
        self.runs.insert(place, one);
        self.runs.truncate(NAMED);
    }
}

/// Takes a workflow's runs, or one of them, to the version in service; `dry`, only
/// says what would become of them.
pub(crate) async fn move_all(
    host: &Arc<Host>,
    id: &str,
    only: Option<&RunId>,
    dry: bool,
) -> Result<Moves, Error> {
    let mut moves = Moves::default();
    if let Some(only) = only {
        let run: Option<Run> = host.read(&keys::run(only)).await?;
        if let Some(run) = run.filter(|run| run.workflow == id) {
            move_one(host, run, dry, &mut moves).await?;
        }
        return Ok(moves);
    }
    let mut walk = Walk::new();
    while let Some(runs) = walk.next(host, id, None).await? {
        for run in runs {
            move_one(host, run, dry, &mut moves).await?;
        }
    }
    Ok(moves)
}

async fn move_one(host: &Arc<Host>, run: Run, dry: bool, moves: &mut Moves) -> Result<(), Error> {
    let catalog = host.catalog();
    let reason = match may_move(&catalog, &run) {
        _ if run.status != RunStatus::Running => Some("it has ended".to_owned()),
        Ok(false) if dry => return Ok(()),
        Ok(_) if dry => None,
        Err(reason) if dry => Some(reason),
        _ => match host.take_anyway(&Input::Move(run.id.clone())).await? {
            Answer::Repeat => return Ok(()),
            Answer::Refused { text, .. } => Some(text),
            _ => None,
        },
    };
    let own = catalog.by_hash.get(&run.definition);
    let step = own.and_then(|own| own.definition.steps.get(run.cursor));
    moves.add(Moved {
        step: step.map(|step| step.id.clone()),
        id: run.id,
        contact: run.contact,
        from: run.version,
        reason,
    });
    Ok(())
}

/// A walk through all runs.
struct Walk {
    from: Key,
    to: Key,
    over: bool,
}

impl Walk {
    fn new() -> Self {
        let (from, to) = keys::table(b'r');
        let over = false;
        Self { from, to, over }
    }

    /// Those of the next page that are under way and of a workflow, of one version
    /// or of all; `None` at the end.
    async fn next(
        &mut self,
        host: &Host,
        id: &str,
        hash: Option<&str>,
    ) -> Result<Option<Vec<Run>>, Error> {
        if self.over {
            return Ok(None);
        }
        if host.is_stopping() {
            return Err(Error::Stopping);
        }
        let page = host
            .store
            .scan(&self.from, &self.to, PAGE, Direction::Forward)
            .await?;
        match page.last() {
            Some((last, _)) if page.len() == PAGE => self.from = super::after(last),
            _ => self.over = true,
        }
        let mut found = Vec::new();
        for (_, versioned) in &page {
            if !has(&versioned.value, SIGN) {
                continue;
            }
            let run: Run = record::decode(&versioned.value)?;
            let meant = run.workflow == id && hash.is_none_or(|hash| run.definition == hash);
            if meant && run.status == RunStatus::Running {
                found.push(run);
            }
        }
        tokio::time::sleep(PAUSE).await;
        Ok(Some(found))
    }
}

fn has(value: &[u8], sign: &[u8]) -> bool {
    value.windows(sign.len()).any(|part| part == sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_under_way_says_so_in_its_record() {
        let json = include_bytes!("../../../core/src/engine/tests/golden/run.json");
        let mut run: Run = serde_json::from_slice(json).unwrap();
        for (status, is) in [
            (RunStatus::Running, true),
            (RunStatus::Finished, false),
            (RunStatus::Cancelled, false),
            (RunStatus::Failed, false),
        ] {
            run.status = status;
            assert_eq!(has(&record::encode(&run).unwrap(), SIGN), is, "{status:?}");
        }
    }
}
