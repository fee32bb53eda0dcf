//! What a store is worth after a crash: opened for real, compared with what was
//! acknowledged, written to and opened once more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ringback_core::model::{Key, Revision, State, Versioned};

use super::stage::{batch, block_on};
use crate::embedded::disk::Disk;
use crate::embedded::plant::Plant;
use crate::embedded::tests::test_options;
use crate::embedded::{Options, Sled};
use crate::{Commit, Direction, Store};

/// What a crash did.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Fine,
    /// Fine, and the state was built anew.
    Rebuilt(String),
    /// Something acknowledged is not there.
    Lost(String),
    /// Something is there that no whole number of commits leaves.
    Torn(String),
    /// It does not open, or takes no commits, until somebody mends it.
    Hand(String),
}

/// The state after each commit, from none on.
pub(super) struct Truth {
    pub(super) states: Vec<State>,
    /// All of it or nothing may be there: an import.
    pub(super) whole: bool,
    /// What is wrong with the program that opens it.
    pub(super) plant: Option<Plant>,
}

/// The machine after a crash; there is no reason to sync.
fn options(root: &Path, boot: &str, plant: Option<Plant>) -> Options {
    let disk = Disk {
        sync: Arc::new(|_| Ok(())),
        plant,
        ..Disk::default()
    };
    Options {
        disk,
        boot: Some(boot.into()),
        ..test_options(&root.join("store"))
    }
}

/// Opens what a crash left in a directory.
pub(super) fn look(root: &Path, boot: &str, acknowledged: Revision, truth: &Arc<Truth>) -> Verdict {
    look_with(options(root, boot, truth.plant), acknowledged, truth)
}

/// The same, as the options say.
pub(super) fn look_with(options: Options, acknowledged: Revision, truth: &Arc<Truth>) -> Verdict {
    // A sled that has lost its way may never come back: that is a verdict, too.
    let (sender, answer) = mpsc::channel();
    let truth = Arc::clone(truth);
    std::thread::spawn(move || {
        let work = || judge(&options, acknowledged, &truth);
        let verdict = catch_unwind(AssertUnwindSafe(work));
        let panicked = |_| Verdict::Hand("the store panicked".into());
        let _ = sender.send(verdict.unwrap_or_else(panicked));
    });
    answer
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| Verdict::Hand("it did not open within a minute".into()))
}

const PATIENCE: Duration = Duration::from_secs(60);

fn judge(options: &Options, acknowledged: Revision, truth: &Truth) -> Verdict {
    let before = aside(&options.dir);
    let store = match Sled::open(options.clone()) {
        Ok(store) => store,
        Err(error) => return Verdict::Hand(error.to_string()),
    };
    let revision = block_on(store.health()).revision;
    let found = match pairs(&store) {
        Ok(found) => found,
        Err(why) => return Verdict::Hand(why),
    };
    let Some(state) = usize::try_from(revision)
        .ok()
        .and_then(|at| truth.states.get(at))
    else {
        return Verdict::Torn(format!("it ends with commit {revision}, which never was"));
    };
    if revision < acknowledged {
        return Verdict::Lost(format!(
            "commit {acknowledged} was acknowledged, it has {revision}"
        ));
    }
    if truth.whole && revision != 0 && state.revision() != truth.states.len() as u64 - 1 {
        return Verdict::Torn(format!("a part of it: commit {revision}"));
    }
    let (low, high) = everything();
    let expected: Vec<_> = state
        .range(&low, &high)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if found != expected {
        let missing = expected.iter().filter(|pair| !found.contains(pair)).count();
        let strange = found.iter().filter(|pair| !expected.contains(pair)).count();
        return Verdict::Torn(format!(
            "at commit {revision} {missing} pairs are missing and {strange} are too many"
        ));
    }
    match block_on(store.commit(batch(9_999))) {
        Ok(Commit::Done(proof)) if proof.revision() == revision + 1 => {}
        other => return Verdict::Hand(format!("the next commit: {other:?}")),
    }
    let now = pairs(&store);
    drop(store);
    let again = match Sled::open(options.clone()) {
        Ok(store) => store,
        Err(error) => return Verdict::Hand(format!("the second time: {error}")),
    };
    if pairs(&again) != now {
        return Verdict::Torn("the second time it is another one".into());
    }
    if aside(&options.dir) > before {
        return Verdict::Rebuilt("sled was not believed after a mere kill".into());
    }
    Verdict::Fine
}

/// How many states were put aside so far: the number of the last one.
fn aside(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let numbers = entries.filter_map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_str()?.strip_prefix("sled.damaged-")?.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

fn everything() -> (Key, Key) {
    (Key::new([]), Key::new([255; 64]))
}

fn pairs(store: &Sled) -> Result<Vec<(Key, Versioned)>, String> {
    let (low, high) = everything();
    block_on(store.scan(&low, &high, usize::MAX, Direction::Forward))
        .map_err(|error| error.to_string())
}
