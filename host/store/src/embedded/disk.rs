//! Syncing and renaming, with the two seams that tests need: what a sync does,
//! and what happens when it fails.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;

type Sync = Arc<dyn Fn(&File) -> io::Result<()> + Send + std::marker::Sync>;
type OnError = Arc<dyn Fn() + Send + std::marker::Sync>;

/// How files are made durable.
#[derive(Clone)]
pub(crate) struct Disk {
    /// `fdatasync`.
    pub(crate) sync: Sync,
    /// Called once a sync failed: ends the process. Never retried: the kernel
    /// may have thrown the pages away and call the second try a success.
    pub(crate) on_sync_error: OnError,
    broken: Arc<AtomicBool>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            sync: Arc::new(File::sync_data),
            on_sync_error: Arc::new(|| std::process::abort()),
            broken: Arc::default(),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// Makes a file's data durable.
    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<(), Error> {
        (self.sync)(file).map_err(|error| {
            tracing::error!(
                path = %path.display(), %error,
                "the disk refused to make data durable; stopping, since nothing after this can be trusted"
            );
            self.broken.store(true, Ordering::SeqCst);
            (self.on_sync_error)();
            Error::io("sync", path)(error)
        })
    }

    /// Whether a sync ever failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Makes what was created, renamed or removed in a directory durable.
    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        let file = File::open(dir).map_err(Error::io("open", dir))?;
        self.sync(&file, dir)
    }

    /// Renames, durably. Both paths are in the same directory.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        fs::rename(from, to).map_err(Error::io("rename", from))?;
        match to.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }

    /// Replaces a whole file, durably: the old content or the new, never a mix.
    pub(crate) fn replace(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let fresh = path.with_extension(FRESH);
        let mut file = File::create(&fresh).map_err(Error::io("create", &fresh))?;
        file.write_all(content)
            .map_err(Error::io("write", &fresh))?;
        self.sync(&file, &fresh)?;
        self.rename(&fresh, path)
    }
}

/// The extension of a file that is not finished; a start removes it.
pub(crate) const FRESH: &str = "new";

/// Removes what an earlier process left unfinished in a directory.
pub(crate) fn remove_unfinished(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == FRESH) && path.is_file() {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}
