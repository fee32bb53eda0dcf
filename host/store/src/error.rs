//! What can go wrong with a store, in words for the person who runs it. Whether
//! a failed commit may have happened all the same is part of the kind.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a store could not answer. Cheap to clone: one failure is the answer to
/// every commit of its group.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The batch can never be stored as it is. Nothing was written.
    #[error("the batch was refused: {0}")]
    Refused(String),
    /// The store was closed. Nothing was written.
    #[error("the store is closed")]
    Closed,
    /// An earlier failure ended this store. Nothing of this batch was written;
    /// only a restart helps.
    #[error("the store stopped after an earlier failure: {0}")]
    Poisoned(String),
    /// The batch may be durable or not: read again before doing anything.
    #[error("it is not known whether the commit happened: {0}")]
    Unknown(String),
    /// Another process works on this directory.
    #[error(
        "the store in {dir} is in use by another ringback{}; stop that one first",
        holder.map(|pid| format!(", process {pid}")).unwrap_or_default()
    )]
    InUse {
        /// The directory that was asked for.
        dir: PathBuf,
        /// The process that holds it, if it could be read.
        holder: Option<u32>,
    },
    /// The directory was written by a newer ringback.
    #[error(
        "the store in {dir} has format {found}, and this ringback knows formats up to {known}; \
         use a newer ringback"
    )]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version this program reads.
        known: u32,
    },
    /// A file holds what it cannot hold, and going on would drop work that was
    /// acknowledged. Nothing was changed.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found where.
        what: String,
    },
    /// What was to be imported cannot be.
    #[error("{file} cannot be imported: {what}")]
    Archive {
        /// What was read.
        file: PathBuf,
        /// Why not, and what to do.
        what: String,
    },
    /// A store is only ever imported into a new place.
    #[error(
        "{dir} is not empty, and an import makes a new store; move what is there aside, or name \
         another folder"
    )]
    Occupied {
        /// The directory that was named.
        dir: PathBuf,
    },
    /// The operating system refused. Nothing of a batch was written.
    #[error("could not {what} {path}: {}", told(why))]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        why: Arc<io::Error>,
    },
    /// The state behind the journal is damaged. What was acknowledged is in the
    /// journal; the next start rebuilds the state from it.
    #[error(
        "the state is damaged: {0}; nothing is lost by that: start ringback, or give the command \
         again, and the state is rebuilt from snapshot and journal before anything else"
    )]
    Rotten(String),
    /// The state behind the journal could not be read or written.
    #[error("the state could not be read or written: {0}")]
    State(String),
}

/// What the system said, without its number, and what to do about it. Said whole
/// here, so it is no `source`: whoever prints a chain would say it twice.
fn told(why: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let words = why.to_string();
    let words = words.split(" (os error ").next().unwrap_or_default();
    let advice = match why.kind() {
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "; make the folder writable for the user who runs ringback"
        }
        Kind::StorageFull | Kind::QuotaExceeded => "; free some disk space",
        _ => "",
    };
    format!("{words}{advice}")
}

impl Error {
    /// An adapter for `map_err` on file operations.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |why| Self::Io {
            what,
            path: path.to_path_buf(),
            why: Arc::new(why),
        }
    }

    /// Whether the batch of a failed commit may have been written all the same.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}
