//! A power cut at every effect of every scenario: before it, after it and in the
//! middle of it, with what was not synced lost, kept or mixed; and a kill there.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ringback_core::model::Revision;

use super::Dice;
use super::image::{Image, Loss};
use super::model::Model;
use super::recorder::{Did, Event};
use super::scenarios::{ALL, Play};
use super::stage::{Recording, Stage};
use super::verdict::{Truth, Verdict, look};
use crate::embedded::disk::Disk;

/// How many effects each scenario has. A new effect has to be looked at here, and
/// has its crash points by that.
const EFFECTS: [(&str, usize); 19] = [
    ("first open", 39),
    ("open what a kill left of a first open", 38),
    ("commits", 49),
    ("rotation", 75),
    ("checkpoint", 18),
    ("merging runs", 42),
    ("merging runs beside checkpoints", 43),
    ("snapshot", 28),
    ("increment", 45),
    ("clean close", 21),
    ("open after a clean close", 31),
    ("open after a kill", 38),
    ("open after a failed sync", 38),
    ("open after another boot", 68),
    ("rebuild by the mark", 50),
    ("compaction", 91),
    ("import", 76),
    ("open over damage that a snapshot covers", 38),
    ("open over damage that the state covers", 49),
];

/// What all crashes of some scenarios came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) effects: usize,
    pub(super) crashes: usize,
    pub(super) distinct: usize,
    pub(super) lost: usize,
    pub(super) torn: usize,
    pub(super) hand: usize,
    /// Kills after which sled was not believed though nothing was wrong with it.
    pub(super) rebuilt: usize,
    /// Which ones, in words.
    pub(super) bad: String,
}

/// A crash to look at.
struct Case {
    what: String,
    /// The boot in which it is opened.
    boot: String,
    killed: bool,
    image: Image,
    acknowledged: Revision,
}

pub(super) fn record(name: &'static str, play: Play, disk: Disk) -> Recording {
    let root = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(root.path(), disk, None);
    if let Err(error) = play(&mut stage) {
        panic!("{name}: {error}");
    }
    stage.finish(name)
}

/// The effects of a scenario's own part.
fn effects(recording: &Recording) -> usize {
    let own = recording.events.iter().skip(recording.from);
    // How many files sled has is its own affair.
    own.filter(|event| matches!(event, Event::Effect(did) if !inside_sled(did)))
        .filter(|event| recording.name != "import" || !makes_ahead(event))
        .count()
}

/// Whether an effect is about a journal segment that is made ahead of need. An
/// import closes at once: whether the keeper got to it is a matter of time.
fn makes_ahead(event: &Event) -> bool {
    matches!(event, Event::Effect(did) if short(did).contains("ahead-"))
}

fn inside_sled(did: &Did) -> bool {
    let Did::Sync(path) = did else {
        return false;
    };
    let name = path.file_name().unwrap().to_str().unwrap();
    name.starts_with("snap.") || name == "conf"
}

/// Crashes a recording everywhere.
pub(super) fn crash_everywhere(recording: &Recording, mixes: usize, tally: &mut Tally) {
    let truth = Arc::new(Truth {
        states: recording.states.clone(),
        whole: recording.whole,
        plant: recording.plant,
    });
    tally.effects += effects(recording);
    let (sender, receiver) = mpsc::sync_channel::<Case>(4);
    let (receiver, verdicts) = (Mutex::new(receiver), Mutex::new(Vec::new()));
    let caught = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Ok(case) = receiver.lock().unwrap().recv() else {
                        break;
                    };
                    let root = tempfile::tempdir().unwrap();
                    case.image.write(root.path());
                    let verdict = look(root.path(), &case.boot, case.acknowledged, &truth);
                    let believed = match (verdict, case.killed) {
                        (Verdict::Rebuilt(_), false) => Verdict::Fine,
                        (Verdict::Rebuilt(_), true) if recording.replaces => Verdict::Fine,
                        (Verdict::Fine, false) if case.image.doubtful() => {
                            Verdict::Torn("sled was believed after a power cut".into())
                        }
                        (other, _) => other,
                    };
                    if !matches!(believed, Verdict::Fine) && recording.plant.is_some() {
                        // One is enough to catch it.
                        caught.store(true, Ordering::SeqCst);
                    }
                    verdicts.lock().unwrap().push((case.what, believed));
                }
            });
        }
        cases(recording, mixes, tally, |case| {
            if !caught.load(Ordering::SeqCst) {
                sender.send(case).unwrap();
            }
        });
        drop(sender);
    });
    for (what, verdict) in verdicts.into_inner().unwrap() {
        let (count, why) = match verdict {
            Verdict::Fine => continue,
            Verdict::Rebuilt(why) => (&mut tally.rebuilt, why),
            Verdict::Lost(why) => (&mut tally.lost, why),
            Verdict::Torn(why) => (&mut tally.torn, why),
            Verdict::Hand(why) => (&mut tally.hand, why),
        };
        *count += 1;
        writeln!(tally.bad, "{what}: {why}").unwrap();
    }
}

fn cases(recording: &Recording, mixes: usize, tally: &mut Tally, mut each: impl FnMut(Case)) {
    let mut model = Model::new();
    let mut seen = HashSet::new();
    let mut acknowledged = 0;
    let mut number = 0;
    for (at, event) in recording.events.iter().enumerate() {
        let mut crash = |what: String, image: Image, killed: bool, acknowledged| {
            tally.crashes += 1;
            // A kill leaves everything that was written, and the boot goes on.
            let boot = image.running().filter(|_| killed);
            let boot = boot.unwrap_or_else(|| "after the crash".into());
            if seen.insert((image.digest(), boot.clone(), acknowledged)) {
                tally.distinct += 1;
                each(Case {
                    what: format!("{}, {what}", recording.name),
                    boot,
                    killed,
                    image,
                    acknowledged,
                });
            }
        };
        let own = at >= recording.from;
        if let Event::Answered(commit) = event {
            acknowledged = acknowledged.max(recording.revisions[*commit].unwrap_or(0));
        }
        let (Event::Effect(did), true) = (event, own) else {
            model.apply(event);
            continue;
        };
        number += 1;
        let words = short(did);
        let mut everywhere = |model: &Model, position: &str| {
            let losses = [("lost", Loss::Everything), ("kept", Loss::Nothing)];
            let mixed = (0..mixes).map(|mix| {
                let dice = Dice::new((number * 1000 + mix) as u64);
                ("mixed", Loss::Some(dice))
            });
            for (name, mut loss) in losses.into_iter().chain(mixed) {
                let what = format!("{position} effect {number} ({words}), unsynced {name}");
                crash(what, model.image(&mut loss), false, acknowledged);
            }
            let what = format!("{position} effect {number} ({words}), killed");
            crash(what, model.image(&mut Loss::Nothing), true, acknowledged);
        };
        everywhere(&model, "before");
        let dice = Dice::new(number as u64);
        let torn = model.torn(did, &mut dice.clone());
        model.apply(event);
        everywhere(&model, "after");
        let what = format!("in effect {number} ({words})");
        crash(what.clone(), torn.clone(), false, acknowledged);
        if let Did::Write(..) | Did::RemoveAll(_) = did {
            crash(format!("{what}, killed"), torn, true, acknowledged);
        }
    }
}

fn short(did: &Did) -> String {
    match did {
        Did::Write(path, at, bytes) => {
            format!("Write {} at {at}, {} bytes", path.display(), bytes.len())
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn proof_every_crash_point() {
    let mixes = if super::long() { 20 } else { 1 };
    let recordings = ALL.map(|(name, play)| record(name, play, Disk::default()));
    let counts = recordings.each_ref().map(|one| (one.name, effects(one)));
    assert_eq!(
        counts, EFFECTS,
        "effects came or went: see that each has its crash points"
    );
    let mut tally = Tally::default();
    for recording in &recordings {
        crash_everywhere(recording, mixes, &mut tally);
    }
    println!(
        "store crash points: {} scenarios, {} effects, {} crashes ({} different disks), {} lost, \
         {} torn, {} that need a hand",
        ALL.len(),
        tally.effects,
        tally.crashes,
        tally.distinct,
        tally.lost,
        tally.torn,
        tally.hand
    );
    assert!(tally.bad.is_empty(), "{}", tally.bad);
}
