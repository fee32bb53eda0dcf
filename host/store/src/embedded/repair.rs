//! What a start does about a journal that is damaged where it is not needed any
//! more: the commits in question are all in a snapshot, or in a state that can be
//! believed, of which a snapshot is made first. The damaged files are set aside, and
//! nothing that can be read and is needed goes with them.
//!
//! Where one commit is at stake that is nowhere else, it changes nothing and says
//! which.

use std::fs;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use ringback_core::model::{Key, Revision};

use super::claim::Trust;
use super::disk::Disk;
use super::journal::Journal;
use super::journal::frame::Group;
use super::journal::segment::{self, Salvage};
use super::keeper::each_page;
use super::memtable::{Layers, Memtable};
use super::options::Options;
use super::quiet::quietly;
use super::snapshots::{self, Writer};
use super::start::{self, JOURNAL, REBUILD, SNAPSHOTS, STATE};
use super::state::State;
use super::tally::Expected;
use crate::Error;

/// Commits that cannot be read, from the first to the last; both are of the gap.
type Gap = (Revision, Revision);

/// The extension of a file that was set aside, before its number.
const ASIDE: &str = "damaged-";

/// What is left of a journal.
struct Remains {
    segments: Vec<(Revision, Salvage)>,
    gaps: Vec<Gap>,
    /// From here on it is not known what there was.
    open: Option<Revision>,
    /// The revision after the last one.
    next: Revision,
}

/// Mends the journal, so that a start can be tried again.
///
/// # Errors
/// `problem`, which the first try ended with, if the journal is not what is wrong,
/// or if commits are at stake: then with a word which. Nothing was changed then.
pub(super) fn mend(options: &Options, trust: Trust, problem: Error) -> Result<(), Error> {
    let dir = &options.dir;
    let journal = open(options)?;
    remove_copy(options)?;
    let checkpointed = start::read_checkpoint(dir)?;
    let Ok(newest) = snapshots::newest_whole(&dir.join(SNAPSHOTS)) else {
        return Err(problem);
    };
    let (mut covered, end) = newest.map_or((0, 0), |one| (one.chain.covered(), one.end));
    let known = checkpointed.max(end);
    let mut remains = look(&journal, known)?;
    if let Some(from) = remains.open {
        // Only a clean close says that the checkpoint is the last commit there was.
        if trust != Trust::Clean || remains.next > known + 1 {
            return Err(at_stake(
                problem,
                &format!("all commits from {} on", from.max(covered + 1)),
                covered,
            ));
        }
        remains.gaps.push((from.min(known), known));
        remains.next = known + 1;
    }
    let Some((first, last)) = remains
        .gaps
        .iter()
        .copied()
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    else {
        return Err(problem);
    };
    if last > covered {
        let stake = format!("commits {} to {last}", first.max(covered + 1));
        let believed = trust != Trust::None && last <= checkpointed;
        if !believed {
            return Err(at_stake(problem, &stake, covered));
        }
        match secure(options, trust, checkpointed, &remains) {
            Ok(end) => covered = end,
            // A disk that is full is to be told, and not what it kept from being done.
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the state cannot stand in for the journal");
                return Err(at_stake(problem, &stake, covered));
            }
        }
    }
    if checkpointed < last {
        // It could only go on with what is gone.
        let why = b"the journal that it goes on with is damaged";
        options.disk.replace(&dir.join(REBUILD), why)?;
    }
    set_aside(options, &journal, &remains, last + 1, covered)
}

fn open(options: &Options) -> Result<Journal, Error> {
    let path = options.dir.join(JOURNAL);
    Journal::open(path, options.segment_bytes, options.disk.clone())
}

fn at_stake(problem: Error, which: &str, covered: Revision) -> Error {
    match problem {
        Error::Damaged { file, what } => Error::Damaged {
            file,
            what: format!(
                "{what} (at stake: {which}; the newest whole snapshot holds those up to {covered}, \
                 and no state that can be believed holds more of them)"
            ),
        },
        other => other,
    }
}

/// Reads whatever can be read.
fn look(journal: &Journal, known: Revision) -> Result<Remains, Error> {
    let firsts = journal.firsts();
    let mut remains = Remains {
        next: firsts.first().copied().unwrap_or(known + 1),
        open: firsts.is_empty().then_some(1),
        segments: Vec::new(),
        gaps: Vec::new(),
    };
    for (index, first) in firsts.iter().enumerate() {
        let mut next = remains.next;
        let mut missing = |next: &mut Revision, until: Revision| {
            if *next < until {
                remains.gaps.push((*next, until - 1));
            }
            *next = until.max(*next);
        };
        missing(&mut next, *first);
        let salvage = segment::salvage(&journal.path(*first), *first)?;
        for group in &salvage.groups {
            missing(&mut next, group.first);
            next = next.max(group.end());
        }
        match (salvage.end, firsts.get(index + 1)) {
            (Some(end), _) => missing(&mut next, end),
            (None, Some(following)) => missing(&mut next, *following),
            (None, None) => remains.open = Some(next),
        }
        remains.next = next;
        remains.segments.push((*first, salvage));
    }
    if remains.open.is_none() && remains.next <= known {
        remains.gaps.push((remains.next, known));
        remains.next = known + 1;
        if let Some((_, last)) = remains.segments.last_mut() {
            // Its end looks like one that was never acknowledged, and was.
            last.is_damaged = true;
        }
    }
    Ok(remains)
}

/// Writes a snapshot of the state as it is after the last commit of the journal,
/// which is returned. All that is missing lies before the checkpoint.
///
/// A state that was closed cleanly is the only copy of something now, and would be
/// believed no more if the machine stopped while it is open: so a copy is opened.
fn secure(
    options: &Options,
    trust: Trust,
    checkpointed: Revision,
    remains: &Remains,
) -> Result<Revision, Error> {
    let disk = &options.disk;
    let (state, marker) = (options.dir.join(STATE), options.dir.join(REBUILD));
    if marker.exists() || !state.exists() {
        return Err(Error::State("it is to be rebuilt".into()));
    }
    let copied = state.with_extension(COPY);
    let path = if trust == Trust::Clean {
        copy(&state, &copied, disk)?;
        &copied
    } else {
        &state
    };
    // A sled that has lost its way is not dropped: that may never return.
    let base = ManuallyDrop::new(start::open_new(path, options)?);
    let end = remains.next - 1;
    let work = || {
        let applied = base.applied()?;
        if applied < checkpointed || applied > end {
            return Err(Error::State(format!("it ends with commit {applied}")));
        }
        let mut table = Memtable::default();
        for group in remains.segments.iter().flat_map(|(_, one)| &one.groups) {
            if group.end() > checkpointed + 1 {
                start::add_group(&mut table, group.clone());
            }
        }
        base.apply(&table, Some(end))?;
        disk.flush(base.db(), path)?;
        let (_, tally) = base.count()?;
        let layers = Layers::default();
        let state = State {
            base: &base,
            layers: &layers,
        };
        let mut writer = Writer::full(&options.dir.join(SNAPSHOTS), end, disk)?;
        let page = |from: &Key, limit, bytes| state.scan_all(from, limit, bytes);
        each_page(page, |key, value| writer.pair(key, value))?;
        writer.finish(end, disk, Some(Expected::new(tally)))
    };
    quietly(work).unwrap_or_else(|_| Err(Error::Rotten(start::PANICKED.into())))?;
    drop(ManuallyDrop::into_inner(base));
    remove_copy(options)?;
    tracing::warn!(
        commits = end,
        "wrote a snapshot, since the journal is damaged"
    );
    Ok(end)
}

/// The extension of a copy of the state.
const COPY: &str = "copy";

fn copy(from: &Path, to: &Path, disk: &Disk) -> Result<(), Error> {
    disk.create_dir(to)?;
    for entry in fs::read_dir(from).map_err(Error::io("list", from))? {
        let path = entry.map_err(Error::io("list", from))?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &to, disk)?;
        } else {
            fs::copy(&path, &to).map_err(Error::io("write", &to))?;
        }
    }
    Ok(())
}

/// Removes a copy, also one that a start was stopped over.
fn remove_copy(options: &Options) -> Result<(), Error> {
    let copied = options.dir.join(STATE).with_extension(COPY);
    match copied.exists() {
        true => options.disk.remove_all(&copied),
        false => Ok(()),
    }
}

/// Sets the damaged files aside. What can be read of them from `cut` on is written
/// into another one first.
fn set_aside(
    options: &Options,
    journal: &Journal,
    remains: &Remains,
    cut: Revision,
    covered: Revision,
) -> Result<(), Error> {
    let disk = &options.disk;
    let older = put_aside(options)?;
    let number = older
        .iter()
        .map(|(number, _)| number + 1)
        .max()
        .unwrap_or(1);
    let damaged = remains.segments.iter().filter(|(_, one)| one.is_damaged);
    let last = remains.segments.last();
    if last.is_none() {
        let path = journal.path(cut);
        disk.replace(&path, &segment::build(cut, &[]))?;
        tracing::warn!(
            "the journal is gone; all that is known to have been in it is in the snapshot of \
             commit {covered}, and the store goes on from there"
        );
    }
    for (first, salvage) in damaged {
        let path = journal.path(*first);
        let aside = path.with_extension(format!("{ASIDE}{number}"));
        let kept: Vec<Group> = salvage
            .groups
            .iter()
            .filter(|group| group.first >= cut)
            .cloned()
            .collect();
        let is_last = last.is_some_and(|(last, _)| last == first);
        if *first == cut {
            // Nothing in it can be read, or it would not be.
            disk.rename(&path, &aside)?;
        }
        let begins = kept
            .first()
            .map(|group| group.first)
            .or(is_last.then_some(cut));
        if let Some(begins) = begins {
            disk.replace(&journal.path(begins), &segment::build(begins, &kept))?;
        }
        if *first != cut {
            disk.rename(&path, &aside)?;
        }
        tracing::warn!(
            file = %path.display(), aside = %aside.display(),
            "this part of the journal is damaged and set aside; all that cannot be read of it is \
             in the snapshot of commit {covered}, and nothing is lost. The file may be deleted \
             once all is well"
        );
    }
    if remains.segments.iter().any(|(_, one)| one.is_damaged) {
        for (_, path) in older {
            disk.remove(&path)?;
        }
    }
    disk.sync_dir(&options.dir.join(JOURNAL))
}

/// The files that were set aside, with their numbers.
fn put_aside(options: &Options) -> Result<Vec<(u64, PathBuf)>, Error> {
    let dir = options.dir.join(JOURNAL);
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
        let path = entry.map_err(Error::io("list", &dir))?.path();
        let extension = path.extension().and_then(|one| one.to_str());
        let number = extension.and_then(|one| one.strip_prefix(ASIDE)?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    Ok(found)
}

#[cfg(test)]
#[path = "repair_tests.rs"]
mod tests;
