//! What a start does: claim the directory, open sled or rebuild it, replay the
//! journal. It deletes nothing but unfinished files of its own.

use std::fs::{self, File};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringback_core::model::Revision;

use super::base::Base;
use super::cells;
use super::claim::{self, Trust};
use super::disk::Disk;
use super::journal::Journal;
use super::journal::frame::Group;
use super::journal::segment;
use super::memtable::{Layers, Memtable};
use super::options::Options;
use super::quiet::quietly;
use super::rebuild;
use super::repair;
use super::shared::View;
use super::snapshot::{self, Kind};
use super::snapshots;
use crate::Error;

pub(super) const STATE: &str = "sled";
pub(super) const JOURNAL: &str = "journal";
const CHECKPOINT: &str = "checkpoint";
pub(super) const SNAPSHOTS: &str = "snapshots";

/// A file of this name asks the next start to rebuild the state.
pub(super) const REBUILD: &str = "rebuild";

/// A store that is ready for commits.
pub(super) struct Started {
    pub(super) view: View,
    pub(super) journal: Journal,
    /// The last commit there is.
    pub(super) revision: Revision,
    pub(super) checkpointed: Revision,
}

pub(super) const PANICKED: &str = "sled stopped at an internal error";

/// How an attempt to open sled went.
enum Opened<T> {
    Fine(T),
    /// For somebody to look at, later; the state is rebuilt.
    Damaged(String),
    /// There is none yet, as after an import.
    New,
    /// Nothing is wrong with it, and this program lays pairs out in another way;
    /// it is rebuilt too.
    Outdated,
}

/// Opens the store of a directory.
pub(super) fn start(options: &Options) -> Result<Started, Error> {
    let dir = &options.dir;
    let disk = &options.disk;
    disk.create_dir(dir)?;
    let claim = claim::take(dir, disk)?;
    disk.remove_unfinished(dir)?;
    let is_new = !dir.join(JOURNAL).exists();
    claim::check_format(dir, is_new, disk)?;
    let snapshots = dir.join(SNAPSHOTS);
    disk.create_dir(&snapshots)?;
    disk.remove_unfinished(&snapshots)?;
    let trust = claim::last_run(dir, options.boot.as_deref())?;
    let reached = match reach(options, trust) {
        Err(problem @ Error::Damaged { .. }) => {
            repair::mend(options, trust, problem)?;
            reach(options, trust)?
        }
        reached => reached?,
    };
    let state = dir.join(STATE);
    rebuild::remove_replaced(&state, disk)?;
    rebuild::remove_older_asides(&state, disk)?;
    let path = state.join("db");
    let file = File::open(&path).map_err(Error::io("open", &path))?;
    let view = View {
        base: Arc::new(reached.base),
        layers: Layers::new(reached.replayed),
        file,
        claim,
    };
    Ok(Started {
        view,
        journal: reached.journal,
        revision: reached.end,
        checkpointed: reached.checkpointed,
    })
}

/// The last commit of a store, and what it took to get there.
struct Reached {
    base: Base,
    replayed: Memtable,
    end: Revision,
    journal: Journal,
    checkpointed: Revision,
}

/// Opens the state or rebuilds it, and replays the journal.
fn reach(options: &Options, trust: Trust) -> Result<Reached, Error> {
    let (dir, disk) = (&options.dir, &options.disk);
    let snapshots = dir.join(SNAPSHOTS);
    let journal = Journal::open(dir.join(JOURNAL), options.segment_bytes, disk.clone())?;
    let mut checkpointed = read_checkpoint(dir)?;
    if journal.first().is_none() && (checkpointed > 0 || holds_commits(&snapshots)?) {
        return Err(Error::Damaged {
            file: dir.join(JOURNAL),
            what: "its segments are missing; put the folder back from a backup, or import the \
                   latest export into a new folder"
                .into(),
        });
    }
    journal.settle()?;
    let state = dir.join(STATE);
    let marker = dir.join(REBUILD);
    if trust == Trust::Clean && state.exists() && !marker.exists() {
        // Before the state is opened, which may be all there is of what is missing.
        let end = journal.replay(checkpointed + 1, |_| Ok(()))? - 1;
        if end < checkpointed {
            return Err(ends_early(dir, end, checkpointed));
        }
    }
    claim::begin_run(dir, options.boot.as_deref(), &marker, disk)?;
    let opened = if marker.exists() {
        let why = fs::read_to_string(&marker).map_err(Error::io("read", &marker))?;
        Opened::Damaged(why)
    } else if !state.exists() && journal.first().is_some() {
        match checkpointed {
            0 => Opened::New,
            _ => Opened::Damaged("it is missing".into()),
        }
    } else {
        open_and_replay(&state, options, &journal, checkpointed)?
    };
    let (base, replayed, end) = if let Opened::Fine(opened) = opened {
        opened
    } else {
        checkpointed = match opened {
            Opened::Damaged(why) => {
                tracing::error!(
                    state = %state.display(), %why,
                    "the state is not to be trusted; rebuilding it from snapshot and journal"
                );
                rebuild::rebuild(options, &state, &journal, checkpointed)?
            }
            Opened::New => {
                tracing::info!("building the state from snapshot and journal");
                rebuild::renew(options, &state, &journal, checkpointed)?
            }
            Opened::Fine(_) | Opened::Outdated => {
                tracing::info!(
                    state = %state.display(),
                    "an earlier ringback laid the state out in another way; building it anew \
                     from snapshot and journal, which may take a while"
                );
                rebuild::renew(options, &state, &journal, checkpointed)?
            }
        };
        write_checkpoint(dir, checkpointed, disk)?;
        if marker.exists() {
            disk.remove(&marker)?;
            disk.sync_dir(dir)?;
        }
        match open_and_replay(&state, options, &journal, checkpointed)? {
            Opened::Fine(opened) => opened,
            Opened::Damaged(why) => return Err(Error::State(why)),
            Opened::New | Opened::Outdated => {
                return Err(Error::State("it is laid out wrongly".into()));
            }
        }
    };
    Ok(Reached {
        base,
        replayed,
        end,
        journal,
        checkpointed,
    })
}

/// Whether there is a snapshot of more than nothing.
fn holds_commits(folder: &Path) -> Result<bool, Error> {
    match snapshots::list(folder)?.first() {
        Some(newest) => Ok(snapshot::open(Kind::Full, newest)?.verify()? > 0),
        None => Ok(false),
    }
}

/// How much of the journal a start holds in memory before it brings it into sled:
/// more than there is, unless checkpoints failed for long.
const REPLAYED: usize = 64 * 1024 * 1024;

/// Opens sled and reads the journal from the checkpoint on, up to its end, which
/// is part of the answer.
fn open_and_replay(
    state: &Path,
    options: &Options,
    journal: &Journal,
    checkpointed: Revision,
) -> Result<Opened<(Base, Memtable, Revision)>, Error> {
    let base = match open(state, options)? {
        Opened::Fine(base) => base,
        Opened::Damaged(why) => return Ok(Opened::Damaged(why)),
        Opened::New => return Ok(Opened::New),
        Opened::Outdated => return Ok(Opened::Outdated),
    };
    // Kept from being dropped while a panic unwinds: that would flush, and a
    // sled that has lost its way never returns from it.
    let base = ManuallyDrop::new(base);
    let replayed = quietly(|| {
        if !base.is_laid_out()? {
            return Ok(None);
        }
        let applied = base.applied()?;
        // What a checkpoint synced has to be there. If it is not, sled recovered
        // to an earlier point than it should have.
        if applied < checkpointed {
            return Err(Error::Rotten(format!(
                "it ends with commit {applied}, and {checkpointed} was synced"
            )));
        }
        let mut table = Memtable::default();
        let end = journal.replay(checkpointed + 1, |group| {
            add_group(&mut table, group);
            drain(&base, &mut table, REPLAYED)
        })? - 1;
        Ok(Some((applied, table, end)))
    });
    match replayed {
        Ok(Ok(Some((applied, table, end)))) if end >= applied => {
            Ok(Opened::Fine((ManuallyDrop::into_inner(base), table, end)))
        }
        Ok(Ok(None)) => {
            drop(ManuallyDrop::into_inner(base));
            Ok(Opened::Outdated)
        }
        Ok(Ok(Some((applied, _, end)))) => {
            drop(ManuallyDrop::into_inner(base));
            Err(ends_early(&options.dir, end, applied))
        }
        Ok(Err(Error::Rotten(why))) => {
            drop(ManuallyDrop::into_inner(base));
            Ok(Opened::Damaged(why))
        }
        Ok(Err(error)) => {
            drop(ManuallyDrop::into_inner(base));
            Err(error)
        }
        Err(_) => Ok(Opened::Damaged(PANICKED.into())),
    }
}

fn ends_early(dir: &Path, end: Revision, acknowledged: Revision) -> Error {
    Error::Damaged {
        file: dir.join(JOURNAL),
        what: format!(
            "it ends with commit {end}, and commit {acknowledged} was acknowledged; {}",
            segment::ADVICE
        ),
    }
}

/// Adds a group of the journal to a memtable.
pub(super) fn add_group(table: &mut Memtable, group: Group) {
    for (revision, writes) in (group.first..).zip(group.commits) {
        table.add(revision, writes);
    }
}

/// Brings a memtable into sled and empties it, if it holds so many bytes.
pub(super) fn drain(base: &Base, table: &mut Memtable, at: usize) -> Result<(), Error> {
    if table.bytes() < at {
        return Ok(());
    }
    base.apply(&std::mem::take(table), None)?;
    base.merge_small(u64::MAX)
}

/// Opens sled. What a restart or a free disk could mend is an error; what looks
/// like damage is not, since damage is mended here.
fn open(path: &Path, options: &Options) -> Result<Opened<Base>, Error> {
    let config = sled::Config::new()
        .path(path)
        .mode(sled::Mode::LowSpace)
        .cache_capacity(options.cache_bytes)
        .flush_every_ms(Some(500));
    let mut tries = 0;
    loop {
        let Ok(opened) = quietly(|| config.open()) else {
            return Ok(Opened::Damaged(PANICKED.into()));
        };
        let error = match opened {
            Ok(db) => return Ok(Opened::Fine(Base::new(db, path, options))),
            Err(error) => error,
        };
        let sled::Error::Io(io) = &error else {
            return Ok(Opened::Damaged(error.to_string()));
        };
        use std::io::ErrorKind as Kind;
        if io.to_string().contains("could not acquire lock") {
            // The directory is ours by our own lock; an earlier handle of this
            // process may still be on its way out.
            tries += 1;
            if tries == 200 {
                return Err(Error::InUse {
                    dir: path.to_path_buf(),
                    holder: None,
                });
            }
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        return match io.kind() {
            Kind::PermissionDenied
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::ReadOnlyFilesystem
            | Kind::OutOfMemory
            | Kind::Interrupted => Err(cells::state(error)),
            _ => Ok(Opened::Damaged(error.to_string())),
        };
    }
}

/// For the rebuild: a fresh sled that must open.
pub(super) fn open_new(path: &Path, options: &Options) -> Result<Base, Error> {
    match open(path, options)? {
        Opened::Fine(base) if base.is_laid_out()? => Ok(base),
        Opened::Fine(_) | Opened::New | Opened::Outdated => {
            Err(Error::State("it is not empty".into()))
        }
        Opened::Damaged(why) => Err(Error::State(why)),
    }
}

/// The last commit that the state on disk is known to hold; 0 at first.
pub(super) fn read_checkpoint(dir: &Path) -> Result<Revision, Error> {
    let path: PathBuf = dir.join(CHECKPOINT);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    text.trim().parse().map_err(|_| Error::Damaged {
        file: path,
        what: "it does not name a commit; write 0 into it and delete the folder `sled`: the next \
               start rebuilds both"
            .into(),
    })
}

/// Remembers that the state on disk holds everything up to a commit.
pub(super) fn write_checkpoint(dir: &Path, upto: Revision, disk: &Disk) -> Result<(), Error> {
    disk.replace(&dir.join(CHECKPOINT), format!("{upto}\n").as_bytes())
}
